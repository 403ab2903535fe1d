/* group.c - see group.h. */
#include "group.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CLAIM_BYTES 131072u /* a claim beyond this only keeps records from other members and room from producers */

static inline uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static int group_lock(struct mr_topic *topic, uint32_t group)
{
    int error = mr_lock(topic, &topic->groups[group].lock);
    return error < 0 ? error : 0;
}

static void group_unlock(struct mr_topic *topic, uint32_t group)
{
    mr_unlock(&topic->groups[group].lock);
}

static uint32_t members_used(const struct mr_topic *topic)
{
    uint64_t high = load(&topic->shm->member_high);
    return high < topic->member_cnt ? (uint32_t)high : topic->member_cnt;
}

/* ---- committed ---- */

/* Wakes producers that wait for room, if the partition's want can be met by now. */
static void tell_producers(struct mr_topic *topic, uint32_t p, uint64_t committed)
{
    _Atomic uint64_t *want = &topic->logs[p].want;
    if (load(want) <= committed) {
        atomic_store_explicit(want, MR_NONE, memory_order_relaxed);
        mr_cond_broadcast(&topic->shm->space);
    }
}

/* Everything below the result is acknowledged: committed is stored after all that it stands for, so it may be believed without a lock. */
static void store_committed(struct mr_topic *topic, uint32_t group, uint32_t p, uint64_t low)
{
    struct mr_group_part_shm *part = mr_group_part(topic, group, p);
    if (low > load(&part->committed)) {
        atomic_store_explicit(&part->committed, low, memory_order_release);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with a producer that stores want, then looks at committed */
        tell_producers(topic, p, low);
    }
}

static uint64_t lowest(const struct mr_topic *topic, uint32_t group, uint32_t p)
{
    uint64_t low = load(&mr_group_part(topic, group, p)->next);
    for (uint32_t i = 0, n = members_used(topic); i < n; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        if (load(&member->group) != group + 1 || load(&member->partition) != p)
            continue;
        /* acquire, pairs with mr_ack: what the member read below cursor, it has read. */
        uint64_t cursor = atomic_load_explicit(&member->cursor, memory_order_acquire);
        if (cursor < load(&member->end) && cursor < low)
            low = cursor;
    }
    return low;
}

int mr_group_settle(struct mr_topic *topic, uint32_t group, uint32_t p)
{
    int error = group_lock(topic, group);
    if (error)
        return error;
    uint64_t flags = load(&topic->groups[group].flags);
    if (load(&topic->groups[group].serial) && !(flags & MR_GROUP_MAKING))
        store_committed(topic, group, p, lowest(topic, group, p));
    group_unlock(topic, group);
    return 0;
}

int mr_groups_settle(struct mr_topic *topic, uint32_t p)
{
    int error = 0;
    for (uint32_t g = 0; g < mr_groups_used(topic) && !error; g++)
        if (load(&topic->groups[g].serial))
            error = mr_group_settle(topic, g, p);
    return error;
}

uint64_t mr_groups_limit(const struct mr_topic *topic, uint32_t p, uint64_t otherwise)
{
    uint64_t limit = MR_NONE;
    for (uint32_t g = 0; g < mr_groups_used(topic); g++) {
        if (!atomic_load_explicit(&topic->groups[g].serial, memory_order_acquire))
            continue;
        /* acquire, pairs with store_committed: nobody reads below it any more. */
        uint64_t committed = atomic_load_explicit(&mr_group_part(topic, g, p)->committed, memory_order_acquire);
        if (committed < limit)
            limit = committed;
    }
    return limit == MR_NONE ? otherwise : limit;
}

void mr_groups_tell(struct mr_topic *topic)
{
    /* pairs with mr_cond_prepare: one fence for all groups. */
    atomic_thread_fence(memory_order_seq_cst);
    for (uint32_t g = 0, n = mr_groups_used(topic); g < n; g++)
        mr_cond_signal_fenced(&topic->groups[g].data, 1);
}

