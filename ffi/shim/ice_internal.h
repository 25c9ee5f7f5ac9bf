/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICE below an RTP transport: what its .c files share. */
#ifndef SC_ICE_INTERNAL_H
#define SC_ICE_INTERNAL_H

#include <pjnath.h>

#include "internal.h"

#define SC_ICE_RTP 1
#define SC_ICE_RTCP 2

/* ---- ice.c ---------------------------------------------------------------------------------------------------------- */

/* The settings of one transport, as ffi/shim/rtp_transport.h has them in sc_rtp_transport_create_ice(). */
typedef struct {
    pj_pool_t *pool;
    pj_str_t stun, turn, turn_name, username, password;
    unsigned stun_port, turn_port, turn_type;
    bool relay_only;
} sc_ice_options;

pj_status_t sc_ice_read_options(sc_reader *reader, pj_pool_t *pool, sc_ice_options *options);
/*
 * Opens this pair of ports (unless nothing but a relay is wanted) and begins to gather; a record of that serial tells
 * how it went. The pool of the options lives as long as the transport's lock.
 */
pj_status_t sc_ice_open(uint64_t serial, const char *address, unsigned port, const sc_ice_options *options,
                        pjmedia_transport **media);
/* Takes out of the stream what pjmedia would ask a name server about, and what is no candidate. */
void sc_ice_clean(pjmedia_sdp_session *sdp, unsigned index);
/* Takes out what an earlier round has written, and notes where RTCP is to come, which is where pjmedia looks for it. */
void sc_ice_prepare(pjmedia_transport *media, pj_pool_t *pool, pjmedia_sdp_media *stream);
/* Whether packets from there are the peer's, by ICE; `known`: ICE has a say in it. Under the transport's lock. */
bool sc_ice_accepts(pjmedia_transport *media, unsigned component, const pj_sockaddr *source, bool *known);
/* See sc_rtp_transport_ice(). */
void sc_ice_write_state(pjmedia_transport *media, sc_writer *writer);
/* While the engine ends, on the poll thread: waits for what pjnath has still to end, not for long. */
void sc_ice_end(void);

/* ---- ice_strans.c ---------------------------------------------------------------------------------------------------- */

/* What failed first in this thread since sc_ice_strans_watch(): pjnath goes on without a socket, or without STUN. */
void sc_ice_strans_watch(void);
pj_status_t sc_ice_strans_failure(void);
/* NULL: there is none. */
pj_ice_sess *sc_ice_strans_session(pj_ice_strans *self);
const pj_time_val *sc_ice_strans_started(const pj_ice_strans *self);
/* Why a component has no candidate from the TURN server, or from the STUN server; PJ_SUCCESS: it has, or wants none. */
pj_status_t sc_ice_strans_missing(const pj_ice_strans *self, bool relay);
/* Whether any transport's memory is still in use. */
bool sc_ice_is_alive(void);
/*
 * The relays of the transport with that lock, which the caller holds, wait no more for a server that has given them
 * nothing; NULL: those of all, and for no server at all.
 */
void sc_ice_forget_relays(const pj_grp_lock_t *lock);

/* ---- turn_sock.c ----------------------------------------------------------------------------------------------------- */

/* Whether it has had an allocation. Under its lock. */
bool sc_turn_is_allocated(pj_turn_sock *self);
/* Ends without waiting for the server. */
void sc_turn_forget(pj_turn_sock *self);

/* ---- ice_media.c ----------------------------------------------------------------------------------------------------- */

pj_ice_strans *sc_ice_media_strans(pjmedia_transport *media);
/* The next description is an offer with new credentials; what was negotiated is over. On the poll thread. */
pj_status_t sc_ice_media_restart(pjmedia_transport *media);
/* Offer and answer have agreed on ICE. */
bool sc_ice_media_is_active(pjmedia_transport *media);
/* Where the packet has come from that is being handed up. */
const pj_sockaddr *sc_ice_media_source(pjmedia_transport *media, unsigned component);

#endif
