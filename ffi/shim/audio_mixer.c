/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "audio_mixer.h"
#include "internal.h"

#define TICKS_PER_SECOND 50
/* pjmedia_conf_create() of 2.17 fails above, and then frees what it has not made yet. */
#define MAX_SAMPLE_RATE 65535
/* In ms; a room is done with in less than one of its ten seconds. */
#define MAX_ECHO_TAIL 10000

/* The input or the output. `device` changes only while the clock is held. */
typedef struct {
    pjmedia_dir direction;
    char name[SC_DEVICE_NAME_SIZE]; /* empty: none */
    bool in_use;
    sc_sound_device *device; /* NULL: not open */
} side;

struct sc_mixer {
    sc_object object;
    pj_pool_t *pool;
    pjmedia_conf *conf;
    pjmedia_port *master;
    sc_clock_client client;
    side input, output;
    sc_echo echo;
    unsigned echo_tail;
    unsigned rate;
    int16_t *frame;
    size_t frame_size;
};

/* Silence in, unless a device puts in what it hears; the mix of slot 0 out, to a device if there is one. */
static void tick(void *arg)
{
    sc_mixer *self = arg;
    pjmedia_frame frame;

    pj_bzero(&frame, sizeof(frame));
    frame.type = PJMEDIA_FRAME_TYPE_AUDIO;
    frame.buf = self->frame;
    frame.size = self->frame_size;
    if (sc_sound_device_is_alive(self->input.device)) {
        sc_sound_device_tick(self->input.device);
    } else {
        pj_bzero(self->frame, self->frame_size);
        pjmedia_port_put_frame(self->master, &frame);
        frame.size = self->frame_size;
    }
    pjmedia_port_get_frame(self->master, &frame);
    if (!sc_sound_device_is_alive(self->output.device))
        return;
    if (frame.type != PJMEDIA_FRAME_TYPE_AUDIO)
        pj_bzero(self->frame, self->frame_size);
    sc_sound_device_play(self->output.device, self->frame);
}

/* ---- devices -------------------------------------------------------------------------------------------------------- */

static pj_status_t open_device(sc_mixer *self, side *which, const char *name, sc_sound_device **device)
{
    sc_sound_device_owner owner = { self->object.serial, self->rate, self->master, &self->echo };

    return sc_sound_device_open(name, which->direction, which->in_use, &owner, device);
}

static void put_device(side *which, sc_sound_device *device)
{
    sc_sound_device *old;

    sc_clock_hold();
    old = which->device;
    which->device = device;
    sc_clock_go_on();
    sc_sound_device_close(old);
}

/* Opens or closes it as it is used or not. One that was lost stays until it is not used any more. */
static pj_status_t adjust(sc_mixer *self, side *which, bool in_use)
{
    sc_sound_device *device = NULL;
    pj_status_t status;

    which->in_use = in_use;
    if (!in_use && which->device)
        put_device(which, NULL);
    if (!in_use || which->device || !which->name[0])
        return PJ_SUCCESS;
    status = open_device(self, which, which->name, &device);
    if (status == PJ_SUCCESS)
        put_device(which, device);
    else
        which->in_use = false;
    return status;
}

/*
 * Opens a device beside the present one, so that there is no gap. That one gives way when it stands in the way: the
 * same card may have several names.
 */
static pj_status_t open_new(sc_mixer *self, side *which, const char *name, sc_sound_device **device)
{
    pj_status_t status;

    *device = NULL;
    if (!name[0] || (!strcmp(name, which->name) && sc_sound_device_is_alive(which->device)))
        return PJ_SUCCESS;
    status = open_device(self, which, name, device);
    if (status == PJ_SUCCESS || !which->device)
        return status;
    put_device(which, NULL);
    return open_device(self, which, name, device);
}

static void set_name(side *which, const char *name, sc_sound_device *device)
{
    bool same = !strcmp(name, which->name);

    pj_ansi_strxcpy(which->name, name, sizeof(which->name));
    if (!which->in_use) {
        sc_sound_device_close(device);
        device = NULL;
    }
    if (device || !same)
        put_device(which, device);
}

/*
 * The canceller works between two open devices; one whose tail stays the same goes on with what it has learnt. Without
 * memory for one the mixer goes on without.
 */
static void adjust_echo(sc_mixer *self, unsigned tail, bool renew)
{
    bool wanted = tail && sc_sound_device_is_alive(self->input.device) && sc_sound_device_is_alive(self->output.device);
    sc_echo_canceller *canceller = NULL;

    if (wanted && !renew && self->echo.canceller && tail == self->echo_tail)
        return;
    self->echo_tail = tail;
    if (wanted)
        canceller = sc_echo_canceller_create(self->pool, self->rate, tail, sc_sound_device_latency(self->output.device));
    if (wanted && !canceller)
        PJ_LOG(1, ("mixer", "No memory for the echo canceller"));
    sc_echo_set(&self->echo, canceller);
}

