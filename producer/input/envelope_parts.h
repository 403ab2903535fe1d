/* envelope_parts.h - internals shared by envelope.c (members, key, headers, value) and
 * envelope_row.c (columns, rows). Functions return as envelope_read. */
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

/* Bytes decoded from a JSON string, or taken from the line as they are. */
struct bytes {
    const char *text; /* NULL: none */
    size_t len;
};

struct reading {
    const char *line;
    struct js_value member[MEMBER_CNT]; /* text NULL: not there, or null */
    struct arena *arena;
    struct envelope_columns *columns; /* known so far */
    struct envelope_columns found;    /* from this envelope, if none were known */
    struct envelope *out;
    struct envelope_fault *fault;
};

/* REFUSE notes why and where, and evaluates to 1; a macro, so that static analysis of the
 * callers sees the 1. */
__attribute__((format(printf, 3, 4))) void envelope_note(const struct reading *r, const char *at,
                                                         const char *format, ...);
#define REFUSE(...) (envelope_note(__VA_ARGS__), 1)

static inline int envelope_has(const struct reading *r, enum member what)
{
    return r->member[what].text != NULL;
}
/* envelope_want: 0 if the member is of this kind or missing. */
int envelope_want(struct reading *r, enum member what, enum js_kind kind, const char *kind_name);

/* envelope_decode decodes a string, _base64 the bytes in it; _exact gives the bytes of base64 if
 * they agree with the plain string, else that (base64->text NULL: there is none). envelope_says:
 * whether bytes, written as a JSON string with U+FFFD for what is not UTF-8, become plain: 0, 1
 * or -ENOMEM. */
int envelope_decode(struct reading *r, const struct js_value *string, struct bytes *out);
int envelope_decode_base64(struct reading *r, const struct js_value *string, struct bytes *out);
int envelope_decode_exact(struct reading *r, const struct js_value *plain,
                          const struct js_value *base64, struct bytes *out);
int envelope_says(struct bytes bytes, struct bytes plain);

/* envelope_cut_line_end removes the line end. Returns its MR_EOL_*. */
uint16_t envelope_cut_line_end(struct bytes *line);

/* envelope_row makes the value of the fields in VALUE, or takes exact (text NULL: none) if it
 * has the same fields; it also sets or checks the columns. */
int envelope_row(struct reading *r, const struct bytes *exact);

#endif
