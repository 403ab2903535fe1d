/* millrace.h - the public interface of Millrace: named topics in POSIX shared memory, between
 * processes of one machine.
 *
 * A bus is a broker's namespace; a topic is a bounded log of records in 1 to 256 partitions; a
 * producer appends, a consumer takes part in a group, which remembers what it has acknowledged. A
 * record is: key (optional), headers, value, offset, time.
 *
 *     struct mr_bus *bus;
 *     struct mr_topic *topic;
 *     struct mr_producer *p;
 *     struct mr_consumer *c;
 *     struct mr_record r;
 *     mr_bus_connect(NULL, &(struct mr_connect_options){.name = "billing"}, &bus);
 *     mr_topic_open(bus, "orders", &topic);
 *     mr_producer_open(topic, NULL, &p);
 *     mr_producer_append(p, &(struct mr_message){.value = "a,1", .value_len = 3}, 1, -1);
 *     mr_consumer_open(topic, NULL, &c);
 *     while (mr_consumer_claim(c, 0, -1) > 0) {
 *         while (mr_consumer_next(c, &r) > 0)
 *             use(&r);
 *         mr_consumer_ack(c);
 *     }
 *
 * What holds for every function, unless it says otherwise:
 *   Returns  0 or a count on success, else a negative errno; on failure the outputs are untouched.
 *            Errors with one meaning everywhere:
 *            -ENOENT     no such bus or topic      -EPROTO   another layout version
 *            -EBADMSG    the segment is damaged    -EPIPE    the topic is sealed
 *            -EIDRM      the topic was deleted     -ESTALE   this handle was fenced or forked
 *            -EINTR      *stop became nonzero      -EREMOTE  another pid namespace
 *            -ETIMEDOUT  the time is over          -EPERM    another owner, or rights missing
 *            -EINVAL     an argument out of range  -EIO      the segment was cut short (mr_guard)
 *            -ECANCELED  mr_consumer_cancel or mr_producer_cancel has ended the wait
 *   Times    timeout_ns: < 0 for ever, 0 never waits, else nanoseconds of CLOCK_MONOTONIC.
 *            Timestamps: ns of CLOCK_REALTIME since 1970.
 *   Blocks   only functions with a timeout, and then only while what they wait for is not there;
 *            all others take short locks. A lock whose holder is stopped (SIGSTOP) is waited for;
 *            on_wait then names the holder.
 *   Safe     a struct mr_bus and mr_topic may be shared by threads; a producer or consumer handle
 *            belongs to one thread at a time, but any thread may cancel its wait
 *            (mr_consumer_cancel, mr_producer_cancel). Nothing but these two may be called in a
 *            signal handler. After fork the child must not use any handle: it gets -ESTALE.
 *   Grows    a struct that begins with `size` may get more members at its end in a later version.
 *            Zero it, as an initializer does, and it works with every version: size 0 stands for
 *            the members of 0.2. Set size to sizeof the struct to use, or to be told, what came
 *            later. The library reads and writes no more than that size; what a program has and the
 *            library does not know is 0 in an answer, and -EINVAL if it is set in a request. A size
 *            that no version has (the struct was not zeroed) is -EINVAL too. All other structs stay
 *            as they are for ever.
 *   Killed   (kill -9) anywhere inside: whole records or none, nothing acknowledged is lost, others
 *            go on.
 *   Prints   never; exits never. mr_strerror says in words what an error means. */
#ifndef MILLRACE_H
#define MILLRACE_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* what is declared here is all that libmillrace.so exports */

#define MR_VERSION "0.2.0"

#define MR_BUS_NAME_MAX 32u /* characters: letters, digits, '_', '-' */
/* characters: letters, digits, '_', '-', '.', not starting with '.' or '-'; */
#define MR_TOPIC_NAME_MAX  180u
#define MR_DEAD_SUFFIX     ".dead" /* room for it is left: a name without it has at most 175 */
#define MR_GROUP_NAME_MAX  63u     /* the same characters as a topic */
#define MR_CLIENT_NAME_MAX 31u     /* bytes, free text; longer is cut */
#define MR_PARTITIONS_MAX  256u
#define MR_COLUMNS_MAX     1048576u /* bytes of a topic's header line */
#define MR_HEADERS_MAX     65535u   /* bytes of one record's headers */
#define MR_SIZE_MIN        4096u    /* bytes of a partition's room */
#define MR_SIZE_MAX        ((uint64_t)1 << 40)
/* bytes that a record takes beside key, headers and value; the sum is padded to 8 */
#define MR_RECORD_OVERHEAD 32u
#define MR_OFFSET_NONE     UINT64_MAX

/* Where a message goes. A zeroed message goes anywhere, which is what most programs want; a bare
 * number is refused, as `partition = 0` could be meant either way. */
#define MR_ANY          0u                            /* by its key, or spread when it has none */
#define MR_PARTITION(p) (0x80000000u | (uint32_t)(p)) /* to partition p, in [0, partitions) */

/* mr_version: the version of the library that runs, "0.2.0"; MR_VERSION is that of the header. */
const char *mr_version(void);

