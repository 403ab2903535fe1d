/* csv.c - the row framing runs at the speed of memchr: a row without a quote costs two searches, one with quotes a few more. */
#include "csv.h"
#include "millrace.h"
#include <string.h>

static const char *find(const char *from, const char *end, int byte)
{
    return from < end ? memchr(from, byte, (size_t)(end - from)) : NULL;
}

/* Fills in a row that begins at start and whose line end is the LF at lf, or the end of input when lf is NULL. */
static void end_row(const char *buf, size_t len, size_t start, const char *lf, struct mr_csv_row *row)
{
    size_t end = lf ? (size_t)(lf - buf) : len;

    row->start = start;
    row->next = lf ? end + 1 : end;
    row->eol = lf ? MR_EOL_LF : MR_EOL_NONE;
    if (lf && end > start && buf[end - 1] == '\r') {
        end--;
        row->eol = MR_EOL_CRLF;
    }
    row->len = end - start;
    row->fault = MR_CSV_OK;
    row->fault_at = 0;
    row->lines = 0;
}

static int bad_row(const char *buf, size_t len, size_t start, const char *first_lf, struct mr_csv_row *row,
                   enum mr_csv_fault fault, const char *where)
{
    end_row(buf, len, start, first_lf, row);
    row->fault = (uint16_t)fault;
    row->fault_at = (size_t)(where - buf);
    return 1;
}

/* Steps over a quoted field whose opening quote is at quote. Returns the byte after the closing quote, or NULL if none closes it.
 * The byte after may be unknown yet (== end), in which case the quote may turn out to be the first of a pair. */
static const char *skip_quoted(const char *quote, const char *end)
{
    const char *at = quote + 1;

    for (;;) {
        const char *close = find(at, end, '"');

        if (!close)
            return NULL;
        if (close + 1 == end || close[1] != '"')
            return close + 1;
        at = close + 2;
    }
}

int mr_csv_row(const char *buf, size_t len, size_t at, char sep, int last, struct mr_csv_row *row)
{
    const char *end = buf + len, *field = buf + at;
    const char *first_lf = find(field, end, '\n');
    const char *lf = first_lf;

    if (at >= len || (!lf && !last))
        return 0;
    /* Each turn takes the unquoted fields up to the next quote or line end, then the quoted field there. A row that is malformed
     * ends at its first line end: what follows an opening quote by mistake is not lost with it. */
    for (;;) {
        const char *quote = find(field, lf ? lf : end, '"');
        const char *after;

        if (!quote)
            break;
        if (quote != field && quote[-1] != sep)
            return bad_row(buf, len, at, first_lf, row, MR_CSV_QUOTE_IN_FIELD, quote);
        after = skip_quoted(quote, end);
        if (!after || after == end) {
            if (!last)
                return 0;
            if (!after)
                return bad_row(buf, len, at, first_lf, row, MR_CSV_OPEN_QUOTE, quote);
            lf = NULL;
            break;
        }
        if (lf && lf < after)
            lf = find(after, end, '\n');
        if (*after == '\n' || (*after == '\r' && lf == after + 1))
            break;
        if (*after == '\r' && after + 1 == end && !last)
            return 0;
        if (*after != sep)
            return bad_row(buf, len, at, first_lf, row, MR_CSV_TEXT_AFTER_QUOTE, after);
        field = after + 1;
        if (!lf && !last)
            return 0;
    }
    end_row(buf, len, at, lf, row);
    if (lf != first_lf) /* quoted line ends lie before */
        for (const char *in = first_lf; in && in < buf + at + row->len; in = find(in + 1, buf + at + row->len, '\n'))
            row->lines++;
    return 1;
}

int mr_csv_field(const char *row, size_t row_len, int sep, size_t *at, const char **field, size_t *field_len, int *quoted)
{
    const char *end = row + row_len, *from, *stop;

    if (*at > row_len)
        return 0;
    from = row + *at;
    *quoted = (sep & ~0xff) != MR_CSV_UNQUOTED && from < end && *from == '"';
    if (*quoted) {
        const char *after = skip_quoted(from, end);

        *field = from + 1;
        *field_len = (size_t)((after ? after - 1 : end) - *field);
        stop = after ? find(after, end, (char)sep) : NULL;
    } else {
        stop = find(from, end, (char)sep);
        *field = from;
        *field_len = (size_t)((stop ? stop : end) - from);
    }
    *at = stop ? (size_t)(stop - row) + 1 : row_len + 1;
    return 1;
}

size_t mr_csv_unquote(const char *field, size_t field_len, char *out)
{
    const char *end = field + field_len;
    char *to = out;

    while (field < end) {
        const char *quote = find(field, end, '"');
        size_t n = (size_t)((quote ? quote + 1 : end) - field);

        memcpy(to, field, n);
        to += n;
        field += n;
        if (quote && field < end && *field == '"')
            field++;
    }
    return (size_t)(to - out);
}

const char *mr_csv_fault_text(enum mr_csv_fault fault)
{
    switch (fault) {
    case MR_CSV_QUOTE_IN_FIELD:
        return "a quote inside a field that does not begin with one (write the field in quotes, and each quote in it twice)";
    case MR_CSV_TEXT_AFTER_QUOTE:
        return "text after the closing quote (a quote inside a quoted field is written twice)";
    case MR_CSV_OPEN_QUOTE:
        return "the quote never closes";
    case MR_CSV_OK:
        break;
    }
    return "well-formed";
}

size_t mr_csv_bom(const char *buf, size_t len)
{
    return len >= 3 && memcmp(buf, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}
