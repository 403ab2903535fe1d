/* layout.h - the bytes that processes share: the bus segment and the topic segments. Fixed-width
 * words and offsets only, no pointers.
 *
 * bus    /millrace.<uid>.<bus>            header | client table
 * topic  /millrace.<uid>.<bus>.<topic> header | locks and state | producers | members | groups |
 *        logs | index | sources || ring 0 | ring 1 ... || columns
 *
 * Any change here raises MR_LAYOUT, so that two versions refuse each other instead of guessing.
 *
 * What holds for each function of the core's headers, unless its comment says otherwise:
 *   topic, p  a topic that is open; a partition in [0, partition_cnt), and so for slots and groups
 *   Returns   0, or a negative errno: then outputs are untouched
 *   Blocks    never. "Waits for a lock" means as mr_lock does: -EINTR the wait was given up,
 *             -EBADMSG the lock is damaged, -EIO the file was cut short
 *   Safe      in several threads, but one handle in one thread at a time; not in signal handlers;
 *             not in a forked child
 *   Order     what a lock guards is ordered by the lock; without a lock, a value is a moment's
 *   Killed    inside a transaction (tx.h): all of it or nothing, once the next to take the lock has
 *             repaired it; inside what only reads: nothing */
#ifndef COMMON_CORE_LAYOUT_H
#define COMMON_CORE_LAYOUT_H

#include "cond.h"
#include "settings.h"
#include <assert.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#define MR_LAYOUT 3u
/* "MRBUS"; in the machine's byte order, so a foreign one differs */
#define MR_BUS_MAGIC   (0x4d52425553000000u + MR_LAYOUT)
#define MR_TOPIC_MAGIC (0x4d52544f50000000u + MR_LAYOUT) /* "MRTOP" */
#define MR_LAYOUT_MASK 0xffffffu

#define MR_NONE UINT64_MAX /* no position, no record */

/* load reads a shared word without any order: the caller holds the lock that the word is stored
 * under, or a moment's value is enough. Never blocks. */
static inline uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* ---- bus ---- */

#define MR_CLIENTS_MAX  2047u
#define MR_LOCK_SERVING 0 /* OFD lock bytes of the bus file: the serving broker; */
/* one a client slot. Held while its owner lives, dropped by the kernel at its death */
#define MR_LOCK_CLIENT(slot) (1 + (off_t)(slot))

struct mr_client_shm {
    /* generation << 16 | slot + 1; 0 free. Stored last, by the holder of the slot's OFD lock */
    _Atomic uint64_t id;
    _Atomic uint64_t generation; /* of the last owner */
    _Atomic uint64_t since_ns;
    _Atomic int32_t pid;
    uint32_t unused;
    _Atomic uint64_t name[(MR_CLIENT_NAME_MAX + 1) / 8];
};
static_assert(sizeof(struct mr_client_shm) == 64, "one cache line a client");

struct mr_bus_shm {
    _Atomic uint64_t magic; /* stored before the file gets its name */
    uint64_t total_bytes;
    /* inode: robust mutexes hold thread ids, which mean nothing in another namespace */
    uint64_t pid_namespace;
    uint64_t created_ns;
    uint32_t client_cnt;
    uint32_t mode;
    _Atomic int32_t broker_pid;  /* meaningful while the serving lock is held */
    _Atomic uint32_t change_cnt; /* topics created or deleted */
    struct mr_cond changed;
    /* the name was taken away: clients should look for the next bus of this name */
    _Atomic uint32_t removed;
    alignas(64) struct mr_client_shm clients[];
};
static_assert(offsetof(struct mr_bus_shm, clients) == 64, "layout changed: raise MR_LAYOUT");

/* ---- locks ---- */

#define MR_REDO_MAX 22u /* words that one transaction changes at most */

struct mr_redo_shm {
    /* number of valid entries; nonzero is the commit point. I7: 0 whenever the lock is free */
    _Atomic uint64_t armed;
    struct {
        _Atomic uint64_t word;  /* offset of the word in the segment, bytes */
        _Atomic uint64_t value; /* its new value, absolute: replaying twice does no harm */
    } entries[MR_REDO_MAX];
};

struct mr_lock_shm {
    union {
        pthread_mutex_t mutex; /* robust, process-shared */
        /* the C library's size may grow a little without changing the layout */
        char room[48];
    };
    _Atomic uint64_t holder; /* client id of the last who took it: to name a stopped one */
    struct mr_redo_shm redo;
};

/* ---- topic ---- */