/* mr_strerror says what a negative errno of this library means, in a static text: -EPIPE is "the
 * topic is sealed". An error without a meaning of its own has the C library's text, and one that
 * is no error at all a text that the thread's next call may overwrite. Any thread may call it at
 * any time. */
const char *mr_strerror(int error);

/* mr_guard makes an error of what is a deadly signal otherwise. A mapping whose file is cut short,
 * or whose hole finds /dev/shm full, raises SIGBUS at the next access; Millrace never does that to
 * a segment in use, but a process that may write the file can. A library must not take a program's
 * signals, so this is asked for, once, before threads are started: it installs a SIGBUS handler,
 * which puts a private page of zeros under an access that failed inside a Millrace mapping, notes
 * that the segment is damaged, and lets the access go on. All other SIGBUS goes to the handler that
 * was there before.
 * Returns  0, also the second time; or a negative errno of sigaction.
 * Then     that call, as a rule, and every later one on the topic (a damaged bus: on the bus)
 *          returns -EIO; close it as usual. What was read in place since the last call may be
 *          zeros: mr_topic_intact tells, and so does mr_consumer_ack, which then acknowledges
 *          nothing.
 * Others   are not told: the segment is damaged for every process, and each finds out by itself. */
int mr_guard(void);

/* ---- bus ---- */

struct mr_bus;

enum mr_wait_for {
    /* a producer: the partition is full; group, pid, name, held_ns say who holds it up */
    MR_WAIT_ROOM,
    MR_WAIT_LOCK,    /* a lock is held by process pid (stopped, most likely) */
    MR_WAIT_RECORDS, /* a consumer: nothing to take */
    /* mr_producer_join, mr_topic_join: said as for ROOM, with topic and partition */
    MR_WAIT_ACKNOWLEDGED,
    /* mr_topic_create: the broker, process pid, has not answered yet (stopped, if it takes long) */
    MR_WAIT_BROKER,
    /* told at once, not a wait: the dead-letter topic `topic` did not take the record with this
     * partition and offset, for the reason `error`. The record is kept, and tried again after a
     * second or later */
    MR_WAIT_DEAD,
};

/* mr_wait_name is a word for logs: "room", "lock", "records", "acknowledged", "broker", "dead";
 * "unknown" for any other number. */
const char *mr_wait_name(enum mr_wait_for what);

struct mr_wait {
    size_t size; /* of what the library has filled in */
    enum mr_wait_for what;
    const char *topic;
    uint32_t partition;
    const char *group; /* ROOM: the group that is furthest behind; "" when no group exists */
    const char *name;  /* the holder's client name; "" unknown */
    /* the holder, or the broker; 0: no process has the records (no member, or none
     * has taken them) */
    int32_t pid;
    uint64_t held_ns;   /* how long the holder has held its claim; 0 when pid is 0 */
    uint64_t waited_ns; /* how long this call has waited */
    uint64_t offset;    /* DEAD: of the record, in the topic that it comes from */
    /* DEAD: negative errno, -EPIPE sealed, -EMSGSIZE too small, -EINVAL no room in the name for the
     * suffix ... */
    int error;
};

/* Called by a waiting function after 0.5 s, then about every 0.5 s. Return nonzero to give up the
 * wait with -EINTR.
 * It must not call into the topic that is waited for, nor into a handle of it: the wait may hold a
 * lock of that topic. */
typedef int mr_wait_fn(const struct mr_wait *wait, void *arg);

enum mr_connect_flags {
    /* read-only: takes no client slot, never locks; only the mr_*_info functions and peeking
     * consumers work */
    MR_OBSERVER = 1,
};

struct mr_connect_options {
    size_t size;      /* 0, or sizeof the struct */
    const char *name; /* shown in status; NULL: "" */
    uint32_t flags;
    mr_wait_fn *on_wait; /* NULL: none */
    void *on_wait_arg;
    /* NULL, or a flag that a signal handler sets: waits end with -EINTR within 0.5 s, at once as a
     * rule */
    const volatile sig_atomic_t *stop;
};

/* mr_bus_connect attaches this process to a bus as one client.
 *   name     the bus; NULL: $MILLRACE_BUS, else "default". "USER/NAME": another user's, whose
 *            broker has --mode 0660 and a group of ours
 * Returns  0; -ENOENT no broker has made this bus, or it is being removed; -EUSERS all 2,047 client
 *          slots are taken; -EREMOTE; -EPROTO; -EBADMSG; -EPERM.
 * Works    also while no broker runs, if one ran before (the data path does not need it). */
int mr_bus_connect(const char *name, const struct mr_connect_options *options, struct mr_bus **out);

/* mr_bus_disconnect lets the client slot go. All topics, producers and consumers of the bus must be
 * closed before. NULL is allowed. */
void mr_bus_disconnect(struct mr_bus *bus);

const char *mr_bus_name(const struct mr_bus *bus);
/* mr_broker_pid: > 0 a broker serves the bus now; 0 none does; or a negative errno: it cannot be
 * told. */
