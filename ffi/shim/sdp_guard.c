/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SDP that pjmedia 2.17 does not survive, refused by its text, before any parser of pjmedia's sees it: payload
 * numbers over 127 index past a table, more than 64 a=crypto lines overflow an array, an RED offer against static
 * payload types dereferences NULL, too many media lines or attributes are written past their arrays; a host name in
 * place of an address makes a thread wait for a name server. No honest peer sends any of the former.
 *
 * A line is taken apart as pjmedia does it, which is more lenient than RFC 8866: the colon behind an attribute's name
 * may be missing, blanks and tabs may stand in between, a line may end with either of CR and LF.
 */
#include <ctype.h>

#include "internal.h"

#define MAX_CRYPTO_LINES 64
#define MAX_PAYLOAD_NUMBER 127
#define MAX_SDP_SIZE (64u * 1024u)

/* What is left of a line. */
typedef struct {
    const char *at;
    const char *end;
} rest;

/* For a handful of them a call of strchr() costs more than to look. */
static bool is_one_of(char c, const char *set)
{
    while (*set && *set != c)
        set++;
    return *set;
}

static bool is_token(char c)
{
    return isalnum((unsigned char)c) || is_one_of(c, "!#$%&'*+-.^_`{|}~");
}

static void skip_blanks(rest *line)
{
    while (line->at < line->end && (*line->at == ' ' || *line->at == '\t'))
        line->at++;
}

static pj_str_t take_token(rest *line)
{
    pj_str_t token = { (char *)line->at, 0 };

    while (line->at < line->end && is_token(*line->at))
        line->at++;
    token.slen = line->at - token.ptr;
    return token;
}

/* Up to a character of `stops`, which stays. */
static pj_str_t take_until(rest *line, const char *stops)
{
    pj_str_t text = { (char *)line->at, 0 };

    while (line->at < line->end && !is_one_of(*line->at, stops))
        line->at++;
    text.slen = line->at - text.ptr;
    return text;
}

/* However many digits there are. */
static bool is_payload_number(rest line)
{
    unsigned value = 0;

    while (line.at < line.end && isdigit((unsigned char)*line.at) && value <= MAX_PAYLOAD_NUMBER)
        value = value * 10 + (unsigned)(*line.at++ - '0');
    return value <= MAX_PAYLOAD_NUMBER;
}

static bool is_address_or_none(const pj_str_t *text)
{
    return !text->slen || sc_is_address(text->ptr, (size_t)text->slen);
}

/* a=rtpmap:<number> <encoding>/<rate> */
static bool rtpmap_is_safe(rest value)
{
    pj_str_t encoding;

    skip_blanks(&value);
    if (!is_payload_number(value))
        return false;
    take_token(&value);
    skip_blanks(&value);
    encoding = take_token(&value);
    return pj_stricmp2(&encoding, "red") != 0;
}

/* a=rtcp:<port> IN IP4 <address> */
static bool rtcp_is_safe(rest value)
{
    pj_str_t address;
    unsigned field;

    for (field = 0; field < 3; field++) {
        skip_blanks(&value);
        take_token(&value);
    }
    skip_blanks(&value);
    address = take_until(&value, "/ \t");
    return is_address_or_none(&address);
}

/* a=<name>:<value> */
static bool attribute_is_safe(rest line, unsigned *crypto)
{
    pj_str_t name = take_token(&line);

    if (line.at < line.end && *line.at == ':')
        line.at++;
    if (!pj_stricmp2(&name, "rtpmap"))
        return rtpmap_is_safe(line);
    if (!pj_stricmp2(&name, "rtcp"))
        return rtcp_is_safe(line);
    if (!pj_stricmp2(&name, "crypto"))
        return ++*crypto <= MAX_CRYPTO_LINES;
    if (!pj_stricmp2(&name, "fmtp")) {
        skip_blanks(&line);
        return is_payload_number(line);
    }
    return true;
}

/* m=<media> <port> <transport> <format> ...: formats are payload numbers, but for those of data and images. */
static bool media_is_safe(rest line)
{
    pj_str_t media = take_token(&line);
    bool numbered = !pj_stricmp2(&media, "audio") || !pj_stricmp2(&media, "video") || !pj_stricmp2(&media, "text");
    unsigned field, formats = 0;

    for (field = 1; line.at < line.end; field++) {
        pj_str_t word;

        while (line.at < line.end && *line.at == ' ')
            line.at++;
        word = take_until(&line, " ");
        if (field == 2) {
            static const pj_str_t rtp = { "RTP", 3 };

            numbered |= pj_stristr(&word, &rtp) != NULL;
        } else if (field > 2 && word.slen) {
            formats++;
            if (numbered && !is_payload_number((rest){ word.ptr, line.at }))
                return false;
        }
    }
    return formats <= PJMEDIA_MAX_SDP_FMT;
}

/* c=IN IP4 <address>/<ttl> */
static bool connection_is_safe(rest line)
{
    pj_str_t address;
    unsigned field;

    for (field = 0; field < 2; field++) {
        take_until(&line, " ");
        if (line.at < line.end)
            line.at++;
    }
    address = take_until(&line, "/ \t");
    return is_address_or_none(&address);
}

bool sc_sdp_is_safe(const char *text, size_t size)
{
    const char *at = text, *end = text + size;
    unsigned media = 0, attributes = 0, crypto = 0;

    if (size > MAX_SDP_SIZE)
        return false;
    while (at < end) {
        const char *line = at;
        bool safe = true;

        while (at < end && *at != '\r' && *at != '\n')
            at++;
        if (at - line > 1 && line[1] == '=') {
            rest value = { line + 2, at };

            if (memchr(line, '\0', (size_t)(at - line))) {
                safe = false;
            } else if (*line == 'm') {
                safe = ++media <= PJMEDIA_MAX_SDP_MEDIA && media_is_safe(value);
                attributes = 0;
            } else if (*line == 'a') {
                safe = ++attributes <= PJMEDIA_MAX_SDP_ATTR && attribute_is_safe(value, &crypto);
            } else if (*line == 'c') {
                safe = connection_is_safe(value);
            } else if (*line == 'i') {
                safe = ++attributes <= PJMEDIA_MAX_SDP_ATTR; /* it goes through pjmedia as one (see sdp_info.c) */
            }
        }
        if (!safe)
            return false;
        while (at < end && (*at == '\r' || *at == '\n'))
            at++;
    }
    return true;
}
