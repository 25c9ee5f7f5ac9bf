/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pjmedia's SRTP, compiled in here instead of its own object (scripts/build/library.ts takes that out), so that what it
 * calls comes by the functions below. What pjmedia 2.17 does otherwise:
 *
 * - It logs the keys at level 5.
 * - It starts anew when a packet is repeated among the first hundred, and takes it then.
 * - It compares one of the two DTLS certificates with the fingerprint, RTP's or RTCP's, whichever comes first; and when
 *   RTCP's handshake is through before RTP's, it sends in clear.
 * - It tells nobody of a handshake that fails, and has a thread for each one's retransmissions, which it waits for under
 *   a lock that this thread wants.
 * - It writes past a buffer when a flight of DTLS is longer than a packet.
 * - It answers in clear what it has been offered with the second of its ways to agree on keys, or refuses it.
 * - When the peer changes its key, the count of our own packets begins anew under the old key.
 * - Each negotiation takes memory that is free again when the call is over.
 */
#include "srtp.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <srtp2/cipher.h>
#include <srtp2/srtp.h>

#include "internal.h"

/* As pjmedia's own makefile has it, but for the last: without it libsrtp cannot be initialized again. */
#define PJMEDIA_EXTERNAL_SRTP 2
#define PJMEDIA_SRTP_HAS_DEINIT 0
#define PJMEDIA_SRTP_HAS_SHUTDOWN 1

#undef PJ_LOG_MAX_LEVEL
#define PJ_LOG_MAX_LEVEL 4
#undef PJMEDIA_SRTP_CHECK_RTP_SEQ_ON_RESTART
#define PJMEDIA_SRTP_CHECK_RTP_SEQ_ON_RESTART 0

#define MAX_KEY_SIZE 128
#define MAX_SUITES 8
#define MAX_FINGERPRINT 256
#define CHANNELS 2
/* A datagram that no network fragments. */
#define MAX_FLIGHT 1200
#define RECORD_HEADER 13
#define TICK_MS 250
#define MAX_TIMEOUT_US 8000000u

/* ---- what pjmedia's source calls instead of libsrtp and OpenSSL ----------------------------------------------------- */

/* The count that one direction has reached under its key. */
typedef struct {
    uint8_t key[MAX_KEY_SIZE];
    size_t size;
    pj_uint32_t ssrc;
    pj_uint32_t rollovers;
} progress;

typedef struct {
    sc_serial serial; /* the RTP transport's */
    bool forced;
    bool in_clear; /* agreed, for now */
    bool peer_insists; /* by the profile in its description */
    bool one_port; /* for RTP and RTCP */
    unsigned offered; /* of the suites */
    unsigned ways; /* to agree on keys */
    pjmedia_transport *way[2];
    progress sent, received;
    pj_pool_t *scratch; /* of the negotiation under way: from a description of ours to the next one */
    char fingerprint[MAX_FINGERPRINT]; /* the peer's */
    char *key[MAX_SUITES]; /* ours, of each suite */
    atomic_uint refused, replayed;
    pj_sockaddr peer[CHANNELS]; /* whose handshake it is */
    bool broken[CHANNELS]; /* it has failed and is to be thrown away */
    bool complained;
    char reason[128];
    struct {
        pj_timer_entry entry;
        void *channel;
    } timer[CHANNELS];
} security;

static security *security_of(const void *srtp)
{
    return ((const pjmedia_transport *)srtp)->user_data;
}

static void count(const void *srtp, srtp_err_status_t error)
{
    if (error == srtp_err_status_replay_fail || error == srtp_err_status_replay_old)
        atomic_fetch_add_explicit(&security_of(srtp)->replayed, 1, memory_order_relaxed);
    else if (error != srtp_err_status_ok)
        atomic_fetch_add_explicit(&security_of(srtp)->refused, 1, memory_order_relaxed);
}

static srtp_err_status_t unprotect(const void *srtp, srtp_t session, void *packet, int *size)
{
    srtp_err_status_t error = srtp_unprotect(session, packet, size);

    count(srtp, error);
    return error;
}

static srtp_err_status_t unprotect_rtcp(const void *srtp, srtp_t session, void *packet, int *size)
{
    srtp_err_status_t error = srtp_unprotect_rtcp(session, packet, size);

    count(srtp, error);
    return error;
}

/* With a key that is in use already the count goes on: used twice, it would give away what it hides. */
static srtp_err_status_t create_session(const void *srtp, srtp_t *session, srtp_policy_t *policy)
{
    security *self = security_of(srtp);
    const progress *known[] = { &self->sent, &self->received };
    srtp_err_status_t error = srtp_create(session, policy);
    size_t size = (size_t)policy->rtp.cipher_key_len, i;

    for (i = 0; i < PJ_ARRAY_SIZE(known) && error == srtp_err_status_ok; i++) {
        srtp_policy_t one = *policy;

        if (!known[i]->rollovers || known[i]->size != size || memcmp(known[i]->key, policy->key, size))
            continue;
        one.ssrc.type = ssrc_specific;
        one.ssrc.value = known[i]->ssrc;
        if (srtp_add_stream(*session, &one) == srtp_err_status_ok)
            srtp_set_stream_roc(*session, known[i]->ssrc, known[i]->rollovers);
    }
    return error;
}

static SSL_CTX *new_context(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);

    if (context)
        SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    return context;
}

/* A flight that is lost costs a quarter of a second of sound, not a whole one as OpenSSL has it. */
static unsigned next_timeout(SSL *ssl, unsigned us)
{
    PJ_UNUSED_ARG(ssl);
    return us ? PJ_MIN(us * 2, MAX_TIMEOUT_US) : TICK_MS * 1000;
}

static SSL *new_end(SSL_CTX *context)
{
    SSL *ssl = SSL_new(context);

    if (ssl)
        DTLS_set_timer_cb(ssl, next_timeout);
    return ssl;
}

