/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program answers an INVITE: the first one, or one within the call. */
#include "invitation_internal.h"

static bool is_to_be_answered(const sc_call *self)
{
    const pjsip_inv_session *inv = self->inv;

    if (!inv->invite_tsx || inv->invite_tsx->role != PJSIP_ROLE_UAS || !inv->last_answer ||
        inv->invite_tsx->status_code >= 200)
        return false;
    return inv->state <= PJSIP_INV_STATE_EARLY || self->proposal == SC_PROPOSAL_RECEIVED;
}

/* The 2xx to an INVITE without an offer carries ours: a new one, or what is agreed on. */
static pj_status_t make_offer(sc_call *self, const pjmedia_sdp_session *sdp)
{
    const pjmedia_sdp_session *sent;

    if (sdp)
        return pjmedia_sdp_neg_modify_local_offer2(self->inv->pool_prov, self->inv->neg, self->inv->sdp_neg_flags, sdp);
    return pjmedia_sdp_neg_send_local_offer(self->inv->pool_prov, self->inv->neg, &sent);
}

static pj_status_t create_answer(sc_call *self, uint32_t code, const pj_str_t *reason, pjmedia_sdp_session *sdp,
                                 pjsip_tx_data **tdata)
{
    pjsip_inv_session *inv = self->inv;
    const pjmedia_sdp_session *offer = NULL;
    pj_status_t status;

    if (self->proposal == SC_PROPOSAL_RECEIVED && self->asked_for_offer) {
        if (code / 100 == 2) {
            status = make_offer(self, sdp);
            if (status != PJ_SUCCESS)
                return status;
        }
        sdp = NULL;
    } else if (sdp && inv->neg && sc_call_neg_state(self) != PJMEDIA_SDP_NEG_STATE_REMOTE_OFFER) {
        sdp = NULL; /* a session description in an earlier 18x was the answer already */
    }
    if (sdp && inv->neg && pjmedia_sdp_neg_get_neg_remote(inv->neg, &offer) == PJ_SUCCESS &&
        self->proposal == SC_PROPOSAL_RECEIVED)
        /* It lives in the pool that a failed negotiation empties. */
        offer = pjmedia_sdp_session_clone(inv->invite_tsx->pool, offer);
    status = pjsip_inv_answer(inv, (int)code, reason->slen ? reason : NULL, sdp, tdata);
    /* An answer that does not fit leaves the offer to be answered, or refused. */
    if (status != PJ_SUCCESS && offer && sc_call_neg_state(self) == PJMEDIA_SDP_NEG_STATE_DONE)
        pjmedia_sdp_neg_set_remote_offer(inv->pool_prov, inv->neg, offer);
    return status;
}

/*
 * A Require header of the program's with 100rel makes this provisional response reliable, and those that follow. The
 * header itself is pjsip's to write, with RSeq.
 */
static pj_status_t make_reliable(sc_call *self, int code, pjsip_msg *msg)
{
    static const pj_str_t name = { "Require", 7 }, tag = { "100rel", 6 };
    pjsip_inv_session *inv = self->inv;
    pjsip_generic_string_hdr *header = pjsip_msg_find_hdr_by_name(msg, &name, NULL);

    if (code <= 100 || code >= 200 || !header || !pj_stristr(&header->hvalue, &tag))
        return PJ_SUCCESS;
    if (!self->supports_prack || self->proposal != SC_PROPOSAL_NONE)
        return PJ_ENOTSUP;
    pj_list_erase(header);
    if (!(inv->options & PJSIP_INV_REQUIRE_100REL)) {
        inv->options |= PJSIP_INV_REQUIRE_100REL;
        return pjsip_100rel_attach(inv);
    }
    return PJ_SUCCESS;
}

static void skip_headers(sc_reader *reader)
{
    uint32_t count = sc_read_u32(reader);

    while (count-- && !reader->failed) {
        sc_read_text(reader);
        sc_read_text(reader);
    }
}

static pj_status_t answer(sc_call *self, uint32_t code, sc_reader *reader)
{
    pjsip_inv_session *inv = self->inv;
    pj_str_t reason = sc_read_text(reader);
    pj_str_t contact = sc_read_text(reader);
    pj_str_t text = sc_read_text(reader);
    pjmedia_sdp_session *sdp = NULL;
    sc_session_timer timer;
    sc_reader headers;
    pjsip_tx_data *tdata;
    pj_status_t status;

    if (reader->failed)
        return SC_EARGS;
    if (!is_to_be_answered(self))
        return SC_EGONE;
    status = sc_sdp_parse(inv->pool_prov, &text, &sdp);
    if (status == PJ_SUCCESS)
        status = sc_dialog_set_contact(inv->dlg, &contact);
    if (status != PJ_SUCCESS)
        return status;
    if (sdp)
        sc_call_propose(self, &text);
    headers = *reader;
    skip_headers(reader);
    timer = sc_read_session_timer(reader);
    if (reader->failed)
        return SC_EARGS;
    if (code / 100 == 2 && self->proposal == SC_PROPOSAL_NONE)
        status = sc_call_answer_timer(self, &timer);
    if (status == PJ_SUCCESS)
        status = create_answer(self, code, &reason, sdp, &tdata);
    if (status != PJ_SUCCESS)
        return status;
    /* pjsip makes each answer of a copy of the one before. */
    sc_remove_headers(tdata->msg);
    status = sc_read_headers(&headers, tdata->pool, tdata->msg);
    if (status == PJ_SUCCESS)
        status = make_reliable(self, (int)code, tdata->msg);
    if (status != PJ_SUCCESS) {
        pjsip_tx_data_dec_ref(tdata);
        return status;
    }
    return pjsip_inv_send_msg(inv, tdata);
}

int32_t sc_invitation_answer(sc_invitation serial, uint32_t code, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    sc_call *self;
    pj_status_t status;

    if (code < 100 || code > 699)
        return SC_EARGS;
    self = sc_call_take(serial);
    if (!self)
        return SC_EGONE;
    status = answer(self, code, &reader);
    sc_call_give_back(self);
    return status;
}
