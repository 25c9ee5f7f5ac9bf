/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pj's hash tables under a secret key: stands in for pjlib's hash.o as a whole. pjlib hashes by a multiplication that
 * everybody can work out, so 20,000 requests whose Via branches collide take nine times as long as any others. SipHash
 * under a key of the process's own makes collisions a matter of luck; with one round a word it is also faster than
 * pjlib's byte by byte for anything longer than a short header name.
 *
 * What callers of pjlib know of a hash stays: the same bytes give the same number for the life of the process,
 * pj_hash_calc() and pj_hash_calc_tolower() give what the tables work out themselves, 0 stands for "not known".
 */
#include <openssl/rand.h>
#include <sys/random.h>
#include <unistd.h>

#include "internal.h"

struct pj_hash_entry {
    struct pj_hash_entry *next;
    void *key;
    pj_uint32_t hash;
    pj_uint32_t keylen;
    void *value;
};

struct pj_hash_table_t {
    pj_hash_entry **table;
    unsigned count, rows; /* rows: their number less 1 */
    pj_hash_iterator_t iterator;
};

/* ---- SipHash-1-3 ------------------------------------------------------------------------------------------------- */

static uint64_t secret[2];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;
static atomic_bool has_secret;

static void make_secret(void)
{
    /* Whatever else fails, two processes differ. */
    if (RAND_bytes((unsigned char *)secret, sizeof(secret)) != 1 && getentropy(secret, sizeof(secret))) {
        pj_timestamp now;

        pj_get_timestamp(&now);
        secret[0] = now.u64;
        secret[1] = (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)&now;
    }
    atomic_store_explicit(&has_secret, true, memory_order_release);
}

static inline uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

#define SIP_ROUND                                \
    do {                                         \
        v0 += v1;                                \
        v2 += v3;                                \
        v1 = rotate(v1, 13) ^ v0;                \
        v3 = rotate(v3, 16) ^ v2;                \
        v0 = rotate(v0, 32) + v3;                \
        v2 += v1;                                \
        v3 = rotate(v3, 21) ^ v0;                \
        v1 = rotate(v1, 17) ^ v2;                \
        v2 = rotate(v2, 32);                     \
    } while (0)

/* Eight characters at once; bytes over 127 are no letters. */
static inline uint64_t lower_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t low = word & 0x7f * ones;
    uint64_t is_letter = (low + (0x80 - 'A') * ones) & ~(low + (0x7f - 'Z') * ones) & ~word & 0x80 * ones;

    return word | is_letter >> 2;
}

/* The last word is read in pieces that lie within the key. */
static inline uint64_t read_tail(const pj_uint8_t *at, size_t size)
{
    uint64_t word = 0;

    if (size & 4) {
        uint32_t half;

        memcpy(&half, at, 4);
        word = half;
        at += 4;
    }
    if (size & 2) {
        uint16_t quarter;

        memcpy(&quarter, at, 2);
        word |= (uint64_t)quarter << (size & 4) * 8;
        at += 2;
    }
    if (size & 1)
        word |= (uint64_t)*at << (size & 6) * 8;
    return word;
}

static inline pj_uint32_t sip_hash(pj_uint32_t seed, const void *key, size_t size, bool lower)
{
    const pj_uint8_t *at = key, *end = at + (size & ~(size_t)7);
    uint64_t v0, v1, v2, v3, word;

    if (!atomic_load_explicit(&has_secret, memory_order_acquire))
        pthread_once(&secret_once, make_secret);
    v0 = secret[0] ^ 0x736f6d6570736575u;
    v1 = secret[1] ^ 0x646f72616e646f6du ^ seed;
    v2 = secret[0] ^ 0x6c7967656e657261u;
    v3 = secret[1] ^ 0x7465646279746573u;
    for (; at != end; at += 8) {
        memcpy(&word, at, 8);
        if (lower)
            word = lower_word(word);
        v3 ^= word;
        SIP_ROUND;
        v0 ^= word;
    }
    word = read_tail(at, size & 7);
    if (lower)
        word = lower_word(word);
    word |= (uint64_t)size << 56;
    v3 ^= word;
    SIP_ROUND;
    v0 ^= word;
    v2 ^= 0xff;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    word = v0 ^ v1 ^ v2 ^ v3;
    return (pj_uint32_t)(word ^ word >> 32);
}

static inline size_t size_of(const void *key, unsigned keylen)
{
    return keylen == PJ_HASH_KEY_STRING ? strlen(key) : keylen;
}

PJ_DEF(pj_uint32_t) pj_hash_calc(pj_uint32_t hash, const void *key, unsigned keylen)
{
    return sip_hash(hash, key, size_of(key, keylen), false);
}

