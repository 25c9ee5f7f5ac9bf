/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between an audio stream and its RTP transport: what passes is looked at. It hears the keys that the peer presses, and
 * reads the reports on what we have sent (RFC 3550, section 6.4) itself, because pjmedia 2.17 takes the first one for
 * ours whomever it is about, cuts a round trip of over 65 ms to whole ms, and one of over thrice the mean to that.
 */
#include "internal.h"

#define RTP_HEADER 12
#define RTCP_HEADER 8
#define SENDER_INFO 20
#define REPORT 24
#define SENDER_REPORT 200
#define RECEIVER_REPORT 201
/* Reports come for one of the last sender reports; a stranger cannot guess their times. */
#define REMEMBERED 16
/* A round trip of more, in us, is none. */
#define MAX_ROUND_TRIP 60000000

struct sc_rtp_tap {
    pjmedia_transport base;
    pjmedia_transport *below;
    pjmedia_stream_common *stream; /* NULL: none is attached */
    void (*on_rtp)(pjmedia_tp_cb_param *param);
    void (*on_rtcp)(void *user_data, void *packet, pj_ssize_t size);
    sc_dtmf_receiver dtmf;
    pthread_mutex_t mutex; /* of what follows */
    uint64_t sent[REMEMBERED]; /* NTP times of our sender reports */
    unsigned sent_count;
    sc_tx_reports reports;
};

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t ntp_now(sc_rtp_tap *self)
{
    pjmedia_rtcp_ntp_rec ntp;

    pjmedia_rtcp_get_ntp_time(&self->stream->rtcp, &ntp);
    return (uint64_t)ntp.hi << 32 | ntp.lo;
}

/* ---- in ------------------------------------------------------------------------------------------------------------- */

/* After the stream has seen it, which knows by then who its peer is. */
static bool is_of_peer(const pjmedia_stream_common *stream, const pjmedia_tp_cb_param *param, uint32_t ssrc)
{
    if (stream->dec->paused || (stream->si->has_rem_ssrc && ssrc != stream->si->rem_ssrc))
        return false;
    return !param->src_addr || pj_sockaddr_cmp(&stream->rem_rtp_addr, param->src_addr) == 0;
}

static void hear_keys(sc_rtp_tap *self, const pjmedia_tp_cb_param *param)
{
    const uint8_t *packet = param->pkt;
    size_t size = (size_t)param->size, at = RTP_HEADER;
    uint32_t ssrc;

    if (size < RTP_HEADER || packet[0] >> 6 != 2)
        return;
    at += (packet[0] & 15) * 4u;
    if (packet[0] & 0x10) {
        if (at + 4 > size)
            return;
        at += 4 + 4 * ((size_t)packet[at + 2] << 8 | packet[at + 3]);
    }
    ssrc = read_u32(packet + 8);
    if (at < size && is_of_peer(self->stream, param, ssrc))
        sc_dtmf_receiver_hear(&self->dtmf, packet[1] & 0x7f, ssrc, read_u32(packet + 4), packet + at, size - at);
}

static void on_rtp(pjmedia_tp_cb_param *param)
{
    sc_rtp_tap *self = param->user_data;
    pjmedia_tp_cb_param inner = *param;

    inner.user_data = self->stream;
    self->on_rtp(&inner);
    param->rem_switch = inner.rem_switch;
    if (param->size > 0)
        hear_keys(self, param);
}

static void read_round_trip(sc_rtp_tap *self, uint32_t last_report, uint32_t delay)
{
    unsigned i, count = PJ_MIN(self->sent_count, REMEMBERED);

    for (i = 0; i < count; i++) {
        if ((uint32_t)(self->sent[i] >> 16) == last_report) {
            /* In 1/65536 s; both are of our own clock, which never jumps. */
            uint64_t passed = ntp_now(self) - self->sent[i], held = (uint64_t)delay << 16;
            uint64_t round_trip = passed > held ? ((passed - held) >> 16) * 15625 >> 10 : 0;

            if (round_trip < MAX_ROUND_TRIP)
                pj_math_stat_update(&self->reports.rtt, (int)round_trip);
            return;
        }
    }
}

/* One report; what it says of another stream than ours is nothing to us. */
static void read_report(sc_rtp_tap *self, const uint8_t *report)
{
    const pjmedia_stream_common *stream = self->stream;
    unsigned clock = stream->rtcp.clock_rate, jitter = read_u32(report + 12);
    int32_t lost = (int32_t)(read_u32(report + 4) << 8) >> 8;
    uint32_t last_report = read_u32(report + 16);

    if (read_u32(report) != stream->si->ssrc)
        return;
    pthread_mutex_lock(&self->mutex);
    /* Below zero where packets came twice. */
    if (lost > 0 && (uint32_t)lost > self->reports.lost) {
        uint64_t period = ((uint32_t)lost - self->reports.lost) * (uint64_t)stream->rtcp.pkt_size * 1000000 / clock;

        pj_math_stat_update(&self->reports.loss_period, (int)PJ_MIN(period, 0x7fffffff));
    }
    self->reports.lost = lost > 0 ? (uint32_t)lost : 0;
    pj_math_stat_update(&self->reports.jitter, (int)PJ_MIN((uint64_t)jitter * 1000000 / clock, 0x7fffffff));
    if (last_report)
        read_round_trip(self, last_report, read_u32(report + 20));
    pthread_mutex_unlock(&self->mutex);
}

