/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secure RTP (RFC 3711) around an RTP transport, with keys by SDES (RFC 4568) or DTLS (RFC 5764). */
#ifndef SC_SRTP_H
#define SC_SRTP_H

#include "shim.h"

/*
 * Before its first use of a session description. The block: forced (u8), DTLS keying at all (u8), SDES at all (u8), DTLS
 * first (u8), how many of the suites are offered (u32), suites in order of preference (list of text).
 */
SC_API int32_t sc_srtp_secure(sc_rtp_transport transport, sc_bytes args, uint32_t size);
/*
 * Whether it encrypts and decrypts (u32), whether a handshake is to come (u32), keying ("sdes", "dtls"; text) and suite
 * (text), both empty while it does not; packets refused and packets replayed (u32 each).
 */
SC_API int32_t sc_srtp_info(sc_rtp_transport transport, sc_buffer answer, uint32_t capacity);

#endif