/* Whole records, as many as one datagram holds. */
static int read_flight(BIO *bio, void *buffer)
{
    unsigned char *data;
    long pending = BIO_get_mem_data(bio, &data), size = 0;

    while (pending - size >= RECORD_HEADER) {
        long record = RECORD_HEADER + (data[size + RECORD_HEADER - 2] << 8 | data[size + RECORD_HEADER - 1]);

        if (record > pending - size || (size && size + record > MAX_FLIGHT) || size + record > PJMEDIA_MAX_MTU)
            break;
        size += record;
    }
    size = BIO_read(bio, buffer, (int)size);
    return size > 0 ? (int)size : 0;
}

static int read_handshake(const void *srtp, unsigned channel, SSL *ssl, void *buffer, int size)
{
    int length, error;

    ERR_clear_error();
    length = SSL_read(ssl, buffer, size);
    error = SSL_get_error(ssl, length);
    if (length <= 0 && (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) && SSL_in_init(ssl)) {
        security *self = security_of(srtp);
        const char *reason = ERR_reason_error_string(ERR_peek_error());

        self->broken[channel] = true;
        pj_ansi_snprintf(self->reason, sizeof(self->reason), "The DTLS handshake failed: %s",
                         reason ? reason : "OpenSSL does not say why");
    }
    ERR_clear_error();
    return length;
}

/* Of the two ends of `dtls`, which pjmedia's source defines. */
static bool is_expected(void *dtls, unsigned channel);
static void tell_of_ice(pjmedia_transport *member, pjmedia_ice_cb *callbacks, void *dtls);
static pj_status_t make_clock(void *channel, pjmedia_clock **clock);
static pj_status_t start_clock(pjmedia_clock *clock);
static void stop_clock(pjmedia_clock *clock);

#define srtp_unprotect(session, packet, size) unprotect(srtp, session, packet, size)
#define srtp_unprotect_rtcp(session, packet, size) unprotect_rtcp(srtp, session, packet, size)
#define srtp_create(session, policy) create_session(srtp, session, policy)
#define SSL_CTX_new(method) new_context(method)
#define SSL_new(context) new_end(context)
#define SSL_read(ssl, buffer, size) read_handshake(ds->srtp, idx, ssl, buffer, size)
#define SSL_export_keying_material(ssl, ...) \
    (is_expected(ds, idx) ? SSL_export_keying_material(ssl, __VA_ARGS__) : 0)
#define BIO_read(bio, buffer, size) read_flight(bio, buffer)
#define pjmedia_ice_add_ice_cb(member, callbacks, data) tell_of_ice(member, callbacks, data)
#define pjmedia_clock_create(pool, rate, channels, samples, options, callback, data, clock) \
    make_clock(((void)(callback), (data)), clock)
#define pjmedia_clock_start(clock) start_clock(clock)
#define pjmedia_clock_stop(clock) stop_clock(clock)
#define pjmedia_clock_destroy(clock) stop_clock(clock)

/* Found beside pjmedia's headers, whose folder is in the compiler's path. */
#include <../src/pjmedia/transport_srtp.c>

#undef pjmedia_ice_add_ice_cb
#undef srtp_create
#undef srtp_unprotect
#undef srtp_unprotect_rtcp
#undef SSL_read
#undef BIO_read

/* ---- DTLS ----------------------------------------------------------------------------------------------------------- */

static bool is_dtls(const pjmedia_transport *way)
{
    return way->op == &dtls_op;
}

static dtls_srtp *dtls_of(const security *self)
{
    unsigned i;

    for (i = 0; i < self->ways; i++) {
        if (is_dtls(self->way[i]))
            return (dtls_srtp *)self->way[i];
    }
    return NULL;
}

static void tell(const security *self, bool good, const char *text)
{
    sc_record record;

    sc_record_init(&record, SC_RECORD_SRTP, (uint64_t)self->serial);
    sc_record_u8(&record, good);
    sc_record_text(&record, text);
    sc_record_push(&record, false);
}

/* Once, until something is better or somebody has agreed anew. */
static void complain(security *self, const char *reason)
{
    if (!self->complained)
        tell(self, false, reason);
    self->complained = true;
}

static bool is_expected(void *dtls, unsigned channel)
{
    dtls_srtp *ds = dtls;
    X509 *certificate = SSL_get_peer_certificate(ds->ossl_ssl[channel]);
    /* The description may come after the handshake: start_media() asks again. */
    bool expected = certificate && (!ds->rem_fingerprint.slen || sc_srtp_is_fingerprint(certificate, &ds->rem_fingerprint));

    X509_free(certificate);
    if (ds->rem_fingerprint.slen)
        ds->rem_fprint_status = expected ? PJ_SUCCESS : PJMEDIA_SRTP_DTLS_EFPNOTMATCH;
    if (!expected) {
        security *self = security_of(ds->srtp);

        self->broken[channel] = true;
        pj_ansi_strxcpy(self->reason, "The peer's certificate is not the one that its description names",
                        sizeof(self->reason));
    }
    return expected;
}

/* Under the lock: what one channel has agreed on is forgotten; as a server it waits for another handshake. */
static void drop_channel(dtls_srtp *ds, unsigned channel)
{
    security *self = security_of(ds->srtp);

    dtls_media_stop_channel(ds, channel);
    pj_bzero(&ds->tx_crypto[channel], sizeof(ds->tx_crypto[channel]));
    pj_bzero(&ds->rx_crypto[channel], sizeof(ds->rx_crypto[channel]));
    if (channel == RTP_CHANNEL)
        ds->got_keys = PJ_FALSE;
    pj_bzero(&self->peer[channel], sizeof(self->peer[channel]));
    self->broken[channel] = false;
}

