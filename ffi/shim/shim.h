/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of the border between C and TypeScript.
 *
 * A declaration that starts with SC_API is a row of the table in ffi/bindings; tests/header_test.ts reads exactly
 * this form and compares both. Objects are named by serials: numbers dealt out by one counter of the process, never
 * used twice, looked up in a table under a lock. A serial of something gone is answered SC_EGONE, never a crash.
 */
#ifndef SC_SHIM_H
#define SC_SHIM_H

#include <stdint.h>

#define SC_API __attribute__((visibility("default")))

/* Raised whenever a row, a record or an argument block changes its form. */
#define SC_ABI 10

/* A NUL-terminated UTF-8 string, valid during the call. */
typedef const char *sc_text;
/* Bytes that the callee reads, valid during the call; their size is the next argument. */
typedef const uint8_t *sc_bytes;
/* Bytes that the callee writes; their size is the next argument. */
typedef uint8_t *sc_buffer;
/* One pj_status_t that a creator writes; creators return the serial, 0 on failure. */
typedef int32_t *sc_status;
/* Memory that is never freed, for a runtime that can look at it; as a result only. */
typedef void *sc_memory;

/* A serial is a whole number below 2^53, so that a double carries it without BigInt in JavaScript. */
typedef double sc_serial;
typedef sc_serial sc_invitation;
typedef sc_serial sc_incoming_request;
typedef sc_serial sc_request;
typedef sc_serial sc_subscription;
typedef sc_serial sc_incoming_subscription;
typedef sc_serial sc_referral;
typedef sc_serial sc_incoming_referral;
typedef sc_serial sc_audio_mixer;
typedef sc_serial sc_rtp_transport;
typedef sc_serial sc_audio_transport;
typedef sc_serial sc_wave_file;
typedef sc_serial sc_recording_wave_file;
typedef sc_serial sc_mixer_port;
typedef sc_serial sc_tone_generator;
typedef sc_serial sc_pcm_port;

/* Answers beside pj_status_t: outside PJSIP's ranges (pj's user range ends at 520000). */
enum sc_error {
    SC_EGONE = 900001, /* the object has ended, or the engine is not running */
    SC_EBUSY = 900002, /* the library serves another isolate, or the engine runs already */
    SC_EARGS = 900003, /* an argument block that cannot be read */
    SC_ENOPORT = 900004, /* no free pair of ports in the RTP range */
    SC_EFULL = 900005 /* every slot of the mixer is in use */
};

/* The kinds of records that come up; twin of ffi/bindings/records.ts. */
enum sc_record_kind {
    SC_RECORD_ENGINE_STOPPED = 1,
    SC_RECORD_LOG = 2,
    SC_RECORD_TRACE = 3,
    SC_RECORD_DROPPED = 4,
    SC_RECORD_TRANSPORT = 5,
    SC_RECORD_CERTIFICATE = 6,
    SC_RECORD_MESSAGE = 7,
    SC_RECORD_OVERLOAD = 8,
    SC_RECORD_DEVICES = 12,
    SC_RECORD_INCOMING_REQUEST = 16,
    SC_RECORD_INCOMING_REQUEST_EXPIRED = 17,
    SC_RECORD_REQUEST_RESPONSE = 24,
    SC_RECORD_INVITATION_INCOMING = 32,
    SC_RECORD_INVITATION_STATE = 33,
    SC_RECORD_INVITATION_ENDING = 34,
    SC_RECORD_INVITATION_CANCELLED = 35,
    SC_RECORD_INVITATION_SDP = 36,
    SC_RECORD_INVITATION_REINVITE = 37,
    SC_RECORD_INVITATION_ACKED = 38,
    SC_RECORD_INVITATION_OFFER = 39,
    SC_RECORD_INVITATION_REQUEST = 40,
    SC_RECORD_INVITATION_TRANSFER = 41,
    SC_RECORD_INVITATION_RESPONSE = 42,
    SC_RECORD_AUDIO_TRANSPORT_DTMF = 48,
    SC_RECORD_RTP_TRANSPORT_GATHERED = 56,
    SC_RECORD_RTP_TRANSPORT_NEGOTIATED = 57,
    SC_RECORD_SRTP = 60,
    SC_RECORD_WAVE_FILE_END = 64,
    SC_RECORD_TONE_GENERATOR_END = 65,
    SC_RECORD_AUDIO_MIXER_DEVICE_LOST = 80,
    SC_RECORD_PCM_NEWS = 82,
    SC_RECORD_SUBSCRIPTION_STATE = 88,
    SC_RECORD_SUBSCRIPTION_ACCEPTED = 89,
    SC_RECORD_SUBSCRIPTION_NOTIFY = 90,
    SC_RECORD_SUBSCRIPTION_ENDING = 91,
    SC_RECORD_INCOMING_SUBSCRIPTION = 96,
    SC_RECORD_INCOMING_REFERRAL = 97,
    SC_RECORD_NOTIFIER_STATE = 98,
    SC_RECORD_NOTIFIER_SUBSCRIBE = 99,
    SC_RECORD_NOTIFIER_ANSWERED = 100,
    SC_RECORD_NOTIFIER_SENT = 101,
    SC_RECORD_NOTIFIER_RESPONSE = 102,
    SC_RECORD_NOTIFIER_TIMEOUT = 103,
    SC_RECORD_NOTIFIER_END = 104
};

#endif
