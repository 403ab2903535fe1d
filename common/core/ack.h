/* ack.h - what a consumer has taken is acknowledged. */
#ifndef COMMON_CORE_ACK_H
#define COMMON_CORE_ACK_H

#include "consumer.h"

/* mr_consumer_mine: 0 the claim is still this consumer's; -ESTALE and the like: nothing may be
 * acknowledged any more. */
int mr_consumer_mine(const struct mr_consumer *consumer);

/* mr_consumer_ack_to acknowledges up to position pos, which is `records` more records. 0;
 * -ESTALE. */
int mr_consumer_ack_to(struct mr_consumer *consumer, uint64_t pos, uint64_t records);

#endif