static void drop_broken(dtls_srtp *ds)
{
    security *self = security_of(ds->srtp);
    unsigned channel;

    DTLS_LOCK(ds);
    for (channel = 0; channel < CHANNELS; channel++) {
        if (!self->broken[channel])
            continue;
        drop_channel(ds, channel);
        complain(self, self->reason);
    }
    DTLS_UNLOCK(ds);
}

static void flush(dtls_srtp *ds, unsigned channel)
{
    unsigned datagrams;

    for (datagrams = 0; datagrams < 16; datagrams++) {
        bool more;

        DTLS_LOCK(ds);
        more = ds->ossl_wbio[channel] && BIO_ctrl_pending(ds->ossl_wbio[channel]) > 0;
        DTLS_UNLOCK(ds);
        if (!more)
            return;
        ssl_flush_wbio(ds, channel);
    }
}

static void on_nego_complete(pjmedia_transport *tp, pj_status_t status)
{
    transport_srtp *srtp = (transport_srtp *)tp;
    security *self = security_of(tp);

    if (status != PJ_SUCCESS && !self->broken[RTP_CHANNEL]) {
        self->broken[RTP_CHANNEL] = true;
        pj_strerror(status, self->reason, sizeof(self->reason));
    } else if (status == PJ_SUCCESS && srtp->session_inited) {
        self->complained = false;
        tell(self, true, srtp->srtp_ctx.tx_policy.name.ptr);
    }
}

/* On the SIP thread, in place of pjmedia's thread for each handshake. */
static void on_tick(pj_timer_heap_t *heap, pj_timer_entry *entry)
{
    dtls_srtp_channel *channel = entry->user_data;
    dtls_srtp *ds = channel->dtls_srtp;
    unsigned idx = channel->channel;
    static const pj_time_val interval = { 0, TICK_MS };
    int due = 0;

    PJ_UNUSED_ARG(heap);
    DTLS_LOCK(ds);
    if (ds->ossl_ssl[idx] && !ds->nego_completed[idx] && !ds->is_destroying) {
        due = DTLSv1_handle_timeout(ds->ossl_ssl[idx]);
        ERR_clear_error();
        /* Below 0 it has given up. */
        if (due >= 0)
            pjsip_endpt_schedule_timer_w_grp_lock(sc_engine.endpt, entry, &interval, 1, ds->base.grp_lock);
    }
    DTLS_UNLOCK(ds);
    if (due > 0)
        flush(ds, idx);
    drop_broken(ds);
}

/* The handshake comes after ICE, which is not right below: source_guard.c is in between. */
static void tell_of_ice(pjmedia_transport *member, pjmedia_ice_cb *callbacks, void *dtls)
{
    pjmedia_transport_info info;
    unsigned i;

    pjmedia_transport_info_init(&info);
    pjmedia_transport_get_info(member, &info);
    for (i = 0; i < info.specific_info_cnt; i++) {
        if (info.spc_info[i].type != PJMEDIA_TRANSPORT_TYPE_ICE)
            continue;
        /* Not twice: every negotiation comes by here. */
        pjmedia_ice_remove_ice_cb(info.spc_info[i].tp, callbacks, dtls);
        pjmedia_ice_add_ice_cb(info.spc_info[i].tp, callbacks, dtls);
    }
}

static pj_status_t make_clock(void *data, pjmedia_clock **clock)
{
    dtls_srtp_channel *channel = data;
    security *self = security_of(channel->dtls_srtp->srtp);
    pj_timer_entry *entry = &self->timer[channel->channel].entry;

    pj_timer_entry_init(entry, 0, channel, on_tick);
    *clock = (pjmedia_clock *)entry;
    return PJ_SUCCESS;
}

static pj_status_t start_clock(pjmedia_clock *clock)
{
    pj_timer_entry *entry = (pj_timer_entry *)clock;
    dtls_srtp_channel *channel = entry->user_data;
    static const pj_time_val interval = { 0, TICK_MS };

    stop_clock(clock);
    return pjsip_endpt_schedule_timer_w_grp_lock(sc_engine.endpt, entry, &interval, 1,
                                                 channel->dtls_srtp->base.grp_lock);
}

static void stop_clock(pjmedia_clock *clock)
{
    pj_timer_heap_cancel_if_active(pjsip_endpt_get_timer_heap(sc_engine.endpt), (pj_timer_entry *)clock, 0);
}

/* Whole records of DTLS 1.x and nothing else. */
static bool is_records(const uint8_t *packet, pj_ssize_t size)
{
    while (size >= RECORD_HEADER) {
        pj_ssize_t record = RECORD_HEADER + (packet[RECORD_HEADER - 2] << 8 | packet[RECORD_HEADER - 1]);

        if (packet[0] < 20 || packet[0] > 26 || packet[1] != 0xfe || record > size)
            return false;
        packet += record;
        size -= record;
    }
    return size == 0;
}

/*
 * Under the lock. A handshake is between us and one address, where ICE does not say which: whoever else sends is not
 * let in, and cannot disturb it. It begins with a client's hello, or where we sent ours.
 */
static bool is_from_peer(dtls_srtp *ds, unsigned channel, const uint8_t *packet, pj_ssize_t size, const pj_sockaddr *from)
{
    security *self = security_of(ds->srtp);
    pj_sockaddr *peer = &self->peer[channel];

    if (!is_records(packet, size))
        return false;
    if (ds->use_ice || !pj_sockaddr_has_addr(from))
        return true;
    if (pj_sockaddr_has_addr(peer))
        return pj_sockaddr_cmp(peer, from) == 0;
    if (ds->setup == DTLS_SETUP_ACTIVE) {
        const pj_sockaddr *named = channel == RTP_CHANNEL ? &ds->rem_addr : &ds->rem_rtcp;

        if (!ds->nego_started[channel] || pj_sockaddr_cmp(named, from))
            return false;
    } else if (size <= RECORD_HEADER || packet[0] != 22 || packet[RECORD_HEADER] != 1) {
        return false;
    }
    pj_sockaddr_cp(peer, from);
    return true;
}

