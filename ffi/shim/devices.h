/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sound devices of this machine. Nothing is looked at before the first question. */
#ifndef SC_DEVICES_H
#define SC_DEVICES_H

#include "shim.h"

/* Looks again if anything may have changed. Another number than before: another list. 0: the engine does not run. */
SC_API uint32_t sc_devices_look(void);
/*
 * What was found: the default input device and the default output device, each as its name (text, empty: none) and a
 * hash of what the name stands for (u32); count (u32), then for each device: name (text), 1 if it is an input plus 2
 * if it is an output (u32).
 */
SC_API int32_t sc_devices_list(sc_buffer answer, uint32_t capacity);
/* Whether SC_RECORD_DEVICES is to come, once a look was taken and whenever another one found another list. */
SC_API void sc_devices_watch(uint32_t on);

#endif
