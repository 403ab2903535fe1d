/* client.h - a bus seen from inside: client slots, who lives, who serves.
 *
 * A client is alive while the OFD lock on its slot's byte is held: the kernel drops it when the
 * last thread of the process is gone, however it ends, and after its memory is. Pids are only for
 * people to read. The lock is also what makes taking a slot exclusive, so the table needs no mutex
 * and no repair. Slots are probed through a descriptor that holds no lock (a lock of one's own
 * would be invisible). */
#ifndef COMMON_CORE_CLIENT_H
#define COMMON_CORE_CLIENT_H

#include "clock.h"
#include "layout.h"
#include <errno.h>

struct mr_bus {
    char name[MR_BUS_NAME_MAX + 1];
    uid_t owner;
    struct mr_bus_shm *shm;
    uint64_t mapped_bytes;
    _Atomic int damaged;   /* by mr_guard */
    uint32_t client_cnt;   /* copied from the segment and checked */
    int lock_fd, probe_fd; /* lock_fd -1: an observer */
    uint64_t self;         /* own client id; 0 an observer */
    struct mr_connect_options options;
    char client_name[MR_CLIENT_NAME_MAX + 1];
    int *alive;              /* one private page, wiped in a forked child: 0 there */
    struct mr_topic *topics; /* open ones; under local_lock */
    pthread_mutex_t local_lock;
    struct mr_bus *next; /* of this process; for the fork handler */
};

/* mr_bus_serve is mr_bus_connect for the broker: it makes the bus if there is none, and takes the
 * serving lock.
 *   mode     of the segment, as for chmod, also of one that is there; 0: leaves it, else 0600
 *   group    of the segment; (gid_t)-1: leaves it
 * Returns  0; -EBUSY another broker serves (mr_bus_holder names it); -EPERM another user's bus;
 *          -EINVAL name; -EUSERS; -ENOSPC; or another negative errno.
 * Killed   the kernel drops the lock; a segment has its name only when it is whole. */
int mr_bus_serve(const char *name, unsigned mode, gid_t group,
                 const struct mr_connect_options *options, struct mr_bus **out);
/* mr_bus_holder returns the pid of the broker that serves a bus; 0 none; or a negative errno: it
 * cannot be told. Blocks at most 0.1 s, for a broker that has not said its pid yet. */
int mr_bus_holder(const char *name);
/* mr_bus_address takes a bus's address apart, as -b and MILLRACE_BUS give it: "NAME", or
 * "USER/NAME" for another user's bus, USER a user's name or number.
 *   text     NULL: $MILLRACE_BUS, else "default"
 * Returns 0 with *owner and *name, which points into text; -EINVAL. All functions that take a bus's
 * name take an address. */
int mr_bus_address(const char *text, uid_t *owner, const char **name);
/* mr_bus_named: 1 while the bus's file has its name; 0 once it lost it: a client that comes now
 * finds no bus, or the next one, with other clients. 1 also if it cannot be told. */
int mr_bus_named(const struct mr_bus *bus);
uint32_t mr_bus_slots(const struct mr_bus *bus);
uid_t mr_bus_owner(const struct mr_bus *bus);
uint64_t mr_bus_self(const struct mr_bus *bus);

/* mr_client_id returns the id of the client in a slot, in [0, client_cnt), with its pid if pid is
 * not NULL; 0: the slot is free. Order: acquire. */
uint64_t mr_client_id(const struct mr_bus *bus, uint32_t slot, int32_t *pid);
/* mr_client_alive: 1 while that very client lives, and if the table is damaged or has lost its
 * name: it tells of no deaths then, as the clients of the next bus of that name are not in it. 0
 * the client is dead or gone. A negative errno: it cannot be told; only 0 is a death. One
 * F_OFD_GETLK, 0.3 us. */
int mr_client_alive(const struct mr_bus *bus, uint64_t id);
/* mr_client_about copies pid and name of client id; pid 0 and "" when it is not in its slot any
 * more. */
