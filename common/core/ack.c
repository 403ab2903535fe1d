/* ack.c - see ack.h, and millrace.h for what a consumer does with its claim. */
#include "ack.h"

#include <errno.h>

int mr_consumer_ack(struct mr_consumer *consumer)
{
    if (!consumer->joined || consumer->acked == consumer->pos) {
        consumer->acked = consumer->pos;
        return mr_intact(consumer->topic);
    }
    return mr_consumer_ack_to(consumer, consumer->pos, consumer->given);
}

int mr_consumer_mine(const struct mr_consumer *consumer)
{
    const struct mr_topic *topic = consumer->topic;
    const struct mr_member_shm *slot = mr_consumer_slot(consumer);
    int error = mr_intact(topic);
    if (!error)
        error = mr_bus_usable(topic->bus);
    if (!error &&
        (load(&slot->owner) != topic->bus->self || load(&slot->group) != consumer->seat.group + 1 ||
         load(&topic->groups[consumer->seat.group].serial) != consumer->seat.serial))
        error = mr_topic_error(topic, -ESTALE);
    return error;
}

int mr_consumer_ack_to(struct mr_consumer *consumer, uint64_t pos, uint64_t records)
{
    struct mr_topic *topic = consumer->topic;
    struct mr_member_shm *slot = mr_consumer_slot(consumer);
    int error = mr_consumer_mine(consumer);
    if (error)
        return error;
    /* release, pairs with the acquire of the process that computes committed: we are done reading
     * below pos. This is the moment of acknowledgement. */
    atomic_store_explicit(&slot->cursor, pos, memory_order_release);
    atomic_store_explicit(&slot->acked, load(&slot->acked) + records, memory_order_relaxed);
    consumer->acked = pos;
    consumer->given = 0;
    if (consumer->seat.begin_offset != MR_NONE)
        /* so that what is overwritten later counts as lost from there */
        consumer->seat.begin_offset += records;
    int done = pos == consumer->end;
    _Atomic uint64_t *want = &topic->logs[consumer->partition].want;
    /* pairs with store_want: we see it, or the producer sees our cursor */
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t wanted = load(want);
    if (wanted != MR_NONE && (pos >= wanted || done)) {
        atomic_store_explicit(want, MR_NONE, memory_order_relaxed);
        mr_cond_broadcast(&topic->shm->space);
    }
    /* The partition of an ordered group is free for another member now; the last acknowledgement of
     * a sealed topic ends all. */
    struct mr_group_shm *group = &topic->groups[consumer->seat.group];
    if (done && load(&topic->shm->sealed))
        mr_cond_broadcast(&group->data);
    else if (done && (load(&group->flags) & MR_ORDERED))
        mr_cond_signal(&group->data, 1);
    return 0;
}

int mr_consumer_rewind(struct mr_consumer *consumer)
{
    if (!consumer->joined)
        return -EINVAL;
    int error = mr_consumer_mine(consumer);
    if (error)
        return error;
    uint64_t back = consumer->pos - consumer->acked;
    const unsigned char *ring = mr_topic_ring(consumer->topic, consumer->partition);
    if (!consumer->copying && back > (uint64_t)(consumer->at - ring))
        consumer->at += consumer->topic->ring_bytes;
    consumer->at -= back;
    consumer->pos = consumer->acked;
    consumer->next_offset -= consumer->given;
    consumer->left += consumer->given;
    consumer->given = 0;
    if (consumer->hand != MR_NONE) {
        consumer->hand = MR_NONE;
        atomic_store_explicit(&mr_consumer_slot(consumer)->in_hand, MR_NONE, memory_order_relaxed);
    }
    return 0;
}

int mr_consumer_holds(const struct mr_consumer *consumer)
{
    return consumer->joined && (consumer->inherited || consumer->acked != consumer->end);
}
