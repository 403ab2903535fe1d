/* move.h - records on their way to another topic: there once, and acknowledged here, whatever
 * process is killed in between.
 *
 * Before they are appended, the member's slot notes what will be true once they are: topic,
 * partition and producer slot used there, the producer's serial, and its number of records (which
 * is published in one step with them). The next to have the slot of a member that died in between
 * compares, and knows whether they have arrived; until then the producer's slot is kept (asked.h).
 *
 *     moving NONE --note--> moving = end of the records --append there, in one publication-->
 *     arrived --acknowledge here--> moving NONE       each state --death--> mr_move_finish goes on
 */
#ifndef COMMON_CORE_MOVE_H
#define COMMON_CORE_MOVE_H

#include "consumer.h"

/* Records to be moved, as mr_append_assign has prepared them. */
struct mr_move {
    struct mr_producer *producer;
    struct mr_message *msgs;
    size_t n;
    uint64_t pos, records; /* acknowledge up to this position, so many records more */
    int64_t timeout_ns;    /* < 0 none */
};
/* mr_move appends the messages and acknowledges. The caller has checked that the claim is still its
 * own (mr_consumer_mine).
 * Returns  0; -ESTALE appended only: the claim is another's by now; or a negative errno: nothing
 *          was appended, nothing acknowledged.
 * Blocks   waits for the log's lock, and for room up to timeout_ns.
 * Killed   appended or not, as a whole; the heir of the claim finds out which, and acknowledges or
 *          delivers again. */
int mr_move(struct mr_consumer *consumer, const struct mr_move *move);

/* mr_move_finish finishes what the former owner of a slot had begun. Waits for the lock of a log of
 * the other topic.
 * Returns  0 the claim goes on; 1 it is empty now; or a negative errno: it cannot be told now
 *          whether the records arrived. */
int mr_move_finish(struct mr_consumer *consumer);

/* mr_dead_name writes the dead-letter topic's name, cut to cap bytes; MR_TOPIC_NAME_MAX + 8 are
 * enough. */
void mr_dead_name(const struct mr_topic *topic, char *name, size_t cap);

#endif
