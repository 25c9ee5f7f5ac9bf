/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A writer of our own: pjmedia's is closed when the bridge lets go of it, a tick or more after stop(), and writes the
 * sizes only then. This one is whole when close returns, and its header is right once a second, so that a process
 * which is killed leaves a file that players open.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "internal.h"
#include "recording_wave_file.h"

#define HEADER_SIZE 44
#define FRAMES_PER_PATCH 50

typedef struct {
    sc_port port;
    pthread_mutex_t mutex;
    FILE *file; /* NULL once closed */
    uint32_t rate;
    uint32_t written; /* bytes of sound */
    unsigned frames;
    int error;
} recorder;

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, 4);
}

static void put16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, 2);
}

static void patch_header(recorder *self)
{
    uint8_t head[HEADER_SIZE];
    long end = ftell(self->file);

    memcpy(head, "RIFF....WAVEfmt ", 16);
    put32(head + 4, 36 + self->written);
    put32(head + 16, 16);
    put16(head + 20, 1); /* PCM */
    put16(head + 22, 1); /* mono */
    put32(head + 24, self->rate);
    put32(head + 28, self->rate * 2);
    put16(head + 32, 2);
    put16(head + 34, 16);
    memcpy(head + 36, "data", 4);
    put32(head + 40, self->written);
    if (fseek(self->file, 0, SEEK_SET) || fwrite(head, 1, sizeof(head), self->file) != sizeof(head) ||
        fflush(self->file) || (end > HEADER_SIZE && fseek(self->file, end, SEEK_SET)))
        self->error = errno ? errno : EIO;
}

static void write_sound(recorder *self, const void *data, size_t size)
{
    if (self->written > UINT32_MAX - HEADER_SIZE - size) {
        self->error = EFBIG;
    } else if (fwrite(data, 1, size, self->file) != size) {
        self->error = errno ? errno : EIO;
    } else {
        self->written += (uint32_t)size;
    }
}

/* In the media clock. */
static pj_status_t put_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    recorder *self = (recorder *)port;

    /* What a bridge hands over where nothing is connected. */
    if (frame->type != PJMEDIA_FRAME_TYPE_AUDIO)
        return PJ_SUCCESS;
    pthread_mutex_lock(&self->mutex);
    if (self->file && !self->error) {
        write_sound(self, frame->buf, frame->size);
        if (++self->frames % FRAMES_PER_PATCH == 0 && !self->error)
            patch_header(self);
    }
    pthread_mutex_unlock(&self->mutex);
    return PJ_SUCCESS;
}

static int finish(recorder *self)
{
    int error;

    pthread_mutex_lock(&self->mutex);
    if (self->file) {
        if (!self->error)
            patch_header(self);
        if (fclose(self->file) && !self->error)
            self->error = errno ? errno : EIO;
        self->file = NULL;
    }
    error = self->error;
    pthread_mutex_unlock(&self->mutex);
    return error;
}

static void destroy(sc_port *port)
{
    recorder *self = (recorder *)port;

    finish(self);
    pthread_mutex_destroy(&self->mutex);
}

static sc_port *make(sc_port_owner *owner, const void *filename, pj_status_t *status)
{
    unsigned rate = sc_mixer_rate(owner->mixer);
    struct stat facts;
    recorder *self;

    /* Opening a pipe would wait for its reader. */
    if (stat(filename, &facts) == 0 && S_ISFIFO(facts.st_mode)) {
        *status = PJ_STATUS_FROM_OS(ESPIPE);
        return NULL;
    }
    self = sc_port_new(sizeof(*self), "recording", rate);
    *status = self ? PJ_SUCCESS : PJ_ENOMEM;
    if (!self)
        return NULL;
    self->rate = rate;
    pthread_mutex_init(&self->mutex, NULL);
    self->port.base.put_frame = put_frame;
    self->port.destroy = destroy;
    self->file = fopen(filename, "wbe");
    if (!self->file)
        self->error = errno;
    else
        patch_header(self);
    if (!self->error)
        return &self->port;
    *status = PJ_STATUS_FROM_OS(self->error);
    pjmedia_port_destroy(&self->port.base);
    return NULL;
}

sc_recording_wave_file sc_recording_wave_file_create(sc_audio_mixer mixer, sc_text filename, sc_status status)
{
    if (filename)
        return sc_port_owner_create(SC_KIND_RECORDING_WAVE_FILE, mixer, make, filename, status);
    if (status)
        *status = SC_EARGS;
    return 0;
}

int32_t sc_recording_wave_file_close(sc_recording_wave_file file)
{
    sc_port_owner *self = sc_port_owner_take(SC_KIND_RECORDING_WAVE_FILE, file);
    int error;

    if (!self)
        return SC_EGONE;
    error = finish((recorder *)self->port);
    sc_object_remove(self);
    sc_port_owner_give_back(self);
    return error ? PJ_STATUS_FROM_OS(error) : PJ_SUCCESS;
}

int32_t sc_recording_wave_file_slot(sc_recording_wave_file file)
{
    return sc_port_owner_slot(SC_KIND_RECORDING_WAVE_FILE, file);
}
