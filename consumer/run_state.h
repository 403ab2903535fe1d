/* run_state.h - the inside of a run: run.c decides what to claim next and when the run ends. It
 * prints the records, or passes them to a sink, such as the workers that run commands. */
#ifndef CONSUMER_RUN_STATE_H
#define CONSUMER_RUN_STATE_H

#include "output.h"
#include "run.h"

enum source_state {
    MISSING, /* there is no such topic yet */
    OPEN,
    BUSY,  /* all its handles hold claims of commands: none is left to claim with */
    HELD,  /* no_ack: its one claim was printed and is held */
    ENDED, /* read to its end, or deleted */
};

struct source {
    const char *name;
    enum source_state state;
    int at_end; /* drain: sealed and taken, but perhaps not acknowledged by all */
    struct mr_topic *topic;
    struct mr_consumer *consumer; /* that claims next; NULL while MISSING or BUSY */
    struct columns columns;
    struct where_bound *where; /* --where on these columns; NULL: not bound yet */
    int told_strangers;        /* the notice about values that are not JSON objects was printed */
    uint64_t dead_lettered, lost; /* by handles that are closed */
    uint64_t parked; /* records that topic.dead did not take, when the last handle was closed */
};

struct run {
    struct take *take;
    struct taken *taken;
    struct mr_bus *bus;
    struct source *source;
    struct output output;
    const struct sink *sink; /* NULL: records are printed */
    void *sink_state;        /* the sink's own */
    size_t turn;   /* with a sink, which takes one claim a round: the source that is next */
    char *line;    /* MR_COLUMNS_MAX bytes, to fetch header lines */
    uint64_t left; /* records still wanted; UINT64_MAX: no limit */
    uint32_t seen; /* see mr_bus_wait_change */
    int looked;    /* missing topics were looked for at least once */
    /* CLOCK_MONOTONIC: of the run, of the first (0: none yet) and the last record */
    int64_t start_ns, first_ns, last_ns;
    /* when the last notice about waiting was printed; 0: never */
    int64_t said_ns;
    int64_t patience_ns; /* how long one step may wait at most */
    int status;          /* RUNNING, or the exit status */
};

#define RUNNING (-1)

/* run_step opens topics that have come, checks whether the run is over, and takes one round of
 * claims or waits for records. */
void run_step(struct run *run);

/* run_end ends the run with a status, unless it has ended before. run_failed prints "TOPIC: WHAT:
 * error" and returns the exit status; for a signal it prints nothing. run_end_failed does both. */
void run_end(struct run *run, int status);
int run_failed(int error, const char *topic, const char *what);
void run_end_failed(struct run *run, int error, const struct source *source, const char *what);

/* run_count: how many topics are in that state. */
size_t run_count(const struct run *run, enum source_state state);

/* run_open_missing opens and joins the missing topics. The first time all are tried, later only
 * after a topic was created. Failure ends the run (join.c). */
void run_open_missing(struct run *run);

/* run_window: how many records to claim at a time. */
uint32_t run_window(const struct run *run);

/* run_bind finds the topic's columns, if they are needed and not known yet, and binds the names
 * that refer to them (bind.c).
 *   come  records were claimed: a topic without columns is bound as one that has none
 * Failure ends the run. */
void run_bind(struct run *run, struct source *source, int come);
/* run_passes asks --where. Returns 1; 0 the record is filtered out; -ENOMEM; -EOVERFLOW undecided,
 * for the reason UNDECIDED: the record must not be acknowledged as filtered out. */
int run_passes(const struct run *run, struct source *source, const struct mr_record *record);
#define UNDECIDED "the value is JSON nested deeper than 256 levels"

/* drain_check asks whether all topics are drained (drain.c). Returns RUNNING no; else the exit
 * status, after naming the producers that died and how many records each had sent. drain_describe
 * writes what an OPEN topic still lacks. Returns buf. */
#define DRAIN_TEXT 256
int drain_check(struct run *run);
const char *drain_describe(char buf[static DRAIN_TEXT], const struct source *source);

/* run_another opens one more consumer handle on a topic that was joined before. Returns 0; -EUSERS
 * no free slot; another negative errno. */
int run_another(const struct run *run, const struct source *source, struct mr_consumer **out);

/* run_close closes a handle, which gives back what it holds, and counts what it has seen. */
void run_close(struct run *run, struct source *source, struct mr_consumer *consumer);

#endif
