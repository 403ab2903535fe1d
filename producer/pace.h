/* pace.h - when the next record is due, for -r, --delay and --jitter. Times are CLOCK_MONOTONIC nanoseconds. */
#ifndef PRODUCER_PACE_H
#define PRODUCER_PACE_H

#include "options.h"
#include <stdint.h>

struct pace {
    double interval_ns; /* 0: everything is due at once */
    int steady;         /* keep the average rate: what was late is made up for, but never more than 0.1 s of it */
    double jitter;      /* each interval is drawn evenly from 1 - jitter to 1 + jitter of its length */
    double due_ns;      /* of the next record */
    uint64_t random;
};

void pace_start(struct pace *pace, const struct options *options);

/* pace_wait_ns says how long the next record has to wait; <= 0: it is due. */
int64_t pace_wait_ns(const struct pace *pace);

/* pace_sent notes that a record was sent, at the time it was due or later, and draws when the next one is due. */
void pace_sent(struct pace *pace);

#endif
