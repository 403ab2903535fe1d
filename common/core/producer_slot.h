/* producer_slot.h - which producer slot of a topic a new producer gets, and when one that was used
 * is used again (I11). */
#ifndef COMMON_CORE_PRODUCER_SLOT_H
#define COMMON_CORE_PRODUCER_SLOT_H

#include "topic.h"

/* mr_producer_slot_lock takes the topic's lock, with *slot free for a new producer. A slot whose
 * records a consumer of another topic may still ask about (asked.h) is used again only once none
 * does; that is looked up without the lock, as it opens the other topic.
 * Returns  0; -EUSERS all slots are taken; -EINTR and the like: then the lock is not held.
 * Killed   inside: the slot is as it was, or free. Each turn lets one slot go or skips one, so it
 *          ends. */
int mr_producer_slot_lock(struct mr_topic *topic, uint32_t *slot);

#endif
