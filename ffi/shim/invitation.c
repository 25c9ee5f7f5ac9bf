/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"
#include "invitation.h"

enum origin { ORIGIN_NONE, ORIGIN_LOCAL, ORIGIN_REMOTE };

/* The headers that an answer added, to be taken out of its clone when the next answer is made of it. */
#define MAX_ADDED 16

typedef struct {
    sc_object object;
    pjsip_inv_session *inv;
    pj_str_t added[MAX_ADDED];
    unsigned added_count;
    bool unanswered;       /* the peer's, and counted as such */
    sc_listener *listener; /* the socket that the peer knows */
} invitation;

static void set_answered(invitation *self)
{
    if (self->unanswered)
        sc_admission_leave();
    self->unanswered = false;
}

static void destroy(sc_object *object)
{
    invitation *self = (invitation *)object;

    if (self->inv) {
        pjsip_dialog *dlg = self->inv->dlg;

        /* The session lives in the dialog's memory and touches it after its last reference: the lock keeps it. */
        pjsip_dlg_inc_lock(dlg);
        set_answered(self);
        self->inv->mod_data[sc_core_module.id] = NULL;
        pjsip_inv_dec_ref(self->inv);
        pjsip_dlg_dec_lock(dlg);
    }
    sc_listener_release(self->listener);
}

static invitation *of(pjsip_inv_session *inv)
{
    return inv->mod_data[sc_core_module.id];
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

static enum origin record_event(sc_record *record, const pjsip_event *event)
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
        return ORIGIN_REMOTE;
    }
    if (tdata) {
        sc_record_tdata(record, tdata);
        return ORIGIN_LOCAL;
    }
    sc_record_no_message(record);
    return ORIGIN_NONE;
}

static void on_state_changed(pjsip_inv_session *inv, pjsip_event *event)
{
    invitation *self = of(inv);
    sc_record record;

    if (!self || inv->state == PJSIP_INV_STATE_NULL || inv->state == PJSIP_INV_STATE_INCOMING)
        return;
    if (inv->state > PJSIP_INV_STATE_EARLY)
        set_answered(self);
    sc_record_init(&record, SC_RECORD_INVITATION_STATE, self->object.serial);
    sc_record_u8(&record, (uint8_t)inv->state);
    sc_record_u32(&record, (uint32_t)inv->cause);
    sc_record_str(&record, inv->cause_text.slen < PJSIP_MAX_URL_SIZE ? &inv->cause_text : NULL);
    sc_record_str(&record, &inv->dlg->local.info->tag);
    sc_record_str(&record, &inv->dlg->remote.info->tag);
    sc_record_u8(&record, (uint8_t)record_event(&record, event));
    sc_record_push(&record, false);
    if (inv->state == PJSIP_INV_STATE_DISCONNECTED) {
        inv->mod_data[sc_core_module.id] = NULL;
        sc_object_remove(self);
    }
}

static bool is_of_session(const pjsip_method *method)
{
    return method->id == PJSIP_INVITE_METHOD || method->id == PJSIP_ACK_METHOD || method->id == PJSIP_BYE_METHOD ||
           !pj_strcmp2(&method->name, "UPDATE") || !pj_strcmp2(&method->name, "PRACK");
}

/* Within a call there is nothing but the call; left alone the dialog would answer 500. */
static void answer_stranger(pjsip_dialog *dlg, pjsip_transaction *tsx, pjsip_rx_data *rdata)
{
    int code = tsx->method.id == PJSIP_OPTIONS_METHOD ? PJSIP_SC_OK : PJSIP_SC_METHOD_NOT_ALLOWED;
    pjsip_tx_data *tdata;

    if (pjsip_dlg_create_response(dlg, rdata, code, NULL, &tdata) == PJ_SUCCESS) {
        sc_add_capabilities(tdata);
        pjsip_dlg_send_response(dlg, tsx, tdata);
    }
}

static void on_tsx_state_changed(pjsip_inv_session *inv, pjsip_transaction *tsx, pjsip_event *event)
{
    invitation *self = of(inv);
    sc_record record;

    if (!self || tsx->role != PJSIP_ROLE_UAS || tsx->state != PJSIP_TSX_STATE_TRYING ||
        event->body.tsx_state.type != PJSIP_EVENT_RX_MSG || is_of_session(&tsx->method))
        return;
    if (tsx->method.id != PJSIP_CANCEL_METHOD) {
        answer_stranger(inv->dlg, tsx, event->body.tsx_state.src.rdata);
        return;
    }
    /* Called before pjsip answers 200 and 487; the change to "disconnected" that follows only knows the 487. */
    sc_record_init(&record, SC_RECORD_INVITATION_CANCELLED, self->object.serial);
    record_event(&record, event);
    sc_record_push(&record, false);
}

