/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory in which PCM ports and JavaScript exchange sound. It is never freed, so what still looks at it finds
 * memory there, whatever has ended meanwhile; places that were given back are used again.
 */
#ifndef SC_PCM_MEMORY_H
#define SC_PCM_MEMORY_H

#include "shim.h"

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
