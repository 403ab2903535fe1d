/* member.h - members of groups join, leave and give back. */
#ifndef COMMON_CORE_MEMBER_H
#define COMMON_CORE_MEMBER_H

#include "group.h"

/* mr_group_join finds or makes the group and takes a member slot. Returns 0; -EBUSY; -EUSERS;
 * -EIDRM ... as mr_consumer_open. */
int mr_group_join(struct mr_topic *topic, const char *name, uint32_t flags, enum mr_start start,
                  int64_t arg, struct mr_seat *seat);

/* mr_group_leave gives the slot up, as an orphan if it holds something; a private group goes with
 * its member. */
void mr_group_leave(struct mr_topic *topic, struct mr_seat *seat);

/* mr_group_give_back turns what the seat holds into an orphan, and takes another free slot for the
 * seat (or none is free: keeps it).
 * Returns 0 or a negative errno. */
int mr_group_give_back(struct mr_topic *topic, struct mr_seat *seat);
/* mr_slot_free finds a member slot that is free and stays so: *slot, member_cnt if there is none.
 * The caller holds the topic's lock and no group's. Returns 0 or a negative errno. */
int mr_slot_free(struct mr_topic *topic, uint32_t *slot);

/* mr_slot_high adds to tx that slots up to this one are in use. It comes before the slot's own
 * words: who looks for the dead without a lock must see the slot as soon as it has an owner. */
void mr_slot_high(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot);

#endif