uint32_t mr_group_behind(const struct mr_topic *topic, uint32_t group, uint32_t p)
{
    uint32_t found = topic->member_cnt;
    uint64_t low = load(&mr_group_part(topic, group, p)->next);
    for (uint32_t i = 0, n = members_used(topic); i < n; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        uint64_t cursor = load(&member->cursor);
        if (load(&member->group) == group + 1 && load(&member->partition) == p && cursor < load(&member->end) && cursor < low) {
            low = cursor;
            found = i;
        }
    }
    return found;
}

/* ---- making and removing groups; the caller holds the topic's lock ---- */

/* Sets a group's position in every partition, each under its log's lock, so that no producer moves the tail past it meanwhile. */
static int place(struct mr_topic *topic, uint32_t group, enum mr_start start, int64_t arg)
{
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        int error = mr_log_lock(topic, p);
        if (error)
            return error;
        uint64_t pos, offset;
        error = mr_log_find(topic, p, start, arg, &pos, &offset);
        if (!error) {
            struct mr_log_shm *log = &topic->logs[p];
            struct mr_group_part_shm *part = mr_group_part(topic, group, p);
            struct mr_tx tx = mr_tx_begin(topic, &log->lock);
            mr_tx_set(&tx, &part->next, pos);
            mr_tx_set(&tx, &part->next_offset, offset);
            mr_tx_set(&tx, &part->committed, pos);
            if (pos < load(&log->limit))
                mr_tx_set(&tx, &log->limit, pos);
            mr_tx_commit(&tx);
        }
        mr_unlock(&topic->logs[p].lock);
        if (error)
            return error;
    }
    return 0;
}

static void free_slots(struct mr_topic *topic, uint32_t group)
{
    for (uint32_t i = 0; i < topic->member_cnt; i++)
        if (load(&topic->members[i].group) == group + 1)
            atomic_store_explicit(&topic->members[i].group, 0, memory_order_release);
}

static int make_group(struct mr_topic *topic, uint32_t g, const char *name, uint64_t flags, enum mr_start start, int64_t arg)
{
    struct mr_group_shm *group = &topic->groups[g];
    uint64_t serial = load(&topic->shm->serial) + 1;
    free_slots(topic, g); /* of a group whose remover was killed half way */
    mr_words_store(group->name, (MR_GROUP_NAME_MAX + 1) / 8, name);
    for (uint32_t p = 0; p < topic->partition_cnt; p++)
        atomic_store_explicit(&mr_group_part(topic, g, p)->committed, 0, memory_order_relaxed);
    struct mr_tx tx = mr_tx_begin(topic, &topic->shm->lock);
    mr_tx_set(&tx, &group->flags, flags | MR_GROUP_MAKING);
    mr_tx_set(&tx, &group->orphans, 0);
    mr_tx_set(&tx, &group->acked, 0);
    mr_tx_set(&tx, &group->redelivered, 0);
    mr_tx_set(&tx, &group->dead_lettered, 0);
    mr_tx_set(&tx, &group->lost, 0);
    mr_tx_set(&tx, &topic->shm->serial, serial);
    if (g >= load(&topic->shm->group_high))
        mr_tx_set(&tx, &topic->shm->group_high, g + 1);
    mr_tx_set(&tx, &group->serial, serial); /* from here on its zero positions hold every limit down */
    mr_tx_commit(&tx);
    int error = place(topic, g, start, arg);
    atomic_store_explicit(error ? &group->serial : &group->flags, error ? 0 : flags, memory_order_release);
    return error;
}

static int remove_group(struct mr_topic *topic, uint32_t g)
{
    /* What this group has acknowledged stays acknowledged if it was the last one: the limits remember it. */
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        int error = mr_group_settle(topic, g, p);
        if (!error)
            error = mr_log_lock(topic, p);
        if (error)
            return error;
        struct mr_log_shm *log = &topic->logs[p];
        atomic_store_explicit(&log->limit, mr_groups_limit(topic, p, load(&log->limit)), memory_order_relaxed);
        mr_unlock(&log->lock);
    }
    int error = group_lock(topic, g);
    if (error)
        return error;
    atomic_store_explicit(&topic->groups[g].serial, 0, memory_order_release);
    free_slots(topic, g);
    group_unlock(topic, g);
    mr_cond_broadcast(&topic->groups[g].data);
    mr_cond_broadcast(&topic->shm->space);
    return 0;
}

