/* topic.c - see topic.h: making, attaching and ending a topic. */
#include "topic.h"
#include "control.h"
#include "group.h"
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* a large segment takes the kernel a while to allocate: about 0.3 s a GiB */
#define CREATE_PATIENCE_NS 10000000000u
/* while the broker does not answer, *stop is looked at so often */
#define CREATE_STEP_NS 100000000

/* ---- geometry: where things lie, computed from the counts alone, so that attach can check what
 * the header says ---- */

struct geometry {
    uint64_t producers, members, groups, parts, logs, index, sources, control_bytes, ring_bytes,
        total_bytes;
    uint32_t index_cnt;
};

static uint64_t up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static struct geometry measure(uint32_t producer_cnt, uint32_t member_cnt, uint32_t group_cnt,
                               uint32_t partition_cnt, uint64_t ring_bytes, uint64_t page)
{
    struct geometry g = {.ring_bytes = ring_bytes,
                         .index_cnt =
                             (uint32_t)((ring_bytes + MR_INDEX_STEP - 1) / MR_INDEX_STEP + 1)};
    g.producers = up(sizeof(struct mr_topic_shm), 64);
    g.members = g.producers + (uint64_t)producer_cnt * sizeof(struct mr_producer_shm);
    g.groups = g.members + (uint64_t)member_cnt * sizeof(struct mr_member_shm);
    g.logs = g.groups + (uint64_t)group_cnt * sizeof(struct mr_group_shm);
    g.parts = g.logs + (uint64_t)partition_cnt * sizeof(struct mr_log_shm);
    g.index = g.parts + (uint64_t)group_cnt * partition_cnt * sizeof(struct mr_group_part_shm);
    g.sources = g.index + (uint64_t)partition_cnt * g.index_cnt * sizeof(struct mr_index_shm);
    g.control_bytes =
        up(g.sources + (uint64_t)partition_cnt * MR_SOURCES * sizeof(struct mr_source_shm), page);
    /* the columns' room is a hole until used */
    g.total_bytes = g.control_bytes + (uint64_t)partition_cnt * ring_bytes + MR_COLUMNS_MAX;
    return g;
}

static int settings_bad(const struct mr_settings *s)
{
    return s->size_bytes < MR_SIZE_MIN || s->size_bytes > MR_SIZE_MAX || s->partitions < 1 ||
           s->partitions > MR_PARTITIONS_MAX || s->full < MR_FULL_BLOCK || s->full > MR_FULL_FAIL ||
           s->tries < 1 || s->tries > 1000 || s->records_max > (uint64_t)1 << 48 ||
           (s->records_max && s->records_max < s->partitions) ||
           (s->record_max_bytes && s->record_max_bytes < MR_RECORD_OVERHEAD) ||
           (s->mode & ~0777u) || (s->mode & 0600) != 0600;
}

static uint64_t records_per_partition(const struct mr_settings *s, uint32_t partition_cnt)
{
    return s->records_max / partition_cnt;
}

static int init_segment(int fd, const struct geometry *g, const struct mr_settings *settings,
                        uint64_t page)
{
    void *at;
    int error = mr_segment_map(fd, 0, g->control_bytes, 1, &at);
    if (error)
        return error;
    struct mr_topic_shm *shm = at;
    unsigned char *base = at;
    shm->total_bytes = g->total_bytes;
    shm->control_bytes = g->control_bytes;
    shm->ring_bytes = g->ring_bytes;
    shm->page_bytes = page;
    shm->pid_namespace = mr_segment_pid_namespace();
    shm->created_ns = mr_wall_ns();
    shm->partition_cnt = settings->partitions;
    shm->producer_cnt = MR_PRODUCERS;
    shm->member_cnt = MR_MEMBERS;
    shm->group_cnt = MR_GROUP_SLOTS;
    shm->part_records_max = records_per_partition(settings, settings->partitions);
    shm->settings = *settings;
    error = mr_lock_init(&shm->lock);
    for (uint32_t i = 0; i < MR_GROUP_SLOTS && !error; i++)
        error = mr_lock_init(&((struct mr_group_shm *)(void *)(base + g->groups))[i].lock);
    for (uint32_t p = 0; p < settings->partitions && !error; p++) {
        struct mr_log_shm *log = &((struct mr_log_shm *)(void *)(base + g->logs))[p];
        error = mr_lock_init(&log->lock);
        /* tips[0] stands for the empty log: head 0, offset 0 */
        atomic_store_explicit(&log->tips[1].head, MR_NONE, memory_order_relaxed);
        atomic_store_explicit(&log->want, MR_NONE, memory_order_relaxed);
    }
    atomic_store_explicit(&shm->magic, MR_TOPIC_MAGIC, memory_order_release);
    munmap(at, g->control_bytes);
    return error;
}

