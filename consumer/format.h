/* format.h - how records are written: the output formats of -f and -J. */
#ifndef MR_FORMAT_H
#define MR_FORMAT_H

#include "columns.h"
#include "json.h"
#include "millrace.h"

enum mr_format_kind { MR_FORMAT_RAW, MR_FORMAT_CSV, MR_FORMAT_JSON, MR_FORMAT_ENVELOPE, MR_FORMAT_TEXT };

struct mr_format_piece {
    char what;        /* 's', 'k', ... as in %s, %k; '{': a column; 0: text as it is */
    const char *text; /* the text, or the column's name, inside struct mr_format's store */
    size_t len;
};

struct mr_format {
    enum mr_format_kind kind;
    int strings;           /* JSON: fields that are numbers become strings too */
    const char *delimiter; /* raw: written after each value */
    size_t delimiter_len;
    struct mr_format_piece *piece; /* text */
    size_t piece_cnt;
    char *store;
    int header_done;      /* csv: the header has been written */
    int owes_line_end;    /* csv: the last row had none, so the next one needs one before it */
    const char *line_end; /* csv: which, that of the header */
    struct mr_json scratch;
};

/* mr_format_init makes a format of "raw", "csv", "json", or a text with conversions. NULL: raw.
 * Returns  0; -EINVAL with a description in wrong; -ENOMEM. */
int mr_format_init(struct mr_format *format, const char *spec, char wrong[static 160]);
void mr_format_free(struct mr_format *format);

/* mr_format_unescape resolves \n \r \t \0 \\ in text, in place. Returns the new length, or -EINVAL for another letter after a
 * backslash. */
ssize_t mr_format_unescape(char *text);

/* mr_format_needs_columns: 1 if the topic's columns must be looked for before its records are formatted. */
int mr_format_needs_columns(const struct mr_format *format);

/* mr_format_bind finds the columns that a text names with %{...} in columns (whose line may be NULL: the topic has none).
 * Returns  0; -ENOENT, *missing being the name of one that is not there; -ENOMEM. */
int mr_format_bind(const struct mr_format *format, struct mr_columns *columns, const char **missing);

/* mr_format_header appends the header line if the format is csv, no header was written before, and columns has one. */
void mr_format_header(struct mr_format *format, const struct mr_columns *columns, struct mr_json *out);

/* mr_format_record appends one record.
 *   columns   of its topic, bound if the format is a text
 *   now_ns    when it was taken, CLOCK_REALTIME; only for its age
 * Failure (no memory) is left in out->failed. */
void mr_format_record(struct mr_format *format, const struct mr_columns *columns, const char *topic,
                      const struct mr_record *record, uint64_t now_ns, struct mr_json *out);

#endif