int mr_broker_pid(const struct mr_bus *bus);

struct mr_broker_options {
    size_t size; /* 0, or sizeof the struct */
    /* NULL: the file that $MILLRACE_BROKER names; else "broker" beside the running program; else
     * the first "broker" in $PATH */
    const char *program;
    const char *const *args; /* NULL, or more arguments ("--size", "1G"), ended by NULL */
};

/* mr_broker_start sees to it that a broker serves a bus: if none does, it starts one as
 * "broker -q -d -b BUS ARGS" would, and waits until it serves. That broker is a process of its own
 * session, has no descriptor of this one, and outlives it; "broker -b BUS stop" ends it.
 *   bus      as for mr_bus_connect, but of our own user      options  may be NULL
 * Returns  1 it was started by this call; 0 one served already; -ENOENT no such program; -EPERM
 *          another user's bus; -ECONNREFUSED it ended without serving (an argument it does not
 *          know, no room in /dev/shm: run it by hand to see why); -ETIMEDOUT it does not serve yet:
 *          with a time too short for a program to start (0 always is), none comes to; -E2BIG more
 *          than 64 args; errors of posix_spawn.
 * Signals  its child ends before it returns. Of a program that waits for all of its children it may
 *          be taken for one of them. */
int mr_broker_start(const char *bus, const struct mr_broker_options *options, int64_t timeout_ns);

struct mr_client_info {
    size_t size; /* 0, or sizeof the struct */
    int32_t pid;
    char name[MR_CLIENT_NAME_MAX + 1];
    uint64_t since_ns; /* CLOCK_REALTIME */
};
/* mr_client_info looks at client slot idx, in [0, 2047). Returns 1 a live client; 0 none; -ERANGE
 * idx past the last slot; another negative errno: it cannot be told. */
int mr_client_info(const struct mr_bus *bus, uint32_t idx, struct mr_client_info *out);

/* mr_bus_topics lists the topics. Returns their number, with *names a NULL-terminated array sorted
 * by name that ONE free() releases. */
ssize_t mr_bus_topics(const struct mr_bus *bus, char ***names);

/* mr_bus_wait_change waits until a topic was created or deleted since `seen` (0 at first), which it
 * updates. 0; -ETIMEDOUT; -EINTR; -EIDRM the bus was removed with its broker: a later broker makes
 * another, so connect again. */
int mr_bus_wait_change(struct mr_bus *bus, uint32_t *seen, int64_t timeout_ns);

/* ---- topic ---- */

struct mr_topic;

enum mr_full { MR_FULL_DEFAULT, MR_FULL_BLOCK, MR_FULL_DROP_OLDEST, MR_FULL_FAIL };

struct mr_settings { /* 0 anywhere: the broker's default */
    size_t size;     /* 0, or sizeof the struct */
    /* room for records, in [4096, MR_SIZE_MAX]; split evenly over the partitions, each rounded up
     * to a page */
    uint64_t size_bytes;
    /* how many records may wait, in [partitions, 2^48], split evenly over the partitions; 0: only
     * bytes bound them */
    uint64_t records_max;
    /* largest record, key + headers + value + overhead; 0: whatever fits into a partition */
    uint64_t record_max_bytes;
    uint32_t partitions; /* in [1, MR_PARTITIONS_MAX] */
    uint32_t full;       /* enum mr_full */
    /* a record that failed so often goes to the dead-letter topic; in [1, 1000] */
    uint32_t tries;
    uint32_t mode; /* file mode of the segment, as for chmod */
};

enum mr_name_kind { MR_NAME_BUS, MR_NAME_TOPIC, MR_NAME_GROUP };
/* mr_name_check says whether a name can be that of a bus (also "USER/NAME" if there is such a
 * user), a topic or a group.
 * Returns  NULL if so, else a static text saying what is wrong with it ("contains '/'"). */
const char *mr_name_check(enum mr_name_kind kind, const char *name);

/* mr_topic_open attaches an existing topic. Opening the same topic twice on one bus gives the same
 * mapping (counted). */
int mr_topic_open(struct mr_bus *bus, const char *name, struct mr_topic **out);

/* mr_topic_create asks the broker to create a topic. Returns 0; -EEXIST it exists; -ECONNREFUSED no
 * broker runs; -ENOSPC /dev/shm has no room for it; -EINVAL name or settings; -EACCES the broker
 * allows no automatic creation (only if `automatic`); -EINTR; -ETIMEDOUT the broker did not answer
 * for 10 s: it may still do it. */
int mr_topic_create(struct mr_bus *bus, const char *name, const struct mr_settings *settings,
                    int automatic);

/* mr_topic_ensure opens a topic, and asks the broker to create it first if there is none, as
 * mr_topic_create does with `automatic`. Two processes that do so at once get the same topic.
 *   settings  of a topic that is made now; NULL: the broker's defaults. One that is there keeps its
 *             own
 * Returns  0 it was there; 1 it was made by this call; errors of mr_topic_open and mr_topic_create
 *          but -EEXIST. While it exists, no broker has to run. */