int mr_topic_make(struct mr_bus *bus, const char *name, const struct mr_settings *settings)
{
    if (mr_name_check('t', name) || settings_bad(settings))
        return -EINVAL;
    /* the file would be ours, and so nobody would take it for the bus's */
    if (bus->owner != geteuid())
        return -EPERM;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t ring =
        up((settings->size_bytes + settings->partitions - 1) / settings->partitions, page);
    struct geometry g =
        measure(MR_PRODUCERS, MR_MEMBERS, MR_GROUP_SLOTS, settings->partitions, ring, page);
    char path[MR_PATH_MAX];
    mr_segment_name(path, bus->owner, bus->name, name);
    struct stat st;
    /* cheaper than to allocate a large segment in vain */
    int fd = mr_segment_open(path, bus->owner, 0, 0, &st);
    if (fd >= 0) {
        close(fd);
        return -EEXIST;
    }
    struct stat of_bus; /* a topic belongs to the group that its bus belongs to */
    if (fstat(bus->probe_fd, &of_bus) < 0)
        return -errno;
    fd = mr_segment_create(g.total_bytes, g.total_bytes - MR_COLUMNS_MAX, settings->mode,
                           of_bus.st_gid);
    if (fd < 0)
        return fd;
    int error = init_segment(fd, &g, settings, page);
    if (!error)
        error = mr_segment_publish(fd, path);
    close(fd);
    if (!error)
        mr_bus_changed(bus);
    return error;
}

/* Sends a request and waits for the answer. A broker that does not give one, stopped most likely,
 * is named to on_wait. */
static int ask_broker(const struct mr_bus *bus, const struct mr_control_msg *request,
                      struct mr_control_msg *reply)
{
    struct mr_wait wait = {
        .what = MR_WAIT_BROKER, .topic = request->topic, .group = "", .name = ""};
    uint64_t since = mr_now_ns(), said = 0;
    int fd = -1, error;
    do {
        error = fd < 0 ? fd = mr_control_send(bus->owner, bus->name, request, CREATE_STEP_NS) : 0;
        if (fd >= 0)
            error = mr_control_answer(fd, request->op, reply, CREATE_STEP_NS);
        if (error == -ETIMEDOUT) {
            int pid = mr_broker_pid(bus);
            wait.pid = pid > 0 ? pid : 0;
            wait.held_ns = mr_now_ns() - since;
            if (mr_bus_notice(bus, &wait, since, &said))
                error = -EINTR;
        }
    } while (error == -ETIMEDOUT && mr_now_ns() - since < CREATE_PATIENCE_NS);
    if (fd >= 0)
        close(fd);
    return error;
}

int mr_topic_create(struct mr_bus *bus, const char *name, const struct mr_settings *settings,
                    int automatic)
{
    if (mr_name_check('t', name))
        return -EINVAL;
    struct mr_control_msg request = {.op = MR_CONTROL_CREATE, .automatic = automatic != 0}, reply;
    if (settings)
        request.settings = *settings;
    strcpy(request.topic, name);
    int error = ask_broker(bus, &request, &reply);
    return error ? error : reply.status;
}

/* ---- attaching ---- */

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
    if (head.page_bytes != page || head.ring_bytes < MR_SIZE_MIN || head.ring_bytes > MR_SIZE_MAX ||
        head.ring_bytes % page || head.partition_cnt < 1 ||
        head.partition_cnt > MR_PARTITIONS_MAX || head.producer_cnt != MR_PRODUCERS ||
        head.member_cnt != MR_MEMBERS || head.group_cnt != MR_GROUP_SLOTS ||
        settings_bad(&head.settings) ||
        head.part_records_max != records_per_partition(&head.settings, head.partition_cnt))
        return -EBADMSG;
    struct geometry g = measure(head.producer_cnt, head.member_cnt, head.group_cnt,
                                head.partition_cnt, head.ring_bytes, page);
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
            ? up(head.settings.record_max_bytes, 8)
            : g.ring_bytes;
    topic->producers = (struct mr_producer_shm *)(void *)(topic->base + g.producers);
    topic->members = (struct mr_member_shm *)(void *)(topic->base + g.members);
    topic->groups = (struct mr_group_shm *)(void *)(topic->base + g.groups);
    topic->logs = (struct mr_log_shm *)(void *)(topic->base + g.logs);
    topic->device = st->st_dev;
    topic->inode = st->st_ino;
    topic->settings = head.settings;
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

