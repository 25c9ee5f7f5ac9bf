/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"
#include "referral.h"

sc_referral sc_referral_create(sc_bytes args, uint32_t size, sc_status status)
{
    return sc_subscriber_create(SC_KIND_REFERRAL, args, size, status);
}

int32_t sc_referral_refresh(sc_referral serial, sc_bytes args, uint32_t size)
{
    return sc_subscriber_refresh(SC_KIND_REFERRAL, serial, args, size);
}

int32_t sc_referral_end(sc_referral serial, uint32_t timeout)
{
    return sc_subscriber_end(SC_KIND_REFERRAL, serial, timeout);
}
