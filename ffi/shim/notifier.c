/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The notifying end of a subscription: what IncomingSubscription and IncomingReferral have in common. Over pjsip's event
 * framework, which keeps the dialog's transactions apart; how long it lasts, what its NOTIFYs carry and which failure
 * of one ends it is decided here.
 *
 * The dialog is kept by a session of ours for as long as the object lives, and with it the memory of the subscription;
 * every call into the framework is made under the dialog's lock.
 */
#include <stdlib.h>

#include "internal.h"

/* The longest terms that are granted, in seconds. */
#define MAX_SECONDS 3600
#define MAX_REFER_SECONDS 600

enum notifier_state { STATE_INCOMING, STATE_PENDING, STATE_ACTIVE, STATE_TERMINATED };
enum timer { TIMER_NONE, TIMER_DEADLINE };

static const pj_str_t timed_out = { "timeout", 7 };

typedef struct {
    sc_object object;
    pjsip_dialog *dlg;
    pjsip_evsub *sub;
    sc_listener *listener;
    enum notifier_state state;
    pjsip_transaction *tsx;   /* of the first request until it is answered; its lock is held by a reference */
    pjsip_tx_data *response;  /* made when it came, so that nothing of it has to be kept */
    pj_timer_entry *deadline; /* of the answer; in the dialog's memory */
    bool refers;
    bool alone;      /* a REFER that wants no subscription (RFC 4488) */
    bool leaving;    /* the peer has unsubscribed, and is about to be answered */
    bool failed;     /* the NOTIFY that is being sent */
    uint32_t expires; /* the term, in seconds, and the time when it is over */
    pj_time_val until;
    uint8_t *content; /* of NOTIFYs: content type and body, as a block has them; NULL: none */
    uint32_t content_size;
} notifier;

static notifier *of(pjsip_evsub *sub)
{
    return pjsip_evsub_get_mod_data(sub, (unsigned)sc_core_module.id);
}

/* The first request is answered, or nobody is left to answer it. */
static void set_answered(notifier *self)
{
    if (self->deadline && self->deadline->id != TIMER_NONE) {
        pj_timer_heap_cancel_if_active(pjsip_endpt_get_timer_heap(sc_engine.endpt), self->deadline, TIMER_NONE);
        self->deadline->id = TIMER_NONE;
    }
    if (!self->tsx)
        return;
    sc_admission_leave();
    pjsip_tx_data_dec_ref(self->response);
    pj_grp_lock_dec_ref(self->tsx->grp_lock);
    self->tsx = NULL;
}

static void destroy(sc_object *object)
{
    notifier *self = (notifier *)object;

    if (self->dlg) {
        pjsip_dialog *dlg = self->dlg;

        pjsip_dlg_inc_lock(dlg);
        set_answered(self);
        pjsip_evsub_set_mod_data(self->sub, (unsigned)sc_core_module.id, NULL);
        pjsip_evsub_terminate(self->sub, PJ_FALSE);
        pjsip_dlg_dec_session(dlg, &sc_core_module);
        pjsip_dlg_dec_lock(dlg);
    }
    sc_listener_release(self->listener);
    free(self->content);
}

/* ---- records --------------------------------------------------------------------------------------------------------- */

static void tell(const notifier *self, uint32_t kind)
{
    sc_record record;

    sc_record_init(&record, kind, self->object.serial);
    sc_record_push(&record, false);
}

static void tell_request(const notifier *self, pjsip_rx_data *rdata, bool leaving)
{
    sc_record record;

    sc_record_init(&record, SC_RECORD_NOTIFIER_SUBSCRIBE, self->object.serial);
    sc_record_u8(&record, leaving);
    sc_record_rdata(&record, rdata);
    sc_record_push(&record, false);
}

static void tell_answer(const notifier *self, const pjsip_tx_data *tdata)
{
    sc_record record;

    sc_record_init(&record, SC_RECORD_NOTIFIER_ANSWERED, self->object.serial);
    sc_record_u32(&record, (uint32_t)tdata->msg->line.status.code);
    sc_record_str(&record, &tdata->msg->line.status.reason);
    sc_record_tdata(&record, tdata);
    sc_record_push(&record, false);
}

