/* producer.c - see producer.h: a producer's handle opened and closed. */
#include "producer.h"
#include "group_life.h"
#include "producer_slot.h"
#include "reap.h"
#include "sized.h"
#include "source.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

int mr_producer_open(struct mr_topic *topic, const struct mr_producer_options *options,
                     struct mr_producer **out)
{
    struct mr_producer_options own;
    int error = mr_topic_check(topic);
    if (!error)
        error =
            mr_sized_read(&own, sizeof own, options, MR_SIZED(struct mr_producer_options, source));
    if (error)
        return error;
    if (load(&topic->shm->sealed))
        return -EPIPE;
    error = mr_topic_rings(topic);
    if (error)
        return error;
    if (own.source && (error = mr_log_source_room(topic, own.source)))
        return error;
    struct mr_producer *producer = calloc(1, sizeof *producer);
    struct mr_append_cursor *cursors = calloc(topic->partition_cnt, sizeof *cursors);
    if (!producer || !cursors) {
        error = -ENOMEM;
        goto free_producer;
    }
    mr_topic_reap_dead(topic);
    error = mr_producer_slot_lock(topic, &producer->slot);
    if (error)
        goto free_producer;
    struct mr_producer_shm *slot = &topic->producers[producer->slot];
    producer->topic = topic;
    producer->serial = load(&topic->shm->producer_serial) + 1;
    producer->source = own.source;
    /* several producers start at different ones */
    producer->run_partition = (uint32_t)(topic->bus->self >> 16) % topic->partition_cnt;
    mr_words_store(slot->name, (MR_CLIENT_NAME_MAX + 1) / 8,
                   own.name ? own.name : topic->bus->client_name);
    struct mr_tx tx = mr_tx_begin(topic, &topic->shm->lock);
    /* first: the dead are looked for below it */
    if (producer->slot >= load(&topic->shm->producer_high))
        mr_tx_set(&tx, &topic->shm->producer_high, producer->slot + 1);
    mr_tx_set(&tx, &slot->records, 0);
    mr_tx_set(&tx, &slot->bytes, 0);
    mr_tx_set(&tx, &slot->blocked_ns, 0);
    mr_tx_set(&tx, &slot->blocked_since_ns, 0);
    mr_tx_set(&tx, &slot->pid, (uint64_t)getpid());
    mr_tx_set(&tx, &slot->since_ns, mr_wall_ns());
    mr_tx_set(&tx, &slot->serial, producer->serial);
    mr_tx_set(&tx, &slot->asked, 0);
    mr_tx_set(&tx, &topic->shm->producer_serial, producer->serial);
    mr_tx_set(&tx, &slot->source, producer->source);
    mr_tx_set(&tx, &slot->owner, topic->bus->self);
    mr_tx_set(&tx, &slot->state, 'a');
    mr_tx_commit(&tx);
    mr_unlock(&topic->shm->lock);
    producer->cursors = cursors;
    *out = producer;
    return 0;

free_producer:
    free(cursors);
    free(producer);
    return error;
}

void mr_producer_close(struct mr_producer *producer)
{
    if (!producer)
        return;
    struct mr_topic *topic = producer->topic;
    struct mr_producer_shm *slot = &topic->producers[producer->slot];
    if (mr_bus_usable(topic->bus) == 0) {
        int error = mr_topic_lock(topic),
            ours = load(&slot->state) == 'a' && load(&slot->serial) == producer->serial;
        if (!error && ours) {
            struct mr_tx tx = mr_tx_begin(topic, &topic->shm->lock);
            mr_tx_set(&tx, &slot->state, 'd');
            mr_tx_set(&tx, &topic->shm->producers_done, load(&topic->shm->producers_done) + 1);
            mr_tx_commit(&tx);
        } else if (error == -EINTR && ours) { /* the next to take the lock counts it */
            atomic_store_explicit(&slot->state, 'l', memory_order_release);
        }
        if (!error)
            mr_unlock(&topic->shm->lock);
        if (mr_intact(topic) == 0)
            /* consumers that wait for the end (MR_UNTIL_DRAINED) look again */
            mr_groups_tell(topic, INT_MAX);
    }
    free(producer->order);
    free(producer->cursors);
    free(producer);
}

int mr_topic_complete_source(struct mr_topic *topic, uint64_t source)
{
    int error = mr_topic_check(topic), cnt = 0;
    if (error)
        return error;
    if (!source)
        return -EINVAL;
    mr_topic_reap_dead(topic);
    error = mr_topic_lock(topic);
    if (error)
        return error;
    struct mr_topic_shm *shm = topic->shm;
    for (uint32_t i = 0; i < topic->producer_cnt; i++) {
        struct mr_producer_shm *slot = &topic->producers[i];
        if (load(&slot->state) != 'x' || load(&slot->source) != source)
            continue;
        struct mr_tx tx = mr_tx_begin(topic, &shm->lock);
        mr_tx_set(&tx, &slot->state, 'd');
        mr_tx_set(&tx, &shm->producers_died, load(&shm->producers_died) - 1);
        mr_tx_set(&tx, &shm->producers_done, load(&shm->producers_done) + 1);
        mr_tx_commit(&tx);
        cnt++;
    }
    mr_unlock(&shm->lock);
    mr_groups_tell(topic, INT_MAX); /* consumers that wait for the end look again */
    return cnt;
}

uint32_t mr_producer_slot(const struct mr_producer *producer)
{
    return producer->slot;
}

uint64_t mr_producer_serial(const struct mr_producer *producer)
{
    return producer->serial;
}

struct mr_topic *mr_producer_topic(const struct mr_producer *producer)
{
    return producer->topic;
}

int mr_producer_stats(const struct mr_producer *producer, struct mr_producer_stats *out)
{
    const size_t first = MR_SIZED(struct mr_producer_stats, blocked_ns);
    int error = mr_sized_check(out, first);
    if (!error)
        mr_sized_write(out, &producer->stats, sizeof producer->stats, first);
    return error;
}
