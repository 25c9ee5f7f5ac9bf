/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before and behind pjsip's parser. Before it: a message that would take it long, or whose answer would not fit into
 * a datagram, is refused by its text. Behind it: pjsip passes over a request that it cannot parse in silence, and the
 * peer sends it again for half a minute; here it gets the answer that RFC 3261 asks for, made from its raw lines.
 *
 * The linker puts __wrap_pjsip_parse_rdata() where the transport layer calls the parser. On a Mac, whose linker has no
 * --wrap, only what comes by the callbacks of the transport manager is answered.
 */
#include "internal.h"

/*
 * An answer repeats Via, From, To and Call-ID and has to fit into a datagram of 65,507 bytes. pjsip looks for the end
 * of the user part of a URI through all the rest of its line: 700 ms for a line of 60 KB, 10 ms for 8 KB.
 */
#define MAX_HEADERS_SIZE (45u * 1024u)
#define MAX_LINE_SIZE 8192
/* After the split of lists. A message passes 70 proxies at most, each adds one Via and one Record-Route. */
#define MAX_VIAS 256
#define MAX_HEADERS 1024
#define MAX_HIDDEN 16

/* Where a message came from, and where the answer goes. */
typedef struct {
    pjsip_transport *tp;
    pj_str_t host;
    int port;
    const pj_sockaddr *address;
} origin;

typedef struct {
    const char *at;
    const char *end;
} text;

/* What the parser has seen last on this thread; NULL when the stream has gone on since. */
static __thread const char *last_parsed;

/* ---- lines --------------------------------------------------------------------------------------------------------- */

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

/* Takes the next line with those that continue it, without its end; false at the empty line and at the end. */
static bool take_line(text *rest, pj_str_t *line)
{
    const char *at = rest->at;

    line->ptr = (char *)at;
    for (;;) {
        while (at < rest->end && !is_line_end(*at))
            at++;
        line->slen = at - line->ptr;
        if (at < rest->end && *at == '\r')
            at++;
        if (at < rest->end && *at == '\n')
            at++;
        if (!line->slen || at >= rest->end || (*at != ' ' && *at != '\t'))
            break;
    }
    rest->at = at;
    return line->slen > 0;
}