static void tell_sent(const notifier *self, const pjsip_tx_data *tdata)
{
    sc_record record;

    sc_record_init(&record, SC_RECORD_NOTIFIER_SENT, self->object.serial);
    sc_record_tdata(&record, tdata);
    sc_record_push(&record, false);
}

/* `rdata`: NULL for what happened on this side. */
static void tell_response(const notifier *self, int code, const pj_str_t *reason, const pjsip_rx_data *rdata)
{
    sc_record record;

    sc_record_init(&record, SC_RECORD_NOTIFIER_RESPONSE, self->object.serial);
    sc_record_u32(&record, (uint32_t)code);
    sc_record_str(&record, reason);
    if (rdata)
        sc_record_rdata(&record, rdata);
    else
        sc_record_no_message(&record);
    sc_record_push(&record, false);
}

static void set_state(notifier *self, enum notifier_state state)
{
    sc_record record;

    if (self->state == state)
        return;
    self->state = state;
    sc_record_init(&record, SC_RECORD_NOTIFIER_STATE, self->object.serial);
    sc_record_u8(&record, (uint8_t)state);
    sc_record_push(&record, false);
}

/* Only a reference of the caller's keeps it after this. */
static void detach(notifier *self)
{
    set_answered(self);
    pjsip_evsub_set_mod_data(self->sub, (unsigned)sc_core_module.id, NULL);
    pjsip_evsub_terminate(self->sub, PJ_FALSE);
    sc_object_remove(self);
}

/* `more`: an answer is still to be told. */
static void tell_end(const notifier *self, bool more)
{
    sc_record record;

    sc_record_init(&record, SC_RECORD_NOTIFIER_END, self->object.serial);
    sc_record_u8(&record, more);
    sc_record_push(&record, false);
}

/* As detach(). */
static void finish(notifier *self)
{
    set_state(self, STATE_TERMINATED);
    tell_end(self, false);
    detach(self);
}

/* ---- NOTIFY ---------------------------------------------------------------------------------------------------------- */

static void set_term(notifier *self, uint32_t seconds)
{
    self->expires = seconds;
    pj_gettickcount(&self->until);
    self->until.sec += seconds;
}

static uint32_t seconds_left(const notifier *self)
{
    pj_time_val left = self->until, now;

    pj_gettickcount(&now);
    PJ_TIME_VAL_SUB(left, now);
    return left.sec < 0 ? 0 : (uint32_t)left.sec + (left.msec >= 500);
}

static pj_status_t keep_content(notifier *self, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    bool has_type = sc_read_text(&reader).slen > 0;
    uint8_t *content = NULL;

    sc_read_text(&reader);
    if (reader.failed)
        return SC_EARGS;
    if (has_type) {
        content = sc_should_fail() ? NULL : malloc(size);
        if (!content)
            return PJ_ENOMEM;
        memcpy(content, args, size);
    }
    free(self->content);
    self->content = content;
    self->content_size = size;
    return PJ_SUCCESS;
}

static pj_status_t create_notify(notifier *self, const pj_str_t *reason, bool with_content, pjsip_tx_data **tdata)
{
    static const pjsip_evsub_state states[] = { PJSIP_EVSUB_STATE_PENDING, PJSIP_EVSUB_STATE_PENDING,
                                                PJSIP_EVSUB_STATE_ACTIVE, PJSIP_EVSUB_STATE_TERMINATED };
    static const pj_str_t name = { "Subscription-State", 18 };
    pj_status_t status;

    status = pjsip_evsub_notify(self->sub, states[self->state], NULL, reason && reason->slen ? reason : NULL, tdata);
    if (status != PJ_SUCCESS)
        return status;
    if (self->state != STATE_TERMINATED)
        ((pjsip_sub_state_hdr *)pjsip_msg_find_hdr_by_name((*tdata)->msg, &name, NULL))->expires_param =
            seconds_left(self);
    if (with_content && self->content) {
        sc_reader reader = sc_reader_init(self->content, self->content_size);

        status = sc_read_body(&reader, (*tdata)->pool, (*tdata)->msg);
        if (status != PJ_SUCCESS)
            pjsip_tx_data_dec_ref(*tdata);
    }
    return status;
}

