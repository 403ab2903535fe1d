/* producer_slot.h - which producer slot of a topic a new producer gets, and when one that was used
 * is used again (I11). */
#ifndef COMMON_CORE_PRODUCER_SLOT_H
#define COMMON_CORE_PRODUCER_SLOT_H

#include "topic.h"

/* mr_producer_slot_lock takes the topic's lock, with *slot free for a new producer. A slot whose
 * records a consumer of another topic may still ask about (asked.h) is used again only once none
 * does; that is looked up without the lock, as it opens the other topic.
 * Returns  0; -EUSERS no slot is free; -EINTR, -EBADMSG, -EIO. On error the lock is not held.
 * Blocks   waits for the topic's and the logs' locks. Each turn frees one slot or skips one, so it
 *          ends.
 * Killed   the slot is as it was, or free. */
int mr_producer_slot_lock(struct mr_topic *topic, uint32_t *slot);

#endif
