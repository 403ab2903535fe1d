/* envelope_parts.h - what envelope.c (members, strings, key, headers, value) and envelope_row.c
 * (columns, rows) share; for them alone. Functions return as envelope_read. */
#ifndef PRODUCER_INPUT_ENVELOPE_PARTS_H
#define PRODUCER_INPUT_ENVELOPE_PARTS_H

#include "envelope.h"
#include "text/json_read.h"

enum member {
    VALUE,
    VALUE_BASE64,
    RAW,
    KEY,
    KEY_BASE64,
    HEADERS,
    HEADERS_BASE64,
    TS,
    PARTITION,
    COLUMNS,
    COLUMNS_BASE64,
    SEP,
    QUOTES,
    MEMBER_CNT,
};
extern const char *const envelope_members[MEMBER_CNT]; /* their names */

/* Bytes that a string of JSON stands for, or that lie in the line as they are. */
struct bytes {
    const char *text; /* NULL: there are none */
    size_t len;
};

struct reading {
    const char *line;
    struct js_value member[MEMBER_CNT]; /* text NULL: not there, or null */
    struct arena *arena;
    struct envelope_columns *columns; /* those known so far */
    struct envelope_columns found;    /* what this one says, if none were known */
    struct envelope *out;
    struct envelope_fault *fault;
};

/* REFUSE notes why and where, and is 1: in plain sight, for whoever analyses the callers. */
__attribute__((format(printf, 3, 4))) void envelope_note(const struct reading *r, const char *at,
                                                         const char *format, ...);
#define REFUSE(...) (envelope_note(__VA_ARGS__), 1)

static inline int envelope_has(const struct reading *r, enum member what)
{
    return r->member[what].text != NULL;
}
/* envelope_want: 0 if the member is of this kind or not there. */
int envelope_want(struct reading *r, enum member what, enum js_kind kind, const char *kind_name);

/* envelope_decode gives what a string stands for, _base64 what it encodes, _exact the one if the
 * other says the same (base64->text NULL: there is none). envelope_says: whether the string that
 * bytes become in JSON, U+FFFD for what is not UTF-8, is plain: 0, 1 or -ENOMEM. */
int envelope_decode(struct reading *r, const struct js_value *string, struct bytes *out);
int envelope_decode_base64(struct reading *r, const struct js_value *string, struct bytes *out);
int envelope_decode_exact(struct reading *r, const struct js_value *plain,
                          const struct js_value *base64, struct bytes *out);
int envelope_says(struct bytes bytes, struct bytes plain);

/* envelope_cut_line_end takes the line end off. Returns which it was, MR_EOL_*. */
uint16_t envelope_cut_line_end(struct bytes *line);

/* envelope_row makes the value of the fields in VALUE, or takes exact (text NULL: there is none) if
 * it has the same fields; and sees to the columns. */
int envelope_row(struct reading *r, const struct bytes *exact);

#endif
