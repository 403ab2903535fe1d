/* header.h - the first row of CSV and TSV, which is the same in all FILEs and in the topic, and
 * columns by name. All functions return 0 or an exit status with the message printed. */
#ifndef PRODUCER_HEADER_H
#define PRODUCER_HEADER_H

#include "run_state.h"

/* header_check checks the header without the topic; header_take also stores it with the topic;
 * header_bad refuses a malformed one. */
int header_check(struct run *run, const struct input *in, const struct input_row *row);
int header_take(struct run *run, const struct input *in, const struct input_row *row);
int header_bad(const struct input *in, const struct input_row *row);

/* header_find_columns looks up the columns of --key-col and --timing. header NULL: there is
 * none, and columns are given by number. */
int header_find_columns(struct run *run, const struct input *in, const char *header, size_t len);

/* header_set_columns stores the columns with the topic; flags as mr_topic_set_columns. name:
 * their origin, for messages. */
int header_set_columns(struct run *run, const char *name, const char *line, size_t len,
                       uint32_t flags);

/* header_of_topic reads the columns of the topic. header_flags: how the fields of a FILE are
 * written, as mr_topic_set_columns takes it. header_other_fields refuses a FILE without a header
 * whose fields are written differently from the topic's. */
int header_of_topic(struct run *run);
uint32_t header_flags(const struct input *in);
int header_other_fields(const struct run *run, const struct input *in);

/* header_expect sets the number of fields that rows of the FILE should have: that of line, a
 * header; NULL: unknown. header_uneven handles a row with field_cnt fields instead: counts it,
 * or, with --strict, makes it a bad row. Returns 0 if it is to be sent; 1 as sender_refuse. */
void header_expect(struct run *run, const char *line, size_t len, int sep);
int header_uneven(struct run *run, const struct input *in, struct input_row *row, size_t field_cnt);

/* header_report reports how many rows had more or fewer fields than the header, if any. */
void header_report(const struct run *run);

#endif
