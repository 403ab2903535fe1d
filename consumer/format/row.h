/* row.h - rows as csv and tsv have them: as they were sent, of some columns only, or with tabs in place of their separator. */
#ifndef CONSUMER_ROW_H
#define CONSUMER_ROW_H

#include "format.h"

/* mr_row_unquote makes of each doubled quote in a quoted field one; most have none and stay where they are, others move to scratch. */
void mr_row_unquote(struct mr_json *scratch, struct mr_field *field);

/* mr_row_put appends a row and the line end it had (flags), and before it the one that the row before still owes. */
void mr_row_put(struct mr_format *format, const void *value, size_t len, unsigned flags, struct mr_json *out);

/* mr_row_select picks the selected fields into columns->selected, and makes record's value a row of them, in format->row: each as it
 * stands, quotes included; those that the row lacks are empty. */
void mr_row_select(struct mr_format *format, struct mr_columns *columns, struct mr_record *record);

/* mr_row_put_tsv is mr_row_put of the fields with tabs between. A row that is separated by tabs already, or has no columns, stays as it is;
 * elsewhere tabs, line ends and backslashes inside a field become \t, \n, \r and \\, and quotes mean nothing. */
void mr_row_put_tsv(struct mr_format *format, const struct mr_columns *columns, const struct mr_record *record, struct mr_json *out);

#endif
