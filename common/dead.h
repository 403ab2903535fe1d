/* dead.h - moving a record to the dead-letter topic: there once, and acknowledged here, whoever is killed in between.
 *
 * Before the letter is appended, the member's slot notes what will be true once it is: the producer slot used in the dead-letter topic, its
 * owner, and its number of records (which is published in one step with the letter). Whoever takes over the slot of one that died in
 * between compares and knows whether the letter has arrived. */
#ifndef MR_DEAD_H
#define MR_DEAD_H

#include "consume.h"

/* mr_dead_letter moves the record at pos, the first unacknowledged one of the claim, to "<topic>.dead" with headers that say why, and acknowledges
 * it. at: where it lies, in the ring or in the consumer's copy. The topic is created if need be; a full one is waited for. Returns 0 or a negative errno (the record then stays). */
int mr_dead_letter(struct mr_consumer *consumer, uint64_t pos, const unsigned char *at, const char *reason);

/* mr_dead_settle finishes what the former owner of a slot had begun. Returns 0 go on; 1 the claim is empty now; or a negative errno. */
int mr_dead_settle(struct mr_consumer *consumer);

#endif