/* Tells of the state that `self` has. A failure is told as that of a NOTIFY that nobody answered. */
static void notify(notifier *self, const pj_str_t *reason, bool with_content)
{
    char text[PJ_ERR_MSG_SIZE];
    pjsip_tx_data *tdata;
    pj_status_t status;
    pj_str_t why;

    self->failed = false;
    status = create_notify(self, reason, with_content, &tdata);
    if (status == PJ_SUCCESS)
        status = pjsip_evsub_send_request(self->sub, tdata);
    if (status == PJ_SUCCESS || self->failed)
        return;
    why = pj_strerror(status, text, sizeof(text));
    tell_response(self, 0, &why, NULL);
}

/* ---- what the framework tells ------------------------------------------------------------------------------------------ */

/*
 * A 408, a 481 and a silence mean that nobody is there any more. Of other failures the framework thinks the same; where
 * it must not it is shown a success.
 */
static void on_own_notify(notifier *self, pjsip_transaction *tsx, pjsip_event *event)
{
    bool received = event->body.tsx_state.type == PJSIP_EVENT_RX_MSG;
    int code = tsx->status_code;

    if (tsx->state == PJSIP_TSX_STATE_CALLING) {
        if (event->body.tsx_state.type == PJSIP_EVENT_TX_MSG)
            tell_sent(self, event->body.tsx_state.src.tdata);
        return;
    }
    if (tsx->state < PJSIP_TSX_STATE_COMPLETED || tsx->mod_data[sc_core_module.id])
        return;
    tsx->mod_data[sc_core_module.id] = self; /* once */
    if (self->state == STATE_TERMINATED)
        return;
    tell_response(self, code, &tsx->status_text, received ? event->body.tsx_state.src.rdata : NULL);
    if (code / 100 == 2)
        return;
    self->failed = true;
    if (!received || code == PJSIP_SC_REQUEST_TIMEOUT || code == PJSIP_SC_CALL_TSX_DOES_NOT_EXIST)
        pjsip_evsub_terminate(self->sub, PJ_TRUE);
    else
        tsx->status_code = PJSIP_SC_OK;
}

/* The framework takes the term from this header, and without it the old one, whatever is left of that. */
static void limit_term(const notifier *self, pjsip_rx_data *rdata)
{
    int32_t most = self->refers ? MAX_REFER_SECONDS : MAX_SECONDS;
    pjsip_expires_hdr *expires = pjsip_msg_find_hdr(rdata->msg_info.msg, PJSIP_H_EXPIRES, NULL);

    if (!expires)
        pjsip_msg_add_hdr(rdata->msg_info.msg, (pjsip_hdr *)pjsip_expires_hdr_create(rdata->tp_info.pool, most));
    else if ((uint32_t)expires->ivalue > (uint32_t)most)
        expires->ivalue = most;
}

static void refuse(pjsip_dialog *dlg, pjsip_transaction *tsx, pjsip_rx_data *rdata)
{
    pjsip_tx_data *tdata;

    if (pjsip_dlg_create_response(dlg, rdata, PJSIP_SC_FORBIDDEN, NULL, &tdata) == PJ_SUCCESS)
        pjsip_dlg_send_response(dlg, tsx, tdata);
}

static void on_later_request(notifier *self, pjsip_transaction *tsx, pjsip_event *event)
{
    bool subscribe = !pj_strcmp2(&tsx->method.name, "SUBSCRIBE");

    if (tsx->state == PJSIP_TSX_STATE_TRYING && event->body.tsx_state.type == PJSIP_EVENT_RX_MSG) {
        pjsip_rx_data *rdata = event->body.tsx_state.src.rdata;

        if (subscribe) {
            limit_term(self, rdata);
        } else {
            /* The framework would take a REFER for a refresh, and a NOTIFY for the failure of one of ours. */
            refuse(self->dlg, tsx, rdata);
            tsx->status_code = PJSIP_SC_OK;
        }
        return;
    }
    if (!subscribe)
        return;
    if (tsx->state == PJSIP_TSX_STATE_COMPLETED && event->body.tsx_state.type == PJSIP_EVENT_TX_MSG)
        tell_answer(self, event->body.tsx_state.src.tdata);
    if (tsx->state >= PJSIP_TSX_STATE_COMPLETED && self->leaving)
        detach(self);
}

