/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SIP endpoint with its threads: one that polls SIP, one that polls RTP, one that drives the mixers. */
#ifndef SC_ENGINE_H
#define SC_ENGINE_H

#include "shim.h"

/*
 * Starts PJSIP. The block: ip address (text, empty: all interfaces), UDP, TCP and TLS port (i32, -1: off), user
 * agent (text), first and last RTP port (u32), methods (list of text), SIP timers T1, T2, T4, TD in ms (u32, 0:
 * PJSIP's own), TLS options (as in transports.h, behind its port), requests that may wait (u32), whether loops are
 * detected (u8), event packages (list of what events.h adds), those that may come in (list of text).
 */
SC_API int32_t sc_engine_start(sc_bytes args, uint32_t size);
/* The step that failed in the last sc_engine_start() of this thread; the size written. */
SC_API int32_t sc_engine_failed_step(sc_buffer text, uint32_t capacity);
/* Asks the poll thread to take everything down; SC_RECORD_ENGINE_STOPPED is its last record. */
SC_API void sc_engine_stop(void);
/* After that record: joins the poll thread, which has nothing left to do. */
SC_API void sc_engine_join(void);
/* The local address (text) from which a packet to this IP address would leave. */
SC_API int32_t sc_engine_local_address(sc_text remote, sc_buffer answer, uint32_t capacity);
SC_API int32_t sc_engine_set_user_agent(sc_text value);
SC_API int32_t sc_engine_set_rtp_ports(uint32_t first, uint32_t last);
/* Count (u32), then for each codec: name (text), clock rate (u32), payload type (u32). */
SC_API int32_t sc_engine_codecs(sc_buffer answer, uint32_t capacity);
/* An m= section in SDP that offers every codec of this build, at this address and port. */
SC_API int32_t sc_engine_audio_sdp(sc_text address, uint32_t port, sc_buffer answer, uint32_t capacity);
/* How many requests may wait for the program before others get a 503. */
SC_API int32_t sc_engine_set_max_pending_requests(uint32_t count);
/* The methods (list of text) that become an IncomingRequest. */
SC_API int32_t sc_engine_set_incoming_requests(sc_bytes args, uint32_t size);

#endif
