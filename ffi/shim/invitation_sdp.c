/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Offers and answers, and what comes of them. */
#include <stdlib.h>
#include <string.h>

#include "invitation_internal.h"

void sc_call_propose(sc_call *self, const pj_str_t *text)
{
    char *copy;

    if (!text->slen)
        return;
    copy = malloc((size_t)text->slen + 1);
    if (!copy)
        return; /* what was given before goes on standing for us */
    memcpy(copy, text->ptr, (size_t)text->slen);
    copy[text->slen] = '\0';
    free(self->new_sdp);
    self->new_sdp = copy;
}

static void settle(sc_call *self, bool agreed)
{
    if (!self->new_sdp)
        return;
    if (agreed) {
        free(self->sdp);
        self->sdp = self->new_sdp;
    } else {
        free(self->new_sdp);
    }
    self->new_sdp = NULL;
}

void sc_call_forget_sdp(sc_call *self)
{
    free(self->sdp);
    free(self->new_sdp);
    self->sdp = self->new_sdp = NULL;
}

pjmedia_sdp_session *sc_call_own_sdp(sc_call *self, pj_pool_t *pool)
{
    pjmedia_sdp_session *sdp = NULL;
    pj_str_t text = pj_str(self->sdp);

    return self->sdp && sc_sdp_parse(pool, &text, &sdp) == PJ_SUCCESS ? sdp : NULL;
}

pjmedia_sdp_neg_state sc_call_neg_state(const sc_call *self)
{
    return self->inv->neg ? pjmedia_sdp_neg_get_state(self->inv->neg) : PJMEDIA_SDP_NEG_STATE_NULL;
}

void sc_call_cancel_offer(sc_call *self)
{
    pjmedia_sdp_neg_state state = sc_call_neg_state(self);

    settle(self, false);
    if (state == PJMEDIA_SDP_NEG_STATE_LOCAL_OFFER || state == PJMEDIA_SDP_NEG_STATE_REMOTE_OFFER)
        pjmedia_sdp_neg_cancel_offer(self->inv->neg);
    /* Offers that come to nothing must not pile up. */
    if (sc_call_neg_state(self) == PJMEDIA_SDP_NEG_STATE_DONE)
        pj_pool_reset(self->inv->pool_prov);
}

/* A description as text: a usual one takes no memory but the stack's. */
typedef struct {
    char usual[2048];
    char *longer;
} sdp_text;

static void record_sdp(sc_record *record, const pjmedia_sdp_session *sdp, sdp_text *text)
{
    int size = sdp ? pjmedia_sdp_print(sdp, text->usual, sizeof(text->usual)) : 0;
    size_t capacity = sizeof(text->usual) * 4;

    if (size >= 0) {
        sc_record_bytes(record, text->usual, sc_sdp_reveal_info(text->usual, (size_t)size));
        return;
    }
    /* pjmedia_sdp_print() tells that the buffer was too small, not how large it ought to be. */
    for (; size < 0 && capacity <= PJSIP_MAX_PKT_LEN * 4; capacity *= 4) {
        free(text->longer);
        text->longer = malloc(capacity);
        size = text->longer ? pjmedia_sdp_print(sdp, text->longer, capacity) : -1;
    }
    sc_record_bytes(record, text->longer, size > 0 ? sc_sdp_reveal_info(text->longer, (size_t)size) : 0);
}

/* Whether the peer's o= line is the one before; keeps it. */
static bool is_unchanged(sc_call *self)
{
    const pjmedia_sdp_session *remote;
    bool same;

    if (!self->inv->neg || pjmedia_sdp_neg_get_active_remote(self->inv->neg, &remote) != PJ_SUCCESS)
        return false;
    same = remote->origin.id == self->remote_id && remote->origin.version == self->remote_version;
    self->remote_id = remote->origin.id;
    self->remote_version = remote->origin.version;
    return same;
}

