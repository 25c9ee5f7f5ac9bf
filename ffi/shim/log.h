/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SC_LOG_H
#define SC_LOG_H

#include "shim.h"

/* Turns the records of SIP messages on or off. */
SC_API void sc_log_trace(uint32_t on);

#endif
