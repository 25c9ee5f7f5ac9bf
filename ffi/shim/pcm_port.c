/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two rings between the media clock and JavaScript, one for each direction. Neither side waits for the other: the clock
 * writes over the oldest frame that nobody has fetched, and plays silence where nothing was written. Each counter has one
 * writer, but for `played`, which a flush moves as well.
 */
#include <speex/speex_resampler.h>

#include "internal.h"
#include "pcm_memory.h"
#include "pcm_port.h"

#define TICKS_PER_SECOND 50
/* A minute. */
#define MAX_CAPACITY 3000
#define MAX_SAMPLE_RATE 65535
/*
 * 64 taps: 4 ms at 8 kHz. A bridge would take 256, which are 16 ms in each direction, and cut off as much of what is
 * said last.
 */
#define RESAMPLER_QUALITY 4

typedef struct {
    sc_port port;
    sc_pcm_place *place; /* NULL once closed; changes only while the clock is held */
    unsigned frame_samples; /* at the mixer's rate */
    SpeexResamplerState *to_mixer, *from_mixer; /* NULL when the rates are the same */
    int16_t *said; /* a frame ahead of its resampling */
    uint32_t played; /* as this end has left it: else there was a flush */
    bool began; /* something was played since the beginning, or the last flush */
    bool late;
    bool has_tail; /* the resampler still holds some of it */
    uint64_t silence; /* in samples */
} pcm_port;

static void resample(SpeexResamplerState *resampler, const int16_t *from, unsigned count, int16_t *to, unsigned room)
{
    spx_uint32_t taken = count, made = room;

    speex_resampler_process_int(resampler, 0, from, &taken, to, &made);
    if (made < room)
        pjmedia_zero_samples(to + made, room - made);
}

/* In the media clock. */
static pj_status_t put_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    pcm_port *self = (pcm_port *)port;
    sc_pcm_place *place = self->place;
    int16_t *heard;
    uint32_t at;

    /* A bridge hands over something else where nothing is connected. */
    if (!place || frame->type != PJMEDIA_FRAME_TYPE_AUDIO)
        return PJ_SUCCESS;
    if (frame->size != self->frame_samples * sizeof(int16_t))
        return PJ_EINVAL;
    at = atomic_load(&place->words->heard);
    heard = place->heard + (size_t)(at & (place->frames - 1)) * place->frame_samples;
    if (self->from_mixer)
        resample(self->from_mixer, frame->buf, self->frame_samples, heard, place->frame_samples);
    else
        memcpy(heard, frame->buf, frame->size);
    atomic_store(&place->words->heard, at + 1);
    if (atomic_load(&place->words->wake) & SC_PCM_WAKE_HEARD)
        sc_pcm_news();
    return PJ_SUCCESS;
}

static void copy_said(const sc_pcm_place *place, uint32_t from, int16_t *to, unsigned count)
{
    unsigned at = from & (place->samples - 1), first = place->samples - at;

    if (first > count)
        first = count;
    memcpy(to, place->said + at, first * sizeof(*to));
    memcpy(to + first, place->said, (count - first) * sizeof(*to));
}

/* Silence is late sound when something was played before, unless it was flushed or was the last. */
static void count_silence(pcm_port *self, unsigned missing, bool is_last)
{
    sc_pcm_words *words = self->place->words;

    if (!missing || !self->began || is_last) {
        self->late = false;
        return;
    }
    if (!self->late)
        atomic_fetch_add(&words->underruns, 1);
    self->late = true;
    self->silence += missing;
    atomic_store(&words->silence, (uint32_t)(self->silence * 1000 / (self->place->frame_samples * TICKS_PER_SECOND)));
}

/* Takes what was said next, a frame at most; how many samples. */
static unsigned take_said(pcm_port *self, int16_t *to)
{
    sc_pcm_place *place = self->place;
    uint32_t played = atomic_load(&place->words->played);
    uint32_t count = atomic_load(&place->words->written) - played;

    if (count > place->frame_samples)
        count = place->frame_samples;
    if (played != self->played)
        self->began = false;
    if (count)
        copy_said(place, played, to, count);
    /* Flushed meanwhile: it is not to be heard. */
    if (count && !atomic_compare_exchange_strong(&place->words->played, &played, played + count)) {
        self->began = false;
        count = 0;
    }
    self->played = played + count;
    return count;
}

