/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sound devices there are. Finding out means to open each of them, so it is done when somebody asks, and again
 * only when the files that make devices come and go have changed: ALSA's configuration and the nodes in /dev/snd.
 * While changes are waited for, a thread looks at those files once a second.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "devices.h"
#include "internal.h"

#define WATCH_MS 1000
#define NODES "/dev/snd"
#define MAX_FILES 16

typedef struct {
    char *name;
    bool input, output;
} device;

typedef struct {
    const char *name; /* NULL: none */
    uint32_t definition;
} default_device;

/* Under its mutex, also while looking: who asks meanwhile waits for the answer. */
static struct {
    pthread_mutex_t mutex;
    device *list;
    size_t count, capacity;
    default_device input, output;
    uint64_t print; /* of the files, as they were before the last look */
    uint32_t number; /* of the list; 0: none yet */
} seen = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    bool started, on, ending;
    uint32_t told; /* the list that JavaScript was told of last; 0: none since it is on */
} watcher = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* ---- the files ------------------------------------------------------------------------------------------------------ */

static void fold(uint64_t *print, uint64_t value)
{
    *print = (*print ^ value) * 1099511628211u;
}

static void fold_stat(uint64_t *print, const struct stat *info)
{
#ifdef __APPLE__
    struct timespec changed = info->st_ctimespec;
#else
    struct timespec changed = info->st_ctim;
#endif

    fold(print, (uint64_t)info->st_ino);
    fold(print, (uint64_t)info->st_size);
    fold(print, (uint64_t)changed.tv_sec);
    fold(print, (uint64_t)changed.tv_nsec);
}

static void fold_file(uint64_t *print, const char *path)
{
    struct stat info;

    if (!stat(path, &info))
        fold_stat(print, &info);
    else
        fold(print, 1);
}

/* A device's node comes first and the right to open it some time later. The order is the folder's own. */
static void fold_nodes(uint64_t *print)
{
    DIR *folder = opendir(NODES);
    struct dirent *entry;
    struct stat info;

    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && !fstatat(dirfd(folder), entry->d_name, &info, 0))
            fold_stat(print, &info);
    if (folder)
        closedir(folder);
}

static char files[MAX_FILES][PATH_MAX];
static unsigned file_count;

static void add_file(const char *folder, size_t length, const char *name)
{
    if (file_count < MAX_FILES &&
        snprintf(files[file_count], PATH_MAX, "%.*s%s", (int)length, folder, name) < PATH_MAX)
        file_count++;
}

/*
 * The configuration as ALSA finds it: the files that ALSA_CONFIG_PATH names, or its own with what that reads. In
 * JavaScript's thread, which alone changes the environment.
 */
static void find_files(void)
{
    const char *named = getenv("ALSA_CONFIG_PATH"), *home = getenv("HOME"), *settings = getenv("XDG_CONFIG_HOME");

    for (; named && *named; named += *named == ':') {
        size_t length = strcspn(named, ":");

        add_file(named, length, "");
        named += length;
    }
    add_file("/usr/share/alsa/alsa.conf", PATH_MAX, "");
    add_file("/etc/alsa/conf.d", PATH_MAX, "");
    add_file("/etc/asound.conf", PATH_MAX, "");
    if (home)
        add_file(home, PATH_MAX, "/.asoundrc");
    if (settings)
        add_file(settings, PATH_MAX, "/alsa/asoundrc");
    else if (home)
        add_file(home, PATH_MAX, "/.config/alsa/asoundrc");
}

static uint64_t print_of_files(void)
{
    uint64_t print = 14695981039346656037u;
    unsigned i;

    for (i = 0; i < file_count; i++)
        fold_file(&print, files[i]);
    fold_nodes(&print);
    return print;
}

static void prepare(void)
{
    find_files();
    sc_cond_init(&watcher.changed);
}

/* Nothing on a machine without ALSA. */
static bool is_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (!sc_alsa_load())
        return false;
    pthread_once(&once, prepare);
    return true;
}

/* ---- looking ---------------------------------------------------------------------------------------------------------- */

static void clear(void)
{
    while (seen.count)
        free(seen.list[--seen.count].name);
    seen.input = seen.output = (default_device){ NULL, 0 };
}

static void add(void *arg, const char *name, bool input, bool output)
{
    size_t i;

    PJ_UNUSED_ARG(arg);
    if (strlen(name) >= SC_DEVICE_NAME_SIZE)
        return;
    for (i = 0; i < seen.count; i++)
        if (!strcmp(seen.list[i].name, name))
            return;
    if (seen.count == seen.capacity) {
        size_t capacity = seen.capacity ? seen.capacity * 2 : 16;
        device *list = realloc(seen.list, capacity * sizeof(*list));

        if (!list)
            return;
        seen.list = list;
        seen.capacity = capacity;
    }
    seen.list[seen.count].name = strdup(name);
    if (!seen.list[seen.count].name)
        return;
    seen.list[seen.count].input = input;
    seen.list[seen.count].output = output;
    seen.count++;
}

