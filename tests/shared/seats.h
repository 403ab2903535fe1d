/* seats.h - groups seen from inside, on the topic of topic.h: a seat is a member's place in one. */
#ifndef TESTS_SHARED_SEATS_H
#define TESTS_SHARED_SEATS_H

#include "core/group.h"
#include "topic.h"

/* seat_join joins the group of that name; flags as in enum mr_consumer_flags. seat_slot is the slot
 * in the segment. seat_finish acknowledges all that a seat holds, as its owner does. */
struct mr_seat seat_join(const char *name, uint32_t flags);
struct mr_member_shm *seat_slot(const struct mr_seat *seat);
void seat_finish(const struct mr_seat *seat);

/* committed_in settles group g in partition p, and returns what it has committed there, bytes.
 * head_of is the head of partition p. */
uint64_t committed_in(uint32_t g, uint32_t p);
uint64_t head_of(uint32_t p);

#endif