static void read_rtcp(sc_rtp_tap *self, const uint8_t *at, size_t size)
{
    while (size >= RTCP_HEADER && at[0] >> 6 == 2) {
        size_t length = 4 * (((size_t)at[2] << 8 | at[3]) + 1), skip = 0;
        unsigned i;

        if (length > size)
            return;
        if (at[1] == SENDER_REPORT)
            skip = RTCP_HEADER + SENDER_INFO;
        else if (at[1] == RECEIVER_REPORT)
            skip = RTCP_HEADER;
        for (i = 0; skip && i < (at[0] & 31u) && skip + REPORT <= length; i++, skip += REPORT)
            read_report(self, at + skip);
        at += length;
        size -= length;
    }
}

static void on_rtcp(void *user_data, void *packet, pj_ssize_t size)
{
    sc_rtp_tap *self = user_data;

    if (size > 0)
        read_rtcp(self, packet, (size_t)size);
    self->on_rtcp(self->stream, packet, size);
}

/* ---- the transport that the stream sees ------------------------------------------------------------------------------- */

static pj_status_t get_info(pjmedia_transport *tp, pjmedia_transport_info *info)
{
    return pjmedia_transport_get_info(((sc_rtp_tap *)tp)->below, info);
}

static pj_status_t attach2(pjmedia_transport *tp, pjmedia_transport_attach_param *param)
{
    sc_rtp_tap *self = (sc_rtp_tap *)tp;
    pj_status_t status;

    self->stream = param->user_data;
    self->on_rtp = param->rtp_cb2;
    self->on_rtcp = param->rtcp_cb;
    param->user_data = self;
    param->rtp_cb2 = on_rtp;
    param->rtcp_cb = on_rtcp;
    status = pjmedia_transport_attach2(self->below, param);
    if (status != PJ_SUCCESS)
        self->stream = NULL;
    return status;
}

/* When it returns no packet is being read any more. */
static void detach(pjmedia_transport *tp, void *stream)
{
    sc_rtp_tap *self = (sc_rtp_tap *)tp;

    PJ_UNUSED_ARG(stream);
    if (!self->stream)
        return;
    pjmedia_transport_detach(self->below, self);
    self->stream = NULL;
}

static pj_status_t send_rtp(pjmedia_transport *tp, const void *packet, pj_size_t size)
{
    return pjmedia_transport_send_rtp(((sc_rtp_tap *)tp)->below, packet, size);
}

static void remember(sc_rtp_tap *self, const uint8_t *packet, size_t size)
{
    if (size < RTCP_HEADER + 8 || packet[1] != SENDER_REPORT)
        return;
    pthread_mutex_lock(&self->mutex);
    self->sent[self->sent_count++ % REMEMBERED] = (uint64_t)read_u32(packet + 8) << 32 | read_u32(packet + 12);
    if (self->sent_count == 2 * REMEMBERED)
        self->sent_count = REMEMBERED;
    pthread_mutex_unlock(&self->mutex);
}

static pj_status_t send_rtcp(pjmedia_transport *tp, const void *packet, pj_size_t size)
{
    sc_rtp_tap *self = (sc_rtp_tap *)tp;

    remember(self, packet, size);
    return pjmedia_transport_send_rtcp(self->below, packet, size);
}

static pj_status_t send_rtcp2(pjmedia_transport *tp, const pj_sockaddr_t *address, unsigned length, const void *packet,
                              pj_size_t size)
{
    return pjmedia_transport_send_rtcp2(((sc_rtp_tap *)tp)->below, address, length, packet, size);
}

/* What a stream has no use for (media_create and so on) is the RTP transport's own business. */
static pjmedia_transport_op op = {
    .get_info = get_info,
    .detach = detach,
    .send_rtp = send_rtp,
    .send_rtcp = send_rtcp,
    .send_rtcp2 = send_rtcp2,
    .attach2 = attach2,
};

sc_rtp_tap *sc_rtp_tap_create(pj_pool_t *pool, pjmedia_transport *below, uint64_t serial)
{
    sc_rtp_tap *self = PJ_POOL_ZALLOC_T(pool, sc_rtp_tap);

    if (!self)
        return NULL;
    pj_ansi_strxcpy(self->base.name, "tap", sizeof(self->base.name));
    self->base.type = PJMEDIA_TRANSPORT_TYPE_USER;
    self->base.op = &op;
    self->base.grp_lock = below->grp_lock;
    self->below = below;
    sc_dtmf_receiver_init(&self->dtmf, serial);
    pthread_mutex_init(&self->mutex, NULL);
    pj_math_stat_init(&self->reports.rtt);
    pj_math_stat_init(&self->reports.jitter);
    pj_math_stat_init(&self->reports.loss_period);
    return self;
}

void sc_rtp_tap_destroy(sc_rtp_tap *self)
{
    sc_dtmf_receiver_destroy(&self->dtmf);
    pthread_mutex_destroy(&self->mutex);
}

pjmedia_transport *sc_rtp_tap_transport(sc_rtp_tap *self)
{
    return &self->base;
}

sc_dtmf_receiver *sc_rtp_tap_dtmf(sc_rtp_tap *self)
{
    return &self->dtmf;
}

sc_tx_reports sc_rtp_tap_reports(sc_rtp_tap *self)
{
    sc_tx_reports reports;

    pthread_mutex_lock(&self->mutex);
    reports = self->reports;
    pthread_mutex_unlock(&self->mutex);
    return reports;
}
