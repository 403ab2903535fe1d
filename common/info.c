/* info.c - what anyone may look at: read word by word, without a lock, also through a read-only mapping. Whatever the words say, nothing
 * outside the mapping is read and every loop is bounded. */
#include "consume.h"

#include <errno.h>
#include <string.h>

static inline uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0; /* two words read a moment apart can be in the wrong order */
}

/* The offset at pos, or that of the oldest record if pos was overwritten. */
static uint64_t offset_at(const struct mr_topic *topic, uint32_t p, uint64_t pos)
{
    struct mr_topic *t = (struct mr_topic *)(uintptr_t)topic; /* mapping a ring on first use is no change that a caller can see */
    uint64_t offset = MR_NONE;
    for (int i = 0; i < 3 && offset == MR_NONE; i++) {
        uint64_t tail = atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire);
        offset = mr_log_offset(t, p, pos < tail ? tail : pos);
    }
    return offset == MR_NONE ? 0 : offset;
}

int mr_partition_info(const struct mr_topic *topic, uint32_t p, struct mr_partition_info *out)
{
    if (p >= topic->partition_cnt)
        return -ERANGE;
    struct mr_tip tip = mr_log_tip(topic, p);
    uint64_t tail = atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire);
    struct mr_record_shm r;
    if (tip.next_offset == MR_NONE)
        tip.next_offset = 0;
    const unsigned char *ring = mr_topic_ring((struct mr_topic *)(uintptr_t)topic, p);
    struct mr_partition_info info = {
        .first_offset = tip.next_offset, .next_offset = tip.next_offset, .bytes_kept = minus(tip.head, tail), .bytes_room = topic->ring_bytes};
    if (ring && mr_log_header(topic, ring, tail, tip.head, &r)) {
        info.first_offset = r.offset < tip.next_offset ? r.offset : tip.next_offset;
        info.first_ts_ns = r.ts_ns;
        info.last_ts_ns = tip.last_ts_ns;
    }
    if (mr_intact(topic) < 0)
        return -EIO;
    *out = info;
    return 0;
}

/* I2, I3 at both ends. Records may come and go meanwhile: it counts only while the tail stays where it is. */
static int log_damaged(const struct mr_topic *topic, uint32_t p)
{
    const unsigned char *ring = mr_topic_ring((struct mr_topic *)(uintptr_t)topic, p);
    for (int i = 0; ring && i < 3; i++) {
        uint64_t tail = atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire);
        struct mr_tip tip = mr_log_tip(topic, p);
        struct mr_record_shm r;
        if (tip.next_offset != MR_NONE && tip.head - tail <= topic->ring_bytes &&
            (tail == tip.head || mr_log_header(topic, ring, tail, tip.head, &r)))
            return 0;
        if (atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire) == tail)
            return 1;
    }
    return 0;
}

/* What a group has not acknowledged of one partition: everything unclaimed, and what is left of each claim. */
static uint64_t lag_of(const struct mr_topic *topic, uint32_t g, uint32_t p, uint64_t *in_hand)
{
    struct mr_tip tip = mr_log_tip(topic, p);
    uint64_t held = 0;
    for (uint32_t i = 0; i < topic->member_cnt; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        uint64_t cursor = load(&member->cursor), end = load(&member->end);
        if (load(&member->group) == g + 1 && load(&member->partition) == p && cursor < end && end <= tip.head)
            held += minus(offset_at(topic, p, end), offset_at(topic, p, cursor));
    }
    uint64_t unclaimed = minus(tip.next_offset, load(&mr_group_part(topic, g, p)->next_offset));
    struct mr_partition_info info = {0};
    mr_partition_info(topic, p, &info);
    uint64_t kept = minus(info.next_offset, info.first_offset);
    if (in_hand)
        *in_hand = held < kept ? held : kept;
    return unclaimed + held < kept ? unclaimed + held : kept;
}

uint64_t mr_consumer_lag(const struct mr_consumer *consumer)
{
    uint64_t lag = 0;
    for (uint32_t p = 0; p < consumer->topic->partition_cnt; p++)
        lag += consumer->joined ? lag_of(consumer->topic, consumer->seat.group, p, NULL)
                                : minus(mr_log_tip(consumer->topic, p).next_offset, consumer->peek_offset[p]);
    return lag;
}

int mr_group_info(const struct mr_topic *topic, uint32_t g, struct mr_group_info *out)
{
    if (g >= topic->group_cnt)
        return -ERANGE;
    const struct mr_group_shm *group = &topic->groups[g];
    if (!mr_group_there(topic, g))
        return mr_intact(topic);
    struct mr_group_info info = {.is_private = (load(&group->flags) & MR_PRIVATE) != 0,
                                 .is_ordered = (load(&group->flags) & MR_ORDERED) != 0,
                                 .acked = load(&group->acked),
                                 .redelivered = load(&group->redelivered),
                                 .dead_lettered = load(&group->dead_lettered),
                                 .lost = load(&group->lost)};
    mr_words_load(group->name, sizeof info.name / 8, info.name);
    for (uint32_t i = 0; i < topic->member_cnt; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        if (load(&member->group) != g + 1)
            continue;
        info.acked += load(&member->acked);
        if (load(&member->owner))
            info.members += (uint32_t)mr_client_alive(topic->bus, load(&member->owner));
        else
            info.orphans += load(&member->cursor) < load(&member->end);
    }
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        uint64_t in_hand;
        info.lag += lag_of(topic, g, p, &in_hand);
        info.in_hand += in_hand;
    }
    if (mr_intact(topic) < 0)
        return -EIO;
    *out = info;
    return 1;
}

