/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pjmedia's ALSA back end, with libasound fetched when it is first wanted: a machine without it has no sound devices,
 * and the library loads there all the same. The back end's source is compiled in here, so that its calls go through
 * the table of pointers below.
 *
 * It is told of one device at a time, the one that is about to be opened: its own way to list devices opens each of
 * them, one after the other, whoever uses them. What there is, devices.c knows.
 */
#include "internal.h"

#ifdef __linux__

/* pjproject itself is configured without sound. */
#undef PJMEDIA_AUDIO_DEV_HAS_ALSA
#define PJMEDIA_AUDIO_DEV_HAS_ALSA 1

#include <alsa/asoundlib.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>

#define FUNCTIONS(each)                              \
    each(snd_config_delete)                          \
    each(snd_config_save)                            \
    each(snd_config_search)                          \
    each(snd_config_search_definition)               \
    each(snd_config_unref)                           \
    each(snd_config_update_free_global)              \
    each(snd_config_update_ref)                      \
    each(snd_device_name_free_hint)                  \
    each(snd_device_name_get_hint)                   \
    each(snd_device_name_hint)                       \
    each(snd_lib_error_set_handler)                  \
    each(snd_output_buffer_open)                     \
    each(snd_output_buffer_string)                   \
    each(snd_output_close)                           \
    each(snd_pcm_close)                              \
    each(snd_pcm_drop)                               \
    each(snd_pcm_hw_params)                          \
    each(snd_pcm_hw_params_any)                      \
    each(snd_pcm_hw_params_set_access)               \
    each(snd_pcm_hw_params_set_buffer_size_near)     \
    each(snd_pcm_hw_params_set_channels)             \
    each(snd_pcm_hw_params_set_format)               \
    each(snd_pcm_hw_params_set_period_size_near)     \
    each(snd_pcm_hw_params_set_rate)                 \
    each(snd_pcm_hw_params_sizeof)                   \
    each(snd_pcm_nonblock)                           \
    each(snd_pcm_open)                               \
    each(snd_pcm_prepare)                            \
    each(snd_pcm_readi)                              \
    each(snd_pcm_writei)                             \
    each(snd_strerror)

static struct {
#define POINTER(name) __typeof__(&name) name;
    FUNCTIONS(POINTER)
} alsa;

static bool have_alsa;
/* Devices are looked for in one thread and opened in another: one of both at a time. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- the library --------------------------------------------------------------------------------------------------- */

static void on_error(const char *file, int line, const char *function, int error, const char *format, ...)
{
    char text[256];
    va_list args;

    PJ_UNUSED_ARG(file);
    PJ_UNUSED_ARG(line);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    PJ_LOG(4, ("alsa", "%s: %s%s%s", function, text, error ? ": " : "", error ? alsa.snd_strerror(error) : ""));
}

static void load(void)
{
    void *library = dlopen("libasound.so.2", RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return;
    have_alsa = true;
#define RESOLVE(name) have_alsa = (alsa.name = (__typeof__(&name))dlsym(library, #name)) && have_alsa;
    FUNCTIONS(RESOLVE)
    if (have_alsa)
        alsa.snd_lib_error_set_handler(on_error);
}

bool sc_alsa_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    return have_alsa;
}

/* ---- devices -------------------------------------------------------------------------------------------------------- */

/* One that somebody else uses right now is one all the same. */
static bool is_there(const char *name, snd_pcm_stream_t stream)
{
    snd_pcm_t *pcm;
    int result = alsa.snd_pcm_open(&pcm, name, stream, SND_PCM_NONBLOCK);

    if (result >= 0)
        alsa.snd_pcm_close(pcm);
    return result >= 0 || result == -EBUSY || result == -EAGAIN;
}

static void each_device(void (*each)(void *arg, const char *name, bool input, bool output), void *arg)
{
    void **hints, **hint;

    /* Or else what is in the configuration's files stays what it was when they were first read. */
    alsa.snd_config_update_free_global();
    if (alsa.snd_device_name_hint(-1, "pcm", &hints) < 0)
        return;
    for (hint = hints; *hint; hint++) {
        char *name = alsa.snd_device_name_get_hint(*hint, "NAME");

        if (name && strcmp(name, "null")) {
            bool input = is_there(name, SND_PCM_STREAM_CAPTURE);
            bool output = is_there(name, SND_PCM_STREAM_PLAYBACK);

            if (input || output)
                each(arg, name, input, output);
        }
        free(name);
    }
    alsa.snd_device_name_free_hint(hints);
}

