/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes that cross the border: little-endian scalars, text and bytes with their size ahead (u32).
 * Twin of ffi/wire.ts: same words, same order.
 */
#include "internal.h"

void sc_record_init(sc_record *record, uint32_t kind, uint64_t serial)
{
    record->kind = kind;
    record->serial = serial;
    record->size = 0;
    record->count = 0;
}

static void scalar(sc_record *record, uint64_t value, uint32_t size)
{
    pj_assert(record->count < SC_RECORD_FIELDS);
    record->fields[record->count].data = NULL;
    record->fields[record->count].size = size;
    record->fields[record->count].sized = false;
    record->fields[record->count].scalar = value;
    record->count++;
    record->size += size;
}

void sc_record_u8(sc_record *record, uint8_t value)
{
    scalar(record, value, 1);
}

void sc_record_u32(sc_record *record, uint32_t value)
{
    scalar(record, value, 4);
}

void sc_record_i32(sc_record *record, int32_t value)
{
    scalar(record, (uint32_t)value, 4);
}

void sc_record_serial(sc_record *record, uint64_t serial)
{
    double value = (double)serial;
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    scalar(record, bits, 8);
}

void sc_record_bytes(sc_record *record, const void *data, size_t size)
{
    pj_assert(record->count < SC_RECORD_FIELDS);
    record->fields[record->count].data = data ? data : "";
    record->fields[record->count].size = data ? (uint32_t)size : 0;
    record->fields[record->count].sized = true;
    record->count++;
    record->size += 4 + (data ? (uint32_t)size : 0);
}

void sc_record_text(sc_record *record, const char *text)
{
    sc_record_bytes(record, text, text ? strlen(text) : 0);
}

void sc_record_str(sc_record *record, const pj_str_t *text)
{
    sc_record_bytes(record, text && text->slen > 0 ? text->ptr : NULL, text && text->slen > 0 ? (size_t)text->slen : 0);
}

void sc_record_push(sc_record *record, bool droppable)
{
    sc_ring_push(record, droppable);
}

sc_reader sc_reader_init(sc_bytes args, uint32_t size)
{
    sc_reader reader = { args, args ? args + size : NULL, args == NULL };
    return reader;
}

static const uint8_t *take(sc_reader *reader, uint32_t size)
{
    const uint8_t *at = reader->at;

    if (reader->failed || (size_t)(reader->end - at) < size) {
        reader->failed = true;
        return NULL;
    }
    reader->at += size;
    return at;
}

uint8_t sc_read_u8(sc_reader *reader)
{
    const uint8_t *at = take(reader, 1);

    return at ? *at : 0;
}

uint32_t sc_read_u32(sc_reader *reader)
{
    const uint8_t *at = take(reader, 4);
    uint32_t value = 0;

    if (at)
        memcpy(&value, at, 4);
    return value;
}

int32_t sc_read_i32(sc_reader *reader)
{
    return (int32_t)sc_read_u32(reader);
}

double sc_read_f64(sc_reader *reader)
{
    const uint8_t *at = take(reader, 8);
    double value = 0;

    if (at)
        memcpy(&value, at, 8);
    return value;
}

pj_str_t sc_read_text(sc_reader *reader)
{
    uint32_t size = sc_read_u32(reader);
    const uint8_t *at = take(reader, size);
    pj_str_t text = { (char *)at, at ? (pj_ssize_t)size : 0 };

    return text;
}

pj_str_t sc_read_text_dup(sc_reader *reader, pj_pool_t *pool)
{
    pj_str_t text = sc_read_text(reader), copy;

    pj_strdup_with_null(pool, &copy, &text);
    return copy;
}

sc_writer sc_writer_init(sc_buffer buffer, uint32_t capacity)
{
    sc_writer writer = { buffer, capacity, 0 };
    return writer;
}

static void put(sc_writer *writer, const void *data, uint32_t size)
{
    if (writer->size <= writer->capacity && size <= writer->capacity - writer->size)
        memcpy(writer->start + writer->size, data, size);
    writer->size += size;
}

void sc_write_u32(sc_writer *writer, uint32_t value)
{
    put(writer, &value, 4);
}

void sc_write_i32(sc_writer *writer, int32_t value)
{
    put(writer, &value, 4);
}

void sc_write_f64(sc_writer *writer, double value)
{
    put(writer, &value, 8);
}

void sc_write_bytes(sc_writer *writer, const void *data, size_t size)
{
    sc_write_u32(writer, (uint32_t)size);
    if (size)
        put(writer, data, (uint32_t)size);
}

void sc_write_str(sc_writer *writer, const pj_str_t *text)
{
    sc_write_bytes(writer, text->ptr, text->slen > 0 ? (size_t)text->slen : 0);
}

int32_t sc_writer_done(const sc_writer *writer)
{
    return writer->size <= writer->capacity ? (int32_t)writer->size : -(int32_t)writer->size;
}
