/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INVITEs within the call, from both sides. */
#include <stdlib.h>
#include <string.h>

#include "invitation_internal.h"

enum step { STEP_SENT, STEP_OFFER, STEP_REQUEST, STEP_FINAL };

static void tell(sc_call *self, enum step step, int code, const pj_str_t *reason, const pjsip_event *event)
{
    sc_record record;

    sc_record_init(&record, SC_RECORD_INVITATION_REINVITE, self->object.serial);
    sc_record_u8(&record, (uint8_t)step);
    sc_record_u32(&record, (uint32_t)code);
    sc_record_str(&record, reason);
    /* The 2xx has brought an offer. */
    sc_record_u8(&record, step == STEP_FINAL && self->ack_cseq != 0);
    sc_record_u8(&record, (uint8_t)sc_call_record_event(&record, event));
    sc_record_push(&record, false);
}

static void end_proposal(sc_call *self)
{
    self->proposal = SC_PROPOSAL_NONE;
    self->proposal_tsx = NULL;
    self->cancelled = false;
    /* A CANCEL that waits for a provisional response must not meet the next INVITE. */
    self->inv->pending_cancel = PJ_FALSE;
}

/* ---- ours ------------------------------------------------------------------------------------------------------ */

/* What is sent: the description given, nothing (the peer is to offer), or what is agreed on. */
enum offer { OFFER_CURRENT, OFFER_GIVEN, OFFER_NONE };

static pj_status_t create(sc_call *self, sc_reader *reader, pjsip_tx_data **tdata)
{
    pjsip_inv_session *inv = self->inv;
    enum offer offer = (enum offer)sc_read_u8(reader);
    pj_str_t contact = sc_read_text(reader);
    pj_str_t text = sc_read_text(reader);
    const pjmedia_sdp_session *sdp = NULL;
    pjmedia_sdp_session *given = NULL;
    pj_status_t status = PJ_SUCCESS;

    if (reader->failed || (offer == OFFER_GIVEN) != (text.slen > 0))
        return SC_EARGS;
    if (inv->state != PJSIP_INV_STATE_CONFIRMED || self->ending)
        return SC_EGONE;
    if (inv->invite_tsx || self->proposal != SC_PROPOSAL_NONE || self->ack_cseq ||
        sc_call_neg_state(self) != PJMEDIA_SDP_NEG_STATE_DONE)
        return SC_EBUSY;
    if (offer == OFFER_GIVEN)
        status = sc_sdp_parse(inv->pool_prov, &text, &given);
    else if (offer == OFFER_CURRENT)
        status = pjmedia_sdp_neg_get_active_local(inv->neg, &sdp);
    if (status == PJ_SUCCESS)
        status = sc_dialog_set_contact(inv->dlg, &contact);
    if (status == PJ_SUCCESS)
        status = pjsip_inv_reinvite(inv, NULL, given ? given : sdp, tdata);
    if (status == PJ_SUCCESS) {
        if (given)
            sc_call_propose(self, &text);
        status = sc_read_headers(reader, (*tdata)->pool, (*tdata)->msg);
        if (status != PJ_SUCCESS)
            pjsip_tx_data_dec_ref(*tdata);
    }
    if (status != PJ_SUCCESS && sc_call_neg_state(self) == PJMEDIA_SDP_NEG_STATE_LOCAL_OFFER)
        sc_call_cancel_offer(self);
    return status;
}

/* A failure to send is told as it is when the network fails later. */
static void tell_unsent(sc_call *self, pj_status_t status)
{
    char text[PJ_ERR_MSG_SIZE];
    pj_str_t reason = pj_strerror(status, text, sizeof(text));

    end_proposal(self);
    sc_call_cancel_offer(self);
    tell(self, STEP_SENT, 0, NULL, NULL);
    tell(self, STEP_FINAL, PJSIP_SC_SERVICE_UNAVAILABLE, &reason, NULL);
}

/* Our 2xx to a re-INVITE of the peer's waits for its ACK, and no other INVITE may go out (RFC 3261, section 14.1). */
static bool waits_for_ack(const sc_call *self)
{
    return self->accepted_tsx && self->inv->invite_tsx == self->accepted_tsx && !self->ending && !self->waiting &&
           self->inv->state == PJSIP_INV_STATE_CONFIRMED && self->proposal == SC_PROPOSAL_NONE &&
           sc_call_neg_state(self) == PJMEDIA_SDP_NEG_STATE_DONE;
}

/* What cannot be read now cannot be read later. */
static pj_status_t check_block(sc_reader reader)
{
    pj_str_t contact, text;
    pjmedia_sdp_session *sdp;
    pj_status_t status;
    pj_pool_t *pool;

    sc_read_u8(&reader);
    contact = sc_read_text(&reader);
    text = sc_read_text(&reader);
    PJ_UNUSED_ARG(contact);
    if (reader.failed)
        return SC_EARGS;
    pool = sc_pool_create("reinvite", 4096);
    if (!pool)
        return PJ_ENOMEM;
    status = sc_sdp_parse(pool, &text, &sdp);
    pj_pool_release(pool);
    return status;
}

