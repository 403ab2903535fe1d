/* log.h - one partition: a byte ring of records, appended under one lock, read without any.
 *
 * Positions are byte counts since creation; they never wrap (2^64 bytes last centuries). A record
 * starts at an 8-byte boundary, and because the ring is mapped twice it never wraps either. The
 * log's states:
 *
 *     tail <= ... <= head <= tail + ring_bytes (I2); [tail, head) are whole records with
 *     consecutive offsets and right check words (I3)
 *
 * Appending writes beyond head and publishes by ONE release store of head: after a kill before it
 * nothing has happened. What belongs to a head (next offset, time, producer, and how far its source
 * had come) lies in one of two tips, the one that names this head. The next to lock after a death
 * copies it to where it is kept. tail is stored before the bytes below it are reused. */
#ifndef COMMON_CORE_LOG_H
#define COMMON_CORE_LOG_H

#include "tx.h"
#include <string.h>

/* mr_record_bytes returns a record's whole size in bytes, overhead and padding included. */
static inline uint64_t mr_record_bytes(uint64_t value_len, uint64_t key_len, uint64_t headers_len)
{
    return (sizeof(struct mr_record_shm) + value_len + key_len + headers_len + 7) & ~(uint64_t)7;
}

/* mr_record_check mixes what must fit together; the constants are the 64-bit golden ratio and two
 * primes of xxHash. A header from another lap, another place or another program passes with a
 * chance of 2^-32. */
static inline uint32_t mr_record_check(uint64_t pos, const struct mr_record_shm *r)
{
    uint64_t lens = (uint64_t)r->key_len << 32 | r->value_len;
    uint64_t rest = (uint64_t)r->flags << 16 | r->headers_len;
    uint64_t x = (pos + 1) * 0x9e3779b97f4a7c15u ^ (r->offset + rest) * 0xc2b2ae3d27d4eb4fu ^
                 (lens ^ r->ts_ns) * 0x165667b19e3779f9u;
    return (uint32_t)(x >> 32) ^ (uint32_t)x;
}

/* mr_log_lock takes the log's lock, and repairs what a dead producer left: its own count, its
 * source's progress, and what the index has of records that were not published. Waits for the lock.
 * Killed   in the repair: the next to lock repairs the same again. */
int mr_log_lock(struct mr_topic *topic, uint32_t p);
/* mr_log_lock_try is the same, but never blocks: -EBUSY a live process has the lock. */
int mr_log_lock_try(struct mr_topic *topic, uint32_t p);

/* mr_log_records_max: how many records may wait in the partition; 0: only bytes bound them. */
static inline uint64_t mr_log_records_max(const struct mr_topic *topic, uint32_t p)
{
    return topic->part_records_max ? topic->part_records_max + (p < topic->records_extra) : 0;
}

/* mr_groups_used: all groups lie in slots below this. */
static inline uint32_t mr_groups_used(const struct mr_topic *topic)
{
    uint64_t high = atomic_load_explicit(&topic->shm->group_high, memory_order_acquire);
    return high < topic->group_cnt ? (uint32_t)high : topic->group_cnt;
}

/* mr_group_holds: 1 if producers wait for the group, which is MAKING or live (group.h). */
static inline int mr_group_holds(const struct mr_topic *topic, uint32_t group)
{
    const struct mr_group_shm *at = &topic->groups[group];
    return atomic_load_explicit(&at->serial, memory_order_acquire) &&
           !(atomic_load_explicit(&at->flags, memory_order_relaxed) & MR_GROUP_OVER);
}

/* mr_groups_limit returns the position in bytes that no group is behind, by their committed words;
 * without a group, the one up to which those that are gone have acknowledged. With the log's lock
 * held, the tail may go so far; without, the value may be older. */
uint64_t mr_groups_limit(const struct mr_topic *topic, uint32_t p);

/* mr_log_tip reads head and what belongs to it, without a lock. next_offset is MR_NONE if nothing
 * belongs to head: the log is damaged. last_ts_ns: the latest time of any record, CLOCK_REALTIME.
 * Order    acquire, pairs with the publishing store: what lies below head is written. */
struct mr_tip {
    uint64_t head, next_offset, last_ts_ns;
};
struct mr_tip mr_log_tip(const struct mr_topic *topic, uint32_t p);

/* mr_log_header copies the header of the record at pos, in [tail, end).
 *   end      a record boundary at or below head, a position in bytes
 * Returns the record's whole size in bytes, at most ring_bytes, so that it lies inside the mapping;
 * or 0 when no header there can be believed. The caller protects pos from being overwritten, or
 * looks at tail afterwards. */
uint64_t mr_log_header(const struct mr_topic *topic, const unsigned char *ring, uint64_t pos,
                       uint64_t end, struct mr_record_shm *out);

/* mr_record_read is the same for a record that lies at `at` and has position pos. The caller knows
 * that end - pos bytes can be read there. */
static inline uint64_t mr_record_read(const unsigned char *at, uint64_t pos, uint64_t end,
                                      struct mr_record_shm *out)
{
    if (pos % alignof(struct mr_record_shm) || pos >= end || end - pos < sizeof *out)
        return 0;
    /* Field by field: the place of the next record depends on these lengths, and a copy of the
     * whole would hold them up on the stack. */
    const struct mr_record_shm *r = (const struct mr_record_shm *)(const void *)at;
    struct mr_record_shm once = {.value_len = r->value_len,
                                 .key_len = r->key_len,
                                 .headers_len = r->headers_len,
                                 .flags = r->flags,
                                 .check = r->check,
                                 .offset = r->offset,
                                 .ts_ns = r->ts_ns};
    /* read once: what is checked is what is used, whatever is written there meanwhile */
    atomic_signal_fence(memory_order_acquire);
    uint64_t bytes = mr_record_bytes(once.value_len, once.key_len == MR_KEY_NONE ? 0 : once.key_len,
                                     once.headers_len);
    if (bytes > end - pos || once.check != mr_record_check(pos, &once))
        return 0;
    *out = once;
    return bytes;
}

/* mr_log_offset returns the offset of the record at position pos, at head that of the next record;
 * MR_NONE if pos is no record start, was overwritten, or the ring cannot be mapped. */
uint64_t mr_log_offset(struct mr_topic *topic, uint32_t p, uint64_t pos);

/* mr_log_find finds where a consumer starts: the first record that start and arg allow.
 *   arg      of start, as in mr_consumer_options: an offset, a number of records, a time in ns
 * Returns 0 with *pos (bytes) and *offset; -ENOMEM the ring cannot be mapped; -EBADMSG damaged, or,
 * without the log's lock, overwritten while it was read. */
int mr_log_find(struct mr_topic *topic, uint32_t p, enum mr_start start, int64_t arg, uint64_t *pos,
                uint64_t *offset);

/* mr_log_index_at returns the first indexed record start at or after pos and at or below end, with
 * its *offset; or MR_NONE: the index has none there. */
uint64_t mr_log_index_at(const struct mr_topic *topic, uint32_t p, uint64_t pos, uint64_t end,
                         uint64_t *offset);

#endif
