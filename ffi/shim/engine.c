/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <openssl/ssl.h>
#include <stdlib.h>

#include "engine.h"
#include "ice_internal.h"

sc_engine_state sc_engine;

static atomic_bool running;
static const char *failed_step = "";
static pj_pool_factory_policy policy;

/* ---- process-wide ---------------------------------------------------------------------------------------------- */

/* pjlib's own answer to "no memory" is a longjmp that nobody catches; ours is NULL, which its callers check. */
static void on_no_memory(pj_pool_t *pool, pj_size_t size)
{
    PJ_UNUSED_ARG(pool);
    PJ_UNUSED_ARG(size);
}

static void on_exit_of_process(void)
{
    /* Nothing of ours may call into a runtime that is being torn down. Threads end with the process. */
    sc_ring_shut();
}

static pj_status_t init_process(void)
{
    static bool done;
    pj_status_t status;

    if (done)
        return PJ_SUCCESS;
    /* OpenSSL's own exit handler would free what our threads still use. */
    OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
    pj_log_set_level(0);
    status = pj_init();
    if (status == PJ_SUCCESS)
        status = pjlib_util_init();
    if (status == PJ_SUCCESS)
        status = pjnath_init();
    if (status != PJ_SUCCESS)
        return status;
    /* From and To go back as they came, or as the program wrote them: with their port. */
    pjsip_cfg()->endpt.allow_port_in_fromto_hdr = PJ_TRUE;
#if !PJ_POOL_DEBUG
    policy.block_alloc = sc_block_alloc;
    policy.block_free = sc_block_free;
#endif
    policy.callback = on_no_memory;
    sc_log_install();
    atexit(on_exit_of_process);
    done = true;
    return PJ_SUCCESS;
}

pj_pool_t *sc_pool_create(const char *name, unsigned size)
{
    return sc_should_fail() ? NULL : pj_pool_create(&sc_engine.cp.factory, name, size, size, NULL);
}

/* ---- start and stop ---------------------------------------------------------------------------------------------------- */

static void tear_down(void)
{
    if (sc_engine.events)
        pjmedia_event_mgr_destroy(sc_engine.events);
    sc_poll_close();
    if (sc_engine.endpt)
        pjsip_endpt_destroy(sc_engine.endpt);
    sc_connections_clear();
    sc_transports_clear();
    if (sc_engine.media)
        pjmedia_endpt_destroy(sc_engine.media);
    sc_identity_clear();
    if (sc_engine.pool)
        pj_pool_release(sc_engine.pool);
    pj_caching_pool_destroy(&sc_engine.cp);
    pj_bzero(&sc_engine, sizeof(sc_engine));
}

static void end_all(void)
{
    static const struct {
        sc_kind kind;
        void (*abandon)(void *object);
    } order[] = { { SC_KIND_INVITATION, sc_invitation_abandon },
                  { SC_KIND_SUBSCRIPTION, sc_subscriber_abandon },
                  { SC_KIND_INCOMING_SUBSCRIPTION, sc_notifier_abandon },
                  { SC_KIND_REFERRAL, sc_subscriber_abandon },
                  { SC_KIND_INCOMING_REFERRAL, sc_notifier_abandon },
                  { SC_KIND_INCOMING_REQUEST, NULL },
                  { SC_KIND_REQUEST, NULL },
                  { SC_KIND_AUDIO_TRANSPORT, NULL },
                  { SC_KIND_WAVE_FILE, NULL },
                  { SC_KIND_RECORDING_WAVE_FILE, NULL },
                  { SC_KIND_MIXER_PORT, NULL },
                  { SC_KIND_TONE_GENERATOR, NULL },
                  { SC_KIND_PCM_PORT, NULL },
                  { SC_KIND_AUDIO_MIXER, NULL },
                  { SC_KIND_RTP_TRANSPORT, NULL } };
    unsigned i;

    sc_gate_close();
    sc_trying_clear();
    /* Children before parents; the mixers' clock goes on until the last port has left its bridge. */
    for (i = 0; i < PJ_ARRAY_SIZE(order); i++) {
        sc_object *object;
        size_t from = 0;

        while ((object = sc_object_any(order[i].kind, &from))) {
            if (order[i].abandon)
                order[i].abandon(object);
            sc_object_remove(object);
            sc_object_put(object);
        }
    }
    sc_ice_end();
    sc_clock_stop();
    sc_devices_end();
    tear_down();
}

/* The last that happens on the poll thread. */
static void end(void)
{
    sc_record record;

    sc_admission_report();
    end_all();
    sc_record_init(&record, SC_RECORD_ENGINE_STOPPED, 0);
    sc_record_push(&record, false);
}

#define STEP(name, call)                \
    do {                                \
        failed_step = name;             \
        status = (call);                \
        if (status != PJ_SUCCESS)       \
            goto failed;                \
    } while (0)

static pj_status_t register_module(pjsip_module *module)
{
    module->id = -1;
    return pjsip_endpt_register_module(sc_engine.endpt, module);
}

