/* deliver.h - what a consumer gives out next. */
#ifndef COMMON_CORE_DELIVER_H
#define COMMON_CORE_DELIVER_H

#include "consumer.h"

/* mr_deliver takes one look for something to give, of at most max records if it is a fresh claim,
 * and makes it what mr_consumer_next gives. Never waits, but for room in the dead-letter topic.
 * Returns 1; 0 nothing now; or a negative errno. */
int mr_deliver(struct mr_consumer *consumer, uint64_t max);

/* mr_deliver_peek finds where a peeking consumer starts. Returns 0 or a negative errno. */
int mr_deliver_peek(struct mr_consumer *consumer, const struct mr_consumer_options *options);

#endif
