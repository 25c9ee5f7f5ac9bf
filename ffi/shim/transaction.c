/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pjsip's transactions, compiled in here in place of their own object. When a message has gone out, or has found no way,
 * 2.17 looks whether its transaction has given it up, and takes the lock of the transaction only then: one that another
 * thread ends in between loses two references, and is freed while it is in use.
 */
#include "internal.h"

static pj_status_t send_request(pjsip_endpoint *endpt, pjsip_tx_data *tdata, void *tsx, pjsip_send_callback on_sent);
static pj_status_t send_response(pjsip_endpoint *endpt, pjsip_response_addr *to, pjsip_tx_data *tdata, void *tsx,
                                 pjsip_send_callback on_sent);

#define pjsip_endpt_send_request_stateless send_request
#define pjsip_endpt_send_response send_response
#include <../src/pjsip/sip_transaction.c>
#undef pjsip_endpt_send_request_stateless
#undef pjsip_endpt_send_response

/* Under the lock: what is no longer pending is the callback's alone, and what was given up has no transaction here. */
static void take_and_tell(pjsip_send_state *state, pj_ssize_t sent, pj_bool_t *cont)
{
    pjsip_transaction *tsx = state->token;

    pj_grp_lock_acquire(tsx->grp_lock);
    if (tsx->pending_tx == state->tdata)
        tsx->pending_tx = NULL;
    pj_grp_lock_release(tsx->grp_lock);
    send_msg_callback(state, sent, cont);
    if (sent > 0 || !*cont)
        pj_grp_lock_dec_ref(tsx->grp_lock);
}

/* The callback's reference, when there will be none. */
static pj_status_t begun(pjsip_transaction *tsx, pj_status_t status)
{
    if (status != PJ_SUCCESS && status != PJ_EPENDING)
        pj_grp_lock_dec_ref(tsx->grp_lock);
    return status;
}

static pj_status_t send_request(pjsip_endpoint *endpt, pjsip_tx_data *tdata, void *tsx, pjsip_send_callback on_sent)
{
    PJ_UNUSED_ARG(on_sent);
    pj_grp_lock_add_ref(((pjsip_transaction *)tsx)->grp_lock);
    return begun(tsx, pjsip_endpt_send_request_stateless(endpt, tdata, tsx, take_and_tell));
}

static pj_status_t send_response(pjsip_endpoint *endpt, pjsip_response_addr *to, pjsip_tx_data *tdata, void *tsx,
                                 pjsip_send_callback on_sent)
{
    PJ_UNUSED_ARG(on_sent);
    pj_grp_lock_add_ref(((pjsip_transaction *)tsx)->grp_lock);
    return begun(tsx, pjsip_endpt_send_response(endpt, to, tdata, tsx, take_and_tell));
}
