/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What answers challenges, and which challenges it answers. pjsip 2.17 takes every one that it can: of two for one realm
 * the last, or the first, as their nonces are. Here the strongest is chosen before pjsip sees them (RFC 8760), and
 * those that no honest server sends are left out.
 */
#include "internal.h"

#define MAX_CREDENTIALS 8
/* Realms of one response that are answered; more than a proxy and the server behind it nobody has seen. */
#define MAX_CHALLENGES 8
/* A field of a challenge comes back in the request, more than once. */
#define MAX_FIELD 2048

/* From the weakest on. */
static const struct {
    const char *name;
    pjsip_auth_algorithm_type type;
} algorithms[] = { { "MD5", PJSIP_AUTH_ALGORITHM_MD5 },
                   { "SHA-256", PJSIP_AUTH_ALGORITHM_SHA256 },
                   { "SHA-512-256", PJSIP_AUTH_ALGORITHM_SHA512_256 } };

/* -1 for one that is not known; without a name it is the first. */
static int rank_of(const pj_str_t *name)
{
    unsigned i;

    if (!name->slen)
        return 0;
    for (i = 0; i < PJ_ARRAY_SIZE(algorithms); i++)
        if (!pj_stricmp2(name, algorithms[i].name))
            return (int)i;
    return -1;
}

bool sc_credentials_are_next(const sc_reader *reader)
{
    sc_reader copy = *reader;

    return sc_read_u32(&copy) > 0 || copy.failed;
}

pj_status_t sc_credentials_read(sc_reader *reader, pjsip_auth_clt_sess *session)
{
    pjsip_cred_info infos[MAX_CREDENTIALS];
    uint32_t count = sc_read_u32(reader), i;

    if (count > PJ_ARRAY_SIZE(infos))
        return SC_EARGS;
    pj_bzero(infos, sizeof(infos));
    for (i = 0; i < count && !reader->failed; i++) {
        pj_str_t algorithm;
        int rank;

        /* The session copies them, with what is behind their pointers. */
        infos[i].scheme = pj_str("digest");
        infos[i].realm = sc_read_text(reader);
        infos[i].username = sc_read_text(reader);
        infos[i].data = sc_read_text(reader);
        infos[i].data_type = sc_read_u8(reader) ? PJSIP_CRED_DATA_DIGEST : PJSIP_CRED_DATA_PLAIN_PASSWD;
        algorithm = sc_read_text(reader);
        rank = rank_of(&algorithm);
        if (infos[i].data_type == PJSIP_CRED_DATA_DIGEST && rank >= 0)
            infos[i].algorithm_type = algorithms[rank].type;
    }
    if (reader->failed)
        return SC_EARGS;
    return count ? pjsip_auth_clt_set_credentials(session, (int)count, infos) : PJ_SUCCESS;
}

static bool has_credentials(const pjsip_auth_clt_sess *session, const pj_str_t *realm, int rank)
{
    unsigned i;

    for (i = 0; i < session->cred_cnt; i++) {
        const pjsip_cred_info *info = &session->cred_info[i];
        bool of_realm = !pj_strcmp2(&info->realm, "*") || !pj_stricmp(&info->realm, realm);

        if (of_realm && (info->data_type != PJSIP_CRED_DATA_DIGEST || info->algorithm_type == algorithms[rank].type))
            return true;
    }
    return false;
}

/* What is put back into a header of ours must not break it. */
static bool is_plain(const pj_str_t *field)
{
    pj_ssize_t i;

    if (field->slen > MAX_FIELD)
        return false;
    for (i = 0; i < field->slen; i++)
        if (field->ptr[i] == '\r' || field->ptr[i] == '\n' || field->ptr[i] == '\0')
            return false;
    return true;
}

static bool is_answerable(const pjsip_auth_clt_sess *session, const pjsip_www_authenticate_hdr *header)
{
    const pjsip_digest_challenge *digest = &header->challenge.digest;
    int rank;

    if (pj_stricmp(&header->scheme, &pjsip_DIGEST_STR))
        return false;
    rank = rank_of(&digest->algorithm);
    return rank >= 0 && is_plain(&digest->realm) && is_plain(&digest->nonce) && is_plain(&digest->opaque) &&
           is_plain(&digest->qop) && has_credentials(session, &digest->realm, rank);
}

/* Of two challenges for one realm the second is the better one. */
static bool is_better(const pjsip_www_authenticate_hdr *first, const pjsip_www_authenticate_hdr *second)
{
    return rank_of(&second->challenge.digest.algorithm) > rank_of(&first->challenge.digest.algorithm);
}