/* In the media clock. */
static pj_status_t get_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    pcm_port *self = (pcm_port *)port;
    sc_pcm_place *place = self->place;
    int16_t *to = self->to_mixer ? self->said : frame->buf;
    unsigned count;
    uint32_t wake;

    frame->type = PJMEDIA_FRAME_TYPE_NONE;
    if (!place)
        return PJ_SUCCESS;
    wake = atomic_load(&place->words->wake);
    count = take_said(self, to);
    if (count || self->has_tail) {
        pjmedia_zero_samples(to + count, place->frame_samples - count);
        if (self->to_mixer)
            resample(self->to_mixer, to, place->frame_samples, frame->buf, self->frame_samples);
        frame->type = PJMEDIA_FRAME_TYPE_AUDIO;
        frame->size = self->frame_samples * sizeof(int16_t);
        self->has_tail = count && self->to_mixer;
    }
    if (count) {
        self->began = true;
        if (wake & SC_PCM_WAKE_ROOM || (wake & SC_PCM_WAKE_PLAYED &&
                                       (int32_t)(self->played - atomic_load(&place->words->wake_at)) >= 0))
            sc_pcm_news();
    }
    count_silence(self, place->frame_samples - count, (wake & SC_PCM_LAST) != 0);
    return PJ_SUCCESS;
}

/* From now on the place is another's; the bridge may hold the port for a while. */
static void leave(sc_port *port)
{
    pcm_port *self = (pcm_port *)port;

    sc_pcm_place_give_back(self->place);
    self->place = NULL;
}

static void destroy(sc_port *port)
{
    pcm_port *self = (pcm_port *)port;

    if (self->to_mixer)
        speex_resampler_destroy(self->to_mixer);
    if (self->from_mixer)
        speex_resampler_destroy(self->from_mixer);
}

static bool create_resamplers(pcm_port *self, uint32_t own_rate, uint32_t mixer_rate)
{
    int failed = 0;

    if (own_rate == mixer_rate)
        return true;
    self->said = pj_pool_alloc(self->port.pool, self->place->frame_samples * sizeof(int16_t));
    if (!self->said || sc_should_fail())
        return false;
    self->to_mixer = speex_resampler_init(1, own_rate, mixer_rate, RESAMPLER_QUALITY, &failed);
    self->from_mixer = speex_resampler_init(1, mixer_rate, own_rate, RESAMPLER_QUALITY, &failed);
    return self->to_mixer && self->from_mixer;
}

typedef struct {
    uint32_t sample_rate, capacity;
} pcm_options;

static sc_port *make(sc_port_owner *owner, const void *arg, pj_status_t *status)
{
    const pcm_options *options = arg;
    uint32_t rate = options->sample_rate, mixer_rate = sc_mixer_rate(owner->mixer);
    pcm_port *self;

    *status = SC_EARGS;
    if (rate < TICKS_PER_SECOND || rate > MAX_SAMPLE_RATE || rate % TICKS_PER_SECOND || !options->capacity ||
        options->capacity > MAX_CAPACITY)
        return NULL;
    *status = PJ_ENOMEM;
    self = sc_port_new(sizeof(*self), "pcm", mixer_rate);
    if (!self)
        return NULL;
    self->port.leave = leave;
    self->port.destroy = destroy;
    self->port.base.put_frame = put_frame;
    self->port.base.get_frame = get_frame;
    self->frame_samples = mixer_rate / TICKS_PER_SECOND;
    self->place = sc_pcm_place_take(rate / TICKS_PER_SECOND, options->capacity);
    if (self->place && create_resamplers(self, rate, mixer_rate)) {
        *status = PJ_SUCCESS;
        return &self->port;
    }
    leave(&self->port);
    pjmedia_port_destroy(&self->port.base);
    return NULL;
}

sc_pcm_port sc_pcm_port_create(sc_audio_mixer mixer, uint32_t sample_rate, uint32_t capacity, sc_status status)
{
    return sc_port_owner_create(SC_KIND_PCM_PORT, mixer, make, &(pcm_options){ sample_rate, capacity }, status);
}

int32_t sc_pcm_port_close(sc_pcm_port port)
{
    return sc_port_owner_close(SC_KIND_PCM_PORT, port);
}

int32_t sc_pcm_port_info(sc_pcm_port port, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    sc_port_owner *owner = sc_take(port, SC_KIND_PCM_PORT);
    const sc_pcm_place *place;

    if (!owner)
        return 0;
    place = ((pcm_port *)owner->port)->place;
    sc_write_u32(&writer, (uint32_t)owner->slot);
    sc_write_u32(&writer, place->segment);
    sc_write_u32(&writer, place->offset);
    sc_write_u32(&writer, place->frames);
    sc_write_u32(&writer, place->samples);
    sc_give_back(owner);
    return sc_writer_done(&writer);
}

int32_t sc_pcm_port_flush(sc_pcm_port port)
{
    sc_port_owner *owner = sc_take(port, SC_KIND_PCM_PORT);
    uint32_t played, written;
    sc_pcm_words *words;

    if (!owner)
        return -SC_EGONE;
    words = ((pcm_port *)owner->port)->place->words;
    written = atomic_load(&words->written);
    played = atomic_load(&words->played);
    while (!atomic_compare_exchange_weak(&words->played, &played, written))
        ;
    sc_give_back(owner);
    return (int32_t)(written - played);
}
