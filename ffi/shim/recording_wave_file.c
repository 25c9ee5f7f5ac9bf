/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A writer of our own: pjmedia's is closed when the bridge lets go of it, a tick or more after stop(), and writes the
 * sizes only then. This one is whole when close returns, and its header is right once a second, so that a process
 * which is killed leaves a file that players open.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "recording_wave_file.h"

#define HEADER_SIZE 44
#define FRAMES_PER_PATCH 50

typedef struct {
    sc_port port;
    pthread_mutex_t mutex;
    int fd; /* -1 once closed */
    uint32_t rate;
    uint32_t written; /* bytes of sound that are in the file */
    unsigned frames;
    int error;
    /* What is not yet: a second at most. */
    size_t waiting, capacity;
    uint8_t *buffer;
} recorder;

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, 4);
}

static void put16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, 2);
}

static void write_at(recorder *self, off_t at, const void *data, size_t size)
{
    const uint8_t *from = data;

    while (size && !self->error) {
        ssize_t count = pwrite(self->fd, from, size, at);

        if (count > 0) {
            from += count;
            at += count;
            size -= (size_t)count;
        } else if (count == 0 || errno != EINTR) {
            self->error = count == 0 ? EIO : errno;
        }
    }
}

static void write_header(recorder *self)
{
    uint8_t head[HEADER_SIZE];

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
    write_at(self, 0, head, sizeof(head));
}

/* Sound first: the header never tells of more than there is. */
static void write_waiting(recorder *self)
{
    if (self->waiting > UINT32_MAX - HEADER_SIZE - self->written)
        self->error = EFBIG;
    write_at(self, HEADER_SIZE + (off_t)self->written, self->buffer, self->waiting);
    if (!self->error)
        self->written += (uint32_t)self->waiting;
    self->waiting = 0;
    write_header(self);
}

/* In the media clock. */
static pj_status_t put_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    recorder *self = (recorder *)port;

    /* What a bridge hands over where nothing is connected. */
    if (frame->type != PJMEDIA_FRAME_TYPE_AUDIO)
        return PJ_SUCCESS;
    pthread_mutex_lock(&self->mutex);
    if (self->fd >= 0 && !self->error && frame->size <= self->capacity - self->waiting) {
        memcpy(self->buffer + self->waiting, frame->buf, frame->size);
        self->waiting += frame->size;
        if (++self->frames % FRAMES_PER_PATCH == 0)
            write_waiting(self);
    }
    pthread_mutex_unlock(&self->mutex);
    return PJ_SUCCESS;
}

static int finish(recorder *self)
{
    int error;

    pthread_mutex_lock(&self->mutex);
    if (self->fd >= 0) {
        if (!self->error)
            write_waiting(self);
        if (close(self->fd) && !self->error)
            self->error = errno;
        self->fd = -1;
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
    size_t capacity = FRAMES_PER_PATCH * (rate / 50) * sizeof(int16_t);
    struct stat facts;
    recorder *self;

    /* Opening a pipe would wait for its reader. */
    if (stat(filename, &facts) == 0 && S_ISFIFO(facts.st_mode)) {
        *status = PJ_STATUS_FROM_OS(ESPIPE);
        return NULL;
    }
    self = sc_port_new(sizeof(*self), "recording", rate);
    *status = PJ_ENOMEM;
    if (!self)
        return NULL;
    self->rate = rate;
    self->capacity = capacity;
    /* Those of many calls that begin together do not all write in the same tick. */
    self->frames = (unsigned)(owner->object.serial % FRAMES_PER_PATCH);
    pthread_mutex_init(&self->mutex, NULL);
    self->port.base.put_frame = put_frame;
    self->port.destroy = destroy;
    self->fd = open(filename, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (self->fd < 0)
        self->error = errno;
    else
        write_header(self);
    self->buffer = pj_pool_alloc(self->port.pool, capacity);
    if (self->buffer && !self->error)
        return &self->port;
    if (self->error)
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
    sc_port_owner *self = sc_take(file, SC_KIND_RECORDING_WAVE_FILE);
    int error;

    if (!self)
        return SC_EGONE;
    error = finish((recorder *)self->port);
    sc_object_remove(self);
    sc_give_back(self);
    return error ? PJ_STATUS_FROM_OS(error) : PJ_SUCCESS;
}

int32_t sc_recording_wave_file_slot(sc_recording_wave_file file)
{
    return sc_port_owner_slot(SC_KIND_RECORDING_WAVE_FILE, file);
}
