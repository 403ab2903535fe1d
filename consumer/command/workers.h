/* workers.h - the inside of the workers: what workers.c (scheduling), job.c (the commands of one
 * claim) and worker_state.c share. */
#ifndef CONSUMER_COMMAND_WORKERS_H
#define CONSUMER_COMMAND_WORKERS_H

#include "child.h"
#include "command.h"
#include "consumer/run_state.h"

#include <pthread.h>

struct job { /* a claim with its handle, from the moment it was taken until all of it is settled */
    struct source *source;
    struct mr_consumer *consumer;
    uint64_t reserved; /* of its records, those that count for -c already */
    uint64_t singles;  /* that many records are run one by one: a command failed on them together */
    unsigned delays;   /* how often in a row a command said "later" */
    int64_t due_ns;    /* when it is to go on, CLOCK_MONOTONIC */
    struct job *next;
};

struct pool { /* of a source: handles without a claim */
    struct mr_consumer *spare[JOBS_MAX];
    size_t spare_cnt;
    size_t handles; /* open, in all */
};

struct worker {
    struct workers *workers;
    pthread_t thread;
    struct child_output output;
    struct js_writer payload;
    struct js_writer facts;       /* texts of the environment */
    char **env;                   /* ours in front, then the facts */
    size_t env_own;               /* how many are ours */
    struct mr_producer *producer; /* --into */
};

struct workers {
    struct run *run; /* owned by the leader, except for what a lock below protects */
    const struct command *command;
    sigset_t mask;         /* the signal mask of the commands */
    struct mr_topic *into; /* NULL: none */

    pthread_mutex_t lock; /* protects all fields down to the next mutex */
    pthread_cond_t changed;
    int leading;         /* a worker makes a step */
    size_t active;       /* jobs, running and waiting */
    size_t running;      /* of these */
    struct job *waiting; /* by due_ns */
    struct pool *pool;   /* one for each source */
    uint64_t left;       /* records that may still be begun; UINT64_MAX: no limit */
    int64_t first_ns, last_ns;
    int status; /* RUNNING, or what the run ends with */
    /* and the counts in run->taken, but for: */

    pthread_mutex_t formatting; /* run->take->format, the sources' columns, run->taken->age */
    pthread_mutex_t writing;    /* standard output: run->output */
};

/* workers_end ends the run with a status, unless it has ended with one already. */
void workers_end(struct workers *workers, int status);
/* workers_stopping: 1 if no more commands may start, not even to try again: after a signal, a
 * failure, or --max-seconds. */
int workers_stopping(struct workers *workers);
/* The same with the lock held. */
int workers_stopping_locked(const struct workers *workers);

/* workers_count_matching counts how many of the cnt records of the claim match --where, and goes
 * back to the first; if none matches, all are acknowledged. A record that --where cannot decide on
 * ends the count; if it is the first, it counts alone. Returns 0 with *passing; or a negative
 * errno. */
int workers_count_matching(struct workers *workers, struct source *source,
                           struct mr_consumer *consumer, size_t cnt, uint64_t *passing);

/* job_run runs commands on a job's records until all are settled, or it must wait. Returns 1
 * settled, or the rest was given back: the handle holds nothing; 0 it continues at job->due_ns. */
int job_run(struct worker *worker, struct job *job);

#endif
