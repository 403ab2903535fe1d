/* workers.c - schedules the workers (see command.h). One worker at a time leads; the others run
 * commands, or sleep until one is due. */
#include "workers.h"
#include "cli/program.h"
#include "consumer/report.h"
#include "into.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* handles beyond one for each worker: that many claims may wait to be tried again */
#define WAITING_MAX 64u
/* how long the leader may take to notice what the others did */
#define LOOK_NS  INT64_C(100000000)
#define SLEEP_NS INT64_C(1000000000)
#define LONG_NS  (3600 * INT64_C(1000000000))

/* ---- handles ---- */

static struct pool *pool_of(const struct workers *workers, const struct source *source)
{
    return &workers->pool[source - workers->run->source];
}

/* How many handles a topic may have. With -e a handle ends at the end that the topic had when the
 * handle was opened, so a later one would end later; a private group has one member. */
static size_t handles_max(const struct workers *workers)
{
    uint32_t flags = workers->run->take->flags;
    return flags & (MR_UNTIL_END | MR_PRIVATE) ? workers->command->jobs
                                               : workers->command->jobs + WAITING_MAX;
}

/* Opens one more for the pool. Returns 0; -EUSERS no more is allowed; or a negative errno. */
static int open_spare(struct workers *workers, struct source *source)
{
    struct pool *pool = pool_of(workers, source);
    int error = pool->handles < handles_max(workers)
                    ? run_another(workers->run, source, &pool->spare[pool->spare_cnt])
                    : -EUSERS;
    if (error == 0) {
        pool->spare_cnt++;
        pool->handles++;
    }
    return error;
}

/* With the lock held, by the leader: the source claims with another handle from now on, if there is
 * one. */
static int next_handle(struct workers *workers, struct source *source)
{
    struct pool *pool = pool_of(workers, source);
    int error = 0;
    if (pool->handles == 0) { /* its first claim */
        pool->handles = 1;
        while (!error && workers->run->take->flags & MR_UNTIL_END &&
               pool->handles < workers->command->jobs)
            error = open_spare(workers, source);
    }
    if (!error && pool->spare_cnt == 0)
        error = open_spare(workers, source);
    source->consumer = pool->spare_cnt ? pool->spare[--pool->spare_cnt] : NULL;
    source->state = source->consumer ? OPEN : BUSY;
    return error == -EUSERS ? 0 : error;
}

/* ---- jobs; with the lock held ---- */

static void enlist(struct workers *workers, struct job *job)
{
    struct job **at = &workers->waiting;
    while (*at && (*at)->due_ns <= job->due_ns)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    pthread_cond_signal(&workers->changed);
}

static void finish(struct workers *workers, struct job *job)
{
    struct pool *pool = pool_of(workers, job->source);
    if (pool->spare_cnt < workers->command->jobs) {
        pool->spare[pool->spare_cnt++] = job->consumer;
    } else {
        pool->handles--;
        run_close(workers->run, job->source, job->consumer);
    }
    workers->active--;
    free(job);
    pthread_cond_signal(&workers->changed);
}

void workers_take(struct run *run, struct source *source, size_t cnt)
{
    struct workers *workers = run->sink_state;
    uint64_t passing = 0;
    pthread_mutex_lock(&workers->formatting);
    run_bind(run, source, 1);
    pthread_mutex_unlock(&workers->formatting);
    int error = run->status == RUNNING
                    ? workers_count_matching(workers, source, source->consumer, cnt, &passing)
                    : 0;
    if (error < 0)
        run->status = run_failed(error, source->name, "read");
    if (run->status == RUNNING && passing == 0)
        return;
    struct job *job = run->status == RUNNING ? calloc(1, sizeof *job) : NULL;
    if (!job && run->status == RUNNING)
        run->status = run_failed(-ENOMEM, source->name, "take");
    if (!job)
        return;
    *job = (struct job){.source = source,
                        .consumer = source->consumer,
                        .reserved = passing < run->left ? passing : run->left};

    pthread_mutex_lock(&workers->lock);
    if (workers->left != UINT64_MAX)
        run->left = workers->left -= job->reserved;
    if (!workers->first_ns)
        workers->first_ns = program_now();
    workers->active++;
    enlist(workers, job);
    error = next_handle(workers, source);
    pthread_mutex_unlock(&workers->lock);
    if (error < 0)
        run->status = run_failed(error, source->name, "join once more");
}

