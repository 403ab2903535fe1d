/* move.c - see move.h. */
#include "move.h"
#include "ack.h"
#include "append.h"
#include "asked.h"
#include "producer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mr_dead_name(const struct mr_topic *topic, char *name, size_t cap)
{
    snprintf(name, cap, "%s" MR_DEAD_SUFFIX, topic->name);
}

int mr_move(struct mr_consumer *consumer, const struct mr_move *move)
{
    struct mr_producer *producer = move->producer;
    struct mr_topic *to = mr_producer_topic(producer);
    struct mr_member_shm *slot = mr_consumer_slot(consumer);
    uint32_t i = mr_producer_slot(producer);
    _Atomic uint64_t *asked = &to->producers[i].asked;
    /* Before the note, and taken back after it: our producer's slot is not used again while an
     * heir may ask about it. */
    atomic_store_explicit(asked, consumer->topic->shm->created_ns, memory_order_release);
    atomic_store_explicit(&slot->moving_topic, to->shm->created_ns, memory_order_relaxed);
    atomic_store_explicit(&slot->moving_producer, (uint64_t)move->msgs[0].placed << 32 | i,
                          memory_order_relaxed);
    atomic_store_explicit(&slot->moving_serial, mr_producer_serial(producer), memory_order_relaxed);
    atomic_store_explicit(&slot->moving_count, load(&to->producers[i].records) + move->n,
                          memory_order_relaxed);
    atomic_store_explicit(&slot->moving, move->pos, memory_order_release);
    int error = mr_producer_append_whole(producer, move->msgs, move->n, move->timeout_ns);
    if (!error)
        error = mr_consumer_ack_to(consumer, move->pos, move->records);
    if (error == -ESTALE)
        /* the slot is an heir's by now, and so is what stands there; it asks about ours, or has
         * asked */
        return error;
    atomic_store_explicit(&slot->moving, MR_NONE, memory_order_release);
    atomic_store_explicit(asked, 0, memory_order_release);
    return error;
}

/* Have the records that the slot's former owner was moving arrived? 0 no; 1 yes; 2 yes, as a dead
 * letter; or a negative errno. */
static int arrived(const struct mr_topic *topic, const struct mr_member_shm *slot)
{
    struct mr_topic *to;
    int found = mr_topic_find(topic->bus, load(&slot->moving_topic), &to);
    if (found <= 0)
        return found;
    uint64_t producer = load(&slot->moving_producer), i = producer & UINT32_MAX, p = producer >> 32;
    int error = -EBADMSG;
    if (i < to->producer_cnt && p < to->partition_cnt) {
        /* The dead one may have published under a lock that was not taken since: take it, so that
         * its count is repaired first. */
        error = mr_log_lock(to, (uint32_t)p);
        if (!error) {
            found = load(&to->producers[i].serial) == load(&slot->moving_serial) &&
                    load(&to->producers[i].records) >= load(&slot->moving_count);
            mr_unlock(&to->logs[p].lock);
        }
    }
    char dead[MR_TOPIC_NAME_MAX + 8];
    mr_dead_name(topic, dead, sizeof dead);
    found <<= strcmp(mr_topic_name(to), dead) == 0;
    mr_topic_close(to);
    return error ? error : found;
}

int mr_move_finish(struct mr_consumer *consumer)
{
    struct mr_topic *topic = consumer->topic;
    struct mr_member_shm *slot = mr_consumer_slot(consumer);
    uint32_t p = consumer->seat.partition;
    uint64_t moving = load(&slot->moving), cursor = load(&slot->cursor), end = load(&slot->end);
    if (moving == MR_NONE)
        return 0;
    if (moving > cursor && moving <= end) {
        int there = arrived(topic, slot);
        if (there < 0)
            return there;
        if (there) {
            uint64_t first = mr_log_offset(topic, p, cursor),
                     last = mr_log_offset(topic, p, moving);
            if (first == MR_NONE || last == MR_NONE || last <= first) {
                if (load(&topic->logs[p].tail) <= cursor)
                    return -EBADMSG;
                last = first = 0; /* drop-oldest, and overwritten meanwhile */
            }
            consumer->partition = p;
            consumer->end = end;
            int error = mr_consumer_ack_to(consumer, moving, last - first);
            if (error)
                return error;
            cursor = moving;
            if (there == 2) {
                consumer->stats.dead_lettered++;
                atomic_fetch_add_explicit(&topic->groups[consumer->seat.group].dead_lettered, 1,
                                          memory_order_relaxed);
            }
        }
    }
    atomic_store_explicit(&slot->moving, MR_NONE, memory_order_release);
    return cursor == end;
}
