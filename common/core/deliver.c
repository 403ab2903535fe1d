/* deliver.c - what a consumer gives out next: a claim as it lies in the ring, or a copy where
 * producers do not wait for it. */
#include "deliver.h"
#include "dead.h"
#include "move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* an observer cannot ask to be woken: it looks again after this, then after longer and longer */
#define PEEK_STEP_NS 10000000
#define PEEK_BYTES   65536u
/* an observer lapped so many times in a row sleeps before it looks again */
#define PEEK_TURNS 1000

int mr_deliver_peek(struct mr_consumer *consumer, const struct mr_consumer_options *options)
{
    struct mr_topic *topic = consumer->topic;
    consumer->peek_step_ns = PEEK_STEP_NS;
    consumer->peek_pos = calloc(topic->partition_cnt, sizeof *consumer->peek_pos);
    consumer->peek_offset = calloc(topic->partition_cnt, sizeof *consumer->peek_offset);
    if (!consumer->peek_pos || !consumer->peek_offset)
        return -ENOMEM;
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        /* Producers may lap the search; a few tries find the records where they stand still for
         * long enough. */
        int error = -EBADMSG;
        for (int i = 0; i < 100 && error == -EBADMSG; i++)
            error = mr_log_find(topic, p, options->start, options->start_arg,
                                &consumer->peek_pos[p], &consumer->peek_offset[p]);
        if (error)
            return error;
    }
    return 0;
}

/* ---- copying out of a log that does not wait for us: copy, then check that it was not overwritten
 * meanwhile ---- */

static int room_for_copy(struct mr_consumer *consumer, uint64_t bytes)
{
    if (bytes <= consumer->copy_cap)
        return 0;
    unsigned char *more = realloc(consumer->copy, bytes);
    if (!more)
        return -ENOMEM;
    consumer->copy = more;
    consumer->copy_cap = bytes;
    return 0;
}

/* Copies [begin, end) of partition p. Returns 0; 1 lapped: begin is below the tail by now;
 * -ENOMEM. */
static int copy_out(struct mr_consumer *consumer, uint32_t p, uint64_t begin, uint64_t end)
{
    struct mr_topic *topic = consumer->topic;
    int error = room_for_copy(consumer, end - begin);
    if (error)
        return error;
    memcpy(consumer->copy, mr_topic_ring(topic, p) + begin % topic->ring_bytes, end - begin);
    /* acquire fence, pairs with the producer's release fence after it stored tail: if any byte was
     * newer, the tail we load is too. */
    atomic_thread_fence(memory_order_acquire);
    return load(&topic->logs[p].tail) > begin;
}

/* ---- what to give out next ---- */

/* Makes [pos, stop) of the seat's claim what mr_consumer_next gives. A blamed record stands alone,
 * so that a consumer that dies of it puts no blame on others. */
static int deliver_ring(struct mr_consumer *consumer)
{
    struct mr_topic *topic = consumer->topic;
    struct mr_member_shm *slot = mr_consumer_slot(consumer);
    uint64_t pos = load(&slot->cursor), end = load(&slot->end), blamed = load(&slot->blamed),
             stop = end;
    uint32_t p = consumer->seat.partition;
    const unsigned char *ring = mr_topic_ring(topic, p);
    struct mr_record_shm r;
    if (pos >= end || end - pos > topic->ring_bytes)
        return -EBADMSG;
    const unsigned char *at = ring + pos % topic->ring_bytes;
    uint64_t bytes = mr_record_read(at, pos, end, &r);
    if (!bytes)
        return -EBADMSG;
    consumer->tries_so_far = 0;
    if (blamed == pos) {
        stop = pos + bytes;
        consumer->tries_so_far = (uint32_t)load(&slot->tries);
    } else if (blamed > pos && blamed < end) {
        stop = blamed;
    }
    consumer->partition = p;
    consumer->pos = consumer->acked = pos;
    consumer->stop = stop;
    consumer->end = end;
    consumer->hand = MR_NONE;
    consumer->given = 0;
    /* A fresh claim knows its end's offset; looking it up means to look at what the producer is
     * writing. */
    uint64_t last = stop == consumer->seat.end ? consumer->seat.end_offset : MR_NONE;
    if (last == MR_NONE)
        last = mr_log_offset(topic, p, stop);
    if (last == MR_NONE || last <= r.offset)
        return -EBADMSG;
    if (pos == consumer->seat.begin && consumer->seat.begin_offset != MR_NONE &&
        r.offset != consumer->seat.begin_offset)
        return -EBADMSG; /* I3 broken */
    consumer->next_offset = r.offset;
    consumer->left = last - r.offset;
    consumer->at = at;
    consumer->ring_end = ring + topic->ring_bytes;
    return 0;
}

