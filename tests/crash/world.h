/* world.h - a bus, topics and survivors for one kill, with a shadow model of what must hold
 * afterwards.
 *
 * Records have numbers, unique over all topics. For each group of each topic the model says of each
 * number whether it must come. */
#ifndef TESTS_CRASH_WORLD_H
#define TESTS_CRASH_WORLD_H

#include "core/consumer.h"
#include "core/group_life.h"
#include "core/lifecycle.h"
#include "core/log_append.h"
#include "core/member.h"
#include "core/park.h"
#include "core/reap.h"
#include "core/source.h"
#include "core/topic.h"

#include <sys/types.h>

#define IDS    1024u
#define PLACES 4
/* topics "t"; "other": where records go to; "src": from where they come to t; "t.dead" */
enum shelf_name { T, OTHER, SRC, DEAD, SHELVES };
extern const char *const shelf_names[SHELVES];

enum fate {
    ABSENT, /* not in this topic */
    MUST,   /* comes once */
    GONE,   /* acknowledged before: does not come */
    /* acknowledged by the operation: comes at most once, and not if the operation got to its end */
    MAY_GO,
    /* appended by the operation: comes at most once, and does if the operation got to its end */
    MAY_COME,
    /* moved by the operation: comes once, here or in the topic that it goes to; there if the
     * operation got to its end */
    EITHER,
    ANY, /* comes at most once */
};

struct place {                         /* a group of a topic */
    char group[MR_GROUP_NAME_MAX + 1]; /* "": not used */
    /* the survivors' member; NULL: none of them is in it, so it may hold producers up for good */
    struct mr_consumer *consumer;
    int is_private, maybe; /* maybe: there only if the operation made it */
    unsigned since;        /* maybe: records below this are not asked for */
    unsigned char fate[IDS];
    /* what holds instead if the operation took effect: one or the other as a whole */
    unsigned char after[IDS];
    /* 1: after the operation; 2: after what another did who died before it */
    int has_after;
    unsigned char times[IDS]; /* how often it came */
};

struct shelf {              /* a topic */
    struct mr_topic *topic; /* the survivors' mapping; NULL: not used */
    struct mr_producer *producer;
    uint64_t sent; /* records, by the survivors' producer */
    struct place place[PLACES];
    int legal_hold; /* a group without survivors holds its producers up, as it should */
};

struct world {
    const char *bus_name;
    struct mr_bus *bus; /* the survivors'; NULL: there are none until they come back */
    struct mr_settings settings;
    uint32_t record_bytes; /* of a record's value */
    struct shelf shelf[SHELVES];
    unsigned sent; /* numbers given to records so far */
    /* [add_from, add_from + add) are appended to t by the operation: a prefix of each
     * partition's */
    unsigned add, add_from;
    int moves; /* EITHER: from shelf move_a to move_b */
    enum shelf_name move_a, move_b;
    int moved_by_another; /* who died before the operation */
    int drops;            /* drop-oldest: what is overwritten is no loss */
    /* the topic may be sealed, purged or deleted afterwards: only invariants hold */
    int may_end;
    int full; /* the scene fills the rings */
    /* producer slots were used again: what they counted before is not known any more */
    int counts_lost;
    /* the operation's records come from it: the topic must know how many were accepted */
    uint64_t source;
    /* nonzero: a process sleeps on it, and the operation must have woken it when it ends */
    uint32_t ticket[PLACES];
    /* about the operation */
    int completed;  /* it got to its end */
    int woken;      /* by the survivors */
    int has_result; /* it returned `result`: it was not killed before */
    long result;
    size_t dead_cnt;
    uint64_t dead[4]; /* clients that died, for a broker to reap */
    char error[400];
};

struct operation {
    const char *name;
    void (*settings)(struct mr_settings *settings); /* NULL: the defaults */
    void (*prepare)(struct world *w);               /* survivors: what is there before */
    /* NULL, or what the model says of all that is there when the operation begins */
    void (*staged)(struct world *w);
    void (*child)(struct world *w); /* attaches, then begin(), operation, end() */
    int (*asleep)(struct world *w); /* wakes the child; NULL: the survivors take what they can */
    /* NULL, or what happens while the process stands still; else another gives up, see others.h */
    void (*meanwhile)(struct world *w);
    /* NULL, or brings the survivors back before anything is checked */
    void (*back)(struct world *w);
    void (*after)(struct world *w); /* NULL, or what ends it, checked or not */
    /* NULL, or what must hold besides, when the survivors have gone on: 0, or -1 with w->error */
    int (*check)(struct world *w);
    unsigned flags;
};
enum {
    OP_MAY_FAIL = 1,       /* errors are an answer, too */
    OP_ONCE = 2,           /* nothing is killed: it is about what a call answers */
    OP_OPENS = 4,          /* opens a producer of t */
    OP_TAKES_ALL = 8,      /* takes all that its group has not acknowledged */
    OP_WAITS_FOR_ALL = 16, /* waits until every group has acknowledged */
    OP_ENDS = 64,          /* ends topics that owe nothing */
    OP_ALONE = 32,         /* no survivors are attached when it begins */
    OP_PLAIN = 128,        /* has a scene of its own */
    OP_GROUPS = 256,       /* is about groups and members: who joins may wait when it dies */
};

extern const struct operation record_operations[], life_operations[], broker_operations[];
extern const size_t record_operation_cnt, life_operation_cnt, broker_operation_cnt;
extern const struct operation odd_operations[];
extern const size_t odd_operation_cnt;

void world_must(int ok, const char *what); /* or the process ends with 99 */
void world_open(struct world *w, const char *bus_name, const struct operation *operation);
void world_close(struct world *w);
int world_connect(struct world *w); /* 0; -ENOENT there is no bus */
void world_leave(struct world *w);  /* the survivors close everything and disconnect */
/* notes why; -1 */
int world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* for operations and scenes */
/* makes a topic, a survivor in its group */
void world_shelf(struct world *w, enum shelf_name name, const char *group);
/* a survivor joins */
struct place *world_join(struct world *w, enum shelf_name name, const char *group, uint32_t flags);
/* a group without survivors */
struct place *world_lone(struct world *w, enum shelf_name name, const char *group, int maybe);
void world_send(struct world *w, enum shelf_name name, unsigned cnt);
/* as many as there is room for */
unsigned world_try_send(struct world *w, enum shelf_name name, unsigned cnt);
/* takes and acknowledges */
void world_take(struct world *w, enum shelf_name name, unsigned place, unsigned cnt);
void world_fill(struct world *w, struct mr_message *msg, unsigned char *buf, unsigned id);
void world_adds(struct world *w, unsigned cnt); /* the operation appends so many to t */
void world_note(struct shelf *shelf, unsigned id, enum fate fate); /* for all groups of a topic */
/* that record is EITHER */
void world_moves(struct world *w, enum shelf_name from, enum shelf_name to, unsigned id);
unsigned world_id(const struct mr_record *record);
/* two groups, six records, three of them acknowledged by the first */
void some_records(struct world *w);
/* A place that may be there is: its group was made before all that it holds. */
void world_is_there(const struct world *w, struct place *place);
char world_state(pid_t pid); /* as /proc has it: S asleep, Z ended, ...; 0 not known */
/* A process runs `body` as a client and dies; or it does not get so far. Its client id goes into
 * w->dead. reap: the survivors do. */
void world_death(struct world *w, void (*body)(struct world *w), int reap);
#define WORLD_CHECK_OF(position) ((position)*7 + 1) /* the check word that goes with a progress */

#endif
