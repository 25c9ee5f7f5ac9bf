/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call goes out. */
#include "invitation_internal.h"

static pj_status_t create_dialog(sc_reader *reader, pj_pool_t *pool, pjsip_dialog **dlg, pj_str_t *sdp)
{
    pj_status_t status = sc_dialog_create(reader, pool, dlg);

    *sdp = sc_read_text_dup(reader, pool);
    return status == PJ_SUCCESS ? sc_credentials_read_dialog(reader, *dlg) : status;
}

/* Under the dialog's lock. On failure `inv` is gone again. The session copies the description out of `pool`. */
static pj_status_t send_invite(sc_call *self, pjsip_dialog *dlg, const pj_str_t *text, sc_reader *reader, pj_pool_t *pool)
{
    sc_session_timer timer = sc_read_session_timer(reader);
    pjmedia_sdp_session *sdp;
    pjsip_inv_session *inv;
    pjsip_tx_data *tdata;
    pj_status_t status;

    status = reader->failed ? SC_EARGS : sc_sdp_parse(pool, text, &sdp);
    if (status == PJ_SUCCESS)
        status = pjsip_inv_create_uac(dlg, sdp, 0, &inv);
    if (status != PJ_SUCCESS)
        return status; /* without a session the dialog goes when its lock is given back */
    pjsip_inv_add_ref(inv);
    self->inv = inv;
    sc_call_propose(self, text);
    sc_call_add_usages(dlg);
    self->listener = sc_listener_pin(dlg, NULL);
    status = sc_call_ask_for_timer(inv, &timer);
    if (status == PJ_SUCCESS)
        status = pjsip_inv_invite(inv, &tdata);
    if (status == PJ_SUCCESS) {
        sc_call_ask_for_refresher(tdata, &timer);
        status = sc_read_headers(reader, tdata->pool, tdata->msg);
        if (status != PJ_SUCCESS)
            pjsip_tx_data_dec_ref(tdata);
    }
    if (status != PJ_SUCCESS) {
        pjsip_inv_terminate(inv, PJSIP_SC_INTERNAL_SERVER_ERROR, PJ_FALSE);
        return status;
    }
    sc_call_attach(self);
    /* A failure to send comes as a change to "disconnected", as it does when the network fails later. */
    status = pjsip_inv_send_msg(inv, tdata);
    if (status != PJ_SUCCESS && inv->state != PJSIP_INV_STATE_DISCONNECTED) {
        sc_object_ref(self); /* for the one that the table gives back: the caller ends it as it does unsent ones */
        sc_call_detach(self);
        pjsip_inv_terminate(inv, PJSIP_SC_SERVICE_UNAVAILABLE, PJ_FALSE);
        return status;
    }
    return PJ_SUCCESS;
}

static sc_serial create(sc_reader *reader, pj_pool_t *pool, pj_status_t *status)
{
    sc_call *self = sc_call_new();
    pjsip_dialog *dlg = NULL;
    sc_serial serial = 0;
    pj_str_t sdp;

    *status = self ? create_dialog(reader, pool, &dlg, &sdp) : PJ_ENOMEM;
    if (*status == PJ_SUCCESS) {
        sc_object_ref(self);
        *status = send_invite(self, dlg, &sdp, reader, pool);
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
