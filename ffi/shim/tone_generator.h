/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tones that are played into a mixer one after the other; SC_RECORD_TONE_GENERATOR_END when there are no more. */
#ifndef SC_TONE_GENERATOR_H
#define SC_TONE_GENERATOR_H

#include "shim.h"

SC_API sc_tone_generator sc_tone_generator_create(sc_audio_mixer mixer, sc_status status);
SC_API int32_t sc_tone_generator_close(sc_tone_generator generator);
/* Negative: a status. */
SC_API int32_t sc_tone_generator_slot(sc_tone_generator generator);
SC_API int32_t sc_tone_generator_set_volume(sc_tone_generator generator, uint32_t percent);
/*
 * Puts tones behind those that wait. u32 the number of this call, which the record of the end has; a list: f64 the
 * first frequency (0: a pause), f64 the second (0: none), f64 the time in ms. PJ_ETOOMANY: too many would wait.
 */
SC_API int32_t sc_tone_generator_play(sc_tone_generator generator, sc_bytes args, uint32_t size);

#endif
