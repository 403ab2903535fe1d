/* report.h - what the consumer says about itself: progress, the closing summary, --stats. */
#ifndef MR_REPORT_H
#define MR_REPORT_H

#include "run.h"

/* mr_report_progress shows the line of progress if 0.2 s have passed since it last did. now_ns: CLOCK_MONOTONIC. */
void mr_report_progress(uint64_t records, uint64_t bytes, int64_t now_ns);

/* mr_report_summary prints the closing summary as a notice. */
void mr_report_summary(const struct mr_taken *taken);

/* mr_report_stats writes the same figures as one JSON object to fd. Returns 0 or a negative errno. */
int mr_report_stats(int fd, const struct mr_taken *taken, int status);

#endif
