/* reap.c - see reap.h. */
#include "reap.h"
#include "group_life.h"

/* Adds to tx what makes an orphan of a slot of group g, or a free one if it holds nothing. tx->n
 * grows by 8 at most. */
void mr_slot_left(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot, uint32_t g, int died)
{
    struct mr_member_shm *member = &topic->members[slot];
    struct mr_group_shm *group = &topic->groups[g];
    uint64_t cursor = load(&member->cursor), end = load(&member->end),
             in_hand = load(&member->in_hand);
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
        mr_tx_set(tx, &member->tries,
                  load(&member->blamed) == in_hand ? load(&member->tries) + 1 : 1);
        mr_tx_set(tx, &member->blamed, in_hand);
        mr_tx_set(tx, &member->failed_pid, mr_client_pid(topic->bus, load(&member->owner)));
    }
}

/* Adds to tx the end of a private group with its only member, what that held included. With the
 * topic's and the group's lock held. */
void mr_slot_over(struct mr_tx *tx, struct mr_topic *topic, uint32_t slot, uint32_t g)
{
    struct mr_member_shm *member = &topic->members[slot];
    struct mr_group_shm *group = &topic->groups[g];
    for (uint32_t p = 0; p < topic->partition_cnt; p++) /* the last time that it can be looked up */
        if (load(&mr_group_part(topic, g, p)->committed) != load(&mr_group_part(topic, g, p)->next))
            mr_group_commit(topic, g, p);
    mr_tx_set(tx, &group->acked, load(&group->acked) + load(&member->acked));
    /* first: no private group without a member is live */
    mr_tx_set(tx, &group->flags, load(&group->flags) | MR_GROUP_OVER);
    mr_tx_set(tx, &member->group, 0);
}

static int has_slot(const struct mr_topic *topic, uint32_t g, uint64_t client)
{
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++)
        if (load(&topic->members[i].group) == g + 1 && load(&topic->members[i].owner) == client)
            return 1;
    return 0;
}

int mr_groups_orphan(struct mr_topic *topic, uint64_t client, int wait)
{
    int left_out = 0;
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        struct mr_group_shm *group = &topic->groups[g];
        if (!mr_group_there(topic, g) || !has_slot(topic, g, client))
            continue;
        int error = wait ? mr_lock(topic, &group->lock) : mr_lock_try(topic, &group->lock);
        if (error < 0) {
            left_out = error;
            continue;
        }
        for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
            struct mr_member_shm *member = &topic->members[i];
            if (load(&member->group) != g + 1 || load(&member->owner) != client)
                continue;
            struct mr_tx tx = mr_tx_begin(topic, &group->lock);
            if (load(&group->flags) & MR_PRIVATE)
                mr_slot_over(&tx, topic, i, g);
            else
                mr_slot_left(&tx, topic, i, g, 1);
            mr_tx_commit(&tx);
        }
        mr_group_unlock(topic, g);
        if (!mr_group_holds(topic, g))
            mr_group_free(topic, g, 0);
    }
    return left_out;
}

/* What a client has in a topic: bit 0 a producer, bit 1 a member. Lock-free. */
static int holdings(const struct mr_topic *topic, uint64_t client)
{
    int found = 0;
    for (uint32_t i = 0, n = mr_producers_used(topic); i < n; i++)
        if (atomic_load_explicit(&topic->producers[i].state, memory_order_relaxed) == 'a' &&
            atomic_load_explicit(&topic->producers[i].owner, memory_order_relaxed) == client)
            found |= 1;
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++)
        if (atomic_load_explicit(&topic->members[i].group, memory_order_relaxed) &&
            atomic_load_explicit(&topic->members[i].owner, memory_order_relaxed) == client)
            found |= 2;
    return found;
}

/* Writes down what became of a client that has died, or that handed itself over as dead. With the
 * topic's lock held.
 *   wait     for groups' locks that live processes hold; else what is under those is left for the
 *            next time */
