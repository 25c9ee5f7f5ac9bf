/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"
#include "pcm_memory.h"

/* A place for 24 kHz and 400 ms takes 64 KiB; memory that nobody has touched costs nothing. */
#define SEGMENT_SIZE (8u << 20)
#define MAX_SEGMENTS 256
/* What the first segment begins with. */
#define HEAD_SIZE 128
#define MIN_CLASS 12
#define MAX_CLASS 26

/* The same for all: whether JavaScript has been told that there is news, and has not looked yet. */
typedef struct {
    atomic_uint told;
} head;

_Static_assert(offsetof(sc_pcm_words, heard) == 4 * SC_PCM_HEARD, "heard");
_Static_assert(offsetof(sc_pcm_words, played) == 4 * SC_PCM_PLAYED, "played");
_Static_assert(offsetof(sc_pcm_words, underruns) == 4 * SC_PCM_UNDERRUNS, "underruns");
_Static_assert(offsetof(sc_pcm_words, silence) == 4 * SC_PCM_SILENCE, "silence");
_Static_assert(offsetof(sc_pcm_words, written) == 4 * SC_PCM_WRITTEN, "written");
_Static_assert(offsetof(sc_pcm_words, wake) == 4 * SC_PCM_WAKE, "wake");
_Static_assert(offsetof(sc_pcm_words, wake_at) == 4 * SC_PCM_WAKE_AT, "wake_at");
_Static_assert(sizeof(sc_pcm_words) == 4 * SC_PCM_WORDS, "words");

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint8_t *start;
    uint32_t size, used;
} segments[MAX_SEGMENTS];
static unsigned segment_count;
static sc_pcm_place *vacant[MAX_CLASS + 1]; /* by the binary logarithm of their size */
static sc_pcm_place *taken;
/* Of the media clock, while it holds its mutex. */
static bool due;

static unsigned power_of_two_above(unsigned value)
{
    unsigned power = 0;

    while (power < 31 && 1u << power < value)
        power++;
    return power;
}

static bool add_segment(uint32_t size)
{
    uint32_t used = segment_count ? 0 : HEAD_SIZE;
    void *start;

    if (segment_count == MAX_SEGMENTS || sc_should_fail())
        return false;
    if (size + used > SEGMENT_SIZE)
        size += used;
    else
        size = SEGMENT_SIZE;
    start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return false;
    segments[segment_count].start = start;
    segments[segment_count].size = size;
    segments[segment_count].used = used;
    segment_count++;
    return true;
}

static sc_pcm_place *new_place(unsigned class)
{
    sc_pcm_place *self;
    uint32_t size = 1u << class;
    unsigned last = segment_count - 1;

    if (!segment_count || segments[last].size - segments[last].used < size) {
        if (!add_segment(size))
            return NULL;
        last = segment_count - 1;
    }
    self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->class = class;
    self->segment = last;
    self->offset = segments[last].used;
    self->words = (sc_pcm_words *)(segments[last].start + self->offset);
    segments[last].used += size;
    return self;
}

static void lay_out(sc_pcm_place *self, unsigned frame_samples, unsigned frames, unsigned samples)
{
    self->frame_samples = frame_samples;
    self->frames = frames;
    self->samples = samples;
    self->heard = (int16_t *)(self->words + 1);
    self->said = self->heard + (size_t)frames * frame_samples;
    pj_bzero(self->words, sizeof(*self->words));
}

sc_pcm_place *sc_pcm_place_take(unsigned frame_samples, unsigned capacity)
{
    /* Beside what may wait there is a frame that is being written, and one for who reads while it is. */
    unsigned frames = 1u << power_of_two_above(capacity + 2);
    unsigned samples = 1u << power_of_two_above(capacity * frame_samples);
    size_t size = sizeof(sc_pcm_words) + ((size_t)frames * frame_samples + samples) * sizeof(int16_t);
    unsigned class = size <= 1u << MAX_CLASS ? power_of_two_above((unsigned)size) : MAX_CLASS + 1;
    sc_pcm_place *self = NULL;

    if (class < MIN_CLASS)
        class = MIN_CLASS;
    if (class > MAX_CLASS)
        return NULL;
    pthread_mutex_lock(&mutex);
    self = vacant[class];
    if (self)
        vacant[class] = self->next;
    else
        self = new_place(class);
    if (self) {
        lay_out(self, frame_samples, frames, samples);
        /* Whoever was told last may have ended without a look, with the engine or with its isolate. */
        atomic_store(&((head *)segments[0].start)->told, 0);
        self->next = taken;
        taken = self;
    }
    pthread_mutex_unlock(&mutex);
    return self;
}

