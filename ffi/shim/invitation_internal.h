/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files invitation*.c share; never read by TypeScript or by the header test. */
#ifndef SC_INVITATION_INTERNAL_H
#define SC_INVITATION_INTERNAL_H

#include <sys/queue.h>

#include "internal.h"
#include "invitation.h"

enum sc_origin { SC_ORIGIN_NONE, SC_ORIGIN_LOCAL, SC_ORIGIN_REMOTE };

/* A re-INVITE under way: ours, or the peer's that waits for its answer. */
enum sc_proposal { SC_PROPOSAL_NONE, SC_PROPOSAL_SENT, SC_PROPOSAL_RECEIVED };

enum sc_refresher { SC_REFRESHER_ANY, SC_REFRESHER_UAC, SC_REFRESHER_UAS };

/* Seconds; 0: no timer. */
typedef struct {
    uint32_t expires;
    uint32_t min_se;
    enum sc_refresher refresher;
} sc_session_timer;

typedef struct sc_call {
    sc_object object;
    pjsip_inv_session *inv;
    sc_listener *listener; /* the socket that the peer knows */
    bool unanswered;       /* the peer's, and counted as such */
    bool supports_prack;   /* the caller does */
    bool ending;           /* JavaScript knows what ends it */
    enum sc_proposal proposal;
    pjsip_transaction *proposal_tsx; /* compared, never followed, once the proposal is over */
    pjsip_transaction *accepted_tsx; /* of a re-INVITE with our 2xx that waits for its ACK; compared only */
    bool cancelled;                  /* our re-INVITE */
    void *waiting;                   /* the argument block of a re-INVITE of ours that waits for that ACK, malloc'ed */
    uint32_t waiting_size;
    bool late_bye;                   /* the stack hangs up because of the re-INVITE's end, which is told first */
    bool asked_for_offer;            /* by the peer's re-INVITE */
    bool stranger;                   /* the request that comes in is none of the session's, nor of a subscription's */
    bool refers;                     /* a REFER of ours has gone out: its NOTIFYs are welcome */
    pjsip_transaction *refer_tsx;    /* of a REFER of ours; compared only */
    pjsip_transaction *notify_tsx;   /* of the last NOTIFY of ours; compared only */
    bool refreshes;                  /* nothing changes by the negotiation under way */
    const pjsip_transaction *refresh_tsx; /* of a refresh of pjsip's; compared only */
    pj_uint32_t remote_id, remote_version; /* what the peer's o= line said last */
    sc_session_timer asked;          /* what the caller has asked for */
    bool supports_timer;             /* the caller does */
    int offer_cseq;                  /* of our last INVITE that a response has brought an offer to */
    int ack_cseq;                    /* of our INVITE, whose 2xx has brought an offer that waits for an answer; else 0 */
    pj_status_t negotiation;         /* what came of the last one */
    pj_uint32_t provisional[4];      /* hashes of the peer's provisional responses that were told last */
    unsigned provisional_count;
    pjsip_rx_data *held_offer;       /* a reliable provisional response that waits for our answer to its offer */
    const pjmedia_sdp_session *prack_answer; /* that answer, while pjsip takes the response */
    /* The description that the program gave last, and the one before it, while the last is not agreed on. */
    char *sdp, *new_sdp;
    /* When its INVITE gets a 100, and its place among those that wait for that. */
    pj_time_val trying_due;
    TAILQ_ENTRY(sc_call) trying;
} sc_call;

/* ---- invitation.c ---------------------------------------------------------------------------------------------- */

/* Looks it up and locks its dialog; NULL when it has ended. */
sc_call *sc_call_take(sc_invitation serial);
void sc_call_give_back(sc_call *self);
/* NULL for a session that JavaScript has no part in. */
sc_call *sc_call_of(pjsip_inv_session *inv);
sc_call *sc_call_new(void);
/* Besides the session's own. */
void sc_call_add_usages(pjsip_dialog *dlg);
/* From here on the session's events are its own. */
void sc_call_attach(sc_call *self);
void sc_call_detach(sc_call *self);
void sc_call_set_answered(sc_call *self);
/* The message of an event (an empty one, when it has none), and who sent it. */
enum sc_origin sc_call_record_event(sc_record *record, const pjsip_event *event);
/* Says by which method it ends; quiet the second time. */
void sc_call_tell_ending(sc_call *self, const char *method);

/* A provisional response of the peer's is told: if it comes again that is nothing new. */
void sc_call_note_provisional(sc_call *self, const pjsip_rx_data *rdata);

/* ---- invitation_prack.c ---------------------------------------------------------------------------------------- */