/* ---- joining and leaving ---- */

/* Finds a slot that is free and stays so: *slot, member_cnt if there is none. The caller holds the topic's lock and no group's. A transaction
 * that frees or fills a slot may still be armed, its owner dead; replayed later it would take the slot from whoever has it then. So armed
 * logs are finished first, and the slot is looked at again. Ends: each turn means that such a log has filled the slot. */
static int free_slot(struct mr_topic *topic, uint32_t *slot)
{
    for (uint32_t i = 0;; i++) {
        while (i < topic->member_cnt && load(&topic->members[i].group))
            i++;
        for (uint32_t g = 0, n = mr_groups_used(topic); g < n; g++) {
            if (!atomic_load_explicit(&topic->groups[g].lock.redo.armed, memory_order_acquire))
                continue;
            int error = group_lock(topic, g);
            if (error)
                return error;
            group_unlock(topic, g);
        }
        if (i == topic->member_cnt || !load(&topic->members[i].group)) {
            *slot = i;
            return 0;
        }
    }
}

/* The words of a slot that starts empty. With the topic's lock and the group's lock held. */
static void set_empty(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot, uint32_t group)
{
    struct mr_member_shm *member = &topic->members[slot];
    mr_tx_set(tx, &member->partition, 0);
    mr_tx_set(tx, &member->cursor, 0);
    mr_tx_set(tx, &member->end, 0);
    mr_tx_set(tx, &member->in_hand, MR_NONE);
    mr_tx_set(tx, &member->blamed, MR_NONE);
    mr_tx_set(tx, &member->tries, 0);
    mr_tx_set(tx, &member->acked, 0);
    mr_tx_set(tx, &member->moving, MR_NONE);
    mr_tx_set(tx, &member->owner, topic->bus->self);
    mr_tx_set(tx, &member->group, group + 1);
    if (slot >= load(&topic->shm->member_high))
        mr_tx_set(tx, &topic->shm->member_high, slot + 1);
}

/* Adds to tx what makes an orphan of a slot of group g, or a free one if it holds nothing. tx->n grows by 6 at most. */
static void set_left(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot, uint32_t g, int died)
{
    struct mr_member_shm *member = &topic->members[slot];
    struct mr_group_shm *group = &topic->groups[g];
    uint64_t cursor = load(&member->cursor), end = load(&member->end), in_hand = load(&member->in_hand);
    mr_tx_set(tx, &group->acked, load(&group->acked) + load(&member->acked));
    if (cursor >= end) {
        mr_tx_set(tx, &member->group, 0);
        return;
    }
    mr_tx_set(tx, &member->acked, 0);
    mr_tx_set(tx, &member->owner, 0);
    mr_tx_set(tx, &member->in_hand, MR_NONE);
    mr_tx_set(tx, &group->orphans, load(&group->orphans) + 1);
    if (died && in_hand >= cursor && in_hand < end) {
        mr_tx_set(tx, &member->tries, load(&member->blamed) == in_hand ? load(&member->tries) + 1 : 1);
        mr_tx_set(tx, &member->blamed, in_hand);
        mr_tx_set(tx, &member->failed_pid, mr_client_pid(topic->bus, load(&member->owner)));
    }
}

static uint32_t find_group(const struct mr_topic *topic, const char *name)
{
    char text[MR_GROUP_NAME_MAX + 1];
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        if (!load(&topic->groups[g].serial))
            continue;
        mr_words_load(topic->groups[g].name, sizeof text / 8, text);
        if (strcmp(text, name) == 0)
            return g;
    }
    return topic->group_cnt;
}

static int has_members(const struct mr_topic *topic, uint32_t group)
{
    for (uint32_t i = 0, n = members_used(topic); i < n; i++)
        if (load(&topic->members[i].group) == group + 1 && load(&topic->members[i].owner))
            return 1;
    return 0;
}

/* An existing group that is to start elsewhere: refused while members are attached, who would not know. */
static int move_group(struct mr_topic *topic, uint32_t g, enum mr_start start, int64_t arg)
{
    if (has_members(topic, g))
        return -EBUSY;
    int error = group_lock(topic, g);
    if (error)
        return error;
    free_slots(topic, g); /* orphans: their records are before or after the new position like all others */
    atomic_store_explicit(&topic->groups[g].orphans, 0, memory_order_relaxed);
    error = place(topic, g, start, arg);
    group_unlock(topic, g);
    return error;
}

