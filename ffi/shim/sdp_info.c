/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The i= lines of session descriptions (RFC 8866, section 5.4). pjmedia knows none and drops them: they go through it as
 * attributes of a name that nobody else uses, and come out as what they were.
 */
#define _GNU_SOURCE
#include <string.h>

#include "internal.h"

static const char hidden[] = "a=x-sipcore-info:";
#define HIDDEN_SIZE (sizeof(hidden) - 1)
#define INFO_SIZE 2 /* "i=" */

static bool is_info(const char *line, const char *end)
{
    return end - line > INFO_SIZE && line[0] == 'i' && line[1] == '=' && line[2] != '\r' && line[2] != '\n';
}

static const char *next_line(const char *line, const char *end)
{
    const char *newline = memchr(line, '\n', (size_t)(end - line));

    return newline ? newline + 1 : end;
}

pj_str_t sc_sdp_hide_info(pj_pool_t *pool, const pj_str_t *text)
{
    const char *end = text->ptr + text->slen, *line;
    pj_str_t copy = { NULL, 0 };
    size_t count = 0;

    for (line = text->ptr; line < end; line = next_line(line, end))
        count += is_info(line, end);
    copy.ptr = pj_pool_alloc(pool, (size_t)text->slen + count * (HIDDEN_SIZE - INFO_SIZE) + 1);
    if (!copy.ptr)
        return copy;
    for (line = text->ptr; line < end;) {
        const char *next = next_line(line, end);

        if (is_info(line, end)) {
            memcpy(copy.ptr + copy.slen, hidden, HIDDEN_SIZE);
            copy.slen += (pj_ssize_t)HIDDEN_SIZE;
            line += INFO_SIZE;
        }
        memcpy(copy.ptr + copy.slen, line, (size_t)(next - line));
        copy.slen += next - line;
        line = next;
    }
    copy.ptr[copy.slen] = '\0';
    return copy;
}

static void reverse(char *from, char *to)
{
    while (from < --to) {
        char c = *from;

        *from++ = *to;
        *to = c;
    }
}

/* What stands from `at` on goes ahead of what stands from `first` on. */
static void move_ahead(char *first, char *at, char *end)
{
    reverse(first, at);
    reverse(at, end);
    reverse(first, end);
}

size_t sc_sdp_reveal_info(char *text, size_t size)
{
    char *end = text + size, *line, *place = NULL;

    if (!memmem(text, size, hidden, HIDDEN_SIZE))
        return size;
    for (line = text; line < end;) {
        char *next = (char *)next_line(line, end);

        if (next - line > 1 && line[1] == '=' && (*line == 's' || *line == 'm')) {
            place = next; /* there it belongs */
        } else if (place && (size_t)(next - line) > HIDDEN_SIZE && !memcmp(line, hidden, HIDDEN_SIZE)) {
            size_t cut = HIDDEN_SIZE - INFO_SIZE;

            memcpy(line, "i=", INFO_SIZE);
            memmove(line + INFO_SIZE, line + HIDDEN_SIZE, (size_t)(end - line) - HIDDEN_SIZE);
            end -= cut;
            next -= cut;
            move_ahead(place, line, next);
        }
        line = next;
    }
    return (size_t)(end - text);
}
