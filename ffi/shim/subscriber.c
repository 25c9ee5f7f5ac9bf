/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watching end of a subscription: what Subscription and Referral have in common. Over pjsip's event framework, but
 * for its timers: when to subscribe again is decided here, and one SUBSCRIBE waits for the other, because the framework
 * would end the first behind its transaction's back.
 *
 * The dialog is kept by a session of ours for as long as the object lives, and with it the memory of the subscription;
 * every call into the framework is made under the dialog's lock.
 */
#include <stdlib.h>

#include "internal.h"

/* An un-SUBSCRIBE that the program did not ask for. */
#define QUICK_END_MS 1000
/* How long a subscription of a REFER is asked to go on (its first term is the peer's to say). */
#define REFER_SECONDS 600
/* Three weeks: in milliseconds they still are 32 bits. */
#define MAX_SECONDS 2000000
/* The longest name of a state. */
#define MAX_STATE_SIZE 64
/* sipsimple's own: an answer that no dialog can be made of. */
#define NO_CONTACT 1400

enum cause { CAUSE_LOCAL, CAUSE_RESPONSE, CAUSE_NOTIFY };
enum timer { TIMER_NONE, TIMER_STEP, TIMER_TIMEOUT };

typedef struct {
    sc_object object;
    pjsip_dialog *dlg;
    pjsip_evsub *sub;
    sc_listener *listener;
    bool refers;
    uint32_t interval;      /* what is asked for, in seconds */
    uint32_t timeout;       /* of each request, in milliseconds; 0: none */
    uint8_t *request;       /* what every SUBSCRIBE carries, as the block had it: headers, content type, body */
    uint32_t request_size;
    pj_timer_entry *step;   /* the next SUBSCRIBE; this and the other in the dialog's memory */
    pj_timer_entry *patience;
    pjsip_transaction *tsx; /* of the SUBSCRIBE or REFER that waits for its final response */
    bool started, ending, over;
    bool again;             /* the program wants another one when this one has its response */
    int told;               /* the last state in a record, -1: none */
    int failed_code;        /* of what this side gave up; `failed_text` tells whether it did */
    const char *failed_text;
} subscriber;

static subscriber *of(pjsip_evsub *sub)
{
    return pjsip_evsub_get_mod_data(sub, (unsigned)sc_core_module.id);
}

/* ---- timers ---------------------------------------------------------------------------------------------------------- */

static void disarm(pj_timer_entry *timer)
{
    if (!timer)
        return;
    if (timer->id != TIMER_NONE)
        pj_timer_heap_cancel_if_active(pjsip_endpt_get_timer_heap(sc_engine.endpt), timer, TIMER_NONE);
    timer->id = TIMER_NONE;
}

/* The timer holds the dialog's memory while it runs, and nothing of the object: it finds it by its serial. */
static void arm(subscriber *self, pj_timer_entry *timer, enum timer id, unsigned ms)
{
    pj_time_val delay = { ms / 1000, ms % 1000 };

    disarm(timer);
    if (!self->over)
        pj_timer_heap_schedule_w_grp_lock(pjsip_endpt_get_timer_heap(sc_engine.endpt), timer, &delay, id,
                                          pjsip_dlg_get_lock(self->dlg));
}

static void destroy(sc_object *object)
{
    subscriber *self = (subscriber *)object;

    if (self->dlg) {
        pjsip_dialog *dlg = self->dlg;

        pjsip_dlg_inc_lock(dlg);
        disarm(self->step);
        disarm(self->patience);
        if (self->sub) {
            pjsip_evsub_set_mod_data(self->sub, (unsigned)sc_core_module.id, NULL);
            if (!self->over)
                pjsip_evsub_terminate(self->sub, PJ_FALSE);
        }
        pjsip_dlg_dec_session(dlg, &sc_core_module);
        pjsip_dlg_dec_lock(dlg);
    }
    sc_listener_release(self->listener);
    free(self->request);
}

/* ---- sending --------------------------------------------------------------------------------------------------------- */

