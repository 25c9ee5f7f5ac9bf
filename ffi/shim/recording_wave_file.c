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

/* The port's own: it lives until the bridge has let go of it, which may be after the object's end. */
typedef struct {
    pjmedia_port port;
    pj_pool_t *pool;
    pthread_mutex_t mutex;
    FILE *file; /* NULL once closed */
    uint32_t rate;
    uint32_t written; /* bytes of sound */
    unsigned frames;
    int error;
} recorder;

typedef struct {
    sc_object object;
    sc_mixer *mixer;
    recorder *recorder;
    int slot;
} recording_wave_file;

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
    recorder *self = port->port_data.pdata;

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

static pj_status_t get_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    PJ_UNUSED_ARG(port);
    frame->type = PJMEDIA_FRAME_TYPE_NONE;
    frame->size = 0;
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

static pj_status_t on_destroy(pjmedia_port *port)
{
    recorder *self = port->port_data.pdata;

    finish(self);
    pthread_mutex_destroy(&self->mutex);
    pj_pool_release(self->pool);
    return PJ_SUCCESS;
}

static void destroy(sc_object *object)
{
    recording_wave_file *self = (recording_wave_file *)object;

    if (self->recorder)
        finish(self->recorder);
    sc_clock_hold();
    if (self->slot >= 0)
        sc_mixer_remove(self->mixer, self->slot);
    if (self->recorder)
        pjmedia_port_destroy(&self->recorder->port);
    sc_clock_go_on();
    sc_object_put(self->mixer);
}

static recorder *create_recorder(sc_mixer *mixer, sc_text filename, pj_status_t *status)
{
    static const pj_str_t name = { "recording", 9 };
    struct stat facts;
    pj_pool_t *pool;
    recorder *self;

    /* Opening a pipe would wait for its reader. */
    if (stat(filename, &facts) == 0 && S_ISFIFO(facts.st_mode)) {
        *status = PJ_STATUS_FROM_OS(ESPIPE);
        return NULL;
    }
    pool = sc_pool_create("recording", 1000);
    self = pool ? PJ_POOL_ZALLOC_T(pool, recorder) : NULL;
    *status = PJ_ENOMEM;
    if (!self) {
        if (pool)
            pj_pool_release(pool);
        return NULL;
    }
    self->pool = pool;
    self->rate = sc_mixer_rate(mixer);
    self->file = fopen(filename, "wbe");
    if (!self->file) {
        *status = PJ_STATUS_FROM_OS(errno);
        pj_pool_release(pool);
        return NULL;
    }
    pthread_mutex_init(&self->mutex, NULL);
    pjmedia_port_info_init(&self->port.info, &name, PJMEDIA_SIG_CLASS_PORT_AUD('S', 'R'), self->rate, 1, 16,
                           self->rate / 50);
    self->port.port_data.pdata = self;
    self->port.put_frame = put_frame;
    self->port.get_frame = get_frame;
    self->port.on_destroy = on_destroy;
    patch_header(self);
    *status = self->error ? PJ_STATUS_FROM_OS(self->error) : pjmedia_port_init_grp_lock(&self->port, pool, NULL);
    if (*status != PJ_SUCCESS) {
        on_destroy(&self->port);
        return NULL;
    }
    return self;
}

sc_recording_wave_file sc_recording_wave_file_create(sc_audio_mixer mixer, sc_text filename, sc_status status)
{
    pj_status_t result = SC_EGONE;
    sc_serial serial = 0;
    recording_wave_file *self;

    if (filename && sc_enter()) {
        self = sc_object_new(SC_KIND_RECORDING_WAVE_FILE, sizeof(*self), destroy);
        result = PJ_ENOMEM;
        if (self) {
            self->slot = -1;
            self->mixer = sc_object_get(mixer, SC_KIND_AUDIO_MIXER);
            result = SC_EGONE;
            if (self->mixer)
                self->recorder = create_recorder(self->mixer, filename, &result);
            if (self->recorder)
                self->slot = sc_mixer_add(self->mixer, &self->recorder->port, pj_str("recording"), &result);
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

int32_t sc_recording_wave_file_close(sc_recording_wave_file file)
{
    recording_wave_file *self;
    pj_status_t status = SC_EGONE;

    if (!sc_enter())
        return SC_EGONE;
    self = sc_object_get(file, SC_KIND_RECORDING_WAVE_FILE);
    if (self) {
        int error = finish(self->recorder);

        status = error ? PJ_STATUS_FROM_OS(error) : PJ_SUCCESS;
        sc_object_remove(self);
        sc_object_put(self);
    }
    sc_leave();
    return status;
}

int32_t sc_recording_wave_file_slot(sc_recording_wave_file file)
{
    recording_wave_file *self;
    int slot = -SC_EGONE;

    if (!sc_enter())
        return slot;
    self = sc_object_get(file, SC_KIND_RECORDING_WAVE_FILE);
    if (self) {
        slot = self->slot;
        sc_object_put(self);
    }
    sc_leave();
    return slot;
}