/* What ALSA itself calls so, else the first. */
static default_device default_of(bool input)
{
    default_device found = { NULL, 0 };
    size_t i;

    for (i = 0; i < seen.count; i++) {
        if (!(input ? seen.list[i].input : seen.list[i].output))
            continue;
        if (!found.name || !strcmp(seen.list[i].name, "default"))
            found.name = seen.list[i].name;
    }
    if (found.name)
        found.definition = sc_alsa_definition(found.name, input);
    return found;
}

/* Under the mutex. */
static uint32_t look(void)
{
    uint64_t print = is_ready() ? print_of_files() : 0;

    if (seen.number && print == seen.print)
        return seen.number;
    clear();
    sc_alsa_each(add, NULL);
    seen.input = default_of(true);
    seen.output = default_of(false);
    seen.print = print;
    if (!++seen.number)
        seen.number = 1;
    return seen.number;
}

uint32_t sc_devices_look(void)
{
    uint32_t number;

    if (!sc_enter())
        return 0;
    pthread_mutex_lock(&seen.mutex);
    number = look();
    pthread_mutex_unlock(&seen.mutex);
    sc_leave();
    return number;
}

static void write_text(sc_writer *writer, const char *text)
{
    sc_write_bytes(writer, text ? text : "", text ? strlen(text) : 0);
}

int32_t sc_devices_list(sc_buffer buffer, uint32_t capacity)
{
    sc_writer writer = sc_writer_init(buffer, capacity);
    size_t i;

    if (!sc_enter())
        return 0;
    pthread_mutex_lock(&seen.mutex);
    write_text(&writer, seen.input.name);
    sc_write_u32(&writer, seen.input.definition);
    write_text(&writer, seen.output.name);
    sc_write_u32(&writer, seen.output.definition);
    sc_write_u32(&writer, (uint32_t)seen.count);
    for (i = 0; i < seen.count; i++) {
        write_text(&writer, seen.list[i].name);
        sc_write_u32(&writer, (uint32_t)(seen.list[i].input | seen.list[i].output << 1));
    }
    pthread_mutex_unlock(&seen.mutex);
    sc_leave();
    return sc_writer_done(&writer);
}

/* ---- watching --------------------------------------------------------------------------------------------------------- */

static void *watch_thread(void *arg)
{
    struct timespec until;
    uint32_t number;
    sc_record record;

    PJ_UNUSED_ARG(arg);
    sc_thread_name("sc-devices");
    sc_thread_register();
    pthread_mutex_lock(&watcher.mutex);
    while (!watcher.ending) {
        if (!watcher.on) {
            pthread_cond_wait(&watcher.changed, &watcher.mutex);
            continue;
        }
        pthread_mutex_unlock(&watcher.mutex);
        pthread_mutex_lock(&seen.mutex);
        number = look();
        pthread_mutex_unlock(&seen.mutex);
        pthread_mutex_lock(&watcher.mutex);
        if (number != watcher.told) {
            sc_record_init(&record, SC_RECORD_DEVICES, 0);
            sc_record_push(&record, false);
        }
        watcher.told = number;
        until = sc_from_now(WATCH_MS);
        if (watcher.on && !watcher.ending)
            pthread_cond_timedwait(&watcher.changed, &watcher.mutex, &until);
    }
    pthread_mutex_unlock(&watcher.mutex);
    return NULL;
}

void sc_devices_watch(uint32_t on)
{
    if (!sc_enter())
        return;
    pthread_mutex_lock(&watcher.mutex);
    watcher.on = on != 0;
    watcher.told = 0;
    /* Without ALSA there is nothing to wait for. */
    if (watcher.on && !watcher.started && is_ready())
        watcher.started = !pthread_create(&watcher.thread, NULL, watch_thread, NULL);
    if (watcher.started)
        pthread_cond_signal(&watcher.changed);
    pthread_mutex_unlock(&watcher.mutex);
    sc_leave();
}

void sc_devices_end(void)
{
    bool started;

    pthread_mutex_lock(&watcher.mutex);
    started = watcher.started;
    watcher.ending = true;
    if (started)
        pthread_cond_signal(&watcher.changed);
    pthread_mutex_unlock(&watcher.mutex);
    if (started)
        pthread_join(watcher.thread, NULL);
    watcher.started = watcher.on = watcher.ending = false;
    clear();
    free(seen.list);
    seen.list = NULL;
    seen.capacity = 0;
    /* The number goes on: no later list is taken for this one. */
    seen.print = 0;
    sc_alsa_end();
}
