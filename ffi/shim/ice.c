/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Candidates are gathered, checked and told of. Its timers are the SIP thread's, its sockets those of the RTP thread. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "ice_internal.h"

/* How long the engine's end waits for TURN servers to take their allocations back, in ms; and for what is left then. */
#define PATIENCE_MS 400
#define REST_MS 400

/* ---- to create ---------------------------------------------------------------------------------------------------- */

pj_status_t sc_ice_read_options(sc_reader *reader, pj_pool_t *pool, sc_ice_options *options)
{
    options->pool = pool;
    options->stun = sc_read_text_dup(reader, pool);
    options->stun_port = sc_read_u32(reader);
    options->turn = sc_read_text_dup(reader, pool);
    options->turn_port = sc_read_u32(reader);
    options->turn_type = sc_read_u32(reader);
    options->turn_name = sc_read_text_dup(reader, pool);
    options->username = sc_read_text_dup(reader, pool);
    options->password = sc_read_text_dup(reader, pool);
    options->relay_only = sc_read_u8(reader) != 0;
    return reader->failed || options->turn_type > 2 ? SC_EARGS : PJ_SUCCESS;
}

static bool is_loopback(const pj_sockaddr *address)
{
    if (address->addr.sa_family == pj_AF_INET6())
        return IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)pj_sockaddr_get_addr(address));
    return *(const uint8_t *)pj_sockaddr_get_addr(address) == 127;
}

/* Sockets of one family at this address. */
static void add_family(pj_ice_strans_cfg *config, const pj_sockaddr *bound, const sc_ice_options *options)
{
    pj_ice_strans_stun_cfg *stun = &config->stun_tp[config->stun_tp_cnt++];
    bool is_ipv6 = pj_strchr(&options->stun, ':') != NULL;

    pj_ice_strans_stun_cfg_default(stun);
    stun->af = bound->addr.sa_family;
    pj_sockaddr_cp(&stun->cfg.bound_addr, bound);
    stun->loop_addr = pj_sockaddr_has_addr(bound) && is_loopback(bound);
    if (options->stun.slen && is_ipv6 == (stun->af == pj_AF_INET6())) {
        stun->server = options->stun;
        stun->port = (pj_uint16_t)options->stun_port;
    }
}

static void add_relay(pj_ice_strans_cfg *config, const pj_sockaddr *bound, const sc_ice_options *options)
{
    static const pj_turn_tp_type types[] = { PJ_TURN_TP_UDP, PJ_TURN_TP_TCP, PJ_TURN_TP_TLS };
    pj_ice_strans_turn_cfg *turn = &config->turn_tp[config->turn_tp_cnt++];
    pj_stun_auth_cred *credentials = &turn->auth_cred;
    pjsip_tls_setting tls;

    pj_ice_strans_turn_cfg_default(turn);
    turn->server = options->turn;
    turn->port = (pj_uint16_t)options->turn_port;
    turn->conn_type = types[options->turn_type];
    turn->af = pj_strchr(&options->turn, ':') ? pj_AF_INET6() : pj_AF_INET();
    /* A relay of the family in which it is reached: what the server would give by itself is always IPv4. */
    turn->alloc_param.af = turn->af;
    if (bound->addr.sa_family == turn->af) {
        pj_sockaddr_cp(&turn->cfg.bound_addr, bound);
        pj_sockaddr_set_port(&turn->cfg.bound_addr, 0);
    }
    if (options->username.slen) {
        credentials->type = PJ_STUN_AUTH_CRED_STATIC;
        /* Of whatever realm the server says. */
        credentials->data.static_cred.username = options->username;
        credentials->data.static_cred.data_type = PJ_STUN_PASSWD_PLAIN;
        credentials->data.static_cred.data = options->password;
    }
    sc_tls_setting(&tls);
    pj_strdup_with_null(options->pool, &turn->cfg.tls_cfg.ca_list_file, &tls.ca_list_file);
    turn->cfg.tls_cfg.ssock_param.proto = tls.proto;
    turn->cfg.tls_cfg.ssock_param.timeout = tls.timeout;
    turn->cfg.tls_cfg.ssock_param.server_name = options->turn_name;
}

