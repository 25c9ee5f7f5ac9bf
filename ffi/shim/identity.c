/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The User-Agent of requests and the Server of responses, unless the message has one. */
#include "internal.h"

static pjsip_generic_string_hdr *_Atomic user_agent_hdr, *_Atomic server_hdr;

static pj_status_t add_identity(pjsip_tx_data *tdata, pjsip_generic_string_hdr *header)
{
    if (!header || (pjsip_tx_data_is_valid(tdata) && tdata->buf.start) ||
        pjsip_msg_find_hdr_by_name(tdata->msg, &header->name, NULL))
        return PJ_SUCCESS;
    pjsip_msg_add_hdr(tdata->msg, (pjsip_hdr *)pjsip_hdr_shallow_clone(tdata->pool, header));
    return PJ_SUCCESS;
}

static pj_status_t on_tx_request(pjsip_tx_data *tdata)
{
    return add_identity(tdata, atomic_load(&user_agent_hdr));
}

static pj_status_t on_tx_response(pjsip_tx_data *tdata)
{
    return add_identity(tdata, atomic_load(&server_hdr));
}

pjsip_module sc_identity_module = {
    .name = { "mod-sc-identity", 15 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_TRANSPORT_LAYER + 2,
    .on_tx_request = on_tx_request,
    .on_tx_response = on_tx_response,
};

pj_status_t sc_identity_set(const pj_str_t *text)
{
    static const pj_str_t user_agent = { "User-Agent", 10 }, server = { "Server", 6 };
    pj_str_t copy;

    if (!text->slen) {
        atomic_store(&user_agent_hdr, NULL);
        atomic_store(&server_hdr, NULL);
        return PJ_SUCCESS;
    }
    /* The old ones stay in the engine's pool: a message that is being printed may still point to them. */
    pj_strdup_with_null(sc_engine.pool, &copy, text);
    if (!copy.ptr)
        return PJ_ENOMEM;
    atomic_store(&user_agent_hdr, pjsip_generic_string_hdr_create(sc_engine.pool, &user_agent, &copy));
    atomic_store(&server_hdr, pjsip_generic_string_hdr_create(sc_engine.pool, &server, &copy));
    return PJ_SUCCESS;
}

void sc_identity_clear(void)
{
    atomic_store(&user_agent_hdr, NULL);
    atomic_store(&server_hdr, NULL);
}
