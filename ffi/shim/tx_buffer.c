/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outgoing messages get a buffer that fits. pjsip_tx_data_encode() would allocate PJSIP_MAX_PKT_LEN (64 kB here, so
 * that large datagrams can be received) for each message and keep it for the transaction's 32 seconds. This module
 * stands just above the transport layer, prints into a scratch of the thread's and hands over a copy of its size.
 */
#include <stdlib.h>

#include "internal.h"

/* The first line is copied by pjsip without a look at the room for it. */
static bool has_short_line(const pjsip_msg *msg)
{
    const pj_str_t *word = msg->type == PJSIP_REQUEST_MSG ? &msg->line.req.method.name : &msg->line.status.reason;

    return word->slen < PJSIP_MAX_PKT_LEN - 2048;
}

/* How pjsip prints a session description: what tells one from other bodies. */
static int (*print_sdp)(pjsip_msg_body *body, char *buffer, pj_size_t size);

static pj_status_t load(pjsip_endpoint *endpt)
{
    pj_pool_t *pool = pjsip_endpt_create_pool(endpt, "sdp", 512, 512);
    pjsip_msg_body *body = NULL;
    pj_status_t status = pool ? pjsip_create_sdp_body(pool, NULL, &body) : PJ_ENOMEM;

    if (status == PJ_SUCCESS)
        print_sdp = body->print_body;
    if (pool)
        pjsip_endpt_release_pool(endpt, pool);
    return status;
}

static int print_whole_sdp(pjsip_msg_body *body, char *buffer, pj_size_t size)
{
    int printed = print_sdp(body, buffer, size);

    return printed > 0 ? (int)sc_sdp_reveal_info(buffer, (size_t)printed) : printed;
}

/* With the i= lines that pjmedia does not know; whether a body is one of pjsip's descriptions can be seen afterwards. */
static pj_ssize_t print(const pjsip_msg *msg, char *buffer, pj_size_t size)
{
    bool has_sdp = msg->body && msg->body->print_body == print_sdp;
    pj_ssize_t printed;

    if (has_sdp)
        msg->body->print_body = print_whole_sdp;
    printed = pjsip_msg_print(msg, buffer, size);
    if (has_sdp)
        msg->body->print_body = print_sdp;
    return printed;
}

static pj_status_t on_tx(pjsip_tx_data *tdata)
{
    static __thread char *scratch;
    pj_ssize_t size;

    if (pjsip_tx_data_is_valid(tdata) && tdata->buf.start)
        return PJ_SUCCESS;
    if (!scratch && !(scratch = malloc(PJSIP_MAX_PKT_LEN)))
        return PJ_ENOMEM;
    if (!has_short_line(tdata->msg))
        return PJSIP_EMSGTOOLONG;
    size = print(tdata->msg, scratch, PJSIP_MAX_PKT_LEN - 1);
    if (size < 0)
        return PJSIP_EMSGTOOLONG;
    if (!tdata->buf.start || tdata->buf.end - tdata->buf.start <= size) {
        /* A little room, so that a retransmission with a longer header (a new Via) reuses the block. */
        pj_size_t room = (pj_size_t)size + 128;

        tdata->buf.start = pj_pool_alloc(tdata->pool, room);
        if (!tdata->buf.start)
            return PJ_ENOMEM;
        tdata->buf.end = tdata->buf.start + room;
    }
    pj_memcpy(tdata->buf.start, scratch, (pj_size_t)size);
    tdata->buf.start[size] = '\0';
    tdata->buf.cur = tdata->buf.start + size;
    return PJ_SUCCESS;
}

pjsip_module sc_tx_buffer_module = {
    .name = { "mod-sc-tx-buffer", 16 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_TRANSPORT_LAYER + 1,
    .load = load,
    .on_tx_request = on_tx,
    .on_tx_response = on_tx,
};
