/* group_life.c - see group_life.h: groups made, moved, over, and their slots used again; and the
 * topic's lock, whose taker repairs what others left half done.
 *
 * The state in the segment shows what to repair. EOWNERDEAD does not: one process gets it, and may
 * die or give up before it has acted on it. */
#include "group_life.h"

#include <errno.h>
#include <string.h>

static int lock_log(struct mr_topic *topic, uint32_t p, int wait)
{
    return wait ? mr_log_lock(topic, p) : mr_log_lock_try(topic, p);
}

/* ---- making ---- */

/* Sets a group's position in every partition, each under its log's lock, so that no producer moves
 * the tail past it meanwhile. */
static int set_start(struct mr_topic *topic, uint32_t group, enum mr_start start, int64_t arg)
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

/* The first free group slot, and how many there are. */
static uint32_t free_groups(const struct mr_topic *topic, uint32_t *count)
{
    uint32_t first = topic->group_cnt;
    *count = 0;
    for (uint32_t g = topic->group_cnt; g-- > 0;)
        if (!load(&topic->groups[g].serial)) {
            first = g;
            ++*count;
        }
    return first;
}

int mr_group_make(struct mr_topic *topic, const struct mr_new_group *new_group, uint32_t *out)
{
    uint32_t count, needed = topic->group_cnt - MR_GROUPS + !new_group->moved,
                    g = free_groups(topic, &count);
    for (uint32_t i = 0; i < topic->group_cnt && count < needed; i++) {
        if (!load(&topic->groups[i].serial) || mr_group_holds(topic, i))
            continue;
        /* the sweep could not: a live process held a lock */
        int error = mr_group_free(topic, i, 1);
        if (error)
            return error;
        g = free_groups(topic, &count);
    }
    if (count < needed)
        return -EUSERS;
    struct mr_group_shm *group = &topic->groups[g];
    uint64_t serial = load(&topic->shm->serial) + 1;
    mr_words_store(group->name, (MR_GROUP_NAME_MAX + 1) / 8, new_group->name);
    /* nothing there is held back before its position is set */
    for (uint32_t p = 0; p < topic->partition_cnt; p++)
        atomic_store_explicit(&mr_group_part(topic, g, p)->committed, MR_NONE,
                              memory_order_release);
    struct mr_tx tx = mr_tx_begin(topic, &topic->shm->lock);
    mr_tx_set(&tx, &group->flags, new_group->flags | MR_GROUP_MAKING);
    mr_tx_set(&tx, &group->orphans, 0);
    mr_tx_set(&tx, &group->acked, 0);
    mr_tx_set(&tx, &group->redelivered, 0);
    mr_tx_set(&tx, &group->dead_lettered, 0);
    mr_tx_set(&tx, &group->lost, 0);
    mr_tx_set(&tx, &topic->shm->serial, serial);
    if (g >= load(&topic->shm->group_high))
        mr_tx_set(&tx, &topic->shm->group_high, g + 1);
    mr_tx_set(&tx, &group->serial, serial);
    mr_tx_commit(&tx);
    int error = set_start(topic, g, new_group->start, new_group->arg);
    if (error)
        mr_group_abandon(topic, g);
    else
        *out = g;
    return error;
}

/* A transaction of its maker that is armed in a log does no harm: replayed, it makes words of this
 * slot what the next group made here sets anew, under the same lock, and a limit lower, which is
 * looked up again. */
void mr_group_abandon(struct mr_topic *topic, uint32_t g)
{
    atomic_store_explicit(&topic->groups[g].serial, 0, memory_order_release);
    mr_cond_broadcast(&topic->shm->space);
}

/* ---- ending ---- */

int mr_group_free(struct mr_topic *topic, uint32_t g, int wait)
{
    struct mr_group_shm *group = &topic->groups[g];
    int error = wait ? mr_lock(topic, &group->lock) : mr_lock_try(topic, &group->lock);
    if (error < 0)
        return error;
    for (uint32_t i = 0; i < topic->member_cnt; i++) /* orphans of a group that was moved */
        if (load(&topic->members[i].group) == g + 1)
            atomic_store_explicit(&topic->members[i].group, 0, memory_order_release);
    mr_group_unlock(topic, g);
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        error = lock_log(topic, p, wait);
        if (error)
            return error;
        struct mr_log_shm *log = &topic->logs[p];
        uint64_t committed = load(&mr_group_part(topic, g, p)->committed);
        if (committed > load(&log->acked))
            atomic_store_explicit(&log->acked, committed, memory_order_relaxed);
        mr_unlock(&log->lock);
    }
    atomic_store_explicit(&group->serial, 0, memory_order_release);
    mr_cond_broadcast(&group->data);
    mr_cond_broadcast(&topic->shm->space);
    return 0;
}

int mr_groups_unfinished(const struct mr_topic *topic)
{
    for (uint32_t g = 0, n = mr_groups_used(topic); g < n; g++)
        if (load(&topic->groups[g].serial) &&
            (load(&topic->groups[g].flags) & (MR_GROUP_MAKING | MR_GROUP_OVER)))
            return 1;
    return 0;
}

/* ---- the topic's lock ---- */

/* With the topic's lock held: making, moving and ending go on under this lock, so what is half done
 * was left so. */
static void sweep(struct mr_topic *topic)
{
    uint32_t n = mr_groups_used(topic);
    for (uint32_t g = 0; g < n; g++)
        if (mr_group_holds(topic, g) && !mr_group_there(topic, g))
            mr_group_abandon(topic, g);
    for (uint32_t g = 0; g < n; g++)
        if (load(&topic->groups[g].serial) && !mr_group_holds(topic, g))
            mr_group_free(topic, g, 0);
}

int mr_topic_lock(struct mr_topic *topic)
{
    int error = mr_lock(topic, &topic->shm->lock);
    if (error < 0)
        return error;
    sweep(topic);
    return 0;
}

int mr_topic_lock_try(struct mr_topic *topic)
{
    int error = mr_lock_try(topic, &topic->shm->lock);
    if (error < 0)
        return error;
    sweep(topic);
    return 0;
}
