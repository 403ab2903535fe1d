/* log.c - see log.h. */
#include "log.h"
#include "source.h"

#include <errno.h>

/* bounds a reader's retries; far more publications than fit between two of its loads */
#define TIP_TURNS 100000
/* a group slot that is used again so many times while it is read is damaged */
#define SERIAL_TURNS 1000

struct mr_tip mr_log_tip(const struct mr_topic *topic, uint32_t p)
{
    const struct mr_log_shm *log = &topic->logs[p];
    uint64_t head = 0;
    for (int turn = 0; turn < TIP_TURNS; turn++) {
        /* acquire, pairs with the publishing store: tips and records below are written. */
        head = atomic_load_explicit(&log->head, memory_order_acquire);
        for (int i = 0; i < 2; i++) {
            const struct mr_tip_shm *tip = &log->tips[i];
            if (atomic_load_explicit(&tip->head, memory_order_acquire) != head)
                continue;
            struct mr_tip out = {
                .head = head,
                .next_offset = atomic_load_explicit(&tip->next_offset, memory_order_relaxed),
                .last_ts_ns = atomic_load_explicit(&tip->last_ts_ns, memory_order_relaxed)};
            /* A tip is rewritten only after the other became the valid one: head moved, or all is
             * well. */
            atomic_thread_fence(memory_order_acquire);
            if (atomic_load_explicit(&tip->head, memory_order_relaxed) == head)
                return out;
        }
        /* Each turn means that a producer published in between, or that no tip is the head's:
         * damage. */
        if (atomic_load_explicit(&log->head, memory_order_acquire) == head &&
            atomic_load_explicit(&log->tips[0].head, memory_order_acquire) != head &&
            atomic_load_explicit(&log->tips[1].head, memory_order_acquire) != head &&
            atomic_load_explicit(&log->head, memory_order_acquire) == head)
            break;
    }
    return (struct mr_tip){.head = head, .next_offset = MR_NONE};
}

uint64_t mr_log_header(const struct mr_topic *topic, const unsigned char *ring, uint64_t pos,
                       uint64_t end, struct mr_record_shm *out)
{
    /* what lies twice back to back ends there, whatever head says */
    if (pos < end && end - pos > topic->ring_bytes)
        end = pos + topic->ring_bytes;
    return mr_record_read(ring + pos % topic->ring_bytes, pos, end, out);
}

uint64_t mr_log_offset(struct mr_topic *topic, uint32_t p, uint64_t pos)
{
    struct mr_tip tip = mr_log_tip(topic, p);
    const unsigned char *ring = mr_topic_ring(topic, p);
    struct mr_record_shm r;
    if (pos == tip.head)
        return tip.next_offset;
    return ring && mr_log_header(topic, ring, pos, tip.head, &r) ? r.offset : MR_NONE;
}

/* ---- index ---- */

uint64_t mr_log_index_at(const struct mr_topic *topic, uint32_t p, uint64_t pos, uint64_t end,
                         uint64_t *offset)
{
    uint64_t step = (pos + MR_INDEX_STEP - 1) / MR_INDEX_STEP;
    const struct mr_index_shm *entry = &mr_topic_index(topic, p)[step % topic->index_cnt];
    uint64_t at = atomic_load_explicit(&entry->pos, memory_order_acquire);
    if (at < pos || at > end || at - pos > topic->ring_bytes)
        return MR_NONE; /* of an earlier lap, or not published */
    *offset = atomic_load_explicit(&entry->offset, memory_order_relaxed);
    return at;
}

struct found {
    uint64_t pos, offset;
};

/* Walks from the record at at->pos to the first one with at least this offset and time, or to the
 * end. */
static int walk(const struct mr_topic *topic, const unsigned char *ring, struct mr_tip tip,
                uint64_t offset_wanted, uint64_t ts_wanted, struct found *at)
{
    struct mr_record_shm r;
    for (uint64_t bytes; at->pos < tip.head; at->pos += bytes) {
        bytes = mr_log_header(topic, ring, at->pos, tip.head, &r);
        if (!bytes)
            return -EBADMSG;
        at->offset = r.offset;
        if (r.offset >= offset_wanted && r.ts_ns >= ts_wanted)
            return 0;
    }
    at->offset = tip.next_offset;
    return 0;
}

