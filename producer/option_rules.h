/* option_rules.h - whether the options given fit together. */
#ifndef PRODUCER_OPTION_RULES_H
#define PRODUCER_OPTION_RULES_H

#include "options.h"

/* Which options were seen: values alone cannot tell a default from the same value given. */
struct seen {
    int format, no_header, sep, timeout, fail_if_full, rate, delay, jitter, repeat, skip;
    const char *columns;
};

/* fit_check completes *options from what was seen, and refuses what does not fit. Returns as
 * options_parse. */
int fit_check(struct options *options, const struct seen *seen);

#endif
