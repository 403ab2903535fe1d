/* bus.c - see client.h: a bus opened, served, withdrawn, and what it tells of its topics. */
#include "client.h"
#include "control.h"
#include "guard.h"
#include "segment.h"
#include "sized.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WAKE_NS 500000000u /* how often mr_bus_wait_change looks at *stop */

/* ---- fork: the child shares our lock's open file description and would keep us alive after our
 * death ---- */

static pthread_mutex_t buses_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mr_bus *buses;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&buses_lock);
}

static void after_fork_parent(void)
{
    pthread_mutex_unlock(&buses_lock);
}

static void after_fork_child(void)
{
    for (struct mr_bus *bus = buses; bus; bus = bus->next)
        if (bus->lock_fd >= 0) {
            close(bus->lock_fd);
            bus->lock_fd = -1;
        }
    pthread_mutex_unlock(&buses_lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* ---- opening a bus ---- */

static void bus_free(struct mr_bus *bus)
{
    if (bus->shm) {
        mr_guard_remove(bus->shm);
        munmap(bus->shm, bus->mapped_bytes);
    }
    if (bus->alive)
        munmap(bus->alive, (size_t)sysconf(_SC_PAGESIZE));
    if (bus->lock_fd >= 0)
        close(bus->lock_fd);
    if (bus->probe_fd >= 0)
        close(bus->probe_fd);
    free(bus);
}

static int check_header(struct mr_bus *bus, const struct stat *st)
{
    const struct mr_bus_shm *shm = bus->shm;
    uint64_t magic = atomic_load_explicit(&shm->magic, memory_order_acquire);
    if (mr_bus_intact(bus) < 0)
        return -EIO;
    if (magic != MR_BUS_MAGIC)
        return (magic & ~(uint64_t)MR_LAYOUT_MASK) == (MR_BUS_MAGIC & ~(uint64_t)MR_LAYOUT_MASK)
                   ? -EPROTO
                   : -EBADMSG;
    bus->client_cnt = shm->client_cnt;
    uint64_t bytes = (uint64_t)st->st_size;
    if (shm->total_bytes != bytes || bus->client_cnt == 0 || bus->client_cnt > MR_CLIENTS_MAX ||
        sizeof *shm + bus->client_cnt * sizeof(struct mr_client_shm) > bytes ||
        (uint64_t)st->st_blocks * 512 < bytes)
        return -EBADMSG;
    return shm->pid_namespace == mr_segment_pid_namespace() ? 0 : -EREMOTE;
}

int mr_bus_address(const char *text, uid_t *owner, const char **name)
{
    if (!text)
        text = getenv("MILLRACE_BUS");
    if (!text || !*text)
        text = "default";
    if (mr_name_check(MR_NAME_BUS, text))
        return -EINVAL;
    const char *slash = strchr(text, '/');
    *owner = geteuid();
    *name = slash ? slash + 1 : text;
    return slash ? mr_segment_user(text, (size_t)(slash - text), owner) : 0;
}

/* Opens the file that *st tells of once more, for writing; -ENOENT if it was replaced in
 * between. */
static int open_same(const char *path, uid_t owner, const struct stat *st)
{
    struct stat again;
    int fd = mr_segment_open(path, owner, 1, sizeof(struct mr_bus_shm), &again);
    if (fd >= 0 && again.st_ino != st->st_ino) {
        close(fd);
        return -ENOENT;
    }
    return fd;
}

/* Everything but the slot. */
static int bus_open(const char *name, const struct mr_connect_options *options, struct mr_bus **out)
{
    uid_t owner;
    int error = mr_bus_address(name, &owner, &name);
    if (error)
        return error;
    struct mr_bus *bus = calloc(1, sizeof *bus);
    if (!bus)
        return -ENOMEM;
    bus->lock_fd = bus->probe_fd = -1;
    bus->owner = owner;
    strcpy(bus->name, name);
    if (options)
        bus->options = *options;
    if (bus->options.name)
        snprintf(bus->client_name, sizeof bus->client_name, "%s", bus->options.name);
    pthread_mutex_init(&bus->local_lock, NULL);

    int write = !(bus->options.flags & MR_OBSERVER);
    struct stat st;
    char path[MR_PATH_MAX];
    mr_segment_name(path, bus->owner, name, NULL);
    /* Three open file descriptions: one for our lock; one that holds none and so sees every lock;
     * one to map, because a mapping keeps its description, and the lock with it, also in a forked
     * child that has closed the descriptor. */
    error = bus->probe_fd = mr_segment_open(path, bus->owner, 0, sizeof(struct mr_bus_shm), &st);
    if (error < 0)
        goto fail;
    void *at;
    bus->mapped_bytes = (uint64_t)st.st_size;
    if (write) {
        error = bus->lock_fd = open_same(path, bus->owner, &st);
        if (error < 0)
            goto fail;
        int fd = error = open_same(path, bus->owner, &st);
        if (error < 0)
            goto fail;
        error = mr_segment_map(fd, 0, bus->mapped_bytes, 1, &at);
        close(fd);
    } else {
        error = mr_segment_map(bus->probe_fd, 0, bus->mapped_bytes, 0, &at);
    }
    if (error)
        goto fail;
    bus->shm = at;
    error = mr_guard_add(at, bus->mapped_bytes, &bus->damaged);
    if (!error)
        error = check_header(bus, &st);
    if (error)
        goto fail;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        error = -ENOMEM;
        goto fail;
    }
    bus->alive = at;
    madvise(at, page, MADV_WIPEONFORK);
    *bus->alive = 1;
    *out = bus;
    return 0;

fail:
    bus_free(bus);
    return error;
}

/* The first half of coming to life: from here on a fork is safe. */
static void bus_register(struct mr_bus *bus)
{
    pthread_once(&fork_once, watch_forks);
    pthread_mutex_lock(&buses_lock);
    bus->next = buses;
    buses = bus;
    pthread_mutex_unlock(&buses_lock);
}

void mr_bus_disconnect(struct mr_bus *bus)
{
    if (!bus)
        return;
    pthread_mutex_lock(&buses_lock);
    for (struct mr_bus **at = &buses; *at; at = &(*at)->next)
        if (*at == bus) {
            *at = bus->next;
            break;
        }
    pthread_mutex_unlock(&buses_lock);
    if (bus->self && *bus->alive)
        atomic_store_explicit(&bus->shm->clients[(bus->self & 0xffff) - 1].id, 0,
                              memory_order_release);
    bus_free(bus);
}

int mr_bus_connect(const char *name, const struct mr_connect_options *options, struct mr_bus **out)
{
    struct mr_connect_options own;
    struct mr_bus *bus;
    int error = mr_sized_read(&own, sizeof own, options, MR_SIZED(struct mr_connect_options, stop));
    if (!error)
        error = bus_open(name, &own, &bus);
    if (error)
        return error;
    bus_register(bus);
    if (bus->lock_fd >= 0) {
        error = mr_client_take_slot(bus);
        if (error) {
            mr_bus_disconnect(bus);
            return error;
        }
        /* So that a serving broker watches us at once; it finds us within a second anyway. */
        struct mr_control_msg hello = {.op = MR_CONTROL_HELLO,
                                       .slot = (uint32_t)(bus->self & 0xffff) - 1};
        mr_control_request(bus->owner, bus->name, &hello, NULL, 0);
    }
    *out = bus;
    return 0;
}

/* Makes the bus's segment and gives it its name. Returns 0; -EEXIST another process was faster; or
 * another negative errno. */
static int bus_create(const char *name, uid_t owner, unsigned mode, gid_t group)
{
    uint64_t bytes = sizeof(struct mr_bus_shm) + MR_CLIENTS_MAX * sizeof(struct mr_client_shm);
    int fd = mr_segment_create(bytes, bytes, mode ? mode : 0600, group);
    if (fd < 0)
        return fd;
    void *at;
    int error = mr_segment_map(fd, 0, bytes, 1, &at);
    if (!error) {
        struct mr_bus_shm *shm = at;
        shm->total_bytes = bytes;
        shm->pid_namespace = mr_segment_pid_namespace();
        shm->created_ns = mr_wall_ns();
        shm->client_cnt = MR_CLIENTS_MAX;
        shm->mode = mode;
        /* A client of an earlier bus of this name, whose file was removed underneath, must not be
         * taken for one of ours. */
        for (uint32_t slot = 0; slot < MR_CLIENTS_MAX; slot++)
            atomic_store_explicit(&shm->clients[slot].generation, shm->created_ns >> 16,
                                  memory_order_relaxed);
        atomic_store_explicit(&shm->magic, MR_BUS_MAGIC, memory_order_release);
        munmap(at, bytes);
        char path[MR_PATH_MAX];
        mr_segment_name(path, owner, name, NULL);
        error = mr_segment_publish(fd, path);
    }
    close(fd);
    return error;
}

/* Does the name still lead to this bus's file? The broker before us may have removed it between our
 * open and its end. Returns 1; 0; or a negative errno. */
static int has_name(const struct mr_bus *bus)
{
    struct stat by_name, by_fd;
    char path[MR_PATH_MAX];
    mr_segment_name(path, bus->owner, bus->name, NULL);
    int fd = mr_segment_open(path, bus->owner, 0, 1, &by_name);
    if (fd >= 0)
        close(fd);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    return fstat(bus->lock_fd, &by_fd) == 0 && by_name.st_ino == by_fd.st_ino;
}

/* Sets the segment's mode and group, where they are asked for, and takes a client slot. */
static int begin_serving(struct mr_bus *bus, unsigned mode, gid_t group)
{
    /* of a broker that was killed while it removed the bus */
    atomic_store_explicit(&bus->shm->removed, 0, memory_order_release);
    if ((group != (gid_t)-1 && fchown(bus->lock_fd, (uid_t)-1, group) < 0) ||
        (mode && fchmod(bus->lock_fd, mode & 0777) < 0)) {
        int error = -errno;
        bus_free(bus);
        return error;
    }
    bus_register(bus);
    int error = mr_client_take_slot(bus);
    if (error)
        mr_bus_disconnect(bus);
    else
        atomic_store_explicit(&bus->shm->broker_pid, (int32_t)getpid(), memory_order_release);
    return error;
}

int mr_bus_serve(const char *name, unsigned mode, gid_t group,
                 const struct mr_connect_options *options, struct mr_bus **out)
{
    uid_t owner;
    int error = mr_bus_address(name, &owner, &name);
    if (error)
        return error;
    /* Its segments would belong to us, and clients would not take them for the bus's. */
    if (owner != geteuid())
        return -EPERM;
    struct mr_bus *bus;
    /* Creating and opening may race with another broker that creates, or with one that ends and
     * removes: a few rounds are enough. */
    for (int round = 0; round < 100; round++) {
        error = bus_open(name, options, &bus);
        if (error == -ENOENT) {
            error = bus_create(name, owner, mode, group);
            if (error && error != -EEXIST)
                return error;
            continue;
        }
        if (error)
            return error;
        error = mr_bus_lock_serving(bus);
        if (error) {
            bus_free(bus);
            return error == -EAGAIN ? -EBUSY : error;
        }
        int named = has_name(bus);
        if (named <= 0) {
            bus_free(bus);
            if (named < 0)
                return named;
            continue;
        }
        error = begin_serving(bus, mode, group);
        if (!error)
            *out = bus;
        return error;
    }
    return -EAGAIN;
}

const char *mr_bus_name(const struct mr_bus *bus)
{
    return bus->name;
}

uint32_t mr_bus_slots(const struct mr_bus *bus)
{
    return bus->client_cnt;
}

uid_t mr_bus_owner(const struct mr_bus *bus)
{
    return bus->owner;
}

uint64_t mr_bus_self(const struct mr_bus *bus)
{
    return bus->self;
}

int mr_bus_holder(const char *name)
{
    struct mr_bus *bus;
    struct mr_connect_options options = {.flags = MR_OBSERVER};
    int pid = bus_open(name, &options, &bus);
    if (pid)
        return pid == -ENOENT ? 0 : pid;
    /* One that has the lock and not said its name yet must not be taken for the one before it. */
    pid = mr_broker_pid(bus);
    for (int i = 0; i < 100 && pid > 0 && !mr_client_of_pid(bus, pid); i++) {
        usleep(1000);
        pid = mr_broker_pid(bus);
    }
    bus_free(bus);
    return pid;
}

/* ---- names and changes ---- */

int mr_bus_withdraw(struct mr_bus *bus, int unused)
{
    char path[MR_PATH_MAX];
    mr_segment_name(path, bus->owner, bus->name, NULL);
    int error = mr_bus_usable(bus);
    if (!error && unused)
        error = mr_client_lock_others(bus, F_WRLCK);
    if (error)
        return error;
    error = mr_bus_named(bus) ? 0 : -ENOENT;
    if (!error) {
        /* Before, so that after a kill in between the waiters find it within their bound; it is
         * believed only once the name is gone. */
        atomic_store_explicit(&bus->shm->removed, 1, memory_order_release);
        error = shm_unlink(path) < 0 ? -errno : 0;
        if (error)
            atomic_store_explicit(&bus->shm->removed, 0, memory_order_release);
        else
            mr_cond_broadcast(&bus->shm->changed);
    }
    if (unused)
        mr_client_lock_others(bus, F_UNLCK);
    return error;
}

/* Those who are attached wait on the old segment: tell them that it is not the one of that name any
 * more. */
static int remove_sound(struct mr_bus *bus, const char *path)
{
    struct stat st;
    void *at;
    int fd = mr_segment_open(path, bus->owner, 1, sizeof(struct mr_bus_shm), &st);
    if (fd < 0)
        return fd;
    int error = mr_segment_map(fd, 0, sizeof(struct mr_bus_shm), 1, &at);
    close(fd);
    if (error)
        return error;
    struct mr_bus_shm *shm = at;
    mr_guard_add(at, sizeof *shm, &bus->damaged); /* failing, it is as without mr_guard */
    atomic_store_explicit(&shm->removed, 1, memory_order_release);
    error = shm_unlink(path) < 0 ? -errno : 0;
    mr_cond_broadcast(&shm->changed);
    mr_guard_remove(at);
    munmap(at, sizeof *shm);
    return error;
}

int mr_bus_remove(const char *name)
{
    struct mr_bus *bus;
    uid_t owner;
    int error = mr_bus_address(name, &owner, &name);
    if (error)
        return error;
    if (owner != geteuid())
        return -EPERM;
    char path[MR_PATH_MAX];
    mr_segment_name(path, owner, name, NULL);
    struct mr_connect_options options = {.flags = MR_OBSERVER};
    error = bus_open(name, &options, &bus);
    if (!error) {
        error = remove_sound(bus, path);
        bus_free(bus);
        return error;
    }
    /* A bus that cannot be used has no clients to tell. One that cannot be looked at now may have
     * some. */
    if (error != -EBADMSG && error != -EPROTO && error != -EIO && error != -EPERM &&
        error != -EREMOTE)
        return error;
    return shm_unlink(path) < 0 ? -errno : 0;
}

void mr_bus_changed(struct mr_bus *bus)
{
    atomic_fetch_add_explicit(&bus->shm->change_cnt, 1, memory_order_release);
    mr_cond_broadcast(&bus->shm->changed);
}

void mr_bus_disown(struct mr_bus *bus)
{
    atomic_store_explicit(&bus->shm->removed, 1, memory_order_release);
    mr_cond_broadcast(&bus->shm->changed);
}

int mr_bus_wait_change(struct mr_bus *bus, uint32_t *seen, int64_t timeout_ns)
{
    int error = mr_bus_usable(bus);
    if (error)
        return error;
    uint64_t since = mr_now_ns();
    for (;;) {
        uint32_t ticket = mr_cond_prepare(&bus->shm->changed);
        uint32_t now = atomic_load_explicit(&bus->shm->change_cnt, memory_order_acquire);
        if (mr_bus_intact(bus) < 0)
            return -EIO;
        if (now != *seen) {
            *seen = now;
            return 0;
        }
        if (atomic_load_explicit(&bus->shm->removed, memory_order_acquire) && !mr_bus_named(bus))
            return -EIDRM; /* named, who was removing it was killed: the next broker goes on with it
                            */
        if (mr_bus_stopped(bus))
            return -EINTR;
        int64_t bound = WAKE_NS;
        if (timeout_ns >= 0) {
            int64_t left = timeout_ns - (int64_t)(mr_now_ns() - since);
            if (left <= 0)
                return -ETIMEDOUT;
            bound = left < bound ? left : bound;
        }
        mr_cond_wait(&bus->shm->changed, ticket, bound);
    }
}

ssize_t mr_bus_topics(const struct mr_bus *bus, char ***names)
{
    char prefix[MR_PATH_MAX], path[MR_PATH_MAX];
    mr_segment_name(prefix, bus->owner, bus->name, "");
    ssize_t n = mr_segment_list(prefix + 1, names), kept = 0;
    /* Any user may put a file there. What cannot be a topic is left out; its name may not even be
     * fit to print. */
    for (ssize_t i = 0; i < n; i++) {
        if (mr_name_check(MR_NAME_TOPIC, (*names)[i]))
            continue;
        mr_segment_name(path, bus->owner, bus->name, (*names)[i]);
        if (!mr_segment_foreign(path, bus->owner))
            (*names)[kept++] = (*names)[i];
    }
    if (n >= 0)
        (*names)[kept] = NULL;
    return n < 0 ? n : kept;
}

int mr_bus_list(char ***names)
{
    char prefix[MR_PATH_MAX], path[2 * MR_PATH_MAX];
    mr_segment_name(prefix, geteuid(), "", NULL);
    char **all;
    ssize_t n = mr_segment_list(prefix + 1, &all);
    if (n < 0)
        return (int)n;
    int kept = 0;
    for (ssize_t i = 0; i < n; i++) {
        /* A bus is also known by a topic that outlived its bus segment; '.' ends the bus's name.
         * The list is sorted, so equals are neighbours or have a name with '-' between them:
         * compare with all. */
        snprintf(path, sizeof path, "%s%s", prefix, all[i]);
        char *dot = strchr(all[i], '.');
        if (dot)
            *dot = '\0';
        int known = mr_name_check(MR_NAME_BUS, all[i]) != NULL;
        for (int k = 0; k < kept && !known; k++)
            known = strcmp(all[k], all[i]) == 0;
        if (!known && !mr_segment_foreign(path, geteuid()))
            all[kept++] = all[i];
    }
    all[kept] = NULL;
    *names = all;
    return kept;
}
