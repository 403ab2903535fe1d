/* source.h - how far the sources of records have come in a partition: files that a producer sends,
 * and may send again from where it was. */
#ifndef COMMON_CORE_SOURCE_H
#define COMMON_CORE_SOURCE_H

#include "log.h"

/* All four are called with the log's lock held, never block, and leave after a kill inside what the
 * log's repair completes. */

/* mr_source_find returns the source's slot in partition p; NULL if it has none. id 0: a free
 * slot. */
static inline struct mr_source_shm *mr_source_find(const struct mr_topic *topic, uint32_t p,
                                                   uint64_t id)
{
    struct mr_source_shm *source = mr_topic_sources(topic, p);
    for (struct mr_source_shm *end = source + MR_SOURCES; source < end; source++)
        if (atomic_load_explicit(&source->id, memory_order_relaxed) == id)
            return source;
    return NULL;
}

/* mr_source_slot is the same for a source that may be new: then it returns a free slot, whose id is
 * 0; NULL if none is free. A source is never forgotten for another one: its file would be sent
 * again from its start (I11). */
static inline struct mr_source_shm *mr_source_slot(const struct mr_topic *topic, uint32_t p,
                                                   uint64_t id)
{
    struct mr_source_shm *source = mr_source_find(topic, p, id);
    return source ? source : mr_source_find(topic, p, 0);
}

/* mr_source_add makes a free slot the source's, with nothing sent yet.
 *   head     the log's head, a position in bytes */
static inline void mr_source_add(struct mr_topic *topic, uint32_t p, struct mr_source_shm *source,
                                 uint64_t id, uint64_t head)
{
    struct mr_tx tx = mr_tx_begin(topic, &topic->logs[p].lock);
    mr_tx_set(&tx, &source->id, id);
    mr_tx_set(&tx, &source->position, 0);
    mr_tx_set(&tx, &source->check, 0);
    mr_tx_set(&tx, &source->used, head);
    mr_tx_commit(&tx);
}

/* mr_source_store stores how far the source has come: position in its own units, check as its
 * producer computed it. head: the log's head then. */
static inline void mr_source_store(struct mr_source_shm *source, uint64_t position, uint64_t check,
                                   uint64_t head)
{
    atomic_store_explicit(&source->position, position, memory_order_relaxed);
    atomic_store_explicit(&source->check, check, memory_order_relaxed);
    atomic_store_explicit(&source->used, head, memory_order_relaxed);
}

/* mr_log_progress: how far a source has come in partition p. 1; 0 nothing is known of it; or a
 * negative errno. */
int mr_log_progress(struct mr_topic *topic, uint32_t p, uint64_t source, struct mr_progress *out);

/* mr_log_source_room: 0 if every partition knows the source or has room for it; -EUSERS, or another
 * negative errno. */
int mr_log_source_room(struct mr_topic *topic, uint64_t source);

#endif