void sc_alsa_each(void (*each)(void *arg, const char *name, bool input, bool output), void *arg)
{
    if (!sc_alsa_load())
        return;
    pthread_mutex_lock(&mutex);
    each_device(each, arg);
    pthread_mutex_unlock(&mutex);
}

static uint32_t hash_of(const char *text, size_t size)
{
    uint32_t hash = 2166136261u;

    while (size--)
        hash = (hash ^ (uint8_t)*text++) * 16777619u;
    return hash;
}

static uint32_t print_of(snd_config_t *definition)
{
    snd_output_t *output;
    uint32_t hash = 0;
    char *text;

    if (alsa.snd_output_buffer_open(&output) < 0)
        return 0;
    if (alsa.snd_config_save(definition, output) >= 0)
        hash = hash_of(text, alsa.snd_output_buffer_string(output, &text));
    alsa.snd_output_close(output);
    return hash;
}

uint32_t sc_alsa_definition(const char *name, bool input)
{
    snd_config_t *top, *definition, *half;
    uint32_t hash = 0;

    if (!sc_alsa_load() || alsa.snd_config_update_ref(&top) < 0)
        return 0;
    if (alsa.snd_config_search_definition(top, "pcm", name, &definition) >= 0) {
        /* A device of type asym is two. */
        bool has_half = alsa.snd_config_search(definition, input ? "capture" : "playback", &half) >= 0;

        hash = print_of(has_half ? half : definition);
        alsa.snd_config_delete(definition);
    }
    alsa.snd_config_unref(top);
    return hash;
}

/* ---- what the back end calls -------------------------------------------------------------------------------------- */

/* The device that is being opened; NULL while the back end only writes its name down. */
static const char *opening;
/* Why ALSA refused. */
static int refusal;

static int remember(int result)
{
    if (result < 0)
        refusal = result;
    return result;
}

static int open_pcm(snd_pcm_t **pcm, snd_pcm_stream_t stream)
{
    int result;

    if (!opening)
        return -ENODEV;
    /* A device in use is refused, not waited for. The name is whole here: pjmedia's is cut after 63 characters. */
    result = alsa.snd_pcm_open(pcm, opening, stream, SND_PCM_NONBLOCK);
    if (result >= 0)
        result = alsa.snd_pcm_nonblock(*pcm, 0);
    return remember(result);
}

static int no_hints(void ***hints)
{
    static void *none[1];

    *hints = none;
    return 0;
}

/* Without a handler, which is what the back end leaves behind, ALSA writes on stderr. */
static void keep_ours(snd_lib_error_handler_t handler)
{
    PJ_UNUSED_ARG(handler);
}

#define snd_device_name_hint(card, iface, hints) no_hints(hints)
#define snd_device_name_get_hint(hint, id) ((char *)NULL)
#define snd_device_name_free_hint(hints) 0
/* Volumes are the mixer's own. All that follows on this in the back end is never reached, nor compiled. */
#define snd_mixer_open(mixer, mode) (-ENODEV)
#define snd_lib_error_set_handler keep_ours
#define snd_pcm_open(pcm, name, stream, mode) open_pcm(pcm, stream)
/* The back end plays at the rate that it asked for, whatever the device says to it. */
#define snd_pcm_hw_params_set_rate_near(pcm, params, rate, dir) \
    remember(alsa.snd_pcm_hw_params_set_rate(pcm, params, *(rate), 0))
#define snd_pcm_hw_params(pcm, params) remember(alsa.snd_pcm_hw_params(pcm, params))
#define snd_pcm_hw_params_any(pcm, params) remember(alsa.snd_pcm_hw_params_any(pcm, params))
#define snd_pcm_hw_params_set_access(pcm, params, value) \
    remember(alsa.snd_pcm_hw_params_set_access(pcm, params, value))
#define snd_pcm_hw_params_set_channels(pcm, params, value) \
    remember(alsa.snd_pcm_hw_params_set_channels(pcm, params, value))
#define snd_pcm_hw_params_set_format(pcm, params, value) \
    remember(alsa.snd_pcm_hw_params_set_format(pcm, params, value))