/* This side gives up: it ends with that code and text, whatever the peer says. */
static void fail(subscriber *self, int code, const char *text)
{
    if (self->over)
        return;
    self->failed_code = code;
    self->failed_text = text;
    pjsip_evsub_terminate(self->sub, PJ_TRUE);
}

static void fail_to_send(subscriber *self, pj_status_t status)
{
    char text[PJ_ERR_MSG_SIZE];

    pj_strerror(status, text, sizeof(text));
    fail(self, 0, text);
}

static pj_status_t add_request(const subscriber *self, pjsip_tx_data *tdata)
{
    sc_reader reader = sc_reader_init(self->request, self->request_size);
    pj_status_t status = sc_read_headers(&reader, tdata->pool, tdata->msg);

    return status == PJ_SUCCESS ? sc_read_body(&reader, tdata->pool, tdata->msg) : status;
}

static void subscribe(subscriber *self, uint32_t expires)
{
    pjsip_tx_data *tdata;
    pj_status_t status;

    self->again = false;
    status = pjsip_evsub_initiate(self->sub, NULL, expires, &tdata);
    if (status == PJ_SUCCESS) {
        status = add_request(self, tdata);
        if (status == PJ_SUCCESS)
            status = pjsip_evsub_send_request(self->sub, tdata);
        else
            pjsip_tx_data_dec_ref(tdata);
    }
    if (status != PJ_SUCCESS)
        fail_to_send(self, status);
}

/* RFC 3515 gives REFER no Expires. The Event header is what the framework knows its own requests by. */
static pj_status_t refer(subscriber *self, sc_reader *once)
{
    static const pj_str_t name = { "REFER", 5 };
    pjsip_method method;
    pjsip_tx_data *tdata;
    pjsip_hdr *header;
    pj_status_t status;

    pjsip_method_init_np(&method, (pj_str_t *)&name);
    status = pjsip_evsub_initiate(self->sub, &method, PJSIP_EXPIRES_NOT_SPECIFIED, &tdata);
    if (status != PJ_SUCCESS)
        return status;
    header = pjsip_msg_find_hdr(tdata->msg, PJSIP_H_EXPIRES, NULL);
    if (header)
        pj_list_erase(header);
    status = sc_read_headers(once, tdata->pool, tdata->msg);
    if (status == PJ_SUCCESS)
        status = add_request(self, tdata);
    if (status != PJ_SUCCESS) {
        pjsip_tx_data_dec_ref(tdata);
        return status;
    }
    status = pjsip_evsub_send_request(self->sub, tdata);
    if (status != PJ_SUCCESS)
        fail_to_send(self, status);
    return PJ_SUCCESS;
}

/* The next SUBSCRIBE, unless one is under way: its response brings us here again. */
static void step(subscriber *self)
{
    if (!self->tsx)
        subscribe(self, self->ending ? 0 : self->interval);
}

static void on_timer(pj_timer_heap_t *heap, pj_timer_entry *timer)
{
    sc_serial serial = (sc_serial)(uintptr_t)timer->user_data;
    subscriber *self = sc_object_get(serial, SC_KIND_SUBSCRIPTION);
    enum timer id;

    PJ_UNUSED_ARG(heap);
    if (!self)
        self = sc_object_get(serial, SC_KIND_REFERRAL);
    if (!self)
        return;
    pjsip_dlg_inc_lock(self->dlg);
    id = timer->id;
    /* It was set anew, or taken back, while this thread waited for the lock. */
    if (!pj_timer_entry_running(timer) && id != TIMER_NONE && !self->over) {
        timer->id = TIMER_NONE;
        if (id == TIMER_STEP)
            step(self);
        else if (self->tsx)
            pjsip_tsx_terminate(self->tsx, PJSIP_SC_REQUEST_TIMEOUT);
    }
    pjsip_dlg_dec_lock(self->dlg);
    sc_object_put(self);
}