/* Before the framework does anything about it. */
static void on_tsx_state(pjsip_evsub *sub, pjsip_transaction *tsx, pjsip_event *event)
{
    notifier *self = of(sub);

    if (!self || tsx == self->tsx)
        return;
    if (tsx->role == PJSIP_ROLE_UAC)
        on_own_notify(self, tsx, event);
    else if (self->state != STATE_INCOMING && !tsx->mod_data[sc_core_module.id])
        on_later_request(self, tsx, event);
}

/* What is sent from here leaves behind the answer. */
static void on_rx_refresh(pjsip_evsub *sub, pjsip_rx_data *rdata, int *code, pj_str_t **reason, pjsip_hdr *headers,
                          pjsip_msg_body **body)
{
    notifier *self = of(sub);

    PJ_UNUSED_ARG(reason);
    PJ_UNUSED_ARG(headers);
    PJ_UNUSED_ARG(body);
    if (!self)
        return;
    self->leaving = pjsip_evsub_get_expires(sub) == 0;
    tell_request(self, rdata, self->leaving);
    if (self->leaving)
        return;
    set_term(self, pjsip_evsub_get_expires(sub));
    *code = self->state == STATE_ACTIVE ? PJSIP_SC_OK : PJSIP_SC_ACCEPTED;
    notify(self, NULL, self->state == STATE_ACTIVE);
}

static void on_evsub_state(pjsip_evsub *sub, pjsip_event *event)
{
    notifier *self = of(sub);

    PJ_UNUSED_ARG(event);
    if (!self || self->state == STATE_TERMINATED || pjsip_evsub_get_state(sub) != PJSIP_EVSUB_STATE_TERMINATED)
        return;
    if (!self->leaving) {
        finish(self);
        return;
    }
    set_state(self, STATE_TERMINATED);
    notify(self, &timed_out, false);
    tell_end(self, true);
}

static void on_server_timeout(pjsip_evsub *sub)
{
    notifier *self = of(sub);

    if (!self || self->state == STATE_TERMINATED)
        return;
    tell(self, SC_RECORD_NOTIFIER_TIMEOUT);
    set_state(self, STATE_TERMINATED);
    notify(self, &timed_out, false);
    finish(self);
}

/* ---- a request comes in ------------------------------------------------------------------------------------------------ */

/* Under the dialog's lock, with the first request unanswered. */
static void answer(notifier *self, int code)
{
    static const pj_str_t name = { "Refer-Sub", 9 }, value = { "false", 5 };
    pjsip_tx_data *tdata = self->response;

    if (pjsip_dlg_modify_response(self->dlg, tdata, code, NULL) != PJ_SUCCESS)
        return;
    if (code / 100 == 2 && self->alone)
        pjsip_msg_add_hdr(tdata->msg, (pjsip_hdr *)pjsip_generic_string_hdr_create(tdata->pool, &name, &value));
    else if (code / 100 == 2)
        pjsip_msg_add_hdr(tdata->msg, (pjsip_hdr *)pjsip_expires_hdr_create(tdata->pool, self->expires));
    /* What cannot be sent now comes up with the NOTIFY. */
    pjsip_dlg_send_response(self->dlg, self->tsx, tdata);
    tell_answer(self, tdata);
    set_answered(self);
}

static void on_deadline(pj_timer_heap_t *heap, pj_timer_entry *timer)
{
    sc_serial serial = (sc_serial)(uintptr_t)timer->user_data;
    notifier *self = sc_object_get(serial, SC_KIND_INCOMING_SUBSCRIPTION);

    PJ_UNUSED_ARG(heap);
    if (!self)
        self = sc_object_get(serial, SC_KIND_INCOMING_REFERRAL);
    if (!self)
        return;
    pjsip_dlg_inc_lock(self->dlg);
    if (timer->id != TIMER_NONE && self->tsx) {
        timer->id = TIMER_NONE;
        answer(self, PJSIP_SC_INTERNAL_SERVER_ERROR);
        finish(self);
    }
    pjsip_dlg_dec_lock(self->dlg);
    sc_object_put(self);
}

