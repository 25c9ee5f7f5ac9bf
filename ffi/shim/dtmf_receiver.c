/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys that a peer presses, as named events (RFC 4733). pjmedia 2.17 tells events apart by their durations, knows
 * one payload type, and never ends an event whose last packets are lost; here it goes by timestamps.
 */
#include <time.h>

#include "internal.h"

/* An event of which nothing has come for so long is over: its last packets are lost. */
#define OVER_MS 250
/* A finger, and the fastest dialler, press 13 keys a second; what is beyond that, with so many at once, is no key. */
#define KEYS_PER_SECOND 20
#define KEYS_AT_ONCE 40
/* A timestamp so far back belongs to a stream that has begun anew. */
#define LATE_S 10
/* The longest duration of one segment; longer events go on in another one. */
#define SEGMENT 65535u
#define END_BIT 0x80

static const char keys[] = "0123456789*#ABCD";

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sc_dtmf_receiver_init(sc_dtmf_receiver *self, uint64_t serial)
{
    pj_bzero(self, sizeof(*self));
    pthread_mutex_init(&self->mutex, NULL);
    self->serial = serial;
    self->allowance = KEYS_AT_ONCE * 1000;
    self->refilled = now_ms();
}

void sc_dtmf_receiver_destroy(sc_dtmf_receiver *self)
{
    pthread_mutex_destroy(&self->mutex);
}

void sc_dtmf_receiver_format(sc_dtmf_receiver *self, unsigned payload_type, unsigned clock_rate)
{
    if (self->count == SC_DTMF_FORMATS || !clock_rate)
        return;
    self->formats[self->count].payload_type = payload_type;
    self->formats[self->count++].clock_rate = clock_rate;
}

/* Under the mutex. A thousandth of a key is the unit of what is allowed. */
static bool is_allowed(sc_dtmf_receiver *self)
{
    int64_t now = now_ms();

    self->allowance += (now - self->refilled) * KEYS_PER_SECOND;
    self->refilled = now;
    if (self->allowance > KEYS_AT_ONCE * 1000)
        self->allowance = KEYS_AT_ONCE * 1000;
    if (self->allowance < 1000)
        return false;
    self->allowance -= 1000;
    return true;
}

static void tell(sc_dtmf_receiver *self)
{
    uint64_t duration = (uint64_t)self->earlier + self->duration;
    sc_record record;

    atomic_store(&self->is_open, false);
    if (!is_allowed(self))
        return;
    sc_record_init(&record, SC_RECORD_AUDIO_TRANSPORT_DTMF, self->serial);
    sc_record_u32(&record, (uint32_t)keys[self->event]);
    sc_record_u32(&record, (uint32_t)(duration * 1000 / self->clock_rate));
    sc_record_push(&record, false);
}

/* What follows in the same event, or again: its end is sent several times. */
static void go_on(sc_dtmf_receiver *self, unsigned duration, bool is_end)
{
    if (!atomic_load(&self->is_open))
        return;
    if (duration > self->duration)
        self->duration = duration;
    if (is_end)
        tell(self);
}

static void hear(sc_dtmf_receiver *self, uint32_t timestamp, unsigned clock_rate, const uint8_t *payload)
{
    unsigned event = payload[0], duration = (unsigned)payload[2] << 8 | payload[3];
    bool is_end = payload[1] & END_BIT, is_open = atomic_load(&self->is_open);
    bool is_known = self->has_heard && event == self->event && clock_rate == self->clock_rate;

    self->last = now_ms();
    if (is_known && timestamp == self->timestamp) {
        go_on(self, duration, is_end);
        return;
    }
    if (is_known && is_open && timestamp == self->timestamp + SEGMENT) {
        self->earlier += SEGMENT;
        self->timestamp = timestamp;
        self->duration = 0;
        go_on(self, duration, is_end);
        return;
    }
    if (self->has_heard && timestamp != self->timestamp && self->timestamp - timestamp < LATE_S * clock_rate)
        return; /* an earlier one, which was told */
    if (is_open)
        tell(self);
    self->has_heard = true;
    self->event = event;
    self->clock_rate = clock_rate;
    self->timestamp = timestamp;
    self->earlier = 0;
    self->duration = duration;
    atomic_store(&self->is_open, true);
    if (is_end)
        tell(self);
}

void sc_dtmf_receiver_hear(sc_dtmf_receiver *self, unsigned payload_type, uint32_t ssrc, uint32_t timestamp,
                           const uint8_t *payload, size_t size)
{
    unsigned i = 0;

    while (i < self->count && self->formats[i].payload_type != payload_type)
        i++;
    if (i == self->count || size < 4 || payload[0] >= sizeof(keys) - 1)
        return;
    pthread_mutex_lock(&self->mutex);
    if (ssrc != self->ssrc) {
        /* Another source counts time anew. */
        if (atomic_load(&self->is_open))
            tell(self);
        self->has_heard = false;
        self->ssrc = ssrc;
    }
    hear(self, timestamp, self->formats[i].clock_rate, payload);
    pthread_mutex_unlock(&self->mutex);
}

void sc_dtmf_receiver_tick(sc_dtmf_receiver *self)
{
    if (!atomic_load(&self->is_open))
        return;
    pthread_mutex_lock(&self->mutex);
    if (atomic_load(&self->is_open) && now_ms() - self->last > OVER_MS)
        tell(self);
    pthread_mutex_unlock(&self->mutex);
}
