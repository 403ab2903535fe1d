/* workers.c - who does what, when: see command.h. One worker at a time leads, the others run
 * commands or sleep until one is due. */
#include "workers.h"
#include "cli/program.h"
#include "consumer/report.h"
#include "into.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* handles beyond one for each worker: so many claims may wait to be tried again */
#define WAITING_MAX 64u
/* how long the leader may not notice what the others have done */
#define LOOK_NS  INT64_C(100000000)
#define SLEEP_NS INT64_C(1000000000)
#define LONG_NS  (3600 * INT64_C(1000000000))

void workers_end(struct workers *crew, int status)
{
    pthread_mutex_lock(&crew->lock);
    /* what was begun before the end may still fail */
    if (crew->status == RUNNING || crew->status == EXIT_OK)
        crew->status = status;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
}

/* With the lock held. What ended the run well (-e, -c, --drain) leaves the time to try again what
 * has failed. */
static int hurries(const struct workers *crew)
{
    const struct run *run = crew->run;
    int over = run->take->max_ns >= 0 && program_now() - run->start_ns >= run->take->max_ns;
    return program_stop || over || (crew->status != RUNNING && crew->status != EXIT_OK);
}

int workers_stopping(struct workers *crew)
{
    pthread_mutex_lock(&crew->lock);
    int answer = hurries(crew);
    pthread_mutex_unlock(&crew->lock);
    return answer;
}

/* ---- handles ---- */

static struct pool *pool_of(const struct workers *crew, const struct source *source)
{
    return &crew->pool[source - crew->run->source];
}

/* How many handles a topic may have. One that ends at the end as it was has that from its opening,
 * so a later one would end later; and a private group has one member. */
static size_t handles_max(const struct workers *crew)
{
    uint32_t flags = crew->run->take->flags;
    return flags & (MR_UNTIL_END | MR_PRIVATE) ? crew->command->jobs
                                               : crew->command->jobs + WAITING_MAX;
}

/* Opens one more for the pool. Returns 0; -EUSERS no more is allowed; or a negative errno. */
static int open_spare(struct workers *crew, struct source *source)
{
    struct pool *pool = pool_of(crew, source);
    int error = pool->handles < handles_max(crew)
                    ? run_another(crew->run, source, &pool->spare[pool->spare_cnt])
                    : -EUSERS;
    if (error == 0) {
        pool->spare_cnt++;
        pool->handles++;
    }
    return error;
}

/* With the lock held, by the leader: the source claims with another handle from now on, if there is
 * one. */
static int next_handle(struct workers *crew, struct source *source)
{
    struct pool *pool = pool_of(crew, source);
    int error = 0;
    if (pool->handles == 0) { /* its first claim */
        pool->handles = 1;
        while (!error && crew->run->take->flags & MR_UNTIL_END &&
               pool->handles < crew->command->jobs)
            error = open_spare(crew, source);
    }
    if (!error && pool->spare_cnt == 0)
        error = open_spare(crew, source);
    source->consumer = pool->spare_cnt ? pool->spare[--pool->spare_cnt] : NULL;
    source->state = source->consumer ? OPEN : BUSY;
    return error == -EUSERS ? 0 : error;
}

/* ---- jobs; with the lock held ---- */

static void enlist(struct workers *crew, struct job *job)
{
    struct job **at = &crew->waiting;
    while (*at && (*at)->due_ns <= job->due_ns)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    pthread_cond_signal(&crew->changed);
}

static void finish(struct workers *crew, struct job *job)
{
    struct pool *pool = pool_of(crew, job->source);
    if (pool->spare_cnt < crew->command->jobs) {
        pool->spare[pool->spare_cnt++] = job->consumer;
    } else {
        pool->handles--;
        run_close(crew->run, job->source, job->consumer);
    }
    crew->active--;
    free(job);
    pthread_cond_signal(&crew->changed);
}

