/* scenes.h - the programs, as they are run and killed: what each is called with, what has to be so
 * when it stands still, when it is dead, and when the survivors have gone on. */
#ifndef TESTS_STEPS_SCENES_H
#define TESTS_STEPS_SCENES_H

#include "world.h"

#define ARGS_MAX 24

enum end {
    KILLED,
    TOLD,
    ALONE
}; /* kill -9; SIGTERM, and then it ends by itself; it just ends by itself */

struct act {
    struct world *w;
    const struct scene *scene;
    struct run run;
    enum end end;
    char text[ARGS_MAX][320], touch[300], *argv[ARGS_MAX + 1];
    int argc, pipe[2], err, in;
    char *out;
    size_t out_len, out_read;
    struct snapshot at_kill;
    struct member *member; /* whose group it is in, or NULL */
    uint32_t window;
    int inherits;                               /* it may get a claim of a dead one */
    uint64_t first[PARTS_MAX], next[PARTS_MAX]; /* the topic's records when it began */
    uint64_t begin[PARTS_MAX];                  /* where a group is moved to */
    uint64_t last[PARTS_MAX];  /* a private group: the last offset that came, plus 1 */
    uint32_t id_first, id_cnt; /* rows to be sent */
    uint8_t *mine[PARTS_MAX];  /* of a moved group: what was owed, 1, what came, 2 */
    struct book fresh;         /* a topic of its own */
    struct mr_producer *fresh_feeder;
    struct mr_consumer *fresh_keep;
    unsigned turns;   /* how often it was seen asleep */
    pid_t helpers[2]; /* processes that the program is to deal with */
    char other_bus[MR_BUS_NAME_MAX + 1];
    uint32_t fresh_cnt; /* records in the fresh topic at the start: their values are 0, 1, ... */
    uint32_t came[64];  /* how often each came */
    struct mr_consumer *fresh_other; /* the survivor of another group of it */
    struct mr_topic *letters;
};

struct scene {
    const char *name, *topic; /* the topic whose first touch counts; "": the bus */
    uint32_t thread;
    uint32_t weight;
    int told;   /* it may be told to end, by SIGTERM */
    int into_o; /* it appends to o */
    int (*prepare)(struct act *act);
    int (*line)(struct act *act, const char *line, size_t len); /* each line of its output */
    int (*still)(struct act *act);                 /* it stands still, and is killed next */
    int (*dead)(struct act *act);                  /* its output has been read */
    int (*after)(struct act *act);                 /* the survivors have filled the rings */
    int (*asleep)(struct act *act, unsigned turn); /* in place of what is done then as a rule: */
    unsigned patience; /* it is left asleep after so many ms; the survivors take meanwhile */
};

extern const struct scene scenes[];
extern const unsigned scene_cnt;

/* act_arg adds an argument, as printf. */
__attribute__((format(printf, 2, 3))) void act_arg(struct act *act, const char *format, ...);
int act_read(struct act *act); /* its output so far, line by line */
/* act_status: -1 it was killed; else its exit status, 128 + n by a signal. */
int act_status(const struct act *act);
/* act_again runs the same program again, to its end, while the survivors take: its exit status, or
 * -1. */
int act_again(struct act *act);
/* act_must_end_well: it was not killed, so it has ended with status 0, or, told to, with 143. */
int act_must_end_well(struct act *act);

void note_ends(struct act *act, struct mr_topic *topic); /* which records are there */

/* scenes_consume.c, scenes_produce.c, scenes_broker.c */
int prepare_all(struct act *act);
int prepare_all_for_a_time(struct act *act);
int line_of_private(struct act *act, const char *line, size_t len);
int dead_private(struct act *act);
int prepare_shared(struct act *act);
int prepare_ordered(struct act *act);
int prepare_command(struct act *act);
int prepare_workers(struct act *act);
int line_of_member(struct act *act, const char *line, size_t len);
int still_member(struct act *act);
int dead_member(struct act *act);
int prepare_moved(struct act *act);
int line_of_moved(struct act *act, const char *line, size_t len);
int dead_moved(struct act *act);
int prepare_into(struct act *act);
int still_into(struct act *act);
int dead_into(struct act *act);
int prepare_fresh(struct act *act);
int line_of_fresh(struct act *act, const char *line, size_t len);
int dead_fresh(struct act *act);
/* A topic "f" of the act's own, with a survivor in group "keep", a producer, and cnt records; what
 * has come of it to a consumer; whether the groups that keep up never stop its producer; and its
 * end. */
int fresh_open(struct act *act, uint32_t cnt);
int fresh_take(struct act *act, struct mr_consumer *consumer);
int fresh_fill(struct act *act);
int fresh_close(struct act *act, int deleted);
int no_line(struct act *act, const char *line, size_t len);

int prepare_producer(struct act *act);
int prepare_producer_o(struct act *act);
int prepare_resume(struct act *act);
int line_of_producer(struct act *act, const char *line, size_t len);
int after_producer(struct act *act);
int after_resume(struct act *act);

int prepare_letters(struct act *act);
int dead_letters(struct act *act);
int prepare_redrive(struct act *act);
int dead_redrive(struct act *act);
int prepare_seal(struct act *act);
int dead_seal(struct act *act);
int prepare_purge(struct act *act);
int dead_purge(struct act *act);
int prepare_delete(struct act *act);
int dead_delete(struct act *act);
int prepare_serving(struct act *act);
int asleep_serving(struct act *act, unsigned turn);
int dead_serving(struct act *act);
int prepare_life(struct act *act);
int asleep_life(struct act *act, unsigned turn);
int dead_life(struct act *act);
int prepare_clean(struct act *act);
int line_of_clean(struct act *act, const char *line, size_t len);
int dead_clean(struct act *act);

#endif
