/* csv.h - CSV by RFC 4180: where rows end (the fast path: bytes are not moved), and what the fields
 * of one row are.
 *
 * Rows end at LF, CRLF or the end of input, but not inside quotes. A quote opens a quoted field
 * only at the field's start; inside, "" is one quote. Strict by RFC 4180: a quote elsewhere, or
 * text between a closing quote and the separator, is malformed. Bytes >= 0x80 and NUL pass through.
 * An empty line is a row of zero length. */
#ifndef COMMON_TEXT_CSV_H
#define COMMON_TEXT_CSV_H

#include "millrace.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum csv_fault { CSV_OK, CSV_QUOTE_IN_FIELD, CSV_TEXT_AFTER_QUOTE, CSV_OPEN_QUOTE };

struct csv_row {
    size_t start, len; /* the row without its line end, as offset into the buffer */
    size_t next;       /* where the next row starts */
    uint16_t eol;      /* MR_EOL_LF, MR_EOL_CRLF, MR_EOL_NONE (last row of the input) */
    /* enum csv_fault; the row then ends at the line's end as if quotes meant nothing (so reading
     * can go on) */
    uint16_t fault;
    /* offset of the offending byte; CSV_OPEN_QUOTE: of the quote that never closes */
    size_t fault_at;
    size_t fields; /* of a row that is well-formed; else 0 */
    size_t lines;  /* line ends inside the row (quoted newlines), for line numbers */
};

/* csv_row finds the row that starts at buf[at].
 *   len   bytes in buf; at <= len      sep  the separator byte, not quote, CR or LF
 *   last  nonzero: nothing follows buf, so a row without line end is complete
 * Returns 1 a row in *row; 0 the row is not complete in buf (get more, call again with the same
 * at), or at == len with last. */
int csv_row(const char *buf, size_t len, size_t at, char sep, int last, struct csv_row *row);

/* csv_rows finds the row that starts at window.at and those behind it, up to max; the members are
 * as in csv_row. No row comes behind one that is malformed. Returns how many. */
struct csv_window {
    const char *buf;
    size_t len, at;
    char sep;
    int last;
};
size_t csv_rows(struct csv_window window, struct csv_row *rows, size_t max);

/* csv_bom returns 3 if buf starts with a UTF-8 byte order mark, else 0. */
static inline size_t csv_bom(const char *buf, size_t len)
{
    return len >= 3 && memcmp(buf, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* csv_row_bom: the same for a row, in which a separator may be one of these bytes. */
static inline size_t csv_row_bom(const char *row, size_t row_len, int sep)
{
    return csv_bom(row, row_len) && !memchr("\xef\xbb\xbf", (unsigned char)sep, 3) ? 3 : 0;
}

/* csv_field takes the next field of one row. *at is 0 at first, and is past row_len after the last
 * one. A byte order mark at the beginning of the row belongs to no field. A file without a header
 * has it in its first record.
 *   sep     a byte, plus CSV_UNQUOTED if quotes mean nothing; csv_sep makes it of a topic's column
 *           flags
 * Returns 1 with *field set ("" in a quoted one is not yet one quote); 0 no more fields. */
#define CSV_UNQUOTED 0x100
struct csv_field {
    const char *text; /* in the row; of a quoted field the bytes between the outer quotes */
    size_t len;
    int quoted;
};
static inline int csv_sep(uint32_t column_flags)
{
    return (unsigned char)MR_SEPARATOR_OF(column_flags) |
           (column_flags & MR_UNQUOTED ? CSV_UNQUOTED : 0);
}
int csv_field(const char *row, size_t row_len, int sep, size_t *at, struct csv_field *field);

/* csv_count: how many fields csv_field would give for the row; at least 1. */
size_t csv_count(const char *row, size_t row_len, int sep);

/* csv_separators: how often sep stands in a row. One less than csv_count where the row has no
 * quotes, or they mean nothing. CSV_BEHIND bytes behind the row must be readable; their content
 * does not matter. */
#define CSV_BEHIND 64
size_t csv_separators(const char *row, size_t row_len, char sep);

/* csv_unquote copies a quoted field's bytes to out (cap >= field_len), each "" as one quote.
 * Returns the new length. */
size_t csv_unquote(const char *field, size_t field_len, char *out);

const char *csv_fault_text(enum csv_fault fault);

#endif