static void record_death(struct mr_topic *topic, uint64_t client, int wait)
{
    struct mr_topic_shm *shm = topic->shm;
    int found = holdings(topic, client);
    for (uint32_t i = 0, n = mr_producers_used(topic); (found & 1) && i < n; i++) {
        struct mr_producer_shm *producer = &topic->producers[i];
        if (load(&producer->state) != 'a' || load(&producer->owner) != client)
            continue;
        struct mr_tx tx = mr_tx_begin(topic, &shm->lock);
        mr_tx_set(&tx, &producer->state, 'x');
        mr_tx_set(&tx, &shm->producers_died, load(&shm->producers_died) + 1);
        mr_tx_commit(&tx);
    }
    if (found & 2)
        mr_groups_orphan(topic, client, wait);
}

/* Counts the producers that left without the lock. With the topic's lock held. */
static void count_left(struct mr_topic *topic)
{
    struct mr_topic_shm *shm = topic->shm;
    for (uint32_t i = 0, n = mr_producers_used(topic); i < n; i++) {
        if (load(&topic->producers[i].state) != 'l')
            continue;
        struct mr_tx tx = mr_tx_begin(topic, &shm->lock);
        mr_tx_set(&tx, &topic->producers[i].state, 'd');
        mr_tx_set(&tx, &shm->producers_done, load(&shm->producers_done) + 1);
        mr_tx_commit(&tx);
    }
}

/* Is there anything that the next to take the topic's lock repairs? Lock-free. */
static int unfinished(const struct mr_topic *topic)
{
    for (uint32_t i = 0, n = mr_producers_used(topic); i < n; i++)
        if (load(&topic->producers[i].state) == 'l')
            return 1;
    return mr_groups_unfinished(topic) || (holdings(topic, MR_CLIENT_GONE) & 2);
}

void mr_topic_repair(struct mr_topic *topic)
{
    if (!unfinished(topic) || mr_topic_lock_try(topic))
        return; /* a live process that holds the lock has repaired it, or the next one does */
    count_left(topic);
    record_death(topic, MR_CLIENT_GONE, 0);
    mr_unlock(&topic->shm->lock);
    mr_topic_wake(topic);
}

void mr_topic_reap(struct mr_topic *topic, uint64_t client)
{
    mr_topic_repair(topic); /* it may have died, or left, in the middle of something */
    if (holdings(topic, client)) {
        if (mr_topic_lock(topic))
            return; /* damaged or stopped: the next to wait tries again */
        record_death(topic, client, 1);
        mr_unlock(&topic->shm->lock);
    }
    /* Even when nothing was found: the dead client may have been woken for a record that another
     * must claim now. */
    mr_topic_wake(topic);
}

/* The same by a process that waits for something else: a lock that a live process holds must not
 * keep it from seeing that. */
static void reap_now(struct mr_topic *topic, uint64_t client)
{
    if (mr_topic_lock_try(topic))
        return;
    record_death(topic, client, 0);
    mr_unlock(&topic->shm->lock);
    mr_topic_wake(topic);
}

void mr_topic_reap_dead(struct mr_topic *topic)
{
    mr_topic_repair(topic);
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
        uint64_t owner = load(&topic->members[i].owner);
        if (load(&topic->members[i].group) && owner && !mr_client_alive(topic->bus, owner))
            reap_now(topic, owner);
    }
    for (uint32_t i = 0, n = mr_producers_used(topic); i < n; i++) {
        uint64_t owner = load(&topic->producers[i].owner);
        if (load(&topic->producers[i].state) == 'a' && !mr_client_alive(topic->bus, owner))
            reap_now(topic, owner);
    }
}

void mr_topic_relieve(struct mr_topic *topic)
{
    mr_topic_repair(topic); /* first: it may bring to light a private member that has died */
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
        uint64_t group = load(&topic->members[i].group), owner = load(&topic->members[i].owner);
        if (group && group <= topic->group_cnt && owner &&
            (load(&topic->groups[group - 1].flags) & MR_PRIVATE) &&
            !mr_client_alive(topic->bus, owner))
            reap_now(topic, owner);
    }
}