static uint32_t set_devices(sc_mixer *self, sc_text input, sc_text output, unsigned tail, pj_status_t *status)
{
    sc_sound_device *in, *out = NULL;
    uint32_t failed = 0;
    bool renew;

    *status = open_new(self, &self->input, input, &in);
    if (*status != PJ_SUCCESS) {
        failed = 1;
    } else {
        *status = open_new(self, &self->output, output, &out);
        failed = *status == PJ_SUCCESS ? 0 : 2;
    }
    if (failed) {
        sc_sound_device_close(in);
        /* What had to give way comes back. */
        adjust(self, &self->input, self->input.in_use);
        adjust(self, &self->output, self->output.in_use);
        return failed;
    }
    renew = in || out;
    set_name(&self->input, input, in);
    set_name(&self->output, output, out);
    adjust_echo(self, tail, renew);
    return 0;
}

static uint32_t use_devices(sc_mixer *self, bool input, bool output, pj_status_t *status)
{
    const sc_sound_device *in = self->input.device, *out = self->output.device;
    uint32_t failed = 0;

    *status = adjust(self, &self->input, input);
    if (*status != PJ_SUCCESS) {
        failed = 1;
    } else {
        *status = adjust(self, &self->output, output);
        failed = *status == PJ_SUCCESS ? 0 : 2;
    }
    adjust_echo(self, self->echo_tail, in != self->input.device || out != self->output.device);
    return failed;
}

static uint32_t is_lost(const side *which)
{
    return which->device && !sc_sound_device_is_alive(which->device);
}

static void close_devices(sc_mixer *self)
{
    put_device(&self->input, NULL);
    put_device(&self->output, NULL);
    self->input.name[0] = self->output.name[0] = '\0';
}

/* ---- the bridge ------------------------------------------------------------------------------------------------------ */

static void destroy(sc_object *object)
{
    sc_mixer *self = (sc_mixer *)object;

    sc_clock_remove(&self->client);
    close_devices(self);
    sc_echo_destroy(&self->echo);
    if (self->conf)
        pjmedia_conf_destroy(self->conf);
    if (self->pool)
        pj_pool_release(self->pool);
}

static pj_status_t init(sc_mixer *self, uint32_t sample_rate, uint32_t slot_count)
{
    unsigned samples = sample_rate / TICKS_PER_SECOND;
    pj_status_t status;

    sc_echo_init(&self->echo);
    self->input.direction = PJMEDIA_DIR_CAPTURE;
    self->output.direction = PJMEDIA_DIR_PLAYBACK;
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
    /* Where rates differ, a filter of 128 taps: 8 ms at 8 kHz. The large one takes 16, in each direction. */
    status = pjmedia_conf_create(self->pool, slot_count, sample_rate, 1, samples, 16,
                                 PJMEDIA_CONF_NO_DEVICE | PJMEDIA_CONF_SMALL_FILTER, &self->conf);
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
        sc_mixer *self = sc_take(serial, SC_KIND_AUDIO_MIXER);      \
        if (self) {                                                 \
            body;                                                   \
            sc_give_back(self);                                     \
        }                                                           \
    } while (0)

int32_t sc_audio_mixer_close(sc_audio_mixer mixer)
{
    pj_status_t status = SC_EGONE;

    /* Its ports hold references: it is silent from now on, and goes with the last of them. */
    WITH_MIXER(mixer, {
        status = sc_object_remove(self) ? PJ_SUCCESS : SC_EGONE;
        if (status == PJ_SUCCESS) {
            close_devices(self);
            sc_clock_remove(&self->client);
        }
    });
    return status;
}

uint32_t sc_audio_mixer_set_devices(sc_audio_mixer mixer, sc_text input, sc_text output, uint32_t tail,
                                    sc_status status)
{
    pj_status_t result = SC_EGONE;
    uint32_t failed = 3;

    if (!input || !output || strlen(input) >= SC_DEVICE_NAME_SIZE || strlen(output) >= SC_DEVICE_NAME_SIZE ||
        tail > MAX_ECHO_TAIL)
        result = SC_EARGS;
    else
        WITH_MIXER(mixer, failed = set_devices(self, input, output, tail, &result));
    if (status)
        *status = result;
    return failed;
}

uint32_t sc_audio_mixer_lost_devices(sc_audio_mixer mixer)
{
    uint32_t lost = 0;

    WITH_MIXER(mixer, lost = is_lost(&self->input) | is_lost(&self->output) << 1);
    return lost;
}

uint32_t sc_audio_mixer_use_devices(sc_audio_mixer mixer, uint32_t input, uint32_t output, sc_status status)
{
    pj_status_t result = SC_EGONE;
    uint32_t failed = 3;

    WITH_MIXER(mixer, failed = use_devices(self, input, output, &result));
    if (status)
        *status = result;
    return failed;
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
    if (*status == PJ_ETOOMANY)
        *status = SC_EFULL;
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
