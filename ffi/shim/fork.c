/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A proxy may send an INVITE to several phones, and more than one may take it. The first 2xx is the call; each later
 * one of another branch gets its ACK and then a BYE (RFC 3261, section 13.2.2.4), in a dialog of its own.
 */
#include "internal.h"

enum fork_state { FORK_NONE, FORK_TAKEN, FORK_LEFT };

static void send_request(pjsip_dialog *dlg, const pjsip_method *method, int cseq)
{
    pjsip_tx_data *tdata;

    if (pjsip_dlg_create_request(dlg, method, cseq, &tdata) == PJ_SUCCESS)
        pjsip_dlg_send_request(dlg, tdata, -1, NULL);
}

/* Under the dialog's lock. Every repetition of the 2xx gets its ACK. */
static pj_bool_t on_rx_response(pjsip_rx_data *rdata)
{
    pjsip_dialog *dlg = pjsip_rdata_get_dlg(rdata);
    const pjsip_cseq_hdr *cseq = rdata->msg_info.cseq;

    if (!dlg || dlg->mod_data[sc_fork_module.id] == (void *)FORK_NONE || cseq->method.id != PJSIP_INVITE_METHOD ||
        rdata->msg_info.msg->line.status.code / 100 != 2)
        return PJ_FALSE;
    send_request(dlg, pjsip_get_ack_method(), cseq->cseq);
    if (dlg->mod_data[sc_fork_module.id] == (void *)FORK_TAKEN) {
        dlg->mod_data[sc_fork_module.id] = (void *)FORK_LEFT;
        send_request(dlg, pjsip_get_bye_method(), -1);
        /* From here on the transaction of the BYE is what keeps the dialog. */
        pjsip_dlg_dec_session(dlg, &sc_fork_module);
    }
    return PJ_TRUE;
}

/* Under the lock of the user agent layer: nothing is sent from here. */
pjsip_dialog *sc_fork(pjsip_dialog *first, pjsip_rx_data *rdata)
{
    const pjsip_inv_session *inv = pjsip_dlg_get_inv_session(first);
    pjsip_dialog *dlg;

    if (rdata->msg_info.msg->line.status.code / 100 != 2 || (inv && inv->state < PJSIP_INV_STATE_CONNECTING))
        return first;
    if (pjsip_dlg_fork(first, rdata, &dlg) != PJ_SUCCESS)
        return NULL;
    /* First of all: the end of any call that locks the dialog would destroy one without a session. */
    pjsip_dlg_inc_session(dlg, &sc_fork_module);
    if (pj_list_empty(&dlg->route_set))
        pjsip_dlg_set_route_set(dlg, &first->route_set);
    pjsip_dlg_add_usage(dlg, &sc_fork_module, (void *)FORK_TAKEN);
    return dlg;
}

pjsip_module sc_fork_module = {
    .name = { "mod-sc-fork", 11 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_DIALOG_USAGE,
    .on_rx_response = on_rx_response,
};
