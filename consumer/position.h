/* position.h - where to start reading: the argument of -o. */
#ifndef CONSUMER_POSITION_H
#define CONSUMER_POSITION_H

#include "millrace.h"

struct position {
    enum mr_start start;
    int64_t arg;
    int skip; /* +N: arg records after the oldest one; start is MR_START_OFFSET, and arg relative */
};

/* position_parse understands stored, beginning (earliest, TRIM_HORIZON), end (latest, LATEST),
 * N, +N, -N, and @TIME, TIME being as timestamp.h has it ("1763696191.5", "2026-11-21",
 * "2026-11-21T03:36:31.123Z", "...+01:00"; without a zone: local time).
 * Returns  0; -EINVAL not of these forms, or no such date; -ERANGE too large, or before 1970. */
int position_parse(const char *text, struct position *position);

#endif
