/* envelope.h - turns a line of "consumer -J" back into its record, with the exact bytes, line end
 * and columns.
 *
 * Members that matter: value, key, headers and ts. "raw" and "..._base64" carry bytes that JSON
 * text cannot, and are used if they agree with the plain members: an edited plain member wins.
 * "columns" and "sep" are the topic's header line where the names in value do not give it
 * exactly. partition is a preference for records without a key. Other members are ignored. */
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

/* The columns of all rows, from the first envelope with a row. All zero: not known yet. */
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

/* envelope_read reads one line. The parts of *out are in the arena, or in line.
 *   columns    filled in by the first envelope with a row
 * Returns  0; 1 it is not an envelope: *fault says where and why, *columns is untouched;
 *          -ENOMEM. */
int envelope_read(const char *line, size_t len, struct envelope_columns *columns,
                  struct arena *arena, struct envelope *out, struct envelope_fault *fault);

void envelope_columns_free(struct envelope_columns *columns);

#endif
