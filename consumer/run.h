/* run.h - the loop of the consumer: claim, format, write, acknowledge. */
#ifndef CONSUMER_RUN_H
#define CONSUMER_RUN_H

#include "format/format.h"
#include "histogram.h"
#include "millrace.h"
#include "position.h"
#include "where/where.h"

#define TOPICS_MAX 64u /* as many as mr_consumer_wait_any can wait on */

struct take {
    const char *const *topic;
    size_t topic_cnt;  /* in [1, TOPICS_MAX] */
    const char *group; /* NULL: default */
    uint32_t flags;    /* enum mr_consumer_flags */
    struct position position;
    struct format format;
    /* which records; NULL: all. The others are acknowledged and count only in taken->filtered */
    struct where *where;
    const char *where_text;
    uint32_t window;    /* records held at most, >= 1 */
    uint64_t cnt;       /* records to take in all; 0: no limit */
    int64_t timeout_ns; /* without a record; < 0: for ever */
    int64_t max_ns;     /* in all; < 0: for ever */
    /* between writing and acknowledging each record; 0: none, and acknowledge many at once */
    int64_t delay_ns;
    /* end when all producers are done and the group has acknowledged everything */
    int drain;
    int no_ack;     /* hold what was taken, give it back at the end */
    int progress;   /* show a line of progress */
    int fd;         /* where the records go */
    uint32_t tries; /* before a record goes to the dead letters; 0: as many as the topic says */
};

struct taken {
    uint64_t records;  /* written, and acknowledged unless no_ack */
    uint64_t filtered; /* not passed by --where, and acknowledged unless no_ack */
    uint64_t bytes;    /* written, line ends and header included */
    int64_t busy_ns;   /* from the first record to the last acknowledgement */
    uint64_t redelivered, dead_lettered, lost;
    uint64_t starved_ns;  /* waiting for records */
    uint64_t commands;    /* run to their end; of these: */
    uint64_t failed;      /* not 0, nor "later" */
    uint64_t retried;     /* failed, and the record is tried again */
    uint64_t delayed;     /* "later" */
    uint64_t skipped;     /* failed, and the record was acknowledged all the same */
    struct histogram age; /* of records when they were taken, ns */
};

struct run;
struct source;

/* What takes the records in place of printing them. */
struct sink {
    /* does the whole run, by run_step (run_state.h); run->status is then the exit status */
    void (*run)(struct run *run);
    /* is called after a claim of cnt records by source->consumer, which passes to the sink.
     * Afterwards the source has another handle, or is BUSY. */
    void (*take)(struct run *run, struct source *source, size_t cnt);
    const void *config; /* of the sink */
};

/* take_run takes records until the run ends, with errors on standard error. program_stop ends it at
 * once: the buffer is written and acknowledged, the rest given back. A record is acknowledged only
 * after it was written. Changes the state of take->format.
 *   sink  what takes the records; NULL: they are printed
 * Returns the exit status (enum exit_status, or 128 + signal); *taken is always set. */
int take_run(struct mr_bus *bus, struct take *take, const struct sink *sink, struct taken *taken);

#endif
