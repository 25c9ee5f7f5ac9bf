/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pjnath's ICE stream transport, compiled in here in place of its own object, because it shows nobody its session, its
 * candidates or why there are none. Its calls for sockets come to the functions below: they choose ports of the RTP
 * range, note what fails, and know what is still alive when the engine stops.
 */
#include "ice_internal.h"

static pj_status_t create_socket(pj_stun_config *config, const char *name, int af, const pj_stun_sock_cb *cb,
                                 const pj_stun_sock_cfg *settings, void *user_data, pj_stun_sock **result);
static pj_status_t start_binding(pj_stun_sock *sock, const pj_str_t *server, pj_uint16_t port,
                                 pj_dns_resolver *resolver);
static pj_status_t create_relay(pj_stun_config *config, int af, pj_turn_tp_type type, const pj_turn_sock_cb *cb,
                                const pj_turn_sock_cfg *settings, void *user_data, pj_turn_sock **result);

#define pj_stun_sock_create create_socket
#define pj_stun_sock_start start_binding
#define pj_turn_sock_create create_relay
#include <../src/pjnath/ice_strans.c>
#undef pj_stun_sock_create
#undef pj_stun_sock_start
#undef pj_turn_sock_create

/* What went wrong in the calling thread while a transport was made: pjnath goes on with what is left. */
static _Thread_local pj_status_t failure;

/* ---- what is alive ------------------------------------------------------------------------------------------------ */

typedef struct living {
    PJ_DECL_LIST_MEMBER(struct living);
    pj_grp_lock_t *lock;
    pj_turn_sock *relay; /* NULL: a plain socket */
} living;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static living alive = { &alive, &alive, NULL, NULL };

static void on_end(void *arg)
{
    pthread_mutex_lock(&mutex);
    pj_list_erase(arg);
    pthread_mutex_unlock(&mutex);
    free(arg);
}

/* Until the last one that uses the transport's lock has gone. */
static pj_status_t remember(pj_grp_lock_t *lock, living **entry)
{
    living *self = calloc(1, sizeof(*self));
    pj_status_t status;

    if (!self)
        return PJ_ENOMEM;
    self->lock = lock;
    pj_list_init(self);
    status = pj_grp_lock_add_handler(lock, NULL, self, on_end);
    if (status != PJ_SUCCESS) {
        free(self);
        return status;
    }
    pthread_mutex_lock(&mutex);
    pj_list_push_back(&alive, self);
    pthread_mutex_unlock(&mutex);
    *entry = self;
    return PJ_SUCCESS;
}

bool sc_ice_is_alive(void)
{
    bool some;

    pthread_mutex_lock(&mutex);
    some = !pj_list_empty(&alive);
    pthread_mutex_unlock(&mutex);
    return some;
}

void sc_ice_forget_relays(const pj_grp_lock_t *lock)
{
    for (;;) {
        pj_turn_sock *relay = NULL;
        living *each;

        pthread_mutex_lock(&mutex);
        for (each = alive.next; each != &alive; each = each->next) {
            if (!each->relay || (lock && each->lock != lock))
                continue;
            if (lock && sc_turn_is_allocated(each->relay))
                continue;
            relay = each->relay;
            each->relay = NULL;
            pj_grp_lock_add_ref(each->lock);
            break;
        }
        pthread_mutex_unlock(&mutex);
        if (!relay)
            return;
        sc_turn_forget(relay);
        pj_grp_lock_dec_ref(each->lock);
    }
}

/* ---- sockets ------------------------------------------------------------------------------------------------------ */

/* A machine of one address family is as good as any. */
static bool is_without_family(pj_status_t status)
{
    return status == PJ_STATUS_FROM_OS(EAFNOSUPPORT) || status == PJ_STATUS_FROM_OS(EADDRNOTAVAIL);
}

static pj_status_t create_socket(pj_stun_config *config, const char *name, int af, const pj_stun_sock_cb *cb,
                                 const pj_stun_sock_cfg *settings, void *user_data, pj_stun_sock **result)
{
    pj_stun_sock_cfg own = *settings;
    const sock_user_data *data = user_data;
    unsigned port = pj_sockaddr_get_port(&own.bound_addr);
    living *entry;
    pj_status_t status = remember(own.grp_lock, &entry);

    if (status == PJ_SUCCESS) {
        /* RTP has the even port of the pair, RTCP the next. */
        pj_sockaddr_set_port(&own.bound_addr, (pj_uint16_t)(port + data->comp->comp_id - 1));
        status = pj_stun_sock_create(config, name, af, cb, &own, user_data, result);
    }
    if (failure == PJ_SUCCESS && !(data->comp->ice_st->cfg.stun_tp_cnt > 1 && is_without_family(status)))
        failure = status;
    return status;
}

static pj_status_t start_binding(pj_stun_sock *sock, const pj_str_t *server, pj_uint16_t port,
                                 pj_dns_resolver *resolver)
{
    pj_status_t status = pj_stun_sock_start(sock, server, port, resolver);

    if (failure == PJ_SUCCESS)
        failure = status;
    return status;
}

static pj_status_t create_relay(pj_stun_config *config, int af, pj_turn_tp_type type, const pj_turn_sock_cb *cb,
                                const pj_turn_sock_cfg *settings, void *user_data, pj_turn_sock **result)
{
    const sock_user_data *data = user_data;
    living *entry;
    pj_status_t status;

    /* When the server has not taken an allocation back, pjnath asks for a new one, for nobody. */
    if (data->comp->ice_st->destroy_req)
        return PJ_EINVALIDOP;
    status = remember(settings->grp_lock, &entry);
    if (status == PJ_SUCCESS)
        status = pj_turn_sock_create(config, af, type, cb, settings, user_data, result);
    if (status == PJ_SUCCESS) {
        pthread_mutex_lock(&mutex);
        entry->relay = *result;
        pthread_mutex_unlock(&mutex);
    }
    return status;
}

void sc_ice_strans_watch(void)
{
    failure = PJ_SUCCESS;
}

pj_status_t sc_ice_strans_failure(void)
{
    return failure;
}

/* ---- what is inside ----------------------------------------------------------------------------------------------- */

pj_ice_sess *sc_ice_strans_session(pj_ice_strans *self)
{
    return self->ice;
}

const pj_time_val *sc_ice_strans_started(const pj_ice_strans *self)
{
    return &self->start_time;
}

pj_status_t sc_ice_strans_missing(const pj_ice_strans *self, bool relay)
{
    pj_ice_cand_type type = relay ? PJ_ICE_CAND_TYPE_RELAYED : PJ_ICE_CAND_TYPE_SRFLX;
    unsigned i, j;

    for (i = 0; i < self->comp_cnt; i++) {
        const pj_ice_strans_comp *comp = self->comp[i];
        pj_status_t status = relay && self->cfg.turn_tp_cnt ? PJ_ENOTFOUND : PJ_SUCCESS;

        for (j = 0; j < comp->cand_cnt; j++) {
            if (comp->cand_list[j].type == type)
                status = comp->cand_list[j].status;
        }
        if (status != PJ_SUCCESS)
            return status;
    }
    return PJ_SUCCESS;
}
