/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of PJSIP's pools. Each request leaves some of them behind for 32 seconds, so a busy server takes fresh
 * memory all the time, and malloc gives it to a thread other than the first in steps of a page, a system call each.
 * Here it comes in regions of 2 MiB, cut into spans of 64 KiB, each span into blocks of one size; a block finds its
 * span by its address. What a peak has left free goes back to the system.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>

#include "internal.h"

#define REGION_SIZE ((size_t)2 * 1024 * 1024)
#define SPAN_SIZE ((size_t)64 * 1024)
#define SPANS (REGION_SIZE / SPAN_SIZE)
/* What the list of a region's spans takes of the first one. */
#define HEAD_SIZE ((size_t)4096)

/* Sizes go by 256 bytes up to 4 KiB and by 4 KiB up to 32; larger blocks are malloc's. */
#define FINE_STEP ((size_t)256)
#define FINE_LIMIT ((size_t)4096)
#define COARSE_STEP ((size_t)4096)
#define COARSE_LIMIT ((size_t)32768)
#define FINE_CLASSES (FINE_LIMIT / FINE_STEP)
#define CLASSES (FINE_CLASSES + (COARSE_LIMIT - FINE_LIMIT) / COARSE_STEP)

/* A larger block than this is never kept. */
#define KEPT_LIMIT ((size_t)128 * 1024)

/* So many free spans (8 MiB) keep their memory for what comes next. */
#define MOST_SPARES 128

typedef struct block {
    struct block *next;
} block;

typedef struct span {
    LIST_ENTRY(span) entry; /* among those of its size that have room, or those of its region that are free */
    block *freed;
    char *fresh; /* from here on it is untouched */
    char *end;
    unsigned block_size;
    unsigned used;
    bool spare; /* free, and with its memory */
} span;

typedef LIST_HEAD(, span) span_list;

typedef struct region {
    TAILQ_ENTRY(region) entry; /* among those that have free spans */
    span_list free;
    unsigned used;
    span spans[SPANS];
} region;

_Static_assert(sizeof(region) <= HEAD_SIZE, "the list of spans outgrew its place");

static struct {
    pthread_mutex_t mutex; /* a leaf */
    span_list with_room[CLASSES];
    TAILQ_HEAD(, region) regions;
    unsigned spares;
    void *large;
    size_t large_size;
} heap = { .mutex = PTHREAD_MUTEX_INITIALIZER, .regions = TAILQ_HEAD_INITIALIZER(heap.regions) };

static unsigned class_of(size_t size)
{
    return (unsigned)(size <= FINE_LIMIT ? (size - 1) / FINE_STEP
                                         : FINE_CLASSES + (size - FINE_LIMIT - 1) / COARSE_STEP);
}

static unsigned size_of(unsigned class)
{
    return (unsigned)(class < FINE_CLASSES ? (class + 1) * FINE_STEP
                                           : FINE_LIMIT + (class + 1 - FINE_CLASSES) * COARSE_STEP);
}

/* ---- regions -------------------------------------------------------------------------------------------------------- */

static region *region_of(const void *address)
{
    return (region *)((uintptr_t)address & ~(REGION_SIZE - 1));
}