static pj_status_t keep(sc_call *self, sc_bytes args, uint32_t size)
{
    pj_status_t status = check_block(sc_reader_init(args, size));

    if (status != PJ_SUCCESS)
        return status;
    self->waiting = malloc(size);
    if (!self->waiting)
        return PJ_ENOMEM;
    memcpy(self->waiting, args, size);
    self->waiting_size = size;
    return PJ_SUCCESS;
}

void sc_call_drop_waiting(sc_call *self)
{
    free(self->waiting);
    self->waiting = NULL;
}

static pj_status_t reinvite(sc_call *self, sc_reader *reader)
{
    pjsip_tx_data *tdata;
    pj_status_t status = create(self, reader, &tdata);

    if (status != PJ_SUCCESS)
        return status;
    self->proposal = SC_PROPOSAL_SENT;
    status = pjsip_inv_send_msg(self->inv, tdata);
    if (status != PJ_SUCCESS && self->proposal == SC_PROPOSAL_SENT && !self->proposal_tsx)
        tell_unsent(self, status);
    return PJ_SUCCESS;
}

int32_t sc_invitation_reinvite(sc_invitation serial, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    sc_call *self = sc_call_take(serial);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = waits_for_ack(self) ? keep(self, args, size) : reinvite(self, &reader);
    sc_call_give_back(self);
    return status;
}

/* The ACK has come. */
static void send_waiting(sc_call *self)
{
    void *args = self->waiting;
    sc_reader reader;
    pj_status_t status;

    if (!args)
        return;
    self->waiting = NULL;
    reader = sc_reader_init(args, self->waiting_size);
    status = reinvite(self, &reader);
    if (status != PJ_SUCCESS)
        tell_unsent(self, status);
    free(args);
}

/* It was taken back before it went out. */
static void tell_cancelled(sc_call *self)
{
    sc_call_drop_waiting(self);
    tell(self, STEP_SENT, 0, NULL, NULL);
    tell(self, STEP_FINAL, PJSIP_SC_REQUEST_TERMINATED, pjsip_get_status_text(PJSIP_SC_REQUEST_TERMINATED), NULL);
}

/* Without a final response the transaction would wait for ever. */
static void limit_cancelled(const pjsip_transaction *tsx)
{
    pjsip_tsx_set_timeout((pjsip_transaction *)tsx, 64 * pjsip_cfg()->tsx.t1);
}

static pj_status_t cancel(sc_call *self)
{
    pjsip_inv_session *inv = self->inv;
    pjsip_tx_data *tdata = NULL;
    pj_status_t status;

    if (self->waiting) {
        tell_cancelled(self);
        return PJ_SUCCESS;
    }
    if (self->proposal != SC_PROPOSAL_SENT || !self->proposal_tsx || inv->invite_tsx != self->proposal_tsx ||
        inv->state != PJSIP_INV_STATE_CONFIRMED)
        return SC_EGONE;
    if (self->cancelled)
        return SC_EBUSY;
    status = pjsip_inv_cancel_reinvite(inv, &tdata);
    if (status == PJ_SUCCESS && tdata) {
        status = pjsip_inv_send_msg(inv, tdata);
        if (status == PJ_SUCCESS)
            limit_cancelled(self->proposal_tsx);
    }
    self->cancelled = status == PJ_SUCCESS;
    return status;
}

int32_t sc_invitation_cancel_reinvite(sc_invitation serial)
{
    sc_call *self = sc_call_take(serial);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = cancel(self);
    sc_call_give_back(self);
    return status;
}

static void on_own_state(sc_call *self, pjsip_transaction *tsx, pjsip_event *event)
{
    if (tsx->state == PJSIP_TSX_STATE_CALLING && self->proposal == SC_PROPOSAL_SENT) {
        /* A second one is the answer to a challenge. */
        bool first = !self->proposal_tsx;

        self->proposal_tsx = tsx;
        if (first)
            tell(self, STEP_SENT, 0, NULL, event);
        return;
    }
    if (tsx != self->proposal_tsx) {
        sc_call_on_own_refresh(self, tsx);
        return;
    }
    if (tsx->state == PJSIP_TSX_STATE_PROCEEDING && self->cancelled)
        limit_cancelled(tsx);
    if (tsx->state < PJSIP_TSX_STATE_COMPLETED)
        return;
    end_proposal(self);
    if (tsx->status_code / 100 != 2) {
        if (self->inv->invite_tsx == tsx)
            self->inv->invite_tsx = NULL;
        sc_call_cancel_offer(self);
    }
    sc_call_on_refused_sdp(self, event);
    tell(self, STEP_FINAL, tsx->status_code, &tsx->status_text, event);
    if (self->late_bye)
        sc_call_tell_ending(self, "BYE");
    self->late_bye = false;
}

