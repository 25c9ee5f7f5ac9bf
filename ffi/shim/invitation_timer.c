/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Session timers (RFC 4028). pjsip keeps them: it refreshes by UPDATE or re-INVITE, and hangs up when the peer does not.
 * What changes nothing is told nobody.
 */
#include <stdlib.h>

#include "invitation_internal.h"

#define LEAST_EXPIRES 90

sc_session_timer sc_read_session_timer(sc_reader *reader)
{
    sc_session_timer timer;

    timer.expires = sc_read_u32(reader);
    timer.min_se = sc_read_u32(reader);
    timer.refresher = (enum sc_refresher)sc_read_u8(reader);
    return timer;
}

static pj_str_t refresher_text(enum sc_refresher refresher)
{
    return pj_str(refresher == SC_REFRESHER_UAC ? "uac" : refresher == SC_REFRESHER_UAS ? "uas" : "");
}

static pjsip_sess_expires_hdr *session_expires(const pjsip_msg *msg)
{
    static const pj_str_t name = { "Session-Expires", 15 }, compact = { "x", 1 };

    return pjsip_msg_find_hdr_by_names(msg, &name, &compact, NULL);
}

static pj_status_t set(pjsip_inv_session *inv, const sc_session_timer *timer)
{
    pjsip_timer_setting setting;

    pjsip_timer_setting_default(&setting);
    setting.sess_expires = timer->expires;
    setting.min_se = timer->min_se;
    inv->options |= PJSIP_INV_SUPPORT_TIMER;
    return pjsip_timer_init_session(inv, &setting);
}

pj_status_t sc_call_ask_for_timer(pjsip_inv_session *inv, const sc_session_timer *timer)
{
    return timer->expires ? set(inv, timer) : PJ_SUCCESS;
}

void sc_call_ask_for_refresher(pjsip_tx_data *invite, const sc_session_timer *timer)
{
    pjsip_sess_expires_hdr *header = timer->expires ? session_expires(invite->msg) : NULL;

    if (header)
        header->refresher = refresher_text(timer->refresher);
}

bool sc_timer_is_acceptable(const pjsip_rx_data *rdata)
{
    const pjsip_sess_expires_hdr *header = session_expires(rdata->msg_info.msg);

    return !header || header->sess_expires >= LEAST_EXPIRES;
}

void sc_timer_refuse(pjsip_rx_data *rdata)
{
    pjsip_min_se_hdr *header = pjsip_min_se_hdr_create(rdata->tp_info.pool);
    pjsip_hdr headers;

    header->min_se = LEAST_EXPIRES;
    pj_list_init(&headers);
    pj_list_push_back(&headers, header);
    pjsip_endpt_respond(sc_engine.endpt, &sc_core_module, rdata, PJSIP_SC_SESSION_TIMER_TOO_SMALL, NULL, &headers, NULL,
                        NULL);
}

void sc_call_note_timer(sc_call *self, const pjsip_rx_data *rdata)
{
    static const pj_str_t tag = { "timer", 5 };
    const pjsip_sess_expires_hdr *header = session_expires(rdata->msg_info.msg);
    const pjsip_generic_array_hdr *supported = pjsip_msg_find_hdr(rdata->msg_info.msg, PJSIP_H_SUPPORTED, NULL);
    unsigned i;

    if (header) {
        self->asked.expires = header->sess_expires;
        self->asked.refresher = !pj_stricmp2(&header->refresher, "uac")   ? SC_REFRESHER_UAC
                                : !pj_stricmp2(&header->refresher, "uas") ? SC_REFRESHER_UAS
                                                                          : SC_REFRESHER_ANY;
    }
    for (i = 0; supported && i < supported->count; i++)
        self->supports_timer |= !pj_stricmp(&supported->values[i], &tag);
}

/* pjsip takes the timer from the INVITE alone: it gets one that asks for what both sides want. */
pj_status_t sc_call_answer_timer(sc_call *self, const sc_session_timer *timer)
{
    pjsip_inv_session *inv = self->inv;
    sc_session_timer wanted = *timer;
    pjsip_sess_expires_hdr *header;
    pjsip_status_code code;
    pjsip_rx_data *rdata;
    pj_status_t status;

    if (!timer->expires)
        return PJ_SUCCESS;
    if (self->asked.expires && self->asked.expires < wanted.expires)
        wanted.expires = self->asked.expires;
    if (wanted.min_se > wanted.expires)
        wanted.min_se = wanted.expires;
    if (self->asked.refresher != SC_REFRESHER_ANY)
        wanted.refresher = self->asked.refresher;
    if (!self->supports_timer)
        wanted.refresher = SC_REFRESHER_UAS;
    else if (wanted.refresher == SC_REFRESHER_ANY)
        wanted.refresher = self->asked.expires ? SC_REFRESHER_UAC : SC_REFRESHER_UAS;
    rdata = calloc(1, sizeof(*rdata));
    if (!rdata)
        return PJ_ENOMEM;
    status = set(inv, &wanted);
    rdata->msg_info.msg = pjsip_msg_create(inv->pool, PJSIP_REQUEST_MSG);
    pjsip_method_set(&rdata->msg_info.msg->line.req.method, PJSIP_INVITE_METHOD);
    rdata->msg_info.cseq = pjsip_cseq_hdr_create(inv->pool);
    pjsip_method_set(&rdata->msg_info.cseq->method, PJSIP_INVITE_METHOD);
    header = pjsip_sess_expires_hdr_create(inv->pool);
    header->sess_expires = wanted.expires;
    header->refresher = refresher_text(wanted.refresher);
    pjsip_msg_add_hdr(rdata->msg_info.msg, (pjsip_hdr *)header);
    if (status == PJ_SUCCESS)
        status = pjsip_timer_process_req(inv, rdata, &code);
    free(rdata);
    return status;
}

void sc_call_on_timer_request(sc_call *self, const pjsip_rx_data *rdata)
{
    if (session_expires(rdata->msg_info.msg))
        self->inv->options |= PJSIP_INV_SUPPORT_TIMER;
}

void sc_call_on_own_refresh(sc_call *self, const pjsip_transaction *tsx)
{
    if (tsx->state == PJSIP_TSX_STATE_CALLING) {
        self->refreshes = true;
        self->refresh_tsx = tsx;
    } else if (tsx == self->refresh_tsx && tsx->state >= PJSIP_TSX_STATE_COMPLETED) {
        self->refreshes = false;
        self->refresh_tsx = NULL;
    }
}