static bool is_challenge(const pjsip_hdr *header)
{
    return header->type == PJSIP_H_WWW_AUTHENTICATE || header->type == PJSIP_H_PROXY_AUTHENTICATE;
}

void sc_credentials_choose(const pjsip_auth_clt_sess *session, pjsip_msg *msg)
{
    pjsip_www_authenticate_hdr *kept[MAX_CHALLENGES];
    pjsip_hdr *header, *next;
    unsigned count = 0, i;

    for (header = msg->hdr.next; header != &msg->hdr; header = next) {
        pjsip_www_authenticate_hdr *challenge = (pjsip_www_authenticate_hdr *)header;

        next = header->next;
        if (!is_challenge(header))
            continue;
        if (!is_answerable(session, challenge)) {
            pj_list_erase(header);
            continue;
        }
        for (i = 0; i < count; i++)
            if (kept[i]->type == challenge->type &&
                !pj_stricmp(&kept[i]->challenge.digest.realm, &challenge->challenge.digest.realm))
                break;
        if (i == MAX_CHALLENGES) {
            pj_list_erase(header);
        } else if (i == count) {
            kept[count++] = challenge;
        } else if (is_better(kept[i], challenge)) {
            pj_list_erase(kept[i]);
            kept[i] = challenge;
        } else {
            pj_list_erase(header);
        }
    }
}

/* The value of a header of the program's, which comes as text; NULL for what is no digest. */
static const pjsip_authorization_hdr *parse(pj_pool_t *pool, const pjsip_generic_string_hdr *header)
{
    const pjsip_authorization_hdr *parsed;
    pj_str_t text;

    pj_strdup_with_null(pool, &text, &header->hvalue);
    parsed = pjsip_parse_hdr(pool, &header->name, text.ptr, (pj_size_t)text.slen, NULL);
    return parsed && !pj_stricmp(&parsed->scheme, &pjsip_DIGEST_STR) ? parsed : NULL;
}

static bool is_answered(const pjsip_msg *msg, const pjsip_authorization_hdr *given)
{
    const pjsip_hdr *header;

    for (header = msg->hdr.next; header != &msg->hdr; header = header->next) {
        const pjsip_authorization_hdr *answer = (const pjsip_authorization_hdr *)header;

        if (header->type == given->type &&
            !pj_stricmp(&answer->credential.digest.realm, &given->credential.digest.realm))
            return true;
    }
    return false;
}

void sc_credentials_replace(pj_pool_t *pool, pjsip_msg *msg)
{
    pjsip_hdr *header, *next;

    for (header = msg->hdr.next; header != &msg->hdr; header = next) {
        const pjsip_authorization_hdr *given;

        next = header->next;
        if (header->type != PJSIP_H_OTHER ||
            (pj_stricmp2(&header->name, "Authorization") && pj_stricmp2(&header->name, "Proxy-Authorization")))
            continue;
        given = parse(pool, (const pjsip_generic_string_hdr *)header);
        if (given && is_answered(msg, given))
            pj_list_erase(header);
    }
}

/* ---- in dialogs -------------------------------------------------------------------------------------------------------- */

/* Under the dialog's lock, before the usages that answer challenges. */
static pj_bool_t on_rx_response(pjsip_rx_data *rdata)
{
    pjsip_dialog *dlg = pjsip_rdata_get_dlg(rdata);
    int code = rdata->msg_info.msg->line.status.code;

    if (dlg && (code == PJSIP_SC_UNAUTHORIZED || code == PJSIP_SC_PROXY_AUTHENTICATION_REQUIRED))
        sc_credentials_choose(&dlg->auth_sess, rdata->msg_info.msg);
    return PJ_FALSE;
}

pjsip_module sc_credentials_module = {
    .name = { "mod-sc-credentials", 18 },
    .id = -1,
    .priority = PJSIP_MOD_PRIORITY_DIALOG_USAGE - 1,
    .on_rx_response = on_rx_response,
};

pj_status_t sc_credentials_read_dialog(sc_reader *reader, pjsip_dialog *dlg)
{
    pj_status_t status = sc_credentials_read(reader, &dlg->auth_sess);

    if (status == PJ_SUCCESS && dlg->auth_sess.cred_cnt)
        status = pjsip_dlg_add_usage(dlg, &sc_credentials_module, NULL);
    return status;
}
