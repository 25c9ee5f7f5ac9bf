/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of byte records from PJSIP's callbacks to JavaScript. It grows by chunks and never drops a signalling
 * record. Its mutex is a leaf: no pj call, no log and no free of pj things happens under it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bell.h"
#include "internal.h"

#define CHUNK_SIZE (64u * 1024u)
/* Log and trace lines give way beyond this; what remains of the memory is for signalling. */
#define DROPPABLE_LIMIT (8u * 1024u * 1024u)
/* length, kind, serial, time */
#define HEADER_SIZE (4 + 4 + 8 + 8)

typedef struct chunk {
    struct chunk *next;
    uint32_t capacity;
    uint32_t written;
    uint32_t read;
    uint8_t bytes[];
} chunk;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t due;
    chunk *head, *tail, *spare;
    size_t size;
    unsigned messages; /* of SC_RECORD_MESSAGE among what waits */
    uint32_t dropped;
    uint32_t run; /* counts the openings: a waiter of an earlier run leaves */
    uint64_t rings; /* counts the times that the empty queue got its first record */
    atomic_bool ringing; /* JavaScript has been called and has not yet seen the queue empty */
    void (*call)(void); /* what the poll thread may ring by itself; else the waiter is woken */
    void (*attended)(void); /* what wakes JavaScript's thread while it looks for itself */
    bool open;
} ring = { .mutex = PTHREAD_MUTEX_INITIALIZER, .due = PTHREAD_COND_INITIALIZER };

/* This thread rings when it is through with what it does, once for all, and holds no lock then. */
static __thread bool defers, deferred;

static chunk *chunk_for(uint32_t size)
{
    chunk *fresh;

    if (ring.tail && ring.tail->capacity - ring.tail->written >= size)
        return ring.tail;
    if (ring.spare && ring.spare->capacity >= size) {
        fresh = ring.spare;
        ring.spare = NULL;
    } else {
        uint32_t capacity = size > CHUNK_SIZE ? size : CHUNK_SIZE;

        fresh = malloc(sizeof(*fresh) + capacity);
        /* Losing a signalling record would leave an object waiting for ever: there is no way on without memory. */
        if (!fresh)
            abort();
        fresh->capacity = capacity;
    }
    fresh->next = NULL;
    fresh->written = fresh->read = 0;
    if (ring.tail)
        ring.tail->next = fresh;
    else
        ring.head = fresh;
    ring.tail = fresh;
    return fresh;
}

static void write_record(const sc_record *record, double time)
{
    uint32_t size = HEADER_SIZE + record->size;
    double serial = (double)record->serial;
    chunk *target = chunk_for(size);
    uint8_t *at = target->bytes + target->written;
    unsigned i;

    memcpy(at, &size, 4);
    memcpy(at + 4, &record->kind, 4);
    memcpy(at + 8, &serial, 8);
    memcpy(at + 16, &time, 8);
    at += HEADER_SIZE;
    for (i = 0; i < record->count; i++) {
        uint32_t length = record->fields[i].size;

        if (record->fields[i].sized) {
            memcpy(at, &length, 4);
            at += 4;
        }
        memcpy(at, record->fields[i].data ? record->fields[i].data : &record->fields[i].scalar, length);
        at += length;
    }
    target->written += size;
    ring.size += size;
    ring.messages += record->kind == SC_RECORD_MESSAGE;
}

void sc_ring_push(const sc_record *record, bool droppable)
{
    void (*wake)(void) = NULL;
    struct timespec now;
    bool rings = false;
    double time;

    clock_gettime(CLOCK_REALTIME, &now);
    time = (double)now.tv_sec * 1000.0 + (double)now.tv_nsec / 1e6;
    pthread_mutex_lock(&ring.mutex);
    if (!ring.open) {
        pthread_mutex_unlock(&ring.mutex);
        return;
    }
    if (droppable && ring.size + record->size > DROPPABLE_LIMIT) {
        ring.dropped++;
    } else {
        if (ring.dropped && ring.size < DROPPABLE_LIMIT / 2) {
            sc_record note;

            sc_record_init(&note, SC_RECORD_DROPPED, 0);
            sc_record_u32(&note, ring.dropped);
            ring.dropped = 0;
            write_record(&note, time);
        }
        write_record(record, time);
    }
    if (defers) {
        deferred = true;
    } else if (!ring.ringing) {
        ring.ringing = true;
        wake = ring.attended;
        rings = !wake;
        ring.rings += rings;
    }
    pthread_mutex_unlock(&ring.mutex);
    /* Not under the mutex: who wakes needs it at once. */
    if (wake)
        wake();
    else if (rings)
        pthread_cond_signal(&ring.due);
}

void sc_ring_defer(void)
{
    defers = true;
}

