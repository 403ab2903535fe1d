/* topic.c - see topic.h. */
#include "topic.h"
#include "geometry.h"
#include "segment.h"
#include "sized.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int attach(struct mr_topic *topic, int fd, const struct stat *st)
{
    /* Copied out, then checked; from here on only the copy is believed. */
    struct mr_topic_shm head;
    if (pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head)
        return -EBADMSG;
    uint64_t magic = atomic_load_explicit(&head.magic, memory_order_relaxed);
    if (magic != MR_TOPIC_MAGIC)
        return (magic & ~(uint64_t)MR_LAYOUT_MASK) == (MR_TOPIC_MAGIC & ~(uint64_t)MR_LAYOUT_MASK)
                   ? -EPROTO
                   : -EBADMSG;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct mr_settings settings = mr_settings_unpack(&head.settings);
    if (head.page_bytes != page || head.ring_bytes < MR_SIZE_MIN || head.ring_bytes > MR_SIZE_MAX ||
        head.ring_bytes % page || head.partition_cnt < 1 ||
        head.partition_cnt > MR_PARTITIONS_MAX || head.producer_cnt != MR_PRODUCERS ||
        head.member_cnt != MR_MEMBERS || head.group_cnt != MR_GROUP_SLOTS ||
        mr_settings_bad(&settings) ||
        head.part_records_max != mr_records_per_partition(&settings, head.partition_cnt))
        return -EBADMSG;
    struct mr_geometry g = mr_geometry_of(head.partition_cnt, head.ring_bytes, page);
    if (g.total_bytes != head.total_bytes || g.control_bytes != head.control_bytes ||
        (uint64_t)st->st_size != g.total_bytes ||
        /* holes would be SIGBUS waiting to happen */
        (uint64_t)st->st_blocks * 512 < g.total_bytes - MR_COLUMNS_MAX)
        return -EBADMSG;
    if (head.pid_namespace != mr_segment_pid_namespace())
        return -EREMOTE;

    void *at;
    int error = mr_segment_map(fd, 0, g.control_bytes, topic->write, &at);
    if (error)
        return error;
    topic->shm = at;
    topic->base = at;
    topic->control_bytes = g.control_bytes;
    topic->ring_bytes = g.ring_bytes;
    topic->total_bytes = g.total_bytes;
    topic->index_cnt = g.index_cnt;
    topic->parts_off = g.parts;
    topic->index_off = g.index;
    topic->sources_off = g.sources;
    topic->partition_cnt = head.partition_cnt;
    topic->producer_cnt = head.producer_cnt;
    topic->member_cnt = head.member_cnt;
    topic->group_cnt = head.group_cnt;
    topic->part_records_max = head.part_records_max;
    topic->records_extra = (uint32_t)(head.settings.records_max % head.partition_cnt);
    topic->full = head.settings.full;
    topic->tries = head.settings.tries;
    topic->record_max =
        head.settings.record_max_bytes && head.settings.record_max_bytes < g.ring_bytes
            ? mr_round_up(head.settings.record_max_bytes, 8)
            : g.ring_bytes;
    topic->producers = (struct mr_producer_shm *)(void *)(topic->base + g.producers);
    topic->members = (struct mr_member_shm *)(void *)(topic->base + g.members);
    topic->groups = (struct mr_group_shm *)(void *)(topic->base + g.groups);
    topic->logs = (struct mr_log_shm *)(void *)(topic->base + g.logs);
    topic->device = st->st_dev;
    topic->inode = st->st_ino;
    topic->settings = settings;
    topic->settings.record_max_bytes = topic->record_max;
    topic->rings = calloc(topic->partition_cnt, sizeof *topic->rings);
    return topic->rings ? mr_guard_add(at, g.control_bytes, &topic->damaged) : -ENOMEM;
}

static int open_file(const struct mr_topic *topic, int write, struct stat *st)
{
    char path[MR_PATH_MAX];
    mr_segment_name(path, topic->bus->owner, topic->bus->name, topic->name);
    return mr_segment_open(path, topic->bus->owner, write, sizeof(struct mr_topic_shm), st);
}

int mr_topic_reopen(const struct mr_topic *topic, int write)
{
    struct stat st;
    int fd = open_file(topic, write, &st);
    if (fd >= 0 && (st.st_dev != topic->device || st.st_ino != topic->inode)) {
        close(fd);
        fd = -ENOENT;
    }
    return fd == -ENOENT ? -EIDRM : fd;
}

