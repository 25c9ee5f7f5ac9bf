/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A media transport that stands between a pair of sockets, or ICE, and all that is above, and hands up only what comes
 * from the peer. pjmedia itself takes the first packet that comes for the peer's, follows anybody who sends ten while
 * the peer sends none, and with ICE looks at no source at all. The rules here:
 *
 * - With ICE the peer is where its candidates are, and those that have shown its password.
 * - Without, it is where its description says. Until something has come from there, it is also the first from whom three
 *   RTP packets follow each other: a peer behind a NAT that knows its own address no better.
 * - Nobody else is heard then. When there has been nothing for three seconds, RTP with the peer's SSRC, which a stranger
 *   does not know, may come from another address: a NAT has forgotten the old one. The address of the description is
 *   heard at any time.
 * - RTCP comes from where the description says, or from the host that RTP comes from in its place.
 * - What is neither RTP nor RTCP nor DTLS goes no further.
 */
#include "ice_internal.h"

#define PROBATION 3
#define SILENCE_MS 3000

typedef struct {
    pj_sockaddr negotiated; /* in the peer's description */
    pj_sockaddr heard;      /* where the last packet of the peer's has come from; zero: nowhere yet */
} source;

typedef struct {
    pjmedia_transport base;
    pj_pool_t *pool;
    pjmedia_transport *below;
    bool is_ice;
    /* Who is attached. */
    void *user;
    void (*rtp_cb)(void *user, void *packet, pj_ssize_t size);
    void (*rtp_cb2)(pjmedia_tp_cb_param *param);
    void (*rtcp_cb)(void *user, void *packet, pj_ssize_t size);
    source rtp, rtcp;
    pj_uint32_t ssrc;
    pj_time_val heard_at;
    /* One who may become the peer. */
    struct {
        pj_sockaddr address;
        pj_uint32_t ssrc;
        pj_uint16_t sequence;
        unsigned count;
    } candidate;
} source_guard;

/* ---- what comes --------------------------------------------------------------------------------------------------- */

static pj_uint16_t u16_at(const void *packet, unsigned at)
{
    const uint8_t *bytes = packet;

    return (pj_uint16_t)(bytes[at] << 8 | bytes[at + 1]);
}

static pj_uint32_t u32_at(const void *packet, unsigned at)
{
    return (pj_uint32_t)u16_at(packet, at) << 16 | u16_at(packet, at + 2);
}

static bool is_rtp(const void *packet, pj_ssize_t size)
{
    return size >= 12 && *(const uint8_t *)packet >> 6 == 2;
}

static bool is_dtls(const void *packet, pj_ssize_t size)
{
    const uint8_t *bytes = packet;

    /* A record of version 1.x, whose second byte is 254. */
    return size >= 13 && bytes[0] >= 20 && bytes[0] <= 63 && bytes[1] == 0xfe;
}

static bool is_rtcp(const void *packet, pj_ssize_t size)
{
    const uint8_t *bytes = packet;

    return size >= 8 && bytes[0] >> 6 == 2 && bytes[1] >= 192 && bytes[1] <= 223;
}

static bool is_same_host(const pj_sockaddr *one, const pj_sockaddr *other)
{
    return one->addr.sa_family == other->addr.sa_family && pj_sockaddr_has_addr(one) &&
           !pj_memcmp(pj_sockaddr_get_addr(one), pj_sockaddr_get_addr(other), pj_sockaddr_get_addr_len(one));
}

static bool is_known(const pj_sockaddr *address)
{
    return address->addr.sa_family != 0;
}

static bool is_silent(const source_guard *self)
{
    pj_time_val now;

    pj_gettickcount(&now);
    PJ_TIME_VAL_SUB(now, self->heard_at);
    return PJ_TIME_VAL_MSEC(now) >= SILENCE_MS;
}

/* Three RTP packets in a row, from one address and of one source. */
static bool passes_probation(source_guard *self, const void *packet, const pj_sockaddr *from)
{
    pj_uint16_t sequence = u16_at(packet, 2);
    pj_uint32_t ssrc = u32_at(packet, 8);
    bool follows = self->candidate.count && self->candidate.ssrc == ssrc &&
                   (pj_uint16_t)(self->candidate.sequence + 1) == sequence &&
                   !pj_sockaddr_cmp(&self->candidate.address, from);

    pj_sockaddr_cp(&self->candidate.address, from);
    self->candidate.ssrc = ssrc;
    self->candidate.sequence = sequence;
    self->candidate.count = follows ? self->candidate.count + 1 : 1;
    return self->candidate.count >= PROBATION;
}

