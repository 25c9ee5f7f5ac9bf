/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "bell.h"
#include "internal.h"

typedef struct {
    void (*ring)(void);
    uint32_t run;
} bell;

static void *bell_thread(void *arg)
{
    bell self = *(bell *)arg;
    uint64_t seen = 0;

    free(arg);
    sc_thread_name("sc-bell");
    while (sc_ring_wait(self.run, &seen))
        self.ring();
    return NULL;
}

uint32_t sc_bell_run(void)
{
    return sc_ring_run();
}

int32_t sc_bell_wait(uint32_t run)
{
    /* One waiter in a run (sc_attach admits one isolate): it remembers the last ring. */
    static uint64_t last_ring;

    return sc_ring_wait(run, &last_ring);
}

int32_t sc_bell_linger(uint32_t run, uint32_t first)
{
    return run == sc_ring_run() ? (int32_t)sc_poll_linger(first) : 0;
}

int32_t sc_bell_start(void (*ring)(void))
{
    pthread_t thread;
    pthread_attr_t attr;
    bell *self = ring ? malloc(sizeof(*self)) : NULL;
    int failed;

    if (!self)
        return ring ? PJ_ENOMEM : SC_EARGS;
    self->ring = ring;
    self->run = sc_ring_run();
    pthread_attr_init(&attr);
    /* Nobody joins it: JavaScript must never wait for the thread that waits for JavaScript. */
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    failed = pthread_create(&thread, &attr, bell_thread, self);
    pthread_attr_destroy(&attr);
    if (failed)
        free(self);
    else
        sc_ring_call(ring);
    return failed ? PJ_STATUS_FROM_OS(failed) : PJ_SUCCESS;
}

void sc_bell_stop(void)
{
    sc_ring_shut();
}
