/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A generator of our own: pjmedia's holds 32 tones, and as long as it plays those that are over count; it tells nobody
 * that it is done, and starts and ends tones with a click unless a pause follows.
 */
#include <math.h>
#include <stdlib.h>

#include "internal.h"
#include "tone_generator.h"

/* That of pjmedia's: a single one; each of a pair has half of it. */
#define AMPLITUDE 12288.0
#define FADE_MS 2
/* How many may wait. */
#define MAX_TONES 10000

/* A sine: each value follows from the two before it. */
typedef struct {
    double factor, last, before;
} sine;

typedef struct {
    double frequencies[2];
    double ms;
} tone;

typedef struct {
    sc_port port;
    uint64_t serial;
    unsigned rate;
    pthread_mutex_t mutex;
    /* Those that wait, the oldest at `first`, in a ring; and the number of the call that brought the last. */
    tone *tones;
    unsigned first, count, capacity;
    uint32_t number;
    /* The one that plays; `at` is `length` when there is none. */
    sine sines[2];
    unsigned sine_count;
    uint64_t at, length;
    /* What rounding a tone to samples has left over, so that many do not drift. */
    double rest;
    bool busy;
} generator;

static void set_sine(sine *self, double frequency, unsigned rate, double amplitude)
{
    double step = 2 * M_PI * frequency / rate;

    self->factor = 2 * cos(step);
    self->last = 0;
    self->before = -amplitude * sin(step);
}

static double next_sample(sine *self)
{
    double value = self->last;

    self->last = self->factor * value - self->before;
    self->before = value;
    return value;
}

/* False when none waits. */
static bool next_tone(generator *self)
{
    const tone *next;
    double samples;
    unsigned i;

    if (!self->count)
        return false;
    next = &self->tones[self->first];
    samples = next->ms * self->rate / 1000 + self->rest;
    self->length = (uint64_t)samples;
    self->rest = samples - (double)self->length;
    self->at = 0;
    self->sine_count = next->frequencies[0] <= 0 ? 0 : next->frequencies[1] <= 0 ? 1 : 2;
    for (i = 0; i < self->sine_count; i++)
        set_sine(&self->sines[i], next->frequencies[i], self->rate, AMPLITUDE / self->sine_count);
    self->first = (self->first + 1) % self->capacity;
    self->count--;
    return true;
}

static int16_t sample(generator *self)
{
    uint64_t fade = (uint64_t)self->rate * FADE_MS / 1000, left = self->length - self->at;
    uint64_t from_edge = left - 1 < self->at ? left - 1 : self->at;
    double value = 0;
    unsigned i;

    for (i = 0; i < self->sine_count; i++)
        value += next_sample(&self->sines[i]);
    if (from_edge < fade)
        value *= (double)from_edge / (double)fade;
    self->at++;
    return (int16_t)lrint(value);
}

static void fill(generator *self, int16_t *samples, unsigned count)
{
    unsigned i = 0;

    while (i < count && (self->at < self->length || next_tone(self))) {
        if (!self->sine_count) {
            unsigned pause = self->length - self->at < count - i ? (unsigned)(self->length - self->at) : count - i;

            pj_bzero(samples + i, pause * sizeof(int16_t));
            self->at += pause;
            i += pause;
        } else if (self->at < self->length) {
            samples[i++] = sample(self);
        }
    }
    pj_bzero(samples + i, (count - i) * sizeof(int16_t));
    self->busy = self->at < self->length || self->count;
}

/* In the media clock. The port has the serial, not the object, which may be gone. */
static pj_status_t get_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    generator *self = (generator *)port;
    sc_record record;
    bool ended;

    frame->type = PJMEDIA_FRAME_TYPE_NONE;
    frame->size = 0;
    pthread_mutex_lock(&self->mutex);
    ended = self->busy;
    if (self->busy) {
        unsigned count = PJMEDIA_PIA_SPF(&port->info);

        fill(self, frame->buf, count);
        frame->type = PJMEDIA_FRAME_TYPE_AUDIO;
        frame->size = count * sizeof(int16_t);
        ended = !self->busy;
    }
    if (ended) {
        self->rest = 0;
        sc_record_init(&record, SC_RECORD_TONE_GENERATOR_END, self->serial);
        sc_record_u32(&record, self->number);
    }
    pthread_mutex_unlock(&self->mutex);
    if (ended)
        sc_record_push(&record, false);
    return PJ_SUCCESS;
}