/* As long as transactions live; who has not answered by then never will. False: no memory. */
static bool wait_for_answer(notifier *self)
{
    pj_time_val delay = { pjsip_cfg()->tsx.td / 1000, pjsip_cfg()->tsx.td % 1000 };

    self->deadline = pj_pool_zalloc(self->dlg->pool, sizeof(*self->deadline));
    if (!self->deadline)
        return false;
    pj_timer_entry_init(self->deadline, TIMER_NONE, (void *)(uintptr_t)self->object.serial, on_deadline);
    return pj_timer_heap_schedule_w_grp_lock(pjsip_endpt_get_timer_heap(sc_engine.endpt), self->deadline, &delay,
                                             TIMER_DEADLINE, pjsip_dlg_get_lock(self->dlg)) == PJ_SUCCESS;
}

/* Under the dialog's lock. False: it is to be refused; the caller's reference is all that is left. */
static bool begin(notifier *self, pjsip_dialog *dlg, pjsip_rx_data *rdata)
{
    static const pjsip_evsub_user user = {
        .on_evsub_state = on_evsub_state,
        .on_tsx_state = on_tsx_state,
        .on_rx_refresh = on_rx_refresh,
        .on_server_timeout = on_server_timeout,
    };
    pjsip_transaction *tsx = pjsip_rdata_get_tsx(rdata);

    if (!tsx || pjsip_evsub_create_uas(dlg, &user, rdata, 0, &self->sub) != PJ_SUCCESS)
        return false;
    pjsip_dlg_inc_session(dlg, &sc_core_module);
    self->dlg = dlg;
    if (pjsip_dlg_create_response(dlg, rdata, PJSIP_SC_OK, NULL, &self->response) != PJ_SUCCESS)
        return false;
    self->tsx = tsx;
    pj_grp_lock_add_ref(tsx->grp_lock);
    sc_admission_enter();
    if (!wait_for_answer(self))
        return false;
    self->listener = sc_listener_pin(dlg, rdata->tp_info.transport);
    set_term(self, pjsip_evsub_get_expires(self->sub));
    pjsip_evsub_set_mod_data(self->sub, (unsigned)sc_core_module.id, self);
    return true;
}

static void respond(pjsip_rx_data *rdata, int code)
{
    pjsip_endpt_respond(sc_engine.endpt, &sc_core_module, rdata, code, NULL, NULL, NULL, NULL);
}

void sc_notifier_on_request(sc_kind kind, bool alone, pjsip_rx_data *rdata)
{
    pj_str_t contact = sc_dialog_contact(rdata);
    pjsip_dialog *dlg;
    notifier *self;
    sc_record record;

    /* Without a Contact there is nowhere to send NOTIFYs to. */
    if (!contact.slen || !pjsip_msg_find_hdr(rdata->msg_info.msg, PJSIP_H_CONTACT, NULL) ||
        pjsip_dlg_create_uas_and_inc_lock(pjsip_ua_instance(), rdata, &contact, &dlg) != PJ_SUCCESS) {
        respond(rdata, PJSIP_SC_BAD_REQUEST);
        return;
    }
    self = sc_object_new(kind, sizeof(*self), destroy);
    if (self && begin(self, dlg, rdata)) {
        self->refers = kind == SC_KIND_INCOMING_REFERRAL;
        self->alone = alone;
        sc_object_ref(self);
        sc_object_add(self);
        sc_record_init(&record, kind == SC_KIND_INCOMING_REFERRAL ? SC_RECORD_INCOMING_REFERRAL
                                                                  : SC_RECORD_INCOMING_SUBSCRIPTION,
                       self->object.serial);
        sc_record_str(&record, &contact);
        sc_record_rdata(&record, rdata);
        sc_record_push(&record, false);
    } else {
        pjsip_dlg_respond(dlg, rdata, PJSIP_SC_INTERNAL_SERVER_ERROR, NULL, NULL, NULL);
    }
    pjsip_dlg_dec_lock(dlg);
    sc_object_put(self);
}

/* ---- what JavaScript does with it ------------------------------------------------------------------------------------------ */

