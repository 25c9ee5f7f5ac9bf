/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What wakes JavaScript: it holds no lock of PJSIP's, carries no argument and no result. */
#ifndef SC_BELL_H
#define SC_BELL_H

#include "shim.h"

/* The number of the engine's present run. */
SC_API uint32_t sc_bell_run(void);
/*
 * Waits until there is something to drain; 0 when that run is over, 2 when it came at once. For a runtime with
 * non-blocking calls.
 */
SC_API int32_t sc_bell_wait(uint32_t run);
/* Waits for some microseconds whether something comes; 0: nothing did. On the thread that drains. */
SC_API int32_t sc_bell_linger(uint32_t run);
/* Starts the thread that calls `ring` whenever there is something to drain. For a runtime without. */
SC_API int32_t sc_bell_start(void (*ring)(void));
/* Ends the wait or the thread, and drops what nobody drained. Waits for neither. */
SC_API void sc_bell_stop(void);
/* Copies whole records; 0: nothing there; negative: the size that the next one needs. */
SC_API int32_t sc_ring_drain(sc_buffer buffer, uint32_t capacity);

#endif
