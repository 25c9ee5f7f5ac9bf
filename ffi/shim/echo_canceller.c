/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes what a loudspeaker has played out of what the microphone beside it hears: Speex's canceller, by pjmedia. */
#include "internal.h"

void sc_echo_init(sc_echo *echo)
{
    pthread_mutex_init(&echo->mutex, NULL);
    echo->state = NULL;
}

void sc_echo_destroy(sc_echo *echo)
{
    sc_echo_set(echo, NULL);
    pthread_mutex_destroy(&echo->mutex);
}

void sc_echo_set(sc_echo *echo, pjmedia_echo_state *state)
{
    pjmedia_echo_state *old;

    pthread_mutex_lock(&echo->mutex);
    old = echo->state;
    echo->state = state;
    pthread_mutex_unlock(&echo->mutex);
    if (old)
        pjmedia_echo_destroy(old);
}

void sc_echo_played(sc_echo *echo, int16_t *samples)
{
    pthread_mutex_lock(&echo->mutex);
    if (echo->state)
        pjmedia_echo_playback(echo->state, samples);
    pthread_mutex_unlock(&echo->mutex);
}

void sc_echo_captured(sc_echo *echo, int16_t *samples)
{
    pthread_mutex_lock(&echo->mutex);
    if (echo->state)
        pjmedia_echo_capture(echo->state, samples, 0);
    pthread_mutex_unlock(&echo->mutex);
}
