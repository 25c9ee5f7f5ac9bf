/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What wakes JavaScript: it holds no lock of PJSIP's, carries no argument and no result. */
#ifndef SC_BELL_H
#define SC_BELL_H

#include "shim.h"

/* The number of the engine's present run. */
SC_API uint32_t sc_bell_run(void);
/* Waits until there is something to drain; 0 when that run is over. For a runtime with non-blocking calls. */
SC_API int32_t sc_bell_wait(uint32_t run);
/*
 * When all is drained, on the thread that drains: where one thing follows another at once, it polls the network itself
 * for about a millisecond. 1: there is something to drain; 2: the event loop is to have a turn first; 0: the bell
 * rings. `first`: the event loop has just had one.
 */
SC_API int32_t sc_bell_linger(uint32_t run, uint32_t first);
/* Starts the thread that calls `ring` whenever there is something to drain. For a runtime without. */
SC_API int32_t sc_bell_start(void (*ring)(void));
/* Ends the wait or the thread, and drops what nobody drained. Waits for neither. */
SC_API void sc_bell_stop(void);
/* Copies whole records; 0: nothing there; negative: the size that the next one needs. */
SC_API int32_t sc_ring_drain(sc_buffer buffer, uint32_t capacity);

#endif