static pj_status_t configure(pj_ice_strans_cfg *config, const char *address, unsigned port,
                             const sc_ice_options *options)
{
    pj_str_t host = pj_str((char *)address);
    pj_sockaddr bound;
    pj_status_t status;

    pj_ice_strans_cfg_default(config);
    pj_stun_config_init(&config->stun_cfg, &sc_engine.cp.factory, 0, pjmedia_endpt_get_ioqueue(sc_engine.media),
                        pjsip_endpt_get_timer_heap(sc_engine.endpt));
    /* Not the first pair that works, but the best of those that work within 0.4 s (RFC 8445, section 8.1.1). */
    config->opt.aggressive = PJ_FALSE;
    /* Nobody is told what we are made of. */
    config->stun_cfg.software_name.slen = 0;
    config->stun.max_host_cands = 0;
    config->af = strchr(address, ':') ? pj_AF_INET6() : pj_AF_INET();
    status = pj_sockaddr_init(config->af, &bound, host.slen ? &host : NULL, (pj_uint16_t)port);
    if (status != PJ_SUCCESS)
        return status;
    if (options->turn.slen)
        add_relay(config, &bound, options);
    if (options->relay_only)
        return PJ_SUCCESS;
    add_family(config, &bound, options);
    if (host.slen)
        return PJ_SUCCESS;
    status = pj_sockaddr_init(pj_AF_INET6(), &bound, NULL, (pj_uint16_t)port);
    if (status == PJ_SUCCESS)
        add_family(config, &bound, options);
    return status;
}

/* ---- to tell ------------------------------------------------------------------------------------------------------ */

static void write_text(sc_writer *writer, const char *text)
{
    sc_write_bytes(writer, text, strlen(text));
}

static void write_address(sc_writer *writer, const pj_sockaddr *address)
{
    char text[PJ_INET6_ADDRSTRLEN] = "";

    if (pj_sockaddr_has_addr(address))
        pj_sockaddr_print(address, text, sizeof(text), 0);
    write_text(writer, text);
    sc_write_u32(writer, text[0] ? pj_sockaddr_get_port(address) : 0);
}

/* `list`: the one that it is in; pjnath numbers only those of descriptions. */
static void write_candidate(sc_writer *writer, const pj_ice_sess_cand list[], const pj_ice_sess_cand *candidate)
{
    sc_write_u32(writer, (uint32_t)(candidate - list));
    sc_write_u32(writer, candidate->comp_id);
    sc_write_u32(writer, candidate->type);
    write_address(writer, &candidate->addr);
    sc_write_u32(writer, candidate->prio);
}

static void write_candidates(sc_writer *writer, const pj_ice_sess_cand list[], unsigned count)
{
    unsigned i;

    sc_write_u32(writer, count);
    for (i = 0; i < count; i++)
        write_candidate(writer, list, &list[i]);
}

static void write_checks(sc_writer *writer, const pj_ice_sess_checklist *list)
{
    unsigned i;

    sc_write_u32(writer, list->count);
    for (i = 0; i < list->count; i++) {
        const pj_ice_sess_check *check = &list->checks[i];

        sc_write_u32(writer, i);
        sc_write_u32(writer, check->lcand->comp_id);
        write_address(writer, &check->lcand->addr);
        write_address(writer, &check->rcand->addr);
        sc_write_u32(writer, check->nominated != 0);
        sc_write_u32(writer, check->state);
    }
}

/* The pairs that were chosen for RTP and for RTCP, all candidates, all checks. */
static void write_session(sc_writer *writer, const pj_ice_sess *session)
{
    unsigned i;

    for (i = 0; i < 2; i++) {
        const pj_ice_sess_check *chosen = i < session->comp_cnt ? session->comp[i].valid_check : NULL;

        sc_write_u32(writer, chosen != NULL);
        if (!chosen)
            continue;
        write_candidate(writer, session->lcand, chosen->lcand);
        write_candidate(writer, session->rcand, chosen->rcand);
    }
    write_candidates(writer, session->lcand, session->lcand_cnt);
    write_candidates(writer, session->rcand, session->rcand_cnt);
    write_checks(writer, &session->clist);
}

