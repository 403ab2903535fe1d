/* dead.h - a record that failed as often as allowed: to the dead-letter topic, with headers that
 * say why, in one step with its acknowledgement (move.h). */
#ifndef COMMON_CORE_DEAD_H
#define COMMON_CORE_DEAD_H

#include "consumer.h"

/* mr_dead_letter moves the record at pos, the first unacknowledged one of the claim, to
 * "<topic>.dead" with headers that say why, and acknowledges it. at: where it lies, in the ring or
 * in the consumer's copy. The topic is created if need be; a full one is waited for.
 * Returns 0; 1 that topic cannot take it (on_wait was told why): the record waits as an orphan of
 * its own and is tried again later, and the claim goes on after it; or a negative errno: the record
 * stays the first of the claim, but for -EINTR from on_wait that was told of such a record: then
 * the claim goes on after it, too. */
int mr_dead_letter(struct mr_consumer *consumer, uint64_t pos, const unsigned char *at,
                   const char *reason);

#endif
