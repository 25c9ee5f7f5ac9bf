/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What session descriptions say of keys. pjmedia takes the key out of an a=crypto line and passes over what else is in
 * it; what changes the packets (an MKI, parts that are not encrypted or authenticated) would leave a call without sound.
 * A line that we cannot follow to the letter is none (RFC 4568, section 6.3.1).
 */
#include "internal.h"

#define MAX_TAG_DIGITS 9
#define MAX_KEY_TEXT 100

/* The suites that libsrtp has under these names, and the size of their master key with its salt. */
static const struct {
    const char *name;
    int key_size;
} suites[] = {
    { "AEAD_AES_256_GCM", 44 },         { "AEAD_AES_128_GCM", 28 },        { "AES_256_CM_HMAC_SHA1_80", 46 },
    { "AES_256_CM_HMAC_SHA1_32", 46 },  { "AES_CM_128_HMAC_SHA1_80", 30 }, { "AES_CM_128_HMAC_SHA1_32", 30 },
};

int sc_srtp_key_size(const pj_str_t *suite)
{
    size_t i;

    for (i = 0; i < PJ_ARRAY_SIZE(suites); i++) {
        if (!pj_stricmp2(suite, suites[i].name))
            return suites[i].key_size;
    }
    return 0;
}

static pj_str_t take_word(pj_str_t *rest)
{
    pj_str_t word;

    while (rest->slen && *rest->ptr == ' ')
        rest->ptr++, rest->slen--;
    word = (pj_str_t){ rest->ptr, 0 };
    while (rest->slen && *rest->ptr != ' ')
        rest->ptr++, rest->slen--, word.slen++;
    return word;
}

static bool is_tag(const pj_str_t *word)
{
    pj_ssize_t i;

    for (i = 0; i < word->slen; i++) {
        if (!pj_isdigit(word->ptr[i]))
            return false;
    }
    return word->slen > 0 && word->slen <= MAX_TAG_DIGITS && *word->ptr != '0';
}

/* inline:<key and salt>[|lifetime], one key without an MKI, which has a colon. */
static bool is_key(const pj_str_t *word, int key_size)
{
    static const pj_str_t method = { "inline:", 7 };
    pj_str_t key = { word->ptr + method.slen, word->slen - method.slen };
    const char *bar, *end = word->ptr + word->slen;
    unsigned char bytes[PJ_BASE64_TO_BASE256_LEN(MAX_KEY_TEXT) + 3];
    int size = sizeof(bytes);

    if (key.slen <= 0 || pj_strnicmp(word, &method, method.slen) || memchr(word->ptr, ';', (size_t)word->slen))
        return false;
    bar = memchr(key.ptr, '|', (size_t)key.slen);
    if (bar) {
        if (memchr(bar, ':', (size_t)(end - bar)))
            return false;
        key.slen = bar - key.ptr;
    }
    return key.slen <= MAX_KEY_TEXT && pj_base64_decode(&key, bytes, &size) == PJ_SUCCESS && size == key_size;
}

bool sc_srtp_is_usable(const pj_str_t *crypto)
{
    pj_str_t rest = *crypto, tag = take_word(&rest), suite = take_word(&rest), key = take_word(&rest), word;
    static const pj_str_t window = { "WSH=", 4 };

    if (!is_tag(&tag) || !sc_srtp_key_size(&suite) || !is_key(&key, sc_srtp_key_size(&suite)))
        return false;
    while ((word = take_word(&rest)).slen) {
        /* A hint about the replay window, and what a dash marks as optional. */
        if (*word.ptr != '-' && pj_strnicmp(&word, &window, window.slen))
            return false;
    }
    return true;
}

pj_str_t sc_srtp_suite(const pj_str_t *crypto)
{
    pj_str_t rest = *crypto;

    take_word(&rest);
    return take_word(&rest);
}

static const pjmedia_sdp_attr *find(const pjmedia_sdp_session *sdp, unsigned index, const char *name)
{
    const pjmedia_sdp_media *media = sdp->media[index];
    const pjmedia_sdp_attr *found = pjmedia_sdp_attr_find2(media->attr_count, media->attr, name, NULL);

    return found ? found : pjmedia_sdp_attr_find2(sdp->attr_count, sdp->attr, name, NULL);
}

const pj_str_t *sc_srtp_fingerprint(const pjmedia_sdp_session *sdp, unsigned index)
{
    const pjmedia_sdp_attr *found = find(sdp, index, "fingerprint");

    return found && find(sdp, index, "setup") ? &found->value : NULL;
}
