/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TLS options, and who may be on the other end. PJSIP's own check of names stops at a NUL and knows no wildcard,
 * so it stays off: connections.c asks here once a handshake is done, before a byte of SIP leaves.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "internal.h"

#define PATH_SIZE 1024
#define MAX_VERSION 3

typedef struct {
    unsigned version; /* the least: 0 to 3 for TLS 1.0 to 1.3 */
    bool verify;
    char ca[PATH_SIZE], cert[PATH_SIZE], key[PATH_SIZE];
    unsigned timeout_ms;
} tls_options;

static tls_options options, old_options;
static atomic_bool verifying;

static bool read_path(sc_reader *reader, char *path)
{
    pj_str_t text = sc_read_text(reader);

    if (reader->failed || text.slen >= PATH_SIZE)
        return false;
    memcpy(path, text.ptr, (size_t)text.slen);
    path[text.slen] = '\0';
    return true;
}

/* A key with a pass phrase: OpenSSL would ask for it on the terminal. */
static int no_pass_phrase(char *text, int size, int writing, void *data)
{
    PJ_UNUSED_ARG(text);
    PJ_UNUSED_ARG(size);
    PJ_UNUSED_ARG(writing);
    PJ_UNUSED_ARG(data);
    return 0;
}

/* PJSIP reads the files at each handshake and would fail there, in silence. */
static pj_status_t check_files(const tls_options *wanted)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    pj_status_t status = PJ_SUCCESS;

    if (!context)
        return PJSIP_TLS_ECTX;
    SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
    if (wanted->ca[0] && SSL_CTX_load_verify_locations(context, wanted->ca, NULL) != 1)
        status = PJSIP_TLS_ECACERT;
    else if ((wanted->cert[0] || wanted->key[0]) && SSL_CTX_use_certificate_chain_file(context, wanted->cert) != 1)
        status = PJSIP_TLS_ECERTFILE;
    else if (wanted->cert[0] && (SSL_CTX_use_PrivateKey_file(context, wanted->key, SSL_FILETYPE_PEM) != 1 ||
                                 SSL_CTX_check_private_key(context) != 1))
        status = PJSIP_TLS_EKEYFILE;
    ERR_clear_error();
    SSL_CTX_free(context);
    return status;
}

pj_status_t sc_tls_set_options(sc_reader *reader)
{
    tls_options wanted;
    pj_status_t status;

    memset(&wanted, 0, sizeof(wanted));
    wanted.version = sc_read_u32(reader);
    wanted.verify = sc_read_u8(reader) != 0;
    if (!read_path(reader, wanted.ca) || !read_path(reader, wanted.cert) || !read_path(reader, wanted.key))
        return SC_EARGS;
    wanted.timeout_ms = sc_read_u32(reader);
    if (reader->failed || wanted.version > MAX_VERSION)
        return SC_EARGS;
    status = check_files(&wanted);
    if (status != PJ_SUCCESS)
        return status;
    old_options = options;
    options = wanted;
    atomic_store(&verifying, wanted.verify);
    return PJ_SUCCESS;
}

void sc_tls_keep_old_options(void)
{
    options = old_options;
    atomic_store(&verifying, options.verify);
}

/* What it points to stays until the options change: PJSIP copies it. */
void sc_tls_setting(pjsip_tls_setting *setting)
{
    unsigned version;

    pjsip_tls_setting_default(setting);
    setting->ca_list_file = pj_str(options.ca);
    setting->cert_file = pj_str(options.cert);
    setting->privkey_file = pj_str(options.key);
    setting->timeout.sec = (long)options.timeout_ms / 1000;
    setting->timeout.msec = (long)options.timeout_ms % 1000;
    setting->reuse_addr = PJ_TRUE;
    setting->proto = 0;
    for (version = options.version; version <= MAX_VERSION; version++)
        setting->proto |= (unsigned)PJ_SSL_SOCK_PROTO_TLS1 << version;
}

bool sc_tls_verifies(void)
{
    return atomic_load(&verifying);
}

/* A "sip:" name among the alternative ones (RFC 5922, section 7.1): all of it, whatever bytes are in it. */
static bool has_sip_name(X509 *cert, const char *name)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    int i;

    for (i = 0; names && i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *each = sk_GENERAL_NAME_value(names, i);
        pj_str_t uri;

        if (each->type != GEN_URI)
            continue;
        uri = (pj_str_t){ (char *)ASN1_STRING_get0_data(each->d.uniformResourceIdentifier),
                          ASN1_STRING_length(each->d.uniformResourceIdentifier) };
        if (pj_strnicmp2(&uri, "sip:", 4))
            continue;
        uri.ptr += 4;
        uri.slen -= 4;
        found = !pj_stricmp2(&uri, name);
    }
    GENERAL_NAMES_free(names);
    return found;
}

bool sc_tls_is_named(const pj_str_t *pem, const pj_str_t *wanted)
{
    BIO *bio = pem->slen ? BIO_new_mem_buf(pem->ptr, (int)pem->slen) : NULL;
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL) : NULL;
    char name[256];
    bool named = false;

    if (cert && wanted->slen && wanted->slen < (pj_ssize_t)sizeof(name)) {
        memcpy(name, wanted->ptr, (size_t)wanted->slen);
        name[wanted->slen] = '\0';
        if (sc_is_address(wanted->ptr, (size_t)wanted->slen))
            named = X509_check_ip_asc(cert, name, 0) == 1;
        else
            named = X509_check_host(cert, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1 ||
                    has_sip_name(cert, name);
    }
    ERR_clear_error();
    X509_free(cert);
    BIO_free(bio);
    return named;
}