/* True for what looks like DTLS (RFC 5764, section 5.1.2), which was taken or dropped. */
static bool take_dtls(transport_srtp *srtp, unsigned channel, void *packet, pj_ssize_t size)
{
    bool good;
    dtls_srtp *ds;

    if (!srtp || srtp->bypass_srtp || size < 1 || *(uint8_t *)packet < 20 || *(uint8_t *)packet > 63)
        return false;
    ds = dtls_of(security_of(srtp));
    good = ds && srtp->keying_cnt && srtp->keying[0] == &ds->base;
    if (good) {
        pjmedia_transport_info info;

        pjmedia_transport_info_init(&info);
        pjmedia_transport_get_info(srtp->member_tp, &info);
        DTLS_LOCK(ds);
        good = is_from_peer(ds, channel, packet, size,
                            channel == RTP_CHANNEL ? &info.src_rtp_name : &info.src_rtcp_name);
        DTLS_UNLOCK(ds);
    }
    if (!good) {
        count(srtp, srtp_err_status_fail);
        return true;
    }
    dtls_on_recv(&ds->base, channel, packet, (pj_size_t)size);
    flush(ds, channel);
    drop_broken(ds);
    return true;
}

static void on_rtp(pjmedia_tp_cb_param *param)
{
    if (!take_dtls(param->user_data, RTP_CHANNEL, param->pkt, param->size))
        srtp_rtp_cb(param);
}

static void on_rtcp(void *data, void *packet, pj_ssize_t size)
{
    if (!take_dtls(data, RTCP_CHANNEL, packet, size))
        srtp_rtcp_cb(data, packet, size);
}

/* pjmedia's own, with our ears. */
static pj_status_t attach(pjmedia_transport *tp, pjmedia_transport_attach_param *param)
{
    transport_srtp *srtp = (transport_srtp *)tp;
    pjmedia_transport_attach_param below = *param;
    pj_status_t status;

    pj_lock_acquire(srtp->mutex);
    /* A handshake attaches as well, and leaves the stream's ears alone. */
    if (param->rtp_cb || param->rtp_cb2) {
        srtp->rtp_cb = param->rtp_cb;
        srtp->rtp_cb2 = param->rtp_cb2;
        srtp->rtcp_cb = param->rtcp_cb;
        srtp->user_data = param->user_data;
    }
    pj_lock_release(srtp->mutex);
    if (security_of(tp)->one_port)
        pj_sockaddr_cp(&below.rem_rtcp, &below.rem_addr);
    below.user_data = srtp;
    below.rtp_cb = NULL;
    below.rtp_cb2 = on_rtp;
    below.rtcp_cb = on_rtcp;
    status = pjmedia_transport_attach2(srtp->member_tp, &below);
    if (status == PJ_SUCCESS) {
        srtp->use_rtcp_mux = pj_sockaddr_has_addr(&below.rem_addr) &&
                             pj_sockaddr_cmp(&below.rem_addr, &below.rem_rtcp) == 0;
        srtp->member_tp_attached = PJ_TRUE;
    }
    return status;
}

/* ---- offer and answer ------------------------------------------------------------------------------------------------ */

static const pj_str_t plain_profile = { "RTP/AVP", 7 };
static const pj_str_t secure_profile = { "RTP/SAVP", 8 };

static bool is_secure(const pjmedia_sdp_media *media)
{
    return PJMEDIA_TP_PROTO_HAS_FLAG(pjmedia_sdp_transport_get_proto(&media->desc.transport), PJMEDIA_TP_PROFILE_SRTP);
}

static bool has_one_port(const pjmedia_sdp_media *media)
{
    return pjmedia_sdp_media_find_attr2(media, "rtcp-mux", NULL) != NULL;
}

/* How many a=crypto lines there are. */
static unsigned crypto_lines(const pjmedia_sdp_media *media)
{
    unsigned i, found = 0;

    for (i = 0; i < media->attr_count; i++)
        found += pj_stricmp(&media->attr[i]->name, &ID_CRYPTO) == 0;
    return found;
}

static bool knows_suite(const transport_srtp *srtp, const pj_str_t *crypto)
{
    pj_str_t suite = sc_srtp_suite(crypto);
    unsigned i;

    for (i = 0; i < srtp->setting.crypto_count; i++) {
        if (!pj_stricmp(&suite, &srtp->setting.crypto[i].name))
            return true;
    }
    return false;
}

/* The peer's description with only those a=crypto lines that we can follow. */
static pjmedia_sdp_session *read_remote(const transport_srtp *srtp, pj_pool_t *pool, const pjmedia_sdp_session *remote,
                                        unsigned index)
{
    pjmedia_sdp_session *copy = pjmedia_sdp_session_clone(pool, remote);
    pjmedia_sdp_media *media = copy->media[index];
    unsigned i, kept = 0;

    for (i = 0; i < media->attr_count; i++) {
        pjmedia_sdp_attr *each = media->attr[i];

        if (pj_stricmp(&each->name, &ID_CRYPTO) || (sc_srtp_is_usable(&each->value) && knows_suite(srtp, &each->value)))
            media->attr[kept++] = each;
    }
    media->attr_count = kept;
    /* Keys under the plain profile (RFC 8643) are as good. */
    if (security_of(srtp)->forced && crypto_lines(media) && !is_secure(media))
        media->desc.transport = secure_profile;
    return copy;
}

static bool speaks(const pjmedia_transport *way, const pjmedia_sdp_session *remote, unsigned index)
{
    return is_dtls(way) ? sc_srtp_fingerprint(remote, index) != NULL : crypto_lines(remote->media[index]) > 0;
}

