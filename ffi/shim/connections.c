/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections of TCP and TLS: each told once when it is there and once when it is gone, and for TLS what its peer
 * showed. PJSIP tells the end of one in up to three ways, and of some only that they are destroyed.
 */
#include <sys/queue.h>

#include "internal.h"

#define BUCKETS 256
#define ERRORS_SIZE 1024

typedef struct connection {
    pjsip_transport *tp;
    LIST_ENTRY(connection) entry;
} connection;

/* A leaf. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Those that have been told of and are not told as gone. */
static LIST_HEAD(, connection) connections[BUCKETS];

/* The transport manager's own, which tells the transactions of a connection that it is lost. */
static pjsip_tp_state_callback tell_transactions;

static unsigned bucket_of(const pjsip_transport *tp)
{
    return (unsigned)(((uintptr_t)tp >> 6) % BUCKETS);
}

static void remember(pjsip_transport *tp)
{
    connection *self = malloc(sizeof(*self));

    if (!self)
        return; /* its end will not be told */
    self->tp = tp;
    pthread_mutex_lock(&mutex);
    LIST_INSERT_HEAD(&connections[bucket_of(tp)], self, entry);
    pthread_mutex_unlock(&mutex);
}

/* True for one that was remembered. */
static bool forget(const pjsip_transport *tp)
{
    connection *self;

    pthread_mutex_lock(&mutex);
    LIST_FOREACH(self, &connections[bucket_of(tp)], entry)
        if (self->tp == tp)
            break;
    if (self)
        LIST_REMOVE(self, entry);
    pthread_mutex_unlock(&mutex);
    free(self);
    return self != NULL;
}

static void print_local(const pjsip_transport *tp, char local[SC_CONNECTION_SIZE])
{
    pj_addr_str_print(&tp->local_name.host, tp->local_name.port, local, SC_CONNECTION_SIZE, 1);
}

void sc_connection_print(const pjsip_transport *tp, char local[SC_CONNECTION_SIZE])
{
    local[0] = '\0';
    if (tp->flag & PJSIP_TRANSPORT_RELIABLE)
        print_local(tp, local);
}

static void write_ends(sc_record *record, const pjsip_transport *tp, char local[], char remote[])
{
    print_local(tp, local);
    pj_sockaddr_print(&tp->key.rem_addr, remote, SC_CONNECTION_SIZE, 3);
    sc_record_text(record, tp->type_name);
    sc_record_text(record, local);
    sc_record_text(record, remote);
}

static void record_connection(const pjsip_transport *tp, bool connected, const char *reason)
{
    char local[SC_CONNECTION_SIZE], remote[SC_CONNECTION_SIZE];
    sc_record record;

    sc_record_init(&record, SC_RECORD_TRANSPORT, 0);
    sc_record_u8(&record, connected);
    write_ends(&record, tp, local, remote);
    sc_record_text(&record, reason);
    sc_record_push(&record, false);
}

static void record_certificate(const pjsip_transport *tp, const pj_ssl_sock_info *info, unsigned verify_status,
                               bool refused, const char *errors)
{
    char local[SC_CONNECTION_SIZE], remote[SC_CONNECTION_SIZE];
    const char *cipher = pj_ssl_cipher_name(info->cipher);
    sc_record record;

    sc_record_init(&record, SC_RECORD_CERTIFICATE, 0);
    sc_record_u8(&record, refused);
    write_ends(&record, tp, local, remote);
    sc_record_str(&record, &tp->remote_name.host);
    sc_record_text(&record, cipher ? cipher : "");
    sc_record_u32(&record, verify_status);
    sc_record_text(&record, errors);
    sc_record_str(&record, &info->remote_cert_info->raw);
    sc_record_push(&record, false);
}

/* What is wrong, a line each. */
static void print_errors(unsigned verify_status, char *text, size_t size)
{
    const char *errors[16];
    unsigned count = PJ_ARRAY_SIZE(errors), i;
    size_t used = 0;

    text[0] = '\0';
    if (!verify_status || pj_ssl_cert_get_verify_status_strings(verify_status, errors, &count) != PJ_SUCCESS)
        return;
    for (i = 0; i < count && used < size; i++)
        used += (size_t)pj_ansi_snprintf(text + used, size - used, "%s%s", i ? "\n" : "", errors[i]);
}