/* The program's answer goes with the PRACK; what does not fit the offer changes nothing. */
pj_status_t sc_call_answer_held_offer(sc_call *self, const pj_str_t *text, const pjmedia_sdp_session *sdp, pj_pool_t *pool);
void sc_call_drop_held_offer(sc_call *self);

/* ---- invitation_trying.c --------------------------------------------------------------------------------------- */

/* Its INVITE gets a 100, unless another answer is there soon. Once a call. */
void sc_call_wait_for_answer(sc_call *self);
/* Sends it now, unless something was sent. Under the dialog's lock. */
void sc_call_say_trying(sc_call *self);

/* ---- invitation_sdp.c ------------------------------------------------------------------------------------------ */

/* Keeps what the program has given, until it is agreed on or refused. */
void sc_call_propose(sc_call *self, const pj_str_t *text);
void sc_call_forget_sdp(sc_call *self);
/* The program's description as it stands, NULL when there is none. */
pjmedia_sdp_session *sc_call_own_sdp(sc_call *self, pj_pool_t *pool);
pjmedia_sdp_neg_state sc_call_neg_state(const sc_call *self);
/* Back to what was agreed on before. */
void sc_call_cancel_offer(sc_call *self);
/* Whether this offer is the one that is agreed on, sent again for a session timer (RFC 4028, section 7.4). */
bool sc_call_is_refresh(sc_call *self, const pjmedia_sdp_session *offer, const pjsip_rx_data *rdata);
/* Tells it, when the response has lost its description at the door. */
void sc_call_on_refused_sdp(sc_call *self, const pjsip_event *event);
void sc_call_on_media_update(pjsip_inv_session *inv, pj_status_t status);
void sc_call_on_rx_offer(pjsip_inv_session *inv, struct pjsip_inv_on_rx_offer_cb_param *param);

/* ---- invitation_ack.c ------------------------------------------------------------------------------------------ */

void sc_call_on_send_ack(pjsip_inv_session *inv, pjsip_rx_data *rdata);
/* An ACK that refuses the offer of the 2xx, if one is owed. */
pj_status_t sc_call_send_owed_ack(sc_call *self);

/* ---- invitation_reinvite.c ------------------------------------------------------------------------------------- */

pj_status_t sc_call_on_rx_reinvite(pjsip_inv_session *inv, const pjmedia_sdp_session *offer, pjsip_rx_data *rdata);
void sc_call_on_reinvite_state(sc_call *self, pjsip_transaction *tsx, pjsip_event *event);
/* An ACK has come in. */
void sc_call_on_ack(sc_call *self, const pjsip_rx_data *rdata);
/* The call is over: a re-INVITE of the peer's gets its final response (RFC 3261, section 15.1.2). */
void sc_call_drop_proposal(sc_call *self);
/* A re-INVITE of ours that has not gone out yet never will. */
void sc_call_drop_waiting(sc_call *self);

/* ---- invitation_timer.c ---------------------------------------------------------------------------------------- */

/* Expires, Min-SE (u32 each), refresher (u8). */
sc_session_timer sc_read_session_timer(sc_reader *reader);
/* Before the INVITE is made, and on it. */
pj_status_t sc_call_ask_for_timer(pjsip_inv_session *inv, const sc_session_timer *timer);
void sc_call_ask_for_refresher(pjsip_tx_data *invite, const sc_session_timer *timer);
/* False: it asks for less than RFC 4028 allows, and gets a 422. */
bool sc_timer_is_acceptable(const pjsip_rx_data *rdata);
void sc_timer_refuse(pjsip_rx_data *rdata);
void sc_call_note_timer(sc_call *self, const pjsip_rx_data *rdata);
/* Before the 2xx is made. */
pj_status_t sc_call_answer_timer(sc_call *self, const sc_session_timer *timer);
/* Before pjsip looks at an INVITE or UPDATE within the call. */
void sc_call_on_timer_request(sc_call *self, const pjsip_rx_data *rdata);
/* The state of an INVITE or UPDATE that pjsip has sent by itself. */
void sc_call_on_own_refresh(sc_call *self, const pjsip_transaction *tsx);

/* ---- invitation_transfer.c ------------------------------------------------------------------------------------- */

bool sc_call_is_transfer_method(const pjsip_method *method);
/* The code to answer with, 0: that comes later, or was done. */
int sc_call_on_transfer_request(sc_call *self, pjsip_transaction *tsx, pjsip_rx_data *rdata);
void sc_call_on_own_transfer_request(sc_call *self, pjsip_transaction *tsx, pjsip_event *event);

/* ---- invitation_request.c -------------------------------------------------------------------------------------- */

/* A request within the call that is none of the session's. */
void sc_call_on_request(sc_call *self, pjsip_transaction *tsx, pjsip_rx_data *rdata);

#endif
