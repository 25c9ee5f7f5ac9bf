/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A REFER of ours outside of calls, and the subscription that it makes. Its records are those of a subscription
 * (subscription.h); they stop with the state TERMINATED, and from then on its serial is answered SC_EGONE.
 */
#ifndef SC_REFERRAL_H
#define SC_REFERRAL_H

#include "shim.h"

/*
 * Sends a REFER. The block: request URI, From without and with its parameters, To likewise, Contact, Route, TLS name
 * (text), credentials (as shim/credentials.c has them), "refer", u32 milliseconds to wait for a response (0: as long as
 * PJSIP does), headers of the REFER alone, headers of the SUBSCRIBEs to come as well (lists of name and value), content
 * type (empty), body.
 */
SC_API sc_referral sc_referral_create(sc_bytes args, uint32_t size, sc_status status);
/* As sc_subscription_refresh(). */
SC_API int32_t sc_referral_refresh(sc_referral referral, sc_bytes args, uint32_t size);
/* As sc_subscription_end(). */
SC_API int32_t sc_referral_end(sc_referral referral, uint32_t timeout);

#endif
