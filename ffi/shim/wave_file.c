/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reader of our own: pjmedia's divides by the sample rate of the header and trusts its sizes, loops for ever within
 * a tick when a file that it repeats is cut short meanwhile, and tells of its end through a queue of 16, which loses
 * some when more files end together.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "wave_file.h"

#define MIN_RATE 4000
#define MAX_RATE 192000
#define BUFFER_SIZE 16384
/* A file of more, as one of zeros, is none. */
#define MAX_CHUNKS 1000

enum { PCM = 1, A_LAW = 6, MU_LAW = 7, EXTENSIBLE = 0xfffe };

typedef struct {
    unsigned tag, channels, rate, bits, block;
} format;

/* The bridge's ticks are the only ones that touch it once it is made. */
typedef struct {
    sc_port port;
    uint64_t serial; /* 0 once it has told of its end */
    int fd;
    bool loop;
    bool drains; /* the bridge resamples, and is owed a silent frame that pushes out what it holds back */
    format format;
    off_t start, end, next; /* of the sound, and what is read next */
    uint8_t *at, *filled; /* what is left in the buffer: whole samples of all channels */
    uint8_t buffer[BUFFER_SIZE];
} player;

typedef struct {
    const char *filename;
    bool loop;
} arguments;

/* ---- the header ------------------------------------------------------------------------------------------------------ */