int mr_group_join(struct mr_topic *topic, const char *name, uint32_t flags, enum mr_start start, int64_t arg, struct mr_seat *seat)
{
    char private_name[MR_GROUP_NAME_MAX + 1];
    mr_topic_reap_dead(topic);
    int error = mr_topic_lock(topic);
    if (error)
        return error;
    if (flags & MR_PRIVATE) {
        snprintf(private_name, sizeof private_name, "private-%ld-%llu", (long)getpid(), (unsigned long long)load(&topic->shm->serial) + 1);
        name = private_name;
    }
    uint32_t g = find_group(topic, name);
    if (g == topic->group_cnt) {
        for (g = 0; g < topic->group_cnt && load(&topic->groups[g].serial); g++)
            ;
        error = g == topic->group_cnt ? -EUSERS : make_group(topic, g, name, flags & (MR_PRIVATE | MR_ORDERED), start, arg);
    } else if (start != MR_START_STORED) {
        error = move_group(topic, g, start, arg);
    }
    if (error)
        goto unlock;

    uint32_t slot;
    error = free_slot(topic, &slot);
    if (!error)
        error = group_lock(topic, g);
    if (error)
        goto unlock;
    struct mr_group_shm *group = &topic->groups[g];
    /* In the group's log, not the topic's: whoever next looks at the group's words takes the group's lock. */
    struct mr_tx tx = mr_tx_begin(topic, &group->lock);
    if (slot < topic->member_cnt) {
        set_empty(&tx, topic, slot, g);
    } else {
        /* All slots are taken; one that is an orphan of this group can be taken over as it is. */
        for (slot = 0; slot < topic->member_cnt; slot++)
            if (load(&topic->members[slot].group) == g + 1 && !load(&topic->members[slot].owner))
                break;
        if (slot == topic->member_cnt) {
            error = -EUSERS;
        } else if (load(&topic->members[slot].partition) >= topic->partition_cnt) {
            error = -EBADMSG;
        } else {
            mr_tx_set(&tx, &topic->members[slot].owner, topic->bus->self);
            mr_tx_set(&tx, &topic->members[slot].claimed_ns, mr_now_ns());
            mr_tx_set(&tx, &group->orphans, load(&group->orphans) - 1);
        }
    }
    if (!error) {
        mr_tx_commit(&tx);
        *seat = (struct mr_seat){.group = g,
                                 .member = slot,
                                 .serial = load(&group->serial),
                                 .partition = (uint32_t)load(&topic->members[slot].partition),
                                 .begin = load(&topic->members[slot].cursor),
                                 .end = load(&topic->members[slot].end),
                                 .begin_offset = MR_NONE,
                                 .end_offset = MR_NONE};
    }
    group_unlock(topic, g);
unlock:
    mr_unlock(&topic->shm->lock);
    return error;
}

/* Still this member of this group? With the group's lock held. */
static int seated(const struct mr_topic *topic, const struct mr_seat *seat)
{
    return load(&topic->groups[seat->group].serial) == seat->serial && load(&topic->members[seat->member].group) == seat->group + 1 &&
           load(&topic->members[seat->member].owner) == topic->bus->self;
}

void mr_group_leave(struct mr_topic *topic, struct mr_seat *seat)
{
    if (mr_topic_lock(topic))
        return; /* the kernel tells others when we are gone */
    struct mr_group_shm *group = &topic->groups[seat->group];
    int go = 0;
    if (group_lock(topic, seat->group) == 0) {
        if (seated(topic, seat)) {
            go = (load(&group->flags) & MR_PRIVATE) != 0;
            struct mr_tx tx = mr_tx_begin(topic, &group->lock);
            set_left(&tx, topic, seat->member, seat->group, 0);
            mr_tx_commit(&tx);
            if (!go)
                store_committed(topic, seat->group, seat->partition, lowest(topic, seat->group, seat->partition));
        }
        group_unlock(topic, seat->group);
        if (go)
            remove_group(topic, seat->group);
    }
    mr_unlock(&topic->shm->lock);
    mr_cond_broadcast(&group->data);
    mr_cond_broadcast(&topic->shm->space);
}

