/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pj's random numbers from OpenSSL: stands in for pjlib's rand.o as a whole. pjlib asks the C library's rand(), whose
 * next numbers follow from the ones before, and anybody who reads a Call-ID has some of them. The passwords of ICE, the
 * ids by which answers of STUN and TURN servers are believed, tags and branches are made of these numbers.
 */
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/random.h>

#include "internal.h"

#define STOCK 64

void pj_srand(unsigned seed)
{
    PJ_UNUSED_ARG(seed);
}

int pj_rand(void)
{
    static _Thread_local unsigned numbers[STOCK], left;

    if (left == 0) {
        if (RAND_bytes((unsigned char *)numbers, sizeof(numbers)) != 1 &&
            getentropy(numbers, sizeof(numbers)) != 0)
            /* Numbers that can be guessed would be worse than none. */
            abort();
        left = STOCK;
    }
    return (int)(numbers[--left] & 0x7fffffff);
}
