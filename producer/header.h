/* header.h - the first row of CSV and TSV: the same in all FILEs and in the topic, and what the columns' names mean. All return 0 or an exit status
 * (everything is said). */
#ifndef PRODUCER_HEADER_H
#define PRODUCER_HEADER_H

#include "run.h"

/* header_check says what can be said without the topic; header_take gives it to the topic too; header_bad refuses one that is malformed. */
int header_check(struct run *run, const struct input *in, const struct input_row *row);
int header_take(struct run *run, const struct input *in, const struct input_row *row);
int header_bad(const struct input *in, const struct input_row *row);

/* header_find_columns looks up the columns of --key-col and --timing. header NULL: there is none, they are given by number. */
int header_find_columns(struct run *run, const struct input *in, const char *header, size_t len);

/* header_set_columns gives the topic its columns; flags as mr_topic_set_columns. name: where they come from, for messages. */
int header_set_columns(struct run *run, const char *name, const char *line, size_t len, uint32_t flags);

#endif
