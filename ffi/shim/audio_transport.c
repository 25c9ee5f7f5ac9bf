/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "audio_transport.h"
#include "internal.h"

#define SENDS 1
#define RECEIVES 2
/* Of a key that we press, in ms; the pause keeps two of the same apart. */
#define KEY_MS 200
#define KEY_PAUSE_MS 60
/* pjmedia takes no longer ones. */
#define MAX_KEY_MS 1000
#define KEY_VOLUME (-10)
#define KEY_ENDS 2

/* A stream with what lives as long as it does; a change of codec, address or keys makes another. */
typedef struct {
    pj_pool_t *pool;
    pjmedia_stream *stream;
    pjmedia_stream_info info;
    sc_rtp_tap *tap;
} line;

typedef struct {
    sc_object object;
    sc_mixer *mixer;
    sc_object *transport;
    sc_stream_port *port;
    int slot;
    line *line; /* NULL: between two */
    bool has_sent; /* the next stream goes on from here */
    uint32_t ssrc, timestamp;
    uint16_t sequence;
} audio_transport;

/* ---- lines ------------------------------------------------------------------------------------------------------------ */

static void release_line(void *arg)
{
    line *self = arg;

    if (self->tap)
        sc_rtp_tap_destroy(self->tap);
    pj_pool_release(self->pool);
}

/* In RTP; what pjmedia calls the clock of G.722 and of Opus is that of the samples. */
static unsigned rtp_clock(const pjmedia_stream_info *info)
{
    if (info->fmt.pt == PJMEDIA_RTP_PT_G722)
        return 8000;
    return pj_stricmp2(&info->fmt.encoding_name, "opus") == 0 ? 48000 : info->fmt.clock_rate;
}

/*
 * Of several payload types of telephone-event the one with the codec's clock (RFC 4733, section 2.1), else the first;
 * -1: none. Each is told to the receiver, where there is one.
 */
static int event_type(const pjmedia_sdp_media *media, unsigned clock, sc_dtmf_receiver *receiver)
{
    static const pj_str_t name = { "telephone-event", 15 };
    int found = -1;
    bool fits = false;
    unsigned i;

    for (i = 0; i < media->attr_count; i++) {
        pjmedia_sdp_rtpmap map;

        if (pj_stricmp2(&media->attr[i]->name, "rtpmap") != 0 ||
            pjmedia_sdp_attr_get_rtpmap(media->attr[i], &map) != PJ_SUCCESS || pj_stricmp(&map.enc_name, &name) != 0)
            continue;
        if (receiver)
            sc_dtmf_receiver_format(receiver, (unsigned)pj_strtoul(&map.pt), map.clock_rate);
        if (found < 0 || (!fits && map.clock_rate == clock)) {
            found = (int)pj_strtoul(&map.pt);
            fits = map.clock_rate == clock;
        }
    }
    return found;
}

/*
 * Sound opens the NAT by itself: keep-alives begin when it has paused. pjmedia would send two at the start, which the
 * peer counts as received and we do not count as sent.
 */
static void keep_alive_later(pjmedia_stream_common *stream)
{
    stream->start_ka_count = 0;
    pj_gettimeofday(&stream->last_frm_ts_sent);
    stream->use_ka = PJ_TRUE;
}

/* pjmedia counts a key's time by the clock of the samples, and compares it with RTP's. */
static pj_status_t set_key_times(const line *self)
{
    unsigned clock = rtp_clock(&self->info), samples = self->info.fmt.clock_rate;
    unsigned duration = KEY_MS * clock / samples, pause = KEY_PAUSE_MS * clock / samples;

    if (self->info.tx_event_pt < 0)
        return PJ_SUCCESS;
    return pjmedia_stream_set_tx_dtmf_options(self->stream, PJ_MIN(duration, MAX_KEY_MS), PJ_MIN(pause, MAX_KEY_MS),
                                              (pj_uint8_t)self->info.tx_event_pt, KEY_VOLUME, KEY_ENDS);
}

/* pjmedia measures jitter by the clock of the samples, which for Opus may be a slower one than RTP's. */
static void set_report_clock(const line *self)
{
    pjmedia_stream_common *stream = (pjmedia_stream_common *)self->stream;
    unsigned clock = rtp_clock(&self->info);
    pjmedia_rtcp_session_setting setting;

    if (stream->rtcp.clock_rate == clock)
        return;
    pjmedia_rtcp_session_setting_default(&setting);
    setting.clock_rate = clock;
    setting.samples_per_frame = (unsigned)((uint64_t)stream->rtcp.pkt_size * clock / stream->rtcp.clock_rate);
    setting.dec_samples_per_frame = setting.samples_per_frame;
    pjmedia_rtcp_update(&stream->rtcp, &setting);
}

