/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call goes out. */
#include "invitation_internal.h"

static pj_status_t set_route(pjsip_dialog *dlg, const pj_str_t *route)
{
    pjsip_route_hdr set, *header;
    pj_str_t text;
    const pj_str_t name = { "Route", 5 };

    if (!route->slen)
        return PJ_SUCCESS;
    pj_strdup_with_null(dlg->pool, &text, route);
    header = pjsip_parse_hdr(dlg->pool, &name, text.ptr, (pj_size_t)text.slen, NULL);
    if (!header)
        return PJSIP_EINVALIDHDR;
    pj_list_init(&set);
    pj_list_push_back(&set, header);
    return pjsip_dlg_set_route_set(dlg, &set);
}

/* pjsip takes addresses alone: this puts in what stands behind one, but for the tag, which the dialog makes. */
static pj_status_t set_parameters(pjsip_dialog *dlg, pj_pool_t *pool, const pj_str_t *name, const pj_str_t *text,
                                  pjsip_fromto_hdr *info)
{
    pjsip_fromto_hdr *header = pjsip_parse_hdr(pool, name, text->ptr, (pj_size_t)text->slen, NULL);

    if (!header)
        return PJSIP_EINVALIDHDR;
    pjsip_param_clone(dlg->pool, &info->other_param, &header->other_param);
    return PJ_SUCCESS;
}

static pj_status_t create_dialog(sc_reader *reader, pj_pool_t *pool, pjsip_dialog **dlg, pj_str_t *sdp)
{
    static const pj_str_t from_name = { "From", 4 }, to_name = { "To", 2 };
    pj_str_t target = sc_read_text_dup(reader, pool);
    pj_str_t from = sc_read_text_dup(reader, pool);
    pj_str_t whole_from = sc_read_text_dup(reader, pool);
    pj_str_t to = sc_read_text_dup(reader, pool);
    pj_str_t whole_to = sc_read_text_dup(reader, pool);
    pj_str_t contact = sc_read_text_dup(reader, pool);
    pj_str_t route = sc_read_text_dup(reader, pool);
    pj_str_t tls_name = sc_read_text_dup(reader, pool);
    pj_status_t status;

    *sdp = sc_read_text_dup(reader, pool);
    if (reader->failed)
        return SC_EARGS;
    status = pjsip_dlg_create_uac(pjsip_ua_instance(), &from, &contact, &to, &target, dlg);
    if (status != PJ_SUCCESS)
        return status;
    pjsip_dlg_inc_lock(*dlg);
    status = set_parameters(*dlg, pool, &from_name, &whole_from, (*dlg)->local.info);
    if (status == PJ_SUCCESS)
        status = set_parameters(*dlg, pool, &to_name, &whole_to, (*dlg)->remote.info);
    if (status == PJ_SUCCESS)
        status = set_route(*dlg, &route);
    if (tls_name.slen)
        pj_strdup((*dlg)->pool, &(*dlg)->initial_dest, &tls_name);
    if (status == PJ_SUCCESS)
        status = sc_credentials_read_dialog(reader, *dlg);
    return status;
}

/* Under the dialog's lock. On failure `inv` is gone again. */
static pj_status_t send_invite(sc_call *self, pjsip_dialog *dlg, const pj_str_t *text, sc_reader *reader)
{
    sc_session_timer timer = sc_read_session_timer(reader);
    pjmedia_sdp_session *sdp;
    pjsip_inv_session *inv;
    pjsip_tx_data *tdata;
    pj_status_t status;

    status = reader->failed ? SC_EARGS : sc_sdp_parse(dlg->pool, text, &sdp);
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
        *status = send_invite(self, dlg, &sdp, reader);
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
