/* lifecycle.h - a topic created, opened, sealed, purged and deleted. */
#ifndef COMMON_CORE_LIFECYCLE_H
#define COMMON_CORE_LIFECYCLE_H

#include "topic.h"

/* mr_topic_create_segment creates a topic's segment. settings: all filled in (partitions >= 1, full
 * not DEFAULT, tries >= 1, mode).
 * Returns 0; -EEXIST; -ENOSPC; -EINVAL name or settings; -EPERM the bus is another user's. Killed
 * inside: there or not, nothing in between. */
int mr_topic_create_segment(struct mr_bus *bus, const char *name,
                            const struct mr_settings *settings);

/* mr_topic_lost: 1 if somebody took the topic's name away without deleting it. It is marked deleted
 * now, and who waits on it is woken: whoever comes next would get another topic of that name. */
int mr_topic_lost(struct mr_topic *topic);

/* mr_topic_created reads when the topic of that name was made, also if it is damaged. 0; -ENOENT;
 * -EPERM another user's file; -EBADMSG too short to be a topic; or another negative errno. */
int mr_topic_created(struct mr_bus *bus, const char *name, uint64_t *created_ns);

/* removes the file of this uid, whatever is in it */
int mr_topic_unlink(const char *bus, const char *topic);

#endif
