/* format.h - how records are written: the output formats of -f and -J. */
#ifndef MR_FORMAT_H
#define MR_FORMAT_H

#include "columns.h"
#include "text/json.h"
#include "millrace.h"
#include "select.h"

enum mr_format_kind { MR_FORMAT_RAW, MR_FORMAT_CSV, MR_FORMAT_TSV, MR_FORMAT_JSON, MR_FORMAT_ENVELOPE, MR_FORMAT_TEXT };

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
    struct mr_select select; /* not with envelopes */
    int header_done;      /* csv, tsv: the header has been written */
    int owes_line_end;    /* csv, tsv: the last row had none, so the next one needs one before it */
    const char *line_end; /* csv, tsv: which, that of the header */
    struct mr_json scratch; /* a field without its quotes */
    struct mr_json row, tsv; /* a row put together anew */
};

/* mr_format_init makes a format of "raw", "csv", "tsv", "json", or a text with conversions. NULL: raw.
 * Returns  0; -EINVAL with a description in wrong; -ENOMEM. */
int mr_format_init(struct mr_format *format, const char *spec, char wrong[static 160]);
void mr_format_free(struct mr_format *format);

/* mr_format_unescape resolves \n \r \t \0 \\ in text, in place. Returns the new length, or -EINVAL for another letter after a
 * backslash. */
ssize_t mr_format_unescape(char *text);

/* mr_format_needs_columns: 1 if the topic's columns must be looked for before its records are formatted. */
int mr_format_needs_columns(const struct mr_format *format);

/* mr_format_bind finds the columns that are selected, and those that a text names with %{...}, in columns (whose line may be NULL: the topic has
 * none). Returns 0; -ENOENT, *missing being the name of one that is not there; -ENOMEM. */
int mr_format_bind(const struct mr_format *format, struct mr_columns *columns, const char **missing);

/* mr_format_has_header: 1 if the format has a header line before all rows, so that rows of all topics must have the same columns.
 * mr_format_alike: 1 if the rows of two topics fit under one header. */
int mr_format_has_header(const struct mr_format *format);
int mr_format_alike(const struct mr_format *format, const struct mr_columns *a, const struct mr_columns *b);

/* mr_format_header appends the header line if the format has one, none was written before, and columns has one. */
void mr_format_header(struct mr_format *format, struct mr_columns *columns, struct mr_json *out);

/* mr_format_record appends one record.
 *   columns   of its topic, bound
 *   now_ns    when it was taken, CLOCK_REALTIME; only for its age
 * Failure (no memory) is left in out->failed. */
void mr_format_record(struct mr_format *format, struct mr_columns *columns, const char *topic,
                      const struct mr_record *record, uint64_t now_ns, struct mr_json *out);

#endif
