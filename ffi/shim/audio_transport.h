/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pjmedia_stream between an RTP transport and a slot of a mixer. */
#ifndef SC_AUDIO_TRANSPORT_H
#define SC_AUDIO_TRANSPORT_H

#include "shim.h"

/*
 * Starts the stream that both descriptions have negotiated. The block: local, remote (text), m= section (u32), direction
 * (u32, bit 0: send, bit 1: receive), silence detection (u8). Its slot: sc_audio_transport_info().
 */
SC_API sc_audio_transport sc_audio_transport_create(sc_audio_mixer mixer, sc_rtp_transport transport, sc_bytes args,
                                                    uint32_t size, sc_status status);
SC_API int32_t sc_audio_transport_close(sc_audio_transport transport);
/* slot (u32), codec (text), clock rate (u32); empty between two streams */
SC_API int32_t sc_audio_transport_info(sc_audio_transport transport, sc_buffer answer, uint32_t capacity);
SC_API int32_t sc_audio_transport_set_volume(sc_audio_transport transport, uint32_t percent);
/* Bit 0: send, bit 1: receive. */
SC_API int32_t sc_audio_transport_set_direction(sc_audio_transport transport, uint32_t direction);
SC_API int32_t sc_audio_transport_send_dtmf(sc_audio_transport transport, sc_text digits);
/*
 * The round trip (count, max, min, last, mean, in us, i32 each), then for what came and what went: packets, bytes,
 * discarded, lost, reordered, duplicate (u32 each), loss period and jitter (like the round trip); then how long the
 * jitter buffer keeps what came, in ms, and the time of a packet's sound, in us (u32 each). Empty between two streams.
 */
SC_API int32_t sc_audio_transport_statistics(sc_audio_transport transport, sc_buffer answer, uint32_t capacity);
/* Ends the stream and gives its statistics; the slot and the connections stay, with silence. */
SC_API int32_t sc_audio_transport_detach(sc_audio_transport transport, sc_buffer answer, uint32_t capacity);
/* Starts another one in its place, with a block like that of sc_audio_transport_create(). */
SC_API int32_t sc_audio_transport_attach(sc_audio_transport transport, sc_bytes args, uint32_t size);

#endif
