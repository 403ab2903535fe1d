/* move.h - records on their way to another topic: there once, and acknowledged here, whoever is
 * killed in between.
 *
 * Before they are appended, the member's slot notes what will be true once they are: topic,
 * partition and producer slot used there, the producer's serial, and its number of records (which
 * is published in one step with them). The next to have the slot of a member that died in between
 * compares, and knows whether they have arrived; until then the producer's slot is kept (asked.h).
 *
 *     moving NONE --note--> moving = end of the records --append there, in one publication-->
 *     arrived --acknowledge here--> moving NONE
 *                                     \_________________ death: whoever takes the claim over goes
 *                                     on from here ___________/  */
#ifndef COMMON_CORE_MOVE_H
#define COMMON_CORE_MOVE_H

#include "consumer.h"

/* mr_move appends n messages, as mr_append_assign has placed them, and acknowledges up to position
 * pos, which is `records` records more. The caller has checked that the claim is still its own.
 * Returns 0 or a negative errno: nothing appended, nothing acknowledged; -ESTALE: appended only. */
struct mr_move {
    struct mr_producer *producer;
    struct mr_message *msgs;
    size_t n;
    uint64_t pos, records;
    int64_t timeout_ns; /* < 0 none */
};
int mr_move(struct mr_consumer *consumer, const struct mr_move *move);

/* mr_move_finish finishes what the former owner of a slot had begun. Returns 0 go on; 1 the claim
 * is empty now; or a negative errno. */
int mr_move_finish(struct mr_consumer *consumer);

/* mr_dead_name writes the dead-letter topic's name, of MR_TOPIC_NAME_MAX + 5 bytes at most, its end
 * included. */
void mr_dead_name(const struct mr_topic *topic, char *name, size_t cap);

#endif
