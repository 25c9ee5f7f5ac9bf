/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the dialogs of all nouns have in common: how one that goes out is made, and our Contact. */
#include "internal.h"

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

pj_status_t sc_dialog_create(sc_reader *reader, pj_pool_t *pool, pjsip_dialog **dlg)
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
    return status;
}

pj_str_t sc_dialog_contact(pjsip_rx_data *rdata)
{
    pjsip_sip_uri *uri = (pjsip_sip_uri *)pjsip_uri_get_uri(rdata->msg_info.msg->line.req.uri);
    const pjsip_transport *tp = rdata->tp_info.transport;
    pj_str_t host = tp->local_name.host, contact;
    int port = tp->local_name.port;
    char user[128];
    char *text;
    bool udp = tp->key.type == PJSIP_TRANSPORT_UDP || tp->key.type == PJSIP_TRANSPORT_UDP6;

    user[0] = '\0';
    if (PJSIP_URI_SCHEME_IS_SIP(uri) || PJSIP_URI_SCHEME_IS_SIPS(uri)) {
        if (uri->user.slen && uri->user.slen < (pj_ssize_t)sizeof(user) - 2) {
            pj_ssize_t size = pj_strncpy2_escape(user, &uri->user, sizeof(user) - 2, &pjsip_parser_const()->pjsip_USER_SPEC);

            if (size < 0)
                size = 0;
            user[size] = size ? '@' : '\0';
            user[size ? size + 1 : 0] = '\0';
        }
        if (sc_is_address(uri->host.ptr, (size_t)uri->host.slen))
            host = uri->host;
    }
    text = pj_pool_alloc(rdata->tp_info.pool, 512);
    if (!text)
        return (pj_str_t){ NULL, 0 };
    contact.ptr = text;
    contact.slen = pj_ansi_snprintf(text, 512, pj_strchr(&host, ':') ? "<sip:%s[%.*s]:%d%s%s>" : "<sip:%s%.*s:%d%s%s>",
                                    user, (int)host.slen, host.ptr, port, udp ? "" : ";transport=",
                                    udp ? "" : (tp->key.type & 3) == PJSIP_TRANSPORT_TLS ? "tls" : "tcp");
    return contact;
}

pj_status_t sc_dialog_set_contact(pjsip_dialog *dlg, const pj_str_t *contact)
{
    const pj_str_t name = { "Contact", 7 };
    pjsip_contact_hdr *header;
    pj_str_t text;

    if (!contact->slen)
        return PJ_SUCCESS;
    pj_strdup_with_null(dlg->pool, &text, contact);
    header = pjsip_parse_hdr(dlg->pool, &name, text.ptr, (pj_size_t)text.slen, NULL);
    if (!header)
        return PJSIP_EINVALIDHDR;
    dlg->local.contact = header;
    return PJ_SUCCESS;
}
