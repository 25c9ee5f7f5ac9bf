/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sys/queue.h>

#include "incoming_request.h"
#include "internal.h"

typedef struct request {
    sc_object object;
    pjsip_transaction *tsx;
    pjsip_dialog *dlg;       /* of a request within one, which the transaction keeps */
    pjsip_tx_data *response; /* made when the request came, so that nothing of it has to be kept */
    atomic_bool answered;
    pj_time_val due;
    bool waits; /* in `waiting`; this and the entry under waiting_mutex */
    TAILQ_ENTRY(request) entry;
} request;

static pthread_mutex_t waiting_mutex = PTHREAD_MUTEX_INITIALIZER;
/* In order of arrival. Not pj_list, whose links must be the first members, where the object stands. */
static TAILQ_HEAD(, request) waiting = TAILQ_HEAD_INITIALIZER(waiting);

static sc_name_set methods = SC_NAME_SET_INITIALIZER;

pj_status_t sc_incoming_request_methods(sc_reader *reader)
{
    return sc_name_set_read(&methods, reader);
}

bool sc_incoming_request_wants(const pjsip_method *method)
{
    return sc_name_set_has(&methods, &method->name);
}

unsigned sc_incoming_request_list(pj_pool_t *pool, pj_str_t names[], unsigned capacity)
{
    return sc_name_set_copy(&methods, pool, names, capacity);
}

static void wait_for_answer(request *self)
{
    /* As long as transactions live (64*T1, 32 s); who has not answered by then never will. */
    pj_gettickcount(&self->due);
    self->due.msec += (long)pjsip_cfg()->tsx.td;
    pj_time_val_normalize(&self->due);
    pthread_mutex_lock(&waiting_mutex);
    TAILQ_INSERT_TAIL(&waiting, self, entry);
    self->waits = true;
    sc_admission_enter();
    pthread_mutex_unlock(&waiting_mutex);
}

/* With waiting_mutex held; quiet the second time. */
static void remove_waiting(request *self)
{
    if (!self->waits)
        return;
    TAILQ_REMOVE(&waiting, self, entry);
    self->waits = false;
    sc_admission_leave();
}

static void leave_waiting(request *self)
{
    pthread_mutex_lock(&waiting_mutex);
    remove_waiting(self);
    pthread_mutex_unlock(&waiting_mutex);
}

static void destroy(sc_object *object)
{
    request *self = (request *)object;

    leave_waiting(self);
    if (!atomic_exchange(&self->answered, true))
        pjsip_tx_data_dec_ref(self->response);
    pj_grp_lock_dec_ref(self->tsx->grp_lock);
}

/* `dlg`: the dialog of a request within one, or NULL. NULL: it was answered 500. */
static request *take_up(pjsip_transaction *tsx, pjsip_dialog *dlg, pjsip_rx_data *rdata)
{
    request *self = sc_object_new(SC_KIND_INCOMING_REQUEST, sizeof(*self), destroy);
    pj_status_t status = self ? PJ_SUCCESS : PJ_ENOMEM;

    if (self)
        status = dlg ? pjsip_dlg_create_response(dlg, rdata, PJSIP_SC_OK, NULL, &self->response)
                     : pjsip_endpt_create_response(sc_engine.endpt, rdata, PJSIP_SC_OK, NULL, &self->response);
    if (status != PJ_SUCCESS) {
        if (self) {
            self->object.destroy = NULL;
            sc_object_put(self);
        }
        pjsip_tsx_terminate(tsx, PJSIP_SC_INTERNAL_SERVER_ERROR);
        return NULL;
    }
    self->tsx = tsx;
    self->dlg = dlg;
    pj_grp_lock_add_ref(tsx->grp_lock);
    sc_object_add(self);
    wait_for_answer(self);
    return self;
}

static void announce(request *self, pjsip_rx_data *rdata)
{
    sc_record record;

    if (!self)
        return;
    sc_record_init(&record, SC_RECORD_INCOMING_REQUEST, self->object.serial);
    sc_record_rdata(&record, rdata);
    sc_record_push(&record, false);
}