void sc_call_on_media_update(pjsip_inv_session *inv, pj_status_t status)
{
    sc_call *self = sc_call_of(inv);
    const pjmedia_sdp_session *local = NULL, *remote = NULL;
    sdp_text local_text = { .longer = NULL }, remote_text = { .longer = NULL };
    sc_record record;

    if (!self)
        return;
    self->negotiation = status;
    if (status == PJ_SUCCESS && is_unchanged(self) && self->refreshes) {
        self->refreshes = false;
        return;
    }
    self->refreshes = false;
    if (status == PJ_SUCCESS && !inv->neg)
        status = PJ_EBUG;
    if (status == PJ_SUCCESS)
        status = pjmedia_sdp_neg_get_active_local(inv->neg, &local);
    if (status == PJ_SUCCESS)
        status = pjmedia_sdp_neg_get_active_remote(inv->neg, &remote);
    settle(self, status == PJ_SUCCESS);
    sc_record_init(&record, SC_RECORD_INVITATION_SDP, self->object.serial);
    sc_record_i32(&record, status);
    record_sdp(&record, status == PJ_SUCCESS ? local : NULL, &local_text);
    record_sdp(&record, status == PJ_SUCCESS ? remote : NULL, &remote_text);
    sc_record_push(&record, false);
    free(local_text.longer);
    free(remote_text.longer);
}

static void tell_refusal(sc_call *self)
{
    sc_record record;

    sc_record_init(&record, SC_RECORD_INVITATION_SDP, self->object.serial);
    sc_record_i32(&record, PJMEDIA_SDP_EINSDP);
    sc_record_text(&record, "");
    sc_record_text(&record, "");
    sc_record_push(&record, false);
}

void sc_call_on_refused_sdp(sc_call *self, const pjsip_event *event)
{
    if (event->type == PJSIP_EVENT_TSX_STATE && event->body.tsx_state.type == PJSIP_EVENT_RX_MSG &&
        sc_door_has_refused(event->body.tsx_state.src.rdata))
        tell_refusal(self);
}

void sc_invitation_on_refused_sdp(pjsip_rx_data *rdata)
{
    const pj_str_t *local = &rdata->msg_info.to->tag, *remote = &rdata->msg_info.from->tag;
    const pjsip_inv_session *inv;
    pjsip_dialog *dlg;

    if (!local->slen)
        return;
    dlg = pjsip_ua_find_dialog(&rdata->msg_info.cid->id, local, remote, PJ_TRUE);
    if (!dlg)
        return;
    inv = pjsip_dlg_get_inv_session(dlg);
    if (inv && inv->mod_data[sc_core_module.id])
        tell_refusal(inv->mod_data[sc_core_module.id]);
    pjsip_dlg_dec_lock(dlg);
}

bool sc_call_is_refresh(sc_call *self, const pjmedia_sdp_session *offer, const pjsip_rx_data *rdata)
{
    static const pj_str_t name = { "Session-Expires", 15 }, compact = { "x", 1 };
    const pjmedia_sdp_session *agreed;

    return pjsip_msg_find_hdr_by_names(rdata->msg_info.msg, &name, &compact, NULL) && self->inv->neg &&
           pjmedia_sdp_neg_get_active_remote(self->inv->neg, &agreed) == PJ_SUCCESS &&
           !pj_strcmp(&offer->origin.user, &agreed->origin.user) && offer->origin.id == agreed->origin.id &&
           offer->origin.version == agreed->origin.version &&
           !pj_strcmp(&offer->origin.addr, &agreed->origin.addr);
}

/* An offer in UPDATE or PRACK wants its answer now: it gets what the program has given last. */
void sc_call_on_rx_offer(pjsip_inv_session *inv, struct pjsip_inv_on_rx_offer_cb_param *param)
{
    sc_call *self = sc_call_of(inv);
    const pjsip_msg *msg = param->rdata->msg_info.msg;
    pjmedia_sdp_session *sdp;
    sc_record record;

    if (!self)
        return;
    if (msg->type == PJSIP_RESPONSE_MSG && self->prack_answer)
        pjsip_inv_set_sdp_answer(inv, self->prack_answer);
    else if (msg->type == PJSIP_RESPONSE_MSG)
        self->offer_cseq = param->rdata->msg_info.cseq->cseq; /* the ACK will answer it */
    if (msg->type == PJSIP_RESPONSE_MSG || msg->line.req.method.id == PJSIP_INVITE_METHOD)
        return;
    sdp = sc_call_own_sdp(self, inv->pool_prov);
    if (!sdp)
        return; /* nothing was agreed on yet: pjsip answers 488 */
    self->refreshes = sc_call_is_refresh(self, param->offer, param->rdata);
    if (!self->refreshes) {
        sc_record_init(&record, SC_RECORD_INVITATION_OFFER, self->object.serial);
        sc_record_rdata(&record, param->rdata);
        sc_record_push(&record, false);
    }
    pjsip_inv_set_sdp_answer(inv, sdp);
}
