/* row.h - rows of csv and tsv: as they were sent, with some columns only, or with tabs as
 * separators. */
#ifndef CONSUMER_FORMAT_ROW_H
#define CONSUMER_FORMAT_ROW_H

#include "format.h"

/* row_unquote replaces each doubled quote in a quoted field by one. Most fields have none and stay
 * where they are; others move to scratch. */
void row_unquote(struct js_writer *scratch, struct csv_field *field);

/* row_put appends a row and the line end it had (flags), and before it the one that the row before
 * still owes. */
void row_put(struct format *format, const void *value, size_t len, unsigned flags,
             struct js_writer *out);

/* row_select picks the selected fields into columns->selected, and makes record's value a row of
 * them, in format->row: each as it stands, quotes included; those that the row lacks are empty. */
void row_select(struct format *format, struct columns *columns, struct mr_record *record);

/* row_put_tsv is row_put of the fields with tabs between. A row that is separated by tabs already,
 * or has no columns, stays as it is; elsewhere tabs, line ends and backslashes inside a field
 * become \t, \n, \r and \\, and quotes mean nothing. */
void row_put_tsv(struct format *format, const struct columns *columns,
                 const struct mr_record *record, struct js_writer *out);

#endif
