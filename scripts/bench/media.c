/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The media row's limit, and the other end of its calls: G.711 calls with pjmedia alone, each hearing a WAV file that
 * plays over and over, each recorded to a file of its own, all in one conference bridge. The arguments: how many
 * calls, the file to play, the folder to record to ("-": nothing is recorded).
 *
 * It prints "ports" and the RTP port of each call, reads those of the other end as one line, and prints "running".
 * A line asks for figures: how many ticks of its clock there were, how many of them came a tick late, the greatest
 * lateness in ms, and how many packets have come. It ends with its input.
 */
#include <pjlib.h>
#include <pjlib-util.h>
#include <pjmedia.h>
#include <pjmedia-codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RATE 8000
#define FRAME 160
#define TICK_NS 20000000
#define MAX_CALLS 1000
#define FIRST_PORT 20000

typedef struct {
    pjmedia_transport *transport;
    pjmedia_stream *stream;
    unsigned port;
} call;

static pj_caching_pool cp;
static pj_pool_t *pool;
static pjmedia_endpt *endpoint;
static pjmedia_conf *conf;
static call calls[MAX_CALLS];
static unsigned call_count;
static volatile unsigned ticks, late, latest;

static void check(pj_status_t status, const char *what)
{
    char text[PJ_ERR_MSG_SIZE];

    if (status == PJ_SUCCESS)
        return;
    pj_strerror(status, text, sizeof(text));
    fprintf(stderr, "Could not %s: %s\n", what, text);
    exit(1);
}

/* The clock asks for a frame once a tick: one that is asked for a tick after its time, and later, is counted. */
static pj_status_t on_tick(pjmedia_port *port, pjmedia_frame *frame)
{
    static int64_t due;
    struct timespec now;
    int64_t time;

    PJ_UNUSED_ARG(port);
    clock_gettime(CLOCK_MONOTONIC, &now);
    time = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (!ticks)
        due = time;
    ticks++;
    late += time - due >= TICK_NS;
    if ((time - due) / 1000000 > latest)
        latest = (unsigned)((time - due) / 1000000);
    due += TICK_NS;
    /* Beyond a second pjmedia's clock lets go what it has missed. */
    if (time - due > 1000000000)
        due = time;
    frame->type = PJMEDIA_FRAME_TYPE_NONE;
    return PJ_SUCCESS;
}

static void start_clock(void)
{
    pjmedia_master_port *master;
    pjmedia_port *null;

    check(pjmedia_null_port_create(pool, RATE, 1, FRAME, 16, &null), "make a null port");
    null->get_frame = on_tick;
    check(pjmedia_master_port_create(pool, null, pjmedia_conf_get_master_port(conf), 0, &master), "make the clock");
    check(pjmedia_master_port_start(master), "start the clock");
}

static void open_calls(void)
{
    unsigned port = FIRST_PORT, i;
    pj_str_t address = pj_str("127.0.0.1");

    printf("ports");
    for (i = 0; i < call_count; i++) {
        while (pjmedia_transport_udp_create3(endpoint, pj_AF_INET(), NULL, &address, (int)port, 0,
                                             &calls[i].transport) != PJ_SUCCESS) {
            port += 2;
            if (port > 60000)
                check(PJ_ETOOMANY, "find a port");
        }
        calls[i].port = port;
        port += 2;
        printf(" %u", calls[i].port);
    }
    printf("\n");
}

static pjmedia_sdp_session *describe(unsigned port)
{
    char text[400];
    pjmedia_sdp_session *sdp;
    int size = snprintf(text, sizeof(text),
                        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                        "m=audio %u RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
                        "a=fmtp:101 0-16\r\na=sendrecv\r\n",
                        port);
    char *copy = pj_pool_alloc(pool, (size_t)size + 1);

    memcpy(copy, text, (size_t)size + 1);
    check(pjmedia_sdp_parse(pool, copy, (size_t)size, &sdp), "parse a description");
    return sdp;
}

