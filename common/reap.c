/* reap.c - what is done for a client that died: see mr_topic_reap in topic.h. */
#include "group.h"

/* What a client has in a topic: bit 0 a producer, bit 1 a member. Lock-free. */
static int holdings(const struct mr_topic *topic, uint64_t client)
{
    int found = 0;
    for (uint32_t i = 0; i < topic->producer_cnt; i++)
        if (atomic_load_explicit(&topic->producers[i].state, memory_order_relaxed) == 'a' &&
            atomic_load_explicit(&topic->producers[i].owner, memory_order_relaxed) == client)
            found |= 1;
    for (uint32_t i = 0; i < topic->member_cnt; i++)
        if (atomic_load_explicit(&topic->members[i].group, memory_order_relaxed) &&
            atomic_load_explicit(&topic->members[i].owner, memory_order_relaxed) == client)
            found |= 2;
    return found;
}

void mr_topic_reap(struct mr_topic *topic, uint64_t client)
{
    struct mr_topic_shm *shm = topic->shm;
    if (holdings(topic, client)) {
        if (mr_topic_lock(topic))
            return; /* damaged or stopped: the next to wait tries again */
        int found = holdings(topic, client);
        for (uint32_t i = 0; (found & 1) && i < topic->producer_cnt; i++) {
            struct mr_producer_shm *producer = &topic->producers[i];
            if (atomic_load_explicit(&producer->state, memory_order_relaxed) != 'a' ||
                atomic_load_explicit(&producer->owner, memory_order_relaxed) != client)
                continue;
            struct mr_tx tx = mr_tx_begin(topic, &shm->lock);
            mr_tx_set(&tx, &producer->state, 'x');
            mr_tx_set(&tx, &shm->producers_died, atomic_load_explicit(&shm->producers_died, memory_order_relaxed) + 1);
            mr_tx_commit(&tx);
        }
        if (found & 2)
            mr_groups_orphan(topic, client);
        mr_unlock(&shm->lock);
    }
    /* Even when nothing was found: the dead one may have been woken for a record that somebody else must now take. */
    mr_topic_wake(topic);
}

void mr_topic_reap_dead(struct mr_topic *topic)
{
    for (uint32_t i = 0; i < topic->member_cnt; i++) {
        uint64_t owner = atomic_load_explicit(&topic->members[i].owner, memory_order_relaxed);
        if (atomic_load_explicit(&topic->members[i].group, memory_order_relaxed) && owner && !mr_client_alive(topic->bus, owner))
            mr_topic_reap(topic, owner);
    }
    for (uint32_t i = 0; i < topic->producer_cnt; i++) {
        uint64_t owner = atomic_load_explicit(&topic->producers[i].owner, memory_order_relaxed);
        if (atomic_load_explicit(&topic->producers[i].state, memory_order_relaxed) == 'a' && !mr_client_alive(topic->bus, owner))
            mr_topic_reap(topic, owner);
    }
}
