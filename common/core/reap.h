/* reap.h - what is done for clients that died, and for what was left half done. */
#ifndef COMMON_CORE_REAP_H
#define COMMON_CORE_REAP_H

#include "group.h"

/* mr_topic_reap does what a client's death asks for: its claims become orphans with the record in
 * hand blamed, its producers count as died, its private groups are over, and all waiters of the
 * topic are woken. Any process may call it, again and again; the broker does at once.
 *   client_id  of a client that is dead
 * Blocks   waits for the topic's and the groups' locks. What it cannot get at is left for the next
 *          call.
 * Killed   the next call goes on. */
void mr_topic_reap(struct mr_topic *topic, uint64_t client_id);

/* mr_topic_reap_dead looks for dead clients in the topic and reaps them: for a process that waits
 * and that no broker tells. This and the next two never block: what is under a lock that a live
 * process holds is left for the next call. */
void mr_topic_reap_dead(struct mr_topic *topic);

/* mr_topic_repair repairs what mr_topic_lock repairs, and counts members and producers that left
 * without a lock. */
void mr_topic_repair(struct mr_topic *topic);

/* mr_topic_relieve repairs what holds producers back and must not: groups half made, private groups
 * whose member died. For a producer that finds no room and cannot wait. */
void mr_topic_relieve(struct mr_topic *topic);

/* mr_groups_orphan makes orphans of all slots of a client that died, blaming what it had in hand;
 * its private groups are over. The caller holds the topic's lock.
 *   wait     1: waits for the groups' locks; 0: leaves out a group whose lock a live process has
 * Returns  0; or why a group was left out: -EBUSY, -EINTR and the like. */
int mr_groups_orphan(struct mr_topic *topic, uint64_t client, int wait);

/* mr_slot_left adds to tx what makes an orphan of a member's slot, or a free one if it holds
 * nothing: 8 words at most. The caller holds the group's lock.
 *   died     1: its owner died, so the try of the record in hand is counted; 0: no blame */
void mr_slot_left(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot, uint32_t group,
                  int died);

/* mr_slot_over adds to tx the end of a private group with its only member, and what that holds: 3
 * words. The caller holds the topic's and the group's lock. */
void mr_slot_over(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot, uint32_t group);

#endif
