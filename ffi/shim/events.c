/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "events.h"
#include "internal.h"

/* A subscription lives so long unless it says otherwise, in seconds. */
#define DEFAULT_EXPIRES 3600

static const pj_str_t refer_event = { "refer", 5 };
static sc_name_set incoming = SC_NAME_SET_INITIALIZER;

/* Unless calls have said so already. */
static pj_status_t allow_refer(void)
{
    static const pj_str_t method = { "REFER", 5 }, extension = { "norefersub", 10 };
    pj_status_t status = PJ_SUCCESS;

    if (pjsip_endpt_has_capability(sc_engine.endpt, PJSIP_H_ALLOW, NULL, &method) != PJSIP_DIALOG_CAP_SUPPORTED)
        status = pjsip_endpt_add_capability(sc_engine.endpt, NULL, PJSIP_H_ALLOW, NULL, 1, &method);
    return status == PJ_SUCCESS
               ? pjsip_endpt_add_capability(sc_engine.endpt, NULL, PJSIP_H_SUPPORTED, NULL, 1, &extension)
               : status;
}

static bool is_known(const pj_str_t *name)
{
    const pjsip_generic_array_hdr *allowed = (const pjsip_generic_array_hdr *)sc_events_allowed();
    unsigned i;

    for (i = 0; i < allowed->count; i++)
        if (!pj_stricmp(&allowed->values[i], name))
            return true;
    return false;
}

/* PJSIP appends to these headers without looking at their size. */
static bool has_room(unsigned types)
{
    const pjsip_generic_array_hdr *accept =
        (const pjsip_generic_array_hdr *)pjsip_endpt_get_capability(sc_engine.endpt, PJSIP_H_ACCEPT, NULL);
    const pjsip_generic_array_hdr *allowed = (const pjsip_generic_array_hdr *)sc_events_allowed();

    return types + (accept ? accept->count : 0) <= PJSIP_GENERIC_ARRAY_MAX_COUNT &&
           (!allowed || allowed->count < PJSIP_GENERIC_ARRAY_MAX_COUNT);
}

static pj_status_t add(void *arg)
{
    pj_str_t name, types[PJSIP_GENERIC_ARRAY_MAX_COUNT];
    sc_reader *reader = arg;
    uint32_t count, i;

    name = sc_read_text(reader);
    count = sc_read_u32(reader);
    if (count > PJ_ARRAY_SIZE(types) || !has_room(count))
        return PJ_ETOOMANY;
    for (i = 0; i < count; i++)
        types[i] = sc_read_text(reader);
    if (reader->failed || !count || !name.slen)
        return SC_EARGS;
    return pjsip_evsub_register_pkg(&sc_core_module, &name, DEFAULT_EXPIRES, count, types);
}

pj_status_t sc_events_init(sc_reader *reader)
{
    uint32_t count;
    pj_status_t status = pjsip_evsub_init_module(sc_engine.endpt);

    for (count = sc_read_u32(reader); count && status == PJ_SUCCESS; count--)
        status = add(reader);
    if (status == PJ_SUCCESS && sc_events_know_refer())
        status = allow_refer();
    return status == PJ_SUCCESS ? sc_name_set_read(&incoming, reader) : status;
}

const pjsip_hdr *sc_events_allowed(void)
{
    return pjsip_evsub_get_allow_events_hdr(NULL);
}

void sc_events_refuse(pjsip_rx_data *rdata)
{
    pjsip_hdr headers;

    pj_list_init(&headers);
    pj_list_push_back(&headers, pjsip_hdr_shallow_clone(rdata->tp_info.pool, sc_events_allowed()));
    sc_answer(rdata, PJSIP_SC_BAD_EVENT, &headers);
}

bool sc_events_know_refer(void)
{
    return is_known(&refer_event);
}

void sc_events_on_subscribe(pjsip_rx_data *rdata)
{
    static const pj_str_t name = { "Event", 5 }, compact = { "o", 1 };
    const pjsip_event_hdr *event =
        pjsip_msg_find_hdr_by_names(rdata->msg_info.msg, &name, &compact, NULL);

    if (event && sc_name_set_has(&incoming, &event->event_type))
        sc_notifier_on_request(SC_KIND_INCOMING_SUBSCRIPTION, false, rdata);
    else
        sc_events_refuse(rdata);
}

int32_t sc_events_add(sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    pj_status_t status;

    if (!sc_enter())
        return SC_EGONE;
    status = sc_on_poll_thread(add, &reader);
    sc_leave();
    return status;
}

int32_t sc_events_set_incoming(sc_bytes args, uint32_t size)
{
    sc_reader reader = sc_reader_init(args, size);
    pj_status_t status;

    if (!sc_enter())
        return SC_EGONE;
    status = sc_name_set_read(&incoming, &reader);
    sc_leave();
    return status;
}