int mr_group_partition_info(const struct mr_topic *topic, uint32_t g, uint32_t p, struct mr_group_partition_info *out)
{
    if (g >= topic->group_cnt || p >= topic->partition_cnt)
        return -ERANGE;
    if (!mr_group_there(topic, g))
        return mr_intact(topic);
    const struct mr_group_part_shm *part = mr_group_part(topic, g, p);
    uint64_t low = load(&part->next);
    uint32_t slot = mr_group_behind(topic, g, p);
    if (slot < topic->member_cnt)
        low = load(&topic->members[slot].cursor);
    struct mr_group_partition_info info = {.committed_offset = offset_at(topic, p, low),
                                           .next_offset = load(&part->next_offset),
                                           .end_offset = mr_log_tip(topic, p).next_offset,
                                           .lag = lag_of(topic, g, p, NULL)};
    if (mr_intact(topic) < 0)
        return -EIO;
    *out = info;
    return 1;
}

int mr_member_info(const struct mr_topic *topic, uint32_t idx, struct mr_member_info *out)
{
    if (idx >= topic->member_cnt)
        return -ERANGE;
    const struct mr_member_shm *member = &topic->members[idx];
    uint64_t group = load(&member->group), owner = load(&member->owner), p = load(&member->partition);
    if (!group || group > topic->group_cnt || p >= topic->partition_cnt)
        return mr_intact(topic);
    struct mr_member_info info = {
        .group_idx = (uint32_t)group - 1, .partition = (uint32_t)p, .in_hand_offset = MR_OFFSET_NONE, .acked = load(&member->acked)};
    mr_client_about(topic->bus, owner, &info.pid, info.name);
    uint64_t cursor = load(&member->cursor), end = load(&member->end), in_hand = load(&member->in_hand);
    if (cursor < end) {
        info.first_offset = offset_at(topic, info.partition, cursor);
        info.end_offset = offset_at(topic, info.partition, end);
        uint64_t since = load(&member->claimed_ns), now = mr_now_ns();
        info.held_ns = since ? minus(now, since) : 0;
        info.tries = load(&member->blamed) >= cursor && load(&member->blamed) < end ? (uint32_t)load(&member->tries) : 0;
        if (in_hand >= cursor && in_hand < end)
            info.in_hand_offset = offset_at(topic, info.partition, in_hand);
    }
    if (mr_intact(topic) < 0)
        return -EIO;
    *out = info;
    return 1;
}

int mr_producer_info(const struct mr_topic *topic, uint32_t idx, struct mr_producer_info *out)
{
    if (idx >= topic->producer_cnt)
        return -ERANGE;
    const struct mr_producer_shm *producer = &topic->producers[idx];
    uint64_t state = load(&producer->state) == 'l' ? 'd' : load(&producer->state);
    if (state != 'a' && state != 'd' && state != 'x')
        return mr_intact(topic);
    if (state == 'a' && !mr_client_alive(topic->bus, load(&producer->owner)))
        state = 'x'; /* nobody has written it down yet */
    struct mr_producer_info info = {.pid = (int32_t)load(&producer->pid),
                                    .state = (int)state,
                                    .records = load(&producer->records),
                                    .bytes = load(&producer->bytes),
                                    .blocked_ns = load(&producer->blocked_ns)};
    mr_words_load(producer->name, sizeof info.name / 8, info.name);
    if (mr_intact(topic) < 0)
        return -EIO;
    *out = info;
    return 1;
}

int mr_topic_info(const struct mr_topic *topic, struct mr_topic_info *out)
{
    const struct mr_topic_shm *shm = topic->shm;
    struct mr_topic_info info = {.created_ns = shm->created_ns,
                                 .bytes_room = topic->partition_cnt * topic->ring_bytes,
                                 .partitions = topic->partition_cnt,
                                 .producers_done = (uint32_t)load(&shm->producers_done),
                                 .producers_died = (uint32_t)load(&shm->producers_died),
                                 .repairs = load(&shm->repairs),
                                 .replays = load(&shm->replays),
                                 .sealed = load(&shm->sealed) != 0,
                                 .deleted = load(&shm->deleted) != 0};
    uint64_t waiting = 0, unread = 0;
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        struct mr_tip tip = mr_log_tip(topic, p);
        struct mr_partition_info part = {0};
        mr_partition_info(topic, p, &part);
        info.damaged |= log_damaged(topic, p);
        info.records_in += part.next_offset;
        info.bytes_in += tip.head;
        info.records_kept += minus(part.next_offset, part.first_offset);
        uint64_t from = mr_groups_limit(topic, p, load(&topic->logs[p].limit)), tail = load(&topic->logs[p].tail);
        from = from > tail ? from : tail;
        waiting += minus(tip.head, from);
        unread += minus(tip.next_offset, offset_at(topic, p, from));
    }
    info.bytes_waiting = waiting;
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        struct mr_group_info group;
        if (mr_group_info(topic, g, &group) != 1)
            continue;
        info.groups++;
        info.members += group.members;
        info.records_dropped += group.lost;
        if (group.lag > info.records_waiting)
            info.records_waiting = group.lag;
    }
    if (!info.groups)
        info.records_waiting = unread; /* that no group, here or gone, has acknowledged */
    for (uint32_t i = 0; i < topic->producer_cnt; i++) {
        struct mr_producer_info producer;
        if (mr_producer_info(topic, i, &producer) != 1)
            continue;
        if (producer.state == 'a')
            info.producers++;
        else if (producer.state == 'x' && load(&topic->producers[i].state) == 'a')
            info.producers_died++;
    }
    if (mr_intact(topic) < 0)
        return -EIO;
    *out = info;
    return 0;
}
