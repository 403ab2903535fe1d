/* report.h - what the producer tells about its work: progress while it lasts, a summary at the end,
 * the same figures as JSON. */
#ifndef PRODUCER_REPORT_H
#define PRODUCER_REPORT_H

#include "options.h"
#include <stdint.h>
#include <stdio.h>

struct report {
    const struct options *options;
    FILE *stats;  /* NULL: not asked for */
    int progress; /* shown at all */
    int terminal; /* one line that is written over; else a line each time */
    int64_t start_ns, next_ns;
    uint64_t total_bytes; /* of all FILEs, all repeats; 0: unknown */
};

struct figures {
    uint64_t records, bytes; /* accepted; bytes of their values */
    uint64_t bad_rows;
    uint64_t skipped; /* by --skip */
    uint64_t fewer_fields,
        more_fields;     /* rows that were sent though the header has other than so many */
    uint64_t passed;     /* by --resume: they were there already */
    uint64_t read_bytes; /* of the input */
    uint64_t blocked_ns;
    int started; /* it came as far as sending */
    int exit_status;
};

/* open_output opens a file to be written, of --stats or --bad-rows. Returns 0 or an exit status
 * (all is said). */
int open_output(const char *path, FILE **out);

/* report_open opens --stats and starts the clock. Returns 0 or an exit status (all is said). */
int report_open(struct report *report, const struct options *options);

/* report_start starts the clock anew: waiting for a broker does not count as sending. */
void report_start(struct report *report);

/* report_due says whether the progress is to be shown again, which is at most 5 times a second. */
int report_due(const struct report *report);
void report_progress(struct report *report, const struct figures *figures);

/* report_end writes the summary (a notice, so not with -q; nothing if sending never began) and the
 * stats. Returns 0 or an exit status. */
int report_end(struct report *report, const struct figures *figures);

#endif
