/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "incoming_subscription.h"
#include "internal.h"

int32_t sc_incoming_subscription_reject(sc_incoming_subscription serial, uint32_t code)
{
    return sc_notifier_reject(SC_KIND_INCOMING_SUBSCRIPTION, serial, code);
}

int32_t sc_incoming_subscription_accept_pending(sc_incoming_subscription serial)
{
    return sc_notifier_accept_pending(SC_KIND_INCOMING_SUBSCRIPTION, serial);
}

int32_t sc_incoming_subscription_accept(sc_incoming_subscription serial, sc_bytes args, uint32_t size)
{
    return sc_notifier_accept(SC_KIND_INCOMING_SUBSCRIPTION, serial, PJSIP_SC_OK, 0, args, size);
}

int32_t sc_incoming_subscription_push(sc_incoming_subscription serial, sc_bytes args, uint32_t size)
{
    return sc_notifier_push(SC_KIND_INCOMING_SUBSCRIPTION, serial, args, size);
}

int32_t sc_incoming_subscription_end(sc_incoming_subscription serial, sc_bytes args, uint32_t size)
{
    return sc_notifier_end(SC_KIND_INCOMING_SUBSCRIPTION, serial, args, size);
}
