/* member.h - members of groups join, leave and give back. */
#ifndef COMMON_CORE_MEMBER_H
#define COMMON_CORE_MEMBER_H

#include "group.h"

/* mr_group_join makes us a member of the group, which is made if it is not there, and moved if
 * start is not MR_START_STORED. Waits for the topic's, the group's and the logs' locks.
 *   name     ignored with MR_PRIVATE in flags
 *   arg      of start, as in mr_consumer_options
 * Returns  0 with *seat, which may hold an orphan's claim; -EBUSY a group with members is not
 *          moved; -EUSERS no group slot, or no member slot and no orphan, is free; -ENOMEM;
 *          -EBADMSG; -EINTR; -EIO.
 * Killed   joined or not; a slot that was taken is an orphan or free once the death is noticed. */
int mr_group_join(struct mr_topic *topic, const char *name, uint32_t flags, enum mr_start start,
                  int64_t arg, struct mr_seat *seat);

/* mr_group_leave gives the seat's slot up: an orphan if it holds something, else free. A private
 * group is over with it. Waits for the topic's and the group's lock; if that wait is given up, the
 * slot is handed over as a dead member's would be. */
void mr_group_leave(struct mr_topic *topic, struct mr_seat *seat);

/* mr_group_give_back turns what the seat holds into an orphan, and gives the seat another free
 * slot, in one transaction. Waits for the topic's and the group's lock.
 * Returns  0, also if it holds nothing; -EUSERS no slot is free: it keeps what it holds; -ESTALE
 *          the slot is not ours any more; -EBADMSG; -EINTR; -EIO. */
int mr_group_give_back(struct mr_topic *topic, struct mr_seat *seat);

/* mr_slot_free finds a member slot that is free and stays so: *slot, member_cnt if there is none.
 * The caller holds the topic's lock and no group's. Waits for groups' locks. */
int mr_slot_free(struct mr_topic *topic, uint32_t *slot);

/* mr_slot_high adds to tx that slots up to this one are in use: one word at most. It comes before
 * the slot's own words: a process that looks for the dead without a lock must see the slot as soon
 * as it has an owner. */
void mr_slot_high(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot);

#endif
