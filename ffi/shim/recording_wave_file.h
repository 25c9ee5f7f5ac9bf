/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A WAV file (16-bit PCM at the mixer's rate) that records what is connected to its slot. */
#ifndef SC_RECORDING_WAVE_FILE_H
#define SC_RECORDING_WAVE_FILE_H

#include "shim.h"

SC_API sc_recording_wave_file sc_recording_wave_file_create(sc_audio_mixer mixer, sc_text filename, sc_status status);
/* When it returns, the file is whole and closed; the status tells whether every byte was written. */
SC_API int32_t sc_recording_wave_file_close(sc_recording_wave_file file);
/* Negative: a status. */
SC_API int32_t sc_recording_wave_file_slot(sc_recording_wave_file file);

#endif