/* With 0.0.0.0, the hold of RFC 2543, there is nowhere to send to. */
static pjmedia_dir direction_of(const pjmedia_stream_info *info, uint32_t direction)
{
    bool sends = direction & SENDS && pj_sockaddr_has_addr(&info->rem_addr);

    return (sends ? PJMEDIA_DIR_ENCODING : 0) | (direction & RECEIVES ? PJMEDIA_DIR_DECODING : 0);
}

/* How many frames last as long as pjmedia says of one. */
static unsigned parts_of(const pjmedia_codec_param *param)
{
    return param->info.frm_ptime_denum ? param->info.frm_ptime_denum : 1;
}

/*
 * In milliseconds, rounded up. Without a first delay pjmedia keeps its jitter buffer from ever waiting again:
 * under jitter of more than a packet it runs empty all the time, and what comes out of order is lost. One packet
 * is there anyhow before the first can be played, so a good network is heard as soon as without.
 */
static int first_delay(const pjmedia_codec_param *param)
{
    unsigned parts = parts_of(param);
    unsigned frames = param->setting.frm_per_pkt ? param->setting.frm_per_pkt : 1;

    return (int)((param->info.frm_ptime * frames + parts - 1) / parts);
}

static pj_status_t make_stream(audio_transport *self, line *made, bool silence_detection)
{
    pjmedia_stream_info *info = &made->info;
    bool sends_always = (info->dir & PJMEDIA_DIR_ENCODING) && !silence_detection;
    pj_status_t status;

    info->param->setting.vad = silence_detection;
    pjmedia_stream_ka_config_default(&info->ka_cfg);
    info->use_ka = !sends_always;
    info->jb_init = first_delay(info->param);
    if (self->has_sent) {
        info->ssrc = self->ssrc;
        info->rtp_seq_ts_set = 3;
        info->rtp_seq = self->sequence;
        info->rtp_ts = self->timestamp;
    }
    status = pjmedia_stream_create(sc_engine.media, made->pool, info, sc_rtp_tap_transport(made->tap), NULL,
                                   &made->stream);
    if (status != PJ_SUCCESS)
        return status;
    /* A packet that is just being read holds the stream longer than we do. */
    status = pj_grp_lock_add_handler(((pjmedia_stream_common *)made->stream)->grp_lock, NULL, made, release_line);
    if (status != PJ_SUCCESS) {
        pjmedia_stream_destroy(made->stream);
        made->stream = NULL;
        return status;
    }
    set_report_clock(made);
    status = set_key_times(made);
    if (status == PJ_SUCCESS)
        status = pjmedia_stream_start(made->stream);
    if (status == PJ_SUCCESS && sends_always)
        keep_alive_later((pjmedia_stream_common *)made->stream);
    return status;
}

/* pjmedia 2.17 writes a longer frame beyond its buffer: that of L16 in stereo. */
static bool fits_packet(const pjmedia_codec_param *param)
{
    unsigned parts = parts_of(param);
    uint64_t frame = (uint64_t)param->info.max_bps * param->info.frm_ptime / parts / 8000;

    return PJ_MAX(frame, param->info.max_rx_frame_size) <= PJMEDIA_MAX_MTU - PJMEDIA_STREAM_RESV_PAYLOAD_LEN;
}

/* The block of sc_audio_transport_create(). */
static pj_status_t fill_line(audio_transport *self, line *made, sc_reader *reader)
{
    pj_str_t local_text = sc_read_text(reader), remote_text = sc_read_text(reader);
    uint32_t index = sc_read_u32(reader), direction = sc_read_u32(reader);
    bool silence_detection = sc_read_u8(reader);
    pjmedia_sdp_session *local = NULL, *remote = NULL;
    pj_status_t status;
    unsigned clock;

    if (reader->failed)
        return SC_EARGS;
    status = sc_sdp_parse(made->pool, &local_text, &local);
    if (status == PJ_SUCCESS)
        status = sc_sdp_parse(made->pool, &remote_text, &remote);
    if (status == PJ_SUCCESS && (!local || !remote || index >= local->media_count || index >= remote->media_count))
        status = SC_EARGS;
    if (status == PJ_SUCCESS)
        status = pjmedia_stream_info_from_sdp(&made->info, made->pool, sc_engine.media, local, remote, index);
    if (status == PJ_SUCCESS && !made->info.param)
        status = PJMEDIA_EINVALIMEDIATYPE;
    if (status == PJ_SUCCESS && !fits_packet(made->info.param))
        status = PJ_ETOOBIG;
    if (status != PJ_SUCCESS)
        return status;
    made->info.dir = direction_of(&made->info, direction);
    made->tap = sc_rtp_tap_create(made->pool, sc_rtp_transport_media(self->transport), self->object.serial);
    if (!made->tap)
        return PJ_ENOMEM;
    clock = rtp_clock(&made->info);
    made->info.rx_event_pt = event_type(local->media[index], clock, sc_rtp_tap_dtmf(made->tap));
    made->info.tx_event_pt = event_type(remote->media[index], clock, NULL);
    return make_stream(self, made, silence_detection);
}