int mr_topic_ensure(struct mr_bus *bus, const char *name, const struct mr_settings *settings,
                    struct mr_topic **out);

/* NULL is allowed. Producers and consumers of the topic must be closed before. */
void mr_topic_close(struct mr_topic *topic);

const char *mr_topic_name(const struct mr_topic *topic);
/* mr_topic_intact: 0; -EIO zeros were read in place of bytes that are gone (see mr_guard). One
 * load: ask it before believing what was read in place. */
int mr_topic_intact(const struct mr_topic *topic);
/* as they took effect, nothing left 0 but records_max */
int mr_topic_settings(const struct mr_topic *topic, struct mr_settings *out);
/* bytes of key + headers + value that one record can have at most */
uint64_t mr_topic_record_max(const struct mr_topic *topic);

/* mr_topic_seal: nothing more will be appended; waiting consumers learn it. Idempotent. */
int mr_topic_seal(struct mr_topic *topic);
/* mr_topic_purge: every group skips what it has not claimed yet. Returns the number of records
 * skipped by the group that had most. */
ssize_t mr_topic_purge(struct mr_topic *topic);
enum mr_delete {
    MR_DELETE_UNUSED,   /* only if no client is attached: else -EBUSY */
    MR_DELETE_FINISHED, /* only if every group has acknowledged everything (no group: if nothing is
                           unread): else -ENOTEMPTY */
    MR_DELETE_ANYWAY,
    MR_DELETE_IDLE, /* only if both hold, asked in the same step: else -EBUSY or -ENOTEMPTY */
};
/* mr_topic_delete marks the topic deleted, in one step with the question whether it may, wakes all
 * who wait on it and takes its name away. */
int mr_topic_delete(struct mr_topic *topic, enum mr_delete how);

/* mr_topic_join waits until every group has acknowledged, or moved to the dead letters, all that is
 * in the topic when it is called; while there is no group, for the first one. What is appended
 * later does not count. For any process but an observer (-EPERM).
 * Returns  0, also for a topic that never had a record; -ETIMEDOUT; -EINTR; -EIDRM; -ESTALE.
 *          on_wait says who holds it up (MR_WAIT_ACKNOWLEDGED). */
int mr_topic_join(struct mr_topic *topic, int64_t timeout_ns);

/* The topic's header line (the columns of its CSV rows), kept once, by the first producer that has
 * one. mr_topic_set_columns: line without terminator, len <= MR_COLUMNS_MAX; flags: enum
 * mr_record_flags of its line end, MR_SEPARATOR(c)
 *          where it is not a comma, and MR_UNQUOTED if quotes mean nothing in its rows
 *          (tab-separated values).
 * Returns  0 stored now, or the same already there (a byte order mark and the line end do not
 *          count, the separator and MR_UNQUOTED do); -EEXIST another one is there; -EMSGSIZE. */
#define MR_UNQUOTED            4u
#define MR_SEPARATOR(c)        ((uint32_t)(unsigned char)(c) << 8)
#define MR_SEPARATOR_OF(flags) ((flags) >> 8 ? (char)((flags) >> 8) : ',')
/* MR_SAME_FIELDS: 1 if rows mean the same fields under both headers: separator and quoting. */
#define MR_SAME_FIELDS(a, b)                                                                       \
    (MR_SEPARATOR_OF(a) == MR_SEPARATOR_OF(b) && ((a)&MR_UNQUOTED) == ((b)&MR_UNQUOTED))
int mr_topic_set_columns(struct mr_topic *topic, const void *line, size_t len, uint32_t flags);
/* mr_topic_columns copies at most cap bytes. Returns the length of the whole line (may be 0);
 * -ENODATA the topic has none. */
ssize_t mr_topic_columns(const struct mr_topic *topic, void *line, size_t cap, uint32_t *flags);

/* What anyone may look at, also an observer: words are read one by one while others write, so sums
 * may be a moment apart. Each function that follows returns a negative errno for what it cannot
 * look at, and then no figures: -ENOMEM, -EMFILE a mapping failed; -EBADMSG damaged; -EAGAIN it
 * changes faster than it can be read. */
struct mr_topic_info {
    size_t size; /* 0, or sizeof the struct */
    uint64_t created_ns;
    uint64_t records_in, bytes_in; /* appended since creation; bytes as they lie in the log */
    uint64_t records_kept;         /* readable now, acknowledged or not */
    uint64_t bytes_room;           /* of all partitions, used or not */
    /* what can be appended before the slowest group holds producers up (drop-oldest: before it
     * loses records): the sum of the partitions' rooms */
    uint64_t bytes_free;
    uint64_t records_free; /* the same of records; MR_OFFSET_NONE: only bytes bound them */
    /* that the slowest group has not acknowledged (all kept ones when there is no group) */
    uint64_t bytes_waiting;
    uint64_t records_waiting;
    /* full=drop-oldest: overwritten before some group acknowledged them */
    uint64_t records_dropped;
    uint32_t partitions, groups, members, producers; /* attached now */
    uint32_t producers_waiting;                      /* of those: for room, now */
    /* since creation: closed properly; died attached */
    uint32_t producers_done, producers_died;
    /* since creation: locks taken over from the dead; of those, with a change to complete */
    uint64_t repairs, replays;
    uint32_t full_percent; /* of the fullest partition: of its bytes, or of the records that may
                            * wait there, whichever is nearer to holding producers back */
    int sealed, deleted;
    int damaged; /* a partition's or a group's words contradict each other, or a record cannot be
                  * read: what could not be read is missing in the figures above, and reading it
                  * says -EBADMSG */
};
int mr_topic_info(const struct mr_topic *topic, struct mr_topic_info *out);

