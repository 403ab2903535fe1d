/* lifecycle.h - a topic created, opened, sealed, purged and deleted. */
#ifndef COMMON_CORE_LIFECYCLE_H
#define COMMON_CORE_LIFECYCLE_H

#include "topic.h"

/* mr_topic_create_segment makes a topic's segment itself, as the broker does when mr_topic_create
 * asks it.
 *   settings  all filled in: partitions >= 1, full not DEFAULT, tries >= 1, mode with 0600
 * Returns  0; -EEXIST; -ENOSPC; -EINVAL name or settings; -EPERM the bus is another user's; or
 *          another negative errno.
 * Blocks   while the kernel allocates the memory: about 0.3 s a GiB.
 * Killed   the topic is there or not; nothing else is left. */
int mr_topic_create_segment(struct mr_bus *bus, const char *name,
                            const struct mr_settings *settings);

/* mr_topic_lost: 1 if the topic's name was taken away without deleting it; else 0. The topic is
 * marked deleted then and its waiters are woken, as the next to open the name would get another
 * topic. Order: acquire and release. */
int mr_topic_lost(struct mr_topic *topic);

/* mr_topic_created reads when the topic of that name was made, CLOCK_REALTIME in ns, also if it is
 * damaged. Returns 0; -ENOENT; -EPERM another user's file; -EBADMSG too short for a topic; or
 * another negative errno: it cannot be told. */
int mr_topic_created(struct mr_bus *bus, const char *name, uint64_t *created_ns);

/* mr_topic_unlink removes the topic's file of this uid, whatever is in it. Its processes are not
 * told. */
int mr_topic_unlink(const char *bus, const char *topic);

#endif
