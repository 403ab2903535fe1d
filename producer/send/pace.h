/* pace.h - when the next record is due, for -r, --delay, --jitter and --timing. */
#ifndef PRODUCER_SEND_PACE_H
#define PRODUCER_SEND_PACE_H

#include "producer/options.h"
#include <stdint.h>

struct pace {
    double interval_ns; /* between records */
    /* keep to the clock: up to 0.1 s of a delay is made up for; else each pause has its full
     * length */
    int steady;
    /* each interval is drawn evenly between 1 - jitter and 1 + jitter times its length */
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

/* pace_row delays the next record by the gap between the row's own time and that of the previous
 * row; an earlier time means no gap. */
void pace_row(struct pace *pace, int64_t ts_ns);

/* pace_wait_ns: how long the next record has to wait; <= 0: it is due. The clock is read only if
 * it was not due when last read. */
int64_t pace_wait_ns(struct pace *pace);

/* pace_sent notes that a record was sent, at the time it was due or later, and draws when the next
 * one is due. */
void pace_sent(struct pace *pace);

#endif
