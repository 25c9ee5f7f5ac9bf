/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event packages of RFC 6665 that are known, and those for which subscriptions may come in. */
#ifndef SC_EVENTS_H
#define SC_EVENTS_H

#include "shim.h"

/* The block: name (text), content types (list of text). PJ_ETOOMANY beyond what one Accept header of PJSIP's holds. */
SC_API int32_t sc_events_add(sc_bytes args, uint32_t size);
/* The packages (list of text) for which a SUBSCRIBE may come in. */
SC_API int32_t sc_events_set_incoming(sc_bytes args, uint32_t size);

#endif
