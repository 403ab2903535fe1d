/* reap.c - see reap.h. */
#include "reap.h"

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
static void bury(struct mr_topic *topic, uint64_t client, int wait)
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

/* Is there what taking the topic's lock mends? Lock-free. */
static int unsettled(const struct mr_topic *topic)
{
    for (uint32_t i = 0, n = mr_producers_used(topic); i < n; i++)
        if (load(&topic->producers[i].state) == 'l')
            return 1;
    return mr_groups_unsettled(topic) || (holdings(topic, MR_CLIENT_GONE) & 2);
}

void mr_topic_mend(struct mr_topic *topic)
{
    if (!unsettled(topic) || mr_topic_lock_try(topic))
        return; /* a live process that holds the lock has mended it, or the next does */
    count_left(topic);
    bury(topic, MR_CLIENT_GONE, 0);
    mr_unlock(&topic->shm->lock);
    mr_topic_wake(topic);
}

void mr_topic_reap(struct mr_topic *topic, uint64_t client)
{
    mr_topic_mend(topic); /* it may have died, or left, in the middle of something */
    if (holdings(topic, client)) {
        if (mr_topic_lock(topic))
            return; /* damaged or stopped: the next to wait tries again */
        bury(topic, client, 1);
        mr_unlock(&topic->shm->lock);
    }
    /* Even when nothing was found: the dead one may have been woken for a record that somebody else
     * must now take. */
    mr_topic_wake(topic);
}

/* The same by a process that waits for something else: a lock that a live process holds must not
 * keep it from seeing that. */
static void reap_now(struct mr_topic *topic, uint64_t client)
{
    if (mr_topic_lock_try(topic))
        return;
    bury(topic, client, 0);
    mr_unlock(&topic->shm->lock);
    mr_topic_wake(topic);
}

void mr_topic_reap_dead(struct mr_topic *topic)
{
    mr_topic_mend(topic);
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
    mr_topic_mend(topic); /* first: it may bring to light a private member that has died */
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
        uint64_t group = load(&topic->members[i].group), owner = load(&topic->members[i].owner);
        if (group && group <= topic->group_cnt && owner &&
            (load(&topic->groups[group - 1].flags) & MR_PRIVATE) &&
            !mr_client_alive(topic->bus, owner))
            reap_now(topic, owner);
    }
}