struct mr_partition_info {
    size_t size;                        /* 0, or sizeof the struct */
    uint64_t first_offset, next_offset; /* records [first, next) are kept */
    uint64_t bytes_kept, bytes_room;
    uint64_t first_ts_ns, last_ts_ns; /* 0 when empty */
};
/* -ERANGE past the last */
int mr_partition_info(const struct mr_topic *topic, uint32_t partition,
                      struct mr_partition_info *out);

struct mr_group_info {
    size_t size; /* 0, or sizeof the struct */
    char name[MR_GROUP_NAME_MAX + 1];
    int is_private, is_ordered;
    uint32_t members; /* attached now */
    uint32_t orphans; /* claims left by members that died or left, not yet taken over */
    uint64_t lag;     /* records not acknowledged, all partitions */
    uint64_t in_hand; /* of those: claimed by someone */
    uint64_t acked;   /* records acknowledged since creation */
    uint64_t redelivered, dead_lettered, lost;
};
/* mr_group_info looks at group slot idx, counted from 0. Returns 1 a group; 0 an empty slot;
 * -ERANGE past the last. */
int mr_group_info(const struct mr_topic *topic, uint32_t idx, struct mr_group_info *out);
/* mr_group_find: the slot of the group of that name, for the functions that take idx; -ENOENT there
 * is none (a private group has no name to be found by); -EINVAL the name can be no group's. Another
 * group may get the slot once this one is gone. */
int mr_group_find(const struct mr_topic *topic, const char *name);

/* mr_group_partition_info: 1 it is filled in; 0 an empty group slot; -ERANGE past the last. */
struct mr_group_partition_info {
    size_t size;               /* 0, or sizeof the struct */
    uint64_t committed_offset; /* first unacknowledged */
    uint64_t next_offset;      /* first unclaimed */
    uint64_t end_offset;
    uint64_t lag;
};
int mr_group_partition_info(const struct mr_topic *topic, uint32_t idx, uint32_t partition,
                            struct mr_group_partition_info *out);

struct mr_member_info {
    size_t size; /* 0, or sizeof the struct */
    uint32_t group_idx;
    int32_t pid; /* 0: an orphan: no process holds it */
    char name[MR_CLIENT_NAME_MAX + 1];
    uint32_t partition;
    uint64_t first_offset, end_offset; /* claim: [first unacknowledged, end) */
    uint64_t in_hand_offset;           /* MR_OFFSET_NONE: none */
    uint32_t tries;                    /* failed tries of the blamed record */
    uint64_t held_ns;                  /* since the claim was taken */
    uint64_t acked;                    /* records, since it joined */
};
/* 1, 0, -ERANGE as mr_group_info */
int mr_member_info(const struct mr_topic *topic, uint32_t idx, struct mr_member_info *out);

enum mr_producer_state {
    MR_PRODUCER_ATTACHED = 1,
    MR_PRODUCER_DONE, /* closed properly */
    MR_PRODUCER_DIED, /* without */
};
/* mr_producer_state_name: "attached", "done", "died"; "unknown" for any other number. */
const char *mr_producer_state_name(enum mr_producer_state state);

struct mr_producer_info {
    size_t size; /* 0, or sizeof the struct */
    int32_t pid;
    char name[MR_CLIENT_NAME_MAX + 1];
    enum mr_producer_state state;
    uint64_t records, bytes, blocked_ns; /* blocked: waited for room, also the wait that goes on */
};
/* 1, 0, -ERANGE */
int mr_producer_info(const struct mr_topic *topic, uint32_t idx, struct mr_producer_info *out);

/* ---- records ---- */

enum mr_record_flags {
    /* how the row's line ended, so that a file comes back byte for byte */
    MR_EOL_LF = 0,
    MR_EOL_CRLF = 1,
    MR_EOL_NONE = 2,
    MR_EOL_MASK = 3,
};

struct mr_message {      /* to be appended */
    const void *value;   /* may be NULL when value_len is 0 */
    const void *key;     /* NULL: no key (an empty key is not NULL) */
    const void *headers; /* as mr_header_add builds them */
    uint32_t value_len, key_len;
    uint16_t headers_len;
    uint16_t flags;     /* enum mr_record_flags */
    uint32_t partition; /* MR_ANY, or MR_PARTITION(p) */
    uint32_t placed;    /* out: the partition that it went to */
    uint64_t ts_ns;     /* 0: now */
    uint64_t offset;    /* out: its offset; MR_OFFSET_NONE: not accepted */
};