/* Early enough for a second try, late enough not to be a burden. */
static void refresh_in_time(subscriber *self, uint32_t expires)
{
    uint32_t ms = expires > MAX_SECONDS ? MAX_SECONDS * 1000 : expires > 60 ? (expires - 30) * 1000 : expires * 500;

    arm(self, self->step, TIMER_STEP, ms < 1000 ? 1000 : ms);
}

/* ---- what comes back --------------------------------------------------------------------------------------------------- */

static void tell_ending(const subscriber *self)
{
    sc_record record;

    sc_record_init(&record, SC_RECORD_SUBSCRIPTION_ENDING, self->object.serial);
    sc_record_push(&record, false);
}

static bool is_without_subscription(const pjsip_msg *msg)
{
    static const pj_str_t name = { "Refer-Sub", 9 };
    const pjsip_generic_string_hdr *header = pjsip_msg_find_hdr_by_name(msg, &name, NULL);

    return header && header->hvalue.slen >= 5 && !pj_strnicmp2(&header->hvalue, "false", 5);
}

static void on_accepted(subscriber *self, pjsip_rx_data *rdata)
{
    const pjsip_expires_hdr *header = pjsip_msg_find_hdr(rdata->msg_info.msg, PJSIP_H_EXPIRES, NULL);
    uint32_t expires = header ? header->ivalue : self->interval;
    bool first = !self->started;
    sc_record record;

    if (first && !self->refers && !pjsip_msg_find_hdr(rdata->msg_info.msg, PJSIP_H_CONTACT, NULL)) {
        fail(self, NO_CONTACT, "Contact header missing");
        return;
    }
    self->started = true;
    sc_record_init(&record, SC_RECORD_SUBSCRIPTION_ACCEPTED, self->object.serial);
    sc_record_u8(&record, first);
    sc_record_rdata(&record, rdata);
    sc_record_push(&record, false);
    if (first && self->refers) {
        if (is_without_subscription(rdata->msg_info.msg)) {
            if (!self->ending)
                tell_ending(self);
            self->ending = true;
            pjsip_evsub_terminate(self->sub, PJ_TRUE);
        } else if (self->ending || self->again) {
            arm(self, self->step, TIMER_STEP, 0);
        }
        return;
    }
    if (!self->ending && expires == 0) {
        self->ending = self->again = true;
        self->timeout = QUICK_END_MS;
        tell_ending(self);
    }
    if (self->again)
        arm(self, self->step, TIMER_STEP, 0);
    else if (!self->ending)
        refresh_in_time(self, expires);
}

static void on_own_request(subscriber *self, pjsip_transaction *tsx, pjsip_event *event)
{
    if (tsx->state == PJSIP_TSX_STATE_CALLING) {
        self->tsx = tsx;
        if (self->timeout && self->patience->id == TIMER_NONE)
            arm(self, self->patience, TIMER_TIMEOUT, self->timeout);
        return;
    }
    if (tsx != self->tsx || tsx->state < PJSIP_TSX_STATE_COMPLETED)
        return;
    self->tsx = NULL;
    /* The time goes on for the answer to a challenge, which is about to be sent; else all is over. */
    if (tsx->status_code == PJSIP_SC_UNAUTHORIZED || tsx->status_code == PJSIP_SC_PROXY_AUTHENTICATION_REQUIRED)
        return;
    disarm(self->patience);
    if (tsx->status_code / 100 == 2 && event->body.tsx_state.type == PJSIP_EVENT_RX_MSG)
        on_accepted(self, event->body.tsx_state.src.rdata);
}

/*
 * The framework would answer the same for want of a state, and end the subscription for it; names of states it keeps for
 * as long as the dialog lasts.
 */