/* False for a server that is not to be talked to; `reason` says why. */
static bool is_trusted(const pjsip_transport *tp, const pjsip_transport_state_info *state, char *reason, size_t size)
{
    const pjsip_tls_state_info *tls = state->ext_info;
    const pj_ssl_sock_info *info = tls ? tls->ssl_sock_info : NULL;
    unsigned verify_status;
    bool refused;
    char errors[ERRORS_SIZE];

    if (!info || tp->dir != PJSIP_TP_DIR_OUTGOING)
        return true;
    verify_status = info->verify_status & ~(unsigned)PJ_SSL_CERT_EIDENTITY_NOT_MATCH;
    if (!sc_tls_is_named(&info->remote_cert_info->raw, &tp->remote_name.host))
        verify_status |= PJ_SSL_CERT_EIDENTITY_NOT_MATCH;
    refused = verify_status && sc_tls_verifies();
    print_errors(verify_status, errors, sizeof(errors));
    record_certificate(tp, info, verify_status, refused, errors);
    if (refused) {
        char *line;

        pj_ansi_snprintf(reason, size, "%s", errors);
        for (line = reason; (line = strchr(line, '\n')); line++)
            *line = ';';
    }
    return !refused;
}

static void on_state(pjsip_transport *tp, pjsip_transport_state state, const pjsip_transport_state_info *info)
{
    char reason[ERRORS_SIZE] = "";

    if (!(tp->flag & PJSIP_TRANSPORT_RELIABLE)) {
        if (tell_transactions)
            tell_transactions(tp, state, info);
    } else if (state == PJSIP_TP_STATE_CONNECTED && !is_trusted(tp, info, reason, sizeof(reason))) {
        pjsip_transport_state_info refusal = *info;

        refusal.status = PJSIP_TLS_ECERTVERIF;
        record_connection(tp, false, reason);
        if (tell_transactions)
            tell_transactions(tp, PJSIP_TP_STATE_DISCONNECTED, &refusal);
        pjsip_transport_shutdown(tp);
    } else {
        if (state == PJSIP_TP_STATE_CONNECTED) {
            remember(tp);
            record_connection(tp, true, "");
        } else if (state == PJSIP_TP_STATE_DISCONNECTED || state == PJSIP_TP_STATE_DESTROY) {
            /* One that never came about is told as gone, with the reason. */
            if (forget(tp) || (state == PJSIP_TP_STATE_DISCONNECTED && !tp->is_shutdown)) {
                pj_strerror(info->status, reason, sizeof(reason));
                record_connection(tp, false, reason);
            }
        }
        if (tell_transactions)
            tell_transactions(tp, state, info);
    }
}

/* Behind a message that is too long for us no other one can be found: the connection is worth nothing any more. */
static void on_dropped(pjsip_tp_dropped_data *data)
{
    if (data->status == PJSIP_ERXOVERFLOW && (data->tp->flag & PJSIP_TRANSPORT_RELIABLE))
        pjsip_transport_shutdown2(data->tp, PJ_TRUE);
}

void sc_connections_init(void)
{
    pjsip_tpmgr *manager = pjsip_endpt_get_tpmgr(sc_engine.endpt);

    tell_transactions = pjsip_tpmgr_get_state_cb(manager);
    pjsip_tpmgr_set_state_cb(manager, on_state);
    pjsip_tpmgr_set_drop_data_cb(manager, on_dropped);
}

/* What PJSIP did not tell the end of. */
void sc_connections_clear(void)
{
    unsigned i;

    for (i = 0; i < BUCKETS; i++) {
        while (!LIST_EMPTY(&connections[i])) {
            connection *self = LIST_FIRST(&connections[i]);

            LIST_REMOVE(self, entry);
            free(self);
        }
    }
}

/* One of TLS that nobody has closed yet, NULL for none; its memory is held, which takes no lock of the manager's. */
static pjsip_transport *any_tls(void)
{
    pjsip_transport *found = NULL;
    connection *self;
    unsigned i;

    pthread_mutex_lock(&mutex);
    for (i = 0; i < BUCKETS && !found; i++)
        LIST_FOREACH(self, &connections[i], entry)
            if ((self->tp->flag & PJSIP_TRANSPORT_SECURE) && self->tp->dir == PJSIP_TP_DIR_OUTGOING &&
                !self->tp->is_shutdown) {
                found = self->tp;
                pj_grp_lock_add_ref(found->grp_lock);
                break;
            }
    pthread_mutex_unlock(&mutex);
    return found;
}

void sc_connections_renew_tls(void)
{
    pjsip_transport *tp;

    while ((tp = any_tls())) {
        pjsip_transport_shutdown(tp);
        pj_grp_lock_dec_ref(tp->grp_lock);
    }
}
