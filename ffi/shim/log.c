/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PJSIP's log lines and the SIP messages on the wire, as records. Both cost nothing while nobody listens. */
#include <stdlib.h>

#include "internal.h"
#include "log.h"

static atomic_bool tracing;

static void write_line(int level, const char *line, int size)
{
    size_t length = size > 0 ? (size_t)size : 0;
    char *hidden = sc_hide_keys(line, length);
    sc_record record;

    sc_record_init(&record, SC_RECORD_LOG, 0);
    sc_record_u32(&record, (uint32_t)level);
    sc_record_bytes(&record, hidden ? hidden : line, length);
    sc_record_push(&record, true);
    free(hidden);
}

void sc_log_install(void)
{
    pj_log_set_log_func(write_line);
    /* The sender's name stands in front of the text; time and level are fields of the record. */
    pj_log_set_decor(PJ_LOG_HAS_SENDER);
}

void sc_log_trace(uint32_t on)
{
    atomic_store(&tracing, on != 0);
}

static void trace(bool received, const pjsip_transport *tp, const char *remote, int remote_port, const void *data,
                  size_t size)
{
    char *hidden = sc_hide_keys(data, size);
    sc_record record;

    sc_record_init(&record, SC_RECORD_TRACE, 0);
    sc_record_u8(&record, received);
    sc_record_text(&record, tp ? tp->type_name : "");
    sc_record_str(&record, tp ? &tp->local_name.host : NULL);
    sc_record_u32(&record, tp ? (uint32_t)tp->local_name.port : 0);
    sc_record_text(&record, remote);
    sc_record_u32(&record, (uint32_t)remote_port);
    sc_record_bytes(&record, hidden ? hidden : data, size);
    sc_record_push(&record, true);
    free(hidden);
}

static pj_bool_t on_rx(pjsip_rx_data *rdata)
{
    if (atomic_load(&tracing))
        trace(true, rdata->tp_info.transport, rdata->pkt_info.src_name, rdata->pkt_info.src_port,
              rdata->msg_info.msg_buf, (size_t)rdata->msg_info.len);
    return PJ_FALSE;
}

static pj_status_t on_tx(pjsip_tx_data *tdata)
{
    if (atomic_load(&tracing))
        trace(false, tdata->tp_info.transport, tdata->tp_info.dst_name, tdata->tp_info.dst_port, tdata->buf.start,
              (size_t)(tdata->buf.cur - tdata->buf.start));
    return PJ_SUCCESS;
}

/* Below the transport layer's own module: sees every message as it was printed, retransmissions included. */
pjsip_module sc_trace_module = {
    .name = { "mod-sc-trace", 12 },
    .id = -1,
    .priority = 0,
    .on_rx_request = on_rx,
    .on_rx_response = on_rx,
    .on_tx_request = on_tx,
    .on_tx_response = on_tx,
};
