/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door: looks at what comes in before the transaction layer does, and keeps out what pjproject 2.17 does not
 * survive. A request is refused statelessly, so nothing of it costs memory; a response or an ACK, which must reach
 * its transaction, loses the body and goes on.
 */
#define _GNU_SOURCE
#include <string.h>

#include "internal.h"

bool sc_door_has_refused(const pjsip_rx_data *rdata)
{
    return rdata->endpt_info.mod_data[sc_door_module.id] != NULL;
}

static bool body_is_sdp(const pjsip_msg_body *body)
{
    static const pj_str_t sdp = { "sdp", 3 }, multipart = { "multipart", 9 };

    return !pj_stricmp(&body->content_type.subtype, &sdp) || !pj_stricmp(&body->content_type.type, &multipart);
}

static bool is_safe(const pjsip_rx_data *rdata)
{
    const pjsip_msg_body *body = rdata->msg_info.msg->body;

    if (!body || !body_is_sdp(body))
        return true;
    /*
     * All of the raw bytes: what a multipart body holds is seen without parsing it, whichever end of the headers pjsip
     * has found, and no header looks like a line of SDP.
     */
    return sc_sdp_is_safe(rdata->msg_info.msg_buf, (size_t)rdata->msg_info.len);
}

/* pjsip takes any other body for an answer that it cannot read. Who listens to it reads the bytes of the wire. */
static void keep_answer_only(pjsip_rx_data *rdata)
{
    pjsip_msg *msg = rdata->msg_info.msg;

    if (!msg->body)
        return;
    if (!body_is_sdp(msg->body)) {
        msg->body = NULL;
    } else if (!is_safe(rdata)) {
        msg->body = NULL;
        if (msg->type == PJSIP_REQUEST_MSG)
            sc_invitation_on_refused_sdp(rdata);
        else
            rdata->endpt_info.mod_data[sc_door_module.id] = &sc_door_module;
    }
}

static char *find(const pjsip_msg_body *body, const char *text)
{
    return memmem(body->data, body->len, text, strlen(text));
}

/* pjmedia refuses an empty s= line, which peers send although RFC 8866 wants a blank in it. */
static void fill_session_name(pjsip_msg_body *body, pj_pool_t *pool)
{
    char *found = find(body, "\ns=\r\n"), *copy;
    size_t before;

    if (!found)
        found = find(body, "\ns=\n");
    copy = found ? pj_pool_alloc(pool, body->len + 1) : NULL;
    if (!copy)
        return;
    before = (size_t)(found + 3 - (char *)body->data);
    memcpy(copy, body->data, before);
    copy[before] = '-';
    memcpy(copy + before + 1, found + 3, body->len - before);
    body->data = copy;
    body->len++;
}

/* What pjmedia would drop: it comes out again where the description is told. */
static void keep_info(pjsip_msg_body *body, pj_pool_t *pool)
{
    pj_str_t text = { body->data, (pj_ssize_t)body->len };

    if (!find(body, "\ni="))
        return;
    text = sc_sdp_hide_info(pool, &text);
    if (!text.ptr)
        return;
    body->data = text.ptr;
    body->len = (unsigned)text.slen;
}

static void prepare_sdp(pjsip_rx_data *rdata)
{
    pjsip_msg_body *body = rdata->msg_info.msg->body;

    if (!body || !body_is_sdp(body) || body->print_body != &pjsip_print_text_body)
        return;
    fill_session_name(body, rdata->tp_info.pool);
    keep_info(body, rdata->tp_info.pool);
}

/* An INVITE of RFC 2543 may have no Contact: its From is the remote target then. */
static void add_contact(pjsip_rx_data *rdata)
{
    static const pj_str_t cookie = { PJSIP_RFC3261_BRANCH_ID, PJSIP_RFC3261_BRANCH_LEN };
    pjsip_msg *msg = rdata->msg_info.msg;
    pjsip_contact_hdr *contact;

    if (msg->line.req.method.id != PJSIP_INVITE_METHOD || pjsip_msg_find_hdr(msg, PJSIP_H_CONTACT, NULL) ||
        !pj_strnicmp(&rdata->msg_info.via->branch_param, &cookie, cookie.slen))
        return;
    contact = pjsip_contact_hdr_create(rdata->tp_info.pool);
    if (!contact)
        return;
    contact->uri = rdata->msg_info.from->uri;
    pjsip_msg_add_hdr(msg, (pjsip_hdr *)contact);
}

static pj_bool_t on_rx_request(pjsip_rx_data *rdata)
{
    if (rdata->msg_info.msg->line.req.method.id == PJSIP_ACK_METHOD) {
        keep_answer_only(rdata);
        prepare_sdp(rdata);
        return PJ_FALSE;
    }
    if (is_safe(rdata)) {
        prepare_sdp(rdata);
        add_contact(rdata);
        return PJ_FALSE;
    }
    pjsip_endpt_respond_stateless(sc_engine.endpt, rdata, PJSIP_SC_NOT_ACCEPTABLE_HERE, NULL, NULL, NULL);
    sc_invitation_on_refused_sdp(rdata);
    return PJ_TRUE;
}

/* Without what no ACK can be sent along; a request that has it is refused. */
static void drop_bad_routes(pjsip_msg *msg)
{
    pjsip_hdr *header = msg->hdr.next;

    while (header != &msg->hdr) {
        pjsip_hdr *next = header->next;

        if (!sc_is_good_route(header))
            pj_list_erase(header);
        header = next;
    }
}

static pj_bool_t on_rx_response(pjsip_rx_data *rdata)
{
    drop_bad_routes(rdata->msg_info.msg);
    keep_answer_only(rdata);
    prepare_sdp(rdata);
    return sc_invitation_hold_offer(rdata);
}

pjsip_module sc_door_module = {
    .name = { "mod-sc-door", 11 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_TSX_LAYER - 2,
    .on_rx_request = on_rx_request,
    .on_rx_response = on_rx_response,
};