/* stored by: the topic's lock (owner, state), the owner (counters), the log's repair (records) */
struct mr_producer_shm {
    _Atomic uint64_t owner; /* client id, also of one that is gone, until the slot is used again */
    /* 0 never used, 'a' attached, 'd' done, 'x' died, 'l' left without the lock: becomes 'd' */
    _Atomic uint64_t state;
    _Atomic uint64_t records;
    _Atomic uint64_t bytes;
    _Atomic uint64_t blocked_ns;
    _Atomic uint64_t pid;
    _Atomic uint64_t since_ns;
    _Atomic uint64_t source; /* what its records come from; 0 unknown */
    _Atomic uint64_t name[(MR_CLIENT_NAME_MAX + 1) / 8];
    /* of the handle that has the slot, or had it last; never used twice in a topic (I11) */
    _Atomic uint64_t serial;
    /* created_ns of a topic with a member that may ask whether our records arrived; 0 none */
    _Atomic uint64_t asked;
    uint64_t reserved[1];
    _Atomic uint64_t blocked_since_ns; /* CLOCK_MONOTONIC: the owner has waited for room since then;
                                        * 0: it does not */
};
static_assert(sizeof(struct mr_producer_shm) == 128, "two cache lines a producer");

/* A member slot is one claim: [begin, end) of one partition. group 0: free. owner 0: an orphan,
 * which the next member to claim takes over. owner MR_CLIENT_GONE: its owner could not wait for a
 * lock to leave; as if it had died. */
struct mr_member_shm {
    _Atomic uint64_t group; /* first line: stored under the group's lock */
    _Atomic uint64_t owner;
    _Atomic uint64_t partition;
    _Atomic uint64_t end;
    _Atomic uint64_t blamed; /* position of the record whose tries are counted */
    _Atomic uint64_t tries;
    /* CLOCK_MONOTONIC; of a parked orphan: when to try again, 0 at once */
    _Atomic uint64_t claimed_ns;
    _Atomic uint64_t failed_pid; /* of the process that failed last on the blamed record */
    /* second line: the owner's own stores. First unacknowledged position; == end: nothing held */
    alignas(64) _Atomic uint64_t cursor;
    /* position of the record that the owner looks at, in [cursor, end); else MR_NONE; or
     * MR_PARKED */
    _Atomic uint64_t in_hand;
    _Atomic uint64_t acked; /* records */
    /* records on their way to another topic: where cursor will be then; or MR_NONE. Where to
     * look: */
    _Atomic uint64_t moving;
    _Atomic uint64_t moving_topic;    /* the topic's created_ns, */
    _Atomic uint64_t moving_producer; /* partition << 32 | the producer slot used there, */
    _Atomic uint64_t moving_serial;   /* that producer's serial, */
    _Atomic uint64_t moving_count;    /* and its records once they are in */
};
static_assert(sizeof(struct mr_member_shm) == 128, "two cache lines a member");

struct mr_group_shm {
    alignas(64) struct mr_lock_shm lock;
    /* 0: a free group slot; never used twice, so a handle of a removed group knows */
    alignas(64) _Atomic uint64_t serial;
    /* MR_PRIVATE, MR_ORDERED, MR_GROUP_MAKING, MR_GROUP_OVER */
    _Atomic uint64_t flags;
    /* member slots with owner 0 and something unacknowledged */
    _Atomic uint64_t orphans;
    _Atomic uint64_t acked; /* records, of members that have left */
    _Atomic uint64_t redelivered, dead_lettered, lost;
    _Atomic uint64_t name[(MR_GROUP_NAME_MAX + 1) / 8];
    alignas(64) struct mr_cond data; /* members wait here for records */
};

/* in_hand of an orphan whose record is due for a dead-letter topic that did not take it */
#define MR_PARKED      (UINT64_MAX - 1)
#define MR_CLIENT_GONE 0xffffu /* a client id that is never alive */

/* States of a group slot, besides free (serial 0) and live (neither flag). The next to take
 * the topic's lock repairs both. */
/* no member yet: holds back where its start position is set, cannot be joined */
#define MR_GROUP_MAKING 0x100u
/* holds nothing back; committed still tells what was acknowledged, until the logs know it */
#define MR_GROUP_OVER 0x200u

struct mr_group_part_shm {        /* per group and partition; stored under the group's lock */
    _Atomic uint64_t next;        /* first unclaimed position */
    _Atomic uint64_t next_offset; /* its offset */
    /* lowest unacknowledged: only grows; stored after all that it stands for */
    _Atomic uint64_t committed;
    uint64_t unused;
};

