/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets that SIP listens on. One of each kind is current: its port is what the engine tells, and what new
 * messages leave by. One that was replaced goes on for the dialogs that were made with it, whose peers know its port,
 * and closes with the last of them.
 */
#include <sys/queue.h>

#include "internal.h"
#include "transports.h"

struct sc_listener {
    sc_transport_kind kind;
    pjsip_transport *udp;
    pjsip_tpfactory *factory; /* of TCP and TLS */
    unsigned refs;            /* dialogs, and one of `current` */
    TAILQ_ENTRY(sc_listener) entry;
};

/* A leaf: nothing of pj's is called under it. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD(, sc_listener) listeners = TAILQ_HEAD_INITIALIZER(listeners);
static sc_listener *current[SC_TRANSPORT_KINDS];
static char bound_address[PJ_INET6_ADDRSTRLEN];
static int family;

/* Bursts beyond the default buffer (92 datagrams) would be lost while the poll thread is busy. */
static int receive_buffer = 4 * 1024 * 1024;

/* What Via and Contact say of a socket that is bound to all addresses: no name server is asked. */
static pj_str_t own_address(char *text, int size)
{
    pj_sockaddr address;

    if (bound_address[0])
        return pj_str(bound_address);
    if (pj_getdefaultipinterface(family, &address) != PJ_SUCCESS)
        return family == pj_AF_INET6() ? pj_str("::1") : pj_str("127.0.0.1");
    return pj_str(pj_sockaddr_print(&address, text, size, 0));
}

static pj_status_t address_of_port(unsigned port, pj_sockaddr *address)
{
    pj_str_t host = pj_str(bound_address);

    return pj_sockaddr_init(family, address, host.slen ? &host : NULL, (pj_uint16_t)port);
}

static pj_status_t open_udp(const pj_sockaddr *address, sc_listener *self)
{
    pjsip_transport_type_e type = family == pj_AF_INET6() ? PJSIP_TRANSPORT_UDP6 : PJSIP_TRANSPORT_UDP;
    char text[PJ_INET6_ADDRSTRLEN];
    pj_sock_t sock = PJ_INVALID_SOCKET;
    pj_sockaddr bound;
    pjsip_host_port name;
    int size = sizeof(bound);
    pj_status_t status;

    status = pj_sock_socket(family, pj_SOCK_DGRAM() | pj_SOCK_CLOEXEC(), 0, &sock);
    if (status == PJ_SUCCESS) {
        /* As much as the system grants; less is no failure. */
        pj_sock_setsockopt(sock, pj_SOL_SOCKET(), pj_SO_RCVBUF(), &receive_buffer, sizeof(receive_buffer));
        status = pj_sock_bind(sock, address, (int)pj_sockaddr_get_len(address));
    }
    if (status == PJ_SUCCESS)
        status = pj_sock_getsockname(sock, &bound, &size);
    if (status == PJ_SUCCESS) {
        name.host = own_address(text, sizeof(text));
        name.port = pj_sockaddr_get_port(&bound);
        status = pjsip_udp_transport_attach2(sc_engine.endpt, type, sock, &name, 1, &self->udp);
    }
    if (status == PJ_SUCCESS)
        pjsip_transport_add_ref(self->udp); /* given back by close_listener() */
    else if (sock != PJ_INVALID_SOCKET)
        pj_sock_close(sock);
    return status;
}

static pj_status_t open_tcp(const pj_sockaddr *address, sc_listener *self)
{
    char text[PJ_INET6_ADDRSTRLEN];
    pjsip_tcp_transport_cfg config;

    pjsip_tcp_transport_cfg_default(&config, family);
    config.bind_addr = *address;
    config.addr_name.host = own_address(text, sizeof(text));
    config.reuse_addr = PJ_TRUE;
    return pjsip_tcp_transport_start3(sc_engine.endpt, &config, &self->factory);
}

