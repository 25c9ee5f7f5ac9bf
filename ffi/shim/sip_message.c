/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIP messages as record fields: the bytes of the wire, the peer's address and port, the transport.
 * Twin of core/sip_message.ts, which decodes them when somebody reads.
 */
#include <arpa/inet.h>

#include "internal.h"

void sc_record_rdata(sc_record *record, const pjsip_rx_data *rdata)
{
    sc_record_bytes(record, rdata->msg_info.msg_buf, (size_t)rdata->msg_info.len);
    sc_record_text(record, rdata->pkt_info.src_name);
    sc_record_u32(record, (uint32_t)rdata->pkt_info.src_port);
    sc_record_text(record, rdata->tp_info.transport->type_name);
}

void sc_record_tdata(sc_record *record, const pjsip_tx_data *tdata)
{
    bool printed = tdata->buf.start && tdata->buf.cur > tdata->buf.start;

    sc_record_bytes(record, printed ? tdata->buf.start : NULL, printed ? (size_t)(tdata->buf.cur - tdata->buf.start) : 0);
    sc_record_text(record, "");
    sc_record_u32(record, 0);
    sc_record_text(record, tdata->tp_info.transport ? tdata->tp_info.transport->type_name : "");
}

void sc_record_no_message(sc_record *record)
{
    sc_record_bytes(record, NULL, 0);
    sc_record_text(record, "");
    sc_record_u32(record, 0);
    sc_record_text(record, "");
}

/* The headers of the program's, told from the stack's own by their functions. */
static void *clone_header(pj_pool_t *pool, const void *header);
static pjsip_hdr_vptr extra_functions;

static pjsip_hdr *as_extra(pjsip_generic_string_hdr *header)
{
    if (!extra_functions.print_on) {
        extra_functions = *header->vptr;
        extra_functions.clone = clone_header;
    }
    header->vptr = &extra_functions;
    return (pjsip_hdr *)header;
}

static void *clone_header(pj_pool_t *pool, const void *header)
{
    const pjsip_generic_string_hdr *from = header;

    return as_extra(pjsip_generic_string_hdr_create(pool, &from->name, &from->hvalue));
}

void sc_remove_headers(pjsip_msg *msg)
{
    pjsip_hdr *header = msg->hdr.next;

    while (header != &msg->hdr) {
        pjsip_hdr *next = header->next;

        if (header->vptr == &extra_functions)
            pj_list_erase(header);
        header = next;
    }
}

pj_status_t sc_read_headers(sc_reader *reader, pj_pool_t *pool, pjsip_msg *msg)
{
    uint32_t count = sc_read_u32(reader);

    while (count-- && !reader->failed) {
        pj_str_t name = sc_read_text(reader);
        pj_str_t body = sc_read_text(reader);

        /* The header is a copy. */
        if (!reader->failed)
            pjsip_msg_add_hdr(msg, as_extra(pjsip_generic_string_hdr_create(pool, &name, &body)));
    }
    return reader->failed ? SC_EARGS : PJ_SUCCESS;
}

pj_status_t sc_read_body(sc_reader *reader, pj_pool_t *pool, pjsip_msg *msg)
{
    pj_str_t type = sc_read_text(reader);
    pj_str_t body = sc_read_text(reader);
    pj_str_t main_type = type, sub_type = { NULL, 0 };
    char *slash;

    if (reader->failed)
        return SC_EARGS;
    if (!type.slen)
        return PJ_SUCCESS;
    /* Parameters stand where they stood: behind the subtype. */
    slash = memchr(type.ptr, '/', (size_t)type.slen);
    if (slash) {
        main_type.slen = slash - type.ptr;
        sub_type.ptr = slash + 1;
        sub_type.slen = type.slen - main_type.slen - 1;
    }
    msg->body = pjsip_msg_body_create(pool, &main_type, &sub_type, &body);
    return msg->body ? PJ_SUCCESS : PJ_ENOMEM;
}

pjsip_uri *sc_parse_uri(pj_pool_t *pool, const pj_str_t *text)
{
    pj_str_t copy;

    if (!text->slen)
        return NULL;
    pj_strdup_with_null(pool, &copy, text);
    return pjsip_parse_uri(pool, copy.ptr, (pj_size_t)copy.slen, 0);
}

bool sc_is_address(const char *text, size_t size)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr binary;

    if (!size || size >= sizeof(copy) || memchr(text, '\0', size))
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return inet_pton(AF_INET, copy, &binary) == 1 || inet_pton(AF_INET6, copy, &binary) == 1;
}

pj_status_t sc_sdp_parse(pj_pool_t *pool, const pj_str_t *text, pjmedia_sdp_session **sdp)
{
    pj_str_t copy;
    pj_status_t status;

    *sdp = NULL;
    if (!text->slen)
        return PJ_SUCCESS;
    if (!sc_sdp_is_safe(text->ptr, (size_t)text->slen))
        return PJMEDIA_SDP_EINSDP;
    copy = sc_sdp_hide_info(pool, text);
    if (!copy.ptr)
        return PJ_ENOMEM;
    status = pjmedia_sdp_parse(pool, copy.ptr, (pj_size_t)copy.slen, sdp);
    return status == PJ_SUCCESS ? pjmedia_sdp_validate2(*sdp, PJ_FALSE) : status;
}

pj_str_t sc_sdp_print(pj_pool_t *pool, const pjmedia_sdp_session *sdp)
{
    pj_str_t text = { NULL, 0 };
    pj_size_t capacity = 2048;

    /* pjmedia_sdp_print() tells that the buffer was too small, not how large it ought to be. */
    while (sdp && capacity <= PJSIP_MAX_PKT_LEN * 2) {
        int size;

        text.ptr = pj_pool_alloc(pool, capacity);
        if (!text.ptr)
            break;
        size = pjmedia_sdp_print(sdp, text.ptr, capacity);
        if (size >= 0) {
            text.slen = (pj_ssize_t)sc_sdp_reveal_info(text.ptr, (size_t)size);
            return text;
        }
        capacity *= 2;
    }
    return text;
}