void sc_ring_deferred(void)
{
    void (*call)(void) = NULL;
    bool rings = false;

    if (!deferred)
        return;
    deferred = false;
    pthread_mutex_lock(&ring.mutex);
    if (ring.open && !ring.ringing && ring.head) {
        ring.ringing = rings = true;
        call = ring.call;
        if (!call)
            ring.rings++;
    }
    pthread_mutex_unlock(&ring.mutex);
    if (call)
        call();
    else if (rings)
        pthread_cond_signal(&ring.due);
}

bool sc_ring_attend(void (*wake)(void))
{
    bool found;

    pthread_mutex_lock(&ring.mutex);
    found = ring.head != NULL;
    /* Who finds something drains it next. */
    ring.ringing = found;
    ring.attended = wake;
    pthread_mutex_unlock(&ring.mutex);
    defers = true;
    return found;
}

bool sc_ring_found(void)
{
    return deferred || atomic_load(&ring.ringing);
}

bool sc_ring_rouses(void)
{
    return deferred && !atomic_load(&ring.ringing);
}

bool sc_ring_leave(void)
{
    bool found;

    defers = deferred = false;
    pthread_mutex_lock(&ring.mutex);
    found = ring.head != NULL;
    ring.ringing = found;
    ring.attended = NULL;
    pthread_mutex_unlock(&ring.mutex);
    return found;
}

void sc_ring_call(void (*call)(void))
{
    pthread_mutex_lock(&ring.mutex);
    ring.call = call;
    pthread_mutex_unlock(&ring.mutex);
}

int32_t sc_ring_drain(sc_buffer buffer, uint32_t capacity)
{
    uint32_t copied = 0, needed = 0;

    if (!buffer)
        return 0;
    pthread_mutex_lock(&ring.mutex);
    while (ring.head) {
        chunk *head = ring.head;
        uint32_t at = head->read, end = at;

        /* The longest run of whole records that fits. */
        while (end < head->written) {
            uint32_t size, kind;

            memcpy(&size, head->bytes + end, 4);
            memcpy(&kind, head->bytes + end + 4, 4);
            if (copied + (end - at) + size > capacity) {
                needed = size;
                break;
            }
            ring.messages -= kind == SC_RECORD_MESSAGE;
            end += size;
        }
        if (end > at) {
            memcpy(buffer + copied, head->bytes + at, end - at);
            copied += end - at;
            ring.size -= end - at;
            head->read = end;
        }
        if (head->read < head->written)
            break;
        ring.head = head->next;
        if (!ring.head)
            ring.tail = NULL;
        if (!ring.spare && head->capacity == CHUNK_SIZE)
            ring.spare = head;
        else
            free(head);
    }
    if (!copied && !needed)
        ring.ringing = false;
    pthread_mutex_unlock(&ring.mutex);
    return copied ? (int32_t)copied : -(int32_t)needed;
}

size_t sc_ring_size(void)
{
    size_t size;

    pthread_mutex_lock(&ring.mutex);
    size = ring.size;
    pthread_mutex_unlock(&ring.mutex);
    return size;
}

unsigned sc_ring_messages(void)
{
    unsigned messages;

    pthread_mutex_lock(&ring.mutex);
    messages = ring.messages;
    pthread_mutex_unlock(&ring.mutex);
    return messages;
}

uint32_t sc_ring_run(void)
{
    uint32_t run;

    pthread_mutex_lock(&ring.mutex);
    run = ring.run;
    pthread_mutex_unlock(&ring.mutex);
    return run;
}

bool sc_ring_wait(uint32_t run, uint64_t *seen)
{
    bool due;

    pthread_mutex_lock(&ring.mutex);
    while (ring.open && ring.run == run && ring.rings == *seen)
        pthread_cond_wait(&ring.due, &ring.mutex);
    due = ring.open && ring.run == run;
    *seen = ring.rings;
    pthread_mutex_unlock(&ring.mutex);
    return due;
}

void sc_ring_open(void)
{
    pthread_mutex_lock(&ring.mutex);
    ring.open = true;
    ring.run++;
    ring.ringing = false;
    pthread_mutex_unlock(&ring.mutex);
}

void sc_ring_shut(void)
{
    pthread_mutex_lock(&ring.mutex);
    ring.open = false;
    ring.call = ring.attended = NULL;
    while (ring.head) {
        chunk *head = ring.head;

        ring.head = head->next;
        free(head);
    }
    ring.tail = NULL;
    free(ring.spare);
    ring.spare = NULL;
    ring.size = 0;
    ring.messages = 0;
    ring.dropped = 0;
    pthread_cond_broadcast(&ring.due);
    pthread_mutex_unlock(&ring.mutex);
}