/* ---- workers ---- */

/* With the lock held. */
static void show_progress(struct workers *workers)
{
    if (!workers->run->take->progress)
        return;
    pthread_mutex_lock(&workers->writing);
    uint64_t written = workers->run->output.written;
    pthread_mutex_unlock(&workers->writing);
    report_progress(workers->run->taken->records, written, program_now());
}

/* With the lock held, which is let go meanwhile: makes a step of the run. Returns 0 if it had no
 * topic to wait for, because all handles are out; else 1. */
static int lead(struct workers *workers)
{
    struct run *run = workers->run;
    int64_t now_ns = program_now();
    int may_wait = 0;
    workers->leading = 1;
    run->left = workers->left;
    /* --timeout does not run while a command runs or waits */
    run->last_ns = workers->active ? now_ns : workers->last_ns;
    for (size_t i = 0; i < run->take->topic_cnt; i++) {
        struct source *source = &run->source[i];
        struct pool *pool = pool_of(workers, source);
        if (source->state == BUSY && pool->spare_cnt > 0) {
            source->consumer = pool->spare[--pool->spare_cnt];
            source->state = OPEN;
        }
        may_wait |= source->state == OPEN || source->state == MISSING;
    }
    run->patience_ns = !may_wait ? 0 : workers->running ? LOOK_NS : INT64_MAX;
    if (workers->waiting && workers->waiting->due_ns - now_ns < run->patience_ns)
        run->patience_ns = workers->waiting->due_ns - now_ns;
    pthread_mutex_unlock(&workers->lock);
    run_step(run);
    pthread_mutex_lock(&workers->lock);
    workers->leading = 0;
    show_progress(workers);
    if (workers->status == RUNNING && run->status != RUNNING) {
        workers->status = run->status;
        pthread_cond_broadcast(&workers->changed);
    }
    return may_wait || workers->status != RUNNING;
}

/* With the lock held: sleeps until something changes, or a waiting job is due, or it is time to
 * look again. */
static void rest(struct workers *workers)
{
    /* A leader signals when there is work, or the run ends. */
    int64_t now_ns = program_now(), wait_ns = workers->leading   ? LONG_NS
                                              : workers->running ? LOOK_NS
                                                                 : SLEEP_NS;
    if (workers->waiting && workers->waiting->due_ns - now_ns < wait_ns)
        wait_ns = workers->waiting->due_ns - now_ns;
    if (wait_ns <= 0)
        return;
    int64_t until_ns = now_ns + wait_ns;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    pthread_cond_timedwait(&workers->changed, &workers->lock, &until);
}

/* With the lock held, which is let go meanwhile: the first of the waiting jobs. */
static void work_on_first(struct worker *worker)
{
    struct workers *workers = worker->workers;
    struct job *job = workers->waiting;
    int done;
    workers->waiting = job->next;
    workers->running++;
    pthread_mutex_unlock(&workers->lock);
    done = job_run(worker, job);
    pthread_mutex_lock(&workers->lock);
    workers->running--;
    if (done)
        finish(workers, job);
    else
        enlist(workers, job);
    show_progress(workers);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct workers *workers = worker->workers;
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        int over = program_stop || workers->status != RUNNING;
        if (workers->waiting &&
            (workers->waiting->due_ns <= program_now() || workers_stopping_locked(workers)))
            work_on_first(worker); /* job_run gives it back if the workers are stopping */
        else if (over && !workers->waiting)
            break;
        else if (over || workers->leading || !lead(workers))
            rest(workers);
    }
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

/* ---- the run ---- */

