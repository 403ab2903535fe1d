/* reap.h - what is done for clients that died, and for what was left half done. */
#ifndef COMMON_CORE_REAP_H
#define COMMON_CORE_REAP_H

#include "group.h"

/* mr_topic_reap: client_id has died. Waits for locks. Its claims become orphans with the record in
 * hand blamed, its producers count as died, its private groups go, and all who may care are woken.
 * Idempotent; any process may do it, the broker does it at once. */
void mr_topic_reap(struct mr_topic *topic, uint64_t client_id);

/* mr_topic_reap_dead looks for dead clients in the topic itself and reaps them: what a waiting
 * process does when no broker tells it. Like the next two it takes no lock that a live process
 * holds: what is under one waits for the next call. */
void mr_topic_reap_dead(struct mr_topic *topic);

/* mr_topic_repair mends what mr_topic_lock mends, and counts members and producers that left
 * without a lock. */
void mr_topic_repair(struct mr_topic *topic);

/* mr_topic_relieve mends what holds producers back and must not: groups half made, private groups
 * whose member died.
 * For a producer that finds no room and cannot wait. */
void mr_topic_relieve(struct mr_topic *topic);
/* mr_groups_orphan makes orphans of all slots of a client that died, blaming what it had in hand;
 * its private groups are over.
 * The caller holds the topic's lock.
 *   wait     for a group's lock that a live process holds; else that group is left out
 * Returns 0; or why some group was left out: -EBUSY, -EINTR and the like. */
int mr_groups_orphan(struct mr_topic *topic, uint64_t client, int wait);

/* mr_slot_left adds to tx what makes an orphan of a member's slot, or a free one if it holds
 * nothing: 8 words at most.
 *   died     1: its owner died, so the try of the record in hand is counted
 * The caller holds the group's lock. */
void mr_slot_left(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot, uint32_t group,
                  int died);

/* mr_slot_over adds to tx the end of a private group with its only member, what that held included.
 * The caller holds the topic's and the group's lock. */
void mr_slot_over(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot, uint32_t group);

#endif
