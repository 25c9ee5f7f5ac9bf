/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread drives every mixer, 50 times a second. PJMEDIA's bridges execute what was asked of them (ports added,
 * removed, connected) only in their ticks, so a mixer ticks from its creation to its end.
 */
#include <sched.h>
#include <time.h>

#include "internal.h"
#include "library.h"

#define TICK_NS 20000000L
/*
 * Ticks that came late are made up for, so that sound stays in step with the time at both ends of a call. What was
 * missed beyond these, as after a stop of the process, is let go.
 */
#define MAX_BEHIND_NS (50 * TICK_NS)

/*
 * With inheritance of priority: whoever holds it while the clock waits is as urgent as the clock, and what is waited
 * for is handed over when it is given back, so that a clock which is behind, and does not sleep, starves nobody.
 */
static pthread_mutex_t mutex;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static sc_clock_client clients = { .prev = &clients, .next = &clients };
static pthread_t thread;
static bool started, stopping;
/* Since it was started; how many of them began when the next one was due already; the greatest lateness. */
static uint64_t ticks, late;
static int64_t latest;

static void init_mutex(void)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static void lock(void)
{
    pthread_once(&once, init_mutex);
    pthread_mutex_lock(&mutex);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until(int64_t due)
{
    int64_t left = due - now_ns();

    if (left > 0) {
        struct timespec wait = { (time_t)(left / 1000000000), (long)(left % 1000000000) };

        nanosleep(&wait, NULL);
    }
}

/* As pjmedia's own clock: ahead of all that is not urgent, where the system lets us, or a busy one makes gaps. */
static void be_urgent(void)
{
    struct sched_param param = { .sched_priority = sched_get_priority_min(SCHED_RR) };

    pthread_setschedparam(pthread_self(), SCHED_RR, &param);
}

static void count_tick(int64_t lateness)
{
    ticks++;
    late += lateness >= TICK_NS;
    if (lateness > latest)
        latest = lateness;
}

static void *clock_thread(void *arg)
{
    int64_t due = now_ns();

    (void)arg;
    sc_thread_name("sc-clock");
    sc_thread_register();
    be_urgent();
    lock();
    while (!stopping) {
        sc_clock_client *client;

        if (clients.next == &clients) {
            pthread_cond_wait(&changed, &mutex);
            due = now_ns();
            continue;
        }
        count_tick(now_ns() - due);
        for (client = clients.next; client != &clients; client = client->next)
            client->tick(client->arg);
        sc_pcm_tell();
        pthread_mutex_unlock(&mutex);
        due += TICK_NS;
        if (now_ns() - due > MAX_BEHIND_NS)
            due = now_ns();
        sleep_until(due);
        pthread_mutex_lock(&mutex);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

pj_status_t sc_clock_start(void)
{
    int failed;

    stopping = false;
    ticks = late = 0;
    latest = 0;
    failed = pthread_create(&thread, NULL, clock_thread, NULL);
    started = !failed;
    return failed ? PJ_STATUS_FROM_OS(failed) : PJ_SUCCESS;
}

void sc_clock_stop(void)
{
    if (!started)
        return;
    lock();
    stopping = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    started = false;
}

void sc_clock_add(sc_clock_client *client)
{
    lock();
    client->next = &clients;
    client->prev = clients.prev;
    clients.prev->next = client;
    clients.prev = client;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

void sc_clock_remove(sc_clock_client *client)
{
    lock();
    if (client->next) {
        client->prev->next = client->next;
        client->next->prev = client->prev;
        client->next = client->prev = NULL;
    }
    pthread_mutex_unlock(&mutex);
}

void sc_clock_hold(void)
{
    lock();
}

void sc_clock_go_on(void)
{
    pthread_mutex_unlock(&mutex);
}

int32_t sc_clock_figures(sc_buffer answer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(answer, capacity);

    lock();
    sc_write_f64(&writer, (double)ticks);
    sc_write_f64(&writer, (double)late);
    sc_write_f64(&writer, (double)latest / 1e6);
    pthread_mutex_unlock(&mutex);
    return sc_writer_done(&writer);
}
