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
    size = pjsip_msg_print(tdata->msg, scratch, PJSIP_MAX_PKT_LEN - 1);
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
    .on_tx_request = on_tx,
    .on_tx_response = on_tx,
};