int mr_log_find(struct mr_topic *topic, uint32_t p, enum mr_start start, int64_t arg, uint64_t *pos,
                uint64_t *offset)
{
    const unsigned char *ring = mr_topic_ring(topic, p);
    if (!ring)
        return -ENOMEM;
    struct mr_tip tip = mr_log_tip(topic, p);
    struct found found = {.pos = atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire)};
    uint64_t wanted = arg < 0 ? 0 : (uint64_t)arg;
    /* I2 broken, or lapped since tip was read */
    if (tip.next_offset == MR_NONE || tip.head - found.pos > topic->ring_bytes)
        return -EBADMSG;
    if (start == MR_START_END) {
        *pos = tip.head;
        *offset = tip.next_offset;
        return 0;
    }
    if (start == MR_START_STORED || start == MR_START_BEGINNING)
        wanted = 0;
    if (start == MR_START_LAST)
        wanted = wanted > tip.next_offset ? 0 : tip.next_offset - wanted;
    int by_time = start == MR_START_TIME;
    /* The last indexed record with nothing wanted before it; the walk from there passes at most one
     * step of bytes. An entry's time is the latest of all records up to it, so times that go back
     * do no harm. */
    const struct mr_index_shm *index = mr_topic_index(topic, p);
    for (uint32_t i = 0; wanted && i < topic->index_cnt; i++) {
        uint64_t entry = atomic_load_explicit(&index[i].pos, memory_order_acquire);
        uint64_t key = atomic_load_explicit(by_time ? &index[i].ts_ns : &index[i].offset,
                                            memory_order_relaxed);
        if (entry > found.pos && entry < tip.head && (by_time ? key < wanted : key <= wanted))
            found.pos = entry;
    }
    int error = walk(topic, ring, tip, by_time ? 0 : wanted, by_time ? wanted : 0, &found);
    if (error)
        return error;
    *pos = found.pos;
    *offset = found.offset;
    return 0;
}

/* A producer died in here. If it had published, its own counter and its source's slot may not know
 * yet; what it had not published must not be found by the index. Dying in this repair leaves the
 * same work to the next. */
static void repair(struct mr_topic *topic, uint32_t p)
{
    struct mr_log_shm *log = &topic->logs[p];
    uint64_t head = atomic_load_explicit(&log->head, memory_order_relaxed);
    for (int i = 0; i < 2; i++) {
        const struct mr_tip_shm *tip = &log->tips[i];
        uint64_t slot = atomic_load_explicit(&tip->producer, memory_order_relaxed);
        if (head && atomic_load_explicit(&tip->head, memory_order_relaxed) == head &&
            slot < topic->producer_cnt) {
            /* The slot may be another producer's by now: it must not be told that it has appended
             * what it has not (I11). */
            struct mr_producer_shm *who = &topic->producers[slot];
            uint64_t count = atomic_load_explicit(&tip->count, memory_order_relaxed);
            if (atomic_load_explicit(&who->serial, memory_order_relaxed) ==
                    atomic_load_explicit(&tip->serial, memory_order_relaxed) &&
                atomic_load_explicit(&who->records, memory_order_relaxed) < count)
                atomic_store_explicit(&who->records, count, memory_order_relaxed);
            uint64_t id = atomic_load_explicit(&tip->source, memory_order_relaxed);
            struct mr_source_shm *source = id ? mr_source_find(topic, p, id) : NULL;
            if (source)
                mr_source_store(source, atomic_load_explicit(&tip->position, memory_order_relaxed),
                                atomic_load_explicit(&tip->check, memory_order_relaxed), head);
        }
    }
    struct mr_index_shm *index = mr_topic_index(topic, p);
    for (uint32_t i = 0; i < topic->index_cnt; i++)
        if (atomic_load_explicit(&index[i].pos, memory_order_relaxed) >= head)
            atomic_store_explicit(&index[i].pos, 0, memory_order_relaxed);
}

int mr_log_lock(struct mr_topic *topic, uint32_t p)
{
    int error = mr_lock(topic, &topic->logs[p].lock);
    if (error <= 0)
        return error;
    repair(topic, p);
    return 0;
}

int mr_log_lock_try(struct mr_topic *topic, uint32_t p)
{
    int error = mr_lock_try(topic, &topic->logs[p].lock);
    if (error <= 0)
        return error;
    repair(topic, p);
    return 0;
}

/* ---- what groups still need ---- */

/* A group's committed in partition p, and its flags then. Returns its serial; 0 no group. A slot
 * that is used again meanwhile is read again: serials do not come back. */
static uint64_t position_of(const struct mr_topic *topic, uint32_t g, uint32_t p, uint64_t *flags,
                            uint64_t *committed)
{
    const struct mr_group_shm *group = &topic->groups[g];
    uint64_t serial, again = atomic_load_explicit(&group->serial, memory_order_acquire);
    int turn = 0;
    do {
        serial = again;
        *flags = load(&group->flags);
        /* acquire, pairs with mr_group_commit: the group reads nothing below it any more. */
        *committed =
            atomic_load_explicit(&mr_group_part(topic, g, p)->committed, memory_order_acquire);
        atomic_thread_fence(memory_order_acquire);
        again = load(&group->serial);
    } while (again != serial && ++turn < SERIAL_TURNS);
    return serial;
}

uint64_t mr_groups_limit(const struct mr_topic *topic, uint32_t p)
{
    uint64_t low = MR_NONE, pin = MR_NONE, gone = load(&topic->logs[p].acked), flags, committed;
    for (uint32_t g = 0, n = mr_groups_used(topic); g < n; g++) {
        if (!position_of(topic, g, p, &flags, &committed))
            continue;
        if (flags & MR_GROUP_OVER)
            gone = committed > gone ? committed : gone;
        else if (flags & MR_GROUP_MAKING)
            /* it only holds back: what it skips is still owed, if it dies */
            pin = committed < pin ? committed : pin;
        else
            low = committed < low ? committed : low;
    }
    low = low == MR_NONE ? gone : low;
    return pin < low ? pin : low;
}