static void start_call(call *self, unsigned remote_port)
{
    pjmedia_sdp_session *local = describe(self->port), *remote = describe(remote_port);
    pjmedia_stream_info info;

    check(pjmedia_transport_media_create(self->transport, pool, 0, NULL, 0), "create the media");
    check(pjmedia_transport_media_start(self->transport, pool, local, remote, 0), "start the media");
    check(pjmedia_stream_info_from_sdp(&info, pool, endpoint, local, remote, 0), "negotiate");
    info.param->setting.vad = 0;
    check(pjmedia_stream_create(endpoint, pool, &info, self->transport, NULL, &self->stream), "create a stream");
    check(pjmedia_stream_start(self->stream), "start a stream");
}

static void connect_call(call *self, const char *filename, const char *folder, unsigned number)
{
    pjmedia_port *port, *player, *writer;
    unsigned slot, from, to;
    char path[1000];

    check(pjmedia_stream_get_port(self->stream, &port), "find a port");
    check(pjmedia_conf_add_port(conf, pool, port, NULL, &slot), "add a stream");
    check(pjmedia_wav_player_port_create(pool, filename, 20, 0, 0, &player), "open the file");
    check(pjmedia_conf_add_port(conf, pool, player, NULL, &from), "add a player");
    check(pjmedia_conf_connect_port(conf, from, slot, 0), "connect a player");
    if (!strcmp(folder, "-"))
        return;
    snprintf(path, sizeof(path), "%s/%u.wav", folder, number);
    check(pjmedia_wav_writer_port_create(pool, path, RATE, 1, FRAME, 16, PJMEDIA_FILE_WRITE_PCM, 0, &writer),
          "make a recording");
    check(pjmedia_conf_add_port(conf, pool, writer, NULL, &to), "add a recording");
    check(pjmedia_conf_connect_port(conf, slot, to, 0), "connect a recording");
}

static void print_figures(void)
{
    unsigned long long received = 0;
    unsigned i;

    for (i = 0; i < call_count; i++) {
        pjmedia_rtcp_stat stat;

        pjmedia_stream_get_stat(calls[i].stream, &stat);
        received += stat.rx.pkt;
    }
    printf("figures %u %u %u %llu\n", ticks, late, latest, received);
}

int main(int argc, char **argv)
{
    char line[MAX_CALLS * 6 + 100], *at;
    pjmedia_event_mgr *events;
    unsigned i;

    if (argc != 4 || atoi(argv[1]) < 1 || atoi(argv[1]) > MAX_CALLS) {
        fprintf(stderr, "usage: media CALLS FILE FOLDER\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    call_count = (unsigned)atoi(argv[1]);
    pj_log_set_level(0);
    check(pj_init(), "start pjlib");
    pj_caching_pool_init(&cp, &pj_pool_factory_default_policy, 0);
    pool = pj_pool_create(&cp.factory, "media", 4000, 4000, NULL);
    check(pjmedia_endpt_create(&cp.factory, NULL, 1, &endpoint), "start pjmedia");
    check(pjmedia_event_mgr_create(pool, 0, &events), "start the events");
    check(pjmedia_codec_g711_init(endpoint), "register the codec");
    check(pjmedia_conf_create(pool, 1 + 3 * call_count, RATE, 1, FRAME, 16, PJMEDIA_CONF_NO_DEVICE, &conf),
          "make the bridge");
    open_calls();
    if (!fgets(line, sizeof(line), stdin))
        return 1;
    at = line;
    for (i = 0; i < call_count; i++)
        start_call(&calls[i], (unsigned)strtoul(at, &at, 10));
    start_clock();
    for (i = 0; i < call_count; i++)
        connect_call(&calls[i], argv[2], argv[3], i);
    printf("running\n");
    while (fgets(line, sizeof(line), stdin))
        print_figures();
    return 0;
}