int mr_topic_ring_get(struct mr_topic *topic, uint32_t p, unsigned char **out)
{
    int error = 0;
    *out = atomic_load_explicit(&topic->rings[p], memory_order_acquire);
    if (*out)
        return 0;
    pthread_mutex_lock(&topic->bus->local_lock);
    unsigned char *ring = atomic_load_explicit(&topic->rings[p], memory_order_relaxed);
    if (!ring) {
        int fd = error = mr_topic_reopen(topic, topic->write);
        if (fd >= 0) {
            error = mr_segment_map_twice(fd, topic->control_bytes + p * topic->ring_bytes,
                                         topic->ring_bytes, topic->write, &ring);
            if (!error &&
                (error = mr_guard_add(ring, 2 * topic->ring_bytes, &topic->damaged)) < 0) {
                munmap(ring, 2 * topic->ring_bytes);
                ring = NULL;
            }
            atomic_store_explicit(&topic->rings[p], ring, memory_order_release);
            close(fd);
        }
    }
    pthread_mutex_unlock(&topic->bus->local_lock);
    *out = ring;
    return error;
}

unsigned char *mr_topic_map_ring(struct mr_topic *topic, uint32_t p)
{
    unsigned char *ring;
    return mr_topic_ring_get(topic, p, &ring) ? NULL : ring;
}

int mr_topic_rings(struct mr_topic *topic)
{
    unsigned char *ring;
    int error = 0;
    for (uint32_t p = 0; p < topic->partition_cnt && !error; p++)
        error = mr_topic_ring_get(topic, p, &ring);
    return error;
}

void mr_topic_unmap(struct mr_topic *topic)
{
    /* Zeros in place of a mutex hide from the C library that it is in a thread's list of robust
     * locks: the list may lead there for ever. */
    if (topic->write && mr_intact(topic) < 0)
        return;
    if (topic->rings)
        for (uint32_t p = 0; p < topic->partition_cnt; p++) {
            unsigned char *ring = atomic_load_explicit(&topic->rings[p], memory_order_relaxed);
            if (!ring)
                continue;
            mr_guard_remove(ring);
            munmap(ring, 2 * topic->ring_bytes);
        }
    free((void *)topic->rings);
    if (topic->shm) {
        mr_guard_remove(topic->shm);
        munmap(topic->shm, topic->control_bytes);
    }
    free(topic);
}

struct mr_topic *mr_topic_again(struct mr_bus *bus, const char *name)
{
    pthread_mutex_lock(&bus->local_lock);
    struct mr_topic *topic = bus->topics;
    while (topic && (strcmp(topic->name, name) != 0 || mr_intact(topic) < 0 ||
                     atomic_load_explicit(&topic->shm->deleted, memory_order_relaxed)))
        topic = topic->next;
    if (topic)
        topic->refs++;
    pthread_mutex_unlock(&bus->local_lock);
    return topic;
}

int mr_topic_attach(struct mr_bus *bus, const char *name, struct mr_topic **out)
{
    struct mr_topic *topic = calloc(1, sizeof *topic);
    if (!topic)
        return -ENOMEM;
    topic->bus = bus;
    topic->refs = 1;
    topic->write = bus->self != 0;
    strcpy(topic->name, name);
    struct stat st;
    int fd = open_file(topic, topic->write, &st);
    if (fd < 0) {
        free(topic);
        return fd;
    }
    int error = attach(topic, fd, &st);
    close(fd);
    if (error)
        mr_topic_unmap(topic);
    else
        *out = topic;
    return error;
}

void mr_topic_keep(struct mr_topic *topic)
{
    struct mr_bus *bus = topic->bus;
    pthread_mutex_lock(&bus->local_lock);
    topic->next = bus->topics;
    bus->topics = topic;
    pthread_mutex_unlock(&bus->local_lock);
}

void mr_topic_close(struct mr_topic *topic)
{
    if (!topic)
        return;
    struct mr_bus *bus = topic->bus;
    pthread_mutex_lock(&bus->local_lock);
    int last = --topic->refs == 0;
    for (struct mr_topic **at = &bus->topics; last && *at; at = &(*at)->next)
        if (*at == topic) {
            *at = topic->next;
            break;
        }
    pthread_mutex_unlock(&bus->local_lock);
    if (last)
        mr_topic_unmap(topic);
}

/* ---- state ---- */

const char *mr_topic_name(const struct mr_topic *topic)
{
    return topic->name;
}

int mr_topic_settings(const struct mr_topic *topic, struct mr_settings *out)
{
    const size_t first = MR_SIZED(struct mr_settings, mode);
    int error = mr_sized_check(out, first);
    if (!error)
        mr_sized_write(out, &topic->settings, sizeof topic->settings, first);
    return error;
}

uint64_t mr_topic_record_max(const struct mr_topic *topic)
{
    return topic->record_max - sizeof(struct mr_record_shm);
}

int mr_topic_intact(const struct mr_topic *topic)
{
    return mr_intact(topic);
}

void mr_topic_wake(struct mr_topic *topic)
{
    mr_cond_wake_all(&topic->shm->space);
    for (uint32_t g = 0; g < topic->group_cnt; g++)
        if (atomic_load_explicit(&topic->groups[g].serial, memory_order_relaxed))
            mr_cond_wake_all(&topic->groups[g].data);
}
