/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A subscription of ours to somebody's events, with its dialog. Its records stop with the state TERMINATED; from then
 * on its serial is answered SC_EGONE.
 */
#ifndef SC_SUBSCRIPTION_H
#define SC_SUBSCRIPTION_H

#include "shim.h"

/*
 * Sends a SUBSCRIBE, and later ones in time. The block: request URI, From without and with its parameters, To likewise,
 * Contact, Route, TLS name (text), credentials (as shim/credentials.c has them), event, u32 seconds to ask for, u32
 * milliseconds to wait for a response (0: as long as PJSIP does), headers (list of name and value), content type (may
 * be empty), body. What cannot be sent comes as the state TERMINATED.
 */
SC_API sc_subscription sc_subscription_create(sc_bytes args, uint32_t size, sc_status status);
/*
 * Sends a SUBSCRIBE now, or when the one under way has its response. The block: Contact (may be empty), milliseconds,
 * headers, content type, body, which take the place of the old ones.
 */
SC_API int32_t sc_subscription_refresh(sc_subscription subscription, sc_bytes args, uint32_t size);
/* Sends a SUBSCRIBE with Expires 0, when the one under way has its response; waits so many milliseconds (0: any time). */
SC_API int32_t sc_subscription_end(sc_subscription subscription, uint32_t timeout);

#endif