/* as read, in place: valid until mr_consumer_ack, mr_consumer_give_back or the next
 * mr_consumer_claim of the handle */
struct mr_record {
    const void *value, *key, *headers; /* key NULL: none */
    uint32_t value_len, key_len;
    uint16_t headers_len;
    uint16_t flags;
    uint32_t partition;
    uint32_t try_number; /* 1: first delivery as far as blame goes */
    uint64_t ts_ns;
    uint64_t offset;
};

/* mr_header_add appends one header (name 1 to 255 bytes, value) at buf + used. Returns the new used
 * length; -ENOSPC; -EINVAL another name. */
ssize_t mr_header_add(void *buf, size_t used, size_t cap, const char *name, const void *value,
                      size_t value_len);
/* mr_header_next steps through headers; *at is 0 at first. Returns 1 with *out set, whose pointers
 * go into headers; 0 at the end; -EBADMSG when they are malformed. */
struct mr_header {
    const char *name; /* not ended by a NUL */
    size_t name_len;  /* in [1, 255] */
    const void *value;
    size_t value_len;
};
int mr_header_next(const void *headers, size_t headers_len, size_t *at, struct mr_header *out);

/* mr_partition_for says where a key goes: murmur2 as Kafka's Java client, modulo partitions. */
uint32_t mr_partition_for(const void *key, size_t key_len, uint32_t partitions);

/* ---- producer ---- */

struct mr_producer;

struct mr_producer_options {
    size_t size;      /* 0, or sizeof the struct */
    const char *name; /* NULL: the client's */
    /* 0: none; else a number, a hash as a rule, that names what the records come from: for
     * mr_producer_append_from */
    uint64_t source;
};

/* mr_producer_open attaches a producer. options may be NULL. Returns 0; -EPIPE sealed; -EIDRM;
 * -EUSERS all producer slots are taken, or the source is new and a partition knows 128 others
 * (mr_topic_forget_source frees one). */
int mr_producer_open(struct mr_topic *topic, const struct mr_producer_options *options,
                     struct mr_producer **out);

/* mr_producer_append copies a batch of n messages into the topic, in order (within each partition),
 * and publishes them.
 *   msgs     n of them, n >= 1; placed and offset of each are filled in, nothing else is changed:
 *            those that were not accepted can be appended again as they are
 * Returns  how many were accepted, n as a rule. Fewer: the time was over, *stop was set or the
 *          topic was sealed in between; those accepted have an offset, the others MR_OFFSET_NONE
 *          (with one partition the accepted ones are a prefix). None accepted: -EMSGSIZE one is
 *          larger than mr_topic_record_max (nothing was appended); -EAGAIN full (full=fail, or
 *          timeout 0); -ETIMEDOUT; -EINTR; -EPIPE; -EIDRM; -ESTALE; -EBADMSG.
 * Blocks   while the partition is full and the topic is full=block, up to timeout_ns.
 * Order    release: who reads a record sees every store made before the call.
 * Owns     nothing; the messages are read only during the call.
 * Killed   whole records or none, a prefix of what was to go to each partition. */
ssize_t mr_producer_append(struct mr_producer *producer, struct mr_message *msgs, size_t n,
                           int64_t timeout_ns);

/* mr_producer_append_from is mr_producer_append for a producer with a source, and notes progress[i]
 * with msgs[i]: each partition remembers that of the last message it accepted from the source, in
 * the same step that publishes it. So a producer that reads the source after a kill knows where to
 * go on.
 *   progress  n of them; positions > 0, in the caller's measure (rows, bytes), growing in each
 *             partition; check: any word, a hash of the row say
 * Returns   as mr_producer_append; -EUSERS the partition knows 128 other sources, and forgets none
 *           for a new one (mr_topic_forget_source); -EINVAL no source, or a position 0. */
struct mr_progress {
    uint64_t position, check;
};
ssize_t mr_producer_append_from(struct mr_producer *producer, struct mr_message *msgs,
                                const struct mr_progress *progress, size_t n, int64_t timeout_ns);
/* mr_producer_progress: what the partition last accepted from the producer's source, by whichever
 * producer. 1; 0 nothing, or it was forgotten (mr_topic_forget_source); -EINVAL no source; -ERANGE
 * past the last partition. */
int mr_producer_progress(struct mr_producer *producer, uint32_t partition, struct mr_progress *out);

/* mr_topic_forget_source makes room for another source: no partition knows how far this one came,
 * and what it sends again is sent from its start. A producer of it that is attached goes on, and is
 * known again with its next record.
 * Returns  0; -ENOENT no partition knows it; -EINVAL source 0; -EINTR, -EIO, ...: some may have
 *          forgotten it.
 * Killed   each partition knows it as before, or not at all. */
int mr_topic_forget_source(struct mr_topic *topic, uint64_t source);
/* mr_topic_sources_known copies the ids of the sources that a partition knows, at most cap of them.
 * Returns how many there are, at most 128; -ERANGE past the last partition. */
