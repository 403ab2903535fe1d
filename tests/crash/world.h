/* world.h - a bus, a topic and survivors for one kill, with a shadow model of what must hold afterwards. */
#ifndef WORLD_H
#define WORLD_H

#include "common/consume.h"
#include "common/topic.h"

#define IDS 96
#define GROUPS 2

/* What the survivors know of each record and group before the operation. */
enum { WAITING, ACKED, MAY_ACK }; /* MAY_ACK: the operation acknowledges it; gone only if it got so far */

struct world {
    struct mr_bus *bus; /* the survivors' */
    struct mr_topic *topic;
    struct mr_producer *producer;
    struct mr_consumer *consumer[GROUPS]; /* of groups "g" and "h"; NULL: no such group */
    struct mr_settings settings;
    uint32_t record_bytes; /* of a record's value */
    /* the model */
    unsigned sent;                     /* ids [0, sent) are in the log */
    unsigned char state[GROUPS][IDS];
    unsigned add;                      /* ids [sent, sent + add) are appended by the operation: a prefix of each partition's, all if it ended */
    int drops;                         /* drop-oldest: what is overwritten is no loss */
    int may_end;                       /* the topic may be sealed, purged or deleted afterwards: only invariants hold */
    const char *other;                 /* MAY_ACK records may be in this topic instead, the dead-letter topic say: exactly one of the two */
    uint64_t source;                   /* the operation's records come from it: the topic must know how many were accepted */
    uint32_t ticket[GROUPS];           /* nonzero: somebody sleeps on it, whom the operation must have woken when it ends */
    char error[256];
};

struct scenario {
    const char *name;
    void (*prepare)(struct world *w); /* survivors: what is there before; may change w->settings before world_open */
    void (*settings)(struct mr_settings *settings); /* NULL: the defaults */
    void (*child)(struct world *w);   /* the process that dies: attaches, then step_begin, operation, step_end */
    int (*asleep)(struct world *w);   /* wakes the child, see step.h */
    int (*check)(struct world *w);    /* NULL, or what must hold besides, when the survivors have gone on: 0, or -1 with w->error */
};

extern const struct scenario record_scenarios[], life_scenarios[];
extern const size_t record_scenario_cnt, life_scenario_cnt;

void world_open(struct world *w, struct mr_bus *bus, const struct scenario *scenario);
void world_close(struct world *w);

/* The survivors go on, reaping as a broker would (told the client) or as waiting processes do, and everything is checked.
 * completed: the operation had returned. Returns 0, or -1 with w->error. */
int world_check(struct world *w, uint64_t told, int completed);

/* for scenarios */
void world_send(struct world *w, unsigned cnt);             /* the survivors' producer appends cnt more records */
void world_join(struct world *w, int g, uint32_t flags);    /* the survivors' consumer of group g */
unsigned world_take(struct world *w, int g, unsigned cnt);  /* it takes and acknowledges cnt records */
void world_fill(struct world *w, struct mr_message *msg, unsigned char *buf, unsigned id);
void world_must(int ok, const char *what);
#define WORLD_CHECK_OF(position) ((position) * 7 + 1) /* the check word that goes with a progress */

#endif
