/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the .c files of the shim share; never read by TypeScript or by the header test. */
#ifndef SC_INTERNAL_H
#define SC_INTERNAL_H

#include <pjlib.h>
#include <pjlib-util.h>
#include <pjmedia.h>
#include <pjmedia-codec.h>
#include <pjsip.h>
#include <pjsip_simple.h>
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

/* For pthread_cond_timedwait(): a condition, and so many ms from now, whatever happens to the time of day. */
void sc_cond_init(pthread_cond_t *cond);
struct timespec sc_from_now(unsigned ms);

/* Every entry that touches a pj object stands between these two: false when the engine does not run. */
bool sc_enter(void);
void sc_leave(void);

/* Opens and closes the gate; closing waits for entries under way, after it none gets in. */
void sc_gate_open(void);
void sc_gate_close(void);

/* True when the n-th allocation since sc_fail_after(n) is to fail (tests of out-of-memory paths). */
bool sc_should_fail(void);

/* ---- pool_blocks.c: the memory of pools ------------------------------------------------------------------------ */

void *sc_block_alloc(pj_pool_factory *factory, pj_size_t size);
void sc_block_free(pj_pool_factory *factory, void *address, pj_size_t size);

/* ---- object.c: serial -> object ------------------------------------------------------------------------------- */

