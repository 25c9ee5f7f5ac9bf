/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The certificate of DTLS-SRTP, one for each run of the engine: on the curve P-256 (RFC 8827, section 6.5), where
 * pjmedia makes an RSA key, which takes a tenth of a second and flights of more than one datagram. And whether a peer's
 * is the one that its session description has named (RFC 8122).
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "internal.h"

#define SECONDS_A_DAY (24L * 60 * 60)

static EVP_PKEY *make_key(void)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    if (context && EVP_PKEY_keygen_init(context) > 0 &&
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) > 0 &&
        EVP_PKEY_CTX_set_ec_param_enc(context, OPENSSL_EC_NAMED_CURVE) > 0)
        EVP_PKEY_keygen(context, &key);
    EVP_PKEY_CTX_free(context);
    return key;
}

static bool sign(X509 *certificate, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    uint64_t number = 0;

    pj_create_random_string((char *)&number, sizeof(number));
    return X509_set_version(certificate, 2) && ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), number) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -SECONDS_A_DAY) &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), 3650 * SECONDS_A_DAY) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"sipcore", -1, -1, 0) &&
           X509_set_issuer_name(certificate, name) && X509_set_pubkey(certificate, key) &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

bool sc_srtp_make_certificate(X509 **certificate, EVP_PKEY **key)
{
    EVP_PKEY *made = make_key();
    X509 *signed_one = made ? X509_new() : NULL;

    if (!signed_one || !sign(signed_one, made)) {
        X509_free(signed_one);
        EVP_PKEY_free(made);
        return false;
    }
    *certificate = signed_one;
    *key = made;
    return true;
}

/* What the word in front of a fingerprint stands for. */
static const EVP_MD *digest_of(const pj_str_t *name)
{
    if (!pj_stricmp2(name, "sha-256"))
        return EVP_sha256();
    if (!pj_stricmp2(name, "sha-384"))
        return EVP_sha384();
    if (!pj_stricmp2(name, "sha-512"))
        return EVP_sha512();
    if (!pj_stricmp2(name, "sha-1"))
        return EVP_sha1();
    return NULL;
}

bool sc_srtp_is_fingerprint(X509 *certificate, const pj_str_t *text)
{
    const char *blank = memchr(text->ptr, ' ', (size_t)text->slen);
    pj_str_t name = { text->ptr, blank ? blank - text->ptr : 0 };
    const EVP_MD *digest = digest_of(&name);
    unsigned char hash[EVP_MAX_MD_SIZE];
    const char *at = blank, *end = text->ptr + text->slen;
    unsigned size, i;

    if (!digest || !X509_digest(certificate, digest, hash, &size))
        return false;
    while (at < end && *at == ' ')
        at++;
    while (end > at && end[-1] == ' ')
        end--;
    if (end - at != (ptrdiff_t)size * 3 - 1)
        return false;
    for (i = 0; i < size; i++, at += 3) {
        if (!pj_isxdigit(at[0]) || !pj_isxdigit(at[1]) || (i + 1 < size && at[2] != ':') ||
            pj_hex_digit_to_val((unsigned char)at[0]) * 16 + pj_hex_digit_to_val((unsigned char)at[1]) != hash[i])
            return false;
    }
    return true;
}
