/* format.h - how records are written: the output formats of -f and -J. */
#ifndef CONSUMER_FORMAT_FORMAT_H
#define CONSUMER_FORMAT_FORMAT_H

#include "columns.h"
#include "millrace.h"
#include "select.h"
#include "text/json.h"

enum format_kind { FORMAT_RAW, FORMAT_CSV, FORMAT_TSV, FORMAT_JSON, FORMAT_ENVELOPE, FORMAT_TEXT };

struct format_piece {
    char what;        /* 's', 'k', ... as in %s, %k; '{': a column; 0: text as it is */
    const char *text; /* the text, or the column's name, inside struct format's store */
    size_t len;
};

struct format {
    enum format_kind kind;
    int strings;           /* JSON: fields that are numbers become strings too */
    const char *delimiter; /* raw: written after each value */
    size_t delimiter_len;
    struct format_piece *piece; /* text */
    size_t piece_cnt;
    char *store;
    struct select_list select; /* not with envelopes */
    int header_done;           /* csv, tsv: the header has been written */
    int owes_line_end;    /* csv, tsv: the last row had none, so the next one needs one before it */
    const char *line_end; /* csv, tsv: which, that of the header */
    struct js_writer scratch;  /* a field without its quotes */
    struct js_writer row, tsv; /* a row put together anew */
};

/* format_init makes a format of "raw", "csv", "tsv", "json", or a text with conversions. NULL: raw.
 * Returns  0; -EINVAL with a description in wrong; -ENOMEM. */
int format_init(struct format *format, const char *spec, char wrong[static 160]);
void format_free(struct format *format);

/* format_unescape resolves \n \r \t \0 \\ in text, in place. Returns the new length, or -EINVAL for
 * another letter after a backslash. */
ssize_t format_unescape(char *text);

/* format_needs_columns: 1 if the topic's columns must be looked for before its records are
 * formatted. */
int format_needs_columns(const struct format *format);

/* format_bind finds the columns that are selected, and those that a text names with %{...}, in
 * columns (whose line may be NULL: the topic has none). Returns 0; -ENOENT, *missing being the name
 * of one that is not there; -ENOMEM. */
int format_bind(const struct format *format, struct columns *columns, const char **missing);

/* format_has_header: 1 if the format has a header line before all rows, so that rows of all topics
 * must have the same columns. format_alike: 1 if the rows of two topics fit under one header. */
int format_has_header(const struct format *format);
int format_alike(const struct format *format, const struct columns *a, const struct columns *b);

/* format_header appends the header line if the format has one, none was written before, and columns
 * has one. */
void format_header(struct format *format, struct columns *columns, struct js_writer *out);

/* format_record appends one record.
 *   columns   of its topic, bound
 *   now_ns    when it was taken, CLOCK_REALTIME; only for its age
 * Failure (no memory) is left in out->failed. */
void format_record(struct format *format, struct columns *columns, const char *topic,
                   const struct mr_record *record, uint64_t now_ns, struct js_writer *out);

#endif
