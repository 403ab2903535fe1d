/* park.c - see park.h. */
#include "park.h"
#include "group_life.h"
#include "member.h"

#include <errno.h>

#define PARKED_NS      1000000000u /* when a parked record is tried again */
#define PARKED_RESERVE 64u         /* member slots that are not taken for such records */

/* Adds to tx the words of an orphan that is one parked record, in a free slot. */
static void set_parked(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot,
                       const struct mr_seat *seat, uint64_t pos, uint64_t bytes)
{
    const struct mr_member_shm *own = &topic->members[seat->member];
    struct mr_member_shm *member = &topic->members[slot];
    struct mr_group_shm *group = &topic->groups[seat->group];
    mr_slot_high(tx, topic, slot);
    mr_tx_set(tx, &member->partition, seat->partition);
    mr_tx_set(tx, &member->cursor, pos);
    mr_tx_set(tx, &member->end, pos + bytes);
    mr_tx_set(tx, &member->blamed, pos);
    mr_tx_set(tx, &member->tries, load(&own->tries));
    mr_tx_set(tx, &member->failed_pid, load(&own->failed_pid));
    mr_tx_set(tx, &member->in_hand, MR_PARKED);
    mr_tx_set(tx, &member->claimed_ns, mr_now_ns() + PARKED_NS);
    mr_tx_set(tx, &member->moving, MR_NONE);
    mr_tx_set(tx, &member->acked, 0);
    mr_tx_set(tx, &member->owner, 0);
    mr_tx_set(tx, &member->group, seat->group + 1);
    mr_tx_set(tx, &group->orphans, load(&group->orphans) + 1);
}

/* The parked orphan that ends where this record begins; member_cnt: none. */
static uint32_t parked_before(const struct mr_topic *topic, const struct mr_seat *seat,
                              uint64_t pos)
{
    uint32_t i = 0;
    for (; i < topic->member_cnt; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        if (load(&member->group) == seat->group + 1 && !load(&member->owner) &&
            load(&member->in_hand) == MR_PARKED && load(&member->partition) == seat->partition &&
            load(&member->end) == pos)
            break;
    }
    return i;
}

/* Members that want to join must not find all slots taken by records that wait. */
static int may_take_slot(const struct mr_topic *topic, uint32_t slot)
{
    uint32_t free = 0;
    for (uint32_t i = 0; i < topic->member_cnt; i++)
        free += !load(&topic->members[i].group);
    return slot < topic->member_cnt && free > PARKED_RESERVE;
}

int mr_group_park(struct mr_topic *topic, struct mr_seat *seat, uint64_t pos, uint64_t bytes)
{
    int error = mr_topic_lock(topic);
    if (error)
        return error;
    struct mr_group_shm *group = &topic->groups[seat->group];
    struct mr_member_shm *member = &topic->members[seat->member];
    uint32_t slot;
    error = mr_slot_free(topic, &slot);
    if (!error)
        error = mr_group_lock(topic, seat->group);
    if (error)
        goto unlock;
    uint32_t longer = parked_before(topic, seat, pos);
    if (!mr_group_seated(topic, seat)) {
        error = mr_topic_error(topic, -ESTALE);
    } else if (load(&member->cursor) != pos || load(&member->end) < pos + bytes) {
        error = -EBADMSG;
    } else if ((load(&group->flags) & MR_ORDERED) ||
               (longer == topic->member_cnt && !may_take_slot(topic, slot))) {
        error = -EUSERS;
    } else {
        struct mr_tx tx = mr_tx_begin(topic, &group->lock);
        if (longer < topic->member_cnt)
            mr_tx_set(&tx, &topic->members[longer].end, pos + bytes);
        else
            set_parked(&tx, topic, slot, seat, pos, bytes);
        mr_tx_set(&tx, &member->cursor, pos + bytes);
        mr_tx_set(&tx, &member->in_hand, MR_NONE);
        mr_tx_commit(&tx);
    }
    mr_group_unlock(topic, seat->group);
unlock:
    mr_unlock(&topic->shm->lock);
    return error;
}

uint64_t mr_group_parked(struct mr_topic *topic, uint32_t group)
{
    uint64_t parked = 0;
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        uint64_t p = load(&member->partition);
        if (load(&member->group) != group + 1 || load(&member->in_hand) != MR_PARKED ||
            p >= topic->partition_cnt)
            continue;
        uint64_t first = mr_log_offset(topic, (uint32_t)p, load(&member->cursor));
        uint64_t end = mr_log_offset(topic, (uint32_t)p, load(&member->end));
        /* taken over meanwhile, or overwritten (drop-oldest) */
        parked += first < end && end != MR_NONE ? end - first : 1;
    }
    return parked;
}
