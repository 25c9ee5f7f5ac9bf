/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One direction of one open sound device. Its thread exchanges frames with the mixer, whose ticks go on by the media
 * clock whatever the device does: a buffer between them makes up for the two clocks' difference.
 */
#include <time.h>

#include "internal.h"

#define FRAME_MS 20
/* What the buffer holds at most; it keeps much less in a quiet time. */
#define MAX_DELAY_MS 160
/*
 * How many frames a device may be ahead of the ticks beyond what it buffers itself. A sound card never comes to it.
 * What has no clock of its own (ALSA's null and file) is held here, or it would take a year's sound in an hour.
 */
#define MAX_AHEAD 4
/* Cards are faster than our clock by less than one frame in so many. */
#define TICKS_OF_DRIFT 2500
/* A tick is never as late as this; if it is, the device goes on without. */
#define PATIENCE_MS 100

struct sc_sound_device {
    pj_pool_t *pool;
    pjmedia_aud_stream *stream;
    sc_sound_device_owner owner;
    pjmedia_delay_buf *buffer; /* of an output */
    atomic_bool alive;

    pthread_mutex_t mutex;
    pthread_cond_t ticked;
    int ahead, max_ahead;
    unsigned ticks;
    bool closing;
};

/* Called for each frame, in the device's thread. */
static void keep_pace(sc_sound_device *self)
{
    static const struct timespec moment = { 0, 2000000 };
    bool closing;

    pthread_mutex_lock(&self->mutex);
    self->ahead++;
    if (self->ahead > self->max_ahead) {
        struct timespec until = sc_from_now(PATIENCE_MS);

        while (self->ahead > self->max_ahead && !self->closing)
            if (pthread_cond_timedwait(&self->ticked, &self->mutex, &until))
                break;
    }
    closing = self->closing;
    pthread_mutex_unlock(&self->mutex);
    /* It is about to be told to end, and must not run free until then. */
    if (closing)
        nanosleep(&moment, NULL);
}

void sc_sound_device_tick(sc_sound_device *self)
{
    pthread_mutex_lock(&self->mutex);
    self->ahead--;
    if (++self->ticks % TICKS_OF_DRIFT == 0)
        self->ahead--;
    /* What the buffer has dropped meanwhile nobody can take. */
    if (self->ahead < -MAX_DELAY_MS / FRAME_MS)
        self->ahead = -MAX_DELAY_MS / FRAME_MS;
    pthread_cond_signal(&self->ticked);
    pthread_mutex_unlock(&self->mutex);
}

void sc_sound_device_play(sc_sound_device *self, int16_t *samples)
{
    pjmedia_delay_buf_put(self->buffer, samples);
    sc_sound_device_tick(self);
}

static pj_status_t on_play(void *arg, pjmedia_frame *frame)
{
    sc_sound_device *self = arg;

    keep_pace(self);
    frame->type = PJMEDIA_FRAME_TYPE_AUDIO;
    pjmedia_delay_buf_get(self->buffer, frame->buf);
    sc_echo_played(self->owner.echo, frame->buf);
    return PJ_SUCCESS;
}

static pj_status_t on_captured(void *arg, pjmedia_frame *frame)
{
    sc_sound_device *self = arg;

    keep_pace(self);
    sc_echo_captured(self->owner.echo, frame->buf);
    /* The bridge has a buffer of its own for what comes in between its ticks. */
    pjmedia_port_put_frame(self->owner.master, frame);
    return PJ_SUCCESS;
}

/* The device's thread is about to end by itself. */
static pj_status_t on_event(pjmedia_event *event, void *arg)
{
    sc_sound_device *self = arg;
    sc_record record;

    if (event->type != PJMEDIA_EVENT_AUD_DEV_ERROR || !atomic_exchange(&self->alive, false))
        return PJ_SUCCESS;
    sc_record_init(&record, SC_RECORD_AUDIO_MIXER_DEVICE_LOST, self->owner.mixer);
    sc_record_push(&record, false);
    return PJ_SUCCESS;
}

bool sc_sound_device_is_alive(sc_sound_device *self)
{
    return self && atomic_load(&self->alive);
}

unsigned sc_sound_device_latency(sc_sound_device *self)
{
    pjmedia_aud_param param;

    return pjmedia_aud_stream_get_param(self->stream, &param) == PJ_SUCCESS ? param.output_latency_ms : 0;
}

static pj_status_t start(sc_sound_device *self, const char *name, pjmedia_dir direction, bool run)
{
    unsigned samples = self->owner.rate * FRAME_MS / 1000;
    pjmedia_aud_param param;
    pj_status_t status;

    pj_bzero(&param, sizeof(param));
    param.dir = direction;
    param.clock_rate = self->owner.rate;
    param.channel_count = 1;
    param.samples_per_frame = samples;
    param.bits_per_sample = 16;
    if (direction == PJMEDIA_DIR_PLAYBACK) {
        status = pjmedia_delay_buf_create(self->pool, "device", self->owner.rate, samples, 1, MAX_DELAY_MS, 0,
                                          &self->buffer);
        if (status != PJ_SUCCESS)
            return status;
    }
    status = sc_alsa_open(name, &param, on_captured, on_play, self, &self->stream);
    if (status != PJ_SUCCESS)
        return status;
    self->max_ahead = MAX_AHEAD;
    if (direction == PJMEDIA_DIR_PLAYBACK)
        self->max_ahead += (int)(sc_sound_device_latency(self) / FRAME_MS);
    status = pjmedia_event_subscribe(NULL, on_event, self, self->stream);
    return status == PJ_SUCCESS && run ? pjmedia_aud_stream_start(self->stream) : status;
}

pj_status_t sc_sound_device_open(const char *name, pjmedia_dir direction, bool run, const sc_sound_device_owner *owner,
                                 sc_sound_device **device)
{
    sc_sound_device *self;
    pj_pool_t *pool;
    pj_status_t status;

    if (owner->rate < SC_SOUND_DEVICE_MIN_RATE)
        return PJMEDIA_EAUD_SAMPFORMAT;
    pool = sc_pool_create("device", 4000);
    self = pool ? pj_pool_zalloc(pool, sizeof(*self)) : NULL;
    if (!self) {
        if (pool)
            pj_pool_release(pool);
        return PJ_ENOMEM;
    }
    self->pool = pool;
    self->owner = *owner;
    atomic_init(&self->alive, true);
    pthread_mutex_init(&self->mutex, NULL);
    sc_cond_init(&self->ticked);
    status = start(self, name, direction, run);
    if (status == PJ_SUCCESS)
        *device = self;
    else
        sc_sound_device_close(self);
    return status;
}

void sc_sound_device_close(sc_sound_device *self)
{
    if (!self)
        return;
    pthread_mutex_lock(&self->mutex);
    self->closing = true;
    pthread_cond_signal(&self->ticked);
    pthread_mutex_unlock(&self->mutex);
    if (self->stream) {
        pjmedia_aud_stream_stop(self->stream);
        pjmedia_event_unsubscribe(NULL, on_event, self, self->stream);
        pjmedia_aud_stream_destroy(self->stream);
    }
    if (self->buffer)
        pjmedia_delay_buf_destroy(self->buffer);
    pthread_cond_destroy(&self->ticked);
    pthread_mutex_destroy(&self->mutex);
    pj_pool_release(self->pool);
}
