/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "audio_mixer.h"
#include "internal.h"

#define TICKS_PER_SECOND 50
/* pjmedia_conf_create() of 2.17 fails above, and then frees what it has not made yet. */
#define MAX_SAMPLE_RATE 65535

struct sc_mixer {
    sc_object object;
    pj_pool_t *pool;
    pjmedia_conf *conf;
    pjmedia_port *master;
    sc_clock_client client;
    unsigned rate;
    int16_t *frame;
    size_t frame_size;
};

/* Silence in, the mix of slot 0 out: what a sound device's clock would do. */
static void tick(void *arg)
{
    sc_mixer *self = arg;
    pjmedia_frame frame;

    pj_bzero(&frame, sizeof(frame));
    frame.type = PJMEDIA_FRAME_TYPE_AUDIO;
    frame.buf = self->frame;
    frame.size = self->frame_size;
    pj_bzero(self->frame, self->frame_size);
    pjmedia_port_put_frame(self->master, &frame);
    frame.size = self->frame_size;
    pjmedia_port_get_frame(self->master, &frame);
}

static void destroy(sc_object *object)
{
    sc_mixer *self = (sc_mixer *)object;

    sc_clock_remove(&self->client);
    if (self->conf)
        pjmedia_conf_destroy(self->conf);
    if (self->pool)
        pj_pool_release(self->pool);
}

static pj_status_t init(sc_mixer *self, uint32_t sample_rate, uint32_t slot_count)
{
    unsigned samples = sample_rate / TICKS_PER_SECOND;
    pj_status_t status;

    if (sample_rate < TICKS_PER_SECOND || sample_rate > MAX_SAMPLE_RATE || !slot_count)
        return PJ_EINVAL;
    self->pool = sc_pool_create("mixer", 4096);
    if (!self->pool)
        return PJ_ENOMEM;
    self->rate = sample_rate;
    self->frame_size = samples * sizeof(int16_t);
    self->frame = pj_pool_zalloc(self->pool, self->frame_size);
    if (!self->frame)
        return PJ_ENOMEM;
    status = pjmedia_conf_create(self->pool, slot_count, sample_rate, 1, samples, 16, PJMEDIA_CONF_NO_DEVICE,
                                 &self->conf);
    if (status != PJ_SUCCESS)
        return status;
    self->master = pjmedia_conf_get_master_port(self->conf);
    self->client.tick = tick;
    self->client.arg = self;
    sc_clock_add(&self->client);
    return PJ_SUCCESS;
}

sc_audio_mixer sc_audio_mixer_create(uint32_t sample_rate, uint32_t slot_count, sc_status status)
{
    pj_status_t result = SC_EGONE;
    sc_serial serial = 0;
    sc_mixer *self;

    if (sc_enter()) {
        self = sc_object_new(SC_KIND_AUDIO_MIXER, sizeof(*self), destroy);
        result = self ? init(self, sample_rate, slot_count) : PJ_ENOMEM;
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

/* Runs `body` with the mixer of `serial`, between sc_enter() and sc_leave(); `status` is the row's answer. */
#define WITH_MIXER(serial, body)                                    \
    do {                                                            \
        if (sc_enter()) {                                           \
            sc_mixer *self = sc_object_get(serial, SC_KIND_AUDIO_MIXER); \
            if (self) {                                             \
                body;                                               \
                sc_object_put(self);                                \
            }                                                       \
            sc_leave();                                             \
        }                                                           \
    } while (0)

int32_t sc_audio_mixer_close(sc_audio_mixer mixer)
{
    pj_status_t status = SC_EGONE;

    /* Its ports hold references, so the bridge itself goes with the last of them. */
    WITH_MIXER(mixer, status = sc_object_remove(self) ? PJ_SUCCESS : SC_EGONE);
    return status;
}

int32_t sc_audio_mixer_connect(sc_audio_mixer mixer, uint32_t source, uint32_t sink)
{
    pj_status_t status = SC_EGONE;

    WITH_MIXER(mixer, status = pjmedia_conf_connect_port(self->conf, source, sink, 0));
    return status;
}

int32_t sc_audio_mixer_disconnect(sc_audio_mixer mixer, uint32_t source, uint32_t sink)
{
    pj_status_t status = SC_EGONE;

    WITH_MIXER(mixer, status = pjmedia_conf_disconnect_port(self->conf, source, sink));
    return status;
}

/* pjmedia's scale: -128 is silence, 0 leaves as it is, each 128 adds as much again. */
static int level(uint32_t percent)
{
    return (int)((double)percent * 1.28) - 128;
}

pj_status_t sc_mixer_volume(sc_mixer *mixer, int slot, uint32_t percent)
{
    return pjmedia_conf_adjust_rx_level(mixer->conf, (unsigned)slot, level(percent));
}

int32_t sc_audio_mixer_set_volume(sc_audio_mixer mixer, uint32_t input, uint32_t output)
{
    pj_status_t status = SC_EGONE;

    WITH_MIXER(mixer, {
        status = pjmedia_conf_adjust_rx_level(self->conf, 0, level(input));
        if (status == PJ_SUCCESS)
            status = pjmedia_conf_adjust_tx_level(self->conf, 0, level(output));
    });
    return status;
}

int32_t sc_audio_mixer_signal_level(sc_audio_mixer mixer, uint32_t slot)
{
    pj_status_t status = SC_EGONE;
    unsigned tx = 0, rx = 0;

    WITH_MIXER(mixer, status = pjmedia_conf_get_signal_level(self->conf, slot, &tx, &rx));
    return status == PJ_SUCCESS ? (int32_t)((tx & 255) | (rx & 255) << 8) : -status;
}

int sc_mixer_add(sc_mixer *mixer, pjmedia_port *port, pj_str_t name, pj_status_t *status)
{
    unsigned slot;

    sc_clock_hold();
    *status = pjmedia_conf_add_port(mixer->conf, mixer->pool, port, &name, &slot);
    if (*status == PJ_ETOOMANY) {
        /* Ports that have left give their slots back in a tick: here it comes early. */
        tick(mixer);
        *status = pjmedia_conf_add_port(mixer->conf, mixer->pool, port, &name, &slot);
    }
    sc_clock_go_on();
    return *status == PJ_SUCCESS ? (int)slot : -1;
}

void sc_mixer_remove(sc_mixer *mixer, int slot)
{
    if (slot >= 0)
        pjmedia_conf_remove_port(mixer->conf, (unsigned)slot);
}

unsigned sc_mixer_rate(const sc_mixer *mixer)
{
    return mixer->rate;
}
