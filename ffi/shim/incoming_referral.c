/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "incoming_referral.h"
#include "internal.h"

static bool has_one(const pjsip_msg *msg, const pj_str_t *name, const pj_str_t *compact)
{
    pjsip_hdr *first = pjsip_msg_find_hdr_by_names(msg, name, compact, NULL);

    return first && !pjsip_msg_find_hdr_by_names(msg, name, compact, first->next);
}

/* RFC 4488: the peer wants no subscription. */
static bool is_alone(const pjsip_msg *msg)
{
    static const pj_str_t name = { "Refer-Sub", 9 };
    const pjsip_generic_string_hdr *header = pjsip_msg_find_hdr_by_name(msg, &name, NULL);

    return header && header->hvalue.slen >= 5 && !pj_strnicmp2(&header->hvalue, "false", 5);
}

void sc_incoming_referral_on_refer(pjsip_rx_data *rdata)
{
    static const pj_str_t refer_to = { "Refer-To", 8 }, compact = { "r", 1 }, event_name = { "Event", 5 },
                          event_compact = { "o", 1 }, refer = { "refer", 5 };
    pjsip_msg *msg = rdata->msg_info.msg;
    pjsip_event_hdr *event = pjsip_msg_find_hdr_by_names(msg, &event_name, &event_compact, NULL);

    if (!sc_events_know_refer()) {
        sc_events_refuse(rdata);
        return;
    }
    if (!has_one(msg, &refer_to, &compact)) {
        sc_answer(rdata, PJSIP_SC_BAD_REQUEST, NULL);
        return;
    }
    if (event) {
        if (pj_stricmp(&event->event_type, &refer)) {
            sc_events_refuse(rdata);
            return;
        }
    } else {
        /* A REFER has none; the framework wants to be told which package it is about. */
        event = pjsip_event_hdr_create(rdata->tp_info.pool);
        event->event_type = refer;
        pjsip_msg_add_hdr(msg, (pjsip_hdr *)event);
    }
    sc_notifier_on_request(SC_KIND_INCOMING_REFERRAL, is_alone(msg), rdata);
}

int32_t sc_incoming_referral_reject(sc_incoming_referral serial, uint32_t code)
{
    return sc_notifier_reject(SC_KIND_INCOMING_REFERRAL, serial, code);
}

int32_t sc_incoming_referral_accept(sc_incoming_referral serial, uint32_t code, uint32_t seconds, sc_bytes args,
                                    uint32_t size)
{
    return seconds ? sc_notifier_accept(SC_KIND_INCOMING_REFERRAL, serial, code, seconds, args, size) : SC_EARGS;
}

int32_t sc_incoming_referral_push(sc_incoming_referral serial, sc_bytes args, uint32_t size)
{
    return sc_notifier_push(SC_KIND_INCOMING_REFERRAL, serial, args, size);
}

int32_t sc_incoming_referral_end(sc_incoming_referral serial, sc_bytes args, uint32_t size)
{
    return sc_notifier_end(SC_KIND_INCOMING_REFERRAL, serial, args, size);
}
