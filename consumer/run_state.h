/* run_state.h - a run of the consumer from inside: run.c decides what is claimed next and when it is over; who gets the records is either
 * itself, which prints them, or workers.c, whose workers run commands. */
#ifndef MR_RUN_H
#define MR_RUN_H

#include "output.h"
#include "run.h"

enum source_state {
    MISSING, /* there is no such topic yet */
    OPEN,
    BUSY,  /* all its handles have their claims and are with commands: none is left to claim with */
    HELD,  /* no_ack: its one claim has been shown, and is held */
    ENDED, /* read to its end, or deleted */
};

struct source {
    const char *name;
    enum source_state state;
    int at_end; /* drain: sealed and taken, but perhaps not acknowledged by all */
    struct mr_topic *topic;
    struct mr_consumer *consumer; /* that claims next; NULL while MISSING or BUSY */
    struct mr_columns columns;
    struct mr_where_bound *where; /* --where on these columns; NULL: not bound yet */
    int told_strangers;           /* that some values are no JSON objects was said */
    uint64_t dead_lettered, lost; /* by handles that are closed */
    uint64_t parked; /* records that topic.dead did not take, when the last handle was closed */
};

struct run {
    struct mr_take *take;
    struct mr_taken *taken;
    struct mr_bus *bus;
    struct source *source;
    struct mr_output output;
    struct mr_crew *crew;                /* NULL: records are printed */
    size_t turn;                         /* the source whose turn it is; with a crew, which takes one claim a round */
    char *line;                          /* MR_COLUMNS_MAX bytes, to fetch header lines */
    uint64_t left;                       /* records still wanted; UINT64_MAX: no limit */
    uint32_t seen;                       /* see mr_bus_wait_change */
    int looked;                          /* missing topics were looked for at least once */
    int64_t start_ns, first_ns, last_ns; /* CLOCK_MONOTONIC: of the run, of the first (0: none yet) and the last record */
    int64_t said_ns;                     /* when the last notice about waiting was printed; 0: never */
    int64_t patience_ns;                 /* how long one step may wait at most */
    int status;                          /* RUNNING, or the exit status */
};

#define RUNNING (-1)

/* mr_run_step opens topics that have come, asks whether it is over, and takes one round of claims, or waits for one. */
void mr_run_step(struct run *run);

/* mr_run_learn looks for the topic's columns, if they are needed and not known yet, and settles all that depends on them (bind.c).
 *   come  records are at hand: a topic that has no columns now has none
 * Failure ends the run. */
void mr_run_learn(struct run *run, struct source *source, int come);
/* mr_learn does it. Returns 0, or the exit status to end with, after having said why. */
int mr_learn(struct run *run, struct source *source, int come);

/* mr_run_passes asks --where. Returns 1; 0 the record is filtered out; -ENOMEM; -EOVERFLOW it
 * cannot be told, for the reason MR_UNDECIDED: it must not be acknowledged as filtered out. */
int mr_run_passes(const struct run *run, struct source *source, const struct mr_record *record);
#define MR_UNDECIDED "the value is JSON nested deeper than 256 levels"

/* mr_drain_check asks whether all topics are drained (drain.c). Returns RUNNING no; else the exit status, after having named the producers that
 * died and how much of each was accepted.
 * mr_drain_describe writes what a topic, which must be OPEN, is still waited for. Returns buf. */
#define MR_DRAIN_TEXT 256
int mr_drain_check(struct run *run);
const char *mr_drain_describe(char buf[static MR_DRAIN_TEXT], const struct source *source);

/* mr_run_another opens one more consumer handle on a topic that was joined before. Returns 0; -EUSERS all places are taken; another negative errno. */
int mr_run_another(const struct run *run, const struct source *source, struct mr_consumer **out);

/* mr_run_failed says of what (a topic) an error ends the run, and in what; of a signal nothing,
 * since whoever sent it knows. Returns the exit status. */
int mr_run_failed(int error, const char *of, const char *in);

/* mr_run_close closes a handle, which gives back what it holds, and counts what it has seen. */
void mr_run_close(struct run *run, struct source *source, struct mr_consumer *consumer);

#endif
