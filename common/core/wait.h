/* wait.h - how long a consumer waits for records, and how. */
#ifndef COMMON_CORE_WAIT_H
#define COMMON_CORE_WAIT_H

#include "consumer.h"

#define MR_WAIT_WATCHED_NS 500000000 /* under a broker, which wakes all whom a death concerns */

/* about what a wakeup on another CPU costs: spinning longer than that cannot pay */
#define MR_SPIN_NS_MAX 50000u

/* mr_wait_inviting returns how many bytes there may be to claim; an orphan counts as more than
 * enough. Lock-free; a moment's value. */
uint64_t mr_wait_inviting(const struct mr_consumer *consumer);

/* mr_wait_coalesce lets a little that may be claimed grow, for some microseconds.
 *   bytes    what mr_wait_inviting has just returned, > 0
 *   records  how many a claim, or the topic, can hold at most */
void mr_wait_coalesce(struct mr_consumer *consumer, uint64_t bytes, uint64_t records);

/* mr_wait_spin spins for as long as has paid lately, at most MR_SPIN_NS_MAX, and then coalesces.
 *   records     as for mr_wait_coalesce
 *   timeout_ns  0: does not spin
 * Returns 1 if there may be something to claim;
 * else 0. */
int mr_wait_spin(struct mr_consumer *consumer, uint64_t records, int64_t timeout_ns);

/* mr_wait_bound returns how long to sleep at most, in ns, out of what is left of the timeout; 0:
 * the time is over.
 *   timeout_ns   < 0: none
 *   since        when the wait began, CLOCK_MONOTONIC, ns */
int64_t mr_wait_bound(struct mr_consumer *consumer, int64_t timeout_ns, uint64_t since);

/* mr_wait_cond: where the consumer sleeps until there may be something for it. */
struct mr_cond *mr_wait_cond(struct mr_consumer *consumer);

/* mr_wait_notice tells on_wait that the consumer waits for records. Returns 0; -EINTR give up. */
int mr_wait_notice(struct mr_consumer *consumer, uint64_t since, uint64_t *said);

/* mr_wait_measure learns how long the consumer's user took for a record of its last claim. */
void mr_wait_measure(struct mr_consumer *consumer);

#endif