static void tell_negotiated(uint64_t serial, const pj_ice_strans *transport, const pj_ice_sess *session,
                            pj_status_t status)
{
    pj_time_val took = session ? session->time_completed : (pj_time_val){ 0, 0 };
    sc_writer writer = sc_writer_init(NULL, 0);
    sc_record record;
    uint8_t *bytes = NULL;

    if (session && status == PJ_SUCCESS) {
        write_session(&writer, session);
        bytes = malloc(writer.size);
        writer = sc_writer_init(bytes, bytes ? writer.size : 0);
        if (bytes)
            write_session(&writer, session);
        else
            status = PJ_ENOMEM;
    }
    if (session)
        PJ_TIME_VAL_SUB(took, *sc_ice_strans_started(transport));
    sc_record_init(&record, SC_RECORD_RTP_TRANSPORT_NEGOTIATED, serial);
    sc_record_i32(&record, status);
    sc_record_u32(&record, (uint32_t)PJ_TIME_VAL_MSEC(took));
    sc_record_bytes(&record, bytes, bytes ? writer.size : 0);
    sc_record_push(&record, false);
    free(bytes);
}

static void tell_gathered(uint64_t serial, const pj_ice_strans *transport, pj_status_t status)
{
    bool relay = false;
    sc_record record;

    /* A transport with a host candidate is good to pjnath. */
    if (status == PJ_SUCCESS) {
        status = sc_ice_strans_missing(transport, true);
        relay = status != PJ_SUCCESS;
    }
    sc_record_init(&record, SC_RECORD_RTP_TRANSPORT_GATHERED, serial);
    sc_record_i32(&record, status);
    sc_record_u32(&record, relay);
    sc_record_push(&record, false);
}

/* Under the transport's lock, in any thread. */
static void on_complete(pjmedia_transport *media, pj_ice_strans_op op, pj_status_t status)
{
    uint64_t serial = (uint64_t)(uintptr_t)media->user_data;
    pj_ice_strans *transport = sc_ice_media_strans(media);

    if (!transport)
        return;
    if (op == PJ_ICE_STRANS_OP_INIT)
        tell_gathered(serial, transport, status);
    else if (op == PJ_ICE_STRANS_OP_NEGOTIATION)
        tell_negotiated(serial, transport, sc_ice_strans_session(transport), status);
}

pj_status_t sc_ice_open(uint64_t serial, const char *address, unsigned port, const sc_ice_options *options,
                        pjmedia_transport **media)
{
    static const pjmedia_ice_cb callbacks = { .on_ice_complete = on_complete };
    pj_ice_strans_cfg config;
    pj_status_t status = configure(&config, address, port, options);

    if (status != PJ_SUCCESS)
        return status;
    sc_ice_strans_watch();
    status = pjmedia_ice_create3(sc_engine.media, "ice", 2, &config, &callbacks, 0, (void *)(uintptr_t)serial, media);
    if (sc_ice_strans_failure() == PJ_SUCCESS)
        return status;
    if (status == PJ_SUCCESS)
        pjmedia_transport_close(*media);
    return sc_ice_strans_failure();
}

/* ---- descriptions ------------------------------------------------------------------------------------------------- */

static bool is_number(const pj_str_t *word, unsigned long least, unsigned long most)
{
    unsigned long value;
    pj_ssize_t i;

    for (i = 0; i < word->slen; i++) {
        if (word->ptr[i] < '0' || word->ptr[i] > '9')
            return false;
    }
    if (word->slen < 1 || word->slen > 10)
        return false;
    value = pj_strtoul(word);
    return value >= least && value <= most;
}

/* RFC 8839, section 5.1: foundation, component, transport, priority, address, port, "typ" and the type. */
static bool is_candidate(const pj_str_t *value)
{
    enum { FOUNDATION, COMPONENT, TRANSPORT, PRIORITY, ADDRESS, PORT, TYP, TYPE, WORDS };
    pj_str_t words[WORDS];
    const char *at = value->ptr, *end = value->ptr + value->slen;
    unsigned i;

    for (i = 0; i < WORDS; i++) {
        while (at < end && *at == ' ')
            at++;
        words[i].ptr = (char *)at;
        while (at < end && *at != ' ')
            at++;
        words[i].slen = at - words[i].ptr;
        if (!words[i].slen)
            return false;
    }
    return words[FOUNDATION].slen <= 32 && is_number(&words[COMPONENT], SC_ICE_RTP, SC_ICE_RTCP) &&
           is_number(&words[PRIORITY], 1, 0xffffffffUL) &&
           sc_is_address(words[ADDRESS].ptr, (size_t)words[ADDRESS].slen) && is_number(&words[PORT], 1, 65535);
}

