/* dead.h - a record that failed as often as allowed: to the dead-letter topic, with headers that
 * say why, in one step with its acknowledgement (move.h). */
#ifndef COMMON_CORE_DEAD_H
#define COMMON_CORE_DEAD_H

#include "consumer.h"

/* mr_dead_letter moves the first unacknowledged record of the claim to "<topic>.dead", with headers
 * that say why, and acknowledges it. That topic is made if it is not there.
 *   pos      the record's position
 *   at       where it lies, in the ring or in the consumer's copy
 *   reason   at most 400 bytes of it are kept
 * Returns  0; 1 that topic cannot take it, and on_wait was told why: the record is parked (park.h),
 *          and the claim goes on after it; or a negative errno: the record stays the first of the
 *          claim, but for -EINTR from on_wait that was told of a parked record: then the claim goes
 *          on after it, too.
 * Blocks   waits for locks, and for room in that topic.
 * Killed   as in mr_move: it is there once. */
int mr_dead_letter(struct mr_consumer *consumer, uint64_t pos, const unsigned char *at,
                   const char *reason);

#endif
