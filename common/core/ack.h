/* ack.h - what a consumer has taken is acknowledged. */
#ifndef COMMON_CORE_ACK_H
#define COMMON_CORE_ACK_H

#include "consumer.h"

/* mr_consumer_mine: 0 the claim is still this consumer's; -ESTALE, -EIO, -EPERM: nothing may be
 * acknowledged any more. */
int mr_consumer_mine(const struct mr_consumer *consumer);

/* mr_consumer_ack_to acknowledges up to position pos, a record boundary in [acked, end].
 *   records  how many these are
 * Returns  0; or the errors of mr_consumer_mine.
 * Order    release, pairs with the acquire of the process that computes committed: what lies below
 *          pos is not read any more.
 * Killed   acknowledged once the cursor is stored; a count may lack these records, and a producer
 *          that waits looks again within its bound. */
int mr_consumer_ack_to(struct mr_consumer *consumer, uint64_t pos, uint64_t records);

#endif