/* Our first way that the peer speaks, the one in use where we offer again; NULL: there is none. */
static pjmedia_transport *choose(const transport_srtp *srtp, const pjmedia_sdp_session *remote, unsigned index)
{
    const security *self = security_of(srtp);
    unsigned i;

    if (!remote)
        return srtp->started && srtp->keying_cnt ? srtp->keying[0] : self->way[0];
    for (i = 0; i < self->ways; i++) {
        if (speaks(self->way[i], remote, index))
            return self->way[i];
    }
    return NULL;
}

/* pjmedia tries all that it has, and takes the first that does not complain. */
static void leave_only(transport_srtp *srtp, pjmedia_transport *way)
{
    dtls_srtp *ds = dtls_of(security_of(srtp));

    if (ds && way != &ds->base && srtp->keying_cnt && srtp->keying[0] == &ds->base)
        dtls_media_stop(&ds->base);
    srtp->all_keying_cnt = srtp->keying_cnt = way ? 1 : 0;
    srtp->all_keying[0] = srtp->keying[0] = way;
}

static pj_status_t create_media(pjmedia_transport *tp, pj_pool_t *pool, unsigned options,
                                const pjmedia_sdp_session *remote, unsigned index)
{
    transport_srtp *srtp = (transport_srtp *)tp;
    const pjmedia_sdp_session *read = remote ? read_remote(srtp, pool, remote, index) : NULL;
    pjmedia_transport *way = choose(srtp, read, index);

    if (way && is_dtls(way))
        options |= PJMEDIA_TPMED_RTCP_MUX;
    leave_only(srtp, way);
    if (way)
        return transport_media_create(tp, pool, options, read, index);
    /* Whether that will do encode_media() says. */
    return pjmedia_transport_media_create(srtp->member_tp, pool, options | PJMEDIA_TPMED_NO_TRANSPORT_CHECKING, remote,
                                          index);
}

static pj_status_t encode_offer(transport_srtp *srtp, pj_pool_t *pool, pjmedia_sdp_session *local, unsigned index)
{
    security *self = security_of(srtp);
    unsigned known = srtp->setting.crypto_count;
    pjmedia_transport *way = choose(srtp, NULL, index);
    pj_status_t status;

    leave_only(srtp, way);
    self->in_clear = false;
    srtp->setting.crypto_count = self->offered;
    status = transport_encode_sdp(&srtp->base, pool, local, NULL, index);
    srtp->setting.crypto_count = known;
    /* An offer that a peer without DTLS can take (RFC 8643). */
    if (status == PJ_SUCCESS && is_dtls(way) && !self->forced && !self->peer_insists)
        local->media[index]->desc.transport = plain_profile;
    return status;
}

static pj_status_t encode_answer(transport_srtp *srtp, pj_pool_t *pool, pjmedia_sdp_session *local,
                                 const pjmedia_sdp_session *remote, unsigned index)
{
    security *self = security_of(srtp);
    pjmedia_sdp_session *read = read_remote(srtp, pool, remote, index);
    pjmedia_transport *way = choose(srtp, read, index);
    pj_status_t status;

    srtp->offerer_side = PJ_FALSE;
    self->peer_insists = is_secure(remote->media[index]);
    if (!way && (self->forced || is_secure(remote->media[index])))
        return crypto_lines(remote->media[index]) ? PJMEDIA_SRTP_ENOTSUPCRYPTO : PJMEDIA_SRTP_ESDPREQCRYPTO;
    leave_only(srtp, way);
    self->in_clear = !way;
    if (!way)
        return pjmedia_transport_encode_sdp(srtp->member_tp, pool, local, remote, index);
    status = pjmedia_transport_media_create(way, pool, 0, read, index);
    if (status == PJ_SUCCESS)
        status = transport_encode_sdp(&srtp->base, pool, local, read, index);
    if (status == PJ_SUCCESS)
        local->media[index]->desc.transport = remote->media[index]->desc.transport;
    return status;
}

/* Under the lock. What pjmedia takes for one negotiation it has from the scratch, between this and back_to_own(). */
static void use_scratch(transport_srtp *srtp, pj_pool_t *own[2])
{
    security *self = security_of(srtp);
    dtls_srtp *ds = dtls_of(self);

    own[0] = srtp->pool;
    own[1] = ds ? ds->pool : NULL;
    if (!self->scratch)
        return;
    srtp->pool = self->scratch;
    if (ds)
        ds->pool = self->scratch;
}

/* What is needed longer goes to a place of its own. */
static void back_to_own(transport_srtp *srtp, pj_pool_t *const own[2])
{
    security *self = security_of(srtp);
    dtls_srtp *ds = dtls_of(self);
    unsigned i;

    srtp->pool = own[0];
    for (i = 0; i < srtp->setting.crypto_count; i++) {
        pj_str_t *key = &srtp->setting.crypto[i].key;

        if (key->ptr == self->key[i])
            continue;
        memcpy(self->key[i], key->ptr, PJ_MIN((size_t)key->slen, (size_t)sc_srtp_key_size(&srtp->setting.crypto[i].name)));
        pj_strset(key, self->key[i], sc_srtp_key_size(&srtp->setting.crypto[i].name));
    }
    if (!ds)
        return;
    ds->pool = own[1];
    if (ds->rem_fingerprint.ptr != self->fingerprint) {
        pj_ssize_t size = PJ_MIN(ds->rem_fingerprint.slen, MAX_FINGERPRINT);

        memmove(self->fingerprint, ds->rem_fingerprint.ptr, (size_t)size);
        pj_strset(&ds->rem_fingerprint, self->fingerprint, size);
    }
}

/* Of the last negotiation nothing is pointed to any more. */
static void renew_scratch(transport_srtp *srtp)
{
    security *self = security_of(srtp);

    pj_bzero(&srtp->srtp_ctx.tx_policy_neg, sizeof(srtp->srtp_ctx.tx_policy_neg));
    pj_bzero(&srtp->srtp_ctx.rx_policy_neg, sizeof(srtp->srtp_ctx.rx_policy_neg));
    if (self->scratch)
        pj_pool_release(self->scratch);
    self->scratch = sc_pool_create("srtp", 2000);
}

