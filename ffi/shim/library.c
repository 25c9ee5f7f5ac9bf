/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#ifdef __linux__
#include <malloc.h>
#include <sys/prctl.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"
#include "library.h"

static atomic_bool attached;
static atomic_uint fail_after;
static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;
static atomic_bool gate_is_open;

uint32_t sc_abi(void)
{
    return SC_ABI;
}

int32_t sc_build(sc_buffer text, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(text, capacity);
    const char *version = pj_get_version();

    sc_write_bytes(&writer, version, strlen(version));
    return sc_writer_done(&writer);
}

int32_t sc_attach(void)
{
    bool expected = false;

    return atomic_compare_exchange_strong(&attached, &expected, true) ? PJ_SUCCESS : SC_EBUSY;
}

void sc_detach(void)
{
    atomic_store(&attached, false);
}

int32_t sc_status_text(int32_t status, sc_buffer text, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(text, capacity);
    char line[PJ_ERR_MSG_SIZE];
    pj_str_t words;

    switch (status) {
    case SC_EGONE:
        words = pj_str("The object has ended");
        break;
    case SC_EBUSY:
        words = pj_str("The library is in use");
        break;
    case SC_EARGS:
        words = pj_str("The arguments cannot be read");
        break;
    case SC_ENOPORT:
        words = pj_str("No free pair of ports in the RTP port range");
        break;
    case SC_EFULL:
        words = pj_str("Every slot of the mixer is in use");
        break;
    default:
        words = pj_strerror(status, line, sizeof(line));
    }
    sc_write_str(&writer, &words);
    return sc_writer_done(&writer);
}

uint32_t sc_live_objects(void)
{
    return sc_object_count();
}

static double pool_bytes(void)
{
    double bytes = 0;
#if !PJ_POOL_DEBUG
    /* The factory's own counter is kept no more. */
    pj_pool_t *end = (pj_pool_t *)&sc_engine.cp.used_list, *pool;

    pj_lock_acquire(sc_engine.cp.lock);
    for (pool = sc_engine.cp.used_list.next; pool != end; pool = pool->next)
        bytes += (double)pj_pool_get_capacity(pool);
    pj_lock_release(sc_engine.cp.lock);
#endif
    return bytes;
}

double sc_pool_bytes(void)
{
    double bytes = 0;

    if (sc_enter()) {
        bytes = pool_bytes();
        sc_leave();
    }
    return bytes;
}

#ifdef __linux__
/* By the names that sc_thread_name() and pj_thread_create() give: the runtime has threads of its own beside them. */
static bool is_ours(const char *task)
{
    static const char *const names[] = { "sc-sip",    "sc-clock",        "sc-bell",        "media",
                                         "ev_thread", "sc-devices", "alsasound_playb", "alsasound_captu" };
    char path[64], name[32] = "";
    unsigned i;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", task);
    file = fopen(path, "re");
    if (!file)
        return false; /* it has just ended */
    if (fgets(name, sizeof(name), file))
        name[strcspn(name, "\n")] = '\0';
    fclose(file);
    for (i = 0; i < PJ_ARRAY_SIZE(names); i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}
#endif

uint32_t sc_live_threads(void)
{
    uint32_t count = 0;
#ifdef __linux__
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;

    while (tasks && (entry = readdir(tasks)))
        if (entry->d_name[0] != '.' && is_ours(entry->d_name))
            count++;
    if (tasks)
        closedir(tasks);
#endif
    return count;
}

void sc_thread_name(const char *name)
{
#ifdef __linux__
    prctl(PR_SET_NAME, name);
#elif defined(__APPLE__)
    pthread_setname_np(name);
#else
    PJ_UNUSED_ARG(name);
#endif
}

/* A Mac's conditions know the time of day only. */
#ifdef __APPLE__
#define COND_CLOCK CLOCK_REALTIME
#else
#define COND_CLOCK CLOCK_MONOTONIC
#endif

void sc_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
#ifndef __APPLE__
    pthread_condattr_setclock(&attributes, COND_CLOCK);
#endif
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct timespec sc_from_now(unsigned ms)
{
    struct timespec until;

    clock_gettime(COND_CLOCK, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

void sc_fail_after(uint32_t n)
{
    atomic_store(&fail_after, n);
}

bool sc_should_fail(void)
{
    unsigned left = atomic_load(&fail_after);

    if (!left)
        return false;
    return atomic_fetch_sub(&fail_after, 1) == 1;
}

void sc_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void sc_thread_register(void)
{
    /* pjlib keeps a pointer to it for as long as the thread lives, so it is never freed. */
    static __thread pj_thread_desc *desc;
    pj_thread_t *thread;

    if (desc || pj_thread_is_registered())
        return;
    desc = calloc(1, sizeof(*desc));
    if (desc)
        pj_thread_register("js", *desc, &thread);
}

bool sc_enter(void)
{
    /* Never blocks: while the gate is being closed the answer is already "not running". */
    if (!atomic_load(&gate_is_open) || pthread_rwlock_tryrdlock(&gate))
        return false;
    if (!atomic_load(&gate_is_open)) {
        pthread_rwlock_unlock(&gate);
        return false;
    }
    sc_thread_register();
    return true;
}

void sc_leave(void)
{
    pthread_rwlock_unlock(&gate);
}

void sc_gate_open(void)
{
    atomic_store(&gate_is_open, true);
}

void sc_gate_close(void)
{
    atomic_store(&gate_is_open, false);
    pthread_rwlock_wrlock(&gate);
    pthread_rwlock_unlock(&gate);
}
