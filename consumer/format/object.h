/* object.h - a row as a JSON object: the names of its columns, and what it has in them. */
#ifndef CONSUMER_FORMAT_OBJECT_H
#define CONSUMER_FORMAT_OBJECT_H

#include "format.h"

/* object_put appends the row as an object. Fields that look like numbers are numbers, unless they
 * are quoted, too many for the columns, or format->strings is set. Returns how many fields the row
 * has. */
size_t object_put(struct format *format, const struct columns *columns,
                  const struct mr_record *record, struct js_writer *out);

/* object_put_selected appends those that are selected (see format_bind), as far as the row has
 * them. */
void object_put_selected(struct format *format, struct columns *columns,
                         const struct mr_record *record, struct js_writer *out);

#endif
