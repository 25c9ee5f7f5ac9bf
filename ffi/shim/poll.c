/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who polls PJSIP: one thread at a time. The SIP thread does as long as little happens. Where one message follows
 * another at once, it lends the work to JavaScript's thread, which handles them anyway: a message that is fetched, given
 * to the program and answered by one thread wakes no other one. It takes the work back when JavaScript has other things
 * to do, or nothing comes any more.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* The longest wait of the SIP thread: a timer that another thread sets may be late by as much. */
#define POLL_MS 50
/* The longest wait of JavaScript's, during which nothing else of the program's runs. */
#define LINGER_MS 1
/* Its polling may be worth while when it has drained everything twice within so short a time. */
#define SOON_US 1000
/* After so much of it the event loop has a turn. */
#define TURN_US 1000
/* Nobody polls for so long, if JavaScript has taken the work and does not come back. */
#define LEASE_US 20000
/* It is lent only as an answer to a wish as young as this. */
#define WISH_US 20000
/*
 * Who has not slept for so many times in a row has more to do than one thread can, and none to take for so long; where
 * there are so few processors the second is needed by those who send it all.
 */
#define SLEEPLESS 64
#define FEW_PROCESSORS 2
#define REST_US 100000

static atomic_bool quitting;
/* More than those few. */
static bool has_processors;
static pthread_t thread;
/* The write end; the other one belongs to its key. */
static int wake_socket = -1;
static pj_ioqueue_key_t *wake_key;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool javascript_polls;
    bool lent;
    int64_t wished; /* until when JavaScript's last wish is fresh */
    int64_t lease; /* until when it has the work without polling */
} desk = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int64_t now_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* ---- waking ------------------------------------------------------------------------------------------------------ */

static void wake(void)
{
    char byte = 0;

    /* A full pipe means that it has been woken already. */
    if (send(wake_socket, &byte, 1, MSG_NOSIGNAL) < 0)
        return;
}

static char wake_bytes[64];
static pj_ioqueue_op_key_t wake_op;

static void on_wake(pj_ioqueue_key_t *key, pj_ioqueue_op_key_t *op, pj_ssize_t size)
{
    pj_status_t status = PJ_SUCCESS;

    PJ_UNUSED_ARG(size);
    while (status == PJ_SUCCESS) {
        pj_ssize_t length = sizeof(wake_bytes);

        status = pj_ioqueue_recv(key, op, wake_bytes, &length, 0);
    }
}

pj_status_t sc_poll_open(void)
{
    static const pj_ioqueue_callback callback = { .on_read_complete = on_wake };
    pj_status_t status;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return pj_get_os_error();
    /* Programs that this process starts must not inherit them, and a writer must not wait. */
    fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    fcntl(pair[1], F_SETFD, FD_CLOEXEC);
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    status = pj_ioqueue_register_sock(sc_engine.pool, pjsip_endpt_get_ioqueue(sc_engine.endpt), pair[0], NULL, &callback,
                                      &wake_key);
    if (status != PJ_SUCCESS) {
        close(pair[0]);
        close(pair[1]);
        return status;
    }
    wake_socket = pair[1];
    pj_ioqueue_op_key_init(&wake_op, sizeof(wake_op));
    on_wake(wake_key, &wake_op, 0);
    return PJ_SUCCESS;
}

void sc_poll_close(void)
{
    if (wake_key)
        pj_ioqueue_unregister(wake_key);
    wake_key = NULL;
}

/* ---- polling ------------------------------------------------------------------------------------------------------- */

/* Of whoever polls. */
static void poll_once(unsigned ms)
{
    static pj_time_val swept;
    const pj_time_val wait = { 0, ms };
    pj_time_val now;

    pjsip_endpt_handle_events2(sc_engine.endpt, &wait, NULL);
    pj_gettickcount(&now);
    sc_trying_sweep(&now);
    if (now.sec != swept.sec) {
        swept = now;
        sc_incoming_request_sweep();
        sc_admission_report();
    }
}

/* Under the mutex. */
static void wait_until(int64_t time)
{
    int64_t us = time - now_us();
    struct timespec limit;

    if (us <= 0)
        return;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += us * 1000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&desk.changed, &desk.mutex, &limit);
}

/*
 * The SIP thread has polled. What JavaScript has wished for it gets together with news that rouse it, of which it is
 * told only then: so it comes at once, and finds the work free. A busy one gets nothing: two threads do more than one.
 */
static void lend_work(void)
{
    pthread_mutex_lock(&desk.mutex);
    if (desk.wished && sc_ring_rouses()) {
        int64_t now = now_us();

        desk.lent = now < desk.wished;
        desk.lease = now + LEASE_US;
        desk.wished = 0;
    }
    pthread_mutex_unlock(&desk.mutex);
}

static void take_work(void)
{
    pthread_mutex_lock(&desk.mutex);
    while (desk.lent && !atomic_load(&quitting)) {
        int64_t now = now_us();

        if (desk.javascript_polls)
            wait_until(now + LEASE_US);
        else if (now < desk.lease)
            wait_until(desk.lease);
        else
            desk.lent = false;
    }
    desk.lent = false;
    pthread_mutex_unlock(&desk.mutex);
}

static void *sip_thread(void *arg)
{
    void (*end)(void) = (void (*)(void))arg;

    sc_thread_name("sc-sip");
    sc_thread_register();
    sc_ring_defer();
    for (take_work(); !atomic_load(&quitting); take_work()) {
        poll_once(POLL_MS);
        lend_work();
        sc_ring_deferred();
    }
    end();
    sc_ring_deferred();
    return NULL;
}

