/* bad_rows.h - rows that cannot be sent: stop, skip them, or keep them in a file (--bad-rows). */
#ifndef PRODUCER_BAD_ROWS_H
#define PRODUCER_BAD_ROWS_H

#include "input/input.h"
#include "options.h"
#include <stdio.h>

struct bad_rows {
    enum bad_policy policy;
    const char *path;
    FILE *out; /* BAD_KEEP */
    const struct options *options;
    uint64_t cnt;
};

/* bad_rows_open creates the file if one was asked for; bad_rows_close writes it out. Both return 0
 * or an exit status, with the message printed. */
int bad_rows_open(struct bad_rows *bad, const struct options *options);
int bad_rows_close(struct bad_rows *bad);

/* bad_rows_add reports a bad row (only the first few: the total is reported at the end) and keeps
 * it if asked to. row->more: bad_rows_rest gets the rest of it. Both return 0 to go on, or an exit
 * status. */
int bad_rows_add(struct bad_rows *bad, const struct input *in, const struct input_row *row);
int bad_rows_rest(struct bad_rows *bad, const struct input_row *row);

#endif
