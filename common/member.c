/* member.c - see group.h: groups made and removed, members joining, leaving, giving back and dying. */
#include "group.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static inline uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
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
    int error = mr_group_lock(topic, g);
    if (error)
        return error;
    atomic_store_explicit(&topic->groups[g].serial, 0, memory_order_release);
    free_slots(topic, g);
    mr_group_unlock(topic, g);
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
            int error = mr_group_lock(topic, g);
            if (error)
                return error;
            mr_group_unlock(topic, g);
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

/* Adds to tx what makes an orphan of a slot of group g, or a free one if it holds nothing. tx->n grows by 8 at most. */
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
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++)
        if (load(&topic->members[i].group) == group + 1 && load(&topic->members[i].owner))
            return 1;
    return 0;
}

/* An existing group that is to start elsewhere: refused while members are attached, who would not know. */
static int move_group(struct mr_topic *topic, uint32_t g, enum mr_start start, int64_t arg)
{
    if (has_members(topic, g))
        return -EBUSY;
    int error = mr_group_lock(topic, g);
    if (error)
        return error;
    free_slots(topic, g); /* orphans: their records are before or after the new position like all others */
    atomic_store_explicit(&topic->groups[g].orphans, 0, memory_order_relaxed);
    error = place(topic, g, start, arg);
    mr_group_unlock(topic, g);
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
        error = mr_group_lock(topic, g);
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
            mr_tx_set(&tx, &topic->members[slot].claimed_ns, mr_about_ns());
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
    mr_group_unlock(topic, g);
unlock:
    mr_unlock(&topic->shm->lock);
    return error;
}

void mr_group_leave(struct mr_topic *topic, struct mr_seat *seat)
{
    if (mr_topic_lock(topic))
        return; /* the kernel tells others when we are gone */
    struct mr_group_shm *group = &topic->groups[seat->group];
    int go = 0;
    if (mr_group_lock(topic, seat->group) == 0) {
        if (mr_group_seated(topic, seat)) {
            go = (load(&group->flags) & MR_PRIVATE) != 0;
            struct mr_tx tx = mr_tx_begin(topic, &group->lock);
            set_left(&tx, topic, seat->member, seat->group, 0);
            mr_tx_commit(&tx);
            if (!go)
                mr_group_commit(topic, seat->group, seat->partition);
        }
        mr_group_unlock(topic, seat->group);
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
        error = mr_group_lock(topic, seat->group);
    if (error)
        goto unlock;
    if (!mr_group_seated(topic, seat)) {
        error = mr_blame(topic, -ESTALE);
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
    mr_group_unlock(topic, seat->group);
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
        int error = mr_group_lock(topic, g), found = 0;
        if (error)
            return error;
        for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
            struct mr_member_shm *member = &topic->members[i];
            if (load(&member->group) != g + 1 || load(&member->owner) != client)
                continue;
            struct mr_tx tx = mr_tx_begin(topic, &group->lock);
            set_left(&tx, topic, i, g, 1);
            mr_tx_commit(&tx);
            found = 1;
        }
        mr_group_unlock(topic, g);
        if (found && (load(&group->flags) & MR_PRIVATE))
            error = remove_group(topic, g);
        if (error)
            return error;
    }
    return 0;
}

ssize_t mr_group_purge(struct mr_topic *topic, uint32_t g)
{
    int error = mr_group_lock(topic, g);
    if (error)
        return error;
    uint64_t skipped = 0;
    for (uint32_t p = 0; p < topic->partition_cnt && load(&topic->groups[g].serial); p++) {
        struct mr_group_part_shm *part = mr_group_part(topic, g, p);
        struct mr_tip tip = mr_log_tip(topic, p);
        if (tip.next_offset == MR_NONE || tip.next_offset < load(&part->next_offset)) {
            mr_group_unlock(topic, g);
            return -EBADMSG;
        }
        skipped += tip.next_offset - load(&part->next_offset);
        struct mr_tx tx = mr_tx_begin(topic, &topic->groups[g].lock);
        mr_tx_set(&tx, &part->next, tip.head);
        mr_tx_set(&tx, &part->next_offset, tip.next_offset);
        mr_tx_commit(&tx);
        mr_group_commit(topic, g, p);
    }
    mr_group_unlock(topic, g);
    return (ssize_t)skipped;
}