typedef enum {
    SC_KIND_INVITATION = 1,
    SC_KIND_INCOMING_REQUEST,
    SC_KIND_REQUEST,
    SC_KIND_SUBSCRIPTION,
    SC_KIND_INCOMING_SUBSCRIPTION,
    SC_KIND_REFERRAL,
    SC_KIND_INCOMING_REFERRAL,
    SC_KIND_AUDIO_MIXER,
    SC_KIND_RTP_TRANSPORT,
    SC_KIND_AUDIO_TRANSPORT,
    SC_KIND_WAVE_FILE,
    SC_KIND_RECORDING_WAVE_FILE,
    SC_KIND_MIXER_PORT,
    SC_KIND_TONE_GENERATOR,
    SC_KIND_PCM_PORT
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
/* The same for a row: between the two the library stays. NULL when it does not run, or has no such object. */
void *sc_take(sc_serial serial, sc_kind kind);
void sc_give_back(void *object);
/* Takes the object out of the table (true for the first caller only) and gives back the table's reference. */
bool sc_object_remove(void *object);
/* Some object of this kind with a reference of the caller's, or NULL. `from`: where the last one was; 0 at first. */
void *sc_object_any(sc_kind kind, size_t *from);
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
/* As a double. */
void sc_record_serial(sc_record *record, uint64_t serial);
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

/* ---- name_set.c: names that one thread asks for while another changes them ------------------------------------- */

#define SC_NAME_SET_MAX 64
#define SC_NAME_SIZE 64

typedef struct {
    pthread_rwlock_t lock;
    unsigned count;
    char names[SC_NAME_SET_MAX][SC_NAME_SIZE];
} sc_name_set;

#define SC_NAME_SET_INITIALIZER { .lock = PTHREAD_RWLOCK_INITIALIZER }

/* In place of what it holds: a list of text. */
pj_status_t sc_name_set_read(sc_name_set *self, sc_reader *reader);
bool sc_name_set_has(sc_name_set *self, const pj_str_t *name);
/* Copies them into the pool; how many. */
unsigned sc_name_set_copy(sc_name_set *self, pj_pool_t *pool, pj_str_t names[], unsigned capacity);

/* ---- ring.c ------------------------------------------------------------------------------------------------------ */

void sc_ring_push(const sc_record *record, bool droppable);
/* Bytes that wait to be drained. */
size_t sc_ring_size(void);
/* Records of SC_RECORD_MESSAGE among them. */
unsigned sc_ring_messages(void);
/* From now on the calling thread rings by sc_ring_deferred() only, which it calls with no lock of PJSIP's. */
void sc_ring_defer(void);
void sc_ring_deferred(void);
/* Whether that will ring: something is there, and JavaScript is at rest. */
bool sc_ring_rouses(void);
/*
 * JavaScript's thread looks for itself until sc_ring_leave(): what it pushes rings nobody, and what another thread
 * pushes calls `wake`. All tell whether there is something to drain.
 */
bool sc_ring_attend(void (*wake)(void));
bool sc_ring_found(void);
bool sc_ring_leave(void);
/* What a deferring thread calls to ring; NULL: it wakes the one in sc_ring_wait(). Until the ring is shut. */
void sc_ring_call(void (*call)(void));
/* The number of the present run, for sc_ring_wait(). */
uint32_t sc_ring_run(void);
/* Blocks until there is something new to drain; false when that run is over. `seen` is the caller's own. */
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
/* Takes them out again, also of a copy of the message. */
void sc_remove_headers(pjsip_msg *msg);
/* Reads a content type (empty: there is no body) and the bytes of a body. */
pj_status_t sc_read_body(sc_reader *reader, pj_pool_t *pool, pjsip_msg *msg);
/* Reads a parsed URI (any scheme) from text; NULL when it does not parse. */
pjsip_uri *sc_parse_uri(pj_pool_t *pool, const pj_str_t *text);
/* True for an IPv4 or IPv6 address, without brackets: pj's own parsers ask a name server about anything else. */
bool sc_is_address(const char *text, size_t size);
/* Parses and guards SDP text; NULL text gives NULL and PJ_SUCCESS. */
pj_status_t sc_sdp_parse(pj_pool_t *pool, const pj_str_t *text, pjmedia_sdp_session **sdp);
/* True for SDP that pjmedia 2.17 survives (see sdp_guard.c). */
bool sc_sdp_is_safe(const char *text, size_t size);
/* A copy, ended by a NUL, in which i= lines are attributes (see sdp_info.c); without a pointer when there is no memory. */
pj_str_t sc_sdp_hide_info(pj_pool_t *pool, const pj_str_t *text);
/* Makes i= lines of them again, in what pjmedia has printed; its new size, which is never larger. */
size_t sc_sdp_reveal_info(char *text, size_t size);
/* From now on telephone-event alone is no agreement (see sdp_match.c). */
pj_status_t sc_sdp_match_init(void);
/* Prints SDP into the pool; empty when there is none. */
pj_str_t sc_sdp_print(pj_pool_t *pool, const pjmedia_sdp_session *sdp);

/* ---- log.c, tx_buffer.c, door.c: modules of the endpoint ------------------------------------------------------------ */

void sc_log_install(void);
extern pjsip_module sc_trace_module;
extern pjsip_module sc_tx_buffer_module;
extern pjsip_module sc_door_module;

/* Whether this response has lost its session description at the door. */
bool sc_door_has_refused(const pjsip_rx_data *rdata);
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

/* The longest "[address]:port", with its NUL. */
#define SC_CONNECTION_SIZE (PJ_INET6_ADDRSTRLEN + 10)

void sc_connections_init(void);
void sc_connections_clear(void);
/* What was made under old TLS options carries no new request. */
void sc_connections_renew_tls(void);
/* Our end of a connection, as its records have it; empty for what is none. */
void sc_connection_print(const pjsip_transport *tp, char local[SC_CONNECTION_SIZE]);

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
void sc_admission_enter(void);
void sc_admission_leave(void);
/* A request within a dialog passes the admission; what keeps it asks here. */
bool sc_admission_has_room(void);
void sc_admission_limit(unsigned requests);
/* Tells how many were refused since the last time, if any were. */
void sc_admission_report(void);

/* ---- events.c: the event packages ------------------------------------------------------------------------------ */

/* After the endpoint's other modules: the packages (list of name and list of content types), then the incoming ones. */
pj_status_t sc_events_init(sc_reader *reader);
void sc_events_on_subscribe(pjsip_rx_data *rdata);
/* 489, with the packages that are known. */
void sc_events_refuse(pjsip_rx_data *rdata);
/* Whether "refer" is among the packages. */
bool sc_events_know_refer(void);
/* Allow-Events; NULL when no package is known. */
const pjsip_hdr *sc_events_allowed(void);

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

/* ---- poll.c: who polls PJSIP ------------------------------------------------------------------------------------- */

/* What wakes whoever polls, as a key of the endpoint's ioqueue. */
pj_status_t sc_poll_open(void);
void sc_poll_close(void);
/* Starts the SIP thread; `end` is the last that it does. */
pj_status_t sc_poll_start(void (*end)(void));
void sc_poll_stop(void);
/* Waits for the thread; false when nobody has stopped it. */
bool sc_poll_join(void);
/* When no thread polls any more, or none ever has: until then sc_poll_stop() may be waking it. */
void sc_poll_ended(void);
/* Does the work on the poll thread, between two messages, and waits for it. Of JavaScript's thread only. */
pj_status_t sc_on_poll_thread(pj_status_t (*work)(void *arg), void *arg);

typedef enum { SC_POLL_LEFT, SC_POLL_FOUND, SC_POLL_TURN } sc_poll_result;

/* JavaScript's thread polls in place of the SIP thread, if that is worth while (see sc_bell_linger()). */
sc_poll_result sc_poll_linger(bool first);

/* ---- core_module.c ---------------------------------------------------------------------------------------------- */

void sc_core_detect_loops(bool on);
/* Allow in a 405; Allow, Accept, Supported and Allow-Events in the 200 of an OPTIONS. */
void sc_add_capabilities(pjsip_tx_data *tdata);
bool sc_is_message(const pjsip_method *method);
/* Answers a request outside dialogs in a transaction of its own; headers may be NULL. */
void sc_answer(pjsip_rx_data *rdata, int code, const pjsip_hdr *headers);

/* ---- credentials.c ----------------------------------------------------------------------------------------------- */

/*
 * A list: realm, username, data (text), u8 digest (data is the HA1 hash), text algorithm (of that hash).
 */
pj_status_t sc_credentials_read(sc_reader *reader, pjsip_auth_clt_sess *session);
/* The same for a dialog, whose challenges are then chosen from as well. */
pj_status_t sc_credentials_read_dialog(sc_reader *reader, pjsip_dialog *dlg);
/* False when the list that comes next is empty. */
bool sc_credentials_are_next(const sc_reader *reader);
/* Takes out of a 401 or 407 the challenges that are not to be answered: for each realm the strongest stays. */
void sc_credentials_choose(const pjsip_auth_clt_sess *session, pjsip_msg *msg);
/* After pjsip has answered: what the program has given for the same realm in a header of its own goes. */
void sc_credentials_replace(pj_pool_t *pool, pjsip_msg *msg);
extern pjsip_module sc_credentials_module;

/* ---- dialog.c ---------------------------------------------------------------------------------------------------- */

/*
 * Makes a dialog that goes out, and locks it; also on failure, where there is one: without a session it goes when its
 * lock is given back. Reads the request URI, From without and with its parameters, To likewise, Contact, Route
 * (name-addr or URI; it may be empty) and the name that the certificate must bear.
 */
pj_status_t sc_dialog_create(sc_reader *reader, pj_pool_t *pool, pjsip_dialog **dlg);
/* Our Contact: the request URI when it is an address of ours, else its user at the address the request came to. */
pj_str_t sc_dialog_contact(pjsip_rx_data *rdata);
/* pjsip puts it into the answers that carry one (1xx, 2xx, 3xx, 485), and into what follows in the dialog. */
pj_status_t sc_dialog_set_contact(pjsip_dialog *dlg, const pj_str_t *contact);

/* ---- request.c --------------------------------------------------------------------------------------------------- */

extern pjsip_module sc_request_module;

/* ---- fork.c ------------------------------------------------------------------------------------------------------ */

extern pjsip_module sc_fork_module;

/* A response of another branch has come: the dialog that it belongs to, NULL for none. */
pjsip_dialog *sc_fork(pjsip_dialog *first, pjsip_rx_data *rdata);

/* ---- nouns, as engine.c needs them -------------------------------------------------------------------------------- */

extern pjsip_module sc_invitation_module;
extern pjsip_module sc_transfer_module;

pj_status_t sc_invitation_init(void);
void sc_invitation_on_invite(pjsip_rx_data *rdata);
/* The door has refused the session description of a request, which may have been meant for a call. */
void sc_invitation_on_refused_sdp(pjsip_rx_data *rdata);
/* Whether the response waits for what the program answers to the offer in it. */
bool sc_invitation_hold_offer(pjsip_rx_data *rdata);
/* While the engine ends: no record of it any more. */
void sc_invitation_abandon(void *object);
/* Sends the 100s that are due; and forgets them. On the poll thread. */
void sc_trying_sweep(const pj_time_val *now);
void sc_trying_clear(void);
/* The watching end, of SC_KIND_SUBSCRIPTION and SC_KIND_REFERRAL; the blocks are those of subscription.h and referral.h. */
sc_serial sc_subscriber_create(sc_kind kind, sc_bytes args, uint32_t size, sc_status status);
int32_t sc_subscriber_refresh(sc_kind kind, sc_serial serial, sc_bytes args, uint32_t size);
int32_t sc_subscriber_end(sc_kind kind, sc_serial serial, uint32_t timeout);
/* While the engine ends: no record of it any more. */
void sc_subscriber_abandon(void *object);
/* The notifying end, of SC_KIND_INCOMING_SUBSCRIPTION and SC_KIND_INCOMING_REFERRAL. `alone`: without a subscription. */
void sc_notifier_on_request(sc_kind kind, bool alone, pjsip_rx_data *rdata);
int32_t sc_notifier_reject(sc_kind kind, sc_serial serial, uint32_t code);
int32_t sc_notifier_accept_pending(sc_kind kind, sc_serial serial);
/* `seconds`: the term; 0: what was asked for. */
int32_t sc_notifier_accept(sc_kind kind, sc_serial serial, uint32_t code, uint32_t seconds, sc_bytes args,
                           uint32_t size);
int32_t sc_notifier_push(sc_kind kind, sc_serial serial, sc_bytes args, uint32_t size);
int32_t sc_notifier_end(sc_kind kind, sc_serial serial, sc_bytes args, uint32_t size);
/* While the engine ends: no record of it any more. */
void sc_notifier_abandon(void *object);
void sc_incoming_referral_on_refer(pjsip_rx_data *rdata);
bool sc_incoming_request_wants(const pjsip_method *method);
/* Those methods, as sc_name_set_copy() gives them. */
unsigned sc_incoming_request_list(pj_pool_t *pool, pj_str_t names[], unsigned capacity);
void sc_incoming_request_on_request(pjsip_rx_data *rdata);
/* Under the dialog's lock. */
void sc_incoming_request_in_dialog(pjsip_dialog *dlg, pjsip_transaction *tsx, pjsip_rx_data *rdata);
/* The same for one that is told by a record of the caller's, with its serial; 0: it was answered 500. */
uint64_t sc_incoming_request_take_up(pjsip_dialog *dlg, pjsip_transaction *tsx, pjsip_rx_data *rdata);
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

/* ---- alsa.c: libasound, if this machine has it ----------------------------------------------------------------------- */

bool sc_alsa_load(void);
/* Reads the configuration anew and calls `each` for every device that can be opened; which takes that long. */
void sc_alsa_each(void (*each)(void *arg, const char *name, bool input, bool output), void *arg);
/* A hash of what the configuration says of a device. */
uint32_t sc_alsa_definition(const char *name, bool input);
/* In one direction, which `param` says; not for two threads at once. */
pj_status_t sc_alsa_open(const char *name, pjmedia_aud_param *param, pjmedia_aud_rec_cb captured,
                         pjmedia_aud_play_cb play, void *arg, pjmedia_aud_stream **stream);
/* When the last stream is closed. */
void sc_alsa_end(void);

/* ---- devices.c -------------------------------------------------------------------------------------------------------- */

/* Joins its thread. */
void sc_devices_end(void);

/* ---- echo_canceller.c ------------------------------------------------------------------------------------------------- */

typedef struct sc_echo_canceller sc_echo_canceller;

/* `tail` and `latency`, that of the loudspeaker, in ms. NULL: no memory. */
sc_echo_canceller *sc_echo_canceller_create(pj_pool_t *pool, unsigned rate, unsigned tail, unsigned latency);

typedef struct {
    pthread_mutex_t mutex;
    sc_echo_canceller *canceller; /* NULL: off */
} sc_echo;

void sc_echo_init(sc_echo *echo);
void sc_echo_destroy(sc_echo *echo);
/* Takes the canceller over and destroys the one before. */
void sc_echo_set(sc_echo *echo, sc_echo_canceller *canceller);
/* A frame goes to the loudspeaker. */
void sc_echo_played(sc_echo *echo, const int16_t *samples);
/* A frame has come from the microphone; its echo is taken out. */
void sc_echo_captured(sc_echo *echo, int16_t *samples);

/* ---- sound_device.c --------------------------------------------------------------------------------------------------- */

/* Longer names, with their NUL, are nobody's. */
#define SC_DEVICE_NAME_SIZE 256
/* ALSA converts from and to no lower rate. */
#define SC_SOUND_DEVICE_MIN_RATE 4000

typedef struct sc_sound_device sc_sound_device;

typedef struct {
    uint64_t mixer; /* who hears that it is lost */
    unsigned rate;
    pjmedia_port *master; /* gets what an input has heard */
    sc_echo *echo;
} sc_sound_device_owner;

/* PJMEDIA_DIR_CAPTURE or PJMEDIA_DIR_PLAYBACK. It runs from now on, or is only opened to see whether it can be. */
pj_status_t sc_sound_device_open(const char *name, pjmedia_dir direction, bool run, const sc_sound_device_owner *owner,
                                 sc_sound_device **device);
/* Waits for its thread: for a frame at most. NULL: nothing. */
void sc_sound_device_close(sc_sound_device *device);
/* False for NULL, and when it has failed. */
bool sc_sound_device_is_alive(sc_sound_device *device);
/* How long an output takes to play what it gets, in ms. */
unsigned sc_sound_device_latency(sc_sound_device *device);
/* Once each tick: for an output with the frame of it, for an input without. */
void sc_sound_device_play(sc_sound_device *device, int16_t *samples);
void sc_sound_device_tick(sc_sound_device *device);

/* ---- audio_mixer.c ------------------------------------------------------------------------------------------------ */

typedef struct sc_mixer sc_mixer;

/* Adds the port; the slot, or -1 and a status. */
int sc_mixer_add(sc_mixer *mixer, pjmedia_port *port, pj_str_t name, pj_status_t *status);
void sc_mixer_remove(sc_mixer *mixer, int slot);
unsigned sc_mixer_rate(const sc_mixer *mixer);
pj_status_t sc_mixer_volume(sc_mixer *mixer, int slot, uint32_t percent);

/* ---- media_port.c: what stands in a slot ---------------------------------------------------------------------------- */

/* The start of every port of ours. */
typedef struct sc_port {
    pjmedia_port base;
    pj_pool_t *pool;
    void (*leave)(struct sc_port *self); /* its owner goes, and the clock is held; it may be NULL */
    void (*destroy)(struct sc_port *self); /* for what is not in the pool; it may be NULL */
} sc_port;

/* Zeroed, of `size` bytes; mono, a frame a tick, and silent. It goes by pjmedia_port_destroy(). NULL: no memory. */
void *sc_port_new(size_t size, const char *name, unsigned rate);

typedef struct {
    sc_object object;
    sc_mixer *mixer;
    sc_port *port;
    int slot;
} sc_port_owner;

/* Makes the port; NULL and a status on failure. */
typedef sc_port *sc_port_maker(sc_port_owner *owner, const void *arg, pj_status_t *status);

/* What the rows of such an object do. */
sc_serial sc_port_owner_create(sc_kind kind, sc_serial mixer, sc_port_maker *make, const void *arg, sc_status status);
int32_t sc_port_owner_close(sc_kind kind, sc_serial serial);
int32_t sc_port_owner_slot(sc_kind kind, sc_serial serial);
int32_t sc_port_owner_set_volume(sc_kind kind, sc_serial serial, uint32_t percent);

/* ---- dtmf_receiver.c -------------------------------------------------------------------------------------------------- */

#define SC_DTMF_FORMATS 8

typedef struct {
    pthread_mutex_t mutex;
    uint64_t serial; /* who hears of the keys */
    unsigned count;
    struct {
        unsigned payload_type, clock_rate;
    } formats[SC_DTMF_FORMATS];
    bool has_heard;
    atomic_bool is_open; /* an event goes on */
    unsigned event, clock_rate, duration;
    uint32_t ssrc, timestamp, earlier;
    int64_t last, refilled, allowance;
} sc_dtmf_receiver;

void sc_dtmf_receiver_init(sc_dtmf_receiver *self, uint64_t serial);
void sc_dtmf_receiver_destroy(sc_dtmf_receiver *self);
/* A payload type of telephone-event; what is beyond SC_DTMF_FORMATS of them is not heard. */
void sc_dtmf_receiver_format(sc_dtmf_receiver *self, unsigned payload_type, unsigned clock_rate);
/* A packet of the peer's, of any payload type. */
void sc_dtmf_receiver_hear(sc_dtmf_receiver *self, unsigned payload_type, uint32_t ssrc, uint32_t timestamp,
                           const uint8_t *payload, size_t size);
/* Time has passed. */
void sc_dtmf_receiver_tick(sc_dtmf_receiver *self);

/* ---- rtp_tap.c --------------------------------------------------------------------------------------------------------- */

typedef struct sc_rtp_tap sc_rtp_tap;

/* What the peer reports of what we have sent, in us and packets. */
typedef struct {
    pj_math_stat rtt, jitter, loss_period;
    uint32_t lost;
} sc_tx_reports;

/* In the pool, which lives at least as long as the stream; `serial`: who hears of the keys that are pressed. */
sc_rtp_tap *sc_rtp_tap_create(pj_pool_t *pool, pjmedia_transport *below, uint64_t serial);
void sc_rtp_tap_destroy(sc_rtp_tap *self);
/* For the stream. */
pjmedia_transport *sc_rtp_tap_transport(sc_rtp_tap *self);
sc_dtmf_receiver *sc_rtp_tap_dtmf(sc_rtp_tap *self);
sc_tx_reports sc_rtp_tap_reports(sc_rtp_tap *self);

/* ---- stream_port.c ------------------------------------------------------------------------------------------------------ */

typedef struct sc_stream_port sc_stream_port;

/* Of a mixer with this rate. */
sc_stream_port *sc_stream_port_create(unsigned rate, pj_status_t *status);
/* Goes when the bridge has let it go. */
void sc_stream_port_destroy(sc_stream_port *self);
pjmedia_port *sc_stream_port_base(sc_stream_port *self);
/* While the clock is held. What it needs is from the pool, which must not go before sc_stream_port_leave(). */
pj_status_t sc_stream_port_join(sc_stream_port *self, pjmedia_port *stream, pj_pool_t *pool, sc_dtmf_receiver *dtmf);
void sc_stream_port_leave(sc_stream_port *self);

/* ---- pcm_memory.c ---------------------------------------------------------------------------------------------------- */

/* What the two sides tell each other, ahead of the sound; pcm_memory.h has the places of these words. */
typedef struct {
    /* The media clock's. */
    atomic_uint heard; /* frames, since the start; so are the others */
    atomic_uint played; /* samples */
    atomic_uint underruns; /* how often nothing was there to be played */
    atomic_uint silence; /* how much of it was played instead, in ms */
    uint32_t unused[12];
    /* JavaScript's, in a cache line of their own. */
    atomic_uint written; /* samples */
    atomic_uint wake; /* when it wants to be told */
    atomic_uint wake_at;
    uint32_t unused_either[13];
} sc_pcm_words;

/* Where a port and JavaScript meet. */
typedef struct sc_pcm_place {
    struct sc_pcm_place *next;
    unsigned class;
    uint32_t segment, offset;
    unsigned frame_samples, frames, samples; /* how many fit; powers of two */
    sc_pcm_words *words;
    int16_t *heard; /* frames, to JavaScript */
    int16_t *said; /* samples, from JavaScript */
} sc_pcm_place;

/* Room for `capacity` frames each way; NULL: there is none. */
sc_pcm_place *sc_pcm_place_take(unsigned frame_samples, unsigned capacity);
/* Nobody in C touches it any more. NULL: nothing. */
void sc_pcm_place_give_back(sc_pcm_place *place);
/* Within a tick: some port has what JavaScript waits for. */
void sc_pcm_news(void);
/* When all mixers have ticked: wakes JavaScript if there is news, once for all ports. */
void sc_pcm_tell(void);

/* ---- rtp_transport.c ------------------------------------------------------------------------------------------------ */

pjmedia_transport *sc_rtp_transport_media(void *transport);
/* From now on that is the one to use; it closes the one that it stands around. */
void sc_rtp_transport_wrap(void *transport, pjmedia_transport *media);

/* ---- srtp.c, srtp_sdp.c, srtp_certificate.c ------------------------------------------------------------------------- */

/* Back to where it was made, with other keys; nothing for a transport without SRTP. */
pj_status_t sc_srtp_reset(pjmedia_transport *tp);
/* Of a suite's master key with its salt, in bytes; 0 for a suite that there is not. */
int sc_srtp_key_size(const pj_str_t *suite);
/* Whether this value of an a=crypto line has a suite and a key of its size, and asks for nothing that we lack. */
bool sc_srtp_is_usable(const pj_str_t *crypto);
pj_str_t sc_srtp_suite(const pj_str_t *crypto);
/* Of the peer's certificate; NULL for a description that does not speak of DTLS. */
const pj_str_t *sc_srtp_fingerprint(const pjmedia_sdp_session *sdp, unsigned index);
/* OpenSSL's types, X509 and EVP_PKEY. */
struct x509_st;
struct evp_pkey_st;
bool sc_srtp_make_certificate(struct x509_st **certificate, struct evp_pkey_st **key);
bool sc_srtp_is_fingerprint(struct x509_st *certificate, const pj_str_t *text);

/* ---- redact.c ----------------------------------------------------------------------------------------------------- */

/* A copy for free() with stars for keys; NULL when there is none in it. */
char *sc_hide_keys(const char *text, size_t size);

/* ---- source_guard.c ------------------------------------------------------------------------------------------------- */

/* A transport above that one which hands up what comes from the peer, and nothing else. It goes when that one does. */
pj_status_t sc_source_guard_create(pjmedia_transport *below, pjmedia_transport **guard);

#endif
