/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests within the call that are none of its session's. */
#include "invitation_internal.h"

/* Left alone the dialog would answer 500. */
static void answer(pjsip_dialog *dlg, pjsip_transaction *tsx, pjsip_rx_data *rdata, int code)
{
    pjsip_tx_data *tdata;

    if (pjsip_dlg_create_response(dlg, rdata, code, NULL, &tdata) != PJ_SUCCESS)
        return;
    sc_add_capabilities(tdata);
    pjsip_dlg_send_response(dlg, tsx, tdata);
}

static bool is_of_invitation(const pjsip_method *method)
{
    return !pj_strcmp2(&method->name, "MESSAGE") || !pj_strcmp2(&method->name, "INFO");
}

void sc_call_on_request(sc_call *self, pjsip_transaction *tsx, pjsip_rx_data *rdata)
{
    const pjsip_method *method = &tsx->method;
    sc_record record;

    if (is_of_invitation(method)) {
        sc_record_init(&record, SC_RECORD_INVITATION_REQUEST, self->object.serial);
        sc_record_rdata(&record, rdata);
        sc_record_push(&record, false);
        answer(self->inv->dlg, tsx, rdata, PJSIP_SC_OK);
    } else if (sc_call_is_transfer_method(method)) {
        int code = sc_call_on_transfer_request(self, tsx, rdata);

        if (code)
            answer(self->inv->dlg, tsx, rdata, code);
    } else if (sc_incoming_request_wants(method)) {
        if (sc_admission_has_room())
            sc_incoming_request_in_dialog(self->inv->dlg, tsx, rdata);
        else
            answer(self->inv->dlg, tsx, rdata, PJSIP_SC_SERVICE_UNAVAILABLE);
    } else {
        answer(self->inv->dlg, tsx, rdata,
               method->id == PJSIP_OPTIONS_METHOD ? PJSIP_SC_OK : PJSIP_SC_METHOD_NOT_ALLOWED);
    }
}

static pj_status_t send_request(sc_call *self, sc_reader *reader)
{
    pjsip_inv_session *inv = self->inv;
    pj_str_t name = sc_read_text(reader);
    pjsip_method method;
    pjsip_tx_data *tdata;
    pj_status_t status;

    if (reader->failed || !name.slen)
        return SC_EARGS;
    if (inv->state < PJSIP_INV_STATE_EARLY || inv->state >= PJSIP_INV_STATE_DISCONNECTED || self->ending)
        return SC_EGONE;
    pjsip_method_init(&method, inv->dlg->pool, &name);
    status = pjsip_dlg_create_request(inv->dlg, &method, -1, &tdata);
    if (status != PJ_SUCCESS)
        return status;
    status = sc_read_headers(reader, tdata->pool, tdata->msg);
    if (status == PJ_SUCCESS)
        status = sc_read_body(reader, tdata->pool, tdata->msg);
    if (status != PJ_SUCCESS) {
        pjsip_tx_data_dec_ref(tdata);
        return status;
    }
    /* The session answers a challenge, and hangs up where the peer is lost. */
    return pjsip_inv_send_msg(inv, tdata);
}

int32_t sc_invitation_send_request(sc_invitation serial, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    sc_call *self = sc_call_take(serial);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = send_request(self, &reader);
    sc_call_give_back(self);
    return status;
}