#define snd_pcm_hw_params_set_buffer_size_near alsa.snd_pcm_hw_params_set_buffer_size_near
#define snd_pcm_hw_params_set_period_size_near alsa.snd_pcm_hw_params_set_period_size_near
#define snd_pcm_hw_params_sizeof alsa.snd_pcm_hw_params_sizeof
#define snd_pcm_close alsa.snd_pcm_close
#define snd_pcm_drop alsa.snd_pcm_drop
#define snd_pcm_prepare alsa.snd_pcm_prepare
#define snd_pcm_readi alsa.snd_pcm_readi
#define snd_pcm_writei alsa.snd_pcm_writei
#define snd_strerror alsa.snd_strerror

/* Found beside pjmedia's headers, whose folder is in the compiler's path. */
#include <../src/pjmedia-audiodev/alsa_dev.c>

/* ---- streams -------------------------------------------------------------------------------------------------------- */

/* pjmedia's audio subsystem, of this run of the engine. */
static bool ready;

static pj_status_t get_ready(void)
{
    pj_status_t status;

    if (ready)
        return PJ_SUCCESS;
    /* Its answer is about the devices of the back ends that it knows: there is none. */
    pjmedia_aud_subsys_init(&sc_engine.cp.factory);
    status = pjmedia_aud_register_factory(pjmedia_alsa_factory);
    if (status == PJ_SUCCESS)
        ready = true;
    else
        pjmedia_aud_subsys_shutdown();
    return status;
}

void sc_alsa_end(void)
{
    if (ready)
        pjmedia_aud_subsys_shutdown();
    ready = false;
}

/* The back end's only device, under pjmedia's number for it. */
static pj_status_t set_device(const char *name, pjmedia_aud_dev_index *id)
{
    pjmedia_aud_dev_info info;
    pj_status_t status = get_ready();

    if (status == PJ_SUCCESS)
        status = pjmedia_aud_alsa_set_devices(NULL, 1, &name);
    if (status != PJ_SUCCESS)
        return status;
    for (*id = (int)pjmedia_aud_dev_count() - 1; *id >= 0; --*id)
        if (pjmedia_aud_dev_get_info(*id, &info) == PJ_SUCCESS && !strcmp(info.driver, "ALSA"))
            return PJ_SUCCESS;
    return PJMEDIA_EAUD_NODEV;
}

pj_status_t sc_alsa_open(const char *name, pjmedia_aud_param *param, pjmedia_aud_rec_cb captured,
                         pjmedia_aud_play_cb play, void *arg, pjmedia_aud_stream **stream)
{
    pj_status_t status = sc_alsa_load() ? set_device(name, &param->rec_id) : PJMEDIA_EAUD_NODEV;

    if (status != PJ_SUCCESS)
        return status;
    param->play_id = param->rec_id;
    pthread_mutex_lock(&mutex);
    opening = name;
    refusal = 0;
    status = pjmedia_aud_stream_create(param, captured, play, arg, stream);
    opening = NULL;
    pthread_mutex_unlock(&mutex);
    return status == PJMEDIA_EAUD_SYSERR && refusal ? PJ_STATUS_FROM_OS(-refusal) : status;
}

#else

bool sc_alsa_load(void)
{
    return false;
}

void sc_alsa_each(void (*each)(void *arg, const char *name, bool input, bool output), void *arg)
{
    PJ_UNUSED_ARG(each);
    PJ_UNUSED_ARG(arg);
}

uint32_t sc_alsa_definition(const char *name, bool input)
{
    PJ_UNUSED_ARG(name);
    PJ_UNUSED_ARG(input);
    return 0;
}

void sc_alsa_end(void)
{
}

pj_status_t sc_alsa_open(const char *name, pjmedia_aud_param *param, pjmedia_aud_rec_cb captured,
                         pjmedia_aud_play_cb play, void *arg, pjmedia_aud_stream **stream)
{
    PJ_UNUSED_ARG(name);
    PJ_UNUSED_ARG(param);
    PJ_UNUSED_ARG(captured);
    PJ_UNUSED_ARG(play);
    PJ_UNUSED_ARG(arg);
    PJ_UNUSED_ARG(stream);
    return PJMEDIA_EAUD_NODEV;
}

#endif
