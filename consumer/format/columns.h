/* columns.h - a topic's header line, and the names of its columns as the output formats use
 * them. */
#ifndef CONSUMER_FORMAT_COLUMNS_H
#define CONSUMER_FORMAT_COLUMNS_H

#include "fields.h"
#include "millrace.h"
#include "text/json.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct column {
    const char *name; /* unquoted, unique in the topic: the second "a" is "a_2"; a NUL follows */
    size_t name_len;
    const char *key; /* the text ,"name": in struct columns' keys */
    size_t key_len;
};

struct columns {
    /* the header as the topic has it, without line end; NULL: the topic has none (yet) */
    char *line;
    size_t len;
    uint32_t flags; /* of its line end, enum mr_record_flags, and the separator */
    size_t cnt;     /* columns; column[cnt] names the fields that are too many ("_extra") */
    struct column *column;
    struct js_writer keys; /* and JS_SLACK bytes behind them */
    char *names;
    /* the line is what one gets by joining the names with commas, quoted where they must be, and
     * ends in a newline */
    int plain;
    ssize_t *bound;               /* see format_bind */
    struct field_picker selected; /* the same */
};

/* columns_set takes a header line (copied) and names its columns. columns must be zeroed before.
 * Returns 0; -ENOMEM. */
int columns_set(struct columns *columns, const char *line, size_t len, uint32_t flags);
void columns_free(struct columns *columns);

/* columns_find returns the index of the column of that name, or -1. */
ssize_t columns_find(const struct columns *columns, const char *name, size_t len);

/* columns_missing writes that there is no such column, which one is called much like it, and what
 * columns there are: "no column "totl" (did you mean "total"?); its columns: id,name,total".
 * Returns buf. */
#define COLUMNS_MISSING 400
const char *columns_missing(const struct columns *columns, const char *name,
                            char buf[static COLUMNS_MISSING]);

/* columns_same: 1 if both headers are the same but for a byte order mark and the line end. */
int columns_same(const struct columns *a, const struct columns *b);

#endif
