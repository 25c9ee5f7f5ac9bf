/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A WAV file that plays into a mixer; SC_RECORD_WAVE_FILE_END when it has come to its end. */
#ifndef SC_WAVE_FILE_H
#define SC_WAVE_FILE_H

#include "shim.h"

SC_API sc_wave_file sc_wave_file_create(sc_audio_mixer mixer, sc_text filename, uint32_t loop, sc_status status);
SC_API int32_t sc_wave_file_close(sc_wave_file file);
/* Negative: a status. */
SC_API int32_t sc_wave_file_slot(sc_wave_file file);
SC_API int32_t sc_wave_file_set_volume(sc_wave_file file, uint32_t percent);

#endif