/* Looks it up and locks its dialog; NULL when it has ended. */
static notifier *take(sc_kind kind, sc_serial serial)
{
    notifier *self = sc_take(serial, kind);

    if (!self)
        return NULL;
    pjsip_dlg_inc_lock(self->dlg);
    if (self->state != STATE_TERMINATED)
        return self;
    pjsip_dlg_dec_lock(self->dlg);
    sc_give_back(self);
    return NULL;
}

static void give_back(notifier *self)
{
    /* The reference, which is given back last, is what keeps the dialog's memory. */
    pjsip_dlg_dec_lock(self->dlg);
    sc_give_back(self);
}

int32_t sc_notifier_reject(sc_kind kind, sc_serial serial, uint32_t code)
{
    notifier *self = code < 300 || code > 699 ? NULL : take(kind, serial);
    bool waits;

    if (!self)
        return code < 300 || code > 699 ? SC_EARGS : SC_EGONE;
    waits = self->tsx != NULL;
    if (waits) {
        answer(self, (int)code);
        finish(self);
    }
    give_back(self);
    return waits ? PJ_SUCCESS : SC_EGONE;
}

/* Answers what waits; what is over at once, because it was to be, ends here. */
static void go_on(notifier *self, int code, enum notifier_state state)
{
    if (self->tsx) {
        answer(self, code);
        if (!self->alone && self->expires)
            pjsip_evsub_uas_set_timeout(self->sub, self->expires);
    }
    if (self->alone) {
        finish(self);
    } else if (!self->expires) {
        /* Asked for the state of now (RFC 6665, section 4.4.3). */
        set_state(self, STATE_TERMINATED);
        notify(self, &timed_out, state == STATE_ACTIVE);
        finish(self);
    } else {
        set_state(self, state);
        notify(self, NULL, state == STATE_ACTIVE);
    }
}

int32_t sc_notifier_accept_pending(sc_kind kind, sc_serial serial)
{
    notifier *self = take(kind, serial);
    bool waits;

    if (!self)
        return SC_EGONE;
    waits = self->tsx != NULL;
    if (waits)
        go_on(self, PJSIP_SC_ACCEPTED, STATE_PENDING);
    give_back(self);
    return waits ? PJ_SUCCESS : SC_EGONE;
}

int32_t sc_notifier_accept(sc_kind kind, sc_serial serial, uint32_t code, uint32_t seconds, sc_bytes args, uint32_t size)
{
    notifier *self = code / 100 == 2 ? take(kind, serial) : NULL;
    pj_status_t status;

    if (!self)
        return code / 100 == 2 ? SC_EGONE : SC_EARGS;
    status = self->state == STATE_ACTIVE ? SC_EGONE : keep_content(self, args, size);
    if (status == PJ_SUCCESS) {
        if (seconds && self->tsx)
            set_term(self, seconds);
        go_on(self, (int)code, STATE_ACTIVE);
    }
    give_back(self);
    return status;
}

int32_t sc_notifier_push(sc_kind kind, sc_serial serial, sc_bytes args, uint32_t size)
{
    notifier *self = take(kind, serial);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = self->state == STATE_ACTIVE ? keep_content(self, args, size) : SC_EGONE;
    if (status == PJ_SUCCESS)
        notify(self, NULL, true);
    give_back(self);
    return status;
}

int32_t sc_notifier_end(sc_kind kind, sc_serial serial, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    pj_str_t reason = sc_read_text(&reader);
    notifier *self = take(kind, serial);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = reader.failed ? SC_EARGS : self->tsx ? SC_EGONE : PJ_SUCCESS;
    if (status == PJ_SUCCESS && self->refers)
        status = keep_content(self, reader.at, (uint32_t)(reader.end - reader.at));
    if (status == PJ_SUCCESS) {
        set_state(self, STATE_TERMINATED);
        notify(self, &reason, self->refers);
        finish(self);
    }
    give_back(self);
    return status;
}

void sc_notifier_abandon(void *object)
{
    notifier *self = object;

    pjsip_dlg_inc_lock(self->dlg);
    set_answered(self);
    self->state = STATE_TERMINATED;
    pjsip_evsub_set_mod_data(self->sub, (unsigned)sc_core_module.id, NULL);
    pjsip_evsub_terminate(self->sub, PJ_FALSE);
    pjsip_dlg_dec_lock(self->dlg);
}
