/* report.h - what the consumer says about itself: progress, the closing summary, --stats. */
#ifndef CONSUMER_REPORT_H
#define CONSUMER_REPORT_H

#include "run.h"

/* report_progress shows the line of progress if 0.2 s have passed since it last did. now_ns:
 * CLOCK_MONOTONIC. */
void report_progress(uint64_t records, uint64_t bytes, int64_t now_ns);

/* report_summary prints the closing summary as a notice. */
void report_summary(const struct taken *taken);

/* report_stats writes the same figures as one JSON object to fd. Returns 0 or a negative errno. */
int report_stats(int fd, const struct taken *taken, int status);

#endif
