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

/* The bridge's own: it lives until the bridge has let go of it, which may be after the object's end. */
typedef struct {
    pjmedia_port port;
    pj_pool_t *pool;
    sc_pcm_place *place; /* NULL once closed; changes only while the clock is held */
    unsigned frame_samples; /* at the mixer's rate */
    SpeexResamplerState *to_mixer, *from_mixer; /* NULL when the rates are the same */
    int16_t *said; /* a frame ahead of its resampling */
    uint32_t played; /* as this end has left it: else there was a flush */
    bool began; /* something was played since the beginning, or the last flush */
    bool late;
    bool has_tail; /* the resampler still holds some of it */
    uint64_t silence; /* in samples */
} pcm_end;

typedef struct {
    sc_object object;
    sc_mixer *mixer;
    sc_pcm_place *place;
    pcm_end *end;
    int slot;
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
    pcm_end *self = port->port_data.pdata;
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
static void count_silence(pcm_end *self, unsigned missing, bool is_last)
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
static unsigned take_said(pcm_end *self, int16_t *to)
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
    pcm_end *self = port->port_data.pdata;
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

static pj_status_t on_destroy(pjmedia_port *port)
{
    pcm_end *self = port->port_data.pdata;

    if (self->to_mixer)
        speex_resampler_destroy(self->to_mixer);
    if (self->from_mixer)
        speex_resampler_destroy(self->from_mixer);
    pj_pool_release(self->pool);
    return PJ_SUCCESS;
}

static void destroy(sc_object *object)
{
    pcm_port *self = (pcm_port *)object;

    sc_clock_hold();
    if (self->end)
        self->end->place = NULL;
    if (self->slot >= 0)
        sc_mixer_remove(self->mixer, self->slot);
    if (self->end)
        pjmedia_port_destroy(&self->end->port);
    sc_clock_go_on();
    sc_pcm_place_give_back(self->place);
    sc_object_put(self->mixer);
}

static bool create_resamplers(pcm_end *self, uint32_t own_rate, uint32_t mixer_rate)
{
    int failed = 0;

    if (own_rate == mixer_rate)
        return true;
    self->said = pj_pool_alloc(self->pool, self->place->frame_samples * sizeof(int16_t));
    if (!self->said || sc_should_fail())
        return false;
    self->to_mixer = speex_resampler_init(1, own_rate, mixer_rate, RESAMPLER_QUALITY, &failed);
    self->from_mixer = speex_resampler_init(1, mixer_rate, own_rate, RESAMPLER_QUALITY, &failed);
    return self->to_mixer && self->from_mixer;
}

static pcm_end *create_end(sc_pcm_place *place, uint32_t own_rate, uint32_t mixer_rate, pj_status_t *status)
{
    static const pj_str_t name = { "pcm", 3 };
    pj_pool_t *pool = sc_pool_create("pcm", 4000);
    pcm_end *self = pool ? PJ_POOL_ZALLOC_T(pool, pcm_end) : NULL;

    *status = PJ_ENOMEM;
    if (!self) {
        if (pool)
            pj_pool_release(pool);
        return NULL;
    }
    self->pool = pool;
    self->place = place;
    self->frame_samples = mixer_rate / TICKS_PER_SECOND;
    pjmedia_port_info_init(&self->port.info, &name, PJMEDIA_SIG_CLASS_PORT_AUD('S', 'P'), mixer_rate, 1, 16,
                           self->frame_samples);
    self->port.port_data.pdata = self;
    self->port.put_frame = put_frame;
    self->port.get_frame = get_frame;
    self->port.on_destroy = on_destroy;
    if (create_resamplers(self, own_rate, mixer_rate))
        *status = pjmedia_port_init_grp_lock(&self->port, pool, NULL);
    if (*status == PJ_SUCCESS)
        return self;
    on_destroy(&self->port);
    return NULL;
}

static pj_status_t init(pcm_port *self, uint32_t sample_rate, uint32_t capacity)
{
    pj_status_t status;

    if (sample_rate < TICKS_PER_SECOND || sample_rate > MAX_SAMPLE_RATE || sample_rate % TICKS_PER_SECOND ||
        !capacity || capacity > MAX_CAPACITY)
        return SC_EARGS;
    self->place = sc_pcm_place_take(sample_rate / TICKS_PER_SECOND, capacity);
    if (!self->place)
        return PJ_ENOMEM;
    self->end = create_end(self->place, sample_rate, sc_mixer_rate(self->mixer), &status);
    if (self->end)
        self->slot = sc_mixer_add(self->mixer, &self->end->port, pj_str("pcm"), &status);
    return status;
}

sc_pcm_port sc_pcm_port_create(sc_audio_mixer mixer, uint32_t sample_rate, uint32_t capacity, sc_status status)
{
    pj_status_t result = SC_EGONE;
    sc_serial serial = 0;
    pcm_port *self;

    if (sc_enter()) {
        self = sc_object_new(SC_KIND_PCM_PORT, sizeof(*self), destroy);
        result = PJ_ENOMEM;
        if (self) {
            self->slot = -1;
            self->mixer = sc_object_get(mixer, SC_KIND_AUDIO_MIXER);
            result = self->mixer ? init(self, sample_rate, capacity) : SC_EGONE;
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

static pcm_port *take(sc_pcm_port serial)
{
    pcm_port *self;

    if (!sc_enter())
        return NULL;
    self = sc_object_get(serial, SC_KIND_PCM_PORT);
    if (!self)
        sc_leave();
    return self;
}

static void give_back(pcm_port *self)
{
    sc_object_put(self);
    sc_leave();
}

int32_t sc_pcm_port_close(sc_pcm_port port)
{
    pcm_port *self = take(port);

    if (!self)
        return SC_EGONE;
    sc_object_remove(self);
    give_back(self);
    return PJ_SUCCESS;
}

int32_t sc_pcm_port_info(sc_pcm_port port, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    pcm_port *self = take(port);

    if (!self)
        return 0;
    sc_write_u32(&writer, (uint32_t)self->slot);
    sc_write_u32(&writer, self->place->segment);
    sc_write_u32(&writer, self->place->offset);
    sc_write_u32(&writer, self->place->frames);
    sc_write_u32(&writer, self->place->samples);
    give_back(self);
    return sc_writer_done(&writer);
}

int32_t sc_pcm_port_flush(sc_pcm_port port)
{
    pcm_port *self = take(port);
    uint32_t played, written;

    if (!self)
        return -SC_EGONE;
    written = atomic_load(&self->place->words->written);
    played = atomic_load(&self->place->words->played);
    while (!atomic_compare_exchange_weak(&self->place->words->played, &played, written))
        ;
    give_back(self);
    return (int32_t)(written - played);
}
