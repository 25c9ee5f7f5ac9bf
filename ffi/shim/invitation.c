/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "invitation_internal.h"

static void destroy(sc_object *object)
{
    sc_call *self = (sc_call *)object;

    if (self->inv) {
        pjsip_dialog *dlg = self->inv->dlg;

        /* The session lives in the dialog's memory and touches it after its last reference: the lock keeps it. */
        pjsip_dlg_inc_lock(dlg);
        sc_call_set_answered(self);
        self->inv->mod_data[sc_core_module.id] = NULL;
        pjsip_inv_dec_ref(self->inv);
        pjsip_dlg_dec_lock(dlg);
    }
    sc_call_forget_sdp(self);
    sc_call_drop_held_offer(self);
    sc_call_drop_waiting(self);
    sc_listener_release(self->listener);
}

sc_call *sc_call_new(void)
{
    return sc_object_new(SC_KIND_INVITATION, sizeof(sc_call), destroy);
}

sc_call *sc_call_of(pjsip_inv_session *inv)
{
    return inv->mod_data[sc_core_module.id];
}

void sc_call_add_usages(pjsip_dialog *dlg)
{
    pjsip_dlg_add_usage(dlg, &sc_transfer_module, NULL);
    pjsip_dlg_add_usage(dlg, &sc_invitation_module, NULL);
}

void sc_call_attach(sc_call *self)
{
    self->inv->mod_data[sc_core_module.id] = self;
    /* Streams may come in another order than before, or be of another kind. */
    self->inv->sdp_neg_flags = PJMEDIA_SDP_NEG_ALLOW_MEDIA_CHANGE;
    sc_object_add(self);
}

void sc_call_detach(sc_call *self)
{
    self->inv->mod_data[sc_core_module.id] = NULL;
    sc_object_remove(self);
}

void sc_call_set_answered(sc_call *self)
{
    if (self->unanswered)
        sc_admission_leave();
    self->unanswered = false;
}

sc_call *sc_call_take(sc_invitation serial)
{
    sc_call *self = sc_take(serial, SC_KIND_INVITATION);

    if (self)
        pjsip_dlg_inc_lock(self->inv->dlg);
    return self;
}

