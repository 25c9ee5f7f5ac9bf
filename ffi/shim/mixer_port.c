/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"
#include "mixer_port.h"

/* The bridge's ticks are the only ones that touch it. */
typedef struct {
    sc_port port;
    bool full;
    int16_t frame[];
} mixer_port;

static size_t frame_size(const pjmedia_port *port)
{
    return PJMEDIA_PIA_SPF(&port->info) * sizeof(int16_t);
}

static pj_status_t put_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    mixer_port *self = (mixer_port *)port;

    self->full = frame->type == PJMEDIA_FRAME_TYPE_AUDIO && frame->size == frame_size(port);
    if (self->full)
        memcpy(self->frame, frame->buf, frame->size);
    return PJ_SUCCESS;
}

static pj_status_t get_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    mixer_port *self = (mixer_port *)port;

    frame->type = self->full ? PJMEDIA_FRAME_TYPE_AUDIO : PJMEDIA_FRAME_TYPE_NONE;
    frame->size = self->full ? frame_size(port) : 0;
    memcpy(frame->buf, self->frame, frame->size);
    self->full = false;
    return PJ_SUCCESS;
}

static sc_port *make(sc_port_owner *owner, const void *arg, pj_status_t *status)
{
    unsigned rate = sc_mixer_rate(owner->mixer);
    mixer_port *self = sc_port_new(sizeof(*self) + rate / 50 * sizeof(int16_t), "mixer port", rate);

    PJ_UNUSED_ARG(arg);
    *status = self ? PJ_SUCCESS : PJ_ENOMEM;
    if (!self)
        return NULL;
    self->port.base.put_frame = put_frame;
    self->port.base.get_frame = get_frame;
    return &self->port;
}

sc_mixer_port sc_mixer_port_create(sc_audio_mixer mixer, sc_status status)
{
    return sc_port_owner_create(SC_KIND_MIXER_PORT, mixer, make, NULL, status);
}

int32_t sc_mixer_port_close(sc_mixer_port port)
{
    return sc_port_owner_close(SC_KIND_MIXER_PORT, port);
}

int32_t sc_mixer_port_slot(sc_mixer_port port)
{
    return sc_port_owner_slot(SC_KIND_MIXER_PORT, port);
}
