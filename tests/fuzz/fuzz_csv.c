/* fuzz_csv.c - row framing against the naive reference, whole and cut where the input may be cut;
 * then the fields of each row put together again. The separator follows from the input's length, so
 * that any CSV file is a seed. */
#include "fuzz.h"
#include "millrace.h"
#include "tests/shared/csv_reference.h"
#include "text/csv.h"

#include <string.h>

static void check_fields(const char *row, size_t len, char sep)
{
    char *plain = malloc(len + 1);
    const char *end = row;
    struct csv_field field;
    size_t at = 0, plain_len;
    int any = 0;
    MUST(plain);
    while (csv_field(row, len, sep, &at, &field)) {
        MUST(field.text >= end && field.len <= len && field.text + field.len <= row + len);
        MUST(!any || field.text - field.quoted > row);
        MUST(field.quoted || !memchr(field.text, sep, field.len));
        if (field.quoted) {
            plain_len = csv_unquote(field.text, field.len, plain);
            MUST(plain_len <= field.len && plain_len >= (field.len + 1) / 2);
        }
        end = field.text + field.len;
        any = 1;
    }
    MUST(any && at == len + 1);
    free(plain);
}

static void check_row(const char *buf, size_t len, size_t at, char sep, struct csv_row *row)
{
    struct csv_row wanted, found;
    csv_reference_row(buf, len, at, sep, &wanted);
    memset(&found, 0, sizeof found);
    MUST(csv_row(buf, len, at, sep, 1, &found) == 1);
    MUST(found.start == wanted.start && found.len == wanted.len && found.next == wanted.next &&
         found.eol == wanted.eol);
    MUST(found.fault == wanted.fault && found.fault_at == wanted.fault_at &&
         found.lines == wanted.lines);
    MUST(found.next > at && found.next <= len);
    /* More may follow: either it has to wait, or what it says is what it will say. */
    memset(row, 0, sizeof *row);
    if (csv_row(buf, len, at, sep, 0, row))
        MUST(row->start == wanted.start && row->len == wanted.len && row->next == wanted.next &&
             row->eol == wanted.eol && row->fault == wanted.fault && row->lines == wanted.lines);
    *row = found;
    if (row->fault == CSV_OK)
        check_fields(buf + row->start, row->len, sep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char seps[] = ",;\t|";
    char sep = seps[size % 4], *buf = malloc(size + 1);
    struct csv_row row;
    MUST(buf);
    memcpy(buf, data, size);
    char *exact = size ? realloc(buf, size) : buf;
    for (size_t at = csv_bom(exact, size); at < size; at = row.next)
        check_row(exact, size, at, sep, &row);
    /* A header line of a damaged topic can name any separator: then there is no right answer, but
     * no harm either. */
    for (size_t at = 0; size && at < size; at = row.next) {
        if (!csv_row(exact, size, at, (char)data[0], 1, &row) || row.next <= at)
            break;
        struct csv_field field;
        size_t next = 0;
        for (size_t n = 0; csv_field(exact + row.start, row.len, (char)data[0], &next, &field); n++)
            MUST(n <= row.len && field.text + field.len <= exact + row.start + row.len);
    }
    free(exact);
    return 0;
}
