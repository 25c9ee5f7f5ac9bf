/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACK of our INVITE. It leaves at once, unless the 2xx has brought an offer: then the program's answer goes with
 * it (RFC 3261, section 13.2.1). That of an offer in a provisional response goes with its PRACK.
 */
#include "invitation_internal.h"

static pj_status_t send_ack(pjsip_inv_session *inv, int cseq)
{
    pjsip_tx_data *tdata;
    pj_status_t status = pjsip_inv_create_ack(inv, cseq, &tdata);

    return status == PJ_SUCCESS ? pjsip_inv_send_msg(inv, tdata) : status;
}

void sc_call_on_send_ack(pjsip_inv_session *inv, pjsip_rx_data *rdata)
{
    sc_call *self = sc_call_of(inv);
    int cseq = rdata->msg_info.cseq->cseq;

    /* A 2xx of an earlier INVITE may come again meanwhile. */
    if (self && !self->ending && inv->state < PJSIP_INV_STATE_DISCONNECTED && cseq == self->offer_cseq &&
        sc_call_neg_state(self) == PJMEDIA_SDP_NEG_STATE_REMOTE_OFFER)
        self->ack_cseq = cseq;
    else
        send_ack(inv, cseq);
}

/* All streams of the offer refused. */
static pjmedia_sdp_session *refusal(sc_call *self, pj_pool_t *pool)
{
    const pjmedia_sdp_session *offer;
    const pjsip_sip_uri *contact = pjsip_uri_get_uri(self->inv->dlg->local.contact->uri);
    pjmedia_sdp_session *sdp;
    pj_str_t host = contact->host;
    unsigned i;

    if (pjmedia_sdp_neg_get_neg_remote(self->inv->neg, &offer) != PJ_SUCCESS)
        return NULL;
    if (!sc_is_address(host.ptr, (size_t)host.slen))
        host = pj_str("0.0.0.0");
    sdp = pjmedia_sdp_session_clone(pool, offer);
    sdp->origin.user = pj_str("-");
    sdp->origin.addr_type = pj_str(pj_strchr(&host, ':') ? "IP6" : "IP4");
    pj_strdup(pool, &sdp->origin.addr, &host);
    if (!sdp->conn)
        sdp->conn = PJ_POOL_ZALLOC_T(pool, pjmedia_sdp_conn);
    sdp->conn->net_type = pj_str("IN");
    sdp->conn->addr_type = sdp->origin.addr_type;
    sdp->conn->addr = sdp->origin.addr;
    sdp->attr_count = 0;
    for (i = 0; i < sdp->media_count; i++) {
        sdp->media[i]->desc.port = 0;
        sdp->media[i]->attr_count = 0;
        sdp->media[i]->conn = NULL;
    }
    return sdp;
}

pj_status_t sc_call_send_owed_ack(sc_call *self)
{
    pjmedia_sdp_session *sdp;
    pjsip_tx_data *tdata;
    pj_status_t status;

    if (!self->ack_cseq)
        return PJ_SUCCESS;
    status = pjsip_inv_create_ack(self->inv, self->ack_cseq, &tdata);
    if (status != PJ_SUCCESS)
        return status;
    self->ack_cseq = 0;
    sdp = refusal(self, tdata->pool);
    if (sdp)
        pjsip_create_sdp_body(tdata->pool, sdp, &tdata->msg->body);
    sc_call_cancel_offer(self);
    return pjsip_inv_send_msg(self->inv, tdata);
}

/* Takes back an ACK whose answer does not fit. */
static void discard(pjsip_inv_session *inv, pjsip_tx_data *tdata)
{
    inv->last_ack = NULL;
    pjsip_tx_data_dec_ref(tdata);
    pjsip_tx_data_dec_ref(tdata);
}

static pj_status_t answer_offer(sc_call *self, const pjmedia_sdp_session *sdp, pj_pool_t *pool)
{
    pjsip_inv_session *inv = self->inv;
    const pjmedia_sdp_session *offer;
    pjsip_tx_data *tdata;
    pj_status_t status = pjmedia_sdp_neg_get_neg_remote(inv->neg, &offer);

    if (status != PJ_SUCCESS)
        return status;
    /* It lives in a pool that a failed negotiation empties. */
    offer = pjmedia_sdp_session_clone(pool, offer);
    status = pjsip_inv_set_sdp_answer(inv, sdp);
    if (status == PJ_SUCCESS)
        status = pjsip_inv_create_ack(inv, self->ack_cseq, &tdata);
    if (status != PJ_SUCCESS)
        return status;
    if (self->negotiation != PJ_SUCCESS) {
        discard(inv, tdata);
        pjmedia_sdp_neg_set_remote_offer(inv->pool_prov, inv->neg, offer);
        return self->negotiation;
    }
    self->ack_cseq = 0;
    return pjsip_inv_send_msg(inv, tdata);
}

static pj_status_t acknowledge(sc_call *self, sc_reader *reader)
{
    pj_str_t text = sc_read_text(reader);
    pjmedia_sdp_session *sdp;
    pj_pool_t *pool;
    pj_status_t status;

    if (reader->failed)
        return SC_EARGS;
    if (!self->ack_cseq && !self->held_offer)
        return SC_EGONE;
    pool = sc_pool_create("ack", 4096);
    if (!pool)
        return PJ_ENOMEM;
    status = sc_sdp_parse(pool, &text, &sdp);
    if (status == PJ_SUCCESS && self->held_offer) {
        status = sc_call_answer_held_offer(self, &text, sdp, pool);
    } else if (status == PJ_SUCCESS && sdp) {
        sc_call_propose(self, &text);
        status = answer_offer(self, sdp, pool);
    } else if (status == PJ_SUCCESS) {
        /* Within a call what is agreed on stays; before there is one nothing is. */
        sdp = sc_call_own_sdp(self, pool);
        status = sdp ? answer_offer(self, sdp, pool) : PJMEDIA_SDPNEG_ENOACTIVE;
        if (status != PJ_SUCCESS)
            status = sc_call_send_owed_ack(self);
    }
    pj_pool_release(pool);
    return status;
}

int32_t sc_invitation_ack(sc_invitation serial, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    sc_call *self = sc_call_take(serial);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = acknowledge(self, &reader);
    sc_call_give_back(self);
    return status;
}