int workers_count_matching(struct workers *crew, struct source *source,
                           struct mr_consumer *consumer, size_t cnt, uint64_t *passing)
{
    struct run *run = crew->run;
    struct mr_record record;
    uint64_t found = 0;
    int error = 0, got = 0;
    *passing = cnt;
    if (!run->take->where)
        return 0;
    pthread_mutex_lock(&crew->formatting);
    while (!error && (got = mr_consumer_next(consumer, &record)) > 0) {
        int passes = run_passes(run, source, &record);
        if (passes == -EOVERFLOW) {
            found += found == 0;
            break;
        }
        error = passes < 0 ? passes : 0;
        found += passes > 0;
    }
    pthread_mutex_unlock(&crew->formatting);
    if (!error && got < 0)
        error = got;
    if (!error)
        error = found > 0 ? mr_consumer_rewind(consumer) : mr_consumer_ack(consumer);
    if (error)
        return error;
    *passing = found;
    if (found == 0) {
        pthread_mutex_lock(&crew->lock);
        run->taken->filtered += cnt;
        pthread_mutex_unlock(&crew->lock);
    }
    return 0;
}

void workers_take(struct workers *crew, struct source *source, size_t cnt)
{
    struct run *run = crew->run;
    uint64_t passing = 0;
    pthread_mutex_lock(&crew->formatting);
    run_bind(run, source, 1);
    pthread_mutex_unlock(&crew->formatting);
    int error = run->status == RUNNING
                    ? workers_count_matching(crew, source, source->consumer, cnt, &passing)
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

    pthread_mutex_lock(&crew->lock);
    if (crew->left != UINT64_MAX)
        run->left = crew->left -= job->reserved;
    if (!crew->first_ns)
        crew->first_ns = program_now();
    crew->active++;
    enlist(crew, job);
    error = next_handle(crew, source);
    pthread_mutex_unlock(&crew->lock);
    if (error < 0)
        run->status = run_failed(error, source->name, "join once more");
}

/* ---- workers ---- */

/* With the lock held. */
static void show_progress(struct workers *crew)
{
    if (!crew->run->take->progress)
        return;
    pthread_mutex_lock(&crew->writing);
    uint64_t written = crew->run->output.written;
    pthread_mutex_unlock(&crew->writing);
    report_progress(crew->run->taken->records, written, program_now());
}

/* With the lock held, which is let go meanwhile: makes a step of the run. Returns 0 if it had no
 * topic to wait for, because all handles are out; else 1. */
static int lead(struct workers *crew)
{
    struct run *run = crew->run;
    int64_t now_ns = program_now();
    int may_wait = 0;
    crew->leading = 1;
    run->left = crew->left;
    /* while something is worked on, --timeout does not run */
    run->last_ns = crew->active ? now_ns : crew->last_ns;
    for (size_t i = 0; i < run->take->topic_cnt; i++) {
        struct source *source = &run->source[i];
        struct pool *pool = pool_of(crew, source);
        if (source->state == BUSY && pool->spare_cnt > 0) {
            source->consumer = pool->spare[--pool->spare_cnt];
            source->state = OPEN;
        }
        may_wait |= source->state == OPEN || source->state == MISSING;
    }
    run->patience_ns = !may_wait ? 0 : crew->running ? LOOK_NS : INT64_MAX;
    if (crew->waiting && crew->waiting->due_ns - now_ns < run->patience_ns)
        run->patience_ns = crew->waiting->due_ns - now_ns;
    pthread_mutex_unlock(&crew->lock);
    run_step(run);
    pthread_mutex_lock(&crew->lock);
    crew->leading = 0;
    show_progress(crew);
    if (crew->status == RUNNING && run->status != RUNNING) {
        crew->status = run->status;
        pthread_cond_broadcast(&crew->changed);
    }
    return may_wait || crew->status != RUNNING;
}

/* With the lock held: sleeps until something changes, or a waiting job is due, or there is
 * something to look after. */
static void rest(struct workers *crew)
{
    /* A leader tells when there is something to do, or the end has come. */
    int64_t now_ns = program_now(), wait_ns = crew->leading   ? LONG_NS
                                              : crew->running ? LOOK_NS
                                                              : SLEEP_NS;
    if (crew->waiting && crew->waiting->due_ns - now_ns < wait_ns)
        wait_ns = crew->waiting->due_ns - now_ns;
    if (wait_ns <= 0)
        return;
    int64_t until_ns = now_ns + wait_ns;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    pthread_cond_timedwait(&crew->changed, &crew->lock, &until);
}

