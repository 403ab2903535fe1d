/* group.h - consumer groups: who has which records.
 *
 * Per partition a group knows `next`, the first unclaimed position, and `committed`, the lowest
 * unacknowledged one. A member slot holds one claim [cursor, end): what lies below cursor is
 * acknowledged, by one store of its owner and without a lock; taking a claim is a transaction under
 * the group's lock. A member that leaves or dies with something unacknowledged leaves its slot as
 * an orphan (owner 0), and the next member to claim takes the slot over as it is, so redelivery
 * needs no room and cannot overflow.
 *
 *     slot:   free --join--> owned, empty --claim--> owned, holding --acknowledge--> owned, empty
 *             owned, holding --leave or die--> orphan --another claims--> owned, holding
 *             owned, empty --leave or die--> free
 *
 *     group:  free --make--> MAKING --first member joins--> live --(1)--> OVER --> free
 *             MAKING --its maker died or gave up--> free
 *             (1) the only member of a private group leaves or dies, or the group is moved
 *
 * Each arrow of a group is one transaction or one store. MAKING holds a log back from when its
 * start position there is set; it only holds back, as it may never become live. OVER holds nothing
 * back. Each taker of the topic's lock finds both as leftovers and repairs them (mr_topic_lock). A
 * group is moved to other positions by making a new one under its name: one transaction, in the
 * topic's log because it is about two groups, makes the old one OVER, orphans and all, and the new
 * one live with its first member.
 *
 * Blame: in_hand is the record that the owner looked at. If the owner dies, its try is counted
 * (blamed, tries) and it is delivered alone next time. I1 committed <= next <= head; I4 every
 * record below next is acknowledged or in exactly one claim; I5 claims are disjoint. */
#ifndef COMMON_CORE_GROUP_H
#define COMMON_CORE_GROUP_H

#include "log.h"

/* mr_producers_used, mr_members_used: all slots in use lie below this. */
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

/* mr_group_there: 1 if the group is live: what users see, and what can be joined. */
static inline int mr_group_there(const struct mr_topic *topic, uint32_t group)
{
    const struct mr_group_shm *at = &topic->groups[group];
    return atomic_load_explicit(&at->serial, memory_order_acquire) &&
           !(atomic_load_explicit(&at->flags, memory_order_relaxed) &
             (MR_GROUP_MAKING | MR_GROUP_OVER));
}

/* mr_group_lock takes the group's lock. Waits for it. 0 or a negative errno. */
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

/* mr_group_commit brings committed of one partition up to date, and wakes producers that wait for
 * it. The caller holds the group's lock.
 * Order    release, pairs with mr_groups_limit: below committed the group reads nothing any more.
 */
void mr_group_commit(struct mr_topic *topic, uint32_t group, uint32_t p);

/* mr_groups_tell wakes at most `wake` sleeping members of every group: there are new records, or no
 * more will come. Order: seq_cst fence, as mr_cond_signal. */
void mr_groups_tell(struct mr_topic *topic, int wake);

/* mr_group_claim takes an orphan over, or claims the next records of a partition. Waits for the
 * group's lock.
 *   until    NULL, or per partition the position in bytes not to go past, a record boundary
 *   max      records at most, >= 1
 * Returns  1 a fresh claim, 2 an orphan taken over, seat says which; 0 nothing to claim; -ESTALE
 *          the group or the slot is not ours any more; -ENOMEM; -EBADMSG; -EINTR; -EIO.
 * Killed   the claim is taken or not; if it is, its slot becomes an orphan. */
int mr_group_claim(struct mr_topic *topic, struct mr_seat *seat, const uint64_t *until,
                   uint64_t max);

/* mr_group_settle is mr_group_commit for a caller without the group's lock: waits for it. Returns 0
 * or a negative errno. mr_groups_settle does it for all groups: for a producer that finds no room,
 * and holds no log's lock then (lock order). */
int mr_group_settle(struct mr_topic *topic, uint32_t group, uint32_t p);
int mr_groups_settle(struct mr_topic *topic, uint32_t p);

/* mr_group_behind returns the slot of the member that holds the group up in partition p; member_cnt
 * if none does. Lock-free: for a message. */
uint32_t mr_group_behind(const struct mr_topic *topic, uint32_t group, uint32_t p);

/* mr_group_purge lets the group skip all that is unclaimed. Waits for the group's lock. Returns the
 * number of records, or a negative errno: then some partitions may have been skipped. */
ssize_t mr_group_purge(struct mr_topic *topic, uint32_t group);

#endif
