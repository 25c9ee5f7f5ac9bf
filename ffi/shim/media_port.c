/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands in a slot of a mixer, in two halves: the port, which the bridge calls in its ticks and which lives until
 * the bridge has let go of it, and the object of JavaScript's, which may be gone before.
 */
#include "internal.h"

/* ---- the port -------------------------------------------------------------------------------------------------------- */

static pj_status_t on_destroy(pjmedia_port *base)
{
    sc_port *self = (sc_port *)base;

    if (self->destroy)
        self->destroy(self);
    pj_pool_release(self->pool);
    return PJ_SUCCESS;
}

static pj_status_t no_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    PJ_UNUSED_ARG(port);
    frame->type = PJMEDIA_FRAME_TYPE_NONE;
    frame->size = 0;
    return PJ_SUCCESS;
}

void *sc_port_new(size_t size, const char *name, unsigned rate)
{
    pj_pool_t *pool = sc_pool_create(name, (unsigned)size + 1000);
    sc_port *self = pool ? pj_pool_zalloc(pool, size) : NULL;
    pj_str_t text = pj_str((char *)name);

    if (self) {
        self->pool = pool;
        self->base.get_frame = no_frame;
        self->base.on_destroy = on_destroy;
        pjmedia_port_info_init(&self->base.info, &text, PJMEDIA_SIG_CLASS_PORT_AUD('S', 'C'), rate, 1, 16, rate / 50);
        if (pjmedia_port_init_grp_lock(&self->base, pool, NULL) == PJ_SUCCESS)
            return self;
    }
    if (pool)
        pj_pool_release(pool);
    return NULL;
}

/* ---- its owner ------------------------------------------------------------------------------------------------------- */

static void destroy(sc_object *object)
{
    sc_port_owner *self = (sc_port_owner *)object;

    sc_clock_hold();
    if (self->port && self->port->leave)
        self->port->leave(self->port);
    if (self->slot >= 0)
        sc_mixer_remove(self->mixer, self->slot);
    if (self->port)
        pjmedia_port_destroy(&self->port->base);
    sc_clock_go_on();
    sc_object_put(self->mixer);
}

sc_serial sc_port_owner_create(sc_kind kind, sc_serial mixer, sc_port_maker *make, const void *arg, sc_status status)
{
    pj_status_t result = SC_EGONE;
    sc_port_owner *self;
    sc_serial serial = 0;

    if (sc_enter()) {
        self = sc_object_new(kind, sizeof(*self), destroy);
        result = PJ_ENOMEM;
        if (self) {
            self->slot = -1;
            self->mixer = sc_object_get(mixer, SC_KIND_AUDIO_MIXER);
            result = SC_EGONE;
            if (self->mixer)
                self->port = make(self, arg, &result);
            if (self->port)
                self->slot = sc_mixer_add(self->mixer, &self->port->base, self->port->base.info.name, &result);
        }
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

int32_t sc_port_owner_close(sc_kind kind, sc_serial serial)
{
    sc_port_owner *self = sc_take(serial, kind);

    if (!self)
        return SC_EGONE;
    sc_object_remove(self);
    sc_give_back(self);
    return PJ_SUCCESS;
}

int32_t sc_port_owner_slot(sc_kind kind, sc_serial serial)
{
    sc_port_owner *self = sc_take(serial, kind);
    int slot;

    if (!self)
        return -SC_EGONE;
    slot = self->slot;
    sc_give_back(self);
    return slot;
}

int32_t sc_port_owner_set_volume(sc_kind kind, sc_serial serial, uint32_t percent)
{
    sc_port_owner *self = sc_take(serial, kind);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = sc_mixer_volume(self->mixer, self->slot, percent);
    sc_give_back(self);
    return status;
}
