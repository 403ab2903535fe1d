/* group_life.h - groups made, over and freed; and the topic's lock, whose taker repairs what others
 * left half done with groups. */
#ifndef COMMON_CORE_GROUP_LIFE_H
#define COMMON_CORE_GROUP_LIFE_H

#include "group.h"

/* mr_topic_lock takes the topic's lock and mends what was left half done with groups, by a process
 * that died or one that gave up waiting: groups in the making, groups that are over. 0 or a
 * negative errno. mr_topic_lock_try does not wait: -EBUSY a live process has the lock. */
int mr_topic_lock(struct mr_topic *topic);
int mr_topic_lock_try(struct mr_topic *topic);

/* The caller of all that follow holds the topic's lock. */

/* mr_groups_unfinished: is a group half made, or over and not yet gone? Lock-free. */
int mr_groups_unfinished(const struct mr_topic *topic);

/* mr_group_make takes a free group slot for a group in the making and sets its start positions.
 * Returns 0 with *group; -EUSERS; -EBADMSG, -EINTR and the like: then nothing is left of it, or
 * what the next to take the topic's lock repairs. */
struct mr_new_group {
    const char *name;
    uint64_t flags; /* MR_PRIVATE, MR_ORDERED */
    enum mr_start start;
    int64_t arg; /* of start, as for a consumer */
    int moved;   /* another group will be over when this one is live: it may take the last slot */
};
int mr_group_make(struct mr_topic *topic, const struct mr_new_group *new_group, uint32_t *group);
/* mr_group_abandon frees the slot of a group in the making. */
void mr_group_abandon(struct mr_topic *topic, uint32_t group);

/* mr_group_free frees the slot of a group that is over, once the logs know what it has
 * acknowledged.
 *   wait     for locks that a live process holds
 * Returns 0; -EBUSY later; or a negative errno. */
int mr_group_free(struct mr_topic *topic, uint32_t group, int wait);

#endif
