/* fields.h - some fields of a row, in any order, in one pass over it. */
#ifndef CONSUMER_FORMAT_FIELDS_H
#define CONSUMER_FORMAT_FIELDS_H

#include "text/csv.h"

#include <stddef.h>

struct field_picker {
    size_t cnt;
    size_t *column;          /* which ones, by index; one may be there more than once */
    struct csv_field *field; /* field[i] is that of column[i]; text NULL: the row has none */
    size_t *order;           /* the indices of both by column */
    int sep;                 /* as csv_field takes it */
};

/* field_picker_init makes room for cnt fields of rows with that separator (see csv_field); the
 * caller fills in column[0 .. cnt) and calls field_picker_ready. Returns 0; -ENOMEM.
 * field_picker_free takes one that is zeroed, too. */
int field_picker_init(struct field_picker *pick, size_t cnt, int sep);
void field_picker_ready(struct field_picker *pick);
void field_picker_free(struct field_picker *pick);

/* field_picker_take fills in field[0 .. cnt); they point into the row. */
void field_picker_take(struct field_picker *pick, const char *row, size_t len);

#endif