void sc_incoming_request_on_request(pjsip_rx_data *rdata)
{
    pjsip_transaction *tsx;

    if (pjsip_tsx_create_uas2(&sc_core_module, rdata, NULL, &tsx) != PJ_SUCCESS)
        return; /* no memory or a broken Via: the peer sends it again */
    pjsip_tsx_recv_msg(tsx, rdata);
    announce(take_up(tsx, NULL, rdata), rdata);
}

void sc_incoming_request_in_dialog(pjsip_dialog *dlg, pjsip_transaction *tsx, pjsip_rx_data *rdata)
{
    announce(take_up(tsx, dlg, rdata), rdata);
}

uint64_t sc_incoming_request_take_up(pjsip_dialog *dlg, pjsip_transaction *tsx, pjsip_rx_data *rdata)
{
    request *self = take_up(tsx, dlg, rdata);

    return self ? self->object.serial : 0;
}

/* Gives the response away. */
static pj_status_t send_response(request *self)
{
    pjsip_transaction *tsx = self->tsx;
    pj_status_t status = PJ_EINVALIDOP;

    if (self->dlg) {
        /* The lock is the dialog's as well. A transaction that is over keeps no dialog. */
        pj_grp_lock_acquire(tsx->grp_lock);
        if (tsx->state < PJSIP_TSX_STATE_COMPLETED)
            status = pjsip_dlg_send_response(self->dlg, tsx, self->response);
        else
            pjsip_tx_data_dec_ref(self->response);
        pj_grp_lock_release(tsx->grp_lock);
        return status;
    }
    status = pjsip_tsx_send_msg(tsx, self->response);
    if (status != PJ_SUCCESS)
        pjsip_tx_data_dec_ref(self->response);
    return status;
}

/* Fills the prepared response and sends it; the caller is the one that set `answered`. */
static pj_status_t send_answer(request *self, uint32_t code, sc_reader *reader)
{
    pjsip_tx_data *response = self->response;
    pj_status_t status = PJ_SUCCESS;
    pj_str_t reason;

    response->msg->line.status.code = (int)code;
    response->msg->line.status.reason = *pjsip_get_status_text((int)code);
    if (reader) {
        reason = sc_read_text_dup(reader, response->pool);
        if (reason.slen)
            response->msg->line.status.reason = reason;
        status = sc_read_headers(reader, response->pool, response->msg);
        if (status == PJ_SUCCESS)
            status = sc_read_body(reader, response->pool, response->msg);
    }
    if (status == PJ_SUCCESS)
        status = send_response(self);
    else
        pjsip_tx_data_dec_ref(response);
    if (status != PJ_SUCCESS) {
        pjsip_tsx_terminate(self->tsx, PJSIP_SC_INTERNAL_SERVER_ERROR);
    }
    return status;
}

static pj_status_t finish(request *self, uint32_t code, sc_reader *reader)
{
    pj_status_t status;

    if (atomic_exchange(&self->answered, true))
        return SC_EGONE;
    leave_waiting(self);
    status = send_answer(self, code, reader);
    sc_object_remove(self);
    return status;
}

int32_t sc_incoming_request_answer(sc_incoming_request serial, uint32_t code, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    pj_status_t status;
    request *self;

    if (code < 200 || code > 699)
        return SC_EARGS;
    self = sc_take(serial, SC_KIND_INCOMING_REQUEST);
    if (!self)
        return SC_EGONE;
    status = finish(self, code, &reader);
    sc_give_back(self);
    return status;
}

void sc_incoming_request_sweep(void)
{
    pj_time_val now;
    sc_record record;
    request *self;

    pj_gettickcount(&now);
    do {
        pthread_mutex_lock(&waiting_mutex);
        self = TAILQ_FIRST(&waiting);
        if (self && PJ_TIME_VAL_GT(self->due, now))
            self = NULL;
        if (self) {
            sc_object_ref(self);
            remove_waiting(self);
        }
        pthread_mutex_unlock(&waiting_mutex);
        if (self) {
            if (finish(self, PJSIP_SC_INTERNAL_SERVER_ERROR, NULL) != SC_EGONE) {
                sc_record_init(&record, SC_RECORD_INCOMING_REQUEST_EXPIRED, self->object.serial);
                sc_record_push(&record, false);
            }
            sc_object_put(self);
        }
    } while (self);
}
