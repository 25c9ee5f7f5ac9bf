/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ice_internal.h"
#include "rtp_transport.h"

typedef struct {
    sc_object object;
    pjmedia_transport *below; /* a pair of sockets, or ICE */
    pjmedia_transport *media; /* what is above it: closing it closes all */
    bool is_ice;
    bool created; /* pjmedia_transport_media_create() was called */
} rtp_transport;

static void destroy(sc_object *object)
{
    rtp_transport *self = (rtp_transport *)object;

    if (self->created)
        pjmedia_transport_media_stop(self->media);
    if (self->media)
        pjmedia_transport_close(self->media);
}

pjmedia_transport *sc_rtp_transport_media(void *transport)
{
    return ((rtp_transport *)transport)->media;
}

void sc_rtp_transport_wrap(void *transport, pjmedia_transport *media)
{
    ((rtp_transport *)transport)->media = media;
}

static pj_status_t open_sockets(rtp_transport *self, const char *address, unsigned port)
{
    int af = strchr(address, ':') ? pj_AF_INET6() : pj_AF_INET();
    pj_str_t host = pj_str((char *)address);

    return pjmedia_transport_udp_create3(sc_engine.media, af, NULL, host.slen ? &host : NULL, (int)port, 0,
                                         &self->below);
}

/* The even ports of the range in turn, so that a port is reused as late as possible. */
static pj_status_t open_pair(rtp_transport *self, const char *address, const sc_ice_options *ice)
{
    unsigned first = (sc_engine.rtp_min + 1) & ~1u, pairs, i;
    pj_status_t status = SC_ENOPORT;

    if (sc_engine.rtp_max <= first)
        return SC_ENOPORT;
    pairs = (sc_engine.rtp_max - first + 1) / 2;
    for (i = 0; i < pairs; i++) {
        unsigned port = sc_engine.rtp_next;

        if (port < first || port + 1 > sc_engine.rtp_max || port & 1)
            port = first;
        sc_engine.rtp_next = port + 2;
        if (ice)
            status = sc_ice_open(self->object.serial, address, port, ice, &self->below);
        else
            status = open_sockets(self, address, port);
        if (status == PJ_SUCCESS)
            return PJ_SUCCESS;
        if (status != PJ_STATUS_FROM_OS(EADDRINUSE) && status != PJ_STATUS_FROM_OS(EACCES))
            return status;
    }
    return SC_ENOPORT;
}

static void release_pool(void *pool)
{
    pj_pool_release(pool);
}

static pj_status_t open_ice(rtp_transport *self, const char *address, sc_reader *reader)
{
    pj_pool_t *pool = sc_pool_create("ice", 1000);
    sc_ice_options options;
    pj_status_t status;

    if (!pool)
        return PJ_ENOMEM;
    status = sc_ice_read_options(reader, pool, &options);
    if (status == PJ_SUCCESS && options.relay_only)
        status = sc_ice_open(self->object.serial, address, 0, &options, &self->below);
    else if (status == PJ_SUCCESS)
        status = open_pair(self, address, &options);
    if (status == PJ_SUCCESS) {
        status = pj_grp_lock_add_handler(self->below->grp_lock, NULL, pool, release_pool);
        if (status != PJ_SUCCESS)
            pjmedia_transport_close(self->below);
    }
    if (status != PJ_SUCCESS)
        pj_pool_release(pool);
    return status;
}

/* `reader`: the settings of ICE, or NULL. */
static pj_status_t open_transport(rtp_transport *self, const char *address, sc_reader *reader)
{
    pj_status_t status;

    self->is_ice = reader != NULL;
    status = self->is_ice ? open_ice(self, address, reader) : open_pair(self, address, NULL);
    if (status != PJ_SUCCESS)
        return status;
    status = sc_source_guard_create(self->below, &self->media);
    if (status != PJ_SUCCESS)
        pjmedia_transport_close(self->below);
    return status;
}

