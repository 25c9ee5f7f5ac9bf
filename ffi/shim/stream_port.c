/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a mixer sees of an audio stream: a port of the mixer's own rate that stays in its slot while the stream behind
 * it, with its codec's rate and frames, is made anew. Between both it does what the bridge does for other ports.
 */
#include "internal.h"

#define TICKS_PER_SECOND 50
#define SIGNATURE PJMEDIA_SIG_PORT_STREAM

/* From the stream to the mixer, or the other way; in samples of the stream's rate, of one channel. */
typedef struct {
    pjmedia_resample *resample; /* NULL: both have the same rate */
    int16_t *samples;
    unsigned count;
} buffer;

struct sc_stream_port {
    pjmedia_port base;
    pj_pool_t *pool;
    unsigned rate;
    sc_dtmf_receiver *dtmf; /* is told that time passes */
    /* Changes only while the clock is held; NULL: silence. */
    pjmedia_port *stream;
    bool is_direct; /* frames go through as they are */
    unsigned channels, frame_samples; /* of a frame of the stream's, of all channels */
    unsigned tick_samples; /* of a tick, at the stream's rate */
    unsigned silent_samples;
    buffer in, out;
    int16_t *scratch;
};

static pj_status_t get_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    sc_stream_port *self = (sc_stream_port *)port;
    bool is_silent = self->in.count == 0;
    pjmedia_frame part;

    if (!self->stream) {
        frame->type = PJMEDIA_FRAME_TYPE_NONE;
        return PJ_SUCCESS;
    }
    if (self->is_direct)
        return pjmedia_port_get_frame(self->stream, frame);
    while (self->in.count < self->tick_samples) {
        int16_t *end = self->in.samples + self->in.count;

        pj_bzero(&part, sizeof(part));
        part.buf = self->channels == 1 ? end : self->scratch;
        part.size = self->frame_samples * sizeof(int16_t);
        if (pjmedia_port_get_frame(self->stream, &part) == PJ_SUCCESS && part.type == PJMEDIA_FRAME_TYPE_AUDIO)
            is_silent = false;
        else
            pj_bzero(part.buf, self->frame_samples * sizeof(int16_t));
        if (self->channels > 1)
            pjmedia_convert_channel_nto1(end, self->scratch, self->channels, self->frame_samples, PJ_TRUE, 0);
        self->in.count += self->frame_samples / self->channels;
    }
    if (self->in.resample)
        pjmedia_resample_run(self->in.resample, self->in.samples, frame->buf);
    else
        pjmedia_copy_samples(frame->buf, self->in.samples, self->tick_samples);
    self->in.count -= self->tick_samples;
    pjmedia_move_samples(self->in.samples, self->in.samples + self->tick_samples, self->in.count);
    frame->size = PJMEDIA_PIA_SPF(&port->info) * sizeof(int16_t);
    frame->type = is_silent ? PJMEDIA_FRAME_TYPE_NONE : PJMEDIA_FRAME_TYPE_AUDIO;
    return PJ_SUCCESS;
}

/* The stream hears that there is nothing to say as often as it would be given a frame. */
static void put_silence(sc_stream_port *self)
{
    pjmedia_frame frame;

    pj_bzero(&frame, sizeof(frame));
    frame.type = PJMEDIA_FRAME_TYPE_NONE;
    self->out.count = 0;
    self->silent_samples += self->tick_samples * self->channels;
    for (; self->silent_samples >= self->frame_samples; self->silent_samples -= self->frame_samples)
        pjmedia_port_put_frame(self->stream, &frame);
}

static pj_status_t put_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    sc_stream_port *self = (sc_stream_port *)port;
    unsigned samples = self->channels ? self->frame_samples / self->channels : 0;
    pjmedia_frame part;

    if (!self->stream)
        return PJ_SUCCESS;
    sc_dtmf_receiver_tick(self->dtmf);
    if (self->is_direct)
        return pjmedia_port_put_frame(self->stream, frame);
    if (frame->type != PJMEDIA_FRAME_TYPE_AUDIO || !frame->buf) {
        put_silence(self);
        return PJ_SUCCESS;
    }
    self->silent_samples = 0;
    if (self->out.resample)
        pjmedia_resample_run(self->out.resample, frame->buf, self->out.samples + self->out.count);
    else
        pjmedia_copy_samples(self->out.samples + self->out.count, frame->buf, self->tick_samples);
    self->out.count += self->tick_samples;
    while (self->out.count >= samples) {
        part = *frame;
        part.buf = self->out.samples;
        part.size = self->frame_samples * sizeof(int16_t);
        if (self->channels > 1) {
            pjmedia_convert_channel_1ton(self->scratch, self->out.samples, self->channels, samples, 0);
            part.buf = self->scratch;
        }
        pjmedia_port_put_frame(self->stream, &part);
        self->out.count -= samples;
        pjmedia_move_samples(self->out.samples, self->out.samples + samples, self->out.count);
    }
    return PJ_SUCCESS;
}

