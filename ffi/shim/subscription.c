/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"
#include "subscription.h"

sc_subscription sc_subscription_create(sc_bytes args, uint32_t size, sc_status status)
{
    return sc_subscriber_create(SC_KIND_SUBSCRIPTION, args, size, status);
}

int32_t sc_subscription_refresh(sc_subscription serial, sc_bytes args, uint32_t size)
{
    return sc_subscriber_refresh(SC_KIND_SUBSCRIPTION, serial, args, size);
}

int32_t sc_subscription_end(sc_subscription serial, uint32_t timeout)
{
    return sc_subscriber_end(SC_KIND_SUBSCRIPTION, serial, timeout);
}
