/* header.h - the first row of CSV and TSV: the same in all FILEs and in the topic, and what the
 * columns' names mean. All return 0 or an exit status (everything is said). */
#ifndef PRODUCER_HEADER_H
#define PRODUCER_HEADER_H

#include "run_state.h"

/* header_check says what can be said without the topic; header_take gives it to the topic too;
 * header_bad refuses one that is malformed. */
int header_check(struct run *run, const struct input *in, const struct input_row *row);
int header_take(struct run *run, const struct input *in, const struct input_row *row);
int header_bad(const struct input *in, const struct input_row *row);

/* header_find_columns looks up the columns of --key-col and --timing. header NULL: there is none,
 * they are given by number. */
int header_find_columns(struct run *run, const struct input *in, const char *header, size_t len);

/* header_set_columns gives the topic its columns; flags as mr_topic_set_columns. name: where they
 * come from, for messages. */
int header_set_columns(struct run *run, const char *name, const char *line, size_t len,
                       uint32_t flags);

/* header_of_topic notes the columns that the topic has. header_flags: how the fields of a FILE are
 * written, as mr_topic_set_columns takes it. header_other_fields refuses a FILE without a header in
 * which they are written in another way than in the topic. */
int header_of_topic(struct run *run);
uint32_t header_flags(const struct input *in);
int header_other_fields(const struct run *run, const struct input *in);

/* header_expect notes how many fields the rows of the FILE have to have: as many as the line, a
 * header. NULL: that is not known. header_uneven deals with a row that has another number of them,
 * field_cnt: counts it, or, with --strict, makes it a bad row. Returns 0 it is to be sent; 1 as
 * sender_refuse. */
void header_expect(struct run *run, const char *line, size_t len, int sep);
int header_uneven(struct run *run, const struct input *in, struct input_row *row, size_t field_cnt);

/* header_report says how many rows had another number of fields than the header; nothing if none
 * had. */
void header_report(const struct run *run);

#endif