/* While the clock is held. The stream's end goes with its last reference. */
static void drop_line(audio_transport *self)
{
    const pjmedia_rtp_session *rtp;

    if (!self->line)
        return;
    sc_stream_port_leave(self->port);
    rtp = &((pjmedia_stream_common *)self->line->stream)->enc->rtp;
    self->has_sent = true;
    self->ssrc = self->line->info.ssrc;
    self->sequence = (uint16_t)rtp->out_extseq;
    self->timestamp = pj_ntohl(rtp->out_hdr.ts);
    pjmedia_stream_destroy(self->line->stream);
    self->line = NULL;
}

static pj_status_t make_line(audio_transport *self, sc_reader *reader)
{
    pj_pool_t *pool = sc_pool_create("audio", 4000);
    line *made = pool ? PJ_POOL_ZALLOC_T(pool, line) : NULL;
    pj_status_t status;

    if (!made) {
        if (pool)
            pj_pool_release(pool);
        return PJ_ENOMEM;
    }
    made->pool = pool;
    status = fill_line(self, made, reader);
    sc_clock_hold();
    if (status == PJ_SUCCESS)
        status = sc_stream_port_join(self->port, &((pjmedia_stream_common *)made->stream)->port, pool,
                                     sc_rtp_tap_dtmf(made->tap));
    if (status == PJ_SUCCESS)
        self->line = made;
    else if (made->stream)
        pjmedia_stream_destroy(made->stream);
    sc_clock_go_on();
    if (!made->stream)
        release_line(made);
    return status;
}

/* ---- the object -------------------------------------------------------------------------------------------------------- */

static void destroy(sc_object *object)
{
    audio_transport *self = (audio_transport *)object;

    sc_clock_hold();
    if (self->slot >= 0)
        sc_mixer_remove(self->mixer, self->slot);
    drop_line(self);
    sc_clock_go_on();
    sc_stream_port_destroy(self->port);
    sc_object_put(self->transport);
    sc_object_put(self->mixer);
}

static pj_status_t init(audio_transport *self, sc_reader *reader)
{
    pj_status_t status;

    self->port = sc_stream_port_create(sc_mixer_rate(self->mixer), &status);
    if (status == PJ_SUCCESS)
        status = make_line(self, reader);
    if (status == PJ_SUCCESS)
        self->slot = sc_mixer_add(self->mixer, sc_stream_port_base(self->port), pj_str("audio"), &status);
    return status;
}

sc_audio_transport sc_audio_transport_create(sc_audio_mixer mixer, sc_rtp_transport transport, sc_bytes args,
                                             uint32_t size, sc_status status)
{
    sc_reader reader = sc_reader_init(args, size);
    pj_status_t result = SC_EGONE;
    sc_serial serial = 0;
    audio_transport *self;

    if (sc_enter()) {
        self = sc_object_new(SC_KIND_AUDIO_TRANSPORT, sizeof(*self), destroy);
        result = PJ_ENOMEM;
        if (self) {
            self->slot = -1;
            self->mixer = sc_object_get(mixer, SC_KIND_AUDIO_MIXER);
            self->transport = sc_object_get(transport, SC_KIND_RTP_TRANSPORT);
            result = self->mixer && self->transport ? init(self, &reader) : SC_EGONE;
        }
        if (result == PJ_SUCCESS)
            serial = sc_object_add(self);
        else
            sc_object_put(self);
        sc_leave();
    }
    if (status)
        *status = result;
    return serial;
}

int32_t sc_audio_transport_close(sc_audio_transport transport)
{
    audio_transport *self = sc_take(transport, SC_KIND_AUDIO_TRANSPORT);

    if (!self)
        return SC_EGONE;
    sc_object_remove(self);
    sc_give_back(self);
    return PJ_SUCCESS;
}

int32_t sc_audio_transport_info(sc_audio_transport transport, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    audio_transport *self = sc_take(transport, SC_KIND_AUDIO_TRANSPORT);

    if (!self)
        return 0;
    if (self->line) {
        sc_write_u32(&writer, (uint32_t)self->slot);
        sc_write_str(&writer, &self->line->info.fmt.encoding_name);
        sc_write_u32(&writer, self->line->info.fmt.clock_rate);
    }
    sc_give_back(self);
    return sc_writer_done(&writer);
}

int32_t sc_audio_transport_set_volume(sc_audio_transport transport, uint32_t percent)
{
    audio_transport *self = sc_take(transport, SC_KIND_AUDIO_TRANSPORT);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = sc_mixer_volume(self->mixer, self->slot, percent);
    sc_give_back(self);
    return status;
}

