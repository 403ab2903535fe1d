/* bad_rows.h - what happens to rows that cannot be sent: stop, skip, or keep them in a file
 * (--bad-rows). */
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

/* bad_open creates the file if one was asked for. bad_close writes it out. Both return 0 or an exit
 * status (everything is said).
 */
int bad_open(struct bad_rows *bad, const struct options *options);
int bad_close(struct bad_rows *bad);

/* bad_row tells about one bad row (a count follows at the end, so only the first few are shown) and
 * keeps it if asked to; row->more: the rest comes by bad_rest. Returns 0 go on, or an exit
 * status. */
int bad_row(struct bad_rows *bad, const struct input *in, const struct input_row *row);
int bad_rest(struct bad_rows *bad, const struct input_row *row);

#endif
