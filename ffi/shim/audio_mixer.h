/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A conference bridge, driven by the media clock. Slot 0 is the sound devices', and silent without. */
#ifndef SC_AUDIO_MIXER_H
#define SC_AUDIO_MIXER_H

#include "shim.h"

SC_API sc_audio_mixer sc_audio_mixer_create(uint32_t sample_rate, uint32_t slot_count, sc_status status);
/* Its ports go with it. */
SC_API int32_t sc_audio_mixer_close(sc_audio_mixer mixer);
SC_API int32_t sc_audio_mixer_connect(sc_audio_mixer mixer, uint32_t source, uint32_t sink);
SC_API int32_t sc_audio_mixer_disconnect(sc_audio_mixer mixer, uint32_t source, uint32_t sink);
/* Both volumes of slot 0 in percent: what the device gives, what the device gets. */
SC_API int32_t sc_audio_mixer_set_volume(sc_audio_mixer mixer, uint32_t input, uint32_t output);
/*
 * The devices from now on (empty: none), and the echo canceller's tail in ms (0: none). A new one is opened to see that
 * it works; on failure the old ones stay. The answer: 0, or 1 when the input device failed, 2 when the output device
 * did, 3 when the mixer has ended.
 */
SC_API uint32_t sc_audio_mixer_set_devices(sc_audio_mixer mixer, sc_text input, sc_text output, uint32_t tail,
                                           sc_status status);
/* Whether somebody hears the input device (1 or 0), and the output device somebody; else they are given back. */
SC_API uint32_t sc_audio_mixer_use_devices(sc_audio_mixer mixer, uint32_t input, uint32_t output, sc_status status);
/* After SC_RECORD_AUDIO_MIXER_DEVICE_LOST: 1 when the input device has failed, plus 2 when the output device has. */
SC_API uint32_t sc_audio_mixer_lost_devices(sc_audio_mixer mixer);
/* 0 to 255 each: to the slot in the low byte, from the slot in the next; negative: a status. */
SC_API int32_t sc_audio_mixer_signal_level(sc_audio_mixer mixer, uint32_t slot);

#endif
