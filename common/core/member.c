/* member.c - see member.h. */
#include "member.h"
#include "group_life.h"
#include "reap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- joining and leaving ---- */

/* Finds a slot that is free and stays so: *slot, member_cnt if there is none. The caller holds the
 * topic's lock and no group's. A transaction that frees or fills a slot may still be armed, its
 * owner dead; replayed later it would take the slot from its next owner. So armed logs are
 * finished first, and the slot is looked at again. Ends: each turn means that such a log has filled
 * the slot. */
int mr_slot_free(struct mr_topic *topic, uint32_t *slot)
{
    for (uint32_t i = 0;; i++) {
        /* acquire: what is armed is looked at after the slot. */
        while (i < topic->member_cnt &&
               atomic_load_explicit(&topic->members[i].group, memory_order_acquire))
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

/* See member.h for why this comes before the slot's own words. */
void mr_slot_high(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot)
{
    if (slot >= load(&topic->shm->member_high))
        mr_tx_set(tx, &topic->shm->member_high, slot + 1);
}

/* The words of a slot that starts empty. With the topic's lock and the group's lock held. */
static void set_empty(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot, uint32_t group)
{
    struct mr_member_shm *member = &topic->members[slot];
    mr_slot_high(tx, topic, slot);
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
}

/* A group that can be joined by name; group_cnt if there is none. */
static uint32_t find_group(const struct mr_topic *topic, const char *name)
{
    char text[MR_GROUP_NAME_MAX + 1];
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        if (!mr_group_there(topic, g) || (load(&topic->groups[g].flags) & MR_PRIVATE))
            continue;
        mr_words_load(topic->groups[g].name, sizeof text / 8, text);
        if (strcmp(text, name) == 0)
            return g;
    }
    return topic->group_cnt;
}

/* 1 a member is attached; 0 none, as those that have died leave their slots now; or a negative
 * errno. */
static int has_members(struct mr_topic *topic, uint32_t group)
{
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
        uint64_t owner = load(&topic->members[i].owner);
        if (load(&topic->members[i].group) != group + 1 || !owner)
            continue;
        int alive = mr_client_alive(topic->bus, owner);
        if (alive)
            return alive;
        int error = mr_groups_orphan(topic, owner, 1);
        if (error)
            return error;
    }
    return 0;
}

/* A group slot to join: one that is there, or one in the making, to start anew or to take the place
 * of `old`. */
struct target {
    uint32_t group, old; /* old: group_cnt, or the group that is to be moved */
    int making;
};

static int find_target(struct mr_topic *topic, const char *name, uint64_t flags,
                       enum mr_start start, int64_t arg, struct target *out)
{
    char private_name[MR_GROUP_NAME_MAX + 1];
    uint32_t none = topic->group_cnt, old = none, g = none;
    if (flags & MR_PRIVATE) {
        /* mr_name_check refuses this name, so no client can ask for it. */
        snprintf(private_name, sizeof private_name, "private:%ld:%llu", (long)getpid(),
                 (unsigned long long)load(&topic->shm->serial) + 1);
        name = private_name;
    } else {
        g = find_group(topic, name);
    }
    if (g < none && start == MR_START_STORED) {
        *out = (struct target){.group = g, .old = none};
        return 0;
    }
    if (g < none) {
        /* Its lock once: what a dead holder had armed in its log is finished before the group is
         * looked at, and is over. */
        int error = mr_group_lock(topic, g);
        if (error)
            return error;
        mr_group_unlock(topic, g);
        error = has_members(topic, g); /* members do not expect their positions to move */
        if (error)
            return error < 0 ? error : -EBUSY;
        flags = load(&topic->groups[g].flags);
        old = g;
    }
    int error = mr_group_make(topic,
                              &(struct mr_new_group){.name = name,
                                                     .flags = flags & (MR_PRIVATE | MR_ORDERED),
                                                     .start = start,
                                                     .arg = arg,
                                                     .moved = old < none},
                              &g);
    if (!error)
        *out = (struct target){.group = g, .old = old, .making = 1};
    return error;
}

