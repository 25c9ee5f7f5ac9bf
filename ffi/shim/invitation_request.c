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

void sc_call_on_request(sc_call *self, pjsip_transaction *tsx, pjsip_rx_data *rdata)
{
    int code = tsx->method.id == PJSIP_OPTIONS_METHOD ? PJSIP_SC_OK : PJSIP_SC_METHOD_NOT_ALLOWED;

    answer(self->inv->dlg, tsx, rdata, code);
}
