/* object.h - a row as a JSON object: the names of its columns, and what it has in them. */
#ifndef CONSUMER_OBJECT_H
#define CONSUMER_OBJECT_H

#include "format.h"

/* mr_object_put appends the row as an object. Fields that look like numbers are numbers, unless they are quoted, too many for the
 * columns, or format->strings is set. Returns how many fields the row has. */
size_t mr_object_put(struct mr_format *format, const struct mr_columns *columns, const struct mr_record *record,
                     struct mr_json *out);

/* mr_object_put_selected appends those that are selected (see mr_format_bind), as far as the row has them. */
void mr_object_put_selected(struct mr_format *format, struct mr_columns *columns, const struct mr_record *record,
                            struct mr_json *out);

#endif
