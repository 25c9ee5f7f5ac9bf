/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is no codec does not make an agreement: pjmedia takes a stream for agreed on in which both sides have nothing but
 * telephone-event in common, and nobody could be heard.
 */
#include "internal.h"

static bool is_codec(const pj_str_t *encoding)
{
    return pj_stricmp2(encoding, "telephone-event") && pj_stricmp2(encoding, "CN") && pj_stricmp2(encoding, "red");
}

/* The encoding of a dynamic payload number; false when nothing says what it is. */
static bool find_encoding(const pjmedia_sdp_media *media, const pj_str_t *number, pjmedia_sdp_rtpmap *map)
{
    const pjmedia_sdp_attr *attribute = pjmedia_sdp_media_find_attr2(media, "rtpmap", number);

    return attribute && pjmedia_sdp_attr_get_rtpmap(attribute, map) == PJ_SUCCESS;
}

static bool has_codec(const pjmedia_sdp_media *media, const pjmedia_sdp_rtpmap *wanted)
{
    pjmedia_sdp_rtpmap map;
    unsigned i;

    for (i = 0; i < media->desc.fmt_count; i++)
        if (find_encoding(media, &media->desc.fmt[i], &map) && !pj_stricmp(&map.enc_name, &wanted->enc_name) &&
            map.clock_rate == wanted->clock_rate)
            return true;
    return false;
}

static bool has_number(const pjmedia_sdp_media *media, const pj_str_t *number)
{
    unsigned i;

    for (i = 0; i < media->desc.fmt_count; i++)
        if (!pj_strcmp(&media->desc.fmt[i], number))
            return true;
    return false;
}

static bool have_common_codec(const pjmedia_sdp_media *one, const pjmedia_sdp_media *other)
{
    unsigned i;

    for (i = 0; i < one->desc.fmt_count; i++) {
        const pj_str_t *number = &one->desc.fmt[i];
        pjmedia_sdp_rtpmap map;

        if (find_encoding(one, number, &map) && is_codec(&map.enc_name) && has_codec(other, &map))
            return true;
        /* A static number needs no rtpmap on either side; 13 is comfort noise. */
        if (pj_strtoul(number) < 96 && pj_strtoul(number) != 13 && has_number(other, number))
            return true;
    }
    return false;
}

/* Asked by pjmedia where both sides have telephone-event. */
static pj_status_t match(pj_pool_t *pool, pjmedia_sdp_media *offer, unsigned offer_index, pjmedia_sdp_media *answer,
                         unsigned answer_index, unsigned options)
{
    PJ_UNUSED_ARG(pool);
    PJ_UNUSED_ARG(offer_index);
    PJ_UNUSED_ARG(answer_index);
    PJ_UNUSED_ARG(options);
    return have_common_codec(offer, answer) ? PJ_SUCCESS : PJMEDIA_SDP_EFMTPNOTEQUAL;
}

pj_status_t sc_sdp_match_init(void)
{
    static const pj_str_t name = { "telephone-event", 15 };

    return pjmedia_sdp_neg_register_fmt_match_cb(&name, match);
}
