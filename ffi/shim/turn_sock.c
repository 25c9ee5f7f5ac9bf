/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pjnath's TURN socket, compiled in here in place of its own object: it gives an allocation back and waits for the
 * server, for eight seconds if that is silent, and it looks at no certificate's name.
 */
#include "ice_internal.h"

static pj_status_t create_ssl_socket(pj_pool_t *pool, const pj_ssl_sock_param *param, pj_ssl_sock_t **result);
static pj_status_t take_packet(pj_turn_session *session, void *packet, pj_size_t size, pj_size_t *parsed);

#define pj_ssl_sock_create create_ssl_socket
#define pj_turn_session_on_rx_pkt take_packet
#include <../src/pjnath/turn_sock.c>
#undef pj_ssl_sock_create
#undef pj_turn_session_on_rx_pkt

/* pjnath 2.17 goes on to read what comes with the packet that has ended the session, and has none any more. */
static pj_status_t take_packet(pj_turn_session *session, void *packet, pj_size_t size, pj_size_t *parsed)
{
    if (session)
        return pj_turn_session_on_rx_pkt(session, packet, size, parsed);
    *parsed = size;
    return PJ_EGONE;
}

static bool is_good(const pj_ssl_sock_info *info, const pj_str_t *name)
{
    unsigned errors = info->verify_status & ~(unsigned)PJ_SSL_CERT_EIDENTITY_NOT_MATCH;

    return !errors && info->remote_cert_info && sc_tls_is_named(&info->remote_cert_info->raw, name);
}

/* The chain and the name, by the engine's TLS options, before a byte of TURN leaves. */
static pj_bool_t on_connected(pj_ssl_sock_t *ssl, pj_status_t status)
{
    pj_turn_sock *self = pj_ssl_sock_get_user_data(ssl);
    pj_ssl_sock_info info;

    if (self && status == PJ_SUCCESS && sc_tls_verifies()) {
        status = pj_ssl_sock_get_info(ssl, &info);
        if (status == PJ_SUCCESS && !is_good(&info, &self->setting.tls_cfg.ssock_param.server_name))
            status = PJSIP_TLS_ECERTVERIF;
    }
    return on_connect_complete_ssl_sock(ssl, status);
}

static pj_status_t create_ssl_socket(pj_pool_t *pool, const pj_ssl_sock_param *param, pj_ssl_sock_t **result)
{
    const pj_turn_sock *self = param->user_data;
    pj_ssl_sock_param own = *param;

    /* The server itself is given by its address. */
    own.server_name = self->setting.tls_cfg.ssock_param.server_name;
    own.cb.on_connect_complete = on_connected;
    /* It is asked about the chain in on_connected(). */
    own.verify_peer = PJ_FALSE;
    return pj_ssl_sock_create(pool, &own, result);
}

bool sc_turn_is_allocated(pj_turn_sock *self)
{
    pj_turn_session_info info;

    if (!self->sess)
        return false;
    pj_turn_session_get_info(self->sess, &info);
    return info.state >= PJ_TURN_STATE_READY;
}

void sc_turn_forget(pj_turn_sock *self)
{
    pj_grp_lock_acquire(self->grp_lock);
    if (self->sess)
        pj_turn_session_destroy(self->sess, PJ_SUCCESS);
    else
        pj_turn_sock_destroy(self);
    pj_grp_lock_release(self->grp_lock);
}