static pj_status_t encode_media(pjmedia_transport *tp, pj_pool_t *pool, pjmedia_sdp_session *local,
                                const pjmedia_sdp_session *remote, unsigned index)
{
    transport_srtp *srtp = (transport_srtp *)tp;
    pjmedia_sdp_media *media = local->media[index];
    pj_pool_t *own[2];
    pj_status_t status;

    /* An answer may be written twice, and pjmedia takes what stands there already for a refusal. */
    pjmedia_sdp_media_remove_all_attr(media, "crypto");
    pjmedia_sdp_media_remove_all_attr(media, "fingerprint");
    pjmedia_sdp_media_remove_all_attr(media, "setup");
    pjmedia_sdp_media_remove_all_attr(media, "rtcp-mux");
    if (media->attr_count + PJMEDIA_SRTP_MAX_CRYPTOS > PJMEDIA_MAX_SDP_ATTR)
        return PJ_ETOOMANY;
    pj_grp_lock_acquire(tp->grp_lock);
    renew_scratch(srtp);
    use_scratch(srtp, own);
    status = remote ? encode_answer(srtp, pool, local, remote, index) : encode_offer(srtp, pool, local, index);
    back_to_own(srtp, own);
    pj_grp_lock_release(tp->grp_lock);
    return status;
}

static void note(progress *self, const pjmedia_srtp_crypto *crypto, const pjmedia_srtp_roc *roc)
{
    self->size = crypto->key.slen < MAX_KEY_SIZE ? (size_t)crypto->key.slen : 0;
    memcpy(self->key, crypto->key.ptr, self->size);
    self->ssrc = roc->ssrc;
    self->rollovers = self->size ? roc->roc : 0;
}

static void note_progress(transport_srtp *srtp)
{
    security *self = security_of(srtp);
    const pjmedia_srtp_info *found;
    pjmedia_transport_info info;

    pjmedia_transport_info_init(&info);
    if (!srtp->session_inited || pjmedia_transport_get_info(&srtp->base, &info) != PJ_SUCCESS)
        return;
    found = pjmedia_transport_info_get_spc_info(&info, PJMEDIA_TRANSPORT_TYPE_SRTP);
    note(&self->sent, &found->tx_policy, &found->tx_roc);
    note(&self->received, &found->rx_policy, &found->rx_roc);
}

/* The answer to our offer of DTLS has come, perhaps after the handshake. */
static void check_early_handshake(transport_srtp *srtp, dtls_srtp *ds, const pj_str_t *fingerprint)
{
    security *self = security_of(srtp);
    unsigned channel;

    for (channel = 0; channel < CHANNELS; channel++) {
        X509 *certificate;

        if (!ds->nego_completed[channel] || !ds->ossl_ssl[channel])
            continue;
        certificate = SSL_get_peer_certificate(ds->ossl_ssl[channel]);
        if (certificate && sc_srtp_is_fingerprint(certificate, fingerprint)) {
            ds->rem_fprint_status = PJ_SUCCESS;
        } else {
            drop_channel(ds, channel);
            complain(self, "The peer's certificate is not the one that its description names");
        }
        X509_free(certificate);
    }
    /* Of the channel of RTP, not of either. */
    ds->got_keys = ds->nego_completed[RTP_CHANNEL] && ds->tx_crypto[RTP_CHANNEL].key.slen;
}

/*
 * As a server we send to whom the description names, from now on and not only when the stream attaches: until then
 * pjmedia has put in an address of our own.
 */
static void face_client(transport_srtp *srtp, const dtls_srtp *ds)
{
    pjmedia_transport_attach_param param;

    if (ds->setup == DTLS_SETUP_ACTIVE || ds->use_ice || ds->nego_completed[RTP_CHANNEL] ||
        !pj_sockaddr_has_addr(&ds->rem_addr))
        return;
    pj_bzero(&param, sizeof(param));
    pj_sockaddr_cp(&param.rem_addr, &ds->rem_addr);
    pj_sockaddr_cp(&param.rem_rtcp, &ds->rem_rtcp);
    param.addr_len = pj_sockaddr_get_len(&param.rem_addr);
    attach(&srtp->base, &param);
}

static pj_status_t start_clear(transport_srtp *srtp, pj_pool_t *pool, const pjmedia_sdp_session *local,
                               const pjmedia_sdp_session *remote, unsigned index)
{
    leave_only(srtp, NULL);
    srtp->started = PJ_TRUE;
    srtp->bypass_srtp = PJ_TRUE;
    srtp->peer_use = PJMEDIA_SRTP_DISABLED;
    srtp->keying_pending_cnt = 0;
    pjmedia_transport_srtp_stop(&srtp->base);
    return pjmedia_transport_media_start(srtp->member_tp, pool, local, remote, index);
}