/* What does not change goes on: pjmedia empties the jitter buffer at each start. */
static pj_status_t set_direction(const line *self, uint32_t direction)
{
    pjmedia_stream_common *stream = (pjmedia_stream_common *)self->stream;
    pjmedia_dir to = direction_of(&self->info, direction);
    pjmedia_dir was = (stream->enc->paused ? 0 : PJMEDIA_DIR_ENCODING) | (stream->dec->paused ? 0 : PJMEDIA_DIR_DECODING);
    pj_status_t status = pjmedia_stream_pause(self->stream, was & ~to);

    if (status == PJ_SUCCESS)
        status = pjmedia_stream_resume(self->stream, to & ~was);
    /* Whether silence is sent, and who sends the reports, goes by it. */
    stream->dir = to;
    return status;
}

int32_t sc_audio_transport_set_direction(sc_audio_transport transport, uint32_t direction)
{
    audio_transport *self = sc_take(transport, SC_KIND_AUDIO_TRANSPORT);
    pj_status_t status = SC_EGONE;

    if (!self)
        return SC_EGONE;
    if (self->line) {
        /* Between two ticks: the jitter buffer is emptied. */
        sc_clock_hold();
        status = set_direction(self->line, direction);
        sc_clock_go_on();
    }
    sc_give_back(self);
    return status;
}

int32_t sc_audio_transport_send_dtmf(sc_audio_transport transport, sc_text digits)
{
    audio_transport *self = digits ? sc_take(transport, SC_KIND_AUDIO_TRANSPORT) : NULL;
    pj_str_t text;
    pj_status_t status = SC_EGONE;

    if (!self)
        return SC_EGONE;
    text = pj_str((char *)digits);
    if (self->line)
        status = pjmedia_stream_dial_dtmf(self->line->stream, &text);
    sc_give_back(self);
    return status;
}

static void write_math(sc_writer *writer, const pj_math_stat *stat)
{
    sc_write_i32(writer, stat->n);
    sc_write_i32(writer, stat->max);
    sc_write_i32(writer, stat->min);
    sc_write_i32(writer, stat->last);
    sc_write_i32(writer, stat->mean);
}

static void write_stream(sc_writer *writer, const pjmedia_rtcp_stream_stat *stat, uint32_t lost,
                         const pj_math_stat *loss_period, const pj_math_stat *jitter)
{
    sc_write_u32(writer, stat->pkt);
    sc_write_u32(writer, stat->bytes);
    sc_write_u32(writer, stat->discard);
    sc_write_u32(writer, lost);
    sc_write_u32(writer, stat->reorder);
    sc_write_u32(writer, stat->dup);
    write_math(writer, loss_period);
    write_math(writer, jitter);
}

static void write_statistics(sc_writer *writer, const line *self)
{
    sc_tx_reports reports = sc_rtp_tap_reports(self->tap);
    const pjmedia_rtcp_session *rtcp = &((pjmedia_stream_common *)self->stream)->rtcp;
    pjmedia_jb_state buffer;
    pjmedia_rtcp_stat stat;

    if (pjmedia_stream_get_stat(self->stream, &stat) != PJ_SUCCESS ||
        pjmedia_stream_get_stat_jbuf(self->stream, &buffer) != PJ_SUCCESS)
        return;
    write_math(writer, &reports.rtt);
    write_stream(writer, &stat.rx, stat.rx.loss, &stat.rx.loss_period, &stat.rx.jitter);
    write_stream(writer, &stat.tx, reports.lost, &reports.loss_period, &reports.jitter);
    sc_write_u32(writer, buffer.avg_delay);
    sc_write_u32(writer, (uint32_t)((uint64_t)rtcp->pkt_size * 1000000 / rtcp->clock_rate));
}

int32_t sc_audio_transport_statistics(sc_audio_transport transport, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    audio_transport *self = sc_take(transport, SC_KIND_AUDIO_TRANSPORT);

    if (!self)
        return 0;
    if (self->line)
        write_statistics(&writer, self->line);
    sc_give_back(self);
    return sc_writer_done(&writer);
}

int32_t sc_audio_transport_detach(sc_audio_transport transport, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    audio_transport *self = sc_take(transport, SC_KIND_AUDIO_TRANSPORT);

    if (!self)
        return 0;
    sc_clock_hold();
    if (self->line)
        write_statistics(&writer, self->line);
    drop_line(self);
    sc_clock_go_on();
    sc_give_back(self);
    return sc_writer_done(&writer);
}

int32_t sc_audio_transport_attach(sc_audio_transport transport, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    audio_transport *self = sc_take(transport, SC_KIND_AUDIO_TRANSPORT);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = self->line ? PJ_EEXISTS : make_line(self, &reader);
    sc_give_back(self);
    return status;
}