ssize_t mr_topic_sources_known(struct mr_topic *topic, uint32_t partition, uint64_t *ids,
                               size_t cap);

/* mr_topic_complete_source says that all of the source is in the topic: those of its producers that
 * died count as done from now on, for nothing that they had not sent is missing any more. One whose
 * slot another producer got since stays among the dead.
 * Returns  how many that were; -EINVAL source 0; -EINTR, -EIDRM, -EIO, ...
 * Killed   each of them counts as the one or the other. */
int mr_topic_complete_source(struct mr_topic *topic, uint64_t source);

/* mr_producer_join waits until every group has acknowledged, or moved to the dead letters, all that
 * this handle has appended; while there is no group, for the first one. 0; -ETIMEDOUT; -EINTR;
 * -EIDRM; -ESTALE. on_wait says who holds it up (MR_WAIT_ACKNOWLEDGED). */
int mr_producer_join(struct mr_producer *producer, int64_t timeout_ns);

/* mr_producer_cancel ends the wait of another thread that is inside a call with this handle, or, if
 * none waits now, the next wait that it begins: that call returns -ECANCELED, and only that one.
 * Calls that need not wait, and those with timeout 0, are not ended, so nothing is lost of what
 * they do. A call that has accepted some messages returns their number; the next wait tells.
 *   Ends     waits for room (mr_producer_append, _append_from, mr_consumer_ack_with to it) and
 *            mr_producer_join. Not a wait for a lock whose holder is stopped: see on_wait for that.
 *   Safe     from any thread, and in a signal handler (it is async-signal-safe and keeps errno),
 *            while the handle is open: the caller sees to it that it is not closed meanwhile. */
void mr_producer_cancel(struct mr_producer *producer);

/* mr_producer_close detaches: this producer is done, as opposed to died. NULL is allowed. */
void mr_producer_close(struct mr_producer *producer);

struct mr_producer_stats {
    size_t size; /* 0, or sizeof the struct */
    uint64_t records, bytes, batches, waits, blocked_ns;
};
int mr_producer_stats(const struct mr_producer *producer, struct mr_producer_stats *out);

/* ---- consumer ---- */

struct mr_consumer;

enum mr_start {
    MR_START_STORED,    /* where the group stopped; a new group: the oldest record */
    MR_START_BEGINNING, /* the oldest retained record */
    MR_START_END,       /* only what comes from now on */
    /* start_arg: an offset in each partition; below the oldest: the oldest; past the end: the
     * end */
    MR_START_OFFSET,
    MR_START_LAST, /* start_arg: so many records before the end of each partition */
    MR_START_TIME, /* start_arg: first record at or after this time (ns since 1970) */
};

enum mr_consumer_flags {
    MR_PRIVATE = 1, /* a group of its own, removed when the consumer closes or dies */
    /* a new group: one claim a partition at a time; an existing group keeps what it is */
    MR_ORDERED = 2,
    /* looks only: no group, takes nothing, holds no one back, can be lapped (see stats.lost); works
     * for an observer */
    MR_PEEK = 4,
    /* the end is what it is now: mr_consumer_claim says -ENODATA when everything below it is
     * taken */
    MR_UNTIL_END = 8,
    /* the end is when mr_consumer_drained says so (which also tells if a producer died):
     * mr_consumer_claim says -ENODATA. Not for MR_PEEK */
    MR_UNTIL_DRAINED = 16,
};

struct mr_consumer_options {
    size_t size;       /* 0, or sizeof the struct */
    const char *group; /* NULL: "default"; ignored with MR_PRIVATE and MR_PEEK */
    const char *name;  /* NULL: the client's */
    uint32_t flags;    /* enum mr_consumer_flags */
    enum mr_start start;
    int64_t start_arg;
    uint32_t window; /* records claimed at a time at most; 0: 1000 */
    uint32_t tries;  /* 0: the topic's */
};

/* mr_consumer_open joins a group, creating it if need be. options may be NULL.
 * Returns  0; -EBUSY start is not STORED but the group has members attached; -EUSERS no group or
 *          member slot is free; -EIDRM. */
int mr_consumer_open(struct mr_topic *topic, const struct mr_consumer_options *options,
                     struct mr_consumer **out);

/* mr_consumer_claim makes sure that records are at hand: what is left of the present claim, else a
 * new one of at most max records (0: the window), of one partition.
 * Returns  how many mr_consumer_next will give (> 0); -ETIMEDOUT; -EINTR; -ENODATA the end is
 *          reached (sealed and all taken, MR_UNTIL_END or MR_UNTIL_DRAINED); -EIDRM; -ESTALE;
 *          -EBADMSG; -EBUSY all of the claim was given and some of it is not acknowledged: a handle
 *          has one claim at a time. Call mr_consumer_ack, mr_consumer_give_back or
 *          mr_consumer_rewind, then claim again. Not for MR_PEEK, which acknowledges nothing.
 * Note     records of a member that died come first; the one it had in hand comes alone, with its
 *          try counted. One that has failed as often as allowed is moved to the dead-letter topic
 *          instead of being delivered. */