/* Goes on at next and counts the records before it as lost, together, and under the group's lock:
 * who claims stores that count, too. */
static int count_lost(struct mr_consumer *consumer, uint64_t next, uint64_t lost)
{
    struct mr_topic *topic = consumer->topic;
    struct mr_group_shm *group = &topic->groups[consumer->seat.group];
    int error = mr_group_lock(topic, consumer->seat.group);
    if (error)
        return error;
    if (mr_group_seated(topic, &consumer->seat)) {
        struct mr_tx tx = mr_tx_begin(topic, &group->lock);
        mr_tx_set(&tx, &group->lost, load(&group->lost) + lost);
        mr_tx_set(&tx, &mr_consumer_slot(consumer)->cursor, next);
        mr_tx_commit(&tx);
        consumer->stats.lost += lost;
    } else {
        error = -ESTALE;
    }
    mr_group_unlock(topic, consumer->seat.group);
    return error;
}

/* Drop-oldest: what mr_consumer_next gives is copied out first; what was overwritten meanwhile
 * counts as lost. Returns 0; 1 all of it is lost. */
static int deliver_copy(struct mr_consumer *consumer)
{
    struct mr_topic *topic = consumer->topic;
    struct mr_member_shm *slot = mr_consumer_slot(consumer);
    uint32_t p = consumer->seat.partition;
    for (;;) {
        uint64_t cursor = load(&slot->cursor), end = load(&slot->end);
        if (cursor >= end || end - cursor > topic->ring_bytes)
            return -EBADMSG;
        int lapped = load(&topic->logs[p].tail) > cursor ? 1 : copy_out(consumer, p, cursor, end);
        if (lapped < 0)
            return lapped;
        if (!lapped) {
            consumer->tries_so_far =
                load(&slot->blamed) == cursor ? (uint32_t)load(&slot->tries) : 0;
            consumer->partition = p;
            consumer->pos = consumer->acked = cursor;
            consumer->stop = consumer->end = end;
            consumer->hand = MR_NONE;
            consumer->given = 0;
            consumer->at = consumer->copy;
            consumer->ring_end = NULL;
            consumer->left = 0;
            struct mr_record_shm r;
            uint64_t blamed = load(&slot->blamed);
            for (uint64_t pos = cursor, bytes; pos < consumer->stop;
                 pos += bytes, consumer->left++) {
                bytes = mr_record_read(consumer->copy + (pos - cursor), pos, end, &r);
                if (!bytes)
                    return -EBADMSG;
                if (pos == cursor)
                    consumer->next_offset = r.offset;
                if (blamed == cursor || pos + bytes == blamed) /* alone, as in deliver_ring */
                    consumer->stop = pos + bytes;
            }
            return 0;
        }
        uint64_t tail = atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire);
        uint64_t next = tail < end ? tail : end, lost = 1;
        uint64_t next_offset =
            next == end ? consumer->seat.end_offset : mr_log_offset(topic, p, next);
        if (next < end && next_offset == MR_NONE) {
            if (atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire) == tail)
                return -EBADMSG;
            continue; /* the tail has moved on again */
        }
        /* What an orphan's records were is not known once they are overwritten: then it is at least
         * one. */
        if (consumer->seat.begin_offset != MR_NONE && next_offset != MR_NONE)
            lost = next_offset - consumer->seat.begin_offset;
        int error = count_lost(consumer, next, lost);
        if (error)
            return error;
        consumer->seat.begin_offset = next_offset;
        if (next == end)
            return 1;
    }
}

