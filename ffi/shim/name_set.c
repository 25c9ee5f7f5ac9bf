/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few names that the SIP thread asks for while JavaScript changes them. */
#include "internal.h"

pj_status_t sc_name_set_read(sc_name_set *self, sc_reader *reader)
{
    uint32_t count = sc_read_u32(reader), i;
    pj_status_t status = PJ_SUCCESS;

    pthread_rwlock_wrlock(&self->lock);
    self->count = 0;
    for (i = 0; i < count && !reader->failed; i++) {
        pj_str_t name = sc_read_text(reader);

        if (reader->failed || name.slen >= SC_NAME_SIZE || self->count == SC_NAME_SET_MAX) {
            status = SC_EARGS;
            break;
        }
        memcpy(self->names[self->count], name.ptr, (size_t)name.slen);
        self->names[self->count++][name.slen] = '\0';
    }
    pthread_rwlock_unlock(&self->lock);
    return reader->failed ? SC_EARGS : status;
}

bool sc_name_set_has(sc_name_set *self, const pj_str_t *name)
{
    bool found = false;
    unsigned i;

    pthread_rwlock_rdlock(&self->lock);
    for (i = 0; i < self->count && !found; i++)
        found = !pj_strcmp2(name, self->names[i]);
    pthread_rwlock_unlock(&self->lock);
    return found;
}

unsigned sc_name_set_copy(sc_name_set *self, pj_pool_t *pool, pj_str_t names[], unsigned capacity)
{
    unsigned i;

    pthread_rwlock_rdlock(&self->lock);
    for (i = 0; i < self->count && i < capacity; i++)
        pj_strdup2(pool, &names[i], self->names[i]);
    pthread_rwlock_unlock(&self->lock);
    return i;
}