/* `by_ice`: ICE has said so, and knows where to send to. */
static bool is_peer(source_guard *self, const void *packet, pj_ssize_t size, const pj_sockaddr *from, bool *by_ice)
{
    if (self->is_ice) {
        bool accepted = sc_ice_accepts(self->below, SC_ICE_RTP, from, by_ice);

        if (*by_ice)
            return accepted;
    }
    if (!pj_sockaddr_cmp(&self->rtp.negotiated, from))
        return true;
    if (is_known(&self->rtp.heard)) {
        if (!pj_sockaddr_cmp(&self->rtp.heard, from))
            return true;
        return is_rtp(packet, size) && u32_at(packet, 8) == self->ssrc && is_silent(self);
    }
    /* Who begins a handshake shows by its certificate who it is. */
    return is_rtp(packet, size) ? passes_probation(self, packet, from) : is_dtls(packet, size);
}

static void on_rtp(pjmedia_tp_cb_param *param)
{
    source_guard *self = param->user_data;
    const pj_sockaddr *from = param->src_addr;
    pjmedia_tp_cb_param inner = *param;
    bool is_error = param->size < 0, by_ice = false, is_moved = false;

    param->rem_switch = PJ_FALSE;
    pj_grp_lock_acquire(self->base.grp_lock);
    if (!is_error && !from && self->is_ice)
        from = sc_ice_media_source(self->below, SC_ICE_RTP);
    if (!is_error && (!from || !(is_rtp(param->pkt, param->size) || is_dtls(param->pkt, param->size)) ||
                      !is_peer(self, param->pkt, param->size, from, &by_ice))) {
        pj_grp_lock_release(self->base.grp_lock);
        return;
    }
    if (!is_error) {
        is_moved = !by_ice && pj_sockaddr_cmp(is_known(&self->rtp.heard) ? &self->rtp.heard : &self->rtp.negotiated, from) != 0;
        pj_sockaddr_cp(&self->rtp.heard, from);
        pj_gettickcount(&self->heard_at);
        if (is_rtp(param->pkt, param->size) && !is_rtcp(param->pkt, param->size))
            self->ssrc = u32_at(param->pkt, 8);
    }
    /* Who is above has nothing to find out any more. */
    inner.src_addr = NULL;
    inner.user_data = self->user;
    /* Under the lock: who has detached is not called any more. */
    if (self->rtp_cb2)
        self->rtp_cb2(&inner);
    else if (self->rtp_cb)
        self->rtp_cb(self->user, param->pkt, param->size);
    /* A handshake attaches anew, to whom it is with: below that is known then. */
    param->rem_switch = is_moved && is_known(&self->rtp.heard);
    pj_grp_lock_release(self->base.grp_lock);
}

static bool is_peer_rtcp(source_guard *self, const pj_sockaddr *from)
{
    bool known = false;

    if (self->is_ice) {
        bool accepted = sc_ice_accepts(self->below, SC_ICE_RTCP, from, &known);

        if (known)
            return accepted;
    }
    if (!pj_sockaddr_cmp(&self->rtcp.negotiated, from))
        return true;
    if (is_known(&self->rtcp.heard) && is_same_host(&self->rtcp.heard, &self->rtp.heard))
        return !pj_sockaddr_cmp(&self->rtcp.heard, from);
    /* Its RTP does not come from where the description says either. */
    return is_known(&self->rtp.heard) && pj_sockaddr_cmp(&self->rtp.heard, &self->rtp.negotiated) &&
           is_same_host(&self->rtp.heard, from);
}

/* Where the packet has come from that is being handed up. */
static void rtcp_source(const source_guard *self, pj_sockaddr *from)
{
    pjmedia_transport_info info;

    if (self->is_ice) {
        pj_sockaddr_cp(from, sc_ice_media_source(self->below, SC_ICE_RTCP));
        return;
    }
    pjmedia_transport_info_init(&info);
    pjmedia_transport_get_info(self->below, &info);
    pj_sockaddr_cp(from, &info.src_rtcp_name);
}