/* Mapped memory begins anywhere: twice the size holds a region that begins at a multiple of it. */
static region *map_region(void)
{
    char *mapped = mmap(NULL, 2 * REGION_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *aligned;

    if (mapped == MAP_FAILED)
        return NULL;
    aligned = (char *)region_of(mapped + REGION_SIZE);
    if (aligned > mapped)
        munmap(mapped, (size_t)(aligned - mapped));
    munmap(aligned + REGION_SIZE, (size_t)(mapped + REGION_SIZE - aligned));
    return (region *)aligned;
}

static region *region_with_room(void)
{
    region *self = TAILQ_FIRST(&heap.regions);
    size_t i;

    if (self || !(self = map_region()))
        return self;
    for (i = SPANS; i > 0; i--)
        LIST_INSERT_HEAD(&self->free, &self->spans[i - 1], entry);
    TAILQ_INSERT_HEAD(&heap.regions, self, entry);
    return self;
}

static void unmap_region(region *self)
{
    size_t i;

    for (i = 0; i < SPANS; i++)
        heap.spares -= self->spans[i].spare;
    TAILQ_REMOVE(&heap.regions, self, entry);
    munmap(self, REGION_SIZE);
}

/* ---- spans ---------------------------------------------------------------------------------------------------------- */

static char *start_of(const span *self)
{
    region *home = region_of(self);
    size_t index = (size_t)(self - home->spans);

    return (char *)home + (index ? index * SPAN_SIZE : HEAD_SIZE);
}

static bool has_room(const span *self)
{
    return self->freed || (size_t)(self->end - self->fresh) >= self->block_size;
}

static span *take_span(unsigned class)
{
    region *home = region_with_room();
    span *self;

    if (!home)
        return NULL;
    self = LIST_FIRST(&home->free);
    LIST_REMOVE(self, entry);
    home->used++;
    if (LIST_EMPTY(&home->free))
        TAILQ_REMOVE(&heap.regions, home, entry);
    heap.spares -= self->spare;
    self->spare = false;
    self->block_size = size_of(class);
    self->freed = NULL;
    self->fresh = start_of(self);
    self->end = (char *)home + (size_t)(self - home->spans + 1) * SPAN_SIZE;
    LIST_INSERT_HEAD(&heap.with_room[class], self, entry);
    return self;
}

static void give_span(span *self)
{
    region *home = region_of(self);

    if (!LIST_EMPTY(&home->free))
        TAILQ_REMOVE(&heap.regions, home, entry);
    LIST_INSERT_HEAD(&home->free, self, entry);
    /* A region that is in use anyway is filled first, so that the others become free. */
    if (--home->used)
        TAILQ_INSERT_HEAD(&heap.regions, home, entry);
    else
        TAILQ_INSERT_TAIL(&heap.regions, home, entry);
    if (heap.spares < MOST_SPARES) {
        self->spare = true;
        heap.spares++;
    } else if (home->used) {
        madvise(start_of(self), (size_t)(self->end - start_of(self)), MADV_DONTNEED);
    } else {
        unmap_region(home);
    }
}

/* ---- blocks --------------------------------------------------------------------------------------------------------- */

static void *take_block(unsigned class)
{
    span *self = LIST_FIRST(&heap.with_room[class]);
    void *taken;

    if (!self && !(self = take_span(class)))
        return NULL;
    if (self->freed) {
        taken = self->freed;
        self->freed = self->freed->next;
    } else {
        taken = self->fresh;
        self->fresh += self->block_size;
    }
    self->used++;
    if (!has_room(self))
        LIST_REMOVE(self, entry);
    return taken;
}

static void give_block(void *address)
{
    region *home = region_of(address);
    span *self = &home->spans[(size_t)((char *)address - (char *)home) / SPAN_SIZE];
    block *given = address;

    if (!has_room(self))
        LIST_INSERT_HEAD(&heap.with_room[class_of(self->block_size)], self, entry);
    given->next = self->freed;
    self->freed = given;
    if (!--self->used) {
        LIST_REMOVE(self, entry);
        give_span(self);
    }
}

/* ---- larger ones ---------------------------------------------------------------------------------------------------- */

/* The last that was given back is kept: each datagram is read into a block of the same size (PJSIP_MAX_PKT_LEN). */
static void *take_large(size_t size)
{
    void *taken = NULL;

    pthread_mutex_lock(&heap.mutex);
    if (heap.large_size == size) {
        taken = heap.large;
        heap.large = NULL;
        heap.large_size = 0;
    }
    pthread_mutex_unlock(&heap.mutex);
    return taken ? taken : malloc(size);
}

static void give_large(void *address, size_t size)
{
    void *before;

    if (size > KEPT_LIMIT) {
        free(address);
        return;
    }
    /* The newest: one of a size that never comes again must not stay for good. */
    pthread_mutex_lock(&heap.mutex);
    before = heap.large;
    heap.large = address;
    heap.large_size = size;
    pthread_mutex_unlock(&heap.mutex);
    free(before);
}

/* ---- for the factory ------------------------------------------------------------------------------------------------ */

void *sc_block_alloc(pj_pool_factory *factory, pj_size_t size)
{
    void *taken;

    PJ_UNUSED_ARG(factory);
    if (size > COARSE_LIMIT)
        return take_large(size);
    pthread_mutex_lock(&heap.mutex);
    taken = take_block(class_of(size));
    pthread_mutex_unlock(&heap.mutex);
    return taken;
}

void sc_block_free(pj_pool_factory *factory, void *address, pj_size_t size)
{
    PJ_UNUSED_ARG(factory);
    if (size > COARSE_LIMIT) {
        give_large(address, size);
        return;
    }
    pthread_mutex_lock(&heap.mutex);
    give_block(address);
    pthread_mutex_unlock(&heap.mutex);
}