static void destroy(sc_port *port)
{
    generator *self = (generator *)port;

    pthread_mutex_destroy(&self->mutex);
    free(self->tones);
}

static sc_port *make(sc_port_owner *owner, const void *arg, pj_status_t *status)
{
    unsigned rate = sc_mixer_rate(owner->mixer);
    generator *self = sc_port_new(sizeof(*self), "tones", rate);

    PJ_UNUSED_ARG(arg);
    *status = self ? PJ_SUCCESS : PJ_ENOMEM;
    if (!self)
        return NULL;
    self->serial = owner->object.serial;
    self->rate = rate;
    pthread_mutex_init(&self->mutex, NULL);
    self->port.base.get_frame = get_frame;
    self->port.destroy = destroy;
    return &self->port;
}

/* Makes room for so many more. */
static pj_status_t make_room(generator *self, unsigned more)
{
    unsigned wanted = self->count + more, capacity = self->capacity ? self->capacity : 16, i;
    tone *tones;

    if (wanted <= self->capacity)
        return PJ_SUCCESS;
    while (capacity < wanted)
        capacity *= 2;
    tones = sc_should_fail() ? NULL : malloc(capacity * sizeof(*tones));
    if (!tones)
        return PJ_ENOMEM;
    for (i = 0; i < self->count; i++)
        tones[i] = self->tones[(self->first + i) % self->capacity];
    free(self->tones);
    self->tones = tones;
    self->capacity = capacity;
    self->first = 0;
    return PJ_SUCCESS;
}

static bool is_good(const tone *one, unsigned rate)
{
    return one->ms > 0 && one->ms <= 24 * 3600e3 && one->frequencies[0] >= 0 && one->frequencies[0] < rate / 2.0 &&
           one->frequencies[1] >= 0 && one->frequencies[1] < rate / 2.0;
}

static pj_status_t play(generator *self, sc_reader *reader)
{
    uint32_t number = sc_read_u32(reader), count = sc_read_u32(reader), i;
    pj_status_t status;

    if (count > MAX_TONES || self->count + count > MAX_TONES)
        return PJ_ETOOMANY;
    status = make_room(self, count);
    if (status != PJ_SUCCESS)
        return status;
    for (i = 0; i < count; i++) {
        tone *one = &self->tones[(self->first + self->count + i) % self->capacity];

        one->frequencies[0] = sc_read_f64(reader);
        one->frequencies[1] = sc_read_f64(reader);
        one->ms = sc_read_f64(reader);
        if (reader->failed || !is_good(one, self->rate))
            return SC_EARGS;
    }
    if (!count)
        return SC_EARGS;
    self->count += count;
    self->number = number;
    self->busy = true;
    return PJ_SUCCESS;
}

sc_tone_generator sc_tone_generator_create(sc_audio_mixer mixer, sc_status status)
{
    return sc_port_owner_create(SC_KIND_TONE_GENERATOR, mixer, make, NULL, status);
}

int32_t sc_tone_generator_close(sc_tone_generator generator)
{
    return sc_port_owner_close(SC_KIND_TONE_GENERATOR, generator);
}

int32_t sc_tone_generator_slot(sc_tone_generator generator)
{
    return sc_port_owner_slot(SC_KIND_TONE_GENERATOR, generator);
}

int32_t sc_tone_generator_set_volume(sc_tone_generator generator, uint32_t percent)
{
    return sc_port_owner_set_volume(SC_KIND_TONE_GENERATOR, generator, percent);
}

int32_t sc_tone_generator_play(sc_tone_generator serial, sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    sc_port_owner *owner = sc_take(serial, SC_KIND_TONE_GENERATOR);
    pj_status_t status;
    generator *self;

    if (!owner)
        return SC_EGONE;
    self = (generator *)owner->port;
    pthread_mutex_lock(&self->mutex);
    status = play(self, &reader);
    pthread_mutex_unlock(&self->mutex);
    sc_give_back(owner);
    return status;
}
