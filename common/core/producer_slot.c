/* producer_slot.c - see producer_slot.h. */
#include "producer_slot.h"
#include "asked.h"
#include "group_life.h"

#include <errno.h>

/* The slot for a new producer: one never used, so that status can still show those who are gone;
 * else the one gone longest, who was done rather than died; one that may still be asked about comes
 * last. producer_cnt: none but those to skip. */
static uint32_t best_slot(const struct mr_topic *topic, const uint64_t *skip)
{
    uint32_t best = topic->producer_cnt, rank = 5;
    for (uint32_t i = 0; i < topic->producer_cnt && rank > 0; i++) {
        const struct mr_producer_shm *slot = &topic->producers[i];
        uint64_t state = load(&slot->state);
        if ((state && state != 'd' && state != 'x') || (skip[i / 64] >> i % 64 & 1))
            continue;
        uint32_t r = state == 0 ? 0 : (state == 'd' ? 1u : 2u) + (load(&slot->asked) ? 2u : 0u);
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
        if (mr_asked(topic, best, serial, asked)) { /* or an error: who cannot look takes nothing */
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
