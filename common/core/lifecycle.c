/* lifecycle.c - see lifecycle.h. */
#include "lifecycle.h"
#include "control.h"
#include "geometry.h"
#include "group_life.h"
#include "segment.h"
#include "sized.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* a large segment takes the kernel a while to allocate: about 0.3 s a GiB */
#define CREATE_PATIENCE_NS 10000000000u

/* how often *stop is looked at while the broker does not answer */
#define CREATE_STEP_NS 100000000

/* how often mr_topic_ensure finds a topic deleted that was just there, before it gives up */
#define ENSURE_TURNS 100

/* ---- creating ---- */

static int init_segment(int fd, const struct mr_geometry *g, const struct mr_settings *settings,
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
    shm->part_records_max = mr_records_per_partition(settings, settings->partitions);
    shm->settings = mr_settings_pack(settings);
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

int mr_topic_create_segment(struct mr_bus *bus, const char *name,
                            const struct mr_settings *settings)
{
    if (mr_name_check(MR_NAME_TOPIC, name) || mr_settings_bad(settings))
        return -EINVAL;
    /* the file would be ours, and clients would not take it for the bus's */
    if (bus->owner != geteuid())
        return -EPERM;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t ring =
        mr_round_up((settings->size_bytes + settings->partitions - 1) / settings->partitions, page);
    struct mr_geometry g = mr_geometry_of(settings->partitions, ring, page);
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
    if (mr_name_check(MR_NAME_TOPIC, name))
        return -EINVAL;
    struct mr_settings own;
    int error = mr_sized_read(&own, sizeof own, settings, MR_SIZED(struct mr_settings, mode));
    if (error)
        return error;
    struct mr_control_msg request = {.op = MR_CONTROL_CREATE, .automatic = automatic != 0}, reply;
    request.settings = mr_settings_pack(&own);
    strcpy(request.topic, name);
    error = ask_broker(bus, &request, &reply);
    return error ? error : reply.status;
}

/* ---- opening ---- */

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

/* Takes a deleted topic's name away, with its lock held. All who do so hold it, so that between the
 * look and the step the name does not come to lead to the next topic. In /dev/shm only its owner
 * can: for others, the bus's broker does it when it next looks. */
static int remove_name(const struct mr_topic *topic)
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
    if (mr_name_check(MR_NAME_TOPIC, name))
        return -EINVAL;
    if (!*bus->alive)
        return -ESTALE;
    struct mr_topic *topic = mr_topic_again(bus, name);
    if (topic) {
        *out = topic;
        return 0;
    }
    int error = mr_topic_attach(bus, name, &topic);
    if (error)
        return error;
    uint64_t deleted = atomic_load_explicit(&topic->shm->deleted, memory_order_acquire);
    error = deleted > 1 ? -EBADMSG : mr_intact(topic);
    if (!error && deleted) {
        /* Who deleted it was killed before it could take the name away. An observer changes
         * nothing, and believes less. */
        int lock_error = topic->write ? mr_topic_lock(topic) : -EPERM;
        if (topic->write && lock_error != -EINTR) /* a damaged lock must not keep it for ever */
            remove_name(topic);
        if (!lock_error)
            mr_unlock(&topic->shm->lock);
        error = -ENOENT;
    }
    if (error) {
        mr_topic_unmap(topic);
        return error;
    }
    mr_topic_keep(topic);
    *out = topic;
    return 0;
}

int mr_topic_ensure(struct mr_bus *bus, const char *name, const struct mr_settings *settings,
                    struct mr_topic **out)
{
    int error = mr_topic_open(bus, name, out);
    /* Another process may make it, or delete it again, between any two steps: then once more, but
     * not for ever, for a name that leads to a deleted topic may stay until the broker looks. */
    for (int turn = 0; turn < ENSURE_TURNS && error == -ENOENT; turn++) {
        int made = mr_topic_create(bus, name, settings, 1);
        if (made && made != -EEXIST)
            return made;
        error = mr_topic_open(bus, name, out);
        if (!error)
            return made == 0;
    }
    return error;
}

/* ---- sealing, purging, deleting ---- */

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

/* Does no group need anything more? Asked with all logs locked, so that nothing can be appended
 * before the answer is acted on. */
static int finished(struct mr_topic *topic)
{
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        uint64_t head = atomic_load_explicit(&topic->logs[p].head, memory_order_relaxed);
        if (mr_groups_limit(topic, p) != head)
            return 0;
    }
    return 1;
}

/* With the topic's lock held: no client attaches meanwhile. */
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
    int lock_error = mr_topic_lock(topic); /* no client joins meanwhile */
    /* A lock that is damaged can be had by no one, so nothing needs it to be kept from others. */
    if (lock_error && (lock_error != -EBADMSG || how != MR_DELETE_ANYWAY))
        return lock_error;
    error = mark_deleted(topic, how);
    int marked = !error;
    if (marked)
        error = remove_name(topic);
    if (!lock_error)
        mr_unlock(&topic->shm->lock);
    if (!marked)
        return error;
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
