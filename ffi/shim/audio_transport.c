/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "audio_transport.h"
#include "internal.h"

#define SENDS 1
#define RECEIVES 2

typedef struct {
    sc_object object;
    sc_mixer *mixer;
    sc_object *transport;
    pj_pool_t *pool;
    pjmedia_stream *stream;
    pjmedia_port *port;
    pjmedia_stream_info info;
    int slot;
} audio_transport;

static void release_pool(void *arg)
{
    pj_pool_release(arg);
}

static void destroy(sc_object *object)
{
    audio_transport *self = (audio_transport *)object;

    sc_clock_hold();
    if (self->slot >= 0 && self->mixer)
        sc_mixer_remove(self->mixer, self->slot);
    if (self->stream)
        pjmedia_stream_destroy(self->stream);
    sc_clock_go_on();
    if (!self->stream && self->pool)
        pj_pool_release(self->pool);
    sc_object_put(self->transport);
    sc_object_put(self->mixer);
}

/* In the media thread: facts only, and the serial instead of the object, which may be gone by then. */
static void on_dtmf(pjmedia_stream *stream, void *user_data, const pjmedia_stream_dtmf_event *event)
{
    sc_record record;

    PJ_UNUSED_ARG(stream);
    if (!(event->flags & PJMEDIA_STREAM_DTMF_IS_END))
        return;
    sc_record_init(&record, SC_RECORD_AUDIO_TRANSPORT_DTMF, (uint64_t)(uintptr_t)user_data);
    sc_record_u32(&record, (uint32_t)event->digit);
    sc_record_u32(&record, event->duration);
    sc_record_push(&record, false);
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

static pj_status_t init(audio_transport *self, sc_reader *reader)
{
    pj_str_t local_text = sc_read_text(reader), remote_text = sc_read_text(reader);
    uint32_t index = sc_read_u32(reader);
    uint8_t silence_detection = sc_read_u8(reader);
    bool sends_always;
    pjmedia_sdp_session *local, *remote;
    pj_status_t status;

    if (reader->failed)
        return SC_EARGS;
    self->pool = sc_pool_create("audio", 4000);
    if (!self->pool)
        return PJ_ENOMEM;
    status = sc_sdp_parse(self->pool, &local_text, &local);
    if (status == PJ_SUCCESS)
        status = sc_sdp_parse(self->pool, &remote_text, &remote);
    if (status == PJ_SUCCESS && (!local || !remote || index >= local->media_count || index >= remote->media_count))
        status = SC_EARGS;
    if (status == PJ_SUCCESS)
        status = pjmedia_stream_info_from_sdp(&self->info, self->pool, sc_engine.media, local, remote, index);
    if (status != PJ_SUCCESS)
        return status;
    self->info.param->setting.vad = silence_detection != 0;
    sends_always = (self->info.dir & PJMEDIA_DIR_ENCODING) && !silence_detection;
    pjmedia_stream_ka_config_default(&self->info.ka_cfg);
    self->info.use_ka = !sends_always;
    status = pjmedia_stream_create(sc_engine.media, self->pool, &self->info, sc_rtp_transport_media(self->transport), NULL,
                                   &self->stream);
    if (status != PJ_SUCCESS)
        return status;
    status = pjmedia_stream_get_port(self->stream, &self->port);
    /* The stream outlives us while the bridge holds it; its pool goes when it does. */
    if (status == PJ_SUCCESS)
        status = pj_grp_lock_add_handler(self->port->grp_lock, NULL, self->pool, release_pool);
    if (status == PJ_SUCCESS)
        status = pjmedia_stream_set_dtmf_event_callback(self->stream, on_dtmf,
                                                        (void *)(uintptr_t)self->object.serial);
    if (status == PJ_SUCCESS)
        status = pjmedia_stream_start(self->stream);
    if (status == PJ_SUCCESS && sends_always)
        keep_alive_later((pjmedia_stream_common *)self->stream);
    if (status == PJ_SUCCESS)
        self->slot = sc_mixer_add(self->mixer, self->port, pj_str("audio"), &status);
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

static audio_transport *take(sc_audio_transport serial)
{
    audio_transport *self;

    if (!sc_enter())
        return NULL;
    self = sc_object_get(serial, SC_KIND_AUDIO_TRANSPORT);
    if (!self)
        sc_leave();
    return self;
}

static void give_back(audio_transport *self)
{
    sc_object_put(self);
    sc_leave();
}

int32_t sc_audio_transport_close(sc_audio_transport transport)
{
    audio_transport *self = take(transport);

    if (!self)
        return SC_EGONE;
    sc_object_remove(self);
    give_back(self);
    return PJ_SUCCESS;
}

int32_t sc_audio_transport_info(sc_audio_transport transport, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    audio_transport *self = take(transport);

    if (!self)
        return 0;
    sc_write_u32(&writer, (uint32_t)self->slot);
    sc_write_str(&writer, &self->info.fmt.encoding_name);
    sc_write_u32(&writer, self->info.fmt.clock_rate);
    give_back(self);
    return sc_writer_done(&writer);
}

int32_t sc_audio_transport_set_volume(sc_audio_transport transport, uint32_t percent)
{
    audio_transport *self = take(transport);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = sc_mixer_volume(self->mixer, self->slot, percent);
    give_back(self);
    return status;
}

int32_t sc_audio_transport_set_direction(sc_audio_transport transport, uint32_t direction)
{
    audio_transport *self = take(transport);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = direction & SENDS ? pjmedia_stream_resume(self->stream, PJMEDIA_DIR_ENCODING)
                               : pjmedia_stream_pause(self->stream, PJMEDIA_DIR_ENCODING);
    if (status == PJ_SUCCESS)
        status = direction & RECEIVES ? pjmedia_stream_resume(self->stream, PJMEDIA_DIR_DECODING)
                                      : pjmedia_stream_pause(self->stream, PJMEDIA_DIR_DECODING);
    give_back(self);
    return status;
}

int32_t sc_audio_transport_send_dtmf(sc_audio_transport transport, sc_text digits)
{
    audio_transport *self = digits ? take(transport) : NULL;
    pj_str_t text;
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    text = pj_str((char *)digits);
    status = pjmedia_stream_dial_dtmf(self->stream, &text);
    give_back(self);
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

static void write_stream(sc_writer *writer, const pjmedia_rtcp_stream_stat *stat)
{
    sc_write_u32(writer, stat->pkt);
    sc_write_u32(writer, stat->bytes);
    sc_write_u32(writer, stat->discard);
    sc_write_u32(writer, stat->loss);
    sc_write_u32(writer, stat->reorder);
    sc_write_u32(writer, stat->dup);
    sc_write_u32(writer, stat->loss_type.burst);
    sc_write_u32(writer, stat->loss_type.random);
    write_math(writer, &stat->loss_period);
    write_math(writer, &stat->jitter);
}

int32_t sc_audio_transport_statistics(sc_audio_transport transport, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    audio_transport *self = take(transport);
    pjmedia_rtcp_stat stat;

    if (!self)
        return 0;
    if (pjmedia_stream_get_stat(self->stream, &stat) == PJ_SUCCESS) {
        write_math(&writer, &stat.rtt);
        write_stream(&writer, &stat.rx);
        write_stream(&writer, &stat.tx);
    }
    give_back(self);
    return sc_writer_done(&writer);
}
