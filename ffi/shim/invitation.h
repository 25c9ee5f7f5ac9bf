/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pjsip_inv_session with its dialog. Its records stop with the state PJSIP_INV_STATE_DISCONNECTED; from then on its
 * serial is answered SC_EGONE.
 */
#ifndef SC_INVITATION_H
#define SC_INVITATION_H

#include "shim.h"

/*
 * Sends an INVITE. The block: request URI, From, To, Contact, Route (name-addr or URI; Route may be empty), SDP (text),
 * credentials (u32 count; each: realm, username, data (text), u8 digest, text algorithm), session timer (u32 expires, 0
 * for none, u32 Min-SE, u8 refresher: 1 the caller, 2 the callee, 0 either), headers (list of name and value).
 */
SC_API sc_invitation sc_invitation_create(sc_bytes args, uint32_t size, sc_status status);
/*
 * Answers the INVITE, or the one within the call. The block: reason, Contact, SDP (text, each may be empty), headers
 * (list of name and value), session timer (as above).
 */
SC_API int32_t sc_invitation_answer(sc_invitation invitation, uint32_t code, sc_bytes args, uint32_t size);
/*
 * Sends what ends the session in its state: CANCEL (also later, when a provisional response has come), BYE, or the
 * final response `code`; SC_RECORD_INVITATION_ENDING tells which. The block: headers (list of name and value).
 */
SC_API int32_t sc_invitation_end(sc_invitation invitation, uint32_t code, sc_bytes args, uint32_t size);
/* 1 when the peer has answered the INVITE with anything, 0 when it has not, or the session is gone. */
SC_API uint32_t sc_invitation_is_heard(sc_invitation invitation);
/*
 * Sends a re-INVITE; SC_RECORD_INVITATION_REINVITE tells its steps. SC_EBUSY while another INVITE, or another offer,
 * is under way. The block: u8 (0: offers what is agreed on, 1: the SDP given, 2: no offer), Contact, SDP (text, each
 * may be empty), headers (list of name and value).
 */
SC_API int32_t sc_invitation_reinvite(sc_invitation invitation, sc_bytes args, uint32_t size);
/* Sends CANCEL for it, also later, when a provisional response has come. */
SC_API int32_t sc_invitation_cancel_reinvite(sc_invitation invitation);
/*
 * Sends the ACK that waits for the answer to the offer of a 2xx. The block: SDP (text; empty: what is agreed on, or a
 * refusal of all streams where nothing is).
 */
SC_API int32_t sc_invitation_ack(sc_invitation invitation, sc_bytes args, uint32_t size);
/*
 * Sends a request within the dialog. SC_RECORD_INVITATION_RESPONSE tells what becomes of a REFER, and that a NOTIFY was
 * refused; what is answered to others is told nobody. The block: method (text), headers (list of name
 * and value), Content-Type (text), body (bytes).
 */
SC_API int32_t sc_invitation_send_request(sc_invitation invitation, sc_bytes args, uint32_t size);
/* Ends it at once on this side, nothing more is waited for. */
SC_API int32_t sc_invitation_terminate(sc_invitation invitation, uint32_t code);

#endif