void sc_call_give_back(sc_call *self)
{
    pjsip_dialog *dlg = self->inv->dlg;

    /* The reference to the session, which is given back last, is what keeps the dialog's memory. */
    pjsip_dlg_dec_lock(dlg);
    sc_give_back(self);
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

enum sc_origin sc_call_record_event(sc_record *record, const pjsip_event *event)
{
    const pjsip_rx_data *rdata = NULL;
    const pjsip_tx_data *tdata = NULL;

    if (event && event->type == PJSIP_EVENT_TSX_STATE) {
        if (event->body.tsx_state.type == PJSIP_EVENT_RX_MSG)
            rdata = event->body.tsx_state.src.rdata;
        else if (event->body.tsx_state.type == PJSIP_EVENT_TX_MSG)
            tdata = event->body.tsx_state.src.tdata;
    } else if (event && event->type == PJSIP_EVENT_RX_MSG) {
        rdata = event->body.rx_msg.rdata;
    } else if (event && event->type == PJSIP_EVENT_TX_MSG) {
        tdata = event->body.tx_msg.tdata;
    }
    if (rdata) {
        sc_record_rdata(record, rdata);
        return SC_ORIGIN_REMOTE;
    }
    if (tdata) {
        sc_record_tdata(record, tdata);
        return SC_ORIGIN_LOCAL;
    }
    sc_record_no_message(record);
    return SC_ORIGIN_NONE;
}

void sc_call_tell_ending(sc_call *self, const char *method)
{
    sc_record record;

    if (self->ending)
        return;
    self->ending = true;
    sc_record_init(&record, SC_RECORD_INVITATION_ENDING, self->object.serial);
    sc_record_text(&record, method);
    sc_record_push(&record, false);
}

/* pjsip takes a BYE that nobody answers for the plain end of the call. */
static const pjsip_transaction *unanswered_bye(const pjsip_event *event)
{
    const pjsip_transaction *tsx = event && event->type == PJSIP_EVENT_TSX_STATE ? event->body.tsx_state.tsx : NULL;

    return tsx && tsx->method.id == PJSIP_BYE_METHOD && tsx->role == PJSIP_ROLE_UAC && tsx->status_code >= 300 &&
                   event->body.tsx_state.type != PJSIP_EVENT_RX_MSG
               ? tsx
               : NULL;
}

static void tell_state(sc_call *self, pjsip_event *event)
{
    const pjsip_inv_session *inv = self->inv;
    const pjsip_transaction *bye = inv->state == PJSIP_INV_STATE_DISCONNECTED ? unanswered_bye(event) : NULL;
    const pj_str_t *text = bye ? &bye->status_text : &inv->cause_text;
    sc_record record;

    sc_record_init(&record, SC_RECORD_INVITATION_STATE, self->object.serial);
    sc_record_u8(&record, (uint8_t)inv->state);
    sc_record_u32(&record, (uint32_t)(bye && (int)inv->cause < 300 ? bye->status_code : (int)inv->cause));
    sc_record_str(&record, text->slen < PJSIP_MAX_URL_SIZE ? text : NULL);
    sc_record_str(&record, &inv->dlg->local.info->tag);
    sc_record_str(&record, &inv->dlg->remote.info->tag);
    sc_record_u8(&record, (uint8_t)sc_call_record_event(&record, event));
    sc_record_u8(&record, 0);
    sc_record_push(&record, false);
}

/* pjsip keeps it for redirections and 422s, which are over: 16 KB of each call that is held. */
static void forget_invite(pjsip_inv_session *inv)
{
    if (inv->invite_req)
        pjsip_tx_data_dec_ref(inv->invite_req);
    inv->invite_req = NULL;
}

static pj_uint32_t hash_of(const pjsip_rx_data *rdata)
{
    return pj_hash_calc(0, rdata->msg_info.msg_buf, (unsigned)rdata->msg_info.len);
}

void sc_call_note_provisional(sc_call *self, const pjsip_rx_data *rdata)
{
    self->provisional[self->provisional_count++ % PJ_ARRAY_SIZE(self->provisional)] = hash_of(rdata);
}

/*
 * Whether the peer's provisional response was told before: an INVITE that is repeated has its last one repeated, and
 * networks duplicate. Another one of the same code is not the same to the byte. A 100 that was overtaken by the others
 * says nothing any more.
 */
static bool says_nothing_new(sc_call *self, const pjsip_event *event)
{
    const pjsip_rx_data *rdata;
    pj_uint32_t hash;
    unsigned i;

    if (event->type != PJSIP_EVENT_TSX_STATE || event->body.tsx_state.type != PJSIP_EVENT_RX_MSG)
        return false;
    rdata = event->body.tsx_state.src.rdata;
    if (rdata->msg_info.msg->type != PJSIP_RESPONSE_MSG)
        return false;
    if (rdata->msg_info.msg->line.status.code == PJSIP_SC_TRYING)
        return true;
    hash = hash_of(rdata);
    for (i = 0; i < PJ_ARRAY_SIZE(self->provisional) && i < self->provisional_count; i++)
        if (self->provisional[i] == hash)
            return true;
    sc_call_note_provisional(self, rdata);
    return false;
}

static void on_state_changed(pjsip_inv_session *inv, pjsip_event *event)
{
    sc_call *self = sc_call_of(inv);

    if (!self || inv->state == PJSIP_INV_STATE_NULL || inv->state == PJSIP_INV_STATE_INCOMING)
        return;
    if (inv->state == PJSIP_INV_STATE_EARLY && says_nothing_new(self, event))
        return;
    if (inv->state > PJSIP_INV_STATE_EARLY)
        sc_call_set_answered(self);
    tell_state(self, event);
    if (inv->state == PJSIP_INV_STATE_EARLY || inv->state == PJSIP_INV_STATE_CONNECTING)
        sc_call_on_refused_sdp(self, event);
    if (inv->state > PJSIP_INV_STATE_EARLY)
        sc_call_drop_held_offer(self);
    if (inv->state == PJSIP_INV_STATE_CONFIRMED)
        forget_invite(inv);
    if (inv->state == PJSIP_INV_STATE_DISCONNECTED) {
        sc_call_drop_proposal(self);
        sc_call_detach(self);
    }
}

/* ---- transactions within the dialog ---------------------------------------------------------------------------------- */

static bool is_of_session(const pjsip_method *method)
{
    return method->id == PJSIP_INVITE_METHOD || method->id == PJSIP_ACK_METHOD || method->id == PJSIP_BYE_METHOD ||
           !pj_strcmp2(&method->name, "UPDATE") || !pj_strcmp2(&method->name, "PRACK");
}

/* A BYE goes out: when it was not JavaScript that asked for it, it hears of it here. */
static void on_bye_sent(sc_call *self)
{
    const pjsip_inv_session *inv = self->inv;

    /* An ACK that never came is told as the end itself. */
    if (inv->role == PJSIP_ROLE_UAS && inv->state == PJSIP_INV_STATE_CONNECTING && inv->cause == PJSIP_SC_REQUEST_TIMEOUT)
        return;
    if (self->proposal == SC_PROPOSAL_SENT && self->proposal_tsx &&
        self->proposal_tsx->state >= PJSIP_TSX_STATE_COMPLETED)
        self->late_bye = true;
    else
        sc_call_tell_ending(self, "BYE");
}

static void on_cancel(sc_call *self, pjsip_event *event)
{
    sc_record record;

    /* pjsip makes the 487 of what was sent last. */
    sc_call_say_trying(self);
    /* Called before pjsip answers 200 and 487; what follows only knows the 487. */
    sc_record_init(&record, SC_RECORD_INVITATION_CANCELLED, self->object.serial);
    sc_call_record_event(&record, event);
    sc_record_push(&record, false);
}

static bool is_refresh_method(const pjsip_method *method)
{
    return method->id == PJSIP_INVITE_METHOD || !pj_strcmp2(&method->name, "UPDATE");
}

static void on_own_request(sc_call *self, pjsip_transaction *tsx, pjsip_event *event)
{
    if (tsx->method.id == PJSIP_BYE_METHOD) {
        if (tsx->state == PJSIP_TSX_STATE_CALLING)
            on_bye_sent(self);
    } else if (is_refresh_method(&tsx->method)) {
        sc_call_on_own_refresh(self, tsx);
    } else {
        sc_call_on_own_transfer_request(self, tsx, event);
    }
}

/* Before pjsip does anything about it. */
static void on_new_request(sc_call *self, pjsip_transaction *tsx, pjsip_event *event)
{
    pjsip_rx_data *rdata = event->body.tsx_state.src.rdata;

    if (is_refresh_method(&tsx->method))
        sc_call_on_timer_request(self, rdata);
    else if (tsx->method.id == PJSIP_CANCEL_METHOD)
        on_cancel(self, event);
    else if (self->stranger)
        sc_call_on_request(self, tsx, rdata);
    self->stranger = false;
}

static void on_tsx_state_changed(pjsip_inv_session *inv, pjsip_transaction *tsx, pjsip_event *event)
{
    sc_call *self = sc_call_of(inv);

    if (!self)
        return;
    if (tsx->role == PJSIP_ROLE_UAS && tsx->state == PJSIP_TSX_STATE_TRYING) {
        if (event->body.tsx_state.type == PJSIP_EVENT_RX_MSG)
            on_new_request(self, tsx, event);
    } else if (tsx->method.id == PJSIP_INVITE_METHOD) {
        if (inv->state == PJSIP_INV_STATE_CONFIRMED)
            sc_call_on_reinvite_state(self, tsx, event);
    } else if (tsx->role == PJSIP_ROLE_UAC) {
        on_own_request(self, tsx, event);
    }
}

static void on_new_session(pjsip_inv_session *inv, pjsip_event *event)
{
    PJ_UNUSED_ARG(inv);
    PJ_UNUSED_ARG(event);
}

pj_status_t sc_invitation_init(void)
{
    static const pjsip_inv_callback callback = {
        .on_state_changed = on_state_changed,
        .on_new_session = on_new_session,
        .on_tsx_state_changed = on_tsx_state_changed,
        .on_media_update = sc_call_on_media_update,
        .on_rx_offer2 = sc_call_on_rx_offer,
        .on_rx_reinvite = sc_call_on_rx_reinvite,
        .on_send_ack = sc_call_on_send_ack,
    };

    static const pj_str_t methods[] = { { "INFO", 4 }, { "REFER", 5 } };
    pj_status_t status = pjsip_inv_usage_init(sc_engine.endpt, &callback);

    if (status == PJ_SUCCESS)
        status = sc_sdp_match_init();
    if (status == PJ_SUCCESS)
        status = pjsip_endpt_add_capability(sc_engine.endpt, NULL, PJSIP_H_ALLOW, NULL, PJ_ARRAY_SIZE(methods), methods);
    return status;
}

/* Under the dialog's lock, behind the session itself. */
static pj_bool_t on_rx_request(pjsip_rx_data *rdata)
{
    pjsip_dialog *dlg = pjsip_rdata_get_dlg(rdata);
    const pjsip_inv_session *inv = dlg ? pjsip_dlg_get_inv_session(dlg) : NULL;
    sc_call *self = inv ? inv->mod_data[sc_core_module.id] : NULL;
    const pjsip_method *method = &rdata->msg_info.msg->line.req.method;

    if (!self)
        return PJ_FALSE;
    if (method->id == PJSIP_ACK_METHOD)
        sc_call_on_ack(self, rdata);
    /* Claimed: it is answered from the state of its transaction, or later. */
    return self->stranger = !is_of_session(method);
}

pjsip_module sc_invitation_module = {
    .name = { "mod-sc-invitation", 17 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_DIALOG_USAGE + 1,
    .on_rx_request = on_rx_request,
};

/* ---- what JavaScript does with it ------------------------------------------------------------------------------------------ */

static pj_status_t end(sc_call *self, uint32_t code, sc_reader *reader)
{
    pjsip_inv_session *inv = self->inv;
    pjsip_tx_data *tdata = NULL;
    pj_status_t status;
    bool before_answer = inv->state <= PJSIP_INV_STATE_EARLY;

    if (inv->state == PJSIP_INV_STATE_DISCONNECTED || (before_answer && !inv->invite_tsx))
        return SC_EGONE;
    /* A 2xx that waits for the PRACK of a reliable 18x has not been sent: it is taken back. */
    if (before_answer && inv->role == PJSIP_ROLE_UAS && code < 300)
        code = PJSIP_SC_DECLINE;
    status = sc_call_send_owed_ack(self);
    if (status == PJ_SUCCESS)
        status = pjsip_inv_end_session(inv, (int)code, NULL, &tdata);
    if (status != PJ_SUCCESS)
        return status;
    if (tdata) {
        status = sc_read_headers(reader, tdata->pool, tdata->msg);
        if (status != PJ_SUCCESS) {
            pjsip_tx_data_dec_ref(tdata);
            return status;
        }
    }
    sc_call_tell_ending(self, !before_answer ? "BYE" : inv->role == PJSIP_ROLE_UAC ? "CANCEL" : "");
    /* What cannot be sent ends the call all the same: nobody is there to wait for. */
    if (tdata && pjsip_inv_send_msg(inv, tdata) != PJ_SUCCESS && inv->state != PJSIP_INV_STATE_DISCONNECTED)
        pjsip_inv_terminate(inv, PJSIP_SC_SERVICE_UNAVAILABLE, PJ_TRUE);
    return PJ_SUCCESS;
}

int32_t sc_invitation_end(sc_invitation serial, uint32_t code, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    sc_call *self = sc_call_take(serial);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = end(self, code, &reader);
    sc_call_give_back(self);
    return status;
}

uint32_t sc_invitation_is_heard(sc_invitation serial)
{
    sc_call *self = sc_call_take(serial);
    bool heard = false;

    if (self) {
        heard = !self->inv->invite_tsx || self->inv->invite_tsx->status_code >= 100;
        sc_call_give_back(self);
    }
    return heard;
}

int32_t sc_invitation_terminate(sc_invitation serial, uint32_t code)
{
    sc_call *self = sc_call_take(serial);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = pjsip_inv_terminate(self->inv, (int)code, PJ_TRUE);
    sc_call_give_back(self);
    return status;
}

void sc_invitation_abandon(void *object)
{
    sc_call *self = object;

    self->inv->mod_data[sc_core_module.id] = NULL;
    pjsip_inv_terminate(self->inv, PJSIP_SC_SERVICE_UNAVAILABLE, PJ_FALSE);
}