/* PJSIP's TLS listener takes a port that it cannot have for success. */
static pj_status_t try_to_bind(const pj_sockaddr *address)
{
    pj_sock_t sock;
    int yes = 1;
    pj_status_t status = pj_sock_socket(family, pj_SOCK_STREAM() | pj_SOCK_CLOEXEC(), 0, &sock);

    if (status != PJ_SUCCESS)
        return status;
    pj_sock_setsockopt(sock, pj_SOL_SOCKET(), pj_SO_REUSEADDR(), &yes, sizeof(yes));
    status = pj_sock_bind(sock, address, (int)pj_sockaddr_get_len(address));
    if (status == PJ_SUCCESS)
        status = pj_sock_listen(sock, 1);
    pj_sock_close(sock);
    return status;
}

static pj_status_t open_tls(const pj_sockaddr *address, sc_listener *self)
{
    char text[PJ_INET6_ADDRSTRLEN];
    pjsip_tls_setting setting;
    pjsip_host_port name = { own_address(text, sizeof(text)), 0 };
    pj_status_t status = try_to_bind(address);

    if (status != PJ_SUCCESS)
        return status;
    sc_tls_setting(&setting);
    return pjsip_tls_transport_start2(sc_engine.endpt, &setting, address, &name, 1, &self->factory);
}

static int port_of(const sc_listener *self)
{
    return !self ? -1 : self->udp ? self->udp->local_name.port : self->factory->addr_name.port;
}

/* PJSIP sends by the first factory of a kind: an old one stands behind the new one. */
static void step_back(const sc_listener *self)
{
    pjsip_tpmgr *manager = pjsip_endpt_get_tpmgr(sc_engine.endpt);

    if (self->factory && pjsip_tpmgr_unregister_tpfactory(manager, self->factory) == PJ_SUCCESS)
        pjsip_tpmgr_register_tpfactory(manager, self->factory);
}

static void close_listener(sc_listener *self)
{
    if (self->udp) {
        pjsip_transport_shutdown(self->udp);
        pjsip_transport_dec_ref(self->udp); /* what is in flight holds it as well */
    } else {
        pjsip_tpmgr_unregister_tpfactory(pjsip_endpt_get_tpmgr(sc_engine.endpt), self->factory);
        self->factory->destroy(self->factory);
    }
    free(self);
}

void sc_listener_release(sc_listener *self)
{
    bool last;

    if (!self)
        return;
    pthread_mutex_lock(&mutex);
    last = --self->refs == 0;
    if (last)
        TAILQ_REMOVE(&listeners, self, entry);
    pthread_mutex_unlock(&mutex);
    if (last)
        close_listener(self);
}

static sc_transport_kind kind_of_next_hop(const pjsip_dialog *dlg)
{
    const pjsip_sip_uri *next = pjsip_uri_get_uri(
        pj_list_empty(&dlg->route_set) ? dlg->target : dlg->route_set.next->name_addr.uri);

    if (PJSIP_URI_SCHEME_IS_SIPS(next))
        return SC_TRANSPORT_TLS;
    if (!PJSIP_URI_SCHEME_IS_SIP(next) || !pj_stricmp2(&next->transport_param, "tcp"))
        return SC_TRANSPORT_TCP;
    return pj_stricmp2(&next->transport_param, "tls") ? SC_TRANSPORT_UDP : SC_TRANSPORT_TLS;
}

sc_listener *sc_listener_pin(pjsip_dialog *dlg, pjsip_transport *tp)
{
    pjsip_tpselector selector = { .type = PJSIP_TPSELECTOR_TRANSPORT };
    sc_transport_kind kind = kind_of_next_hop(dlg);
    sc_listener *self = NULL, *each;

    pthread_mutex_lock(&mutex);
    TAILQ_FOREACH(each, &listeners, entry)
        if (tp ? each->udp == tp || (each->factory && each->factory == tp->factory) : each == current[kind])
            self = each;
    if (self)
        self->refs++;
    pthread_mutex_unlock(&mutex);
    /* A dialog whose next hop speaks another transport must stay free to choose it. */
    if (self && self->udp && kind == SC_TRANSPORT_UDP) {
        selector.u.transport = self->udp;
        pjsip_dlg_set_transport(dlg, &selector);
    }
    return self;
}

