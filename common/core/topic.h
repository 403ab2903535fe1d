/* topic.h - a topic segment from inside: its handle, and what the other modules reach through
 * it. */
#ifndef COMMON_CORE_TOPIC_H
#define COMMON_CORE_TOPIC_H

#include "client.h"
#include "guard.h"
#include <errno.h>

struct mr_topic {
    struct mr_bus *bus;
    struct mr_topic *next; /* of the bus's open topics */
    int refs;              /* under the bus's local_lock */
    int write;             /* 0: mapped read-only, by an observer */
    _Atomic int damaged;   /* by mr_guard */
    char name[MR_TOPIC_NAME_MAX + 1];
    uint64_t device, inode;
    struct mr_topic_shm *shm;
    unsigned char *base; /* the same address, for offsets */

    /* Geometry, copied from the segment and checked at attach; never read there again. */
    uint64_t control_bytes, ring_bytes, total_bytes;
    uint64_t record_max;       /* bytes of a whole record, overhead and padding included */
    uint64_t part_records_max; /* 0 none; the first records_extra partitions hold one more */
    uint32_t records_extra;
    /* index_cnt: entries per partition */
    uint32_t partition_cnt, producer_cnt, member_cnt, group_cnt, index_cnt;
    uint32_t full, tries;
    struct mr_settings settings;
    uint64_t parts_off, index_off, sources_off;

    struct mr_producer_shm *producers;
    struct mr_member_shm *members;
    struct mr_group_shm *groups;
    struct mr_log_shm *logs;
    _Atomic(unsigned char *) *rings; /* one a partition, mapped twice, NULL until first used */
};
/* mr_topic_again returns the bus's open handle of a topic, with one reference more; NULL if there
 * is none, or none that can be used. */
struct mr_topic *mr_topic_again(struct mr_bus *bus, const char *name);

/* mr_topic_attach maps a topic and checks it. It may be deleted, or damaged since.
 *   name     a topic's name, checked by the caller
 * Returns  0 with *out, which only its caller knows before mr_topic_keep; or the errors of
 *          mr_topic_open. */
int mr_topic_attach(struct mr_bus *bus, const char *name, struct mr_topic **out);
/* mr_topic_keep lists an attached topic among the bus's open ones, where mr_topic_again finds
 * it. */
void mr_topic_keep(struct mr_topic *topic);
/* mr_topic_unmap ends a handle that is not listed, or not any more. */
void mr_topic_unmap(struct mr_topic *topic);

/* mr_topic_wake wakes every waiter of the topic, as after a death (mr_cond_wake_all). */
void mr_topic_wake(struct mr_topic *topic);

/* mr_intact is mr_topic_intact for callers that ask once a record: 0, or -EIO the file was cut
 * short. */
static inline int mr_intact(const struct mr_topic *topic)
{
    return atomic_load_explicit(&topic->damaged, memory_order_relaxed) ? -EIO : 0;
}

/* mr_topic_error returns what to return for an error found in a topic's words: -EIO if mr_guard put
 * zeros there, -EBADMSG if another process took the pages out, else the error. */
static inline int mr_topic_error(const struct mr_topic *topic, int error)
{
    if (mr_intact(topic) < 0)
        return -EIO;
    return atomic_load_explicit(&topic->shm->magic, memory_order_relaxed) == MR_TOPIC_MAGIC
               ? error
               : -EBADMSG;
}

/* mr_topic_ring_get maps partition p's ring, twice back to back, if it is not mapped yet. Returns 0
 * with *out, or a negative errno with *out NULL: -EIDRM the name means another file by now, -ENOMEM
 * and the like. mr_topic_ring and mr_topic_map_ring return the ring, or NULL; mr_topic_rings maps
 * all of them. The handle's threads may call them at the same time; they wait for the bus's
 * local_lock. */
int mr_topic_ring_get(struct mr_topic *topic, uint32_t p, unsigned char **out);
unsigned char *mr_topic_map_ring(struct mr_topic *topic, uint32_t p);
int mr_topic_rings(struct mr_topic *topic);
static inline unsigned char *mr_topic_ring(struct mr_topic *topic, uint32_t p)
{
    unsigned char *ring = atomic_load_explicit(&topic->rings[p], memory_order_acquire);
    return ring ? ring : mr_topic_map_ring(topic, p);
}

/* mr_topic_reopen opens the file of an attached topic again, for what is not mapped.
 *   write    1: for reading and writing
 * Returns a descriptor, to be closed; -EIDRM the name means another file by now; or another
 * negative errno. */
int mr_topic_reopen(const struct mr_topic *topic, int write);

/* mr_topic_check: 0, or why nothing can be done with the topic: -EIO cut short; -ESTALE in a forked
 * child; -EPERM an observer's; -EIDRM deleted. */
static inline int mr_topic_check(const struct mr_topic *topic)
{
    int error = mr_intact(topic);
    if (!error)
        error = mr_bus_usable(topic->bus);
    return error                                                              ? error
           : atomic_load_explicit(&topic->shm->deleted, memory_order_relaxed) ? -EIDRM
                                                                              : 0;
}

/* The words of one group and partition; the index; the MR_SOURCES sources of a partition. */
static inline struct mr_group_part_shm *mr_group_part(const struct mr_topic *topic, uint32_t group,
                                                      uint32_t p)
{
    return (struct mr_group_part_shm *)(void *)(topic->base + topic->parts_off) +
           (uint64_t)group * topic->partition_cnt + p;
}

static inline struct mr_index_shm *mr_topic_index(const struct mr_topic *topic, uint32_t p)
{
    return (struct mr_index_shm *)(void *)(topic->base + topic->index_off) +
           (uint64_t)p * topic->index_cnt;
}

static inline struct mr_source_shm *mr_topic_sources(const struct mr_topic *topic, uint32_t p)
{
    return (struct mr_source_shm *)(void *)(topic->base + topic->sources_off) +
           (uint64_t)p * MR_SOURCES;
}

#endif
