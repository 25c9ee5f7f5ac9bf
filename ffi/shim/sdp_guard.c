/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SDP that pjmedia 2.17 does not survive, refused by its text, before any parser of pjmedia's sees it: payload
 * numbers over 127 index past a table, more than 64 a=crypto lines overflow an array, an RED offer against static
 * payload types dereferences NULL, too many media lines or attributes are written past their arrays. No honest peer
 * sends any of them.
 */
#include <ctype.h>

#include "internal.h"

#define MAX_CRYPTO_LINES 16
#define MAX_SDP_SIZE (64u * 1024u)

/* The number at `at`, after blanks, at most five digits of it; -1: no number. */
static int number(const char *at, const char *end)
{
    int value = 0, digits = 0;

    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (at < end && isdigit((unsigned char)*at) && digits < 5) {
        value = value * 10 + (*at++ - '0');
        digits++;
    }
    return digits ? value : -1;
}

static bool starts(const char *line, const char *end, const char *word)
{
    size_t size = strlen(word);

    return (size_t)(end - line) >= size && !pj_ansi_strnicmp(line, word, size);
}

static bool media_line_is_safe(const char *line, const char *end)
{
    /* m=<media> <port> <proto> <fmt> ...: payload numbers of RTP profiles must fit seven bits. */
    const char *at = line + 2;
    unsigned field = 0, formats = 0;
    bool rtp = false;

    while (at < end) {
        const char *word = at;

        while (at < end && *at != ' ')
            at++;
        if (at > word) {
            if (field == 2) {
                const char *probe;

                for (probe = word; probe + 3 <= at; probe++)
                    rtp |= !pj_ansi_strnicmp(probe, "RTP", 3);
            }
            if (field >= 3) {
                if (rtp && number(word, at) > 127)
                    return false;
                formats++;
            }
            field++;
        }
        while (at < end && *at == ' ')
            at++;
    }
    return formats <= PJMEDIA_MAX_SDP_FMT;
}

bool sc_sdp_is_safe(const char *text, size_t size)
{
    const char *at = text, *end = text + size;
    unsigned media = 0, attributes = 0, crypto = 0;

    if (size > MAX_SDP_SIZE)
        return false;
    while (at < end) {
        const char *line = at;

        while (at < end && *at != '\r' && *at != '\n')
            at++;
        if (starts(line, at, "m=")) {
            if (++media > PJMEDIA_MAX_SDP_MEDIA || !media_line_is_safe(line, at))
                return false;
            attributes = crypto = 0;
        } else if (starts(line, at, "a=")) {
            if (++attributes > PJMEDIA_MAX_SDP_ATTR)
                return false;
            if (starts(line, at, "a=crypto:") && ++crypto > MAX_CRYPTO_LINES)
                return false;
            if ((starts(line, at, "a=rtpmap:") || starts(line, at, "a=fmtp:")) &&
                number(strchr(line, ':') + 1, at) > 127)
                return false;
            if (starts(line, at, "a=rtpmap:")) {
                const char *name = line + 9;

                while (name < at && *name != ' ')
                    name++;
                if (starts(name, at, " red/"))
                    return false;
            }
        }
        while (at < end && (*at == '\r' || *at == '\n'))
            at++;
    }
    return true;
}