/* JavaScript's turn at it; false: the SIP thread has not lent it. */
static bool borrow_work(void)
{
    bool lent;

    pthread_mutex_lock(&desk.mutex);
    lent = desk.lent && !atomic_load(&quitting);
    desk.javascript_polls = lent;
    pthread_mutex_unlock(&desk.mutex);
    return lent;
}

static void keep_work(int64_t now)
{
    pthread_mutex_lock(&desk.mutex);
    desk.javascript_polls = false;
    desk.lease = now + LEASE_US;
    pthread_mutex_unlock(&desk.mutex);
}

/* `wished`: until when JavaScript would like to have it again, or 0. */
static void return_work(int64_t wished)
{
    pthread_mutex_lock(&desk.mutex);
    desk.javascript_polls = desk.lent = false;
    desk.wished = wished;
    pthread_cond_signal(&desk.changed);
    pthread_mutex_unlock(&desk.mutex);
}

static void wish_for_work(int64_t now)
{
    pthread_mutex_lock(&desk.mutex);
    desk.wished = now + WISH_US;
    pthread_mutex_unlock(&desk.mutex);
}

static bool count_processors(void)
{
#ifdef __linux__
    cpu_set_t set;

    if (!sched_getaffinity(0, sizeof(set), &set))
        return CPU_COUNT(&set) > FEW_PROCESSORS;
#endif
    return sysconf(_SC_NPROCESSORS_ONLN) > FEW_PROCESSORS;
}

/* `waited`: nothing was there already. Timers end a wait early, and not every message is for the program. */
static bool look(int64_t *now, bool *waited)
{
    int64_t end = *now + LINGER_MS * 1000;

    if (!sc_ring_attend(wake)) {
        if (has_processors)
            poll_once(0);
        *waited = !sc_ring_found();
        while (!sc_ring_found() && *now < end) {
            poll_once(LINGER_MS);
            *now = now_us();
        }
    }
    return sc_ring_leave();
}

sc_poll_result sc_poll_linger(bool first)
{
    static int64_t last, turn, rest;
    static unsigned sleepless;
    static bool found;
    int64_t now = now_us();
    bool waited = false;

    if (first)
        turn = now;
    if (!borrow_work()) {
        if (now - last < SOON_US && now > rest)
            wish_for_work(now);
        last = now;
        sleepless = 0;
        found = false;
        return SC_POLL_LEFT;
    }
    if (now - turn > TURN_US) {
        keep_work(now);
        return SC_POLL_TURN;
    }
    if (!look(&now, &waited)) {
        /* It was worth while, and may be again. */
        return_work(found ? now + WISH_US : 0);
        return SC_POLL_LEFT;
    }
    found = true;
    sleepless = waited ? 0 : sleepless + 1;
    if (sleepless >= SLEEPLESS && has_processors) {
        rest = now + REST_US;
        return_work(0);
    } else {
        keep_work(now);
    }
    return SC_POLL_FOUND;
}

/* ---- errands --------------------------------------------------------------------------------------------------------- */

typedef struct {
    pj_status_t (*work)(void *arg);
    void *arg;
    pj_status_t status;
    bool done;
} errand;

static pthread_mutex_t errand_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t errand_done = PTHREAD_COND_INITIALIZER;

static void run_errand(pj_timer_heap_t *heap, pj_timer_entry *entry)
{
    errand *self = entry->user_data;

    PJ_UNUSED_ARG(heap);
    self->status = self->work(self->arg);
    pthread_mutex_lock(&errand_mutex);
    self->done = true;
    pthread_cond_signal(&errand_done);
    pthread_mutex_unlock(&errand_mutex);
}

pj_status_t sc_on_poll_thread(pj_status_t (*work)(void *arg), void *arg)
{
    static const pj_time_val now = { 0, 0 };
    errand self = { work, arg, PJ_SUCCESS, false };
    pj_timer_entry timer;
    pj_status_t status;

    /* Only this thread sets it: the poll thread goes on for as long as we wait. */
    if (atomic_load(&quitting))
        return SC_EGONE;
    pj_timer_entry_init(&timer, 0, &self, run_errand);
    status = pjsip_endpt_schedule_timer(sc_engine.endpt, &timer, &now);
    if (status != PJ_SUCCESS)
        return status;
    return_work(0);
    wake();
    pthread_mutex_lock(&errand_mutex);
    while (!self.done)
        pthread_cond_wait(&errand_done, &errand_mutex);
    pthread_mutex_unlock(&errand_mutex);
    return self.status;
}

/* ---- start and stop ------------------------------------------------------------------------------------------------ */

pj_status_t sc_poll_start(void (*end)(void))
{
    atomic_store(&quitting, false);
    has_processors = count_processors();
    desk.lent = false;
    desk.wished = 0;
    /* A plain thread: pj_thread_create() would keep its record in the pool that this thread frees in the end. */
    return PJ_STATUS_FROM_OS(pthread_create(&thread, NULL, sip_thread, (void *)end));
}

void sc_poll_stop(void)
{
    atomic_store(&quitting, true);
    return_work(0);
    wake();
}

bool sc_poll_join(void)
{
    if (!atomic_load(&quitting))
        return false;
    pthread_join(thread, NULL);
    sc_poll_ended();
    return true;
}

void sc_poll_ended(void)
{
    if (wake_socket >= 0)
        close(wake_socket);
    wake_socket = -1;
}
