/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"
#include "request.h"

/* What a peer may pile up while JavaScript is busy: nobody needs more of them. */
#define MAX_PROVISIONALS 1000

typedef struct {
    sc_object object;
    pjsip_tx_data *tdata;
    pjsip_auth_clt_sess session;
    pj_pool_t *pool; /* of the session; NULL without credentials, and when they have been used */
    uint32_t cseq;
    unsigned provisionals;
    pthread_mutex_t mutex;  /* a leaf, of what follows */
    pjsip_transaction *tsx; /* the lock of which is held by a reference: it keeps the memory */
    bool ended;             /* by JavaScript: no challenge is answered any more */
} request;

/* The request that this thread is sending: what fails meanwhile is told by the status of the call. */
static __thread const request *sending;

static void forget_credentials(request *self)
{
    if (!self->pool)
        return;
    pjsip_auth_clt_deinit(&self->session);
    pj_pool_release(self->pool);
    self->pool = NULL;
}

static void destroy(sc_object *object)
{
    request *self = (request *)object;

    forget_credentials(self);
    if (self->tsx) {
        self->tsx->mod_data[sc_request_module.id] = NULL;
        pj_grp_lock_dec_ref(self->tsx->grp_lock);
    }
    if (self->tdata)
        pjsip_tx_data_dec_ref(self->tdata);
    pthread_mutex_destroy(&self->mutex);
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

/* `rdata`: NULL for what happened on this side. */
static void record_response(const request *self, int code, const pj_str_t *reason, const pjsip_rx_data *rdata)
{
    char local[SC_CONNECTION_SIZE] = "";
    sc_record record;

    sc_record_init(&record, SC_RECORD_REQUEST_RESPONSE, self->object.serial);
    sc_record_u32(&record, (uint32_t)code);
    sc_record_u32(&record, self->cseq);
    if (rdata) {
        sc_connection_print(rdata->tp_info.transport, local);
        sc_record_text(&record, "");
        sc_record_text(&record, local);
        sc_record_rdata(&record, rdata);
    } else {
        sc_record_str(&record, reason);
        sc_record_text(&record, "");
        sc_record_no_message(&record);
    }
    sc_record_push(&record, false);
}

/* The last record; only a reference of the caller's keeps it after this. */
static void finish(request *self, int code, const pj_str_t *reason, const pjsip_rx_data *rdata)
{
    record_response(self, code, reason, rdata);
    sc_object_remove(self);
}

/* ---- sending ------------------------------------------------------------------------------------------------------- */

/*
 * Sends what stands in `tdata` in a transaction of its own. The lock of the transaction is held and referred to all the
 * while: one that fails at once may be destroyed by the SIP thread before pjsip 2.17 is done with it.
 */
static pj_status_t transmit(request *self)
{
    pjsip_transaction *tsx, *old;
    pj_status_t status = pjsip_tsx_create_uac(&sc_request_module, self->tdata, &tsx);
    bool ended;

    if (status != PJ_SUCCESS)
        return status;
    pj_grp_lock_add_ref(tsx->grp_lock);
    pj_grp_lock_acquire(tsx->grp_lock);
    tsx->mod_data[sc_request_module.id] = self;
    pthread_mutex_lock(&self->mutex);
    old = self->tsx;
    self->tsx = tsx;
    ended = self->ended;
    pthread_mutex_unlock(&self->mutex);
    if (old)
        pj_grp_lock_dec_ref(old->grp_lock);
    if (ended) {
        pjsip_tsx_terminate(tsx, PJSIP_SC_REQUEST_TIMEOUT);
    } else {
        sending = self;
        pjsip_tx_data_add_ref(self->tdata);
        status = pjsip_tsx_send_msg(tsx, NULL);
        sending = NULL;
        if (status != PJ_SUCCESS) {
            tsx->mod_data[sc_request_module.id] = NULL;
            pjsip_tx_data_dec_ref(self->tdata);
            pjsip_tsx_terminate(tsx, PJSIP_SC_SERVICE_UNAVAILABLE);
        }
    }
    pj_grp_lock_release(tsx->grp_lock);
    return status;
}

static pj_status_t create_tdata(pjsip_tx_data **tdata)
{
    pj_status_t status = pjsip_endpt_create_tdata(sc_engine.endpt, tdata);

    if (status != PJ_SUCCESS)
        return status;
    pjsip_tx_data_add_ref(*tdata);
    (*tdata)->msg = pjsip_msg_create((*tdata)->pool, PJSIP_REQUEST_MSG);
    return PJ_SUCCESS;
}

/* Of a request, which pjsip_tx_data_clone() makes a response. */
static pj_status_t clone_tdata(const pjsip_tx_data *source, pjsip_tx_data **clone)
{
    pj_status_t status = create_tdata(clone);
    const pjsip_hdr *header;
    pj_pool_t *pool;
    pjsip_msg *msg;

    if (status != PJ_SUCCESS)
        return status;
    pool = (*clone)->pool;
    msg = (*clone)->msg;
    pjsip_method_copy(pool, &msg->line.req.method, &source->msg->line.req.method);
    msg->line.req.uri = pjsip_uri_clone(pool, source->msg->line.req.uri);
    for (header = source->msg->hdr.next; header != &source->msg->hdr; header = header->next)
        pjsip_msg_add_hdr(msg, pjsip_hdr_clone(pool, header));
    if (source->msg->body)
        msg->body = pjsip_msg_body_clone(pool, source->msg->body);
    pj_strdup(pool, &(*clone)->dest_info.name, &source->dest_info.name);
    return PJ_SUCCESS;
}

/* ---- what comes back --------------------------------------------------------------------------------------------------- */

/*
 * False: the challenge is the response. Of the request a clone goes out: the transaction layer, and a connection that is
 * slow, may still be sending the first one.
 */
static bool answer_challenge(request *self, pjsip_rx_data *rdata)
{
    pjsip_tx_data *tdata, *same;
    pj_status_t status;

    if (!self->pool)
        return false;
    sc_credentials_choose(&self->session, rdata->msg_info.msg);
    if (clone_tdata(self->tdata, &tdata) != PJ_SUCCESS)
        return false;
    status = pjsip_auth_clt_reinit_req(&self->session, rdata, tdata, &same);
    /* Once: whoever refuses what they gave will refuse it again. */
    forget_credentials(self);
    if (status == PJ_SUCCESS)
        pjsip_tx_data_dec_ref(same);
    if (status != PJ_SUCCESS) {
        pjsip_tx_data_dec_ref(tdata);
        return false;
    }
    sc_credentials_replace(tdata->pool, tdata->msg);
    ((pjsip_cseq_hdr *)pjsip_msg_find_hdr(tdata->msg, PJSIP_H_CSEQ, NULL))->cseq = (pj_int32_t)++self->cseq;
    pjsip_tx_data_dec_ref(self->tdata);
    self->tdata = tdata;
    status = transmit(self);
    if (status != PJ_SUCCESS) {
        char text[PJ_ERR_MSG_SIZE];
        pj_str_t reason = pj_strerror(status, text, sizeof(text));

        finish(self, 0, &reason, NULL);
    }
    return true;
}

static void on_tsx_state(pjsip_transaction *tsx, pjsip_event *event)
{
    request *self = tsx->mod_data[sc_request_module.id];
    pjsip_rx_data *rdata = NULL;
    int code = tsx->status_code;

    if (event->body.tsx_state.type == PJSIP_EVENT_RX_MSG)
        rdata = event->body.tsx_state.src.rdata;
    if (!self || (self == sending && !rdata))
        return;
    if (code < 200) {
        if (rdata && self->provisionals++ < MAX_PROVISIONALS)
            record_response(self, code, NULL, rdata);
        return;
    }
    /* From here on this transaction has nothing more to say. */
    tsx->mod_data[sc_request_module.id] = NULL;
    sc_object_ref(self);
    if (!rdata || (code != PJSIP_SC_UNAUTHORIZED && code != PJSIP_SC_PROXY_AUTHENTICATION_REQUIRED) ||
        !answer_challenge(self, rdata))
        finish(self, code, &tsx->status_text, rdata);
    sc_object_put(self);
}

pjsip_module sc_request_module = {
    .name = { "mod-sc-request", 14 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_APPLICATION,
    .on_tsx_state = on_tsx_state,
};

/* ---- what JavaScript does with it ------------------------------------------------------------------------------------------ */

static pj_status_t add_route(pjsip_tx_data *tdata, pj_str_t *text)
{
    const pj_str_t name = { "Route", 5 };
    pjsip_hdr *route = pjsip_parse_hdr(tdata->pool, &name, text->ptr, (pj_size_t)text->slen, NULL);

    if (!route)
        return PJSIP_EINVALIDHDR;
    pjsip_msg_add_hdr(tdata->msg, route);
    return PJ_SUCCESS;
}

/* From, To and Contact go out as they were written: nobody here reads them. */
static pj_status_t read_request(request *self, sc_reader *reader)
{
    pjsip_tx_data *tdata = self->tdata;
    pj_pool_t *pool = tdata->pool;
    pjsip_msg *msg = tdata->msg;
    pj_str_t method = sc_read_text_dup(reader, pool);
    pj_str_t uri = sc_read_text(reader);
    pj_str_t route = sc_read_text_dup(reader, pool);
    pj_str_t tls_name = sc_read_text(reader);
    pj_str_t call_id = sc_read_text_dup(reader, pool);
    pjsip_cid_hdr *cid;
    pjsip_cseq_hdr *cseq;
    pj_status_t status;

    self->cseq = sc_read_u32(reader);
    if (reader->failed || !method.slen || self->cseq > 0x7fffffff)
        return SC_EARGS;
    pjsip_method_init_np(&msg->line.req.method, &method);
    if (msg->line.req.method.id == PJSIP_ACK_METHOD || msg->line.req.method.id == PJSIP_CANCEL_METHOD)
        return SC_EARGS;
    msg->line.req.uri = sc_parse_uri(pool, &uri);
    if (!msg->line.req.uri)
        return PJSIP_EINVALIDURI;
    pj_strdup(pool, &tdata->dest_info.name, &tls_name);
    pjsip_msg_add_hdr(msg, (pjsip_hdr *)pjsip_max_fwd_hdr_create(pool, PJSIP_MAX_FORWARDS_VALUE));
    cid = pjsip_cid_hdr_create(pool);
    cid->id = call_id;
    pjsip_msg_add_hdr(msg, (pjsip_hdr *)cid);
    cseq = pjsip_cseq_hdr_create(pool);
    cseq->cseq = (pj_int32_t)self->cseq;
    cseq->method = msg->line.req.method;
    pjsip_msg_add_hdr(msg, (pjsip_hdr *)cseq);
    status = add_route(tdata, &route);
    if (status == PJ_SUCCESS)
        status = sc_read_headers(reader, pool, msg);
    if (status == PJ_SUCCESS)
        status = sc_read_body(reader, pool, msg);
    return status;
}

static pj_status_t read_credentials(request *self, sc_reader *reader)
{
    pj_status_t status;

    if (!sc_credentials_are_next(reader))
        return PJ_SUCCESS;
    self->pool = sc_pool_create("credentials", 512);
    if (!self->pool)
        return PJ_ENOMEM;
    status = pjsip_auth_clt_init(&self->session, sc_engine.endpt, self->pool, 0);
    return status == PJ_SUCCESS ? sc_credentials_read(reader, &self->session) : status;
}

static sc_serial create(sc_reader *reader, pj_status_t *status)
{
    request *self = sc_object_new(SC_KIND_REQUEST, sizeof(*self), destroy);
    sc_serial serial = 0;

    *status = PJ_ENOMEM;
    if (!self)
        return 0;
    pthread_mutex_init(&self->mutex, NULL);
    *status = create_tdata(&self->tdata);
    if (*status == PJ_SUCCESS)
        *status = read_request(self, reader);
    if (*status == PJ_SUCCESS)
        *status = read_credentials(self, reader);
    if (*status == PJ_SUCCESS) {
        /* Before it is sent: the answer may be faster than this thread. */
        sc_object_ref(self);
        serial = sc_object_add(self);
        *status = transmit(self);
        if (*status != PJ_SUCCESS) {
            sc_object_remove(self);
            serial = 0;
        }
    }
    sc_object_put(self);
    return serial;
}

sc_request sc_request_create(sc_bytes args, uint32_t size, sc_status status)
{
    sc_reader reader = sc_reader_init(args, size);
    pj_status_t result = SC_EGONE;
    sc_serial serial = 0;

    if (sc_enter()) {
        serial = create(&reader, &result);
        sc_leave();
    }
    if (status)
        *status = result;
    return serial;
}

int32_t sc_request_end(sc_request serial)
{
    request *self = sc_take(serial, SC_KIND_REQUEST);
    pjsip_transaction *tsx;

    if (!self)
        return SC_EGONE;
    pthread_mutex_lock(&self->mutex);
    self->ended = true;
    tsx = self->tsx;
    pj_grp_lock_add_ref(tsx->grp_lock);
    pthread_mutex_unlock(&self->mutex);
    pjsip_tsx_terminate(tsx, PJSIP_SC_REQUEST_TIMEOUT);
    pj_grp_lock_dec_ref(tsx->grp_lock);
    sc_give_back(self);
    return PJ_SUCCESS;
}