static sc_rtp_transport create(sc_text address, sc_reader *reader, sc_status status)
{
    pj_status_t result = SC_EGONE;
    sc_serial serial = 0;
    rtp_transport *self;

    if (address && sc_enter()) {
        self = sc_object_new(SC_KIND_RTP_TRANSPORT, sizeof(*self), destroy);
        result = self ? open_transport(self, address, reader) : PJ_ENOMEM;
        if (result == PJ_SUCCESS)
            serial = sc_object_add(self);
        else
            sc_object_put(self);
        sc_leave();
    }
    if (status)
        *status = result;
    return serial;
}

sc_rtp_transport sc_rtp_transport_create(sc_text address, sc_status status)
{
    return create(address, NULL, status);
}

sc_rtp_transport sc_rtp_transport_create_ice(sc_text address, sc_bytes args, uint32_t size, sc_status status)
{
    sc_reader reader = sc_reader_init(args, size);

    return create(address, &reader, status);
}

int32_t sc_rtp_transport_close(sc_rtp_transport transport)
{
    rtp_transport *self = sc_take(transport, SC_KIND_RTP_TRANSPORT);

    if (!self)
        return SC_EGONE;
    /* A stream that still runs holds a reference: the sockets close with it. */
    sc_object_remove(self);
    sc_give_back(self);
    return PJ_SUCCESS;
}

int32_t sc_rtp_transport_info(sc_rtp_transport transport, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    rtp_transport *self = sc_take(transport, SC_KIND_RTP_TRANSPORT);
    char remote[PJ_INET6_ADDRSTRLEN] = "";
    pjmedia_transport_info info;
    pj_sockaddr local;

    if (!self)
        return 0;
    pjmedia_transport_info_init(&info);
    pjmedia_transport_get_info(self->media, &info);
    local = info.sock_info.rtp_addr_name;
    if (pj_sockaddr_has_addr(&info.src_rtp_name))
        pj_sockaddr_print(&info.src_rtp_name, remote, sizeof(remote), 0);
    sc_write_u32(&writer, pj_sockaddr_get_port(&local));
    sc_write_bytes(&writer, remote, strlen(remote));
    sc_write_u32(&writer, remote[0] ? pj_sockaddr_get_port(&info.src_rtp_name) : 0);
    sc_give_back(self);
    return sc_writer_done(&writer);
}

int32_t sc_rtp_transport_ice(sc_rtp_transport transport, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    rtp_transport *self = sc_take(transport, SC_KIND_RTP_TRANSPORT);

    if (!self)
        return 0;
    if (self->is_ice)
        sc_ice_write_state(self->below, &writer);
    sc_give_back(self);
    return sc_writer_done(&writer);
}

/* One negotiation; with ICE it is the SIP thread's, whose timers may be at work on the same session. */
typedef struct {
    rtp_transport *self;
    pj_pool_t *pool; /* its own: a call may have as many as its peer likes */
    pjmedia_sdp_session *local, *remote;
    uint32_t index;
} negotiation;

/* Both descriptions and the section of both; on success the pool is the caller's to release. */
static pj_status_t read_negotiation(negotiation *each, rtp_transport *self, sc_reader *reader, uint32_t index)
{
    pj_str_t local_text = sc_read_text(reader), remote_text = sc_read_text(reader);
    pj_status_t status;

    *each = (negotiation){ self, NULL, NULL, NULL, index };
    if (reader->failed)
        return SC_EARGS;
    each->pool = sc_pool_create("rtp", 4000);
    if (!each->pool)
        return PJ_ENOMEM;
    status = sc_sdp_parse(each->pool, &local_text, &each->local);
    if (status == PJ_SUCCESS)
        status = sc_sdp_parse(each->pool, &remote_text, &each->remote);
    if (status == PJ_SUCCESS &&
        (!each->local || index >= each->local->media_count || (each->remote && index >= each->remote->media_count)))
        status = SC_EARGS;
    if (status != PJ_SUCCESS)
        pj_pool_release(each->pool);
    else if (self->is_ice && each->remote)
        sc_ice_clean(each->remote, index);
    return status;
}