void mr_client_about(const struct mr_bus *bus, uint64_t id, int32_t *pid,
                     char name[static MR_CLIENT_NAME_MAX + 1]);
/* mr_client_pid: the pid of client id, also of a dead one until its slot is used again; 0
 * unknown. */
uint64_t mr_client_pid(const struct mr_bus *bus, uint64_t id);
/* mr_client_take_slot takes a free client slot for the bus's own handle: self is its id then. A
 * dead client's slot is used only if no other is free.
 * Returns 0; -EUSERS all are taken; -ENOENT the bus's file has lost its name, or is about to; or
 * another negative errno. */
int mr_client_take_slot(struct mr_bus *bus);
/* mr_client_of_pid: 1 if a live client of the bus has this pid; else 0. */
int mr_client_of_pid(const struct mr_bus *bus, int32_t pid);
/* mr_client_lock_others locks (F_WRLCK) or unlocks (F_UNLCK) all client slots but our own. While
 * they are locked no other client lives and none can come. Returns 0; -EBUSY one lives; or another
 * negative errno. */
int mr_client_lock_others(struct mr_bus *bus, short type);
/* mr_bus_lock_serving takes the serving lock. Returns 0; -EAGAIN another broker has it; or another
 * negative errno. */
int mr_bus_lock_serving(struct mr_bus *bus);
/* mr_bus_forget frees a dead client's slot; a live client's stays. */
void mr_bus_forget(struct mr_bus *bus, uint64_t id);

/* mr_bus_remove unlinks the bus segment of this uid, and tells the clients. Returns 0; -ENOENT;
 * -EPERM another user's; or another negative errno: it cannot be told whether it has clients. */
int mr_bus_remove(const char *name);
/* mr_bus_withdraw is the same for the broker that serves the bus.
 *   unused   1: only if no other client is attached; a client that comes meanwhile finds no bus
 * Returns  0; -EBUSY a client is attached; -ENOENT the bus has lost its name; or another negative
 *          errno.
 * Killed   after `removed` was stored: it is believed only once the name is gone. */
int mr_bus_withdraw(struct mr_bus *bus, int unused);
/* mr_bus_changed counts a change of the bus's topics and wakes mr_bus_wait_change. Order: release.
 */
void mr_bus_changed(struct mr_bus *bus);
/* mr_bus_disown says that the file has lost its name, and wakes mr_bus_wait_change. */
void mr_bus_disown(struct mr_bus *bus);
/* mr_bus_list finds the buses of this uid by their segments: *names is one allocation, to be freed.
 * Returns their number, or a negative errno. */
int mr_bus_list(char ***names);

/* mr_bus_intact: 0, or -EIO the bus's file was cut short. */
static inline int mr_bus_intact(const struct mr_bus *bus)
{
    return atomic_load_explicit(&bus->damaged, memory_order_relaxed) ? -EIO : 0;
}
/* mr_bus_usable: what each call on a handle asks first: 0; -EIO cut short; -ESTALE in a forked
 * child; -EPERM an observer's. */
static inline int mr_bus_usable(const struct mr_bus *bus)
{
    return mr_bus_intact(bus) < 0 ? -EIO : !*bus->alive ? -ESTALE : !bus->self ? -EPERM : 0;
}
/* mr_bus_stopped: nonzero once *stop is set. */
int mr_bus_stopped(const struct mr_bus *bus);
/* mr_bus_notice calls on_wait if the wait is old enough: after 0.5 s, then again after as much.
 *   since_ns  when the wait began, CLOCK_MONOTONIC
 *   said_ns   0 at first; becomes the time of the last call
 * Returns 0; -EINTR the wait is given up, by on_wait or by *stop. Call it without a lock: on_wait
 * is the user's code. */
int mr_bus_notice(const struct mr_bus *bus, struct mr_wait *wait, uint64_t since_ns,
                  uint64_t *said_ns);

#endif
