/* asked.h - who may still ask whether a producer's records arrived.
 *
 * Records that move from one topic to another (move.h) leave a note with the member that moves
 * them: the target topic and the producer there. If the member dies, the next to have its claim
 * reads the producer's count to learn whether they arrived.
 * So that the answer stays true, the producer's slot says which topic may ask, from before the note
 * is made until after it is taken back, and a slot about which a note exists is not used again. */
#ifndef COMMON_CORE_ASKED_H
#define COMMON_CORE_ASKED_H

#include "topic.h"

/* mr_topic_find opens the topic of the bus that was made at created_ns. Another user's file, or one
 * too short for a topic, cannot be it.
 * Returns  1 with *out, to be closed; 0 it is gone; or a negative errno: it cannot be opened, or a
 *          file that may be it cannot be looked at (I13). */
int mr_topic_find(struct mr_bus *bus, uint64_t created_ns, struct mr_topic **out);

/* mr_asked: does a member of the topic made at source_ns still note the producer in slot `slot` of
 * topic `to`, with this serial? Takes no lock. Returns 1; 0 none does, and none will; or a negative
 * errno: it cannot be known now. Order: acquire. */
int mr_asked(struct mr_topic *to, uint32_t slot, uint64_t serial, uint64_t source_ns);

#endif