static int try_peek(struct mr_consumer *consumer)
{
    struct mr_topic *topic = consumer->topic;
    for (uint32_t i = 0; i < topic->partition_cnt; i++) {
        uint32_t p = consumer->peek_turn =
            consumer->peek_turn + 1 < topic->partition_cnt ? consumer->peek_turn + 1 : 0;
        uint64_t *pos = &consumer->peek_pos[p];
        struct mr_tip tip = mr_log_tip(topic, p);
        uint64_t head =
            consumer->until && consumer->until[p] < tip.head ? consumer->until[p] : tip.head;
        uint64_t bytes = PEEK_BYTES < topic->ring_bytes ? PEEK_BYTES : topic->ring_bytes;
        for (int turn = 0; *pos < head && turn < PEEK_TURNS; turn++) {
            uint64_t end = head - *pos > bytes ? *pos + bytes : head,
                     tail = load(&topic->logs[p].tail), used = 0, n = 0, size = 0;
            int lapped = tail > *pos ? 1 : copy_out(consumer, p, *pos, end);
            if (lapped < 0)
                return lapped;
            if (lapped) {
                uint64_t offset = mr_log_offset(
                    topic, p,
                    tail = atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire));
                if (offset == MR_NONE) {
                    if (atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire) == tail)
                        return -EBADMSG;
                    continue; /* moved on again */
                }
                consumer->stats.lost += offset - consumer->peek_offset[p];
                consumer->peek_offset[p] = offset;
                *pos = tail;
                continue;
            }
            struct mr_record_shm r;
            while (*pos + used < end && n < consumer->window &&
                   (size = mr_record_read(consumer->copy + used, *pos + used, end, &r)) != 0) {
                if (n == 0)
                    consumer->next_offset = r.offset;
                used += size;
                n++;
            }
            /* the first one is longer than that; its size is checked against what is published */
            if (n == 0) {
                if (bytes >= topic->ring_bytes)
                    return -EBADMSG;
                bytes *= 2;
                bytes = bytes < topic->ring_bytes ? bytes : topic->ring_bytes;
                continue;
            }
            consumer->partition = p;
            consumer->peek_step_ns = PEEK_STEP_NS;
            consumer->pos = consumer->acked = *pos;
            consumer->stop = consumer->end = *pos + used;
            consumer->left = n;
            consumer->given = 0;
            consumer->at = consumer->copy;
            consumer->ring_end = NULL;
            consumer->tries_so_far = 0;
            *pos += used;
            consumer->peek_offset[p] += n;
            return 1;
        }
    }
    return 0;
}

int mr_deliver(struct mr_consumer *consumer, uint64_t max)
{
    struct mr_topic *topic = consumer->topic;
    if (!consumer->joined)
        return try_peek(consumer);
    for (;;) {
        int kind = 0;
        if (consumer->inherited) {
            consumer->inherited = 0;
            kind = 2;
        } else if (consumer->acked == consumer->end) {
            kind = mr_group_claim(topic, &consumer->seat, consumer->until, max);
            if (kind <= 0)
                return kind;
            consumer->stats.claims++;
        }
        if (kind)
            consumer->again = kind == 2;
        int error = kind == 2 ? mr_move_finish(consumer) : 0;
        if (error == 1) {
            consumer->acked = consumer->end = consumer->pos = consumer->stop = 0;
            continue; /* its only records had already reached the other topic */
        }
        if (!error)
            error = consumer->copying ? deliver_copy(consumer) : deliver_ring(consumer);
        if (error < 0) {
            /* the seat holds it, though nothing was given out: it comes again */
            consumer->inherited |= kind != 0;
            return error;
        }
        if (error == 1) {
            consumer->acked = consumer->end = consumer->pos = consumer->stop = 0;
            continue; /* all of it was overwritten */
        }
        if (consumer->tries_so_far < consumer->tries) {
            if (consumer->again) {
                consumer->stats.redelivered += consumer->left;
                atomic_fetch_add_explicit(&topic->groups[consumer->seat.group].redelivered,
                                          consumer->left, memory_order_relaxed);
            }
            return 1;
        }
        consumer->left = 0; /* not given out, also if it cannot be moved now */
        consumer->stop = consumer->pos;
        error = mr_dead_letter(consumer, consumer->pos, consumer->at,
                               "the consumer died while it had the record in hand");
        if (consumer->acked == consumer->end)
            consumer->acked = consumer->end = consumer->pos = consumer->stop = 0;
        if (error < 0)
            return error;
    }
}
