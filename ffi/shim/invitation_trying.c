/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 100 to an INVITE. RFC 3261, section 17.2.1, wants one from whoever will not have another answer within 200 ms: it
 * waits for so long as a program needs that answers or rings at once, and then goes out, however busy JavaScript is.
 */
#include "invitation_internal.h"

/* The poll thread may come 50 ms late. */
#define PATIENCE_MS 50

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* a leaf */
/* In order of arrival, each with a reference. */
static TAILQ_HEAD(, sc_call) waiting = TAILQ_HEAD_INITIALIZER(waiting);
static atomic_uint count;

/* Whether answers have a way that is known without asking for names. */
static bool has_way(const pjsip_response_addr *to)
{
    return to->transport || sc_is_address(to->dst_host.addr.host.ptr, (size_t)to->dst_host.addr.host.slen);
}

void sc_call_wait_for_answer(sc_call *self)
{
    const pjsip_transaction *invite = self->inv->invite_tsx;

    /* Where no answer can go the call ends with this one, before the program makes something of it. */
    if (invite && !has_way(&invite->res_addr)) {
        sc_call_say_trying(self);
        return;
    }
    pj_gettickcount(&self->trying_due);
    self->trying_due.msec += PATIENCE_MS;
    pj_time_val_normalize(&self->trying_due);
    sc_object_ref(self);
    pthread_mutex_lock(&mutex);
    TAILQ_INSERT_TAIL(&waiting, self, trying);
    atomic_fetch_add(&count, 1);
    pthread_mutex_unlock(&mutex);
}

/* NULL `now`: whoever waits. */
static sc_call *take(const pj_time_val *now)
{
    sc_call *self;

    pthread_mutex_lock(&mutex);
    self = TAILQ_FIRST(&waiting);
    if (self && now && PJ_TIME_VAL_GT(self->trying_due, *now))
        self = NULL;
    if (self) {
        TAILQ_REMOVE(&waiting, self, trying);
        atomic_fetch_sub(&count, 1);
    }
    pthread_mutex_unlock(&mutex);
    return self;
}

void sc_call_say_trying(sc_call *self)
{
    pjsip_inv_session *inv = self->inv;
    pjsip_tx_data *tdata;

    if (sc_call_of(inv) == self && inv->role == PJSIP_ROLE_UAS && inv->state <= PJSIP_INV_STATE_INCOMING &&
        inv->invite_tsx && inv->last_answer && inv->invite_tsx->state == PJSIP_TSX_STATE_TRYING &&
        pjsip_inv_answer(inv, PJSIP_SC_TRYING, NULL, NULL, &tdata) == PJ_SUCCESS)
        pjsip_inv_send_msg(inv, tdata);
}

void sc_trying_sweep(const pj_time_val *now)
{
    sc_call *self;

    if (!atomic_load(&count))
        return;
    while ((self = take(now))) {
        pjsip_dialog *dlg = self->inv->dlg;

        pjsip_dlg_inc_lock(dlg);
        sc_call_say_trying(self);
        pjsip_dlg_dec_lock(dlg);
        sc_object_put(self);
    }
}

void sc_trying_clear(void)
{
    sc_call *self;

    while ((self = take(NULL)))
        sc_object_put(self);
}