static void on_media_update(pjsip_inv_session *inv, pj_status_t status)
{
    invitation *self = of(inv);
    const pjmedia_sdp_session *local = NULL, *remote = NULL;
    pj_pool_t *pool;
    pj_str_t text;
    sc_record record;

    if (!self)
        return;
    pool = sc_pool_create("sdp", 4096);
    if (status == PJ_SUCCESS && (!pool || !inv->neg))
        status = PJ_ENOMEM;
    if (status == PJ_SUCCESS)
        status = pjmedia_sdp_neg_get_active_local(inv->neg, &local);
    if (status == PJ_SUCCESS)
        status = pjmedia_sdp_neg_get_active_remote(inv->neg, &remote);
    sc_record_init(&record, SC_RECORD_INVITATION_SDP, self->object.serial);
    sc_record_i32(&record, status);
    text = status == PJ_SUCCESS ? sc_sdp_print(pool, local) : (pj_str_t){ NULL, 0 };
    sc_record_str(&record, &text);
    text = status == PJ_SUCCESS ? sc_sdp_print(pool, remote) : (pj_str_t){ NULL, 0 };
    sc_record_str(&record, &text);
    sc_record_push(&record, false);
    if (pool)
        pj_pool_release(pool);
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
        .on_media_update = on_media_update,
    };

    return pjsip_inv_usage_init(sc_engine.endpt, &callback);
}

/* ---- a call comes in -------------------------------------------------------------------------------------------------- */

static void respond(pjsip_rx_data *rdata, int code)
{
    pjsip_endpt_respond(sc_engine.endpt, &sc_core_module, rdata, code, NULL, NULL, NULL, NULL);
}

void sc_invitation_on_invite(pjsip_rx_data *rdata)
{
    unsigned options = PJSIP_INV_SUPPORT_100REL;
    pjsip_tx_data *tdata = NULL;
    pjsip_dialog *dlg;
    pjsip_inv_session *inv;
    invitation *self;
    pj_str_t contact;
    sc_record record;

    if (pjsip_inv_verify_request2(rdata, &options, NULL, NULL, NULL, sc_engine.endpt, &tdata) != PJ_SUCCESS) {
        pjsip_response_addr address;

        if (!tdata) {
            respond(rdata, PJSIP_SC_INTERNAL_SERVER_ERROR);
        } else if (pjsip_get_response_addr(tdata->pool, rdata, &address) != PJ_SUCCESS ||
                   pjsip_endpt_send_response(sc_engine.endpt, &address, tdata, NULL, NULL) != PJ_SUCCESS) {
            pjsip_tx_data_dec_ref(tdata);
        }
        return;
    }
    contact = sc_dialog_contact(rdata);
    if (!contact.slen ||
        pjsip_dlg_create_uas_and_inc_lock(pjsip_ua_instance(), rdata, &contact, &dlg) != PJ_SUCCESS) {
        respond(rdata, PJSIP_SC_BAD_REQUEST);
        return;
    }
    self = sc_object_new(SC_KIND_INVITATION, sizeof(*self), destroy);
    if (!self || pjsip_inv_create_uas(dlg, rdata, NULL, options, &inv) != PJ_SUCCESS) {
        pjsip_dlg_respond(dlg, rdata, PJSIP_SC_INTERNAL_SERVER_ERROR, NULL, NULL, NULL);
        pjsip_dlg_dec_lock(dlg);
        sc_object_put(self);
        return;
    }
    pjsip_inv_add_ref(inv);
    self->inv = inv;
    self->listener = sc_listener_pin(dlg, rdata->tp_info.transport);
    self->unanswered = true;
    sc_admission_enter();
    inv->mod_data[sc_core_module.id] = self;
    sc_object_add(self);
    sc_record_init(&record, SC_RECORD_INVITATION_INCOMING, self->object.serial);
    sc_record_str(&record, &dlg->local.info->tag);
    sc_record_str(&record, &contact);
    sc_record_rdata(&record, rdata);
    sc_record_push(&record, false);
    /* The 100 goes out now, however busy JavaScript is. */
    if (pjsip_inv_initial_answer(inv, rdata, PJSIP_SC_TRYING, NULL, NULL, &tdata) == PJ_SUCCESS)
        pjsip_inv_send_msg(inv, tdata);
    else
        pjsip_inv_terminate(inv, PJSIP_SC_INTERNAL_SERVER_ERROR, PJ_TRUE);
    pjsip_dlg_dec_lock(dlg);
}

/* ---- a call goes out --------------------------------------------------------------------------------------------------- */

