/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the .c files of the shim share; never read by TypeScript or by the header test. */
#ifndef SC_INTERNAL_H
#define SC_INTERNAL_H

#include <pjlib.h>
#include <pjlib-util.h>
#include <pjmedia.h>
#include <pjmedia-codec.h>
#include <pjsip.h>
#include <pjsip_ua.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "shim.h"

/* ---- library.c: the calling thread and the gate --------------------------------------------------------------- */

/* Registers the calling thread with pjlib (once a thread, the descriptor lives as long as the thread knows pj). */
void sc_thread_register(void);
/* What the system calls the calling thread, which is one of ours: at most 15 characters. */
void sc_thread_name(const char *name);

/* Every entry that touches a pj object stands between these two: false when the engine does not run. */
bool sc_enter(void);
void sc_leave(void);

/* Opens and closes the gate; closing waits for entries under way, after it none gets in. */
void sc_gate_open(void);
void sc_gate_close(void);

/* True when the n-th allocation since sc_fail_after(n) is to fail (tests of out-of-memory paths). */
bool sc_should_fail(void);

/* ---- object.c: serial -> object ------------------------------------------------------------------------------- */

typedef enum {
    SC_KIND_INVITATION = 1,
    SC_KIND_INCOMING_REQUEST,
    SC_KIND_AUDIO_MIXER,
    SC_KIND_RTP_TRANSPORT,
    SC_KIND_AUDIO_TRANSPORT,
    SC_KIND_WAVE_FILE,
    SC_KIND_RECORDING_WAVE_FILE
} sc_kind;

typedef struct sc_object {
    uint64_t serial;
    sc_kind kind;
    atomic_uint refs;
    void (*destroy)(struct sc_object *self);
    struct sc_object *next; /* in its bucket */
} sc_object;

/* A zeroed object of `size` bytes with one reference, which the table holds once sc_object_add() was called. */
void *sc_object_new(sc_kind kind, size_t size, void (*destroy)(sc_object *self));
sc_serial sc_object_add(void *object);
/* With a reference of the caller's, or NULL. */
void *sc_object_get(sc_serial serial, sc_kind kind);
void sc_object_ref(void *object);
void sc_object_put(void *object);
/* Takes the object out of the table (true for the first caller only) and gives back the table's reference. */
bool sc_object_remove(void *object);
/* Some object of this kind with a reference of the caller's, or NULL when there is none left. */
void *sc_object_any(sc_kind kind);
unsigned sc_object_count(void);

/* ---- wire.c: records up, argument blocks down ------------------------------------------------------------------ */

#define SC_RECORD_FIELDS 20

/* A record under construction: fields are remembered by address and copied once, into the ring. */
typedef struct {
    uint32_t kind;
    uint64_t serial;
    uint32_t size;
    unsigned count;
    struct {
        const void *data; /* NULL: the scalar */
        uint32_t size;
        bool sized; /* written with its size ahead */
        uint64_t scalar;
    } fields[SC_RECORD_FIELDS];
} sc_record;

void sc_record_init(sc_record *record, uint32_t kind, uint64_t serial);
void sc_record_u8(sc_record *record, uint8_t value);
void sc_record_u32(sc_record *record, uint32_t value);
void sc_record_i32(sc_record *record, int32_t value);
void sc_record_bytes(sc_record *record, const void *data, size_t size);
void sc_record_text(sc_record *record, const char *text);
void sc_record_str(sc_record *record, const pj_str_t *text);
/* Into the ring; signalling is never dropped, `droppable` (log, trace) gives way when the ring is full of it. */
void sc_record_push(sc_record *record, bool droppable);

/* Reads an argument block; after the first read beyond the end `failed` is true and every answer is empty. */
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} sc_reader;

sc_reader sc_reader_init(sc_bytes args, uint32_t size);
uint8_t sc_read_u8(sc_reader *reader);
uint32_t sc_read_u32(sc_reader *reader);
int32_t sc_read_i32(sc_reader *reader);
double sc_read_f64(sc_reader *reader);
/* Points into the block. */
pj_str_t sc_read_text(sc_reader *reader);
/* A NUL-terminated copy in the pool. */
pj_str_t sc_read_text_dup(sc_reader *reader, pj_pool_t *pool);

/* Writes an answer into a caller's buffer. */
typedef struct {
    uint8_t *start;
    uint32_t capacity;
    uint32_t size; /* counts on beyond capacity: the size that would have been needed */
} sc_writer;