static pj_status_t start_locked(transport_srtp *srtp, pj_pool_t *pool, const pjmedia_sdp_session *local,
                                const pjmedia_sdp_session *remote, unsigned index)
{
    security *self = security_of(srtp);
    pjmedia_sdp_session *read = read_remote(srtp, pool, remote, index);
    pjmedia_transport *way = srtp->keying_cnt ? srtp->keying[0] : NULL;
    pj_status_t status;

    self->complained = false;
    self->peer_insists = is_secure(remote->media[index]);
    if (!way || self->in_clear)
        return self->forced ? PJMEDIA_SRTP_ESDPREQCRYPTO : start_clear(srtp, pool, local, remote, index);
    if (srtp->offerer_side && !speaks(way, read, index)) {
        if (!is_dtls(way) && crypto_lines(remote->media[index]))
            return PJMEDIA_SRTP_ENOTSUPCRYPTO;
        if (self->forced || is_secure(remote->media[index]))
            return is_dtls(way) ? PJMEDIA_SRTP_DTLS_ENOFPRINT : PJMEDIA_SRTP_ESDPREQCRYPTO;
        return start_clear(srtp, pool, local, remote, index);
    }
    note_progress(srtp);
    /* pjmedia finds out when the stream attaches, and has begun two handshakes by then. */
    self->one_port = is_dtls(way) && has_one_port(local->media[index]) && has_one_port(remote->media[index]);
    if (is_dtls(way) && speaks(way, read, index))
        check_early_handshake(srtp, (dtls_srtp *)way, sc_srtp_fingerprint(read, index));
    status = transport_media_start(&srtp->base, pool, local, read, index);
    if (status == PJ_SUCCESS && srtp->bypass_srtp) {
        /* Keys were agreed on: what has not got them is not to go on without. */
        srtp->bypass_srtp = PJ_FALSE;
        status = PJMEDIA_SRTP_ESDPINCRYPTO;
    }
    if (is_dtls(way)) {
        face_client(srtp, (dtls_srtp *)way);
        drop_broken((dtls_srtp *)way);
    }
    return status;
}

static pj_status_t start_media(pjmedia_transport *tp, pj_pool_t *pool, const pjmedia_sdp_session *local,
                               const pjmedia_sdp_session *remote, unsigned index)
{
    transport_srtp *srtp = (transport_srtp *)tp;
    pj_pool_t *own[2];
    pj_status_t status;

    pj_grp_lock_acquire(tp->grp_lock);
    use_scratch(srtp, own);
    status = start_locked(srtp, pool, local, remote, index);
    back_to_own(srtp, own);
    pj_grp_lock_release(tp->grp_lock);
    return status;
}

/* ---- its life ------------------------------------------------------------------------------------------------------- */

static void forget_keys(transport_srtp *srtp)
{
    security *self = security_of(srtp);

    pjmedia_transport_srtp_stop(&srtp->base);
    OPENSSL_cleanse(srtp->srtp_ctx.tx_key, sizeof(srtp->srtp_ctx.tx_key));
    OPENSSL_cleanse(srtp->srtp_ctx.rx_key, sizeof(srtp->srtp_ctx.rx_key));
    pj_bzero(&srtp->srtp_ctx.tx_policy_neg, sizeof(srtp->srtp_ctx.tx_policy_neg));
    pj_bzero(&srtp->srtp_ctx.rx_policy_neg, sizeof(srtp->srtp_ctx.rx_policy_neg));
    OPENSSL_cleanse(&self->sent, sizeof(self->sent));
    OPENSSL_cleanse(&self->received, sizeof(self->received));
}

static pj_status_t make_keys(pjmedia_srtp_setting *setting)
{
    unsigned i;

    for (i = 0; i < setting->crypto_count; i++) {
        pj_str_t *key = &setting->crypto[i].key;

        if (RAND_bytes((unsigned char *)key->ptr, (int)key->slen) != 1)
            return PJMEDIA_ERRNO_FROM_LIBSRTP(srtp_err_status_fail);
    }
    return PJ_SUCCESS;
}

static pj_status_t stop_media(pjmedia_transport *tp)
{
    transport_srtp *srtp = (transport_srtp *)tp;
    dtls_srtp *ds = dtls_of(security_of(tp));

    pj_grp_lock_acquire(tp->grp_lock);
    if (ds) {
        drop_channel(ds, RTP_CHANNEL);
        drop_channel(ds, RTCP_CHANNEL);
        dtls_media_stop(&ds->base);
        ds->pending_start = PJ_FALSE;
        pj_bzero(&ds->rem_addr, sizeof(ds->rem_addr));
        pj_bzero(&ds->rem_rtcp, sizeof(ds->rem_rtcp));
    }
    leave_only(srtp, NULL);
    security_of(tp)->one_port = false;
    srtp->keying_pending_cnt = 0;
    srtp->started = srtp->bypass_srtp = PJ_FALSE;
    srtp->peer_use = srtp->setting.use;
    forget_keys(srtp);
    if (security_of(tp)->scratch)
        pj_pool_release(security_of(tp)->scratch);
    security_of(tp)->scratch = NULL;
    pj_grp_lock_release(tp->grp_lock);
    return PJ_SUCCESS;
}

static pj_status_t stop_all(pjmedia_transport *tp)
{
    stop_media(tp);
    return pjmedia_transport_media_stop(((transport_srtp *)tp)->member_tp);
}

static pj_status_t destroy(pjmedia_transport *tp)
{
    transport_srtp *srtp = (transport_srtp *)tp;
    security *self = security_of(tp);
    unsigned i;

    stop_media(tp);
    for (i = 0; i < srtp->setting.crypto_count; i++)
        OPENSSL_cleanse(srtp->setting.crypto[i].key.ptr, (size_t)srtp->setting.crypto[i].key.slen);
    for (i = 0; i < self->ways; i++)
        srtp->all_keying[i] = self->way[i];
    srtp->all_keying_cnt = self->ways;
    return transport_destroy(tp);
}

static pjmedia_transport_op guarded_op = {
    .get_info = transport_get_info,
    .detach = transport_detach,
    .send_rtp = transport_send_rtp,
    .send_rtcp = transport_send_rtcp,
    .send_rtcp2 = transport_send_rtcp2,
    .media_create = create_media,
    .encode_sdp = encode_media,
    .media_start = start_media,
    .media_stop = stop_all,
    .simulate_lost = transport_simulate_lost,
    .destroy = destroy,
    .attach2 = attach,
};

pj_status_t sc_srtp_reset(pjmedia_transport *tp)
{
    transport_srtp *srtp = (transport_srtp *)tp;
    security *self;
    bool listens;

    if (tp->op != &guarded_op)
        return PJ_SUCCESS;
    self = security_of(tp);
    stop_media(tp);
    pj_lock_acquire(srtp->mutex);
    listens = srtp->rtp_cb || srtp->rtp_cb2;
    pj_lock_release(srtp->mutex);
    /* A handshake has attached us, not a stream. */
    if (!listens && srtp->member_tp_attached)
        pjmedia_transport_detach(tp, NULL);
    self->in_clear = self->peer_insists = self->complained = false;
    atomic_store(&self->refused, 0);
    atomic_store(&self->replayed, 0);
    return make_keys(&srtp->setting);
}