static pj_status_t create_dialog(sc_reader *reader, pj_pool_t *pool, pjsip_dialog **dlg, pj_str_t *sdp)
{
    pj_status_t status = sc_dialog_create(reader, pool, dlg);

    *sdp = sc_read_text_dup(reader, pool);
    return status == PJ_SUCCESS ? sc_credentials_read_dialog(reader, *dlg) : status;
}

/* Under the dialog's lock. On failure `inv` is gone again. */
static pj_status_t send_invite(invitation *self, pjsip_dialog *dlg, const pj_str_t *text, sc_reader *reader)
{
    pjmedia_sdp_session *sdp;
    pjsip_inv_session *inv;
    pjsip_tx_data *tdata;
    pj_status_t status;

    status = sc_sdp_parse(dlg->pool, text, &sdp);
    if (status == PJ_SUCCESS)
        status = pjsip_inv_create_uac(dlg, sdp, 0, &inv);
    if (status != PJ_SUCCESS)
        return status; /* without a session the dialog goes when its lock is given back */
    pjsip_inv_add_ref(inv);
    self->inv = inv;
    self->listener = sc_listener_pin(dlg, NULL);
    status = pjsip_inv_invite(inv, &tdata);
    if (status == PJ_SUCCESS) {
        status = sc_read_headers(reader, tdata->pool, tdata->msg);
        if (status != PJ_SUCCESS)
            pjsip_tx_data_dec_ref(tdata);
    }
    if (status != PJ_SUCCESS) {
        pjsip_inv_terminate(inv, PJSIP_SC_INTERNAL_SERVER_ERROR, PJ_FALSE);
        return status;
    }
    inv->mod_data[sc_core_module.id] = self;
    sc_object_add(self);
    /* A failure to send comes as a change to "disconnected", as it does when the network fails later. */
    status = pjsip_inv_send_msg(inv, tdata);
    if (status != PJ_SUCCESS && inv->state != PJSIP_INV_STATE_DISCONNECTED) {
        inv->mod_data[sc_core_module.id] = NULL;
        sc_object_ref(self); /* for the one that the table gives back: the caller ends it as it does unsent ones */
        sc_object_remove(self);
        pjsip_inv_terminate(inv, PJSIP_SC_SERVICE_UNAVAILABLE, PJ_FALSE);
        return status;
    }
    return PJ_SUCCESS;
}

static sc_serial create(sc_reader *reader, pj_pool_t *pool, pj_status_t *status)
{
    invitation *self = sc_object_new(SC_KIND_INVITATION, sizeof(*self), destroy);
    pjsip_dialog *dlg = NULL;
    sc_serial serial = 0;
    pj_str_t sdp;

    *status = self ? create_dialog(reader, pool, &dlg, &sdp) : PJ_ENOMEM;
    if (*status == PJ_SUCCESS) {
        sc_object_ref(self);
        *status = send_invite(self, dlg, &sdp, reader);
        if (*status == PJ_SUCCESS)
            serial = (sc_serial)self->object.serial;
        else
            sc_object_put(self);
    }
    if (dlg)
        pjsip_dlg_dec_lock(dlg);
    sc_object_put(self);
    return serial;
}

sc_invitation sc_invitation_create(sc_bytes args, uint32_t size, sc_status status)
{
    sc_reader reader = sc_reader_init(args, size);
    sc_serial serial = 0;
    pj_status_t result = SC_EGONE;
    pj_pool_t *pool;

    if (sc_enter()) {
        pool = sc_pool_create("invite", 4096);
        result = PJ_ENOMEM;
        if (pool) {
            serial = create(&reader, pool, &result);
            pj_pool_release(pool);
        }
        sc_leave();
    }
    if (status)
        *status = result;
    return serial;
}

void sc_invitation_abandon(void *object)
{
    invitation *self = object;

    self->inv->mod_data[sc_core_module.id] = NULL;
    pjsip_inv_terminate(self->inv, PJSIP_SC_SERVICE_UNAVAILABLE, PJ_FALSE);
}

/* ---- what JavaScript does with it ------------------------------------------------------------------------------------------ */

/* Looks it up and locks its dialog; NULL when it has ended. */
static invitation *take(sc_invitation serial)
{
    invitation *self;

    if (!sc_enter())
        return NULL;
    self = sc_object_get(serial, SC_KIND_INVITATION);
    if (!self) {
        sc_leave();
        return NULL;
    }
    pjsip_dlg_inc_lock(self->inv->dlg);
    return self;
}

static void give_back(invitation *self)
{
    pjsip_dialog *dlg = self->inv->dlg;

    /* The reference to the session, which is given back last, is what keeps the dialog's memory. */
    pjsip_dlg_dec_lock(dlg);
    sc_object_put(self);
    sc_leave();
}

