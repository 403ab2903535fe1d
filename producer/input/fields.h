/* fields.h - fields of a row of CSV or TSV, and columns by name. */
#ifndef PRODUCER_INPUT_FIELDS_H
#define PRODUCER_INPUT_FIELDS_H

#include "text/csv.h"
#include <stddef.h>
#include <stdint.h>

struct fields {
    char sep;
    int quotes; /* fields may be quoted (tsv has none) */
};

/* fields_next takes the next field of a row, as csv_field does. */
int fields_next(const struct fields *fields, const char *row, size_t len, size_t *at,
                struct csv_field *field);

/* fields_get takes the field of that number, from 1. Returns number; if the row has fewer fields,
 * how many it has. */
int32_t fields_get(const struct fields *fields, const char *row, size_t len, int32_t number,
                   struct csv_field *field);

/* fields_find looks up a column: first as a name of the header, then as a number from 1. header
 * NULL: there is none, so a number.
 * Returns the number, or 0: no such column. */
int32_t fields_find(const struct fields *fields, const char *header, size_t len,
                    const char *wanted);

/* fields_no_such prints that file has no such column, and its columns. Returns EXIT_FAILED. */
int fields_no_such(const struct fields *fields, const char *file, const char *header, size_t len,
                   const char *wanted);

#endif