static int set_up(struct worker *worker, struct workers *workers)
{
    static const char *const facts[] = {"MR_TOPIC", "MR_PARTITION", "MR_OFFSET", "MR_LAST_OFFSET",
                                        "MR_COUNT", "MR_TRY",       "MR_TS",     "MR_KEY"};
    const size_t facts_cnt = sizeof facts / sizeof facts[0];
    size_t cnt = 0;
    while (environ && environ[cnt])
        cnt++;
    worker->workers = workers;
    js_init(&worker->payload, NULL, 0);
    js_init(&worker->facts, NULL, 0);
    child_output_init(&worker->output);
    worker->env = calloc(cnt + facts_cnt + 1, sizeof *worker->env);
    if (!worker->env)
        return -ENOMEM;
    for (size_t i = 0; i < cnt; i++) { /* without the variables of a consumer that runs this one */
        size_t k = 0, len = strcspn(environ[i], "=");
        while (k < facts_cnt && (strlen(facts[k]) != len || memcmp(facts[k], environ[i], len) != 0))
            k++;
        if (k == facts_cnt)
            worker->env[worker->env_own++] = environ[i];
    }
    return 0;
}

static void tear_down(struct worker *worker)
{
    mr_producer_close(worker->producer);
    child_output_free(&worker->output);
    js_free(&worker->payload);
    js_free(&worker->facts);
    free(worker->env);
}

/* Starts the other workers, is one of them, and waits for them. */
static void work_together(struct workers *workers, struct worker *worker)
{
    sigset_t stops;
    uint32_t started = 1;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &stops, NULL); /* these are for the first thread */
    for (; started < workers->command->jobs; started++) {
        int error = pthread_create(&worker[started].thread, NULL, work, &worker[started]);
        if (error) {
            program_error("-j %u: no more than %u: %s", (unsigned)workers->command->jobs,
                          (unsigned)started, strerror(error));
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &workers->mask, NULL);
    work(&worker[0]);
    for (uint32_t i = 1; i < started; i++)
        pthread_join(worker[i].thread, NULL);
}

/* The run's own fields hold only after a step of its leader; sets them for the end. */
static void conclude(struct workers *workers)
{
    struct run *run = workers->run;
    for (size_t i = 0; i < run->take->topic_cnt; i++)
        for (struct pool *pool = &workers->pool[i]; pool->spare_cnt > 0; pool->spare_cnt--)
            run_close(run, &run->source[i], pool->spare[pool->spare_cnt - 1]);
    run->first_ns = workers->first_ns;
    run->last_ns = workers->last_ns;
    run->status = program_stop && (workers->status == RUNNING || workers->status == EXIT_OK)
                      ? 128 + (int)program_stop
                      : workers->status;
}

void workers_run(struct run *run)
{
    const struct command *command = run->sink->config;
    struct workers workers = {.run = run,
                              .command = command,
                              .left = run->left,
                              .last_ns = run->last_ns,
                              .status = RUNNING,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .formatting = PTHREAD_MUTEX_INITIALIZER,
                              .writing = PTHREAD_MUTEX_INITIALIZER};
    struct worker *worker = calloc(command->jobs, sizeof *worker);
    pthread_condattr_t attributes;
    int error = 0;
    workers.pool = calloc(run->take->topic_cnt, sizeof *workers.pool);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&workers.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, NULL, &workers.mask);
    signal(SIGCHLD, SIG_DFL); /* ignored, there would be no exit statuses */
    uint32_t ready = 0;
    if (worker && workers.pool)
        do
            error = set_up(&worker[ready++], &workers);
        while (!error && ready < command->jobs);
    if (!ready || error < 0) {
        program_fail(-ENOMEM, "start");
        workers.status = EXIT_FAILED;
    }
    if (workers.status == RUNNING && command->into) {
        int status = into_open(&workers, &worker[0]);
        workers.status = status ? status : RUNNING;
    }
    run->sink_state = &workers;
    if (workers.status == RUNNING)
        work_together(&workers, worker);
    if (workers.pool)
        conclude(&workers);
    while (ready > 0)
        tear_down(&worker[--ready]);
    mr_topic_close(workers.into);
    pthread_cond_destroy(&workers.changed);
    free(workers.pool);
    free(worker);
    run->sink_state = NULL;
}