/* In place of the current one, which stays when this fails. */
static pj_status_t replace(sc_transport_kind kind, int port)
{
    static pj_status_t (*const open[])(const pj_sockaddr *, sc_listener *) = { open_udp, open_tcp, open_tls };
    sc_listener *self = NULL, *old = current[kind];
    pj_sockaddr address;
    pj_status_t status;

    if (port >= 0) {
        status = address_of_port((unsigned)port, &address);
        if (status != PJ_SUCCESS)
            return status;
        self = sc_should_fail() ? NULL : calloc(1, sizeof(*self));
        if (!self)
            return PJ_ENOMEM;
        self->kind = kind;
        self->refs = 1;
        status = open[kind](&address, self);
        if (status != PJ_SUCCESS) {
            free(self);
            return status;
        }
    }
    pthread_mutex_lock(&mutex);
    if (self)
        TAILQ_INSERT_TAIL(&listeners, self, entry);
    current[kind] = self;
    pthread_mutex_unlock(&mutex);
    if (old) {
        if (old->udp)
            pjsip_transport_shutdown(old->udp); /* it receives on, and sends for the dialogs that are bound to it */
        else
            step_back(old);
        sc_listener_release(old);
    }
    return PJ_SUCCESS;
}

pj_status_t sc_transports_set_port(sc_transport_kind kind, int port)
{
    return port == port_of(current[kind]) ? PJ_SUCCESS : replace(kind, port);
}

pj_status_t sc_transports_set_tls(int port)
{
    sc_listener *self = current[SC_TRANSPORT_TLS];
    char text[PJ_INET6_ADDRSTRLEN];
    pjsip_tls_setting setting;
    pjsip_host_port name;
    pj_sockaddr address;
    pj_status_t status;

    if (!self || port != port_of(self))
        return replace(SC_TRANSPORT_TLS, port);
    /* The same port cannot be bound twice. */
    sc_tls_setting(&setting);
    name.host = own_address(text, sizeof(text));
    name.port = 0;
    status = address_of_port((unsigned)port, &address);
    return status == PJ_SUCCESS ? pjsip_tls_transport_restart2(self->factory, &setting, &address, &name) : status;
}

pj_status_t sc_transports_init(int af, const pj_str_t *address)
{
    pj_sockaddr any;

    if (address->slen >= (pj_ssize_t)sizeof(bound_address))
        return SC_EARGS;
    family = af;
    memcpy(bound_address, address->ptr, (size_t)address->slen);
    bound_address[address->slen] = '\0';
    /* PJSIP would put 0.0.0.0 or :: into the Via. */
    if (address->slen && pj_sockaddr_init(af, &any, address, 0) == PJ_SUCCESS && !pj_sockaddr_has_addr(&any))
        bound_address[0] = '\0';
    return PJ_SUCCESS;
}

/* The endpoint closes the sockets. */
void sc_transports_clear(void)
{
    sc_listener *self;

    while ((self = TAILQ_FIRST(&listeners))) {
        TAILQ_REMOVE(&listeners, self, entry);
        free(self);
    }
    memset(current, 0, sizeof(current));
}

int32_t sc_transports_ports(sc_buffer buffer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(buffer, capacity);
    unsigned kind;

    if (!sc_enter())
        return 0;
    for (kind = 0; kind < SC_TRANSPORT_KINDS; kind++)
        sc_write_i32(&writer, port_of(current[kind]));
    sc_leave();
    return sc_writer_done(&writer);
}

int32_t sc_transports_change_port(uint32_t kind, int32_t port)
{
    pj_status_t status;

    if (kind >= SC_TRANSPORT_TLS || port < -1 || port > 65535)
        return SC_EARGS;
    if (!sc_enter())
        return SC_EGONE;
    status = sc_transports_set_port((sc_transport_kind)kind, port);
    sc_leave();
    return status;
}

int32_t sc_transports_change_tls(sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    int port = sc_read_i32(&reader);
    pj_status_t status;

    if (!sc_enter())
        return SC_EGONE;
    status = port < -1 || port > 65535 ? SC_EARGS : sc_tls_set_options(&reader);
    if (status == PJ_SUCCESS) {
        status = sc_transports_set_tls(port);
        if (status == PJ_SUCCESS)
            sc_connections_renew_tls();
        else
            sc_tls_keep_old_options();
    }
    sc_leave();
    return status;
}