static pj_status_t register_codecs(void)
{
    pjmedia_audio_codec_config config;

    pjmedia_audio_codec_config_default(&config);
    return pjmedia_codec_register_audio_codecs(sc_engine.media, &config);
}

static void set_timers(const unsigned ms[4])
{
    pjsip_cfg()->tsx.t1 = ms[0] ? ms[0] : PJSIP_T1_TIMEOUT;
    pjsip_cfg()->tsx.t2 = ms[1] ? ms[1] : PJSIP_T2_TIMEOUT;
    pjsip_cfg()->tsx.t4 = ms[2] ? ms[2] : PJSIP_T4_TIMEOUT;
    pjsip_cfg()->tsx.td = ms[3] ? ms[3] : PJSIP_TD_TIMEOUT;
}

int32_t sc_engine_start(sc_bytes args, uint32_t size)
{
    static const pjsip_ua_init_param ua = { .on_dlg_forked = sc_fork };
    sc_reader reader = sc_reader_init(args, size);
    pj_str_t address, user_agent;
    unsigned timers[4], i;
    int ports[SC_TRANSPORT_KINDS], af;
    bool expected = false;
    pj_status_t status;

    if (!atomic_compare_exchange_strong(&running, &expected, true))
        return SC_EBUSY;
    failed_step = "read the options";
    address = sc_read_text(&reader);
    for (i = 0; i < SC_TRANSPORT_KINDS; i++)
        ports[i] = sc_read_i32(&reader);
    user_agent = sc_read_text(&reader);
    af = pj_strchr(&address, ':') ? pj_AF_INET6() : pj_AF_INET();
    STEP("initialise PJLIB", init_process());
    sc_thread_register();
    pj_bzero(&sc_engine, sizeof(sc_engine));
    pj_caching_pool_init(&sc_engine.cp, &policy, 8 * 1024 * 1024);
    sc_engine.rtp_min = sc_engine.rtp_next = sc_read_u32(&reader);
    sc_engine.rtp_max = sc_read_u32(&reader);
    status = sc_incoming_request_methods(&reader);
    for (i = 0; i < 4; i++)
        timers[i] = sc_read_u32(&reader);
    STEP("read the options", reader.failed ? SC_EARGS : status);
    STEP("use the TLS options", sc_tls_set_options(&reader));
    sc_admission_limit(sc_read_u32(&reader));
    sc_core_detect_loops(sc_read_u8(&reader) != 0);
    set_timers(timers);
    sc_ring_open();

    failed_step = "allocate memory";
    sc_engine.pool = sc_pool_create("sipcore", 4096);
    if (!sc_engine.pool) {
        status = PJ_ENOMEM;
        goto failed;
    }
    STEP("create the SIP endpoint", pjsip_endpt_create(&sc_engine.cp.factory, "sipcore", &sc_engine.endpt));
    STEP("open the wake-up socket", sc_poll_open());
    STEP("set the resolver", sc_resolver_init());
    STEP("read the address", sc_transports_init(af, &address));
    sc_connections_init();
    sc_parse_guard_init();
    STEP("register the trace", register_module(&sc_trace_module));
    STEP("register the message buffers", register_module(&sc_tx_buffer_module));
    STEP("register the user agent", register_module(&sc_identity_module));
    STEP("register the door", register_module(&sc_door_module));
    STEP("initialise transactions", pjsip_tsx_layer_init_module(sc_engine.endpt));
    STEP("register the admission", register_module(&sc_admission_module));
    STEP("initialise dialogs", pjsip_ua_init_module(sc_engine.endpt, &ua));
    STEP("register the forks", register_module(&sc_fork_module));
    STEP("register the requests of calls", register_module(&sc_invitation_module));
    STEP("register the transfers of calls", register_module(&sc_transfer_module));
    STEP("register the core", register_module(&sc_core_module));
    STEP("register the requests", register_module(&sc_request_module));
    STEP("register the credentials", register_module(&sc_credentials_module));
    STEP("initialise 100rel", pjsip_100rel_init_module(sc_engine.endpt));
    STEP("initialise session timers", pjsip_timer_init_module(sc_engine.endpt));
    STEP("initialise Replaces", pjsip_replaces_init_module(sc_engine.endpt));
    STEP("initialise invitations", sc_invitation_init());
    STEP("register the events", sc_events_init(&reader));
    STEP("set the user agent", sc_identity_set(&user_agent));

    STEP("create the media endpoint", pjmedia_endpt_create2(&sc_engine.cp.factory, NULL, 1, &sc_engine.media));
    STEP("create the media events", pjmedia_event_mgr_create(sc_engine.pool, 0, &sc_engine.events));
    STEP("register the codecs", register_codecs());
    STEP("start the media clock", sc_clock_start());

    STEP("listen on the UDP port", sc_transports_set_port(SC_TRANSPORT_UDP, ports[SC_TRANSPORT_UDP]));
    STEP("listen on the TCP port", sc_transports_set_port(SC_TRANSPORT_TCP, ports[SC_TRANSPORT_TCP]));
    STEP("listen on the TLS port", sc_transports_set_port(SC_TRANSPORT_TLS, ports[SC_TRANSPORT_TLS]));
    sc_gate_open();
    STEP("start the SIP thread", sc_poll_start(end));
    failed_step = "";
    return PJ_SUCCESS;

failed:
    sc_gate_close();
    sc_clock_stop();
    tear_down();
    sc_poll_ended();
    sc_ring_shut();
    atomic_store(&running, false);
    return status;
}

