/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests outside dialogs: who gets them, and what is answered when nobody wants them. */
#include "internal.h"

static atomic_bool detects_loops;

void sc_core_detect_loops(bool on)
{
    atomic_store(&detects_loops, on);
}

/* ---- answers ------------------------------------------------------------------------------------------------------- */

static bool holds(const pjsip_generic_array_hdr *list, const pj_str_t *value)
{
    unsigned i;

    for (i = 0; i < list->count; i++)
        if (!pj_stricmp(&list->values[i], value))
            return true;
    return false;
}

/* Packages may have content types in common, and the program takes methods that the stack knows. */
static void append(pjsip_generic_array_hdr *list, const pj_str_t values[], unsigned count)
{
    unsigned i;

    for (i = 0; i < count && list->count < PJSIP_GENERIC_ARRAY_MAX_COUNT; i++)
        if (!holds(list, &values[i]))
            list->values[list->count++] = values[i];
}

static void add_capability(pjsip_tx_data *tdata, int name)
{
    const pjsip_generic_array_hdr *known =
        (const pjsip_generic_array_hdr *)pjsip_endpt_get_capability(sc_engine.endpt, name, NULL);
    pjsip_generic_array_hdr *header;
    pj_str_t methods[SC_NAME_SET_MAX];

    if (!known || pjsip_msg_find_hdr(tdata->msg, name, NULL))
        return;
    header = pjsip_hdr_clone(tdata->pool, known);
    header->count = 0;
    append(header, known->values, known->count);
    if (name == PJSIP_H_ALLOW)
        append(header, methods, sc_incoming_request_list(tdata->pool, methods, PJ_ARRAY_SIZE(methods)));
    pjsip_msg_add_hdr(tdata->msg, (pjsip_hdr *)header);
}

void sc_add_capabilities(pjsip_tx_data *tdata)
{
    int code = tdata->msg->line.status.code;

    if (code == PJSIP_SC_OK || code == PJSIP_SC_METHOD_NOT_ALLOWED)
        add_capability(tdata, PJSIP_H_ALLOW);
    if (code == PJSIP_SC_OK) {
        add_capability(tdata, PJSIP_H_ACCEPT);
        add_capability(tdata, PJSIP_H_SUPPORTED);
        pjsip_msg_add_hdr(tdata->msg, pjsip_hdr_clone(tdata->pool, sc_events_allowed()));
    }
}

static void send_answer(pjsip_rx_data *rdata, pjsip_tx_data *tdata)
{
    pjsip_transaction *tsx;

    if (pjsip_tsx_create_uas2(&sc_core_module, rdata, NULL, &tsx) != PJ_SUCCESS) {
        pjsip_tx_data_dec_ref(tdata);
        return;
    }
    pjsip_tsx_recv_msg(tsx, rdata);
    if (pjsip_tsx_send_msg(tsx, tdata) != PJ_SUCCESS)
        pjsip_tx_data_dec_ref(tdata);
}

void sc_answer(pjsip_rx_data *rdata, int code, const pjsip_hdr *headers)
{
    const pjsip_hdr *header;
    pjsip_tx_data *tdata;

    if (pjsip_endpt_create_response(sc_engine.endpt, rdata, code, NULL, &tdata) != PJ_SUCCESS)
        return;
    for (header = headers ? headers->next : NULL; header && header != headers; header = header->next)
        pjsip_msg_add_hdr(tdata->msg, pjsip_hdr_clone(tdata->pool, header));
    if (code == PJSIP_SC_METHOD_NOT_ALLOWED)
        sc_add_capabilities(tdata);
    send_answer(rdata, tdata);
}

static void answer_options(pjsip_rx_data *rdata)
{
    pjsip_tx_data *tdata;

    if (pjsip_endpt_create_response(sc_engine.endpt, rdata, PJSIP_SC_OK, NULL, &tdata) != PJ_SUCCESS)
        return;
    sc_add_capabilities(tdata);
    send_answer(rdata, tdata);
}

/* RFC 3261, section 8.2.2.3, for what the stack answers by itself. False: it was refused. */
static bool understands(pjsip_rx_data *rdata)
{
    const pjsip_require_hdr *require = rdata->msg_info.require;
    pjsip_unsupported_hdr *unsupported;
    pjsip_hdr headers;
    unsigned i;

    if (!require)
        return true;
    unsupported = pjsip_unsupported_hdr_create(rdata->tp_info.pool);
    for (; require; require = pjsip_msg_find_hdr(rdata->msg_info.msg, PJSIP_H_REQUIRE, require->next))
        for (i = 0; i < require->count; i++)
            if (!pjsip_endpt_has_capability(sc_engine.endpt, PJSIP_H_SUPPORTED, NULL, &require->values[i]))
                append(unsupported, &require->values[i], 1);
    if (!unsupported->count)
        return true;
    pj_list_init(&headers);
    pj_list_push_back(&headers, unsupported);
    sc_answer(rdata, PJSIP_SC_BAD_EXTENSION, &headers);
    return false;
}

/* ---- loops ----------------------------------------------------------------------------------------------------------- */

