/* park.h - records that a dead-letter topic did not take wait here for their next try. */
#ifndef COMMON_CORE_PARK_H
#define COMMON_CORE_PARK_H

#include "group.h"

/* mr_group_park leaves a record as an orphan of its own, which is not taken over before a second
 * has passed; or at the end of the parked orphan that it follows. The seat keeps the rest of its
 * claim. One transaction; waits for the topic's and the group's lock.
 *   pos      position of the record, the first of the seat's claim
 *   bytes    its whole size
 * Returns  0; -EUSERS the group is ordered, so that no record may pass this one, or too few member
 *          slots are free; -ESTALE the slot is not ours any more; -EBADMSG; -EINTR; -EIO. */
int mr_group_park(struct mr_topic *topic, struct mr_seat *seat, uint64_t pos, uint64_t bytes);

/* mr_group_parked returns how many records of the group are parked. Lock-free. */
uint64_t mr_group_parked(struct mr_topic *topic, uint32_t group);

#endif
