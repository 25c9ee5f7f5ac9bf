/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests outside dialogs: who gets them, and what is answered when nobody wants them. */
#include "internal.h"

void sc_add_capabilities(pjsip_tx_data *tdata)
{
    static const int names[] = { PJSIP_H_ALLOW, PJSIP_H_ACCEPT, PJSIP_H_SUPPORTED };
    int code = tdata->msg->line.status.code;
    unsigned count = code == PJSIP_SC_OK ? PJ_ARRAY_SIZE(names) : code == PJSIP_SC_METHOD_NOT_ALLOWED ? 1 : 0, i;

    for (i = 0; i < count; i++) {
        const pjsip_hdr *capability = pjsip_endpt_get_capability(sc_engine.endpt, names[i], NULL);

        if (capability && !pjsip_msg_find_hdr(tdata->msg, names[i], NULL))
            pjsip_msg_add_hdr(tdata->msg, (pjsip_hdr *)pjsip_hdr_clone(tdata->pool, capability));
    }
}

static void answer(pjsip_rx_data *rdata, int code)
{
    pjsip_tx_data *tdata;
    pjsip_transaction *tsx;

    if (pjsip_endpt_create_response(sc_engine.endpt, rdata, code, NULL, &tdata) != PJ_SUCCESS)
        return;
    sc_add_capabilities(tdata);
    if (pjsip_tsx_create_uas2(&sc_core_module, rdata, NULL, &tsx) != PJ_SUCCESS) {
        pjsip_tx_data_dec_ref(tdata);
        return;
    }
    pjsip_tsx_recv_msg(tsx, rdata);
    if (pjsip_tsx_send_msg(tsx, tdata) != PJ_SUCCESS)
        pjsip_tx_data_dec_ref(tdata);
}

static pj_bool_t on_rx_request(pjsip_rx_data *rdata)
{
    const pjsip_method *method = &rdata->msg_info.msg->line.req.method;

    if (method->id == PJSIP_ACK_METHOD)
        return PJ_TRUE; /* of a call that is gone: nothing to say */
    if (method->id == PJSIP_INVITE_METHOD)
        sc_invitation_on_invite(rdata);
    else if (method->id == PJSIP_CANCEL_METHOD || method->id == PJSIP_BYE_METHOD)
        answer(rdata, PJSIP_SC_CALL_TSX_DOES_NOT_EXIST);
    else if (sc_incoming_request_wants(method))
        sc_incoming_request_on_request(rdata);
    else if (method->id == PJSIP_OPTIONS_METHOD)
        answer(rdata, PJSIP_SC_OK);
    else
        answer(rdata, PJSIP_SC_METHOD_NOT_ALLOWED);
    return PJ_TRUE;
}

pjsip_module sc_core_module = {
    .name = { "mod-sc-core", 11 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_APPLICATION,
    .on_rx_request = on_rx_request,
};
