/* pace.h - when the next record is due, for -r, --delay, --jitter and --timing. */
#ifndef PRODUCER_SEND_PACE_H
#define PRODUCER_SEND_PACE_H

#include "producer/options.h"
#include <stdint.h>

struct pace {
    double interval_ns; /* between records */
    /* keep to the clock: what was late is made up for, but never more than 0.1 s of it; else each
     * pause is a whole one */
    int steady;
    /* each interval is drawn evenly from 1 - jitter to 1 + jitter of its length */
    double jitter;
    double factor; /* --timing: how many times as fast as the file's own times */
    int timed;     /* last_ts_ns is that of the row before */
    int64_t last_ts_ns;
    int64_t (*clock)(void); /* nanoseconds that only grow */
    int64_t start_ns;       /* when the first record was due, */
    int64_t now_ns;         /* when the clock was last read, */
    double due_ns;          /* and when the next record is due, after start_ns */
    uint64_t random;
};

/* pace_start makes the first record due now. clock: program_now, or a test's. */
void pace_start(struct pace *pace, const struct options *options, int64_t (*clock)(void));

/* pace_row moves the next record's due time by the gap between the row's own time and that of the
 * row before; one that goes back means none. */
void pace_row(struct pace *pace, int64_t ts_ns);

/* pace_wait_ns says how long the next record has to wait; <= 0: it is due. The clock is read only
 * if it was not due when last read. */
int64_t pace_wait_ns(struct pace *pace);

/* pace_sent notes that a record was sent, at the time it was due or later, and draws when the next
 * one is due. */
void pace_sent(struct pace *pace);

#endif
