/* command.h - consumer TOPIC -- COMMAND: a command for each record or batch: what to run, and the
 * workers that run it.
 *
 * Each worker is a thread, and the process's first thread is one of them. A consumer handle goes
 * with its claim from the worker that took it to the worker that runs the command: so each running
 * command has a claim of its own, its own record in hand, and its own acknowledgement. One idle
 * worker at a time leads: it makes the steps of the run (run.c), which claim and wait. A claim that
 * must be tried later waits in the workers' list with its handle and delays no other claim. */
#ifndef CONSUMER_COMMAND_COMMAND_H
#define CONSUMER_COMMAND_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#define JOBS_MAX 64u

enum on_fail { ON_FAIL_RETRY, ON_FAIL_DEAD, ON_FAIL_SKIP, ON_FAIL_STOP };

struct command {
    char *const *argv;
    const char *path; /* of argv[0] */
    const char *into; /* the topic that its output goes to; NULL: standard output */
    int64_t wait_ns;  /* for a broker that makes it */
    uint32_t jobs;    /* workers, in [1, JOBS_MAX] */
    uint32_t batch;   /* records a command gets at most, >= 1 */
    /* before the second try; doubled for each further one, up to 32 times of it; 0: none */
    int64_t backoff_ns;
    enum on_fail on_fail;
};

struct run;
struct source;

/* The sink of a run (run.h) whose config is a struct command. */
void workers_run(struct run *run);
void workers_take(struct run *run, struct source *source, size_t cnt);

#endif
