/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The UDP transport makes its receive buffer anew for each datagram, zeroed as a whole: 64 KB by PJSIP_MAX_PKT_LEN,
 * which takes a microsecond and drives everything else out of the processor's nearest cache. What the socket writes
 * over, and the parser ends by a NUL of its own, needs no zeroes.
 *
 * The linker puts __wrap_pj_pool_calloc() where pjproject's files call each other's; on a Mac nothing is saved.
 */
#include "internal.h"

#if !PJ_POOL_DEBUG && !defined(__APPLE__)

void *__real_pj_pool_calloc(pj_pool_t *pool, pj_size_t count, pj_size_t size);
void *__wrap_pj_pool_calloc(pj_pool_t *pool, pj_size_t count, pj_size_t size);

#define PACKET_AT offsetof(pjsip_rx_data, pkt_info.packet)
#define PACKET_END (PACKET_AT + PJSIP_MAX_PKT_LEN)

void *__wrap_pj_pool_calloc(pj_pool_t *pool, pj_size_t count, pj_size_t size)
{
    char *rdata;

    if (count != 1 || size != sizeof(pjsip_rx_data))
        return __real_pj_pool_calloc(pool, count, size);
    rdata = pj_pool_alloc(pool, size);
    if (rdata) {
        pj_bzero(rdata, PACKET_AT + 1);
        pj_bzero(rdata + PACKET_END, size - PACKET_END);
    }
    return rdata;
}

#endif