sc_writer sc_writer_init(sc_buffer buffer, uint32_t capacity);
void sc_write_u32(sc_writer *writer, uint32_t value);
void sc_write_i32(sc_writer *writer, int32_t value);
void sc_write_f64(sc_writer *writer, double value);
void sc_write_bytes(sc_writer *writer, const void *data, size_t size);
void sc_write_str(sc_writer *writer, const pj_str_t *text);
/* The number of bytes written; negative: the size that is needed. */
int32_t sc_writer_done(const sc_writer *writer);

/* ---- ring.c ------------------------------------------------------------------------------------------------------ */

void sc_ring_push(const sc_record *record, bool droppable);
/* Bytes that wait to be drained. */
size_t sc_ring_size(void);
/* The number of the present run, for sc_ring_wait(). */
uint32_t sc_ring_run(void);
/* Blocks until there is something new to drain, or until that run is over; false then. `seen` is the caller's own. */
bool sc_ring_wait(uint32_t run, uint64_t *seen);
void sc_ring_open(void);
void sc_ring_shut(void);

/* ---- sip_message.c: pjsip_msg <-> record fields; twin of core/sip_message.ts --------------------------------------- */

/* The message as it came: bytes, the peer's address and port, the transport's name. */
void sc_record_rdata(sc_record *record, const pjsip_rx_data *rdata);
/* The message as it was printed for the wire, empty when it was not. */
void sc_record_tdata(sc_record *record, const pjsip_tx_data *tdata);
/* The same fields, empty. */
void sc_record_no_message(sc_record *record);
/* Reads a list of (name, value) and appends the headers to the message. */
pj_status_t sc_read_headers(sc_reader *reader, pj_pool_t *pool, pjsip_msg *msg);
/* Reads a parsed URI (any scheme) from text; NULL when it does not parse. */
pjsip_uri *sc_parse_uri(pj_pool_t *pool, const pj_str_t *text);
/* True for an IPv4 or IPv6 address, without brackets: pj's own parsers ask a name server about anything else. */
bool sc_is_address(const char *text, size_t size);
/* Parses and guards SDP text; NULL text gives NULL and PJ_SUCCESS. */
pj_status_t sc_sdp_parse(pj_pool_t *pool, const pj_str_t *text, pjmedia_sdp_session **sdp);
/* True for SDP that pjmedia 2.17 survives (see sdp_guard.c). */
bool sc_sdp_is_safe(const char *text, size_t size);
/* Prints SDP into the pool; empty when there is none. */
pj_str_t sc_sdp_print(pj_pool_t *pool, const pjmedia_sdp_session *sdp);

/* ---- log.c, tx_buffer.c, door.c: modules of the endpoint ------------------------------------------------------------ */

void sc_log_install(void);
extern pjsip_module sc_trace_module;
extern pjsip_module sc_tx_buffer_module;
extern pjsip_module sc_door_module;

/* ---- parse_guard.c --- what cannot be parsed, or should not be ------------------------------------------------------- */

void sc_parse_guard_init(void);
/* A Record-Route that a request can be sent along; true for any other header. */
bool sc_is_good_route(const pjsip_hdr *header);

/* ---- identity.c -------------------------------------------------------------------------------------------------- */

extern pjsip_module sc_identity_module;

/* Empty: messages name nobody. The old text stays in the engine's pool for messages that are being printed. */
pj_status_t sc_identity_set(const pj_str_t *text);
void sc_identity_clear(void);

/* ---- resolver.c -------------------------------------------------------------------------------------------------- */

pj_status_t sc_resolver_init(void);

/* ---- transports.c ------------------------------------------------------------------------------------------------ */

typedef enum { SC_TRANSPORT_UDP, SC_TRANSPORT_TCP, SC_TRANSPORT_TLS, SC_TRANSPORT_KINDS } sc_transport_kind;
typedef struct sc_listener sc_listener;

/* Where all listen; empty: at all addresses. */
pj_status_t sc_transports_init(int af, const pj_str_t *address);
void sc_transports_clear(void);
/* Port 0: any free one, -1: off. On failure the old socket stays. */
pj_status_t sc_transports_set_port(sc_transport_kind kind, int port);
pj_status_t sc_transports_set_tls(int port);
/*
 * Under the dialog's lock: the socket that the dialog's peer knows stays open until the dialog's owner releases it.
 * `tp`: what the dialog came by; NULL for one that goes out. NULL: there is none to hold.
 */
