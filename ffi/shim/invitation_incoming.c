/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call comes in. */
#include "invitation_internal.h"

static void respond(pjsip_rx_data *rdata, int code)
{
    pjsip_endpt_respond(sc_engine.endpt, &sc_core_module, rdata, code, NULL, NULL, NULL, NULL);
}

/* With what pjsip has prepared, if it has. */
static void refuse(pjsip_rx_data *rdata, pjsip_tx_data *tdata)
{
    pjsip_response_addr address;

    if (!tdata) {
        respond(rdata, PJSIP_SC_INTERNAL_SERVER_ERROR);
    } else if (pjsip_get_response_addr(tdata->pool, rdata, &address) != PJ_SUCCESS ||
               pjsip_endpt_send_response(sc_engine.endpt, &address, tdata, NULL, NULL) != PJ_SUCCESS) {
        pjsip_tx_data_dec_ref(tdata);
    }
}

static bool supports_prack(const pjsip_msg *msg)
{
    static const int types[] = { PJSIP_H_SUPPORTED, PJSIP_H_REQUIRE };
    unsigned i, k;

    for (i = 0; i < PJ_ARRAY_SIZE(types); i++) {
        const pjsip_generic_array_hdr *header = pjsip_msg_find_hdr(msg, types[i], NULL);

        for (k = 0; header && k < header->count; k++)
            if (!pj_stricmp2(&header->values[k], "100rel"))
                return true;
    }
    return false;
}

/* Where in the message the offer stands (offset and size; 0, 0: nowhere, or in a part of the body). */
static void record_sdp_place(sc_record *record, pjsip_rx_data *rdata)
{
    const pj_str_t body = pjsip_rdata_get_sdp_info(rdata)->body;
    const char *start = rdata->msg_info.msg_buf;
    bool plain = body.slen > 0 && rdata->msg_info.msg->body && body.ptr == rdata->msg_info.msg->body->data &&
                 body.ptr >= start && body.ptr + body.slen <= start + rdata->msg_info.len;

    sc_record_u32(record, plain ? (uint32_t)(body.ptr - start) : 0);
    sc_record_u32(record, plain ? (uint32_t)body.slen : 0);
}

/* Under the dialog's lock. */
static void announce(sc_call *self, const pj_str_t *contact, pjsip_rx_data *rdata)
{
    sc_record record;

    sc_call_note_timer(self, rdata);
    self->supports_prack = supports_prack(rdata->msg_info.msg);
    self->unanswered = true;
    sc_admission_enter();
    sc_call_attach(self);
    sc_record_init(&record, SC_RECORD_INVITATION_INCOMING, self->object.serial);
    sc_record_str(&record, &self->inv->dlg->local.info->tag);
    sc_record_str(&record, contact);
    sc_record_rdata(&record, rdata);
    record_sdp_place(&record, rdata);
    sc_record_push(&record, false);
}

void sc_invitation_on_invite(pjsip_rx_data *rdata)
{
    unsigned options = PJSIP_INV_SUPPORT_100REL | PJSIP_INV_SUPPORT_TIMER;
    pjsip_tx_data *tdata = NULL;
    pjsip_dialog *dlg, *replaced;
    pjsip_inv_session *inv;
    sc_call *self;
    pj_str_t contact;

    if (pjsip_inv_verify_request2(rdata, &options, NULL, NULL, NULL, sc_engine.endpt, &tdata) != PJ_SUCCESS ||
        /* The call that it replaces is the program's to end. */
        pjsip_replaces_verify_request(rdata, &replaced, PJ_FALSE, &tdata) != PJ_SUCCESS) {
        refuse(rdata, tdata);
        return;
    }
    if (!sc_timer_is_acceptable(rdata)) {
        sc_timer_refuse(rdata);
        return;
    }
    contact = sc_dialog_contact(rdata);
    if (!contact.slen ||
        pjsip_dlg_create_uas_and_inc_lock(pjsip_ua_instance(), rdata, &contact, &dlg) != PJ_SUCCESS) {
        respond(rdata, PJSIP_SC_BAD_REQUEST);
        return;
    }
    self = sc_call_new();
    if (!self || pjsip_inv_create_uas(dlg, rdata, NULL, options, &inv) != PJ_SUCCESS) {
        pjsip_dlg_respond(dlg, rdata, PJSIP_SC_INTERNAL_SERVER_ERROR, NULL, NULL, NULL);
        pjsip_dlg_dec_lock(dlg);
        sc_object_put(self);
        return;
    }
    pjsip_inv_add_ref(inv);
    self->inv = inv;
    sc_call_add_usages(dlg);
    self->listener = sc_listener_pin(dlg, rdata->tp_info.transport);
    announce(self, &contact, rdata);
    /* What all answers are made of. The session has a reference of its own. */
    if (pjsip_inv_initial_answer(inv, rdata, PJSIP_SC_TRYING, NULL, NULL, &tdata) == PJ_SUCCESS) {
        pjsip_tx_data_dec_ref(tdata);
        sc_call_wait_for_answer(self);
    } else {
        pjsip_inv_terminate(inv, PJSIP_SC_INTERNAL_SERVER_ERROR, PJ_TRUE);
    }
    pjsip_dlg_dec_lock(dlg);
}
