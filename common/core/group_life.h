/* group_life.h - groups made, over and freed; and the topic's lock, whose taker repairs what others
 * left half done with groups. */
#ifndef COMMON_CORE_GROUP_LIFE_H
#define COMMON_CORE_GROUP_LIFE_H

#include "group.h"

/* mr_topic_lock takes the topic's lock and repairs what was left half done with groups, by a
 * process that died or that gave up waiting: groups in the making are freed, and groups that are
 * over. Waits for the lock; what is under a lock that a live process holds is left for the next
 * taker.
 * Returns 0 or a negative errno. mr_topic_lock_try never blocks: -EBUSY a live process has it. */
int mr_topic_lock(struct mr_topic *topic);
int mr_topic_lock_try(struct mr_topic *topic);

/* The caller of all that follow holds the topic's lock. */

/* mr_groups_unfinished: 1 if a group is in the making, or over and not freed yet. Needs no lock. */
int mr_groups_unfinished(const struct mr_topic *topic);

/* A group to be made. */
struct mr_new_group {
    const char *name;
    uint64_t flags; /* MR_PRIVATE, MR_ORDERED */
    enum mr_start start;
    int64_t arg; /* of start, as for a consumer */
    int moved;   /* another group will be over when this one is live: it may take the last slot */
};
/* mr_group_make takes a free group slot for a group in the making and sets its start positions.
 * Waits for the logs' locks.
 * Returns  0 with *group; -EUSERS no slot is free; -ENOMEM; -EBADMSG; -EINTR; -EIO.
 * Killed   or on error: nothing is left of it, or what the next to take the topic's lock repairs.
 */
int mr_group_make(struct mr_topic *topic, const struct mr_new_group *new_group, uint32_t *group);
/* mr_group_abandon frees the slot of a group in the making, by one store, and wakes producers. */
void mr_group_abandon(struct mr_topic *topic, uint32_t group);

/* mr_group_free frees the slot of a group that is over, once the logs know what it acknowledged.
 *   wait     1: waits for locks that live processes hold; 0: never blocks
 * Returns  0; -EBUSY a live process has a lock; or another negative errno: it is over as before.
 * Killed   the next to take the topic's lock goes on. */
int mr_group_free(struct mr_topic *topic, uint32_t group, int wait);

#endif