int mr_group_give_back(struct mr_topic *topic, struct mr_seat *seat)
{
    int error = mr_topic_lock(topic);
    if (error)
        return error;
    struct mr_group_shm *group = &topic->groups[seat->group];
    uint32_t slot;
    error = free_slot(topic, &slot);
    if (!error)
        error = group_lock(topic, seat->group);
    if (error)
        goto unlock;
    if (!seated(topic, seat)) {
        error = mr_intact(topic) < 0 ? -EIO : -ESTALE;
    } else if (load(&topic->members[seat->member].cursor) >= load(&topic->members[seat->member].end)) {
        error = 0;
    } else if (slot == topic->member_cnt) {
        error = -EUSERS;
    } else {
        struct mr_tx tx = mr_tx_begin(topic, &group->lock);
        set_left(&tx, topic, seat->member, seat->group, 0);
        set_empty(&tx, topic, slot, seat->group);
        mr_tx_commit(&tx);
        seat->member = slot;
        seat->begin = seat->end = 0;
    }
    group_unlock(topic, seat->group);
unlock:
    mr_unlock(&topic->shm->lock);
    if (!error)
        mr_cond_signal(&group->data, 1);
    return error;
}

int mr_groups_orphan(struct mr_topic *topic, uint64_t client)
{
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        struct mr_group_shm *group = &topic->groups[g];
        if (!load(&group->serial))
            continue;
        int error = group_lock(topic, g), found = 0;
        if (error)
            return error;
        for (uint32_t i = 0, n = members_used(topic); i < n; i++) {
            struct mr_member_shm *member = &topic->members[i];
            if (load(&member->group) != g + 1 || load(&member->owner) != client)
                continue;
            struct mr_tx tx = mr_tx_begin(topic, &group->lock);
            set_left(&tx, topic, i, g, 1);
            mr_tx_commit(&tx);
            found = 1;
        }
        group_unlock(topic, g);
        if (found && (load(&group->flags) & MR_PRIVATE))
            error = remove_group(topic, g);
        if (error)
            return error;
    }
    return 0;
}

ssize_t mr_group_purge(struct mr_topic *topic, uint32_t g)
{
    int error = group_lock(topic, g);
    if (error)
        return error;
    uint64_t skipped = 0;
    for (uint32_t p = 0; p < topic->partition_cnt && load(&topic->groups[g].serial); p++) {
        struct mr_group_part_shm *part = mr_group_part(topic, g, p);
        struct mr_tip tip = mr_log_tip(topic, p);
        if (tip.next_offset == MR_NONE || tip.next_offset < load(&part->next_offset)) {
            group_unlock(topic, g);
            return -EBADMSG;
        }
        skipped += tip.next_offset - load(&part->next_offset);
        struct mr_tx tx = mr_tx_begin(topic, &topic->groups[g].lock);
        mr_tx_set(&tx, &part->next, tip.head);
        mr_tx_set(&tx, &part->next_offset, tip.next_offset);
        mr_tx_commit(&tx);
        store_committed(topic, g, p, lowest(topic, g, p));
    }
    group_unlock(topic, g);
    return (ssize_t)skipped;
}

/* ---- claiming ---- */

struct scan {
    uint64_t members; /* attached, more or less: a dead one counts until it is reaped */
    uint32_t orphan;  /* a slot to take over, or member_cnt */
    uint64_t busy[MR_PARTITIONS_MAX / 64]; /* partitions with a claim */
};

static void look(const struct mr_topic *topic, const struct mr_seat *seat, const uint64_t *until, struct scan *scan)
{
    scan->members = 0;
    scan->orphan = topic->member_cnt;
    memset(scan->busy, 0, sizeof scan->busy);
    for (uint32_t i = 0, n = members_used(topic); i < n; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        if (load(&member->group) != seat->group + 1)
            continue;
        uint64_t p = load(&member->partition), cursor = load(&member->cursor), owner = load(&member->owner);
        scan->members += owner != 0;
        if (cursor >= load(&member->end) || p >= topic->partition_cnt)
            continue;
        scan->busy[p / 64] |= (uint64_t)1 << p % 64;
        if (!owner && scan->orphan == topic->member_cnt && (!until || cursor < until[p]))
            scan->orphan = i;
    }
}

