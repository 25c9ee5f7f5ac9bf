/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library itself: its form, its build, who uses it. */
#ifndef SC_LIBRARY_H
#define SC_LIBRARY_H

#include "shim.h"

/* SC_ABI of this build; callable before anything else. */
SC_API uint32_t sc_abi(void);
/* "2.17" and the build's own words; the size written, negative: the size needed. */
SC_API int32_t sc_build(sc_buffer text, uint32_t capacity);
/* Gives the library to the calling isolate; SC_EBUSY while another one has it. */
SC_API int32_t sc_attach(void);
SC_API void sc_detach(void);
/* PJSIP's text for a status; the size written, negative: the size needed. */
SC_API int32_t sc_status_text(int32_t status, sc_buffer text, uint32_t capacity);
/* How many objects of ours are alive. */
SC_API uint32_t sc_live_objects(void);
/* Bytes that PJSIP's pools hold at the moment. */
SC_API double sc_pool_bytes(void);
/* How many threads of ours and of PJSIP's are alive; known on Linux only, 0 elsewhere. */
SC_API uint32_t sc_live_threads(void);
/*
 * Of the media clock since the engine started: f64 its ticks, f64 those that came a tick late
 * or more, f64 the greatest lateness in ms.
 */
SC_API int32_t sc_clock_figures(sc_buffer answer, uint32_t capacity);
/* Lets the n-th creation from now on fail as if memory were out; 0: never. */
SC_API void sc_fail_after(uint32_t n);

/* Gives freed memory back to the system, so that a measurement sees what is held. */
SC_API void sc_trim(void);

#endif
