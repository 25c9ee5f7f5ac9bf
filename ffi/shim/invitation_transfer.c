/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REFER within the call, and the subscription that it makes (RFC 3515): the requests are carried here, what they mean
 * is for TypeScript. pjsip's own event framework would take a REFER's challenge for its own beside the session's, and
 * keep one subscription in the dialog's memory for each try.
 */
#include "invitation_internal.h"

enum step { STEP_SENT, STEP_FINAL };

static bool is_refer_event(pjsip_rx_data *rdata)
{
    static const pj_str_t name = { "Event", 5 }, compact = { "o", 1 }, refer = { "refer", 5 };
    pjsip_event_hdr *event = pjsip_msg_find_hdr_by_names(rdata->msg_info.msg, &name, &compact, NULL);

    return event && !pj_stricmp(&event->event_type, &refer);
}

bool sc_call_is_transfer_method(const pjsip_method *method)
{
    return !pj_strcmp2(&method->name, "REFER") || !pj_strcmp2(&method->name, "NOTIFY") ||
           !pj_strcmp2(&method->name, "SUBSCRIBE");
}

/* A NOTIFY is answered here; the others wait for the program. */
int sc_call_on_transfer_request(sc_call *self, pjsip_transaction *tsx, pjsip_rx_data *rdata)
{
    static const pj_str_t state = { "Subscription-State", 18 };
    bool notify = !pj_strcmp2(&tsx->method.name, "NOTIFY");
    sc_record record;
    uint64_t request = 0;

    if (notify) {
        if (!self->refers || !is_refer_event(rdata))
            return PJSIP_SC_CALL_TSX_DOES_NOT_EXIST;
        if (!pjsip_msg_find_hdr_by_name(rdata->msg_info.msg, &state, NULL))
            return PJSIP_SC_BAD_REQUEST;
    } else if (!pj_strcmp2(&tsx->method.name, "SUBSCRIBE") && !is_refer_event(rdata)) {
        return PJSIP_SC_BAD_EVENT;
    } else if (!sc_admission_has_room()) {
        return PJSIP_SC_SERVICE_UNAVAILABLE;
    } else {
        request = sc_incoming_request_take_up(self->inv->dlg, tsx, rdata);
        if (!request)
            return 0;
    }
    sc_record_init(&record, SC_RECORD_INVITATION_TRANSFER, self->object.serial);
    sc_record_serial(&record, request);
    sc_record_rdata(&record, rdata);
    sc_record_push(&record, false);
    return notify ? PJSIP_SC_OK : 0;
}

static void tell(sc_call *self, enum step step, const pjsip_transaction *tsx, const pjsip_event *event)
{
    sc_record record;

    sc_record_init(&record, SC_RECORD_INVITATION_RESPONSE, self->object.serial);
    sc_record_u8(&record, (uint8_t)step);
    sc_record_str(&record, &tsx->method.name);
    sc_record_u32(&record, (uint32_t)tsx->status_code);
    sc_record_str(&record, &tsx->status_text);
    sc_call_record_event(&record, event);
    sc_record_push(&record, false);
}

void sc_call_on_own_transfer_request(sc_call *self, pjsip_transaction *tsx, pjsip_event *event)
{
    bool refer = !pj_strcmp2(&tsx->method.name, "REFER");
    pjsip_transaction **current = refer ? &self->refer_tsx : &self->notify_tsx;

    if (!refer && pj_strcmp2(&tsx->method.name, "NOTIFY"))
        return;
    if (tsx->state == PJSIP_TSX_STATE_CALLING) {
        /* A second REFER is the answer to a challenge. */
        bool first = !*current;

        *current = tsx;
        if (refer && first)
            tell(self, STEP_SENT, tsx, event);
        self->refers |= refer;
    } else if (tsx == *current && tsx->state >= PJSIP_TSX_STATE_COMPLETED) {
        *current = NULL;
        if (refer || tsx->status_code >= 300)
            tell(self, STEP_FINAL, tsx, event);
    }
}

/*
 * pjsip hangs up on a 481, and on a silence, to any request within the call. To a NOTIFY or a SUBSCRIBE they mean that
 * the subscription is gone, and nothing else (RFC 5057, section 5.1).
 */
static void on_tsx_state(pjsip_transaction *tsx, pjsip_event *event)
{
    PJ_UNUSED_ARG(event);
    if (tsx->role == PJSIP_ROLE_UAC && tsx->state >= PJSIP_TSX_STATE_COMPLETED &&
        (tsx->status_code == PJSIP_SC_CALL_TSX_DOES_NOT_EXIST || tsx->status_code == PJSIP_SC_REQUEST_TIMEOUT) &&
        (!pj_strcmp2(&tsx->method.name, "NOTIFY") || !pj_strcmp2(&tsx->method.name, "SUBSCRIBE")))
        tsx->status_code = PJSIP_SC_TEMPORARILY_UNAVAILABLE;
}

pjsip_module sc_transfer_module = {
    .name = { "mod-sc-transfer", 15 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_DIALOG_USAGE - 1,
    .on_tsx_state = on_tsx_state,
};
