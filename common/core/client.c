/* client.c - see client.h: client slots, and who lives. */
#include "client.h"
#include "sized.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTICE_NS 500000000u /* a wait is told after this, and again after as much */
/* a millisecond each: a free slot is locked for some microseconds */
#define SLOT_TRIES 100

int mr_bus_stopped(const struct mr_bus *bus)
{
    return bus->options.stop && *bus->options.stop;
}

int mr_bus_notice(const struct mr_bus *bus, struct mr_wait *wait, uint64_t since_ns,
                  uint64_t *said_ns)
{
    if (mr_bus_stopped(bus))
        return -EINTR;
    uint64_t now = mr_now_ns();
    if (!bus->options.on_wait || now - (*said_ns ? *said_ns : since_ns) < NOTICE_NS)
        return 0;
    *said_ns = now;
    wait->waited_ns = now - since_ns;
    wait->size = sizeof *wait;
    return bus->options.on_wait(wait, bus->options.on_wait_arg) ? -EINTR : 0;
}

/* ---- OFD locks ---- */

/* F_WRLCK or F_UNLCK on len bytes: 0; -EAGAIN another has one of them; or why it cannot be told. */
static int bytes_lock(int fd, short type, off_t from, off_t len)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = len};
    if (len == 0 || fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

static int byte_lock(int fd, off_t byte)
{
    return bytes_lock(fd, F_WRLCK, byte, 1);
}

/* 1; 0; or a negative errno: it cannot be told (I13). */
static int byte_locked(int fd, off_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_GETLK, &lock) < 0 ? -errno : lock.l_type != F_UNLCK;
}

/* One pass over the slots. Returns 0; -EUSERS all are taken; -EAGAIN one is free, but locked at
 * this moment. */
static int take_slot_once(struct mr_bus *bus)
{
    int full = -EUSERS;
    for (int dead_ones = 0; dead_ones < 2; dead_ones++) {
        for (uint32_t slot = 0; slot < bus->client_cnt; slot++) {
            struct mr_client_shm *client = &bus->shm->clients[slot];
            int is_free = atomic_load_explicit(&client->id, memory_order_relaxed) == 0;
            if (!dead_ones && !is_free)
                continue;
            int error = byte_lock(bus->lock_fd, MR_LOCK_CLIENT(slot));
            if (error == -EAGAIN && is_free)
                full = -EAGAIN;
            if (error == -EAGAIN)
                continue;
            if (error)
                return error;
            uint64_t generation =
                atomic_load_explicit(&client->generation, memory_order_relaxed) + 1;
            uint64_t id = generation << 16 | (slot + 1);
            /* The dead owner's id goes first: our pid and name must not be taken for its own. */
            atomic_store_explicit(&client->id, 0, memory_order_release);
            atomic_store_explicit(&client->generation, generation, memory_order_release);
            atomic_store_explicit(&client->pid, (int32_t)getpid(), memory_order_relaxed);
            atomic_store_explicit(&client->since_ns, mr_wall_ns(), memory_order_relaxed);
            mr_words_store(client->name, (MR_CLIENT_NAME_MAX + 1) / 8, bus->client_name);
            atomic_store_explicit(&client->id, id, memory_order_release);
            bus->self = id;
            return 0;
        }
    }
    return full;
}

/* Takes a free client slot; only if there is none, a dead client's whose broker has not cleaned up
 * after it yet. Returns 0; -EUSERS; -ENOENT the file has lost its name meanwhile, or is about to.
 */
int mr_client_take_slot(struct mr_bus *bus)
{
    int error = take_slot_once(bus);
    for (int i = 0; i < SLOT_TRIES && error == -EAGAIN && mr_bus_named(bus);
         i++) { /* locked by others, or by the process that removes the bus */
        usleep(1000);
        error = take_slot_once(bus);
    }
    if (error && error != -EUSERS)
        return error == -EAGAIN
                   ? -ENOENT
                   : error; /* all that are free are locked: the bus is on its way out */
    return mr_bus_named(bus) ? error : -ENOENT;
}

/* ---- clients ---- */

int mr_bus_lock_serving(struct mr_bus *bus)
{
    return byte_lock(bus->lock_fd, MR_LOCK_SERVING);
}

int mr_broker_pid(const struct mr_bus *bus)
{
    int locked = byte_locked(bus->probe_fd, MR_LOCK_SERVING);
    if (locked <= 0)
        return locked;
    int pid = atomic_load_explicit(&bus->shm->broker_pid, memory_order_acquire);
    return pid > 0 ? pid : 1; /* it has the lock but has not said its name yet */
}