/* Returns 2; -EBADMSG the orphan names a partition that does not exist. */
static int adopt(struct mr_topic *topic, struct mr_seat *seat, uint32_t orphan)
{
    struct mr_group_shm *group = &topic->groups[seat->group];
    struct mr_member_shm *own = &topic->members[seat->member], *slot = &topic->members[orphan];
    uint64_t p = load(&slot->partition);
    if (p >= topic->partition_cnt)
        return -EBADMSG;
    struct mr_tx tx = mr_tx_begin(topic, &group->lock);
    mr_tx_set(&tx, &slot->owner, topic->bus->self);
    mr_tx_set(&tx, &slot->claimed_ns, mr_now_ns());
    mr_tx_set(&tx, &group->orphans, load(&group->orphans) - 1);
    mr_tx_set(&tx, &group->acked, load(&group->acked) + load(&own->acked));
    mr_tx_set(&tx, &own->group, 0);
    mr_tx_commit(&tx);
    seat->member = orphan;
    seat->partition = (uint32_t)p;
    seat->begin = load(&slot->cursor);
    seat->end = load(&slot->end);
    seat->begin_offset = seat->end_offset = MR_NONE;
    return 2;
}

/* Where a claim of at most n records from next ends, and the offset there. Indexed boundaries save looking at each record. */
static int claim_end(struct mr_topic *topic, uint32_t p, uint64_t next, uint64_t next_offset, struct mr_tip tip, uint64_t n, uint64_t *end,
                     uint64_t *end_offset)
{
    if (tip.next_offset - next_offset <= n && tip.head - next <= CLAIM_BYTES) {
        *end = tip.head;
        *end_offset = tip.next_offset;
        return 0;
    }
    uint64_t offset;
    if (topic->full != MR_FULL_DROP_OLDEST) /* there the index may be overwritten while we look */
        for (uint64_t ahead = MR_INDEX_STEP; ahead > 1; ahead = ahead == MR_INDEX_STEP ? 1 : 0) {
            uint64_t at = mr_log_index_at(topic, p, next + ahead, tip.head, &offset);
            if (at != MR_NONE && at - next <= CLAIM_BYTES && offset - next_offset <= n && offset - next_offset >= n / 2) {
                *end = at;
                *end_offset = offset;
                return 0;
            }
        }
    const unsigned char *ring = mr_topic_ring(topic, p);
    if (!ring)
        return -ENOMEM;
    uint64_t pos = next, bytes;
    struct mr_record_shm r;
    for (offset = next_offset; pos < tip.head && offset - next_offset < n; pos += bytes, offset++) {
        bytes = mr_log_header(topic, ring, pos, tip.head, &r);
        if (!bytes)
            return -EBADMSG;
        if (pos > next && pos + bytes - next > CLAIM_BYTES)
            break;
    }
    *end = pos;
    *end_offset = offset;
    return 0;
}