static void refuse_notify(subscriber *self, pjsip_transaction *tsx, pjsip_rx_data *rdata)
{
    static const pj_str_t name = { "Subscription-State", 18 }, text = { "No Subscription-State", 21 };
    pjsip_tx_data *tdata;
    const pjsip_sub_state_hdr *state = pjsip_msg_find_hdr_by_name(rdata->msg_info.msg, &name, NULL);

    if ((state && state->sub_state.slen <= MAX_STATE_SIZE) ||
        pjsip_dlg_create_response(self->dlg, rdata, PJSIP_SC_BAD_REQUEST, NULL, &tdata) != PJ_SUCCESS)
        return;
    pjsip_msg_add_hdr(tdata->msg, (pjsip_hdr *)pjsip_warning_hdr_create(tdata->pool, 399,
                                                                       pjsip_endpt_name(sc_engine.endpt), &text));
    pjsip_dlg_send_response(self->dlg, tsx, tdata);
}

/*
 * A SUBSCRIBE or REFER of the peer's. The framework would take our answer to it for the peer's to ours, but for one
 * with this code.
 */
static void on_stranger(subscriber *self, pjsip_transaction *tsx, pjsip_event *event)
{
    pjsip_tx_data *tdata;

    if (tsx->state == PJSIP_TSX_STATE_TRYING && event->body.tsx_state.type == PJSIP_EVENT_RX_MSG &&
        pjsip_dlg_create_response(self->dlg, event->body.tsx_state.src.rdata, PJSIP_SC_FORBIDDEN, NULL, &tdata) ==
            PJ_SUCCESS)
        pjsip_dlg_send_response(self->dlg, tsx, tdata);
    if (tsx->state >= PJSIP_TSX_STATE_COMPLETED)
        tsx->status_code = PJSIP_SC_REQUEST_UPDATED;
}

/* Before the framework does anything about it. */
static void on_tsx_state(pjsip_evsub *sub, pjsip_transaction *tsx, pjsip_event *event)
{
    subscriber *self = of(sub);

    if (!self || self->over)
        return;
    if (tsx->role == PJSIP_ROLE_UAC)
        on_own_request(self, tsx, event);
    else if (pj_strcmp2(&tsx->method.name, "NOTIFY"))
        on_stranger(self, tsx, event);
    else if (tsx->state == PJSIP_TSX_STATE_TRYING && event->body.tsx_state.type == PJSIP_EVENT_RX_MSG)
        refuse_notify(self, tsx, event->body.tsx_state.src.rdata);
}

static void on_rx_notify(pjsip_evsub *sub, pjsip_rx_data *rdata, int *code, pj_str_t **reason, pjsip_hdr *headers,
                         pjsip_msg_body **body)
{
    static const pj_str_t name = { "Subscription-State", 18 };
    const pjsip_sub_state_hdr *state = pjsip_msg_find_hdr_by_name(rdata->msg_info.msg, &name, NULL);
    subscriber *self = of(sub);
    sc_record record;

    PJ_UNUSED_ARG(code);
    PJ_UNUSED_ARG(reason);
    PJ_UNUSED_ARG(headers);
    PJ_UNUSED_ARG(body);
    if (!self || self->over)
        return;
    sc_record_init(&record, SC_RECORD_SUBSCRIPTION_NOTIFY, self->object.serial);
    sc_record_rdata(&record, rdata);
    sc_record_push(&record, false);
    /* The notifier has the last word on how long it goes on (RFC 6665, section 4.1.2.1). */
    if (state && state->expires_param != PJSIP_EXPIRES_NOT_SPECIFIED && !self->ending &&
        pj_stricmp2(&state->sub_state, "terminated"))
        refresh_in_time(self, state->expires_param);
}

static enum cause record_cause(const subscriber *self, sc_record *record, const pjsip_event *event)
{
    const pjsip_transaction *tsx = event->type == PJSIP_EVENT_TSX_STATE ? event->body.tsx_state.tsx : NULL;
    bool received = tsx && event->body.tsx_state.type == PJSIP_EVENT_RX_MSG;