static unsigned little16(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

static uint32_t little32(const uint8_t *at)
{
    return little16(at) | (uint32_t)little16(at + 2) << 16;
}

/* How many bytes there were; less than asked for: the end of the file. */
static size_t read_at(int fd, off_t at, void *buffer, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = pread(fd, (uint8_t *)buffer + done, size - done, at + (off_t)done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        done += (size_t)count;
    }
    return done;
}

static bool read_format(int fd, off_t at, uint32_t size, format *format)
{
    uint8_t head[40];
    size_t wanted = size < sizeof(head) ? size : sizeof(head);

    if (size < 16 || read_at(fd, at, head, wanted) != wanted)
        return false;
    format->tag = little16(head);
    format->channels = little16(head + 2);
    format->rate = little32(head + 4);
    format->block = little16(head + 12);
    format->bits = little16(head + 14);
    /* The first bytes of the GUID that names the format then. */
    if (format->tag == EXTENSIBLE && wanted == sizeof(head))
        format->tag = little16(head + 24);
    return true;
}

static bool is_supported(const format *format)
{
    bool law = format->tag == A_LAW || format->tag == MU_LAW;

    return (law ? format->bits == 8 : format->tag == PCM && format->bits == 16) &&
           (format->channels == 1 || format->channels == 2) && format->rate >= MIN_RATE && format->rate <= MAX_RATE &&
           format->rate % 50 == 0 && format->block == format->channels * format->bits / 8;
}

/* Finds the format and the sound. The sizes are those of the header, but never more than there is. */
static pj_status_t read_header(player *self, off_t file_size)
{
    off_t at = 12;
    bool found = false;
    unsigned chunks = 0;
    uint8_t head[12];

    if (read_at(self->fd, 0, head, 12) != 12 || memcmp(head, "RIFF", 4) || memcmp(head + 8, "WAVE", 4))
        return PJMEDIA_ENOTVALIDWAVE;
    while (chunks++ < MAX_CHUNKS && read_at(self->fd, at, head, 8) == 8) {
        uint32_t size = little32(head + 4);

        at += 8;
        if (!memcmp(head, "fmt ", 4)) {
            if (found || !read_format(self->fd, at, size, &self->format))
                return PJMEDIA_ENOTVALIDWAVE;
            if (!is_supported(&self->format))
                return PJMEDIA_EWAVEUNSUPP;
            found = true;
        } else if (!memcmp(head, "data", 4)) {
            off_t left = at < file_size ? file_size - at : 0;

            if (!found)
                return PJMEDIA_ENOTVALIDWAVE;
            if (size > left)
                size = (uint32_t)left;
            self->start = self->next = at;
            self->end = at + size - size % self->format.block;
            /* Less than a tick would be repeated for ever within one. */
            return size / self->format.block < self->format.rate / 50 ? PJMEDIA_EWAVETOOSHORT : PJ_SUCCESS;
        }
        /* Chunks begin at even bytes. */
        at += (off_t)size + (size & 1);
    }
    return found ? PJMEDIA_EWAVETOOSHORT : PJMEDIA_ENOTVALIDWAVE;
}

/* ---- playing --------------------------------------------------------------------------------------------------------- */

/* Reads on; at the end from the start again when it loops. False when there is no more. */
static bool read_on(player *self)
{
    size_t block = self->format.block, size = 0;
    bool again = self->loop;

    for (;;) {
        off_t left = self->end - self->next;
        size_t wanted = left < BUFFER_SIZE ? (size_t)left : BUFFER_SIZE - BUFFER_SIZE % block;

        if (wanted)
            size = read_at(self->fd, self->next, self->buffer, wanted);
        size -= size % block;
        /* A file that was cut short meanwhile ends there, and is over when nothing is left of it. */
        if (size || !again)
            break;
        again = false;
        self->next = self->start;
    }
    self->next += (off_t)size;
    self->at = self->buffer;
    self->filled = self->buffer + size;
    return size > 0;
}

static int sample_of(const format *format, const uint8_t *at)
{
    switch (format->tag) {
    case A_LAW:
        return pjmedia_alaw2linear(*at);
    case MU_LAW:
        return pjmedia_ulaw2linear(*at);
    default:
        return (int16_t)little16(at);
    }
}

static void convert(player *self, int16_t *samples, unsigned count)
{
    const format *format = &self->format;
    unsigned bytes = format->bits / 8, i;

    for (i = 0; i < count; i++) {
        int sample = sample_of(format, self->at);

        if (format->channels == 2)
            sample = (sample + sample_of(format, self->at + bytes)) / 2;
        samples[i] = (int16_t)sample;
        self->at += format->block;
    }
}

/* How many samples there were. */
static unsigned play(player *self, int16_t *samples, unsigned count)
{
    unsigned done = 0;

    while (done < count && (self->at < self->filled || read_on(self))) {
        unsigned here = (unsigned)(self->filled - self->at) / self->format.block;

        if (here > count - done)
            here = count - done;
        convert(self, samples + done, here);
        done += here;
    }
    return done;
}

/* In the media clock. The port has the serial, not the object, which may be gone. */
static pj_status_t get_frame(pjmedia_port *port, pjmedia_frame *frame)
{
    player *self = (player *)port;
    unsigned count = PJMEDIA_PIA_SPF(&port->info), done = self->serial ? play(self, frame->buf, count) : 0;
    sc_record record;

    if (!done && self->drains && self->serial) {
        self->drains = false;
        done = count;
        pj_bzero(frame->buf, count * sizeof(int16_t));
    }
    frame->type = done ? PJMEDIA_FRAME_TYPE_AUDIO : PJMEDIA_FRAME_TYPE_NONE;
    frame->size = done ? count * sizeof(int16_t) : 0;
    if (done) {
        pj_bzero((int16_t *)frame->buf + done, (count - done) * sizeof(int16_t));
        return PJ_SUCCESS;
    }
    if (self->serial) {
        sc_record_init(&record, SC_RECORD_WAVE_FILE_END, self->serial);
        sc_record_push(&record, false);
        self->serial = 0;
    }
    return PJ_EEOF;
}

/* ---- the rows -------------------------------------------------------------------------------------------------------- */

static void destroy(sc_port *port)
{
    close(((player *)port)->fd);
}

/* A pipe would be waited for, a device has no end: what is opened is a plain file. */
static int open_file(const char *filename, off_t *size, pj_status_t *status)
{
    int fd = open(filename, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat facts;

    if (fd < 0) {
        *status = PJ_STATUS_FROM_OS(errno);
    } else if (fstat(fd, &facts) < 0 || !S_ISREG(facts.st_mode)) {
        *status = PJMEDIA_ENOTVALIDWAVE;
        close(fd);
        fd = -1;
    } else {
        *size = facts.st_size;
    }
    return fd;
}

static sc_port *make(sc_port_owner *owner, const void *arg, pj_status_t *status)
{
    const arguments *args = arg;
    player header = { .format = { 0 } }, *self;
    off_t size;

    header.fd = open_file(args->filename, &size, status);
    if (header.fd < 0)
        return NULL;
    *status = read_header(&header, size);
    self = *status == PJ_SUCCESS ? sc_port_new(sizeof(*self), "wave", header.format.rate) : NULL;
    if (!self) {
        if (*status == PJ_SUCCESS)
            *status = PJ_ENOMEM;
        close(header.fd);
        return NULL;
    }
    self->serial = owner->object.serial;
    self->fd = header.fd;
    self->loop = args->loop;
    self->drains = header.format.rate != sc_mixer_rate(owner->mixer);
    self->format = header.format;
    self->start = self->next = header.start;
    self->end = header.end;
    self->at = self->filled = self->buffer;
    self->port.base.get_frame = get_frame;
    self->port.destroy = destroy;
    return &self->port;
}

sc_wave_file sc_wave_file_create(sc_audio_mixer mixer, sc_text filename, uint32_t loop, sc_status status)
{
    arguments args = { filename, loop != 0 };

    if (filename)
        return sc_port_owner_create(SC_KIND_WAVE_FILE, mixer, make, &args, status);
    if (status)
        *status = SC_EARGS;
    return 0;
}

int32_t sc_wave_file_close(sc_wave_file file)
{
    return sc_port_owner_close(SC_KIND_WAVE_FILE, file);
}

int32_t sc_wave_file_slot(sc_wave_file file)
{
    return sc_port_owner_slot(SC_KIND_WAVE_FILE, file);
}

int32_t sc_wave_file_set_volume(sc_wave_file file, uint32_t percent)
{
    return sc_port_owner_set_volume(SC_KIND_WAVE_FILE, file, percent);
}