/* what belongs to a head; valid is the one whose head equals the log's, so publishing is ONE
 * store */
struct mr_tip_shm {
    _Atomic uint64_t head;
    _Atomic uint64_t next_offset;
    _Atomic uint64_t last_ts_ns; /* the latest time of any record so far */
    _Atomic uint64_t producer;   /* slot of the producer that published it, */
    _Atomic uint64_t serial;     /* its serial, */
    /* and that producer's records with it: repaired into its slot if it is still that producer's */
    _Atomic uint64_t count;
    _Atomic uint64_t source;   /* what the records came from, 0 unknown, */
    _Atomic uint64_t position; /* and its progress with them: repaired into the source's slot */
    _Atomic uint64_t check;
};

struct mr_log_shm {
    alignas(64) struct mr_lock_shm lock;
    alignas(64) _Atomic uint64_t head; /* end of what is published; store release, load acquire */
    alignas(64) struct mr_tip_shm tips[2];
    alignas(64) _Atomic uint64_t tail; /* start of the oldest record that is kept */
    /* a position that no group is behind, as last looked up: tail may go so far */
    _Atomic uint64_t limit;
    /* the furthest that groups which are gone have acknowledged; only grows */
    _Atomic uint64_t acked;
    /* a waiting producer wants every group past this; MR_NONE: none waits */
    _Atomic uint64_t want;
};

/* one per MR_INDEX_STEP bytes of ring: the first record that starts at or after a multiple of it */
struct mr_index_shm {
    _Atomic uint64_t pos;
    _Atomic uint64_t offset;
    _Atomic uint64_t ts_ns;
    uint64_t unused;
};
#define MR_INDEX_STEP 65536u

/* how far a source has come in this partition; stored under the log's lock */
struct mr_source_shm {
    _Atomic uint64_t id;       /* 0: free */
    _Atomic uint64_t position; /* 0: nothing yet */
    _Atomic uint64_t check;
    _Atomic uint64_t used; /* position in the log when it was last stored */
};
#define MR_SOURCES 128u

#define MR_PRODUCERS 256u
#define MR_MEMBERS   256u
#define MR_GROUPS    32u
/* one more, so that a group can always be moved: made anew, then exchanged */
#define MR_GROUP_SLOTS (MR_GROUPS + 1)

struct mr_topic_shm {
    _Atomic uint64_t magic;
    uint64_t total_bytes;   /* of the file */
    uint64_t control_bytes; /* up to ring 0; a multiple of the page size */
    uint64_t ring_bytes;    /* of each partition; a multiple of the page size */
    uint64_t page_bytes;
    uint64_t pid_namespace;
    uint64_t created_ns;
    uint32_t partition_cnt, producer_cnt, member_cnt, group_cnt;
    /* per partition, rounded down; the first ones hold what is left, one more each; 0 none */
    uint64_t part_records_max;
    struct mr_settings_shm settings;

    /* producers, groups, members joining and leaving, columns */
    alignas(64) struct mr_lock_shm lock;
    _Atomic uint64_t serial;          /* of the newest group */
    _Atomic uint64_t producer_serial; /* of the newest producer handle */
    _Atomic uint64_t member_high;     /* member slots in use lie below */
    _Atomic uint64_t producer_high;
    _Atomic uint64_t group_high;
    _Atomic uint64_t producers_done, producers_died;
    /* locks whose owner had died; of those, with an armed redo log. A repairer that dies counts
     * too */
    _Atomic uint64_t repairs, replays;
    /* length << 32 | flags << 1 | 1; 0 none. Stored after the bytes (release) */
    _Atomic uint64_t columns;

    alignas(64) _Atomic uint64_t sealed; /* read-mostly line of the data path */
    _Atomic uint64_t deleted;
    alignas(64) struct mr_cond space; /* producers wait here for room */
};

/* ---- records ---- */

struct mr_record_shm {
    uint32_t value_len;
    uint32_t key_len; /* MR_KEY_NONE: no key */
    uint16_t headers_len;
    uint16_t flags;
    /* over position, offset and lengths: a stale or foreign header is not believed (I3) */
    uint32_t check;
    uint64_t offset;
    uint64_t ts_ns;
};
static_assert(sizeof(struct mr_record_shm) == MR_RECORD_OVERHEAD,
              "layout changed: raise MR_LAYOUT");
#define MR_KEY_NONE UINT32_MAX

#endif
