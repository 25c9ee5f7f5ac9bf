/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "internal.h"
#include "wave_file.h"

typedef struct {
    sc_object object;
    sc_mixer *mixer;
    pjmedia_port *port;
    int slot;
} wave_file;

static void destroy(sc_object *object)
{
    wave_file *self = (wave_file *)object;

    if (self->slot >= 0)
        sc_mixer_remove(self->mixer, self->slot);
    if (self->port)
        pjmedia_port_destroy(self->port);
    sc_object_put(self->mixer);
}

/* In the event thread: the serial, since the object may be gone. */
static void on_end(pjmedia_port *port, void *user_data)
{
    sc_record record;

    PJ_UNUSED_ARG(port);
    sc_record_init(&record, SC_RECORD_WAVE_FILE_END, (uint64_t)(uintptr_t)user_data);
    sc_record_push(&record, false);
}

static unsigned little16(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

/* pjmedia 2.17 divides by the sample rate and trusts the sizes of the format chunk: only a sane one gets that far. */
static pj_status_t check_header(const char *filename)
{
    uint8_t head[36];
    FILE *file = fopen(filename, "rb");
    size_t size;
    unsigned format, channels, rate, bits;

    if (!file)
        return PJ_STATUS_FROM_OS(errno);
    size = fread(head, 1, sizeof(head), file);
    fclose(file);
    if (size < sizeof(head) || memcmp(head, "RIFF", 4) || memcmp(head + 8, "WAVE", 4) || memcmp(head + 12, "fmt ", 4))
        return PJMEDIA_ENOTVALIDWAVE;
    format = little16(head + 20);
    channels = little16(head + 22);
    rate = little16(head + 24) | little16(head + 26) << 16;
    bits = little16(head + 34);
    if (channels != 1 || rate < 4000 || rate > 192000 || rate % 50)
        return PJMEDIA_EWAVEUNSUPP;
    if (!(format == 1 && bits == 16) && !((format == 6 || format == 7) && bits == 8))
        return PJMEDIA_EWAVEUNSUPP;
    return PJ_SUCCESS;
}

static pj_status_t init(wave_file *self, sc_text filename, uint32_t loop)
{
    pj_pool_t *pool;
    pj_status_t status = check_header(filename);

    if (status != PJ_SUCCESS)
        return status;
    /* The player makes a pool of its own; this one only tells it the factory. */
    pool = sc_pool_create("wave", 512);
    if (!pool)
        return PJ_ENOMEM;
    status = pjmedia_wav_player_port_create(pool, filename, 20, loop ? 0 : PJMEDIA_FILE_NO_LOOP, 0, &self->port);
    if (status == PJ_SUCCESS && !loop)
        status = pjmedia_wav_player_set_eof_cb2(self->port, (void *)(uintptr_t)self->object.serial, on_end);
    if (status == PJ_SUCCESS)
        self->slot = sc_mixer_add(self->mixer, self->port, pj_str("wave"), &status);
    pj_pool_release(pool);
    return status;
}

sc_wave_file sc_wave_file_create(sc_audio_mixer mixer, sc_text filename, uint32_t loop, sc_status status)
{
    pj_status_t result = SC_EGONE;
    sc_serial serial = 0;
    wave_file *self;

    if (filename && sc_enter()) {
        self = sc_object_new(SC_KIND_WAVE_FILE, sizeof(*self), destroy);
        result = PJ_ENOMEM;
        if (self) {
            self->slot = -1;
            self->mixer = sc_object_get(mixer, SC_KIND_AUDIO_MIXER);
            result = self->mixer ? init(self, filename, loop) : SC_EGONE;
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

static wave_file *take(sc_wave_file serial)
{
    wave_file *self;

    if (!sc_enter())
        return NULL;
    self = sc_object_get(serial, SC_KIND_WAVE_FILE);
    if (!self)
        sc_leave();
    return self;
}

static void give_back(wave_file *self)
{
    sc_object_put(self);
    sc_leave();
}

int32_t sc_wave_file_close(sc_wave_file file)
{
    wave_file *self = take(file);

    if (!self)
        return SC_EGONE;
    sc_object_remove(self);
    give_back(self);
    return PJ_SUCCESS;
}

int32_t sc_wave_file_slot(sc_wave_file file)
{
    wave_file *self = take(file);
    int slot;

    if (!self)
        return -SC_EGONE;
    slot = self->slot;
    give_back(self);
    return slot;
}

int32_t sc_wave_file_set_volume(sc_wave_file file, uint32_t percent)
{
    wave_file *self = take(file);
    pj_status_t status;

    if (!self)
        return SC_EGONE;
    status = sc_mixer_volume(self->mixer, self->slot, percent);
    give_back(self);
    return status;
}
