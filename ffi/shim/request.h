/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request outside dialogs and what is answered to it. The first challenge is answered here. It ends with the first
 * SC_RECORD_REQUEST_RESPONSE of a code of 200 and more; from then on its serial is answered SC_EGONE.
 */
#ifndef SC_REQUEST_H
#define SC_REQUEST_H

#include "shim.h"

/*
 * Sends it. The block: method, request URI, Route (name-addr or URI), name for TLS (text, may be empty), Call-ID, CSeq
 * (u32), headers (list of name and value, From and To among them), content type (text, empty: no body), body (bytes),
 * credentials (as in credentials.c). What cannot be sent at once is no request: 0 and the status.
 */
SC_API sc_request sc_request_create(sc_bytes args, uint32_t size, sc_status status);
/* Ends it on this side, with a 408. */
SC_API int32_t sc_request_end(sc_request request);

#endif