/* Takes [next, ...) of partition p for the seat. Returns 1; 0 nothing there; -EBADMSG. */
static int take(struct mr_topic *topic, struct mr_seat *seat, uint32_t p, uint64_t until, uint64_t max, uint64_t members)
{
    struct mr_group_shm *group = &topic->groups[seat->group];
    struct mr_group_part_shm *part = mr_group_part(topic, seat->group, p);
    struct mr_member_shm *own = &topic->members[seat->member];
    uint64_t next = load(&part->next), next_offset = load(&part->next_offset), lost = 0;
    if (atomic_load_explicit(&topic->logs[p].head, memory_order_acquire) == next || next >= until)
        return 0;
    struct mr_tip tip = mr_log_tip(topic, p);
    uint64_t tail = atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire);
    if (next < tail) { /* drop-oldest: overwritten before anyone took it */
        uint64_t tail_offset = mr_log_offset(topic, p, tail);
        if (tail_offset == MR_NONE || tail_offset < next_offset) /* overwritten again while we looked: the next try sees more */
            return atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire) == tail ? -EBADMSG : 0;
        lost = tail_offset - next_offset;
        next = tail;
        next_offset = tail_offset;
        if (next >= until) { /* all that this seat was to take */
            struct mr_tx tx = mr_tx_begin(topic, &group->lock);
            mr_tx_set(&tx, &part->next, next);
            mr_tx_set(&tx, &part->next_offset, next_offset);
            mr_tx_set(&tx, &group->lost, load(&group->lost) + lost);
            mr_tx_commit(&tx);
            seat->lost += lost;
            return 0;
        }
    }
    /* A share, not all there is: what one takes the others cannot. (Guided self-scheduling: remaining / workers, Polychronopoulos and
     * Kuck, 1987.) */
    uint64_t share = members > 1 ? (tip.next_offset - next_offset + members - 1) / members : max;
    uint64_t n = share < 1 ? 1 : share < max ? share : max, end, end_offset;
    int error = claim_end(topic, p, next, next_offset, tip, n, &end, &end_offset);
    if (error && atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire) > next)
        return 0; /* drop-oldest: lapped while looking */
    if (error)
        return error;
    if (end > until) { /* the pinned end lies inside: it is a record boundary, and rare enough to count its records by hand */
        end = until;
        end_offset = mr_log_offset(topic, p, until);
        if (end_offset == MR_NONE)
            return -EBADMSG;
    }
    struct mr_tx tx = mr_tx_begin(topic, &group->lock);
    mr_tx_set(&tx, &own->partition, p);
    mr_tx_set(&tx, &own->cursor, next);
    mr_tx_set(&tx, &own->end, end);
    mr_tx_set(&tx, &own->in_hand, MR_NONE);
    mr_tx_set(&tx, &own->blamed, MR_NONE);
    mr_tx_set(&tx, &own->tries, 0);
    mr_tx_set(&tx, &own->claimed_ns, mr_now_ns());
    mr_tx_set(&tx, &part->next, end);
    mr_tx_set(&tx, &part->next_offset, end_offset);
    if (lost)
        mr_tx_set(&tx, &group->lost, load(&group->lost) + lost);
    mr_tx_commit(&tx);
    seat->partition = p;
    seat->begin = next;
    seat->end = end;
    seat->begin_offset = next_offset;
    seat->end_offset = end_offset;
    seat->lost += lost;
    return 1;
}

int mr_group_claim(struct mr_topic *topic, struct mr_seat *seat, const uint64_t *until, uint64_t max)
{
    struct mr_group_shm *group = &topic->groups[seat->group];
    int error = group_lock(topic, seat->group);
    if (error)
        return error;
    if (!seated(topic, seat)) {
        group_unlock(topic, seat->group);
        return -ESTALE;
    }
    struct scan scan;
    look(topic, seat, until, &scan);
    int claimed = 0, more = 0, ordered = (load(&group->flags) & MR_ORDERED) != 0;
    uint32_t before = seat->partition;
    seat->in_turn = 0;
    if (scan.orphan < topic->member_cnt)
        claimed = adopt(topic, seat, scan.orphan);
    for (uint32_t i = 0, p = before; i < topic->partition_cnt && claimed == 0; i++) {
        p = p + 1 < topic->partition_cnt ? p + 1 : 0; /* round robin: the one after the last first */
        if (ordered && (scan.busy[p / 64] >> p % 64 & 1)) {
            seat->in_turn = 1;
            continue;
        }
        claimed = take(topic, seat, p, until ? until[p] : MR_NONE, max, scan.members);
    }
    /* Our last claim is done, and may have been what held the group up. */
    store_committed(topic, seat->group, before, lowest(topic, seat->group, before));
    if (claimed > 0)
        more = load(&group->orphans) != 0 ||
               atomic_load_explicit(&topic->logs[seat->partition].head, memory_order_relaxed) !=
                   load(&mr_group_part(topic, seat->group, seat->partition)->next);
    group_unlock(topic, seat->group);
    if (more)
        mr_cond_signal(&group->data, 1); /* a producer wakes one member; who finds more than its share wakes the next */
    return claimed;
}
