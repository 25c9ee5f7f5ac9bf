/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reliable provisional response that brings an offer, to an INVITE of ours without one. The program's answer goes with
 * the PRACK (RFC 3262, section 5), which pjsip sends the moment it sees such a response: so it sees it when there is an
 * answer. Until then the peer repeats it.
 */
#include "invitation_internal.h"

static bool brings_reliable_offer(pjsip_rx_data *rdata)
{
    return rdata->msg_info.cseq->method.id == PJSIP_INVITE_METHOD && rdata->msg_info.msg->body &&
           pjsip_100rel_is_reliable(rdata) && pjsip_rdata_get_sdp_info(rdata)->sdp;
}

/* pjsip would tell of it what it has told of the copy. */
static void tell(sc_call *self, pjsip_rx_data *rdata)
{
    const pjsip_inv_session *inv = self->inv;
    const pjsip_status_line *line = &rdata->msg_info.msg->line.status;
    sc_record record;

    sc_record_init(&record, SC_RECORD_INVITATION_STATE, self->object.serial);
    sc_record_u8(&record, PJSIP_INV_STATE_EARLY);
    sc_record_u32(&record, (uint32_t)line->code);
    sc_record_str(&record, &line->reason);
    sc_record_str(&record, &inv->dlg->local.info->tag);
    sc_record_str(&record, &rdata->msg_info.to->tag);
    sc_record_rdata(&record, rdata);
    sc_record_u8(&record, SC_ORIGIN_REMOTE);
    sc_record_u8(&record, 1); /* its PRACK waits for an answer */
    sc_record_push(&record, false);
}

/* Under the dialog's lock. True: pjsip shall not see it yet. */
static bool hold(sc_call *self, pjsip_transaction *tsx, pjsip_rx_data *rdata)
{
    const pjsip_inv_session *inv = self->inv;

    if (self->ending || inv->neg || inv->role != PJSIP_ROLE_UAC || inv->invite_tsx != tsx ||
        inv->state > PJSIP_INV_STATE_EARLY || !rdata->msg_info.to->tag.slen)
        return false;
    if (self->held_offer)
        return true; /* it is repeated */
    if (pjsip_rx_data_clone(rdata, 0, &self->held_offer) != PJ_SUCCESS) {
        self->held_offer = NULL;
        return false;
    }
    sc_call_note_provisional(self, rdata);
    tell(self, rdata);
    return true;
}

bool sc_invitation_hold_offer(pjsip_rx_data *rdata)
{
    pjsip_transaction *tsx;
    pjsip_dialog *dlg;
    pjsip_inv_session *inv;
    pj_str_t key;
    bool held = false;

    if (!brings_reliable_offer(rdata) ||
        pjsip_tsx_create_key(rdata->tp_info.pool, &key, PJSIP_ROLE_UAC, &rdata->msg_info.cseq->method, rdata) !=
            PJ_SUCCESS)
        return false;
    tsx = pjsip_tsx_layer_find_tsx2(&key, PJ_TRUE);
    if (!tsx)
        return false;
    /* Its lock is chained to the dialog's, which it keeps alive. */
    pj_grp_lock_acquire(tsx->grp_lock);
    dlg = pjsip_tsx_get_dlg(tsx);
    inv = dlg ? pjsip_dlg_get_inv_session(dlg) : NULL;
    if (inv && sc_call_of(inv))
        held = hold(sc_call_of(inv), tsx, rdata);
    pj_grp_lock_release(tsx->grp_lock);
    pj_grp_lock_dec_ref(tsx->grp_lock);
    return held;
}

void sc_call_drop_held_offer(sc_call *self)
{
    if (self->held_offer)
        pjsip_rx_data_free_cloned(self->held_offer);
    self->held_offer = NULL;
}

/* Whether they would agree: once pjsip negotiates it is too late for another answer. */
static pj_status_t try_answer(pjsip_rx_data *rdata, const pjmedia_sdp_session *sdp, pj_pool_t *pool)
{
    pjmedia_sdp_neg *neg;
    pj_status_t status =
        pjmedia_sdp_neg_create_w_remote_offer(pool, sdp, pjsip_rdata_get_sdp_info(rdata)->sdp, &neg);

    return status == PJ_SUCCESS ? pjmedia_sdp_neg_negotiate(pool, neg, PJ_FALSE) : status;
}

pj_status_t sc_call_answer_held_offer(sc_call *self, const pj_str_t *text, const pjmedia_sdp_session *sdp, pj_pool_t *pool)
{
    pjsip_rx_data *rdata = self->held_offer;
    pjsip_transaction *tsx = self->inv->invite_tsx;
    pj_status_t status;

    if (!tsx || !sdp)
        return SC_EGONE;
    status = try_answer(rdata, sdp, pool);
    if (status != PJ_SUCCESS)
        return status;
    sc_call_propose(self, text);
    self->held_offer = NULL;
    self->prack_answer = sdp;
    rdata->endpt_info.mod_data[pjsip_tsx_layer_instance()->id] = tsx;
    pjsip_tsx_recv_msg(tsx, rdata);
    self->prack_answer = NULL;
    pjsip_rx_data_free_cloned(rdata);
    return PJ_SUCCESS;
}