/* What stands behind the colon when the line is a header of this name; `compact` 0: it has no short form. */
static bool has_name(const pj_str_t *line, const char *name, char compact, pj_str_t *value)
{
    const char *colon = memchr(line->ptr, ':', (size_t)line->slen), *end = colon;
    pj_str_t own = { line->ptr, 0 };

    if (!colon)
        return false;
    while (end > line->ptr && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    own.slen = end - line->ptr;
    if (pj_stricmp2(&own, name) && !(own.slen == 1 && (own.ptr[0] | 0x20) == compact))
        return false;
    value->ptr = (char *)colon + 1;
    value->slen = line->ptr + line->slen - value->ptr;
    pj_strtrim(value);
    return true;
}

/* A copy that stands on one line. */
static pj_str_t unfolded(pj_pool_t *pool, const pj_str_t *value)
{
    pj_str_t copy;
    pj_ssize_t i;

    pj_strdup_with_null(pool, &copy, value);
    for (i = 0; copy.ptr && i < copy.slen; i++)
        if (is_line_end(copy.ptr[i]) || !copy.ptr[i])
            copy.ptr[i] = ' ';
    if (!copy.ptr)
        copy.slen = 0;
    return copy;
}

/* ---- answers ------------------------------------------------------------------------------------------------------- */

static bool add_header(pjsip_tx_data *tdata, const char *name, const pj_str_t *value)
{
    pj_str_t text = pj_str((char *)name);
    pjsip_generic_string_hdr *header = pjsip_generic_string_hdr_create(tdata->pool, &text, value);

    if (header)
        pjsip_msg_add_hdr(tdata->msg, (pjsip_hdr *)header);
    return header != NULL;
}

/* The first Via, with where it came from; where the answer goes (RFC 3261, section 18.2.2, and RFC 3581). */
static void add_via(pjsip_tx_data *tdata, const origin *from, const pj_str_t *value, pj_sockaddr *to)
{
    static const pj_str_t name = { "Via", 3 };
    pj_str_t copy = unfolded(tdata->pool, value);
    pjsip_via_hdr *first = copy.slen ? pjsip_parse_hdr(tdata->pool, &name, copy.ptr, (pj_size_t)copy.slen, NULL) : NULL;

    pj_sockaddr_cp(to, from->address);
    if (!first) {
        /* What cannot be read is repeated, and answered to where it came from. */
        add_header(tdata, "Via", &copy);
        return;
    }
    first->recvd_param = from->host;
    if (!first->rport_param)
        first->rport_param = from->port;
    else if (first->rport_param < 0)
        pj_sockaddr_set_port(to, (pj_uint16_t)(first->sent_by.port ? first->sent_by.port : 5060));
    pj_list_insert_nodes_before(&tdata->msg->hdr, (pjsip_hdr *)first);
}

static void add_to(pjsip_tx_data *tdata, const pj_str_t *value, const pj_str_t *via)
{
    static const pj_str_t tag = { "tag", 3 };
    pj_str_t copy = unfolded(tdata->pool, value), tagged;

    if (!pj_stristr(&copy, &tag)) {
        /* A repetition gets the same. */
        tagged.ptr = pj_pool_alloc(tdata->pool, (pj_size_t)copy.slen + 16);
        if (tagged.ptr) {
            tagged.slen = pj_ansi_snprintf(tagged.ptr, (pj_size_t)copy.slen + 16, "%.*s;tag=%08x", (int)copy.slen, copy.ptr,
                                           pj_hash_calc(0, via->ptr, (unsigned)via->slen));
            copy = tagged;
        }
    }
    add_header(tdata, "To", &copy);
}

/* Copies the lines that an answer repeats; false when nobody would know it for the answer. */
static bool copy_lines(pjsip_tx_data *tdata, const origin *from, text rest, pj_sockaddr *to)
{
    static const struct {
        const char *name;
        char compact;
    } names[] = { { "CSeq", 0 }, { "From", 'f' }, { "Call-ID", 'i' } };
    bool seen[PJ_ARRAY_SIZE(names)] = { false }, has_to = false;
    pj_str_t line, value, via = { NULL, 0 };
    unsigned i;

    while (take_line(&rest, &line)) {
        if (has_name(&line, "Via", 'v', &value)) {
            pj_str_t copy;

            if (via.slen) {
                copy = unfolded(tdata->pool, &value);
                add_header(tdata, "Via", &copy);
            } else {
                via = value;
                add_via(tdata, from, &value, to);
            }
        } else if (!has_to && has_name(&line, "To", 't', &value)) {
            has_to = true;
            add_to(tdata, &value, &line);
        } else {
            for (i = 0; i < PJ_ARRAY_SIZE(names); i++)
                if (!seen[i] && has_name(&line, names[i].name, names[i].compact, &value)) {
                    pj_str_t copy = unfolded(tdata->pool, &value);

                    seen[i] = true;
                    add_header(tdata, names[i].name, &copy);
                }
        }
    }
    return via.slen && seen[0];
}

static void send_refusal(const origin *from, text rest, int code)
{
    pjsip_tx_data *tdata;
    pj_sockaddr to;

    if (pjsip_endpt_create_tdata(sc_engine.endpt, &tdata) != PJ_SUCCESS)
        return;
    pjsip_tx_data_add_ref(tdata);
    tdata->msg = pjsip_msg_create(tdata->pool, PJSIP_RESPONSE_MSG);
    if (tdata->msg) {
        tdata->msg->line.status.code = code;
        tdata->msg->line.status.reason = *pjsip_get_status_text(code);
        if (copy_lines(tdata, from, rest, &to))
            pjsip_transport_send(from->tp, tdata, &to, (int)pj_sockaddr_get_len(&to), NULL, NULL);
    }
    pjsip_tx_data_dec_ref(tdata);
}

/* The words of a request line; false for anything else, and for an ACK, which nobody answers. */
static bool is_answerable(const pj_str_t *line, pj_str_t *uri, pj_str_t *version)
{
    static const pj_str_t ack = { "ACK ", 4 }, sip = { "SIP/", 4 };
    const char *end = line->ptr + line->slen, *at;

    while (end > line->ptr && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    for (at = end; at > line->ptr && at[-1] != ' ' && at[-1] != '\t';)
        at--;
    version->ptr = (char *)at;
    version->slen = end - at;
    if (pj_strnicmp(version, &sip, sip.slen) || !pj_strncmp(line, &ack, ack.slen))
        return false;
    uri->ptr = memchr(line->ptr, ' ', (size_t)line->slen);
    if (!uri->ptr || uri->ptr >= at)
        return false;
    uri->slen = at - uri->ptr;
    pj_strtrim(uri);
    return true;
}

static bool is_known_scheme(const pj_str_t *uri)
{
    static const char *const schemes[] = { "sip:", "sips:", "tel:" };
    unsigned i;

    for (i = 0; i < PJ_ARRAY_SIZE(schemes); i++)
        if (!pj_strnicmp2(uri, schemes[i], strlen(schemes[i])))
            return true;
    return false;
}

/* The code for a request line on which the parser has stumbled, or 400 for what stands behind it. */
static int code_of(const pj_str_t *uri, const pj_str_t *version)
{
    pj_str_t scheme = *uri;
    char *colon = memchr(uri->ptr, ':', (size_t)uri->slen);

    if (pj_stricmp2(version, "SIP/2.0"))
        return PJSIP_SC_VERSION_NOT_SUPPORTED;
    if (!colon || is_known_scheme(uri))
        return PJSIP_SC_BAD_REQUEST;
    /* A scheme (RFC 3986, section 3.1); else it is no URI at all. */
    for (scheme.slen = 0; uri->ptr + scheme.slen < colon; scheme.slen++)
        if (!pj_isalnum(scheme.ptr[scheme.slen]) && !strchr("+-.", scheme.ptr[scheme.slen]))
            return PJSIP_SC_BAD_REQUEST;
    return scheme.slen && pj_isalpha(*scheme.ptr) ? PJSIP_SC_UNSUPPORTED_URI_SCHEME : PJSIP_SC_BAD_REQUEST;
}

/* Code 0: the one that the message asks for. Responses and what is no message at all get none. */
static void refuse(const origin *from, const char *message, size_t size, int code)
{
    text rest = { message, message + size };
    pj_str_t line, uri, version;

    if (take_line(&rest, &line) && is_answerable(&line, &uri, &version))
        send_refusal(from, rest, code ? code : code_of(&uri, &version));
}

/* ---- streams ------------------------------------------------------------------------------------------------------- */

static pj_status_t on_stream(pjsip_tp_rx_data *data)
{
    PJ_UNUSED_ARG(data);
    last_parsed = NULL;
    return PJ_SUCCESS;
}

/* Where the end of a message cannot be found, the next one cannot either (RFC 3261, section 18.3). */
static void on_dropped(pjsip_tp_dropped_data *data)
{
    origin from = { .tp = data->tp };
    bool is_too_long = data->status == PJSIP_ERXOVERFLOW;

    if (data->status == PJ_EIGNORED || data->data == last_parsed || data->tp->flag & PJSIP_TRANSPORT_DATAGRAM)
        return;
    from.host = data->tp->remote_name.host;
    from.port = data->tp->remote_name.port;
    from.address = &data->tp->key.rem_addr;
    refuse(&from, data->data, data->len, is_too_long ? PJSIP_SC_MESSAGE_TOO_LARGE : PJSIP_SC_BAD_REQUEST);
    pjsip_transport_shutdown(data->tp);
}

void sc_parse_guard_init(void)
{
    pjsip_tpmgr *manager = pjsip_endpt_get_tpmgr(sc_engine.endpt);

    pjsip_tpmgr_set_recv_data_cb(manager, on_stream);
    pjsip_tpmgr_set_drop_data_cb(manager, on_dropped);
}

/* ---- the parser ---------------------------------------------------------------------------------------------------- */

bool sc_is_good_route(const pjsip_hdr *header)
{
    const pjsip_uri *uri;

    if (header->type != PJSIP_H_RECORD_ROUTE)
        return true;
    uri = ((const pjsip_rr_hdr *)header)->name_addr.uri;
    return uri && (PJSIP_URI_SCHEME_IS_SIP(uri) || PJSIP_URI_SCHEME_IS_SIPS(uri));
}

#ifndef __APPLE__

/* What was seen of a message's lines before it was parsed. */
typedef struct {
    int code; /* to refuse it with, or 0 */
    struct {
        char *at;
        char was;
    } hidden[MAX_HIDDEN];
    unsigned hidden_count;
    pj_size_t body_size; /* what stands behind the headers */
} preview;

/* pjsip refuses a whole message for a scheme of authentication that it does not know. */
static bool is_unknown_scheme(const pj_str_t *line)
{
    static const char *const names[] = { "Authorization", "Proxy-Authorization", "WWW-Authenticate",
                                         "Proxy-Authenticate" };
    pj_str_t value;
    unsigned i;

    if ((*line->ptr | 0x20) != 'a' && (*line->ptr | 0x20) != 'p' && (*line->ptr | 0x20) != 'w')
        return false;
    for (i = 0; i < PJ_ARRAY_SIZE(names); i++)
        if (has_name(line, names[i], 0, &value))
            return value.slen < 7 || pj_strnicmp2(&value, "Digest", 6) || pj_isalnum(value.ptr[6]);
    return false;
}

/* Half of what reads a text stops at NUL, which stands in headers only behind a backslash (RFC 3261, section 25.1). */
static bool has_nul(const char *at, const char *end)
{
    const char *start = at;

    while ((at = memchr(at, '\0', (size_t)(end - at)))) {
        if (at == start || at[-1] != '\\')
            return true;
        at++;
    }
    return false;
}

static preview look_at(const char *message, size_t size)
{
    preview found = { .code = 0 };
    text rest = { message, message + size };
    pj_str_t line, uri, version;
    bool is_first = true;

    while (take_line(&rest, &line)) {
        if (is_first && is_answerable(&line, &uri, &version) && uri.slen > PJSIP_MAX_URL_SIZE)
            found.code = PJSIP_SC_REQUEST_URI_TOO_LONG;
        else if (line.slen > MAX_LINE_SIZE)
            found.code = PJSIP_SC_BAD_REQUEST;
        else if (rest.at - message > MAX_HEADERS_SIZE)
            found.code = PJSIP_SC_MESSAGE_TOO_LARGE;
        else if (!is_first && found.hidden_count < MAX_HIDDEN && is_unknown_scheme(&line))
            found.hidden[found.hidden_count++].at = line.ptr;
        if (found.code)
            break;
        is_first = false;
    }
    if (!found.code && has_nul(message, rest.at))
        found.code = PJSIP_SC_BAD_REQUEST;
    found.body_size = (pj_size_t)(rest.end - rest.at);
    return found;
}

static bool is_complete(const pjsip_rx_data *rdata)
{
    return rdata->msg_info.cid && rdata->msg_info.cid->id.slen && rdata->msg_info.from && rdata->msg_info.to &&
           rdata->msg_info.via && rdata->msg_info.cseq;
}

static bool is_modest(const pjsip_msg *msg)
{
    const pjsip_hdr *header;
    unsigned vias = 0, headers = 0;

    for (header = msg->hdr.next; header != &msg->hdr; header = header->next) {
        headers++;
        vias += header->type == PJSIP_H_VIA;
    }
    return vias <= MAX_VIAS && headers <= MAX_HEADERS;
}

/*
 * A request names its method twice, and of these headers it has one each (RFC 3261, section 8.1.1). Along a route of
 * another scheme pjsip can send nothing: a call that came by it could never end.
 */
static bool is_consistent(const pjsip_rx_data *rdata)
{
    static const pjsip_hdr_e singles[] = { PJSIP_H_CALL_ID, PJSIP_H_CONTENT_LENGTH, PJSIP_H_CONTENT_TYPE, PJSIP_H_CSEQ,
                                           PJSIP_H_FROM,    PJSIP_H_MAX_FORWARDS,   PJSIP_H_TO };
    const pjsip_msg *msg = rdata->msg_info.msg;
    const pjsip_hdr *header;
    unsigned count[PJ_ARRAY_SIZE(singles)] = { 0 }, i;

    if (msg->type != PJSIP_REQUEST_MSG)
        return true;
    if (pj_strcmp(&msg->line.req.method.name, &rdata->msg_info.cseq->method.name))
        return false;
    for (header = msg->hdr.next; header != &msg->hdr; header = header->next) {
        if (!sc_is_good_route(header))
            return false;
        for (i = 0; i < PJ_ARRAY_SIZE(singles); i++)
            if (header->type == singles[i] && ++count[i] > 1)
                return false;
    }
    return true;
}

/*
 * A datagram with less than its Content-Length says was cut on its way; what it has more is no part of the message
 * (RFC 3261, section 18.3). On a stream the length is what ends the message.
 */
static bool is_whole(const pjsip_rx_data *rdata, pj_size_t body_size)
{
    const pjsip_clen_hdr *length = rdata->msg_info.clen;
    pjsip_msg_body *body = rdata->msg_info.msg->body;

    if (!length)
        return true;
    if ((pj_size_t)length->len > body_size)
        return false;
    /* A body of several parts ends with its last one. */
    if (body && body->print_body == &pjsip_print_text_body && (unsigned)length->len < body->len) {
        body->len = (unsigned)length->len;
        if (!body->len)
            rdata->msg_info.msg->body = NULL;
    }
    return true;
}

pjsip_msg *__real_pjsip_parse_rdata(char *buf, pj_size_t size, pjsip_rx_data *rdata);
pjsip_msg *__wrap_pjsip_parse_rdata(char *buf, pj_size_t size, pjsip_rx_data *rdata);

pjsip_msg *__wrap_pjsip_parse_rdata(char *buf, pj_size_t size, pjsip_rx_data *rdata)
{
    preview found = look_at(buf, size);
    pjsip_msg *msg = NULL;
    bool is_good = false;
    origin from;
    unsigned i;

    last_parsed = buf;
    if (!found.code) {
        /* Under another name it is a header like any that pjsip does not know. */
        for (i = 0; i < found.hidden_count; i++) {
            found.hidden[i].was = *found.hidden[i].at;
            *found.hidden[i].at = 'x';
        }
        rdata->msg_info.msg = msg = __real_pjsip_parse_rdata(buf, size, rdata);
        for (i = 0; i < found.hidden_count; i++)
            *found.hidden[i].at = found.hidden[i].was;
        is_good = msg && pj_list_empty(&rdata->msg_info.parse_err) && is_complete(rdata) && is_modest(msg) &&
                  is_consistent(rdata) && is_whole(rdata, found.body_size);
    }
    if (is_good)
        return msg;
    /* The trace shows it although no module will. */
    sc_trace_module.on_rx_request(rdata);
    from.tp = rdata->tp_info.transport;
    from.host = pj_str(rdata->pkt_info.src_name);
    from.port = rdata->pkt_info.src_port;
    from.address = &rdata->pkt_info.src_addr;
    refuse(&from, buf, size, found.code);
    return NULL;
}

#endif
