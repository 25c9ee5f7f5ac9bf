/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a mixer's slot that JavaScript hears and speaks at, through pcm_memory.h. SC_RECORD_PCM_NEWS tells once a
 * tick, for all ports, that one has what it waits for.
 */
#ifndef SC_PCM_PORT_H
#define SC_PCM_PORT_H

#include "shim.h"

/* `capacity`: how much sound may wait in each direction, in frames of 20 ms. */
SC_API sc_pcm_port sc_pcm_port_create(sc_audio_mixer mixer, uint32_t sample_rate, uint32_t capacity, sc_status status);
SC_API int32_t sc_pcm_port_close(sc_pcm_port port);
/* The slot; the segment and the offset of its place there; how many frames and samples the two rings hold. */
SC_API int32_t sc_pcm_port_info(sc_pcm_port port, sc_buffer answer, uint32_t capacity);
/* Drops what waits to be played: how many samples; negative: a status. */
SC_API int32_t sc_pcm_port_flush(sc_pcm_port port);

#endif
