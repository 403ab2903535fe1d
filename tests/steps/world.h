/* world.h - what the programs are killed in: a bus with a long-lived topic "t", whose groups all
 * have a survivor, a topic "o" into which one group works, and books of what has come to whom.
 *
 * Every record is a number that is sent once. Survivors are handles of this process: they were
 * attached before anything was killed, and join nothing afterwards. */
#ifndef TESTS_STEPS_WORLD_H
#define TESTS_STEPS_WORLD_H

#include "millrace.h"
#include "trace.h"

#define PARTS_MAX  2u
#define IDS_MAX    6000000u /* records of one world */
#define BOUND_S    10       /* the longest wait; it only ends a run that hangs */
#define OUTPUT_MAX (1u << 20)

/* What is known of a record of a topic in a group. */
#define TAKEN 1 /* printed by a program, or taken by a survivor */
#define ACKED 2

struct book { /* a topic's: which number lies where, as the first to see it says */
    struct mr_topic *topic;
    uint32_t *id[PARTS_MAX];  /* by offset; 0 not seen yet */
    uint8_t *seen;            /* by number: how often it is in the topic */
    uint64_t read[PARTS_MAX]; /* how far the group that keeps up has come */
};

struct member { /* a group and its survivor */
    const char *group;
    struct book *book;
    struct mr_consumer *consumer; /* NULL: none at the moment */
    struct mr_producer *into;     /* what it takes goes on into another topic, in one step */
    uint8_t *state[PARTS_MAX];    /* by offset */
    uint64_t floor[PARTS_MAX];    /* everything below is acknowledged */
    int keeps;                    /* the group that keeps up: sees every record in order */
};

/* What the producer slots of o are at first: never used; used by one who died; held by one who
 * lives, but for a few. */
enum slots { SLOTS_FRESH, SLOTS_DEAD, SLOTS_HELD, SLOTS_KINDS };
#define SLOTS_FREE 6

enum { KEEP, SHARED, ORDERED, MOVED, INTO, KEEP_O, MEMBERS };

struct world {
    char bus_name[MR_BUS_NAME_MAX + 1], dir[256], bin[512];
    struct mr_bus *bus;
    pid_t broker; /* 0: none */
    int with_broker;
    uint32_t parts;
    struct book t, o;
    struct member members[MEMBERS];
    struct mr_producer *feeder; /* the producer on t that must never be stopped */
    uint32_t ids;               /* used so far */
    uint64_t seed, own_seed;    /* of the dice as they are; of this world */
    char error[1024];
    char file[300]; /* of the rows that are sent with --resume; */
    uint32_t file_first, file_rows, file_number;
    unsigned files;
    int recording;    /* the way of a program is noted: nothing that takes long */
    enum slots slots; /* of producers of o */
    pid_t holder;     /* who lives and has so many of them, */
    uint32_t holds;
    uint64_t into_checked[PARTS_MAX]; /* below, each record of t is in o once */
};

/* bad notes what is wrong, the first time; returns -1. */
__attribute__((format(printf, 2, 3))) int bad(struct world *w, const char *format, ...);
uint32_t dice(struct world *w, uint32_t below); /* in [0, below) */
int chance(struct world *w, uint32_t percent);

int world_open(struct world *w, const char *bin, const char *bus_name, uint64_t seed);
void world_close(struct world *w);
const char *world_folder(void);       /* where files may be made */
void remove_folder(const char *path); /* with the files in it */
int world_broker_start(struct world *w);
void world_broker_kill(struct world *w);
pid_t broker_start(struct world *w, const char *bus); /* its pid, once it is ready; or -1 */
void remove_bus(const char *bus);                     /* all its files */

/* The value of a number's record: the number, and some x to make them differ in length. */
size_t id_text(uint32_t id, char out[64]);
uint32_t id_of(const char *text, size_t len); /* 0: it is none */

/* die_in_group: a process joins a group of t, takes some records, acknowledges some, and dies of
 * the next. */
int die_in_group(struct world *w, const char *group);

/* feed appends n new records, or as many as there is room for. Returns how many, or -1. */
int feed(struct world *w, uint32_t n);
/* take_all: every survivor takes and acknowledges what there is. Returns how many records, or -1.
 */
int take_all(struct world *w, int64_t timeout_ns);
int take_one(struct world *w, int member); /* the same of one, once */
/* fill appends twice what the rings hold while the survivors take; then they take the rest. */
int fill(struct world *w);
/* check_books: all that is in the topics has come to every group; nothing is left over in the
 * tables. */
int check_books(struct world *w);

/* came: a record came to a group, by a line that a program has printed or to a survivor. */
int came(struct world *w, struct member *m, uint32_t p, uint64_t offset, const char *value,
         size_t len);
/* look_at notes what the group has acknowledged while a member of it stands still. */
struct snapshot {
    uint64_t next[PARTS_MAX];
    struct claim {
        uint32_t part;
        uint64_t first, end;
        int32_t pid;
    } claims[256];
    size_t claim_cnt;
    int known;
};
void look_at(struct world *w, const struct member *m, struct snapshot *out);
/* believe: what the snapshot says is acknowledged never comes again, and has come. */
int believe(struct world *w, struct member *m, const struct snapshot *s);
/* trust: what is acknowledged now has come to some process of ours. */
int trust(struct world *w, struct member *m);

#endif
