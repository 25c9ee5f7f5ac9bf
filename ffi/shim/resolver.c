/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP literals only: no thread of PJSIP's ever waits for a name server, and no forged answer is ever believed. */
#include "internal.h"

static void resolve(pjsip_resolver_t *resolver, pj_pool_t *pool, const pjsip_host_info *target, void *token,
                    pjsip_resolver_callback *callback)
{
    pjsip_server_addresses server;
    pjsip_transport_type_e type = target->type;
    int af = pj_strchr(&target->addr.host, ':') ? pj_AF_INET6() : pj_AF_INET();
    unsigned port = (unsigned)target->addr.port;
    pj_status_t status;

    PJ_UNUSED_ARG(resolver);
    PJ_UNUSED_ARG(pool);
    pj_bzero(&server, sizeof(server));
    if (type == PJSIP_TRANSPORT_UNSPECIFIED)
        type = PJSIP_TRANSPORT_UDP;
    if (af == pj_AF_INET6())
        type = (pjsip_transport_type_e)((int)type | PJSIP_TRANSPORT_IPV6);
    if (!port)
        port = (unsigned)pjsip_transport_get_default_port_for_type(type);
    status = sc_is_address(target->addr.host.ptr, (size_t)target->addr.host.slen)
                 ? pj_sockaddr_parse(af, 0, &target->addr.host, &server.entry[0].addr)
                 : PJ_ERESOLVE;
    if (status == PJ_SUCCESS && !pj_sockaddr_has_addr(&server.entry[0].addr))
        status = PJ_ERESOLVE;
    if (status != PJ_SUCCESS) {
        callback(PJ_ERESOLVE, token, NULL);
        return;
    }
    pj_sockaddr_set_port(&server.entry[0].addr, (pj_uint16_t)port);
    server.count = 1;
    server.entry[0].type = type;
    server.entry[0].addr_len = (int)pj_sockaddr_get_len(&server.entry[0].addr);
    callback(PJ_SUCCESS, token, &server);
}

pj_status_t sc_resolver_init(void)
{
    static pjsip_ext_resolver resolver = { resolve };

    return pjsip_endpt_set_ext_resolver(sc_engine.endpt, &resolver);
}
