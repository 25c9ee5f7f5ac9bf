/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes what a loudspeaker has played out of what the microphone beside it hears: Speex's canceller, by pjmedia. Both
 * devices have threads of their own, whose frames come in bursts. So what was played is kept here until its echo may
 * come; pjmedia's and Speex's own ways to keep it lose frames then, and Speex says so on stderr.
 */
#include <stdlib.h>

#include "internal.h"

#define FRAMES_PER_SECOND 50
#define FRAME_MS (1000 / FRAMES_PER_SECOND)
/* What is kept at most, and how many frames more than wanted are taken for a burst rather than for a drift. */
#define MAX_FRAMES 64
#define MAX_BURST 5

struct sc_echo_canceller {
    pjmedia_echo_state *state;
    unsigned frame_samples;
    /* How many frames a frame is behind, and the frames, the oldest at `first`. */
    unsigned delay, first, count;
    bool in_step;
    int16_t frames[];
};

sc_echo_canceller *sc_echo_canceller_create(pj_pool_t *pool, unsigned rate, unsigned tail, unsigned latency)
{
    unsigned samples = rate / FRAMES_PER_SECOND;
    sc_echo_canceller *self = calloc(1, sizeof(*self) + (size_t)MAX_FRAMES * samples * sizeof(int16_t));

    if (!self)
        return NULL;
    self->frame_samples = samples;
    /* The canceller looks back from here, never ahead: an echo must not come before what it is the echo of. */
    self->delay = latency * 3 / 4 / FRAME_MS;
    if (self->delay > MAX_FRAMES - MAX_BURST - 1)
        self->delay = MAX_FRAMES - MAX_BURST - 1;
    if (pjmedia_echo_create2(pool, rate, 1, samples, tail, 0, 0, &self->state) == PJ_SUCCESS)
        return self;
    free(self);
    return NULL;
}

static void destroy(sc_echo_canceller *self)
{
    if (!self)
        return;
    pjmedia_echo_destroy(self->state);
    free(self);
}

static void drop(sc_echo_canceller *self, unsigned count)
{
    self->first = (self->first + count) % MAX_FRAMES;
    self->count -= count;
}

static void keep(sc_echo_canceller *self, const int16_t *samples)
{
    unsigned last;

    if (self->count == MAX_FRAMES)
        drop(self, 1);
    last = (self->first + self->count++) % MAX_FRAMES;
    pjmedia_copy_samples(self->frames + last * self->frame_samples, samples, self->frame_samples);
}

static void cancel(sc_echo_canceller *self, int16_t *samples)
{
    if (self->count > self->delay && (!self->in_step || self->count > self->delay + 1 + MAX_BURST))
        drop(self, self->count - self->delay - 1);
    self->in_step = self->in_step ? self->count > 0 : self->count > self->delay;
    if (!self->in_step)
        return;
    pjmedia_echo_cancel(self->state, samples, self->frames + self->first * self->frame_samples, 0, NULL);
    drop(self, 1);
}

/* ---- between the threads --------------------------------------------------------------------------------------------- */

void sc_echo_init(sc_echo *echo)
{
    pthread_mutex_init(&echo->mutex, NULL);
    echo->canceller = NULL;
}

void sc_echo_destroy(sc_echo *echo)
{
    sc_echo_set(echo, NULL);
    pthread_mutex_destroy(&echo->mutex);
}

void sc_echo_set(sc_echo *echo, sc_echo_canceller *canceller)
{
    sc_echo_canceller *old;

    pthread_mutex_lock(&echo->mutex);
    old = echo->canceller;
    echo->canceller = canceller;
    pthread_mutex_unlock(&echo->mutex);
    destroy(old);
}

void sc_echo_played(sc_echo *echo, const int16_t *samples)
{
    pthread_mutex_lock(&echo->mutex);
    if (echo->canceller)
        keep(echo->canceller, samples);
    pthread_mutex_unlock(&echo->mutex);
}

void sc_echo_captured(sc_echo *echo, int16_t *samples)
{
    pthread_mutex_lock(&echo->mutex);
    if (echo->canceller)
        cancel(echo->canceller, samples);
    pthread_mutex_unlock(&echo->mutex);
}
