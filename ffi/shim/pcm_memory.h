/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory in which PCM ports and JavaScript exchange sound. It is never freed, so what still looks at it finds
 * memory there, whatever has ended meanwhile; places that were given back are used again.
 */
#ifndef SC_PCM_MEMORY_H
#define SC_PCM_MEMORY_H

#include "shim.h"

/* The words ahead of the sound of a port, by their places; twin of ffi/pcm_memory.ts. */
enum sc_pcm_word {
    SC_PCM_HEARD = 0,
    SC_PCM_PLAYED = 1,
    SC_PCM_UNDERRUNS = 2,
    SC_PCM_SILENCE = 3,
    SC_PCM_WRITTEN = 16,
    SC_PCM_WAKE = 17,
    SC_PCM_WAKE_AT = 18,
    SC_PCM_WORDS = 32 /* how many there are */
};

/* Bits of SC_PCM_WAKE: when JavaScript wants to be told. */
enum sc_pcm_wake {
    SC_PCM_WAKE_HEARD = 1, /* once a frame is there */
    SC_PCM_WAKE_ROOM = 2, /* once some of what was written has been played */
    SC_PCM_WAKE_PLAYED = 4, /* once `played` has come to `wake_at` */
    SC_PCM_LAST = 8 /* nothing more will be written: silence is no sign of being late */
};

/* A segment, for a runtime that can look at it; NULL: there is none of that number. */
SC_API sc_memory sc_pcm_memory_segment(uint32_t segment);
/* Its size in bytes, 0 when there is none. */
SC_API uint32_t sc_pcm_memory_size(uint32_t segment);
/*
 * For a runtime that cannot: exchanges what is new in a segment for what is new in a copy of it, whose size is that of
 * the segment.
 */
SC_API int32_t sc_pcm_memory_sync(uint32_t segment, sc_buffer copy, uint32_t size);

#endif
