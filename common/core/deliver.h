/* deliver.h - what a consumer gives out next. */
#ifndef COMMON_CORE_DELIVER_H
#define COMMON_CORE_DELIVER_H

#include "consumer.h"

/* mr_deliver looks once for something to give, and makes it what mr_consumer_next gives. A record
 * that failed too often goes to the dead-letter topic instead.
 *   max      records at most of a fresh claim, >= 1
 * Returns  1; 0 nothing now; -ESTALE the claim is not ours any more; -EBADMSG; -ENOMEM; -EINTR;
 *          -EIO.
 * Blocks   waits for the group's lock, and for room in the dead-letter topic.
 * Killed   the claim becomes an orphan, without blame: no record is in hand yet. */
int mr_deliver(struct mr_consumer *consumer, uint64_t max);

/* mr_deliver_peek finds where a peeking consumer starts, without a lock. Returns 0; -ENOMEM;
 * -EBADMSG damaged, or overwritten at each of 100 tries. */
int mr_deliver_peek(struct mr_consumer *consumer, const struct mr_consumer_options *options);

#endif