void sc_ice_clean(pjmedia_sdp_session *sdp, unsigned index)
{
    pjmedia_sdp_media *stream = sdp->media[index];
    unsigned i = 0;

    while (i < stream->attr_count) {
        const pjmedia_sdp_attr *attribute = stream->attr[i];

        if (!pj_strcmp2(&attribute->name, "candidate") && !is_candidate(&attribute->value))
            pj_array_erase(stream->attr, sizeof(stream->attr[0]), stream->attr_count--, i);
        else
            i++;
    }
}

void sc_ice_prepare(pjmedia_transport *media, pj_pool_t *pool, pjmedia_sdp_media *stream)
{
    static const char *const ours[] = { "rtcp", "ice-ufrag", "ice-pwd", "candidate", "remote-candidates",
                                        "ice-mismatch" };
    pjmedia_transport_info info;
    pjmedia_sdp_attr *attribute;
    unsigned i;

    for (i = 0; i < PJ_ARRAY_SIZE(ours); i++)
        pjmedia_sdp_media_remove_all_attr(stream, ours[i]);
    pjmedia_transport_info_init(&info);
    if (pjmedia_transport_get_info(media, &info) != PJ_SUCCESS)
        return;
    attribute = pjmedia_sdp_attr_create_rtcp(pool, &info.sock_info.rtcp_addr_name);
    if (attribute)
        pjmedia_sdp_media_add_attr(stream, attribute);
}

/* ---- while it runs ------------------------------------------------------------------------------------------------ */

bool sc_ice_accepts(pjmedia_transport *media, unsigned component, const pj_sockaddr *source, bool *known)
{
    pj_ice_strans *transport = sc_ice_media_strans(media);
    const pj_ice_sess *session = transport ? sc_ice_strans_session(transport) : NULL;
    unsigned i;

    *known = session && sc_ice_media_is_active(media) &&
             pj_ice_strans_get_state(transport) != PJ_ICE_STRANS_STATE_FAILED;
    if (!*known)
        return false;
    /* Those of its description, and those that have shown its password. */
    for (i = 0; i < session->rcand_cnt; i++) {
        if (session->rcand[i].comp_id == component && !pj_sockaddr_cmp(&session->rcand[i].addr, source))
            return true;
    }
    return false;
}

void sc_ice_write_state(pjmedia_transport *media, sc_writer *writer)
{
    pj_ice_strans *transport = sc_ice_media_strans(media);
    const pj_ice_sess *session;
    pjmedia_transport_info info;
    const pj_ice_sess_check *chosen = NULL;

    pjmedia_transport_info_init(&info);
    pj_grp_lock_acquire(media->grp_lock);
    pjmedia_transport_get_info(media, &info);
    session = sc_ice_strans_session(transport);
    write_address(writer, &info.sock_info.rtp_addr_name);
    sc_write_u32(writer, sc_ice_media_is_active(media) &&
                             pj_ice_strans_get_state(transport) != PJ_ICE_STRANS_STATE_FAILED);
    if (session && pj_ice_strans_get_state(transport) == PJ_ICE_STRANS_STATE_RUNNING)
        chosen = pj_ice_strans_get_valid_pair(transport, SC_ICE_RTP);
    sc_write_u32(writer, chosen != NULL);
    if (chosen) {
        write_candidate(writer, session->lcand, chosen->lcand);
        write_candidate(writer, session->rcand, chosen->rcand);
    }
    pj_grp_lock_release(media->grp_lock);
}

/* ---- the end ------------------------------------------------------------------------------------------------------ */

static void wait_for_all(unsigned ms)
{
    static const pj_time_val tick = { 0, 5 };
    pj_time_val now, end;

    pj_gettickcount(&end);
    end.msec += ms;
    pj_time_val_normalize(&end);
    do {
        pjsip_endpt_handle_events2(sc_engine.endpt, &tick, NULL);
        pj_gettickcount(&now);
    } while (sc_ice_is_alive() && PJ_TIME_VAL_LT(now, end));
}

void sc_ice_end(void)
{
    if (!sc_ice_is_alive())
        return;
    wait_for_all(PATIENCE_MS);
    sc_ice_forget_relays(NULL);
    wait_for_all(REST_MS);
}
