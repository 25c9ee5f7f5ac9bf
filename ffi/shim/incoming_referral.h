/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A REFER of somebody else's outside of calls, and the subscription that it makes. Its records are those of an incoming
 * subscription (incoming_subscription.h).
 */
#ifndef SC_INCOMING_REFERRAL_H
#define SC_INCOMING_REFERRAL_H

#include "shim.h"

/* Answers the REFER with 300 to 699. */
SC_API int32_t sc_incoming_referral_reject(sc_incoming_referral referral, uint32_t code);
/*
 * Answers the REFER with a 2xx, and notifies for so many seconds, unless the peer wants no subscription. The block:
 * content type, body.
 */
SC_API int32_t sc_incoming_referral_accept(sc_incoming_referral referral, uint32_t code, uint32_t seconds, sc_bytes args,
                                           uint32_t size);
/* Notifies of the content, now and after refreshes. The block: content type, body. */
SC_API int32_t sc_incoming_referral_push(sc_incoming_referral referral, sc_bytes args, uint32_t size);
/* Notifies "terminated" with the content. The block: the reason, content type, body. */
SC_API int32_t sc_incoming_referral_end(sc_incoming_referral referral, sc_bytes args, uint32_t size);

#endif
