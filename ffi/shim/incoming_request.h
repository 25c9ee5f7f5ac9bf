/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request outside dialogs that JavaScript answers. It ends with its final answer. */
#ifndef SC_INCOMING_REQUEST_H
#define SC_INCOMING_REQUEST_H

#include "shim.h"

/*
 * Sends the final answer. The block: reason (text, empty: the code's own), headers (list of name and value), content
 * type (text, empty: no body), body (bytes).
 */
SC_API int32_t sc_incoming_request_answer(sc_incoming_request request, uint32_t code, sc_bytes args, uint32_t size);

#endif
