/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pair of UDP sockets for RTP and RTCP, and what the session description says of them. */
#ifndef SC_RTP_TRANSPORT_H
#define SC_RTP_TRANSPORT_H

#include "shim.h"

/* Opens the next free pair of the engine's RTP range at this local address (empty: all). */
SC_API sc_rtp_transport sc_rtp_transport_create(sc_text address, sc_status status);
/*
 * The same with ICE: pairs of ports of the range are where its own candidates are. SC_RECORD_RTP_TRANSPORT_GATHERED tells
 * when all candidates are there. The block: STUN server (text: an address, empty: none), its port (u32), TURN server and
 * its port likewise, 0, 1 or 2 (u32) for UDP, TCP or TLS to it, the name in its certificate, user name, password (text),
 * whether nothing but its relay is a candidate (u8).
 */
SC_API sc_rtp_transport sc_rtp_transport_create_ice(sc_text address, sc_bytes args, uint32_t size, sc_status status);
SC_API int32_t sc_rtp_transport_close(sc_rtp_transport transport);
/* local port (u32), remote address (text, empty before any RTP came), remote port (u32). */
SC_API int32_t sc_rtp_transport_info(sc_rtp_transport transport, sc_buffer answer, uint32_t capacity);
/*
 * Nothing without ICE. Else where RTP is to come to (text, u32), whether both sides use ICE (u32), whether it has chosen a
 * pair (u32) and then our candidate and the peer's: id, component, type (u32), address (text), port, priority (u32).
 */
SC_API int32_t sc_rtp_transport_ice(sc_rtp_transport transport, sc_buffer answer, uint32_t capacity);
/*
 * Lets the transport write its part into the m= section `index` of the local description; `remote` is the offer that
 * is answered, or empty. The block: local, remote (text). The answer: the local description (text).
 */
SC_API int32_t sc_rtp_transport_encode(sc_rtp_transport transport, sc_bytes args, uint32_t size, uint32_t index,
                                       sc_status status, sc_buffer answer, uint32_t capacity);
/* Starts it with both negotiated descriptions. The block: local, remote (text). */
SC_API int32_t sc_rtp_transport_establish(sc_rtp_transport transport, sc_bytes args, uint32_t size, uint32_t index);
/* What was negotiated by ICE is over; the next offer begins anew. */
SC_API int32_t sc_rtp_transport_restart_ice(sc_rtp_transport transport);
/* Back to where it was created, the sockets stay. */
SC_API int32_t sc_rtp_transport_reset(sc_rtp_transport transport);

#endif
