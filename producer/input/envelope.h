/* envelope.h - one line of "consumer -J" back into the record that it was made from, bytes, line
 * end and columns included.
 *
 * What counts: value, key, headers and ts; "raw" and "..._base64" carry bytes that JSON text
 * cannot, and count as long as they say the same as the plain members: who edits a plain member
 * means it. "columns" and "sep" are the topic's header line where the names in value do not tell it
 * exactly. partition is a wish for records without a key. Other members mean nothing here. */
#ifndef PRODUCER_INPUT_ENVELOPE_H
#define PRODUCER_INPUT_ENVELOPE_H

#include "arena.h"
#include "millrace.h"
#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_PARTITION_NONE UINT64_MAX

struct envelope_name {
    const char *text;
    size_t len;
};

/* The columns of all rows, as the first envelope that has a row gave them. All zero: not known
 * yet. */
struct envelope_columns {
    char *line; /* NULL: not known yet */
    size_t len;
    uint32_t flags; /* as mr_topic_set_columns takes them */
    char *names;    /* what the columns' names point into */
    struct envelope_name *name;
    size_t cnt;
};

struct envelope {
    const char *value, *key; /* key NULL: none */
    const void *headers;
    size_t value_len, key_len, headers_len;
    uint16_t flags;     /* MR_EOL_* */
    uint64_t ts_ns;     /* 0: none given */
    uint64_t partition; /* or ENVELOPE_PARTITION_NONE */
};

struct envelope_fault {
    size_t byte; /* of the line, from 1 */
    char reason[160];
};

/* envelope_read reads one line. The parts of *out lie in the arena, or in line.
 *   columns    filled in by the first envelope with a row
 * Returns  0; 1 it is not an envelope: *fault says where and why, *columns is untouched;
 *          -ENOMEM. */
int envelope_read(const char *line, size_t len, struct envelope_columns *columns,
                  struct arena *arena, struct envelope *out, struct envelope_fault *fault);

void envelope_columns_free(struct envelope_columns *columns);

#endif