static inline char lower_char(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

PJ_DEF(pj_uint32_t) pj_hash_calc_tolower(pj_uint32_t hval, char *result, const pj_str_t *key)
{
    size_t size = key->slen > 0 ? (size_t)key->slen : 0, i;

    for (i = 0; result && i < size; i++)
        result[i] = lower_char(key->ptr[i]);
    return sip_hash(hval, key->ptr, size, true);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

PJ_DEF(pj_hash_table_t *) pj_hash_create(pj_pool_t *pool, unsigned size)
{
    pj_hash_table_t *table;
    unsigned rows = 16;

    PJ_ASSERT_RETURN(sizeof(pj_hash_entry) <= PJ_HASH_ENTRY_BUF_SIZE, NULL);
    while (rows < size && rows < 1u << 31)
        rows <<= 1;
    table = PJ_POOL_ZALLOC_T(pool, pj_hash_table_t);
    if (!table)
        return NULL;
    table->rows = rows - 1;
    table->table = pj_pool_calloc(pool, rows, sizeof(pj_hash_entry *));
    return table->table ? table : NULL;
}

static bool is_same(const pj_uint8_t *one, const pj_uint8_t *other, size_t size, bool lower)
{
    size_t i;

    /* Almost always the case is the same as well. */
    if (!memcmp(one, other, size))
        return true;
    for (i = 0; lower && i < size; i++)
        if (lower_char((char)one[i]) != lower_char((char)other[i]))
            break;
    return lower && i == size;
}

/* Where the entry hangs, or where the chain of its row ends. */
static pj_hash_entry **find(pj_hash_table_t *table, const void *key, size_t size, pj_uint32_t hash, bool lower)
{
    pj_hash_entry **link = &table->table[hash & table->rows];

    while (*link && !((*link)->hash == hash && (*link)->keylen == size && is_same((*link)->key, key, size, lower)))
        link = &(*link)->next;
    return link;
}

static inline void *get(pj_hash_table_t *table, const void *key, unsigned keylen, pj_uint32_t *hval, bool lower)
{
    size_t size = size_of(key, keylen);
    pj_uint32_t hash = hval && *hval ? *hval : sip_hash(0, key, size, lower);
    pj_hash_entry *entry;

    if (hval)
        *hval = hash;
    entry = *find(table, key, size, hash, lower);
    return entry ? entry->value : NULL;
}

static inline void set(pj_pool_t *pool, pj_hash_table_t *table, const void *key, unsigned keylen, pj_uint32_t hval,
                       void *value, void *buffer, bool lower)
{
    size_t size = size_of(key, keylen);
    pj_uint32_t hash = hval ? hval : sip_hash(0, key, size, lower);
    pj_hash_entry **link = find(table, key, size, hash, lower), *entry = *link;

    if (entry && value) {
        entry->value = value;
    } else if (entry) {
        /* Its fields stay: an iterator may stand on it. */
        *link = entry->next;
        table->count--;
    }
    if (entry || !value)
        return;
    PJ_ASSERT_ON_FAIL(buffer || pool, return);
    entry = buffer ? buffer : PJ_POOL_ALLOC_T(pool, pj_hash_entry);
    if (!entry)
        return;
    /* Without a pool the key is the caller's, for as long as the entry stands. */
    entry->key = pool ? pj_pool_alloc(pool, size) : (void *)key;
    if (!entry->key)
        return;
    if (pool)
        memcpy(entry->key, key, size);
    entry->next = NULL;
    entry->hash = hash;
    entry->keylen = (pj_uint32_t)size;
    entry->value = value;
    *link = entry;
    table->count++;
}

PJ_DEF(void *) pj_hash_get(pj_hash_table_t *ht, const void *key, unsigned keylen, pj_uint32_t *hval)
{
    return get(ht, key, keylen, hval, false);
}

PJ_DEF(void *) pj_hash_get_lower(pj_hash_table_t *ht, const void *key, unsigned keylen, pj_uint32_t *hval)
{
    return get(ht, key, keylen, hval, true);
}

PJ_DEF(void)
pj_hash_set(pj_pool_t *pool, pj_hash_table_t *ht, const void *key, unsigned keylen, pj_uint32_t hval, void *value)
{
    set(pool, ht, key, keylen, hval, value, NULL, false);
}

PJ_DEF(void)
pj_hash_set_lower(pj_pool_t *pool, pj_hash_table_t *ht, const void *key, unsigned keylen, pj_uint32_t hval, void *value)
{
    set(pool, ht, key, keylen, hval, value, NULL, true);
}

PJ_DEF(void)
pj_hash_set_np(pj_hash_table_t *ht, const void *key, unsigned keylen, pj_uint32_t hval, pj_hash_entry_buf entry_buf,
               void *value)
{
    set(NULL, ht, key, keylen, hval, value, entry_buf, false);
}

PJ_DEF(void)
pj_hash_set_np_lower(pj_hash_table_t *ht, const void *key, unsigned keylen, pj_uint32_t hval,
                     pj_hash_entry_buf entry_buf, void *value)
{
    set(NULL, ht, key, keylen, hval, value, entry_buf, true);
}

PJ_DEF(unsigned) pj_hash_count(pj_hash_table_t *ht)
{
    return ht->count;
}

/* From this row on. */
static pj_hash_iterator_t *seek(pj_hash_table_t *table, pj_hash_iterator_t *it, pj_uint32_t row)
{
    it->entry = NULL;
    for (it->index = row; it->index <= table->rows; it->index++) {
        it->entry = table->table[it->index];
        if (it->entry)
            return it;
    }
    return NULL;
}

PJ_DEF(pj_hash_iterator_t *) pj_hash_first(pj_hash_table_t *ht, pj_hash_iterator_t *it)
{
    return seek(ht, it, 0);
}

PJ_DEF(pj_hash_iterator_t *) pj_hash_next(pj_hash_table_t *ht, pj_hash_iterator_t *it)
{
    it->entry = it->entry->next;
    return it->entry ? it : seek(ht, it, it->index + 1);
}

PJ_DEF(void *) pj_hash_this(pj_hash_table_t *ht, pj_hash_iterator_t *it)
{
    PJ_UNUSED_ARG(ht);
    return it->entry->value;
}
