/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door: looks at what comes in before the transaction layer does, and keeps out what pjproject 2.17 does not
 * survive. A request is refused statelessly, so nothing of it costs memory; a response or an ACK, which must reach
 * its transaction, loses the body and goes on.
 */
#include "internal.h"

bool sc_door_has_refused(const pjsip_rx_data *rdata)
{
    return rdata->endpt_info.mod_data[sc_door_module.id] != NULL;
}

static bool body_is_sdp(const pjsip_msg_body *body)
{
    static const pj_str_t sdp = { "sdp", 3 }, multipart = { "multipart", 9 };

    return !pj_stricmp(&body->content_type.subtype, &sdp) || !pj_stricmp(&body->content_type.type, &multipart);
}

static bool is_safe(const pjsip_rx_data *rdata)
{
    const pjsip_msg_body *body = rdata->msg_info.msg->body;

    if (!body || !body_is_sdp(body))
        return true;
    /*
     * All of the raw bytes: what a multipart body holds is seen without parsing it, whichever end of the headers pjsip
     * has found, and no header looks like a line of SDP.
     */
    return sc_sdp_is_safe(rdata->msg_info.msg_buf, (size_t)rdata->msg_info.len);
}

/* pjsip takes any other body for an answer that it cannot read. Who listens to it reads the bytes of the wire. */
static void keep_answer_only(pjsip_rx_data *rdata)
{
    pjsip_msg *msg = rdata->msg_info.msg;

    if (!msg->body)
        return;
    if (!body_is_sdp(msg->body)) {
        msg->body = NULL;
    } else if (!is_safe(rdata)) {
        msg->body = NULL;
        if (msg->type == PJSIP_REQUEST_MSG)
            sc_invitation_on_refused_sdp(rdata);
        else
            rdata->endpt_info.mod_data[sc_door_module.id] = &sc_door_module;
    }
}

static pj_bool_t on_rx_request(pjsip_rx_data *rdata)
{
    if (rdata->msg_info.msg->line.req.method.id == PJSIP_ACK_METHOD) {
        keep_answer_only(rdata);
        return PJ_FALSE;
    }
    if (is_safe(rdata))
        return PJ_FALSE;
    pjsip_endpt_respond_stateless(sc_engine.endpt, rdata, PJSIP_SC_NOT_ACCEPTABLE_HERE, NULL, NULL, NULL);
    sc_invitation_on_refused_sdp(rdata);
    return PJ_TRUE;
}

static pj_bool_t on_rx_response(pjsip_rx_data *rdata)
{
    keep_answer_only(rdata);
    return PJ_FALSE;
}

pjsip_module sc_door_module = {
    .name = { "mod-sc-door", 11 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_TSX_LAYER - 2,
    .on_rx_request = on_rx_request,
    .on_rx_response = on_rx_response,
};