int mr_topic_created(struct mr_bus *bus, const char *name, uint64_t *created_ns)
{
    char path[MR_PATH_MAX];
    struct stat st;
    struct mr_topic_shm head;
    mr_segment_name(path, bus->owner, bus->name, name);
    int error = 0, fd = mr_segment_open(path, bus->owner, 0, sizeof head, &st);
    if (fd < 0)
        return fd;
    ssize_t got = pread(fd, &head, sizeof head, 0);
    if (got != (ssize_t)sizeof head)
        error = got < 0 ? -errno : -EBADMSG;
    close(fd);
    if (!error)
        *created_ns = head.created_ns;
    return error;
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

static void unmap(struct mr_topic *topic)
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

/* Takes a deleted topic's name away, with its lock held. All who do so hold it, so that between the
 * look and the step the name does not come to lead to the next topic. In /dev/shm only its owner
 * can: for others, the bus's broker does it when it next looks. */
static int take_name(const struct mr_topic *topic)
{
    char path[MR_PATH_MAX];
    mr_segment_name(path, topic->bus->owner, topic->bus->name, topic->name);
    if (!mr_segment_is(path, topic->device, topic->inode))
        return 0;
    if (shm_unlink(path) == 0 || errno == ENOENT || topic->bus->owner != geteuid())
        return 0;
    return -errno;
}

int mr_topic_open(struct mr_bus *bus, const char *name, struct mr_topic **out)
{
    if (mr_name_check('t', name))
        return -EINVAL;
    if (!*bus->alive)
        return -ESTALE;
    pthread_mutex_lock(&bus->local_lock);
    for (struct mr_topic *topic = bus->topics; topic; topic = topic->next)
        if (strcmp(topic->name, name) == 0 && mr_intact(topic) == 0 &&
            !atomic_load_explicit(&topic->shm->deleted, memory_order_relaxed)) {
            topic->refs++;
            pthread_mutex_unlock(&bus->local_lock);
            *out = topic;
            return 0;
        }
    pthread_mutex_unlock(&bus->local_lock);

    struct mr_topic *topic = calloc(1, sizeof *topic);
    if (!topic)
        return -ENOMEM;
    topic->bus = bus;
    topic->refs = 1;
    topic->write = bus->self != 0;
    strcpy(topic->name, name);
    struct stat st;
    int error, fd = open_file(topic, topic->write, &st);
    if (fd < 0) {
        free(topic);
        return fd;
    }
    error = attach(topic, fd, &st);
    close(fd);
    uint64_t deleted = error ? 0 : atomic_load_explicit(&topic->shm->deleted, memory_order_acquire);
    if (!error)
        error = deleted > 1 ? -EBADMSG : mr_intact(topic);
    if (!error && deleted) {
        /* Who deleted it was killed before it could take the name away. An observer changes
         * nothing, and believes less. */
        int locked = topic->write ? mr_topic_lock(topic) : -EPERM;
        if (topic->write && locked != -EINTR) /* a damaged lock must not keep it for ever */
            take_name(topic);
        if (!locked)
            mr_unlock(&topic->shm->lock);
        error = -ENOENT;
    }
    if (error) {
        unmap(topic);
        return error;
    }
    pthread_mutex_lock(&bus->local_lock);
    topic->next = bus->topics;
    bus->topics = topic;
    pthread_mutex_unlock(&bus->local_lock);
    *out = topic;
    return 0;
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
        unmap(topic);
}

/* ---- state ---- */

const char *mr_topic_name(const struct mr_topic *topic)
{
    return topic->name;
}

void mr_topic_settings(const struct mr_topic *topic, struct mr_settings *out)
{
    *out = topic->settings;
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

int mr_topic_seal(struct mr_topic *topic)
{
    int error = mr_topic_check(topic);
    if (error)
        return error;
    /* Producers look at `sealed` under their log's lock; consumers that see it take each log's lock
     * once before they believe the heads. */
    atomic_store_explicit(&topic->shm->sealed, 1, memory_order_release);
    mr_topic_wake(topic);
    return mr_intact(topic);
}

ssize_t mr_topic_purge(struct mr_topic *topic)
{
    int error = mr_topic_check(topic);
    if (error)
        return error;
    error = mr_topic_lock(topic);
    if (error)
        return error;
    ssize_t most = 0;
    int groups = 0;
    for (uint32_t g = 0; g < topic->group_cnt && most >= 0; g++) {
        if (!mr_group_there(topic, g))
            continue;
        groups++;
        ssize_t n = mr_group_purge(topic, g);
        most = n < 0 || n > most ? n : most;
    }
    /* Without a group the records wait for the first one: then the logs themselves let go of
     * them. */
    for (uint32_t p = 0; p < topic->partition_cnt && !groups && most >= 0; p++) {
        error = mr_log_lock(topic, p);
        if (error) {
            most = error;
            break;
        }
        struct mr_log_shm *log = &topic->logs[p];
        struct mr_tip tip = mr_log_tip(topic, p);
        uint64_t first =
            mr_log_offset(topic, p, atomic_load_explicit(&log->tail, memory_order_relaxed));
        if (tip.next_offset == MR_NONE || (first != MR_NONE && first > tip.next_offset)) {
            most = -EBADMSG;
        } else {
            most += first == MR_NONE ? 0 : (ssize_t)(tip.next_offset - first);
            atomic_store_explicit(&log->acked, tip.head, memory_order_relaxed);
            atomic_store_explicit(&log->limit, tip.head, memory_order_relaxed);
            atomic_store_explicit(&log->tail, tip.head, memory_order_release);
        }
        mr_unlock(&log->lock);
    }
    mr_unlock(&topic->shm->lock);
    mr_topic_wake(topic);
    return mr_intact(topic) < 0 ? -EIO : most;
}

/* 1 a live client is; 0; or a negative errno: it cannot be told. */
static int attached(const struct mr_topic *topic)
{
    const struct mr_bus *bus = topic->bus;
    int alive = 0;
    for (uint32_t i = 0; i < topic->member_cnt && !alive; i++)
        if (atomic_load_explicit(&topic->members[i].group, memory_order_relaxed))
            alive = mr_client_alive(
                bus, atomic_load_explicit(&topic->members[i].owner, memory_order_relaxed));
    for (uint32_t i = 0; i < topic->producer_cnt && !alive; i++)
        if (atomic_load_explicit(&topic->producers[i].state, memory_order_relaxed) == 'a')
            alive = mr_client_alive(
                bus, atomic_load_explicit(&topic->producers[i].owner, memory_order_relaxed));
    return alive;
}

/* Nothing is owed to anybody? Asked with all logs locked, so that nothing can be appended before
 * the answer is acted on. */
static int finished(struct mr_topic *topic)
{
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        uint64_t head = atomic_load_explicit(&topic->logs[p].head, memory_order_relaxed);
        if (mr_groups_limit(topic, p) != head)
            return 0;
    }
    return 1;
}

/* With the topic's lock held: who is not attached cannot attach meanwhile. */
static int mark_deleted(struct mr_topic *topic, enum mr_delete how)
{
    int unused = how == MR_DELETE_UNUSED || how == MR_DELETE_IDLE;
    int done = how == MR_DELETE_FINISHED || how == MR_DELETE_IDLE;
    int error = unused ? attached(topic) : 0;
    if (error)
        return error > 0 ? -EBUSY : error;
    uint32_t locked = 0;
    for (uint32_t p = 0; done && p < topic->partition_cnt && !error; p++)
        error = mr_groups_settle(topic, p);
    for (; done && locked < topic->partition_cnt && !error; locked++)
        error = mr_log_lock(topic, locked);
    if (!error && done && !finished(topic))
        error = -ENOTEMPTY;
    if (!error)
        atomic_store_explicit(&topic->shm->deleted, 1, memory_order_release);
    else if (locked && error != -ENOTEMPTY)
        locked--; /* the last one was not taken */
    while (locked--)
        mr_unlock(&topic->logs[locked].lock);
    return error;
}

int mr_topic_delete(struct mr_topic *topic, enum mr_delete how)
{
    int error = mr_topic_check(topic);
    if (error)
        return error;
    int fd = mr_topic_reopen(topic, 1);
    if (fd < 0)
        return fd;
    close(fd);
    error = mr_topic_lock(topic); /* nobody joins meanwhile */
    if (error)
        return error;
    error = mark_deleted(topic, how);
    if (error) {
        mr_unlock(&topic->shm->lock);
        return error;
    }
    error = take_name(topic);
    mr_unlock(&topic->shm->lock);
    mr_topic_wake(topic);
    mr_bus_changed(topic->bus);
    return error;
}

int mr_topic_lost(struct mr_topic *topic)
{
    char path[MR_PATH_MAX];
    mr_segment_name(path, topic->bus->owner, topic->bus->name, topic->name);
    if (mr_segment_is(path, topic->device, topic->inode) ||
        atomic_exchange_explicit(&topic->shm->deleted, 1, memory_order_acq_rel))
        return 0;
    mr_topic_wake(topic);
    return 1;
}

int mr_topic_unlink(const char *bus, const char *topic)
{
    char path[MR_PATH_MAX];
    mr_segment_name(path, geteuid(), bus, topic);
    return shm_unlink(path) < 0 ? -errno : 0;
}