static void on_rtcp(void *arg, void *packet, pj_ssize_t size)
{
    source_guard *self = arg;
    pj_sockaddr from;

    pj_grp_lock_acquire(self->base.grp_lock);
    if (size < 0) {
        if (self->rtcp_cb)
            self->rtcp_cb(self->user, packet, size);
    } else if (is_rtcp(packet, size) || is_dtls(packet, size)) {
        rtcp_source(self, &from);
        if (is_peer_rtcp(self, &from)) {
            pj_sockaddr_cp(&self->rtcp.heard, &from);
            if (self->rtcp_cb)
                self->rtcp_cb(self->user, packet, size);
        }
    }
    pj_grp_lock_release(self->base.grp_lock);
}

/* ---- what goes ---------------------------------------------------------------------------------------------------- */

static source_guard *guard_of(pjmedia_transport *transport)
{
    return (source_guard *)transport;
}

static pj_status_t get_info(pjmedia_transport *transport, pjmedia_transport_info *info)
{
    source_guard *self = guard_of(transport);
    pj_status_t status;

    pj_grp_lock_acquire(self->base.grp_lock);
    status = pjmedia_transport_get_info(self->below, info);
    info->src_rtp_name = self->rtp.heard;
    info->src_rtcp_name = self->rtcp.heard;
    pj_grp_lock_release(self->base.grp_lock);
    return status;
}

static pj_status_t attach2(pjmedia_transport *transport, pjmedia_transport_attach_param *param)
{
    source_guard *self = guard_of(transport);
    pjmedia_transport_attach_param own = *param;
    pj_status_t status;

    own.user_data = self;
    own.rtp_cb = NULL;
    own.rtp_cb2 = on_rtp;
    own.rtcp_cb = on_rtcp;
    pj_grp_lock_acquire(self->base.grp_lock);
    self->user = param->user_data;
    self->rtp_cb = param->rtp_cb;
    self->rtp_cb2 = param->rtp_cb2;
    self->rtcp_cb = param->rtcp_cb;
    pj_bzero(&self->rtp, sizeof(self->rtp));
    pj_bzero(&self->rtcp, sizeof(self->rtcp));
    pj_bzero(&self->candidate, sizeof(self->candidate));
    self->ssrc = 0;
    pj_memcpy(&self->rtp.negotiated, &param->rem_addr, param->addr_len);
    pj_memcpy(&self->rtcp.negotiated, &param->rem_rtcp, param->addr_len);
    status = pjmedia_transport_attach2(self->below, &own);
    pj_grp_lock_release(self->base.grp_lock);
    return status;
}

static void detach(pjmedia_transport *transport, void *user)
{
    source_guard *self = guard_of(transport);

    PJ_UNUSED_ARG(user);
    pjmedia_transport_detach(self->below, self);
    /* Whoever is being called has returned then. */
    pj_grp_lock_acquire(self->base.grp_lock);
    self->user = NULL;
    self->rtp_cb = NULL;
    self->rtp_cb2 = NULL;
    self->rtcp_cb = NULL;
    pj_grp_lock_release(self->base.grp_lock);
}

/*
 * pjnath 2.17 sends from a queue that two threads at a time bring to a standstill, for good: checks and their answers, too,
 * go nowhere then. What it sends by itself goes out under this lock.
 */
static void begin_send(source_guard *self)
{
    if (self->is_ice)
        pj_grp_lock_acquire(self->base.grp_lock);
}

static void end_send(source_guard *self)
{
    if (self->is_ice)
        pj_grp_lock_release(self->base.grp_lock);
}

static pj_status_t send_rtp(pjmedia_transport *transport, const void *packet, pj_size_t size)
{
    source_guard *self = guard_of(transport);
    pj_status_t status;

    begin_send(self);
    status = pjmedia_transport_send_rtp(self->below, packet, size);
    end_send(self);
    return status;
}

static pj_status_t send_rtcp2(pjmedia_transport *transport, const pj_sockaddr_t *address, unsigned size_of_address,
                              const void *packet, pj_size_t size)
{
    source_guard *self = guard_of(transport);
    pj_status_t status;

    begin_send(self);
    status = pjmedia_transport_send_rtcp2(self->below, address, size_of_address, packet, size);
    end_send(self);
    return status;
}