sc_listener *sc_listener_pin(pjsip_dialog *dlg, pjsip_transport *tp);
void sc_listener_release(sc_listener *listener);

/* ---- connections.c ------------------------------------------------------------------------------------------------ */

void sc_connections_init(void);
void sc_connections_clear(void);
/* What was made under old TLS options carries no new request. */
void sc_connections_renew_tls(void);

/* ---- tls.c --------------------------------------------------------------------------------------------------------- */

/* Least version (u32), verify (u8), CA file, certificate file, key file (text), handshake time in ms (u32). */
pj_status_t sc_tls_set_options(sc_reader *reader);
void sc_tls_keep_old_options(void);
void sc_tls_setting(pjsip_tls_setting *setting);
bool sc_tls_verifies(void);
/* Whether the certificate is one of this host name or address. */
bool sc_tls_is_named(const pj_str_t *pem, const pj_str_t *name);

/* ---- admission.c ------------------------------------------------------------------------------------------------- */

extern pjsip_module sc_admission_module;

/* An invitation or a request that came in waits for its answer, and waits no more. */
void sc_admission_enter(sc_kind kind);
void sc_admission_leave(sc_kind kind);

/* ---- engine.c ---------------------------------------------------------------------------------------------------- */

typedef struct {
    pj_caching_pool cp;
    pj_pool_t *pool;
    pjsip_endpoint *endpt;
    pjmedia_endpt *media;
    pjmedia_event_mgr *events;
    unsigned rtp_min, rtp_max, rtp_next;
} sc_engine_state;

extern sc_engine_state sc_engine;
extern pjsip_module sc_core_module;

/* A pool of the endpoint's; NULL when memory is out (or a test says so). */
pj_pool_t *sc_pool_create(const char *name, unsigned size);

/* Allow in a 405; Allow, Accept and Supported in the 200 of an OPTIONS. */
void sc_add_capabilities(pjsip_tx_data *tdata);

/* ---- fork.c ------------------------------------------------------------------------------------------------------ */

extern pjsip_module sc_fork_module;

/* A response of another branch has come: the dialog that it belongs to, NULL for none. */
pjsip_dialog *sc_fork(pjsip_dialog *first, pjsip_rx_data *rdata);

/* ---- nouns, as engine.c needs them -------------------------------------------------------------------------------- */

pj_status_t sc_invitation_init(void);
void sc_invitation_on_invite(pjsip_rx_data *rdata);
/* While the engine ends: no record of it any more. */
void sc_invitation_abandon(void *object);
bool sc_incoming_request_wants(const pjsip_method *method);
void sc_incoming_request_on_request(pjsip_rx_data *rdata);
/* Answers 500 to what waited too long for its answer. */
void sc_incoming_request_sweep(void);
pj_status_t sc_incoming_request_methods(sc_reader *reader);

/* ---- media_clock.c: one thread drives all mixers ------------------------------------------------------------------- */

typedef struct sc_clock_client {
    void (*tick)(void *arg);
    void *arg;
    struct sc_clock_client *prev, *next;
} sc_clock_client;

pj_status_t sc_clock_start(void);
/* Joins the thread. */
void sc_clock_stop(void);
void sc_clock_add(sc_clock_client *client);
/* When it returns the client's tick is not running and will not run. */
void sc_clock_remove(sc_clock_client *client);
/*
 * No tick runs between these. A port enters and leaves its bridge in between: pjmedia puts it in and takes out one
 * that is new without the ticks' knowing, and a stream whose transport closes must not be sending.
 */
void sc_clock_hold(void);
void sc_clock_go_on(void);

/* ---- audio_mixer.c ------------------------------------------------------------------------------------------------ */

typedef struct sc_mixer sc_mixer;

/* Adds the port; the slot, or -1 and a status. */
int sc_mixer_add(sc_mixer *mixer, pjmedia_port *port, pj_str_t name, pj_status_t *status);
void sc_mixer_remove(sc_mixer *mixer, int slot);
unsigned sc_mixer_rate(const sc_mixer *mixer);
pj_status_t sc_mixer_volume(sc_mixer *mixer, int slot, uint32_t percent);

/* ---- rtp_transport.c ------------------------------------------------------------------------------------------------ */

pjmedia_transport *sc_rtp_transport_media(void *transport);

#endif
