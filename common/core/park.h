/* park.h - records that a dead-letter topic did not take, waiting for their next try. */
#ifndef COMMON_CORE_PARK_H
#define COMMON_CORE_PARK_H

#include "group.h"

/* mr_group_park leaves the record [pos, pos + bytes), the first one of the seat's claim, as an
 * orphan of its own, or at the end of the parked one that it follows, which is not taken over
 * before a second has passed. The seat keeps the rest of its claim.
 * Returns 0; -EUSERS too few member slots are free to keep one for it, or the group is ordered and
 * nothing may pass it; -ESTALE and the like. */
int mr_group_park(struct mr_topic *topic, struct mr_seat *seat, uint64_t pos, uint64_t bytes);

/* mr_group_parked: how many records of the group wait so. Lock-free. */
uint64_t mr_group_parked(struct mr_topic *topic, uint32_t group);

#endif