    if (self->failed_text) {
        sc_record_u32(record, (uint32_t)self->failed_code);
        sc_record_text(record, self->failed_text);
        sc_record_no_message(record);
        return CAUSE_RESPONSE;
    }
    sc_record_u32(record, tsx ? (uint32_t)tsx->status_code : 0);
    sc_record_str(record, tsx ? &tsx->status_text : NULL);
    if (received)
        sc_record_rdata(record, event->body.tsx_state.src.rdata);
    else
        sc_record_no_message(record);
    return !tsx ? CAUSE_LOCAL : tsx->role == PJSIP_ROLE_UAS ? CAUSE_NOTIFY : CAUSE_RESPONSE;
}

static void on_evsub_state(pjsip_evsub *sub, pjsip_event *event)
{
    subscriber *self = of(sub);
    int state = pjsip_evsub_get_state(sub);
    sc_record record;

    /* Every NOTIFY sets the state, also to what it was. */
    if (!self || self->over || (state == self->told && state != PJSIP_EVSUB_STATE_UNKNOWN))
        return;
    self->told = state;
    sc_record_init(&record, SC_RECORD_SUBSCRIPTION_STATE, self->object.serial);
    sc_record_text(&record, pjsip_evsub_get_state_name(sub));
    sc_record_u8(&record, (uint8_t)record_cause(self, &record, event));
    sc_record_push(&record, false);
    if (state == PJSIP_EVSUB_STATE_TERMINATED) {
        self->over = true;
        disarm(self->step);
        disarm(self->patience);
        sc_object_remove(self);
    }
}

/* When to subscribe again is decided here. */
static void on_client_refresh(pjsip_evsub *sub)
{
    PJ_UNUSED_ARG(sub);
}

/* ---- what JavaScript does with it ------------------------------------------------------------------------------------------ */

/* What is left of the block goes with every SUBSCRIBE. */
static pj_status_t keep_request(subscriber *self, const sc_reader *reader)
{
    uint32_t size = (uint32_t)(reader->end - reader->at);
    uint8_t *request;

    if (reader->failed)
        return SC_EARGS;
    request = sc_should_fail() ? NULL : malloc(size ? size : 1);
    if (!request)
        return PJ_ENOMEM;
    memcpy(request, reader->at, size);
    free(self->request);
    self->request = request;
    self->request_size = size;
    return PJ_SUCCESS;
}

static pj_timer_entry *create_timer(subscriber *self)
{
    pj_timer_entry *timer = pj_pool_zalloc(self->dlg->pool, sizeof(*timer));

    if (timer)
        pj_timer_entry_init(timer, TIMER_NONE, (void *)(uintptr_t)self->object.serial, on_timer);
    return timer;
}

/* Under the dialog's lock. A failure to send comes as a change to TERMINATED, as it does when the network fails later. */
static pj_status_t start(subscriber *self, pjsip_dialog *dlg, sc_reader *reader)
{
    static const pjsip_evsub_user user = {
        .on_evsub_state = on_evsub_state,
        .on_tsx_state = on_tsx_state,
        .on_rx_notify = on_rx_notify,
        .on_client_refresh = on_client_refresh,
    };
    pj_str_t event = sc_read_text(reader);
    sc_reader once;
    uint32_t count;
    pj_status_t status;

    self->interval = self->refers ? REFER_SECONDS : sc_read_u32(reader);
    self->timeout = sc_read_u32(reader);
    once = *reader;
    if (self->refers)
        for (count = sc_read_u32(reader); count && !reader->failed; count--) {
            sc_read_text(reader);
            sc_read_text(reader);
        }
    status = keep_request(self, reader);
    if (status != PJ_SUCCESS)
        return status;
    status = pjsip_evsub_create_uac(dlg, &user, &event, PJSIP_EVSUB_NO_EVENT_ID, &self->sub);
    if (status != PJ_SUCCESS)
        return status; /* without a session the dialog goes when its lock is given back */
    pjsip_dlg_inc_session(dlg, &sc_core_module);
    self->dlg = dlg;
    self->step = create_timer(self);
    self->patience = create_timer(self);
    if (!self->step || !self->patience)
        return PJ_ENOMEM;
    self->listener = sc_listener_pin(dlg, NULL);
    pjsip_evsub_set_mod_data(self->sub, (unsigned)sc_core_module.id, self);
    sc_object_ref(self);
    sc_object_add(self);
    if (self->refers)
        status = refer(self, &once);
    else
        subscribe(self, self->interval);
    if (status != PJ_SUCCESS)
        sc_object_remove(self);
    return status;
}

