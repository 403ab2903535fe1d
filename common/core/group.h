/* group.h - consumer groups: who has which records.
 *
 * Per partition a group knows `next`, the first unclaimed position, and `committed`, the lowest
 * unacknowledged one. A member slot holds one claim [cursor, end): what lies below cursor is
 * acknowledged, by one store of its owner and without a lock; taking a claim is a transaction under
 * the group's lock. A member that leaves or dies with something unacknowledged leaves its slot as
 * an orphan (owner 0), and the next member to claim takes the slot over as it is, so redelivery
 * needs no room and cannot overflow.
 *
 *     slot:  free --join--> owned, empty <--claim / acknowledge--> owned, holding --leave or die-->
 *            orphan --claim by another--> owned, holding
 *
 * A group's own states, each entered by one transaction or one store:
 *
 *     free --make--> MAKING --first member joins--> live --its only member leaves or dies
 *     (private), or moved--> OVER --> free
 *                        \____ maker died or gave up
 *                        ____________________________________________________/
 *
 * MAKING holds a log back from when its start position there is set; it only holds back, as it may
 * never come to be. OVER holds nothing back. Each taker of the topic's lock finds both as leftovers
 * and mends them (mr_topic_lock). A group is moved to other positions by making a new one under its
 * name: one transaction, in the topic's log because it is about two groups, makes the old one OVER,
 * orphans and all, and the new one live with its first member.
 *
 * Blame: in_hand is the record that the owner looked at. If the owner dies, its try is counted
 * (blamed, tries) and it is delivered alone next time. I1 committed <= next <= head; I4 every
 * record below next is acknowledged or in exactly one claim; I5 claims are disjoint. */
#ifndef COMMON_CORE_GROUP_H
#define COMMON_CORE_GROUP_H

#include "log.h"

static inline uint32_t mr_producers_used(const struct mr_topic *topic)
{
    uint64_t high = atomic_load_explicit(&topic->shm->producer_high, memory_order_relaxed);
    return high < topic->producer_cnt ? (uint32_t)high : topic->producer_cnt;
}

static inline uint32_t mr_members_used(const struct mr_topic *topic)
{
    uint64_t high = atomic_load_explicit(&topic->shm->member_high, memory_order_relaxed);
    return high < topic->member_cnt ? (uint32_t)high : topic->member_cnt;
}

/* live: what people see */
static inline int mr_group_there(const struct mr_topic *topic, uint32_t group)
{
    const struct mr_group_shm *at = &topic->groups[group];
    return atomic_load_explicit(&at->serial, memory_order_acquire) &&
           !(atomic_load_explicit(&at->flags, memory_order_relaxed) &
             (MR_GROUP_MAKING | MR_GROUP_OVER));
}

static inline int mr_group_lock(struct mr_topic *topic, uint32_t group)
{
    int error = mr_lock(topic, &topic->groups[group].lock);
    return error < 0 ? error : 0;
}

static inline void mr_group_unlock(struct mr_topic *topic, uint32_t group)
{
    mr_unlock(&topic->groups[group].lock);
}

struct mr_seat { /* a member, as its handle knows it */
    uint32_t group, member;
    uint64_t serial;
    uint32_t partition;                /* of the claim, or of the last one */
    uint64_t begin, end;               /* the claim as it was taken: [first unacknowledged, end) */
    uint64_t begin_offset, end_offset; /* of a fresh claim; MR_NONE for an orphan */
    uint64_t lost;                     /* records overwritten before this seat could take them */
    uint64_t members;                  /* attached to the group at the last claim */
    /* records: a share smaller than this is not worth waking another for; 0: any is */
    uint64_t least;
    /* nothing could be claimed because another member has the partition (ordered group) */
    int in_turn;
};

/* mr_group_seated: is the seat still this member of this group? With the group's lock held. */
static inline int mr_group_seated(const struct mr_topic *topic, const struct mr_seat *seat)
{
    const struct mr_member_shm *member = &topic->members[seat->member];
    return atomic_load_explicit(&topic->groups[seat->group].serial, memory_order_relaxed) ==
               seat->serial &&
           atomic_load_explicit(&member->group, memory_order_relaxed) == seat->group + 1 &&
           atomic_load_explicit(&member->owner, memory_order_relaxed) == topic->bus->self;
}

/* mr_group_commit recomputes and stores committed of one partition, with the group's lock held, and
 * tells producers who wait for it. */
void mr_group_commit(struct mr_topic *topic, uint32_t group, uint32_t p);

/* mr_groups_tell wakes at most `wake` sleeping members of every group: there are new records, or
 * there will be no more. */
void mr_groups_tell(struct mr_topic *topic, int wake);

/* mr_group_claim takes an orphan, or the next records of a partition.
 *   until   NULL, or per partition the position not to go past (a record boundary)
 *   max     records at most, >= 1
 * Returns   1 a fresh claim, 2 an orphan taken over: seat says what; 0 nothing to claim; -ESTALE
 *           the group or the slot is not ours any more; -EBADMSG. */
int mr_group_claim(struct mr_topic *topic, struct mr_seat *seat, const uint64_t *until,
                   uint64_t max);

/* mr_group_settle recomputes and stores committed of one partition under the group's lock. Returns
 * 0 or a negative errno. */
int mr_group_settle(struct mr_topic *topic, uint32_t group, uint32_t p);
/* The same for all groups: what a producer does that finds no room, without holding its log's lock
 * (lock order). */
int mr_groups_settle(struct mr_topic *topic, uint32_t p);

/* mr_group_behind finds the slot of the member that holds the group up in partition p; member_cnt
 * if none does. Lock-free. */
uint32_t mr_group_behind(const struct mr_topic *topic, uint32_t group, uint32_t p);

/* mr_group_purge: the group skips what nobody has claimed. Returns the number of records. */
ssize_t mr_group_purge(struct mr_topic *topic, uint32_t group);

#endif
