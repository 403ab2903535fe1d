/* producer_slot.c - see producer_slot.h. */
#include "producer_slot.h"
#include "asked.h"
#include "group_life.h"
#include "sized.h"

#include <errno.h>

#define LOOKS 10000 /* in vain: its owner begins and ends a wait within each */

static inline uint64_t acquire(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

/* The lower, the sooner a slot is used again: one never used first, so that status can still show
 * those who are gone; then who was done before who died. While the slot of a dead one with a source
 * is there, the source's completion can take the death back. One that may still be asked about
 * comes last. */
static uint32_t rank_of(const struct mr_producer_shm *slot)
{
    uint64_t state = load(&slot->state);
    if (!state)
        return 0;
    return (state == 'd' ? 1u : load(&slot->source) ? 3u : 2u) + (load(&slot->asked) ? 3u : 0u);
}

/* The slot for a new producer: of the lowest rank, the one gone longest. producer_cnt: none but
 * those to skip. */
static uint32_t best_slot(const struct mr_topic *topic, const uint64_t *skip)
{
    uint32_t best = topic->producer_cnt, rank = UINT32_MAX;
    for (uint32_t i = 0; i < topic->producer_cnt && rank > 0; i++) {
        const struct mr_producer_shm *slot = &topic->producers[i];
        uint64_t state = load(&slot->state);
        if ((state && state != 'd' && state != 'x') || (skip[i / 64] >> i % 64 & 1))
            continue;
        uint32_t r = rank_of(slot);
        if (r < rank ||
            (r == rank && load(&slot->since_ns) < load(&topic->producers[best].since_ns))) {
            best = i;
            rank = r;
        }
    }
    return best;
}

/* Takes the slot from the producer that had it: from here on no repair credits it with what that
 * one published. A repair that has compared the serials before we take it away, and has not stored
 * yet, holds its log's lock: each of them is taken once, so it has stored when the next producer's
 * count begins. */
static int retire(struct mr_topic *topic, uint32_t slot)
{
    if (!load(&topic->producers[slot].state))
        return 0;
    atomic_store_explicit(&topic->producers[slot].serial, 0, memory_order_release);
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        int error = mr_log_lock(topic, p);
        if (error)
            return error;
        mr_unlock(&topic->logs[p].lock);
    }
    return 0;
}

int mr_producer_slot_lock(struct mr_topic *topic, uint32_t *slot)
{
    uint64_t skip[(MR_PRODUCERS + 63) / 64] = {0};
    for (;;) {
        int error = mr_topic_lock(topic);
        if (error)
            return error;
        uint32_t best = best_slot(topic, skip);
        uint64_t asked = best < topic->producer_cnt ? load(&topic->producers[best].asked) : 0;
        if (best < topic->producer_cnt && !asked) {
            error = retire(topic, best);
            if (error)
                mr_unlock(&topic->shm->lock);
            else
                *slot = best;
            return error;
        }
        uint64_t serial = best < topic->producer_cnt ? load(&topic->producers[best].serial) : 0;
        mr_unlock(&topic->shm->lock);
        if (best == topic->producer_cnt)
            return -EUSERS;
        int may_ask = mr_asked(topic, best, serial, asked);
        if (may_ask == -EINTR)
            return may_ask;
        if (may_ask) { /* or an error: then the slot is not used (I13) */
            skip[best / 64] |= (uint64_t)1 << best % 64;
            continue;
        }
        error = mr_topic_lock(topic);
        if (error)
            return error;
        /* its producer is gone: none notes anything more */
        if (load(&topic->producers[best].serial) == serial)
            atomic_store_explicit(&topic->producers[best].asked, 0, memory_order_relaxed);
        mr_unlock(&topic->shm->lock);
    }
}

/* ---- what people see of one ---- */

int mr_producer_info(const struct mr_topic *topic, uint32_t idx, struct mr_producer_info *out)
{
    const size_t first = MR_SIZED(struct mr_producer_info, blocked_ns);
    if (mr_sized_check(out, first))
        return -EINVAL;
    if (idx >= topic->producer_cnt)
        return -ERANGE;
    const struct mr_producer_shm *producer = &topic->producers[idx];
    uint64_t state = load(&producer->state);
    if (state == 'l')
        state = 'd';
    if (state != 'a' && state != 'd' && state != 'x')
        return mr_intact(topic);
    int alive = state == 'a' ? mr_client_alive(topic->bus, load(&producer->owner)) : 0;
    if (alive < 0)
        return mr_intact(topic) < 0 ? -EIO : alive;
    if (state == 'a' && !alive)
        state = 'x'; /* its death is not recorded yet */
    struct mr_producer_info info = {.pid = (int32_t)load(&producer->pid),
                                    .state = state == 'a'   ? MR_PRODUCER_ATTACHED
                                             : state == 'd' ? MR_PRODUCER_DONE
                                                            : MR_PRODUCER_DIED,
                                    .records = load(&producer->records),
                                    .bytes = load(&producer->bytes)};
    uint64_t since = acquire(&producer->blocked_since_ns), now = mr_now_ns();
    for (int i = 0;; i++) { /* the sum up to a wait goes with that wait */
        info.blocked_ns = acquire(&producer->blocked_ns);
        uint64_t again = acquire(&producer->blocked_since_ns);
        if (again == since)
            break;
        if (i == LOOKS)
            return -EAGAIN;
        since = again;
    }
    if (state == 'a' && since && since < now)
        info.blocked_ns += now - since;
    mr_words_load(producer->name, sizeof info.name / 8, info.name);
    if (mr_intact(topic) < 0)
        return -EIO;
    mr_sized_write(out, &info, sizeof info, first);
    return 1;
}
