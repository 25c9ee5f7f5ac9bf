/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

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

    sc_clock_hold();
    if (self->slot >= 0)
        sc_mixer_remove(self->mixer, self->slot);
    if (self->port)
        pjmedia_port_destroy(self->port);
    sc_clock_go_on();
    sc_object_put(self->mixer);
}

/* The player's own, the same for all: set with the first one. */
static pj_status_t (*read_frame)(pjmedia_port *port, pjmedia_frame *frame);

/*
 * In the media clock. The port carries the serial until it has told of its end: the object may be gone. pjmedia's own
 * notice of the end waits in a queue of 16 and is lost when more files end together.
 */
static pj_status_t get_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    pj_status_t status = read_frame(port, frame);
    sc_record record;

    if (status == PJ_EEOF && port->port_data.pdata) {
        sc_record_init(&record, SC_RECORD_WAVE_FILE_END, (uint64_t)(uintptr_t)port->port_data.pdata);
        sc_record_push(&record, false);
        port->port_data.pdata = NULL;
    }
    return status;
}

static unsigned little16(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

/* Reads on to the format chunk as pjmedia does (no padding), and its first 16 bytes. */
static bool read_format(FILE *file, uint8_t format[16])
{
    uint8_t head[12];

    if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) || memcmp(head + 8, "WAVE", 4))
        return false;
    while (fread(head, 1, 8, file) == 8) {
        uint32_t size = little16(head + 4) | (uint32_t)little16(head + 6) << 16;

        if (!memcmp(head, "fmt ", 4))
            return size >= 16 && fread(format, 1, 16, file) == 16;
        if (!size || fseek(file, (long)size, SEEK_CUR))
            return false;
    }
    return false;
}

/* pjmedia 2.17 divides by the sample rate and trusts the numbers of the format chunk: only sane ones get that far. */
static pj_status_t check_header(const char *filename)
{
    uint8_t format[16];
    struct stat facts;
    FILE *file;
    bool found;
    unsigned tag, channels, rate, bits;

    /* Opening a pipe would wait for its writer. */
    if (stat(filename, &facts) == 0 && !S_ISREG(facts.st_mode))
        return PJMEDIA_ENOTVALIDWAVE;
    file = fopen(filename, "rbe");
    if (!file)
        return PJ_STATUS_FROM_OS(errno);
    found = read_format(file, format);
    fclose(file);
    if (!found)
        return PJMEDIA_ENOTVALIDWAVE;
    tag = little16(format);
    channels = little16(format + 2);
    rate = little16(format + 4) | little16(format + 6) << 16;
    bits = little16(format + 14);
    if (channels != 1 || rate < 4000 || rate > 192000 || rate % 50)
        return PJMEDIA_EWAVEUNSUPP;
    if (!(tag == 1 && bits == 16) && !((tag == 6 || tag == 7) && bits == 8))
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
    if (status == PJ_SUCCESS) {
        self->port->port_data.pdata = (void *)(uintptr_t)self->object.serial;
        if (!read_frame)
            read_frame = self->port->get_frame;
        self->port->get_frame = get_frame;
        self->slot = sc_mixer_add(self->mixer, self->port, pj_str("wave"), &status);
    }
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