static sc_serial create(sc_kind kind, sc_reader *reader, pj_pool_t *pool, pj_status_t *status)
{
    subscriber *self = sc_object_new(kind, sizeof(*self), destroy);
    pjsip_dialog *dlg = NULL;
    sc_serial serial = 0;

    *status = self ? sc_dialog_create(reader, pool, &dlg) : PJ_ENOMEM;
    if (*status == PJ_SUCCESS)
        *status = sc_credentials_read_dialog(reader, dlg);
    if (*status == PJ_SUCCESS) {
        self->refers = kind == SC_KIND_REFERRAL;
        self->told = -1;
        *status = start(self, dlg, reader);
        if (*status == PJ_SUCCESS)
            serial = (sc_serial)self->object.serial;
    }
    if (dlg)
        pjsip_dlg_dec_lock(dlg);
    sc_object_put(self);
    return serial;
}

sc_serial sc_subscriber_create(sc_kind kind, sc_bytes args, uint32_t size, sc_status status)
{
    sc_reader reader = sc_reader_init(args, size);
    sc_serial serial = 0;
    pj_status_t result = SC_EGONE;
    pj_pool_t *pool;

    if (sc_enter()) {
        pool = sc_pool_create("subscribe", 2048);
        result = PJ_ENOMEM;
        if (pool) {
            serial = create(kind, &reader, pool, &result);
            pj_pool_release(pool);
        }
        sc_leave();
    }
    if (status)
        *status = result;
    return serial;
}

/* Looks it up and locks its dialog; NULL when it has ended. */
static subscriber *take(sc_kind kind, sc_serial serial)
{
    subscriber *self = sc_take(serial, kind);

    if (!self)
        return NULL;
    pjsip_dlg_inc_lock(self->dlg);
    if (!self->over)
        return self;
    pjsip_dlg_dec_lock(self->dlg);
    sc_give_back(self);
    return NULL;
}

static void give_back(subscriber *self)
{
    /* The reference, which is given back last, is what keeps the dialog's memory. */
    pjsip_dlg_dec_lock(self->dlg);
    sc_give_back(self);
}

int32_t sc_subscriber_refresh(sc_kind kind, sc_serial serial, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    subscriber *self = take(kind, serial);
    pj_str_t contact;
    uint32_t timeout;
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    contact = sc_read_text(&reader);
    timeout = sc_read_u32(&reader);
    status = self->ending ? SC_EGONE : keep_request(self, &reader);
    if (status == PJ_SUCCESS)
        status = sc_dialog_set_contact(self->dlg, &contact);
    if (status == PJ_SUCCESS) {
        self->timeout = timeout;
        self->again = true;
        step(self);
    }
    give_back(self);
    return status;
}

int32_t sc_subscriber_end(sc_kind kind, sc_serial serial, uint32_t timeout)
{
    subscriber *self = take(kind, serial);

    if (!self)
        return SC_EGONE;
    if (!self->ending) {
        self->ending = self->again = true;
        self->timeout = timeout;
        tell_ending(self);
        if (self->tsx && timeout)
            arm(self, self->patience, TIMER_TIMEOUT, timeout);
        step(self);
    }
    give_back(self);
    return PJ_SUCCESS;
}

void sc_subscriber_abandon(void *object)
{
    subscriber *self = object;

    pjsip_dlg_inc_lock(self->dlg);
    self->over = true;
    disarm(self->step);
    disarm(self->patience);
    pjsip_evsub_set_mod_data(self->sub, (unsigned)sc_core_module.id, NULL);
    pjsip_evsub_terminate(self->sub, PJ_FALSE);
    pjsip_dlg_dec_lock(self->dlg);
}
