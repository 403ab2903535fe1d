/* report.h - what the producer reports about its work: progress, a summary at the end, and the
 * same figures as JSON. */
#ifndef PRODUCER_REPORT_H
#define PRODUCER_REPORT_H

#include "options.h"
#include <stdint.h>
#include <stdio.h>

struct report {
    const struct options *options;
    FILE *stats;  /* NULL: not asked for */
    int progress; /* shown at all */
    int terminal; /* progress rewrites one line; else it prints a line each time */
    int64_t start_ns, next_ns;
    uint64_t total_bytes; /* of all FILEs, all repeats; 0: unknown */
};

struct figures {
    uint64_t records, bytes; /* accepted; bytes of their values */
    uint64_t bad_rows;
    uint64_t skipped; /* by --skip */
    uint64_t fewer_fields,
        more_fields;     /* rows that were sent though the header has other than so many */
    uint64_t passed;     /* by --resume: rows already in the topic */
    uint64_t read_bytes; /* of the input */
    uint64_t blocked_ns;
    int started; /* sending has begun */
    int exit_status;
};

/* open_output opens the file of --stats or --bad-rows for writing. Returns 0 or an exit status
 * with the message printed. */
int open_output(const char *path, FILE **out);

/* report_open opens --stats and starts the clock. Returns 0 or an exit status with the message
 * printed. */
int report_open(struct report *report, const struct options *options);

/* report_start starts the clock anew: waiting for a broker does not count as sending. */
void report_start(struct report *report);

/* report_due: 1 if progress is to be shown again, at most 5 times a second. */
int report_due(const struct report *report);
void report_progress(struct report *report, const struct figures *figures);

/* report_end writes the summary (a notice, so not with -q; not if sending never began) and the
 * stats. Returns 0 or an exit status. */
int report_end(struct report *report, const struct figures *figures);

#endif
