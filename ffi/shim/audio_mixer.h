/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A conference bridge without devices, driven by the media clock. Slot 0 is where a device would stand. */
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
/* 0 to 255 each: to the slot in the low byte, from the slot in the next; negative: a status. */
SC_API int32_t sc_audio_mixer_signal_level(sc_audio_mixer mixer, uint32_t slot);

#endif