/* ---- the peer's ------------------------------------------------------------------------------------------------- */

pj_status_t sc_call_on_rx_reinvite(pjsip_inv_session *inv, const pjmedia_sdp_session *offer, pjsip_rx_data *rdata)
{
    sc_call *self = sc_call_of(inv);
    pjsip_tx_data *tdata;
    pjsip_event event;
    pj_status_t status;

    if (!self || self->ending)
        return PJ_EINVALIDOP;
    self->refreshes = false;
    if (offer && sc_call_is_refresh(self, offer, rdata)) {
        pjmedia_sdp_session *sdp = sc_call_own_sdp(self, inv->pool_prov);

        if (sdp && pjsip_inv_set_sdp_answer(inv, sdp) == PJ_SUCCESS) {
            self->refreshes = true;
            return PJ_EIGNORED; /* pjsip answers it */
        }
    }
    status = pjsip_inv_initial_answer(inv, rdata, PJSIP_SC_TRYING, NULL, NULL, &tdata);
    if (status != PJ_SUCCESS)
        return status;
    self->proposal = SC_PROPOSAL_RECEIVED;
    self->proposal_tsx = inv->invite_tsx;
    self->asked_for_offer = !offer;
    PJSIP_EVENT_INIT_RX_MSG(event, rdata);
    tell(self, offer ? STEP_OFFER : STEP_REQUEST, 0, NULL, &event);
    /* At once, however busy JavaScript is: only what was answered can be cancelled. */
    pjsip_inv_send_msg(inv, tdata);
    return PJ_SUCCESS;
}

/* pjsip keeps a transaction that was refused until its ACK has come; the next INVITE need not wait for that. */
static void release_refused(pjsip_inv_session *inv, const pjsip_transaction *tsx)
{
    if (inv->invite_tsx != tsx)
        return;
    inv->invite_tsx = NULL;
    if (inv->last_answer)
        pjsip_tx_data_dec_ref(inv->last_answer);
    inv->last_answer = NULL;
}

/* Our 2xx was never acknowledged: the peer is lost (RFC 3261, section 14.2). */
static void on_missing_ack(sc_call *self)
{
    pjsip_tx_data *tdata = NULL;

    sc_call_cancel_offer(self);
    if (!self->ending && pjsip_inv_end_session(self->inv, PJSIP_SC_REQUEST_TIMEOUT, NULL, &tdata) == PJ_SUCCESS && tdata)
        pjsip_inv_send_msg(self->inv, tdata);
}

static void on_peer_state(sc_call *self, pjsip_transaction *tsx, pjsip_event *event)
{
    if (tsx->state < PJSIP_TSX_STATE_COMPLETED)
        return;
    if (tsx == self->accepted_tsx) {
        if (tsx->state == PJSIP_TSX_STATE_TERMINATED) {
            self->accepted_tsx = NULL;
            if (tsx->status_code / 100 != 2)
                on_missing_ack(self);
        }
        return;
    }
    if (tsx != self->proposal_tsx)
        return;
    end_proposal(self);
    if (tsx->status_code / 100 == 2) {
        self->accepted_tsx = tsx;
    } else {
        sc_call_cancel_offer(self);
        release_refused(self->inv, tsx);
    }
    tell(self, STEP_FINAL, tsx->status_code, &tsx->status_text, event);
}

void sc_call_on_ack(sc_call *self, const pjsip_rx_data *rdata)
{
    sc_record record;

    /* pjsip forgets the transaction when the ACK that belongs to it comes. */
    if (!self->accepted_tsx || self->inv->invite_tsx == self->accepted_tsx)
        return;
    self->accepted_tsx = NULL;
    if (!self->asked_for_offer) {
        send_waiting(self);
        return;
    }
    self->asked_for_offer = false;
    sc_call_cancel_offer(self);
    sc_record_init(&record, SC_RECORD_INVITATION_ACKED, self->object.serial);
    sc_record_rdata(&record, rdata);
    sc_record_push(&record, false);
}

void sc_call_on_reinvite_state(sc_call *self, pjsip_transaction *tsx, pjsip_event *event)
{
    if (tsx->role == PJSIP_ROLE_UAC)
        on_own_state(self, tsx, event);
    else
        on_peer_state(self, tsx, event);
}

void sc_call_drop_proposal(sc_call *self)
{
    pjsip_inv_session *inv = self->inv;
    pjsip_tx_data *tdata;

    if (self->proposal != SC_PROPOSAL_RECEIVED || inv->invite_tsx != self->proposal_tsx || !inv->last_answer ||
        inv->invite_tsx->status_code >= 200)
        return;
    end_proposal(self);
    if (pjsip_inv_answer(inv, PJSIP_SC_REQUEST_TERMINATED, NULL, NULL, &tdata) == PJ_SUCCESS)
        pjsip_inv_send_msg(inv, tdata);
}