/* pjmedia sends it to whoever has sent three of its own. */
static pj_status_t send_rtcp(pjmedia_transport *transport, const void *packet, pj_size_t size)
{
    source_guard *self = guard_of(transport);
    pj_sockaddr to;

    pj_grp_lock_acquire(self->base.grp_lock);
    if (is_known(&self->rtcp.heard)) {
        pj_sockaddr_cp(&to, &self->rtcp.heard);
    } else if (is_known(&self->rtp.heard) && pj_sockaddr_cmp(&self->rtp.heard, &self->rtp.negotiated)) {
        bool one_port = !pj_sockaddr_cmp(&self->rtp.negotiated, &self->rtcp.negotiated);

        pj_sockaddr_cp(&to, &self->rtp.heard);
        if (!one_port)
            pj_sockaddr_set_port(&to, (pj_uint16_t)(pj_sockaddr_get_port(&to) + 1));
    } else {
        pj_sockaddr_cp(&to, &self->rtcp.negotiated);
    }
    pj_grp_lock_release(self->base.grp_lock);
    if (!is_known(&to))
        return PJ_EINVALIDOP;
    return send_rtcp2(transport, &to, pj_sockaddr_get_len(&to), packet, size);
}

static pj_status_t media_create(pjmedia_transport *transport, pj_pool_t *pool, unsigned options,
                                const pjmedia_sdp_session *remote, unsigned index)
{
    return pjmedia_transport_media_create(guard_of(transport)->below, pool, options, remote, index);
}

static pj_status_t encode_sdp(pjmedia_transport *transport, pj_pool_t *pool, pjmedia_sdp_session *local,
                              const pjmedia_sdp_session *remote, unsigned index)
{
    return pjmedia_transport_encode_sdp(guard_of(transport)->below, pool, local, remote, index);
}

static pj_status_t media_start(pjmedia_transport *transport, pj_pool_t *pool, const pjmedia_sdp_session *local,
                               const pjmedia_sdp_session *remote, unsigned index)
{
    return pjmedia_transport_media_start(guard_of(transport)->below, pool, local, remote, index);
}

static pj_status_t media_stop(pjmedia_transport *transport)
{
    return pjmedia_transport_media_stop(guard_of(transport)->below);
}

static pj_status_t simulate_lost(pjmedia_transport *transport, pjmedia_dir direction, unsigned percent)
{
    return pjmedia_transport_simulate_lost(guard_of(transport)->below, direction, percent);
}

static void release(void *arg)
{
    source_guard *self = arg;

    pj_pool_release(self->pool);
}

static pj_status_t destroy(pjmedia_transport *transport)
{
    source_guard *self = guard_of(transport);
    pj_grp_lock_t *lock = self->base.grp_lock;
    pj_status_t status;

    if (!self->is_ice)
        return pjmedia_transport_close(self->below);
    /* pjnath clears its callbacks without this lock, which whoever calls them holds. */
    pj_grp_lock_add_ref(lock);
    pj_grp_lock_acquire(lock);
    sc_ice_forget_relays(lock);
    status = pjmedia_transport_close(self->below);
    pj_grp_lock_release(lock);
    pj_grp_lock_dec_ref(lock);
    return status;
}

pj_status_t sc_source_guard_create(pjmedia_transport *below, pjmedia_transport **guard)
{
    static pjmedia_transport_op operations = { .get_info = get_info,
                                               .detach = detach,
                                               .send_rtp = send_rtp,
                                               .send_rtcp = send_rtcp,
                                               .send_rtcp2 = send_rtcp2,
                                               .media_create = media_create,
                                               .encode_sdp = encode_sdp,
                                               .media_start = media_start,
                                               .media_stop = media_stop,
                                               .simulate_lost = simulate_lost,
                                               .destroy = destroy,
                                               .attach2 = attach2 };
    pj_pool_t *pool = sc_pool_create("guard", 1000);
    source_guard *self;
    pj_status_t status;

    if (!pool)
        return PJ_ENOMEM;
    self = PJ_POOL_ZALLOC_T(pool, source_guard);
    pj_memcpy(self->base.name, below->name, sizeof(self->base.name));
    self->base.op = &operations;
    self->base.type = PJMEDIA_TRANSPORT_TYPE_USER;
    self->base.grp_lock = below->grp_lock;
    self->pool = pool;
    self->below = below;
    self->is_ice = below->type == PJMEDIA_TRANSPORT_TYPE_ICE;
    status = pj_grp_lock_add_handler(below->grp_lock, NULL, self, release);
    if (status != PJ_SUCCESS) {
        pj_pool_release(pool);
        return status;
    }
    *guard = &self->base;
    return PJ_SUCCESS;
}