static pj_status_t read_setting(sc_reader *reader, pjmedia_srtp_setting *setting, unsigned *offered)
{
    bool forced = sc_read_u8(reader), dtls = sc_read_u8(reader), sdes = sc_read_u8(reader);
    bool dtls_first = sc_read_u8(reader), dtls_suite = false;
    static char no_key[MAX_KEY_SIZE];
    uint32_t suites, i;

    *offered = sc_read_u32(reader);
    suites = sc_read_u32(reader);
    if (reader->failed || !suites || suites > MAX_SUITES || !*offered || *offered > suites || (!dtls && !sdes))
        return SC_EARGS;
    pjmedia_srtp_setting_default(setting);
    setting->use = forced ? PJMEDIA_SRTP_MANDATORY : PJMEDIA_SRTP_OPTIONAL;
    setting->cb.on_srtp_nego_complete = on_nego_complete;
    if (dtls && dtls_first)
        setting->keying[setting->keying_count++] = PJMEDIA_SRTP_KEYING_DTLS_SRTP;
    if (sdes)
        setting->keying[setting->keying_count++] = PJMEDIA_SRTP_KEYING_SDES;
    if (dtls && !dtls_first)
        setting->keying[setting->keying_count++] = PJMEDIA_SRTP_KEYING_DTLS_SRTP;
    setting->crypto_count = suites;
    for (i = 0; i < suites; i++) {
        pjmedia_srtp_crypto *crypto = &setting->crypto[i];
        unsigned j;

        crypto->name = sc_read_text(reader);
        if (reader->failed || !sc_srtp_key_size(&crypto->name))
            return SC_EARGS;
        /* pjmedia makes room for what it is given. */
        crypto->key = (pj_str_t){ no_key, sc_srtp_key_size(&crypto->name) };
        for (j = 0; j < OPENSSL_PROFILE_NUM; j++)
            dtls_suite |= !pj_stricmp2(&crypto->name, pj_profiles[j]);
    }
    return dtls && !dtls_suite ? SC_EARGS : PJ_SUCCESS;
}

static pj_status_t secure(pjmedia_transport *member, sc_serial serial, sc_reader *reader, pjmedia_transport **secured)
{
    pjmedia_srtp_setting setting;
    transport_srtp *srtp;
    security *self;
    unsigned offered, i;
    pj_status_t status = read_setting(reader, &setting, &offered);

    if (status != PJ_SUCCESS)
        return status;
    if (!dtls_cert && !sc_srtp_make_certificate(&dtls_cert, &dtls_priv_key))
        return PJ_ENOMEM;
    status = pjmedia_transport_srtp_create(sc_engine.media, member, &setting, secured);
    if (status != PJ_SUCCESS)
        return status;
    srtp = (transport_srtp *)*secured;
    self = PJ_POOL_ZALLOC_T(srtp->pool, security);
    self->serial = serial;
    self->forced = setting.use == PJMEDIA_SRTP_MANDATORY;
    self->offered = offered;
    for (; self->ways < srtp->all_keying_cnt; self->ways++)
        self->way[self->ways] = srtp->all_keying[self->ways];
    for (i = 0; i < srtp->setting.crypto_count; i++)
        self->key[i] = srtp->setting.crypto[i].key.ptr;
    srtp->base.user_data = self;
    srtp->base.op = &guarded_op;
    /* on_rtp() and on_rtcp() hand over what is DTLS: no other packet takes its lock. */
    dtls_op.send_rtp = NULL;
    dtls_op.send_rtcp = NULL;
    leave_only(srtp, NULL);
    return make_keys(&srtp->setting);
}

int32_t sc_srtp_secure(sc_rtp_transport transport, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    pj_status_t status = SC_EGONE;
    void *self = sc_take(transport, SC_KIND_RTP_TRANSPORT);

    if (self) {
        pjmedia_transport *media = sc_rtp_transport_media(self);

        status = media->op == &guarded_op ? SC_EARGS : secure(media, transport, &reader, &media);
        if (status == PJ_SUCCESS)
            sc_rtp_transport_wrap(self, media);
        sc_give_back(self);
    }
    return status;
}

static void write_info(sc_writer *writer, transport_srtp *srtp)
{
    const security *self = security_of(srtp);
    pj_str_t keying = { NULL, 0 }, suite = { NULL, 0 };
    bool active;

    pj_grp_lock_acquire(srtp->base.grp_lock);
    active = srtp->session_inited && !srtp->bypass_srtp;
    if (active) {
        keying = srtp->keying_cnt && is_dtls(srtp->keying[0]) ? pj_str("dtls") : pj_str("sdes");
        suite = srtp->srtp_ctx.tx_policy.name;
    }
    sc_write_u32(writer, active);
    sc_write_u32(writer, srtp->started && srtp->keying_pending_cnt && !active);
    sc_write_str(writer, &keying);
    sc_write_str(writer, &suite);
    pj_grp_lock_release(srtp->base.grp_lock);
    sc_write_u32(writer, atomic_load(&self->refused));
    sc_write_u32(writer, atomic_load(&self->replayed));
}

int32_t sc_srtp_info(sc_rtp_transport transport, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    void *self = sc_take(transport, SC_KIND_RTP_TRANSPORT);

    if (self) {
        pjmedia_transport *media = sc_rtp_transport_media(self);

        if (media->op == &guarded_op)
            write_info(&writer, (transport_srtp *)media);
        sc_give_back(self);
    }
    return sc_writer_done(&writer);
}
