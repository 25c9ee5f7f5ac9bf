/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets that SIP listens on, their connections as records, and a resolver that asks nobody. */
#include "internal.h"

static pjsip_transport *udp_transport;
static pjsip_tpfactory *tcp_factory;

/* IP literals only: no thread of PJSIP's ever waits for a name server, and no forged answer is ever believed. */
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

/* Bursts beyond the default buffer (92 datagrams) would be lost while the poll thread is busy. */
static int receive_buffer = 4 * 1024 * 1024;

/* The transport manager's own, which tells the transactions of a connection that it is lost. */
static pjsip_tp_state_callback tell_transactions;

static void record_connection(const pjsip_transport *tp, pjsip_transport_state state,
                              const pjsip_transport_state_info *info)
{
    sc_record record;
    char local[PJ_INET6_ADDRSTRLEN + 10], remote[PJ_INET6_ADDRSTRLEN + 10], reason[PJ_ERR_MSG_SIZE];

    if (!(tp->flag & PJSIP_TRANSPORT_RELIABLE))
        return;
    if (state != PJSIP_TP_STATE_CONNECTED && state != PJSIP_TP_STATE_DISCONNECTED)
        return;
    pj_addr_str_print(&tp->local_name.host, tp->local_name.port, local, sizeof(local), 1);
    pj_addr_str_print(&tp->remote_name.host, tp->remote_name.port, remote, sizeof(remote), 1);
    reason[0] = '\0';
    if (state == PJSIP_TP_STATE_DISCONNECTED)
        pj_strerror(info->status, reason, sizeof(reason));
    sc_record_init(&record, SC_RECORD_TRANSPORT, 0);
    sc_record_u8(&record, state == PJSIP_TP_STATE_CONNECTED);
    sc_record_text(&record, tp->type_name);
    sc_record_text(&record, local);
    sc_record_text(&record, remote);
    sc_record_text(&record, reason);
    sc_record_push(&record, false);
}

static void on_transport_state(pjsip_transport *tp, pjsip_transport_state state,
                               const pjsip_transport_state_info *info)
{
    record_connection(tp, state, info);
    if (tell_transactions)
        tell_transactions(tp, state, info);
}

/* What Via and Contact say of a socket that is bound to all addresses: no name server is asked. */
static pj_str_t own_address(int af, const pj_str_t *bound, char *text, int size)
{
    pj_sockaddr address;

    if (bound->slen)
        return *bound;
    if (pj_getdefaultipinterface(af, &address) != PJ_SUCCESS)
        return af == pj_AF_INET6() ? pj_str("::1") : pj_str("127.0.0.1");
    return pj_str(pj_sockaddr_print(&address, text, size, 0));
}

pj_status_t sc_transports_start_udp(int af, const pj_str_t *address, unsigned port)
{
    pjsip_transport_type_e type = af == pj_AF_INET6() ? PJSIP_TRANSPORT_UDP6 : PJSIP_TRANSPORT_UDP;
    char text[PJ_INET6_ADDRSTRLEN];
    pj_sock_t sock = PJ_INVALID_SOCKET;
    pj_sockaddr bound;
    pjsip_host_port name;
    int size = sizeof(bound);
    pj_status_t status;

    status = pj_sockaddr_init(af, &bound, address->slen ? address : NULL, (pj_uint16_t)port);
    if (status == PJ_SUCCESS)
        status = pj_sock_socket(af, pj_SOCK_DGRAM() | pj_SOCK_CLOEXEC(), 0, &sock);
    if (status == PJ_SUCCESS) {
        /* As much as the system grants; less is no failure. */
        pj_sock_setsockopt(sock, pj_SOL_SOCKET(), pj_SO_RCVBUF(), &receive_buffer, sizeof(receive_buffer));
        status = pj_sock_bind(sock, &bound, (int)pj_sockaddr_get_len(&bound));
    }
    if (status == PJ_SUCCESS)
        status = pj_sock_getsockname(sock, &bound, &size);
    if (status == PJ_SUCCESS) {
        name.host = own_address(af, address, text, sizeof(text));
        name.port = pj_sockaddr_get_port(&bound);
        status = pjsip_udp_transport_attach2(sc_engine.endpt, type, sock, &name, 1, &udp_transport);
    }
    if (status != PJ_SUCCESS && sock != PJ_INVALID_SOCKET)
        pj_sock_close(sock);
    return status;
}

pj_status_t sc_transports_start_tcp(int af, const pj_str_t *address, unsigned port)
{
    char text[PJ_INET6_ADDRSTRLEN];
    pjsip_tcp_transport_cfg config;
    pj_status_t status;

    pjsip_tcp_transport_cfg_default(&config, af);
    status = pj_sockaddr_init(af, &config.bind_addr, address->slen ? address : NULL, (pj_uint16_t)port);
    if (status != PJ_SUCCESS)
        return status;
    config.addr_name.host = own_address(af, address, text, sizeof(text));
    config.reuse_addr = PJ_TRUE;
    return pjsip_tcp_transport_start3(sc_engine.endpt, &config, &tcp_factory);
}

pj_status_t sc_transports_init(void)
{
    static pjsip_ext_resolver resolver = { resolve };
    pjsip_tpmgr *manager = pjsip_endpt_get_tpmgr(sc_engine.endpt);

    udp_transport = NULL;
    tcp_factory = NULL;
    tell_transactions = pjsip_tpmgr_get_state_cb(manager);
    pjsip_tpmgr_set_state_cb(manager, on_transport_state);
    return pjsip_endpt_set_ext_resolver(sc_engine.endpt, &resolver);
}

int sc_transports_udp_port(void)
{
    return udp_transport ? udp_transport->local_name.port : -1;
}

int sc_transports_tcp_port(void)
{
    return tcp_factory ? tcp_factory->addr_name.port : -1;
}
