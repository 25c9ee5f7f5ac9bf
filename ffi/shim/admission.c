/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What strangers can pile up is bounded: a request that waits for the program takes memory until it is answered (an
 * INVITE 50 KB, most of it the dialog; another one 15 KB), and a program that is busy, or forgets to answer, must not
 * be the way to fill the machine. Beyond the limits they get a 503 before anything of them is kept. What belongs to a
 * dialog always passes.
 */
#include "internal.h"

/* Bytes of records that JavaScript has not fetched. */
#define MAX_BACKLOG (64u * 1024u * 1024u)
#define RETRY_AFTER_SECONDS 5

static atomic_uint limit, unanswered, refused;

void sc_admission_enter(void)
{
    atomic_fetch_add(&unanswered, 1);
}

void sc_admission_leave(void)
{
    atomic_fetch_sub(&unanswered, 1);
}

void sc_admission_limit(unsigned requests)
{
    atomic_store(&limit, requests);
}

void sc_admission_report(void)
{
    unsigned count = atomic_exchange(&refused, 0);
    sc_record record;

    if (!count)
        return;
    sc_record_init(&record, SC_RECORD_OVERLOAD, 0);
    sc_record_u32(&record, count);
    sc_record_push(&record, false);
}

/* To the others the stack answers by itself. */
static bool waits_for_program(const pjsip_method *method)
{
    return method->id == PJSIP_INVITE_METHOD || sc_is_message(method) || !pj_strcmp2(&method->name, "SUBSCRIBE") ||
           !pj_strcmp2(&method->name, "REFER") || sc_incoming_request_wants(method);
}

static bool is_full(void)
{
    return atomic_load(&unanswered) + sc_ring_messages() >= atomic_load(&limit) || sc_ring_size() > MAX_BACKLOG;
}

bool sc_admission_has_room(void)
{
    return !is_full();
}

static pj_bool_t on_rx_request(pjsip_rx_data *rdata)
{
    const pjsip_method *method = &rdata->msg_info.msg->line.req.method;
    pjsip_hdr headers;

    if (rdata->msg_info.to->tag.slen || method->id == PJSIP_ACK_METHOD || method->id == PJSIP_CANCEL_METHOD ||
        method->id == PJSIP_BYE_METHOD || !waits_for_program(method) || !is_full())
        return PJ_FALSE;
    atomic_fetch_add(&refused, 1);
    pj_list_init(&headers);
    pj_list_push_back(&headers, pjsip_retry_after_hdr_create(rdata->tp_info.pool, RETRY_AFTER_SECONDS));
    pjsip_endpt_respond_stateless(sc_engine.endpt, rdata, PJSIP_SC_SERVICE_UNAVAILABLE, NULL, &headers, NULL);
    return PJ_TRUE;
}

/* Behind the transaction layer: a repetition of what was let in is no newcomer. */
pjsip_module sc_admission_module = {
    .name = { "mod-sc-admission", 16 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_TSX_LAYER + 1,
    .on_rx_request = on_rx_request,
};