/* What the group has counted goes on under its new positions. No process looks at a group in
 * the making: plain stores. */
static void carry_counts(struct mr_topic *topic, uint32_t from, uint32_t to)
{
    struct mr_group_shm *old = &topic->groups[from], *group = &topic->groups[to];
    atomic_store_explicit(&group->acked, load(&old->acked), memory_order_relaxed);
    atomic_store_explicit(&group->redelivered, load(&old->redelivered), memory_order_relaxed);
    atomic_store_explicit(&group->dead_lettered, load(&old->dead_lettered), memory_order_relaxed);
    atomic_store_explicit(&group->lost, load(&old->lost), memory_order_relaxed);
}

/* The first orphan of a group; member_cnt if there is none. */
static uint32_t find_orphan(const struct mr_topic *topic, uint32_t group)
{
    uint32_t slot = 0;
    while (slot < topic->member_cnt &&
           (load(&topic->members[slot].group) != group + 1 || load(&topic->members[slot].owner)))
        slot++;
    return slot;
}

/* Adds to tx what makes us a member of the target's group, in a slot that is free or, if none is,
 * an orphan's. With the topic's and the group's lock held. Returns 0 with *slot and its claim's
 * *partition, which is not to be read again: a broken process may store there at any time; -EUSERS;
 * -EBADMSG. */
static int set_joined(struct mr_tx *tx, struct mr_topic *topic, const struct target *target,
                      uint32_t *slot, uint32_t *partition)
{
    struct mr_group_shm *group = &topic->groups[target->group];
    if (target->old < topic->group_cnt) {
        _Atomic uint64_t *flags = &topic->groups[target->old].flags;
        /* first: half done, it is seen to be so */
        mr_tx_set(tx, flags, load(flags) | MR_GROUP_OVER);
        if (*slot == topic->member_cnt)
            *slot = find_orphan(topic, target->old); /* it goes with the old positions */
    }
    if (*slot < topic->member_cnt) {
        set_empty(tx, topic, *slot, target->group);
        *partition = 0;
    } else {
        *slot = find_orphan(topic, target->group); /* taken over as it is */
        if (*slot == topic->member_cnt)
            return -EUSERS;
        uint64_t p = load(&topic->members[*slot].partition);
        if (p >= topic->partition_cnt)
            return -EBADMSG;
        *partition = (uint32_t)p;
        mr_tx_set(tx, &topic->members[*slot].owner, topic->bus->self);
        mr_tx_set(tx, &topic->members[*slot].claimed_ns, mr_about_ns());
        mr_tx_set(tx, &topic->members[*slot].in_hand, MR_NONE);
        mr_tx_set(tx, &group->orphans, load(&group->orphans) - 1);
    }
    return 0;
}

/* Records that a dead-letter topic did not take are due at once for a newcomer, which may have come
 * because that topic takes records again.
 * With the group's lock held. */
static void unpark(struct mr_topic *topic, uint32_t group)
{
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++)
        if (load(&topic->members[i].group) == group + 1 &&
            load(&topic->members[i].in_hand) == MR_PARKED)
            atomic_store_explicit(&topic->members[i].claimed_ns, 0, memory_order_relaxed);
}

/* Takes a member slot of the target's group. In the group's log, so that the next to look at the
 * group's words finishes it; but in the topic's log if it makes a group live: until that is
 * finished no slot of a group may be used again, and no group joined by what its flags say, and
 * both go on under the topic's lock. */