/* What a resampler works with is malloc's, not the pool's. */
static void drop_buffer(buffer *self)
{
    if (self->resample)
        pjmedia_resample_destroy(self->resample);
    pj_bzero(self, sizeof(*self));
}

static pj_status_t on_destroy(pjmedia_port *port)
{
    pj_pool_release(((sc_stream_port *)port)->pool);
    return PJ_SUCCESS;
}

sc_stream_port *sc_stream_port_create(unsigned rate, pj_status_t *status)
{
    static const pj_str_t name = { "stream", 6 };
    pj_pool_t *pool = sc_pool_create("stream-port", 1000);
    sc_stream_port *self = pool ? PJ_POOL_ZALLOC_T(pool, sc_stream_port) : NULL;

    *status = PJ_ENOMEM;
    if (self) {
        self->pool = pool;
        self->rate = rate;
        pjmedia_port_info_init(&self->base.info, &name, SIGNATURE, rate, 1, 16, rate / TICKS_PER_SECOND);
        self->base.get_frame = get_frame;
        self->base.put_frame = put_frame;
        self->base.on_destroy = on_destroy;
        *status = pjmedia_port_init_grp_lock(&self->base, pool, NULL);
    }
    if (*status == PJ_SUCCESS)
        return self;
    if (pool)
        pj_pool_release(pool);
    return NULL;
}

void sc_stream_port_destroy(sc_stream_port *self)
{
    if (self)
        pjmedia_port_destroy(&self->base);
}

pjmedia_port *sc_stream_port_base(sc_stream_port *self)
{
    return &self->base;
}

static pj_status_t make_buffer(buffer *self, pj_pool_t *pool, unsigned from, unsigned to, unsigned samples,
                               unsigned capacity)
{
    pj_bzero(self, sizeof(*self));
    self->samples = pj_pool_alloc(pool, capacity * sizeof(int16_t));
    if (!self->samples)
        return PJ_ENOMEM;
    /* A filter of 128 taps, as in the mixer: 8 ms at 8 kHz. The large one takes 16, in each direction. */
    return from == to ? PJ_SUCCESS
                      : pjmedia_resample_create(pool, PJ_TRUE, PJ_FALSE, 1, from, to, samples, &self->resample);
}

pj_status_t sc_stream_port_join(sc_stream_port *self, pjmedia_port *stream, pj_pool_t *pool, sc_dtmf_receiver *dtmf)
{
    unsigned rate = PJMEDIA_PIA_SRATE(&stream->info), mixer_tick = self->rate / TICKS_PER_SECOND;
    pj_status_t status = PJ_SUCCESS;

    self->channels = PJMEDIA_PIA_CCNT(&stream->info);
    self->frame_samples = PJMEDIA_PIA_SPF(&stream->info);
    self->tick_samples = rate / TICKS_PER_SECOND;
    self->silent_samples = 0;
    if (rate % TICKS_PER_SECOND || !self->channels || self->frame_samples < self->channels)
        return PJMEDIA_ENOTCOMPATIBLE;
    self->is_direct = rate == self->rate && self->channels == 1 && self->frame_samples == mixer_tick;
    if (!self->is_direct) {
        unsigned capacity = self->tick_samples + self->frame_samples;

        self->scratch = pj_pool_alloc(pool, self->frame_samples * sizeof(int16_t));
        status = self->scratch ? make_buffer(&self->in, pool, rate, self->rate, self->tick_samples, capacity) : PJ_ENOMEM;
        if (status == PJ_SUCCESS)
            status = make_buffer(&self->out, pool, self->rate, rate, mixer_tick, capacity);
    }
    if (status != PJ_SUCCESS) {
        sc_stream_port_leave(self);
        return status;
    }
    self->dtmf = dtmf;
    self->stream = stream;
    return PJ_SUCCESS;
}

void sc_stream_port_leave(sc_stream_port *self)
{
    self->stream = NULL;
    self->dtmf = NULL;
    drop_buffer(&self->in);
    drop_buffer(&self->out);
}
