/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A subscription of somebody else's to our events. Its records stop with SC_RECORD_NOTIFIER_END, or with the answer to
 * the un-SUBSCRIBE that follows it; from then on its serial is answered SC_EGONE.
 */
#ifndef SC_INCOMING_SUBSCRIPTION_H
#define SC_INCOMING_SUBSCRIPTION_H

#include "shim.h"

/* Answers the SUBSCRIBE with 300 to 699. */
SC_API int32_t sc_incoming_subscription_reject(sc_incoming_subscription subscription, uint32_t code);
/* Answers 202, and notifies "pending". */
SC_API int32_t sc_incoming_subscription_accept_pending(sc_incoming_subscription subscription);
/* Answers 200 where it was not answered, and notifies "active". The block: content type (may be empty), body. */
SC_API int32_t sc_incoming_subscription_accept(sc_incoming_subscription subscription, sc_bytes args, uint32_t size);
/* Notifies of the content, now and after refreshes. The block: content type, body. */
SC_API int32_t sc_incoming_subscription_push(sc_incoming_subscription subscription, sc_bytes args, uint32_t size);
/* Notifies "terminated". The block: the reason (may be empty). */
SC_API int32_t sc_incoming_subscription_end(sc_incoming_subscription subscription, sc_bytes args, uint32_t size);

#endif