/* With the lock held, which is let go meanwhile: the first of the waiting jobs. */
static void work_on_first(struct worker *worker)
{
    struct workers *crew = worker->crew;
    struct job *job = crew->waiting;
    int done;
    crew->waiting = job->next;
    crew->running++;
    pthread_mutex_unlock(&crew->lock);
    done = job_run(worker, job);
    pthread_mutex_lock(&crew->lock);
    crew->running--;
    if (done)
        finish(crew, job);
    else
        enlist(crew, job);
    show_progress(crew);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct workers *crew = worker->crew;
    pthread_mutex_lock(&crew->lock);
    for (;;) {
        int over = program_stop || crew->status != RUNNING;
        if (crew->waiting && (crew->waiting->due_ns <= program_now() || hurries(crew)))
            work_on_first(worker); /* in a hurry that is giving it back */
        else if (over && !crew->waiting)
            break;
        else if (over || crew->leading || !lead(crew))
            rest(crew);
    }
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* ---- the run ---- */

static int set_up(struct worker *worker, struct workers *crew)
{
    static const char *const facts[] = {"MR_TOPIC", "MR_PARTITION", "MR_OFFSET", "MR_LAST_OFFSET",
                                        "MR_COUNT", "MR_TRY",       "MR_TS",     "MR_KEY"};
    const size_t facts_cnt = sizeof facts / sizeof facts[0];
    size_t cnt = 0;
    while (environ && environ[cnt])
        cnt++;
    worker->crew = crew;
    js_init(&worker->payload, NULL, 0);
    js_init(&worker->facts, NULL, 0);
    child_output_init(&worker->output);
    worker->env = calloc(cnt + facts_cnt + 1, sizeof *worker->env);
    if (!worker->env)
        return -ENOMEM;
    for (size_t i = 0; i < cnt; i++) { /* without those of a consumer that runs this one */
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
static void work_together(struct workers *crew, struct worker *workers)
{
    sigset_t stops;
    uint32_t started = 1;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &stops, NULL); /* these are for the first thread */
    for (; started < crew->command->jobs; started++) {
        int error = pthread_create(&workers[started].thread, NULL, work, &workers[started]);
        if (error) {
            program_error("-j %u: no more than %u: %s", (unsigned)crew->command->jobs,
                          (unsigned)started, strerror(error));
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &crew->mask, NULL);
    work(&workers[0]);
    for (uint32_t i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
}

/* What is in the run is only true after a step by its leader; after the last one it is this. */
static void conclude(struct workers *crew)
{
    struct run *run = crew->run;
    for (size_t i = 0; i < run->take->topic_cnt; i++)
        for (struct pool *pool = &crew->pool[i]; pool->spare_cnt > 0; pool->spare_cnt--)
            run_close(run, &run->source[i], pool->spare[pool->spare_cnt - 1]);
    run->first_ns = crew->first_ns;
    run->last_ns = crew->last_ns;
    run->status = program_stop && (crew->status == RUNNING || crew->status == EXIT_OK)
                      ? 128 + (int)program_stop
                      : crew->status;
}

void workers_run(struct run *run)
{
    const struct command *command = run->take->command;
    struct workers crew = {.run = run,
                           .command = command,
                           .left = run->left,
                           .last_ns = run->last_ns,
                           .status = RUNNING,
                           .lock = PTHREAD_MUTEX_INITIALIZER,
                           .formatting = PTHREAD_MUTEX_INITIALIZER,
                           .writing = PTHREAD_MUTEX_INITIALIZER};
    struct worker *workers = calloc(command->jobs, sizeof *workers);
    pthread_condattr_t attributes;
    int error = 0;
    crew.pool = calloc(run->take->topic_cnt, sizeof *crew.pool);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&crew.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, NULL, &crew.mask);
    signal(SIGCHLD, SIG_DFL); /* ignored, there would be no exit statuses */
    uint32_t ready = 0;
    if (workers && crew.pool)
        do
            error = set_up(&workers[ready++], &crew);
        while (!error && ready < command->jobs);
    if (!ready || error < 0) {
        program_fail(-ENOMEM, "start");
        crew.status = EXIT_FAILED;
    }
    if (crew.status == RUNNING && command->into) {
        int status = into_open(&crew, &workers[0]);
        crew.status = status ? status : RUNNING;
    }
    run->crew = &crew;
    if (crew.status == RUNNING)
        work_together(&crew, workers);
    if (crew.pool)
        conclude(&crew);
    while (ready > 0)
        tear_down(&workers[--ready]);
    mr_topic_close(crew.into);
    pthread_cond_destroy(&crew.changed);
    free(crew.pool);
    free(workers);
    run->crew = NULL;
}