int mr_client_of_pid(const struct mr_bus *bus, int32_t pid)
{
    int32_t its;
    for (uint32_t slot = 0; slot < bus->client_cnt; slot++) {
        uint64_t id = mr_client_id(bus, slot, &its);
        if (id && its == pid && mr_client_alive(bus, id) > 0)
            return 1;
    }
    return 0;
}

uint64_t mr_client_id(const struct mr_bus *bus, uint32_t slot, int32_t *pid)
{
    const struct mr_client_shm *client = &bus->shm->clients[slot];
    uint64_t id = atomic_load_explicit(&client->id, memory_order_acquire);
    if (pid)
        *pid = atomic_load_explicit(&client->pid, memory_order_relaxed);
    return id;
}

int mr_client_alive(const struct mr_bus *bus, uint64_t id)
{
    uint64_t slot = (id & 0xffff) - 1;
    if (slot >= bus->client_cnt)
        return 0;
    if (id == bus->self)
        return 1;
    const struct mr_client_shm *client = &bus->shm->clients[slot];
    if (atomic_load_explicit(&client->id, memory_order_acquire) == id) {
        int locked = byte_locked(bus->probe_fd, MR_LOCK_CLIENT(slot));
        if (locked && atomic_load_explicit(&client->id, memory_order_acquire) == id)
            return locked;
    }
    return mr_bus_intact(bus) < 0 || !mr_bus_named(bus);
}

int mr_bus_named(const struct mr_bus *bus)
{
    struct stat st;
    return fstat(bus->probe_fd, &st) < 0 || st.st_nlink > 0;
}

void mr_client_about(const struct mr_bus *bus, uint64_t id, int32_t *pid,
                     char name[static MR_CLIENT_NAME_MAX + 1])
{
    uint64_t slot = (id & 0xffff) - 1;
    *pid = 0;
    name[0] = '\0';
    if (slot >= bus->client_cnt)
        return;
    const struct mr_client_shm *client = &bus->shm->clients[slot];
    mr_words_load(client->name, (MR_CLIENT_NAME_MAX + 1) / 8, name);
    *pid = atomic_load_explicit(&client->pid, memory_order_relaxed);
    if (atomic_load_explicit(&client->id, memory_order_acquire) != id) {
        *pid = 0;
        name[0] = '\0';
    }
}

uint64_t mr_client_pid(const struct mr_bus *bus, uint64_t id)
{
    char name[MR_CLIENT_NAME_MAX + 1];
    int32_t pid;
    mr_client_about(bus, id, &pid, name);
    return pid > 0 ? (uint64_t)pid : 0;
}

int mr_client_info(const struct mr_bus *bus, uint32_t idx, struct mr_client_info *out)
{
    const size_t first = MR_SIZED(struct mr_client_info, since_ns);
    if (mr_sized_check(out, first))
        return -EINVAL;
    if (idx >= bus->client_cnt)
        return -ERANGE;
    uint64_t id = mr_client_id(bus, idx, NULL);
    if (mr_bus_intact(bus) < 0)
        return -EIO;
    int alive = id ? mr_client_alive(bus, id) : 0;
    if (alive <= 0)
        return alive;
    struct mr_client_info info = {0};
    mr_client_about(bus, id, &info.pid, info.name);
    info.since_ns = atomic_load_explicit(&bus->shm->clients[idx].since_ns, memory_order_relaxed);
    mr_sized_write(out, &info, sizeof info, first);
    return 1;
}

void mr_bus_forget(struct mr_bus *bus, uint64_t id)
{
    uint64_t slot = (id & 0xffff) - 1;
    if (slot < bus->client_cnt && !mr_client_alive(bus, id))
        atomic_compare_exchange_strong_explicit(&bus->shm->clients[slot].id, &id, 0,
                                                memory_order_release, memory_order_relaxed);
}
/* All slots but our own, so that no other client lives and none can come. Returns 0; -EBUSY. */
int mr_client_lock_others(struct mr_bus *bus, short type)
{
    uint32_t own = (uint32_t)(bus->self & 0xffff) - 1;
    off_t end = MR_LOCK_CLIENT(bus->client_cnt);
    int error = bytes_lock(bus->lock_fd, type, MR_LOCK_CLIENT(0), own);
    if (!error) {
        error =
            bytes_lock(bus->lock_fd, type, MR_LOCK_CLIENT(own + 1), end - MR_LOCK_CLIENT(own + 1));
        if (error)
            bytes_lock(bus->lock_fd, F_UNLCK, MR_LOCK_CLIENT(0), own);
    }
    return error == -EAGAIN ? -EBUSY : error;
}