void sc_pcm_place_give_back(sc_pcm_place *place)
{
    sc_pcm_place **at = &taken;

    if (!place)
        return;
    pthread_mutex_lock(&mutex);
    while (*at && *at != place)
        at = &(*at)->next;
    if (*at)
        *at = place->next;
    place->next = vacant[place->class];
    vacant[place->class] = place;
    pthread_mutex_unlock(&mutex);
}

/* ---- wake-ups: one a tick for all ports ------------------------------------------------------------------------------ */

void sc_pcm_news(void)
{
    due = true;
}

void sc_pcm_tell(void)
{
    sc_record record;

    if (!due)
        return;
    due = false;
    if (atomic_exchange(&((head *)segments[0].start)->told, 1))
        return;
    sc_record_init(&record, SC_RECORD_PCM_NEWS, 0);
    sc_record_push(&record, false);
}

/* ---- for JavaScript -------------------------------------------------------------------------------------------------- */

sc_memory sc_pcm_memory_segment(uint32_t segment)
{
    void *start;

    pthread_mutex_lock(&mutex);
    start = segment < segment_count ? segments[segment].start : NULL;
    pthread_mutex_unlock(&mutex);
    return start;
}

uint32_t sc_pcm_memory_size(uint32_t segment)
{
    uint32_t size;

    pthread_mutex_lock(&mutex);
    size = segment < segment_count ? segments[segment].size : 0;
    pthread_mutex_unlock(&mutex);
    return size;
}

/* What was written there goes to the mixer. */
static void sync_down(sc_pcm_place *self, const sc_pcm_words *copy, const int16_t *said)
{
    uint32_t to = atomic_load(&copy->written), at = atomic_load(&self->words->written), mask = self->samples - 1;

    if (to - at > self->samples)
        at = to - self->samples;
    for (; at != to; at++)
        self->said[at & mask] = said[at & mask];
    atomic_store(&self->words->wake_at, atomic_load(&copy->wake_at));
    atomic_store(&self->words->wake, atomic_load(&copy->wake));
    atomic_store(&self->words->written, to);
}

/* What was heard here goes to the copy. */
static void sync_up(const sc_pcm_place *self, sc_pcm_words *copy, int16_t *heard)
{
    uint32_t to = atomic_load(&self->words->heard), at = atomic_load(&copy->heard), mask = self->frames - 1;
    size_t size = self->frame_samples * sizeof(int16_t);

    if (to - at > self->frames - 2)
        at = to - (self->frames - 2);
    for (; at != to; at++) {
        size_t start = (size_t)(at & mask) * self->frame_samples;

        memcpy(heard + start, self->heard + start, size);
    }
    atomic_store(&copy->heard, to);
    atomic_store(&copy->played, atomic_load(&self->words->played));
    atomic_store(&copy->underruns, atomic_load(&self->words->underruns));
    atomic_store(&copy->silence, atomic_load(&self->words->silence));
}

int32_t sc_pcm_memory_sync(uint32_t segment, sc_buffer copy, uint32_t size)
{
    sc_pcm_place *place;

    pthread_mutex_lock(&mutex);
    if (!copy || segment >= segment_count || size != segments[segment].size || (uintptr_t)copy % sizeof(uint32_t)) {
        pthread_mutex_unlock(&mutex);
        return SC_EARGS;
    }
    if (segment == 0)
        atomic_store(&((head *)segments[0].start)->told, 0);
    for (place = taken; place; place = place->next) {
        sc_pcm_words *words = (sc_pcm_words *)(copy + place->offset);
        int16_t *heard = (int16_t *)(words + 1);

        if (place->segment != segment)
            continue;
        sync_down(place, words, heard + (place->said - place->heard));
        sync_up(place, words, heard);
    }
    pthread_mutex_unlock(&mutex);
    return PJ_SUCCESS;
}