ssize_t mr_consumer_claim(struct mr_consumer *consumer, size_t max, int64_t timeout_ns);

/* mr_consumer_next gives the next record of the claim and notes it as the one in hand (who dies
 * now, dies of this one).
 * Returns  1; 0 no more in this claim (then none is in hand); -EBADMSG; -ESTALE. */
int mr_consumer_next(struct mr_consumer *consumer, struct mr_record *out);

/* mr_consumer_ack acknowledges everything that mr_consumer_next has given so far. One store, no
 * lock, no system call unless a producer waits for room.
 * Returns  0; -ESTALE the claim was given to another: it will be, or was, delivered again. */
int mr_consumer_ack(struct mr_consumer *consumer);

/* mr_consumer_rewind lets mr_consumer_next begin again at the first unacknowledged record of the
 * claim: nothing is in hand, nothing is blamed, no other gets it.
 * Records read before stay readable as they were. Returns 0; -EINVAL a peeking consumer, which
 * acknowledges nothing. */
int mr_consumer_rewind(struct mr_consumer *consumer);

/* mr_consumer_holds: 1 while the handle has a claim with something unacknowledged, so that
 * mr_consumer_claim gives the rest of it and takes no other; else 0. */
int mr_consumer_holds(const struct mr_consumer *consumer);

/* mr_consumer_ack_with appends n messages to another topic and acknowledges everything that
 * mr_consumer_next has given so far, as one step: after a kill at any moment both have happened or
 * neither, and the next to have the claim finds out which (unless that topic was deleted: then the
 * records come again).
 *   producer  of another topic of the same bus msgs n of them; n 0 is mr_consumer_ack. All go to
 *             ONE partition, that of msgs[0], and become visible at once
 * Returns   0; errors of mr_producer_append: then nothing was appended or acknowledged; -EMSGSIZE
 *           also if the messages do not fit together; -ESTALE.
 * Blocks    while the other topic is full and full=block, up to timeout_ns. */
int mr_consumer_ack_with(struct mr_consumer *consumer, struct mr_producer *producer,
                         struct mr_message *msgs, size_t n, int64_t timeout_ns);

/* mr_consumer_give_back hands everything unacknowledged to the next to claim, without blame. */
int mr_consumer_give_back(struct mr_consumer *consumer);

/* mr_consumer_fail says that the record in hand failed: all before it are acknowledged, its try is
 * counted; the next mr_consumer_claim gives it again, alone, unless it has failed as often as
 * allowed: then it goes to the dead-letter topic with `reason`.
 * Returns 0 it comes again; 1 it went to the dead-letter topic; 2 that topic did not take it
 * (on_wait was told why, see MR_WAIT_DEAD): it waits alone and is tried again later, by the next
 * member to claim; or a negative errno.
 * Blocks  while the dead-letter topic is full, for ever, as a producer would; so does an
 * mr_consumer_claim that finds a record whose tries are used up, whatever its timeout. on_wait and
 * *stop end that. */
int mr_consumer_fail(struct mr_consumer *consumer, const char *reason);
/* mr_consumer_fail_now is mr_consumer_fail for a record that no further try will help: it goes to
 * the dead-letter topic at once. */
int mr_consumer_fail_now(struct mr_consumer *consumer, const char *reason);

/* mr_consumer_wait_any waits until one of n consumers (1 to 64, of one bus) may have something to
 * claim or has ended. 0; -ETIMEDOUT; -EINTR. */
int mr_consumer_wait_any(struct mr_consumer *const *consumers, size_t n, int64_t timeout_ns);

/* mr_consumer_cancel ends the wait of another thread that is inside mr_consumer_claim with this
 * handle, or mr_consumer_wait_any with it among others; if none waits now, the next wait that it
 * begins. That call returns -ECANCELED, and only that one; the handle is as after -ETIMEDOUT. Where
 * there are records, they are given, and the wait after them is ended. Otherwise as
 * mr_producer_cancel; the other members of the group may wake once, in vain. */
void mr_consumer_cancel(struct mr_consumer *consumer);

/* mr_consumer_drained: 1 when no producer is attached and the group has acknowledged everything (2:
 * the same, but a producer died), else 0; -EINVAL a peeking consumer; or a negative errno. */
int mr_consumer_drained(struct mr_consumer *consumer);

/* mr_consumer_close gives back what is unacknowledged and leaves the group. NULL is allowed. */
void mr_consumer_close(struct mr_consumer *consumer);

struct mr_consumer_stats {
    size_t size; /* 0, or sizeof the struct */
    uint64_t records, bytes, claims, waits, starved_ns, redelivered, dead_lettered, lost;
    uint64_t parked; /* of the whole group, now: records that the dead-letter topic did not take */
};
int mr_consumer_stats(const struct mr_consumer *consumer, struct mr_consumer_stats *out);
/* mr_consumer_lag: records that its group has not acknowledged (a peeking consumer: that it has not
 * seen); or a negative errno. */
int64_t mr_consumer_lag(const struct mr_consumer *consumer);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
