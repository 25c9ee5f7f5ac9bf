/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial -> object. A row of the border looks its object up here and holds a reference while it works, so an object
 * that ends meanwhile in another thread stays whole until the row returns. The mutex is a leaf.
 */
#include <stdlib.h>

#include "internal.h"

static struct {
    pthread_mutex_t mutex;
    sc_object **buckets;
    size_t capacity; /* a power of two */
    size_t count;
    uint64_t last_serial; /* of the process: never goes back */
} table = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void *sc_object_new(sc_kind kind, size_t size, void (*destroy)(sc_object *self))
{
    sc_object *self = sc_should_fail() ? NULL : calloc(1, size);

    if (!self)
        return NULL;
    self->kind = kind;
    self->destroy = destroy;
    atomic_init(&self->refs, 1);
    pthread_mutex_lock(&table.mutex);
    self->serial = ++table.last_serial;
    pthread_mutex_unlock(&table.mutex);
    return self;
}

static sc_object **bucket_of(uint64_t serial)
{
    /* Serials are consecutive: their low bits spread them as well as any hash. */
    return &table.buckets[serial & (table.capacity - 1)];
}

static void grow(void)
{
    size_t old_capacity = table.capacity, i;
    sc_object **old = table.buckets;
    sc_object **fresh = calloc(old_capacity ? old_capacity * 2 : 256, sizeof(*fresh));

    if (!fresh) {
        if (!old)
            abort(); /* not even room for the first: nothing can work */
        return;
    }
    table.buckets = fresh;
    table.capacity = old_capacity ? old_capacity * 2 : 256;
    for (i = 0; i < old_capacity; i++) {
        while (old[i]) {
            sc_object *object = old[i];
            sc_object **bucket = bucket_of(object->serial);

            old[i] = object->next;
            object->next = *bucket;
            *bucket = object;
        }
    }
    free(old);
}

sc_serial sc_object_add(void *object)
{
    sc_object *self = object;
    sc_object **bucket;

    pthread_mutex_lock(&table.mutex);
    if (table.count >= table.capacity)
        grow();
    bucket = bucket_of(self->serial);
    self->next = *bucket;
    *bucket = self;
    table.count++;
    pthread_mutex_unlock(&table.mutex);
    return (sc_serial)self->serial;
}

void *sc_object_get(sc_serial serial, sc_kind kind)
{
    sc_object *object = NULL;

    if (!(serial >= 1 && serial < 9007199254740992.0))
        return NULL;
    pthread_mutex_lock(&table.mutex);
    if (table.capacity) {
        object = *bucket_of((uint64_t)serial);
        while (object && object->serial != (uint64_t)serial)
            object = object->next;
        if (object && object->kind == kind)
            sc_object_ref(object);
        else
            object = NULL;
    }
    pthread_mutex_unlock(&table.mutex);
    return object;
}

void sc_object_ref(void *object)
{
    atomic_fetch_add(&((sc_object *)object)->refs, 1);
}

void sc_object_put(void *object)
{
    sc_object *self = object;

    if (self && atomic_fetch_sub(&self->refs, 1) == 1) {
        if (self->destroy)
            self->destroy(self);
        free(self);
    }
}

void *sc_take(sc_serial serial, sc_kind kind)
{
    void *object;

    if (!sc_enter())
        return NULL;
    object = sc_object_get(serial, kind);
    if (!object)
        sc_leave();
    return object;
}

void sc_give_back(void *object)
{
    sc_object_put(object);
    sc_leave();
}

bool sc_object_remove(void *object)
{
    sc_object *self = object;
    bool found = false;

    pthread_mutex_lock(&table.mutex);
    if (table.capacity) {
        sc_object **at = bucket_of(self->serial);

        while (*at && *at != self)
            at = &(*at)->next;
        if (*at) {
            *at = self->next;
            table.count--;
            found = true;
        }
    }
    pthread_mutex_unlock(&table.mutex);
    if (found)
        sc_object_put(self);
    return found;
}

void *sc_object_any(sc_kind kind, size_t *from)
{
    sc_object *object = NULL;

    pthread_mutex_lock(&table.mutex);
    while (*from < table.capacity) {
        object = table.buckets[*from];
        while (object && object->kind != kind)
            object = object->next;
        if (object)
            break;
        ++*from;
    }
    if (object)
        sc_object_ref(object);
    pthread_mutex_unlock(&table.mutex);
    return object;
}

unsigned sc_object_count(void)
{
    unsigned count;

    pthread_mutex_lock(&table.mutex);
    count = (unsigned)table.count;
    pthread_mutex_unlock(&table.mutex);
    return count;
}