/* A request of ours: the Via of its sender is that of a transaction that we have. */
static bool is_ours(pjsip_rx_data *rdata, pjsip_via_hdr *sender)
{
    pjsip_via_hdr *top = rdata->msg_info.via;
    pjsip_transaction *tsx = NULL;
    pj_str_t key;

    rdata->msg_info.via = sender;
    if (pjsip_tsx_create_key(rdata->tp_info.pool, &key, PJSIP_ROLE_UAC, &rdata->msg_info.cseq->method, rdata) ==
        PJ_SUCCESS)
        tsx = pjsip_tsx_layer_find_tsx2(&key, PJ_TRUE);
    rdata->msg_info.via = top;
    if (tsx)
        pj_grp_lock_dec_ref(tsx->grp_lock);
    return tsx != NULL;
}

/*
 * It has come back to us, or has come already by another way (RFC 3261, sections 8.2.2.2 and 16.3). Only a proxy does
 * such a thing, and leaves a Via; what comes from its sender, ourselves included, costs no search.
 */
static bool is_loop(pjsip_rx_data *rdata)
{
    pjsip_via_hdr *sender = NULL, *via = rdata->msg_info.via;

    if (!atomic_load(&detects_loops))
        return false;
    while ((via = pjsip_msg_find_hdr(rdata->msg_info.msg, PJSIP_H_VIA, via->next)))
        sender = via;
    return sender && (is_ours(rdata, sender) || pjsip_tsx_detect_merged_requests(rdata));
}

/* ---- MESSAGE --------------------------------------------------------------------------------------------------------- */

bool sc_is_message(const pjsip_method *method)
{
    return !pj_strcmp2(&method->name, "MESSAGE");
}

/* pjsip drops a body of which no header says what it is. */
static void refuse_body(pjsip_rx_data *rdata)
{
    static const pj_str_t text = { "Content-Type is missing", 23 };
    pjsip_hdr headers;

    pj_list_init(&headers);
    pj_list_push_back(&headers,
                      pjsip_warning_hdr_create(rdata->tp_info.pool, 399, pjsip_endpt_name(sc_engine.endpt), &text));
    sc_answer(rdata, PJSIP_SC_BAD_REQUEST, &headers);
}

static void on_message(pjsip_rx_data *rdata)
{
    sc_record record;

    if (rdata->msg_info.clen && rdata->msg_info.clen->len > 0 && !rdata->msg_info.msg->body) {
        refuse_body(rdata);
        return;
    }
    sc_answer(rdata, PJSIP_SC_OK, NULL);
    sc_record_init(&record, SC_RECORD_MESSAGE, 0);
    sc_record_rdata(&record, rdata);
    sc_record_push(&record, false);
}

/* ---- the table --------------------------------------------------------------------------------------------------------- */

/* Methods that Allow names and that are of a dialog, which this one is not. */
static bool is_of_dialog(const pjsip_method *method)
{
    return method->id == PJSIP_CANCEL_METHOD || method->id == PJSIP_BYE_METHOD ||
           !pj_strcmp2(&method->name, "NOTIFY") || !pj_strcmp2(&method->name, "UPDATE") ||
           !pj_strcmp2(&method->name, "PRACK") || !pj_strcmp2(&method->name, "INFO");
}

static pj_bool_t on_rx_request(pjsip_rx_data *rdata)
{
    const pjsip_method *method = &rdata->msg_info.msg->line.req.method;

    if (method->id == PJSIP_ACK_METHOD)
        return PJ_TRUE; /* of a call that is gone: nothing to say */
    if (is_loop(rdata))
        sc_answer(rdata, PJSIP_SC_LOOP_DETECTED, NULL);
    else if (method->id == PJSIP_INVITE_METHOD)
        sc_invitation_on_invite(rdata);
    else if (sc_incoming_request_wants(method))
        sc_incoming_request_on_request(rdata);
    else if (is_of_dialog(method))
        sc_answer(rdata, PJSIP_SC_CALL_TSX_DOES_NOT_EXIST, NULL);
    else if (method->id == PJSIP_OPTIONS_METHOD) {
        if (understands(rdata))
            answer_options(rdata);
    } else if (sc_is_message(method)) {
        if (understands(rdata))
            on_message(rdata);
    } else if (!pj_strcmp2(&method->name, "SUBSCRIBE")) {
        if (understands(rdata))
            sc_events_on_subscribe(rdata);
    } else if (!pj_strcmp2(&method->name, "REFER")) {
        if (understands(rdata))
            sc_incoming_referral_on_refer(rdata);
    } else
        sc_answer(rdata, PJSIP_SC_METHOD_NOT_ALLOWED, NULL);
    return PJ_TRUE;
}

static pj_status_t load(pjsip_endpoint *endpt)
{
    static const pj_str_t methods[] = { { "OPTIONS", 7 }, { "MESSAGE", 7 } };

    return pjsip_endpt_add_capability(endpt, &sc_core_module, PJSIP_H_ALLOW, NULL, PJ_ARRAY_SIZE(methods), methods);
}

pjsip_module sc_core_module = {
    .name = { "mod-sc-core", 11 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_APPLICATION,
    .load = load,
    .on_rx_request = on_rx_request,
};
