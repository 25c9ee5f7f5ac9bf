/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What strangers can pile up is bounded: an INVITE or a request that waits for the program takes memory until it is
 * answered, and a program that is busy, or forgets to answer, must not be the way to fill the machine. Beyond the
 * limits they get a 503 before anything of them is kept. What belongs to a dialog always passes.
 */
#include "internal.h"

/* 50 KB each, most of it the dialog. */
#define MAX_INVITATIONS 4096
/* 15 KB each. */
#define MAX_REQUESTS 16384
/* Bytes of records that JavaScript has not fetched. */
#define MAX_BACKLOG (64u * 1024u * 1024u)
#define RETRY_AFTER_SECONDS 5

static atomic_uint invitations, requests;

void sc_admission_enter(sc_kind kind)
{
    atomic_fetch_add(kind == SC_KIND_INVITATION ? &invitations : &requests, 1);
}

void sc_admission_leave(sc_kind kind)
{
    atomic_fetch_sub(kind == SC_KIND_INVITATION ? &invitations : &requests, 1);
}

bool sc_admission_has_room(sc_kind kind)
{
    return kind == SC_KIND_INVITATION ? atomic_load(&invitations) < MAX_INVITATIONS
                                      : atomic_load(&requests) < MAX_REQUESTS && sc_ring_size() <= MAX_BACKLOG;
}

static bool is_full(const pjsip_method *method)
{
    if (method->id == PJSIP_INVITE_METHOD) {
        if (atomic_load(&invitations) >= MAX_INVITATIONS)
            return true;
    } else if (!sc_incoming_request_wants(method)) {
        return false; /* the stack answers by itself */
    } else if (atomic_load(&requests) >= MAX_REQUESTS) {
        return true;
    }
    return sc_ring_size() > MAX_BACKLOG;
}

static pj_bool_t on_rx_request(pjsip_rx_data *rdata)
{
    const pjsip_method *method = &rdata->msg_info.msg->line.req.method;
    pjsip_hdr headers;

    if (rdata->msg_info.to->tag.slen || method->id == PJSIP_ACK_METHOD || method->id == PJSIP_CANCEL_METHOD ||
        method->id == PJSIP_BYE_METHOD || !is_full(method))
        return PJ_FALSE;
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