int32_t sc_engine_failed_step(sc_buffer text, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(text, capacity);

    sc_write_bytes(&writer, failed_step, strlen(failed_step));
    return sc_writer_done(&writer);
}

void sc_engine_stop(void)
{
    if (atomic_load(&running))
        sc_poll_stop();
}

void sc_engine_join(void)
{
    if (atomic_load(&running) && sc_poll_join())
        atomic_store(&running, false);
}

int32_t sc_engine_local_address(sc_text remote, sc_buffer buffer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(buffer, capacity);
    char text[PJ_INET6_ADDRSTRLEN] = "";
    pj_sockaddr local;
    pj_str_t address;

    if (!remote || !sc_enter())
        return 0;
    address = pj_str((char *)remote);
    if (pj_getipinterface(strchr(remote, ':') ? pj_AF_INET6() : pj_AF_INET(), &address, &local, PJ_FALSE, NULL) ==
        PJ_SUCCESS)
        pj_sockaddr_print(&local, text, sizeof(text), 0);
    sc_leave();
    sc_write_bytes(&writer, text, strlen(text));
    return sc_writer_done(&writer);
}

int32_t sc_engine_set_user_agent(sc_text value)
{
    pj_str_t text;
    pj_status_t status;

    if (!value)
        return SC_EARGS;
    if (!sc_enter())
        return SC_EGONE;
    text = pj_str((char *)value);
    status = sc_identity_set(&text);
    sc_leave();
    return status;
}

int32_t sc_engine_set_rtp_ports(uint32_t first, uint32_t last)
{
    if (first > last || last > 65535)
        return SC_EARGS;
    if (!sc_enter())
        return SC_EGONE;
    sc_engine.rtp_min = sc_engine.rtp_next = first;
    sc_engine.rtp_max = last;
    sc_leave();
    return PJ_SUCCESS;
}

int32_t sc_engine_codecs(sc_buffer buffer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(buffer, capacity);
    pjmedia_codec_info infos[PJMEDIA_CODEC_MGR_MAX_CODECS];
    unsigned count = PJ_ARRAY_SIZE(infos), i;

    if (!sc_enter())
        return 0;
    if (pjmedia_codec_mgr_enum_codecs(pjmedia_endpt_get_codec_mgr(sc_engine.media), &count, infos, NULL) != PJ_SUCCESS)
        count = 0;
    sc_write_u32(&writer, count);
    for (i = 0; i < count; i++) {
        sc_write_str(&writer, &infos[i].encoding_name);
        sc_write_u32(&writer, infos[i].clock_rate);
        sc_write_u32(&writer, infos[i].pt);
    }
    sc_leave();
    return sc_writer_done(&writer);
}

static pj_status_t audio_sdp(pj_pool_t *pool, sc_text address, uint32_t port, pj_str_t *text)
{
    pjmedia_sock_info socket;
    pjmedia_sdp_session *sdp;
    pj_str_t host = pj_str((char *)address);
    int af = strchr(address, ':') ? pj_AF_INET6() : pj_AF_INET();
    pj_status_t status;

    pj_bzero(&socket, sizeof(socket));
    status = pj_sockaddr_init(af, &socket.rtp_addr_name, &host, (pj_uint16_t)port);
    if (status != PJ_SUCCESS)
        return status;
    socket.rtcp_addr_name = socket.rtp_addr_name;
    pj_sockaddr_set_port(&socket.rtcp_addr_name, (pj_uint16_t)(port + 1));
    status = pjmedia_endpt_create_sdp(sc_engine.media, pool, 1, &socket, &sdp);
    if (status == PJ_SUCCESS)
        *text = sc_sdp_print(pool, sdp);
    return status;
}

int32_t sc_engine_audio_sdp(sc_text address, uint32_t port, sc_buffer buffer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(buffer, capacity);
    pj_str_t text = { NULL, 0 };
    pj_pool_t *pool;

    if (!address || !sc_enter())
        return 0;
    pool = sc_pool_create("sdp", 4000);
    if (pool && audio_sdp(pool, address, port, &text) == PJ_SUCCESS)
        sc_write_str(&writer, &text);
    if (pool)
        pj_pool_release(pool);
    sc_leave();
    return sc_writer_done(&writer);
}

int32_t sc_engine_set_max_pending_requests(uint32_t count)
{
    if (!sc_enter())
        return SC_EGONE;
    sc_admission_limit(count);
    sc_leave();
    return PJ_SUCCESS;
}

int32_t sc_engine_set_incoming_requests(sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    pj_status_t status;

    if (!sc_enter())
        return SC_EGONE;
    status = sc_incoming_request_methods(&reader);
    sc_leave();
    return status;
}