static int join(struct mr_topic *topic, const struct target *target, struct mr_seat *seat)
{
    uint32_t slot, partition, g = target->group;
    int error = mr_slot_free(topic, &slot);
    if (!error)
        error = mr_group_lock(topic, g);
    if (error)
        return error;
    struct mr_group_shm *group = &topic->groups[g];
    if (target->old < topic->group_cnt)
        carry_counts(topic, target->old, g);
    struct mr_tx tx = mr_tx_begin(topic, target->making ? &topic->shm->lock : &group->lock);
    error = set_joined(&tx, topic, target, &slot, &partition);
    if (!error) {
        if (target->making)
            mr_tx_set(&tx, &group->flags, load(&group->flags) & ~(uint64_t)MR_GROUP_MAKING);
        mr_tx_commit(&tx);
        unpark(topic, g);
        *seat = (struct mr_seat){.group = g,
                                 .member = slot,
                                 .serial = load(&group->serial),
                                 .partition = partition,
                                 .begin = load(&topic->members[slot].cursor),
                                 .end = load(&topic->members[slot].end),
                                 .begin_offset = MR_NONE,
                                 .end_offset = MR_NONE};
    }
    mr_group_unlock(topic, g);
    return error;
}

int mr_group_join(struct mr_topic *topic, const char *name, uint32_t flags, enum mr_start start,
                  int64_t arg, struct mr_seat *seat)
{
    struct target target;
    mr_topic_reap_dead(topic);
    int error = mr_topic_lock(topic);
    if (error)
        return error;
    error = find_target(topic, name, flags, start, arg, &target);
    if (!error) {
        error = join(topic, &target, seat);
        if (error && target.making)
            mr_group_abandon(topic, target.group);
        else if (!error && target.old < topic->group_cnt)
            mr_group_free(topic, target.old, 0);
    }
    mr_unlock(&topic->shm->lock);
    return error;
}

/* We cannot wait for the lock that leaving takes: the slot is handed over as a dead member's would
 * be, without blame. */
static void leave_unlocked(struct mr_topic *topic, const struct mr_seat *seat)
{
    struct mr_member_shm *member = &topic->members[seat->member];
    uint64_t self = topic->bus->self;
    if (!mr_group_seated(topic, seat))
        return;
    atomic_store_explicit(&member->in_hand, MR_NONE, memory_order_release);
    atomic_compare_exchange_strong_explicit(&member->owner, &self, MR_CLIENT_GONE,
                                            memory_order_release, memory_order_relaxed);
}

void mr_group_leave(struct mr_topic *topic, struct mr_seat *seat)
{
    struct mr_group_shm *group = &topic->groups[seat->group];
    int error = mr_topic_lock(topic);
    if (!error) {
        error = mr_group_lock(topic, seat->group);
        if (!error && mr_group_seated(topic, seat)) {
            int last = (load(&group->flags) & MR_PRIVATE) != 0;
            struct mr_tx tx = mr_tx_begin(topic, &group->lock);
            if (last)
                mr_slot_over(&tx, topic, seat->member, seat->group);
            else
                mr_slot_left(&tx, topic, seat->member, seat->group, 0);
            mr_tx_commit(&tx);
            if (!last)
                mr_group_commit(topic, seat->group, seat->partition);
        }
        if (!error)
            mr_group_unlock(topic, seat->group);
        if (!error && !mr_group_holds(topic, seat->group))
            mr_group_free(topic, seat->group, 0);
        mr_unlock(&topic->shm->lock);
    }
    if (error && mr_intact(topic) == 0)
        leave_unlocked(topic, seat);
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
    error = mr_slot_free(topic, &slot);
    if (!error)
        error = mr_group_lock(topic, seat->group);
    if (error)
        goto unlock;
    if (!mr_group_seated(topic, seat)) {
        error = mr_topic_error(topic, -ESTALE);
    } else if (load(&topic->members[seat->member].cursor) >=
               load(&topic->members[seat->member].end)) {
        error = 0;
    } else if (slot == topic->member_cnt) {
        error = -EUSERS;
    } else {
        struct mr_tx tx = mr_tx_begin(topic, &group->lock);
        mr_slot_left(&tx, topic, seat->member, seat->group, 0);
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
