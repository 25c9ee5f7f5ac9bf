/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log and trace without the keys that session descriptions carry (a=crypto, RFC 4568): stars instead, as many. */
#include <stdlib.h>
#include <strings.h>

#include "internal.h"

/* Behind the next "inline:", NULL when there is none. */
static const char *find_key(const char *at, const char *end)
{
    static const char method[] = "inline:";
    const size_t length = sizeof(method) - 1;
    const char *from = at;

    while ((at = memchr(at, ':', (size_t)(end - at)))) {
        at++;
        if ((size_t)(at - from) >= length && !strncasecmp(at - length, method, length))
            return at;
    }
    return NULL;
}

char *sc_hide_keys(const char *text, size_t size)
{
    const char *end = text + size, *at = find_key(text, end);
    char *copy = at ? malloc(size) : NULL;

    if (!copy)
        return NULL;
    memcpy(copy, text, size);
    for (; at; at = find_key(at, end)) {
        while (at < end && *at == ' ')
            at++;
        for (; at < end && *at && !strchr("| \t\r\n", *at); at++)
            copy[at - text] = '*';
    }
    return copy;
}
