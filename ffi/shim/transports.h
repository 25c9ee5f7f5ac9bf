/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets that SIP listens on, and their change while the engine runs. */
#ifndef SC_TRANSPORTS_H
#define SC_TRANSPORTS_H

#include "shim.h"

/* UDP, TCP and TLS port (i32, -1: off): what the sockets are bound to. */
SC_API int32_t sc_transports_ports(sc_buffer answer, uint32_t capacity);
/* Kind 0: UDP, 1: TCP. Port 0: any free one, -1: off. Dialogs keep the old socket. */
SC_API int32_t sc_transports_change_port(uint32_t kind, int32_t port);
/*
 * The block: port (i32, -1: off), least version (u32: 0 to 3 for TLS 1.0 to 1.3), verify (u8), files of the CA
 * certificates, of the certificate and of its key (text, empty: none), time for a handshake (u32, ms).
 */
SC_API int32_t sc_transports_change_tls(sc_bytes args, uint32_t size);

#endif