static void remove_added(invitation *self, pjsip_msg *msg)
{
    unsigned i;

    for (i = 0; i < self->added_count; i++) {
        pjsip_hdr *header;

        while ((header = pjsip_msg_find_hdr_by_name(msg, &self->added[i], NULL)))
            pj_list_erase(header);
    }
    self->added_count = 0;
}

static pj_status_t add_headers(invitation *self, sc_reader *reader, pjsip_tx_data *tdata)
{
    pjsip_hdr *last = tdata->msg->hdr.prev;
    pj_status_t status = sc_read_headers(reader, tdata->pool, tdata->msg);

    for (last = last->next; last != &tdata->msg->hdr && self->added_count < MAX_ADDED; last = last->next)
        pj_strdup(self->inv->dlg->pool, &self->added[self->added_count++], &last->name);
    return status;
}

static pj_status_t answer(invitation *self, uint32_t code, sc_reader *reader)
{
    pjsip_inv_session *inv = self->inv;
    pj_str_t reason = sc_read_text_dup(reader, inv->pool_prov);
    pj_str_t contact = sc_read_text(reader);
    pj_str_t text = sc_read_text(reader);
    pjmedia_sdp_session *sdp = NULL;
    pjsip_tx_data *tdata;
    pj_status_t status;

    if (reader->failed)
        return SC_EARGS;
    if (!inv->invite_tsx || !inv->last_answer || inv->state > PJSIP_INV_STATE_EARLY)
        return SC_EGONE;
    status = sc_sdp_parse(inv->pool_prov, &text, &sdp);
    if (status == PJ_SUCCESS)
        status = sc_dialog_set_contact(inv->dlg, &contact);
    if (status != PJ_SUCCESS)
        return status;
    /* A session description in an earlier 18x was the answer already. */
    if (sdp && inv->neg && pjmedia_sdp_neg_get_state(inv->neg) != PJMEDIA_SDP_NEG_STATE_REMOTE_OFFER)
        sdp = NULL;
    status = pjsip_inv_answer(inv, (int)code, reason.slen ? &reason : NULL, sdp, &tdata);
    if (status != PJ_SUCCESS)
        return status;
    remove_added(self, tdata->msg);
    status = add_headers(self, reader, tdata);
    if (status != PJ_SUCCESS) {
        pjsip_tx_data_dec_ref(tdata);
        return status;
    }
    return pjsip_inv_send_msg(inv, tdata);
}

int32_t sc_invitation_answer(sc_invitation serial, uint32_t code, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    invitation *self;
    pj_status_t status;

    if (code < 100 || code > 699)
        return SC_EARGS;
    self = take(serial);
    if (!self)
        return SC_EGONE;
    status = answer(self, code, &reader);
    give_back(self);
    return status;
}

static pj_status_t end(invitation *self, uint32_t code, sc_reader *reader)
{
    pjsip_inv_session *inv = self->inv;
    pjsip_tx_data *tdata = NULL;
    sc_record record;
    pj_status_t status;
    bool before_answer = inv->state <= PJSIP_INV_STATE_EARLY;

    if (inv->state == PJSIP_INV_STATE_DISCONNECTED || (before_answer && !inv->invite_tsx))
        return SC_EGONE;
    /* A 2xx that waits for the PRACK of a reliable 18x has not been sent: it is taken back. */
    if (before_answer && inv->role == PJSIP_ROLE_UAS && code < 300)
        code = PJSIP_SC_DECLINE;
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
    sc_record_init(&record, SC_RECORD_INVITATION_ENDING, self->object.serial);
    sc_record_text(&record, !before_answer ? "BYE" : inv->role == PJSIP_ROLE_UAC ? "CANCEL" : "");
    sc_record_push(&record, false);
    /* What cannot be sent ends the call all the same: nobody is there to wait for. */
    if (tdata && pjsip_inv_send_msg(inv, tdata) != PJ_SUCCESS && inv->state != PJSIP_INV_STATE_DISCONNECTED)
        pjsip_inv_terminate(inv, PJSIP_SC_SERVICE_UNAVAILABLE, PJ_TRUE);
    return PJ_SUCCESS;
}

int32_t sc_invitation_end(sc_invitation serial, uint32_t code, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    invitation *self = take(serial);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = end(self, code, &reader);
    give_back(self);
    return status;
}

uint32_t sc_invitation_is_heard(sc_invitation serial)
{
    invitation *self = take(serial);
    bool heard = false;

    if (self) {
        heard = !self->inv->invite_tsx || self->inv->invite_tsx->status_code >= 100;
        give_back(self);
    }
    return heard;
}

int32_t sc_invitation_terminate(sc_invitation serial, uint32_t code)
{
    invitation *self = take(serial);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = pjsip_inv_terminate(self->inv, (int)code, PJ_TRUE);
    give_back(self);
    return status;
}
