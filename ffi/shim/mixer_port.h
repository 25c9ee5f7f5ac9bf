/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slot that says what it hears, a tick later. */
#ifndef SC_MIXER_PORT_H
#define SC_MIXER_PORT_H

#include "shim.h"

SC_API sc_mixer_port sc_mixer_port_create(sc_audio_mixer mixer, sc_status status);
SC_API int32_t sc_mixer_port_close(sc_mixer_port port);
/* Negative: a status. */
SC_API int32_t sc_mixer_port_slot(sc_mixer_port port);

#endif