static pj_status_t negotiate(pj_status_t (*work)(void *arg), negotiation *arg)
{
    return arg->self->is_ice ? sc_on_poll_thread(work, arg) : work(arg);
}

static pj_status_t describe(void *arg)
{
    negotiation *each = arg;
    rtp_transport *self = each->self;
    pj_status_t status;

    if (self->is_ice)
        sc_ice_prepare(self->below, each->pool, each->local->media[each->index]);
    if (!self->created) {
        status = pjmedia_transport_media_create(self->media, each->pool, 0, each->remote, each->index);
        if (status != PJ_SUCCESS)
            return status;
        self->created = true;
    }
    return pjmedia_transport_encode_sdp(self->media, each->pool, each->local, each->remote, each->index);
}

int32_t sc_rtp_transport_encode(sc_rtp_transport transport, sc_bytes args, uint32_t size, uint32_t index,
                                sc_status status, sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);
    sc_reader reader = sc_reader_init(args, size);
    rtp_transport *self = sc_take(transport, SC_KIND_RTP_TRANSPORT);
    pj_status_t result = SC_EGONE;
    negotiation each;

    if (self) {
        result = read_negotiation(&each, self, &reader, index);
        if (result == PJ_SUCCESS) {
            pj_str_t text = { NULL, 0 };

            result = negotiate(describe, &each);
            if (result == PJ_SUCCESS)
                text = sc_sdp_print(each.pool, each.local);
            sc_write_str(&writer, &text);
            pj_pool_release(each.pool);
        }
        sc_give_back(self);
    }
    if (status)
        *status = result;
    return sc_writer_done(&writer);
}

/*
 * pjmedia 2.17 begins to read before it notes that it has started. A packet that the peer has sent early is taken for
 * one after the end then, and none is ever read again. Under the transport's lock its reader waits.
 */
static pj_status_t start(void *arg)
{
    negotiation *each = arg;
    pjmedia_transport *media = each->self->media;
    pj_status_t status;

    pj_grp_lock_acquire(media->grp_lock);
    status = pjmedia_transport_media_start(media, each->pool, each->local, each->remote, each->index);
    pj_grp_lock_release(media->grp_lock);
    return status;
}

int32_t sc_rtp_transport_establish(sc_rtp_transport transport, sc_bytes args, uint32_t size, uint32_t index)
{
    sc_reader reader = sc_reader_init(args, size);
    rtp_transport *self = sc_take(transport, SC_KIND_RTP_TRANSPORT);
    negotiation each;
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = read_negotiation(&each, self, &reader, index);
    if (status == PJ_SUCCESS) {
        status = each.remote ? negotiate(start, &each) : SC_EARGS;
        pj_pool_release(each.pool);
    }
    sc_give_back(self);
    return status;
}

static pj_status_t restart(void *arg)
{
    return sc_ice_media_restart(((negotiation *)arg)->self->below);
}

int32_t sc_rtp_transport_restart_ice(sc_rtp_transport transport)
{
    rtp_transport *self = sc_take(transport, SC_KIND_RTP_TRANSPORT);
    pj_status_t status = PJ_EINVALIDOP;

    if (!self)
        return SC_EGONE;
    if (self->is_ice && self->created)
        status = negotiate(restart, &(negotiation){ .self = self });
    sc_give_back(self);
    return status;
}

static pj_status_t stop(void *arg)
{
    return pjmedia_transport_media_stop(((negotiation *)arg)->self->media);
}

int32_t sc_rtp_transport_reset(sc_rtp_transport transport)
{
    rtp_transport *self = sc_take(transport, SC_KIND_RTP_TRANSPORT);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    if (self->is_ice && self->created)
        negotiate(stop, &(negotiation){ .self = self });
    /*
     * Without ICE the sockets are read on: pjmedia_transport_media_stop() does not wait for a reader under way, which
     * would then begin anew while the next start does the same.
     */
    status = sc_srtp_reset(self->media);
    self->created = false;
    sc_give_back(self);
    return status;
}
