/* job.c - what a worker does with a claim: it builds a command's input and environment, runs the
 * command, and settles the records by its exit status. */
#include "cli/program.h"
#include "into.h"
#include "workers.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* bytes: of a key that goes into the environment; Linux refuses more than 128 KiB */
#define KEY_MAX   65536u
#define LATER_NS  INT64_C(1000000000) /* the first delay of "later" without --backoff */
#define DOUBLINGS 5                   /* delays grow to 32 times the first one */

/* EX_DATAERR, EX_TEMPFAIL; as xargs has it */
enum child_status { DEAD_NOW = 65, TRY_LATER = 75, STOP_ALL = 255 };

enum next { GO_ON, WAIT, STOP };

struct batch { /* records that one command gets */
    uint64_t cnt;
    uint64_t filtered; /* filtered out, before or among them; acknowledged with them */
    struct mr_record first;
    uint64_t last_offset;
    int undecided; /* --where cannot decide on this record */
};

/* The run ends with an error of the library. */
static enum next fatal(struct worker *worker, const struct job *job, int error, const char *what)
{
    workers_end(worker->workers, run_failed(error, job->source->name, what));
    return STOP;
}

/* ---- before ---- */

/* How many of n records may be begun, as far as -c allows. */
static uint64_t reserve(struct workers *workers, struct job *job, uint64_t n)
{
    if (job->reserved < n) {
        pthread_mutex_lock(&workers->lock);
        uint64_t more = n - job->reserved < workers->left ? n - job->reserved : workers->left;
        job->reserved += more;
        if (workers->left != UINT64_MAX)
            workers->left -= more;
        pthread_mutex_unlock(&workers->lock);
    }
    return n < job->reserved ? n : job->reserved;
}

/* Takes n records in hand and formats them, as the consumer would print them to an empty file. */
static int format_records(struct worker *worker, struct job *job, uint64_t n, struct batch *batch)
{
    struct workers *workers = worker->workers;
    struct run *run = workers->run;
    struct format *format = &run->take->format;
    struct mr_record record;
    struct timespec now;
    int got = 1;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    *batch = (struct batch){0};
    worker->payload.len = 0;

    pthread_mutex_lock(&workers->formatting);
    format->header_done = format->owes_line_end = 0;
    format_header(format, &job->source->columns, &worker->payload);
    while (batch->cnt < n && (got = mr_consumer_next(job->consumer, &record)) > 0) {
        int passes = run_passes(run, job->source, &record);
        if (passes == -EOVERFLOW) { /* workers_count_matching makes sure that it comes alone */
            batch->undecided = 1;
            batch->first = record;
            batch->cnt = 1;
            break;
        }
        if (passes <= 0) {
            worker->payload.failed |= passes < 0;
            batch->filtered++;
            continue;
        }
        format_record(format, &job->source->columns, job->source->name, &record, now_ns,
                      &worker->payload);
        if (record.try_number == 1)
            histogram_add(&run->taken->age, now_ns > record.ts_ns ? now_ns - record.ts_ns : 0);
        if (batch->cnt++ == 0)
            batch->first = record;
        batch->last_offset = record.offset;
    }
    pthread_mutex_unlock(&workers->formatting);

    if (got < 0)
        return got;
    if (worker->payload.failed)
        return -ENOMEM;
    return mr_topic_intact(job->source->topic); /* else the payload may be zeros */
}

static void add_fact(struct worker *worker, size_t *at, const char *name, const void *value,
                     size_t len)
{
    char *text = worker->facts.text + worker->facts.len;
    worker->env[(*at)++] = text;
    js_add(&worker->facts, name, strlen(name));
    js_add(&worker->facts, "=", 1);
    js_add(&worker->facts, value, len);
    js_add(&worker->facts, "", 1);
}

static void add_number(struct worker *worker, size_t *at, const char *name, uint64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRIu64, number);
    add_fact(worker, at, name, text, len > 0 ? (size_t)len : 0);
}

static int fits_environment(const struct mr_record *record)
{
    return record->key && record->key_len <= KEY_MAX && !memchr(record->key, '\0', record->key_len);
}

/* Appends variables about the records to our environment; the key comes last. */
static int set_facts(struct worker *worker, const struct job *job, const struct batch *batch,
                     int with_key)
{
    const struct mr_record *first = &batch->first;
    size_t at = worker->env_own;
    worker->facts.len = 0;
    /* Room for all, so that the texts do not move. */
    if (!js_room(&worker->facts, 1024 + (with_key ? first->key_len : 0)))
        return -ENOMEM;
    add_fact(worker, &at, "MR_TOPIC", job->source->name, strlen(job->source->name));
    add_number(worker, &at, "MR_PARTITION", first->partition);
    add_number(worker, &at, "MR_OFFSET", first->offset);
    add_number(worker, &at, "MR_LAST_OFFSET", batch->last_offset);
    add_number(worker, &at, "MR_COUNT", batch->cnt);
    add_number(worker, &at, "MR_TRY", first->try_number);
    add_number(worker, &at, "MR_TS", first->ts_ns);
    if (with_key)
        add_fact(worker, &at, "MR_KEY", first->key, first->key_len);
    worker->env[at] = NULL;
    return 0;
}

/* ---- after ---- */

static void count(struct workers *workers, uint64_t *counter, uint64_t n)
{
    pthread_mutex_lock(&workers->lock);
    *counter += n;
    pthread_mutex_unlock(&workers->lock);
}

/* n records will not come again. */
static void settled(struct workers *workers, struct job *job, uint64_t n)
{
    job->reserved -= n < job->reserved ? n : job->reserved;
    job->singles -= n < job->singles ? n : job->singles;
    job->delays = 0;
    pthread_mutex_lock(&workers->lock);
    workers->last_ns = program_now();
    pthread_mutex_unlock(&workers->lock);
}

/* The records come again after first_ns, doubled that often. */
static enum next delay(struct job *job, int64_t first_ns, unsigned doublings)
{
    if (first_ns <= 0)
        return GO_ON;
    job->due_ns = program_now() + (first_ns << (doublings < DOUBLINGS ? doublings : DOUBLINGS));
    return WAIT;
}

/* Gives the record back without counting a try, and ends the run. */
static enum next stop_all(struct worker *worker, const struct job *job, const struct batch *batch,
                          const char *reason, int status)
{
    const char *who = batch->undecided ? "--where" : worker->workers->command->argv[0];
    program_error("%s: partition %" PRIu32 " offset %" PRIu64
                  ": %s: %s; stopped, the record is given back",
                  job->source->name, batch->first.partition, batch->first.offset, who, reason);
    workers_end(worker->workers, status);
    return STOP;
}

/* The exit status of env(1) when execve fails. Lack of memory, descriptors or processes is not the
 * command's fault. */
static int exit_of_exec(int error)
{
    switch (-error) {
    case ENOENT:
        return EXIT_NOT_FOUND;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
        return EXIT_FAILED;
    default: /* EACCES, ENOEXEC, ETXTBSY, E2BIG, ... */
        return EXIT_NOT_RUN;
    }
}

/* A failure of the consumer itself: it blames no record, whatever --on-fail says. */
static enum next unable(struct worker *worker, const struct job *job, const struct batch *batch)
{
    const struct child_output *output = &worker->output;
    const char *cause = strerror(-output->error);
    char reason[1024];
    int status = EXIT_FAILED;
    switch (output->task) {
    case CHILD_EXECUTE:
        status = exit_of_exec(output->error);
        snprintf(reason, sizeof reason, "%s", cause);
        break;
    case CHILD_READ:
        status = EXIT_NOT_RUN;
        snprintf(reason, sizeof reason, "cannot be read by its interpreter: %s", cause);
        break;
    case CHILD_KEEP:
        snprintf(reason, sizeof reason, "cannot keep its output (TMPDIR=%s): %s", child_folder(),
                 cause);
        break;
    default:
        snprintf(reason, sizeof reason, "cannot %s: %s",
                 output->task == CHILD_FEED     ? "write its input"
                 : output->task == CHILD_LISTEN ? "read its output"
                                                : "start it",
                 cause);
        break;
    }
    return stop_all(worker, job, batch, reason, status);
}

/* Counts a try of the record in hand; makes it a dead letter if now, or after its last try. */
static enum next bury(struct worker *worker, struct job *job, const struct batch *batch,
                      const char *reason, int now)
{
    struct workers *workers = worker->workers;
    int dead =
        now ? mr_consumer_fail_now(job->consumer, reason) : mr_consumer_fail(job->consumer, reason);
    if (dead < 0)
        return fatal(worker, job, dead, "give up a record");
    /* the filtered records before it are acknowledged in any case */
    count(workers, &workers->run->taken->filtered, batch->filtered);
    if (now || dead) {
        settled(workers, job, 1);
        return GO_ON;
    }
    count(workers, &workers->run->taken->retried, 1);
    return delay(job, workers->command->backoff_ns, batch->first.try_number - 1);
}

static enum next failed(struct worker *worker, struct job *job, const struct batch *batch,
                        const char *reason, int now)
{
    struct workers *workers = worker->workers;
    struct taken *taken = workers->run->taken;
    enum on_fail on_fail = now ? ON_FAIL_DEAD : workers->command->on_fail;
    count(workers, &taken->failed, 1);
    if (program_verbose)
        program_notice("%s: partition %" PRIu32 " offset %" PRIu64 ", %" PRIu64
                       " record(s), try %" PRIu32 ": %s",
                       job->source->name, batch->first.partition, batch->first.offset, batch->cnt,
                       batch->first.try_number, reason);
    if (on_fail == ON_FAIL_STOP)
        return stop_all(worker, job, batch, reason, EXIT_FAILED);
    if (batch->cnt > 1) { /* one of them is to blame: run each alone to find it */
        job->singles = batch->cnt;
        int error = mr_consumer_rewind(job->consumer);
        return error < 0 ? fatal(worker, job, error, "read again") : GO_ON;
    }
    if (on_fail == ON_FAIL_SKIP) {
        int error = mr_consumer_ack(job->consumer);
        if (error < 0)
            return fatal(worker, job, error, "acknowledge");
        count(workers, &taken->skipped, 1);
        count(workers, &taken->filtered, batch->filtered);
        settled(workers, job, 1);
        return GO_ON;
    }
    return bury(worker, job, batch, reason, on_fail == ON_FAIL_DEAD);
}

static enum next later(struct worker *worker, struct job *job)
{
    struct workers *workers = worker->workers;
    int error = mr_consumer_rewind(job->consumer);
    if (error < 0)
        return fatal(worker, job, error, "read again");
    count(workers, &workers->run->taken->delayed, 1);
    return delay(job, workers->command->backoff_ns > 0 ? workers->command->backoff_ns : LATER_NS,
                 job->delays++);
}

/* Writes the output, then acknowledges the records; with --into that is one step. */
static enum next succeeded(struct worker *worker, struct job *job, const struct batch *batch)
{
    struct workers *workers = worker->workers;
    const struct child_output *output = &worker->output;
    char reason[MR_TOPIC_NAME_MAX + 128];
    int error;
    if (workers->into) {
        error = into_append(worker, job->consumer,
                            batch->cnt == 1 && workers->command->batch == 1 ? &batch->first : NULL,
                            reason, sizeof reason);
        if (error == -EMSGSIZE)
            return failed(worker, job, batch, reason, 0);
        if (error < 0 && error != -EINTR)
            program_error("%s: %s", job->source->name, reason);
        if (error < 0) {
            workers_end(workers, program_exit_for(error));
            return STOP;
        }
    } else {
        pthread_mutex_lock(&workers->writing);
        error = output_write(&workers->run->output, output->text, output->len);
        pthread_mutex_unlock(&workers->writing);
        if (error < 0) {
            /* EPIPE ends it as if killed by SIGPIPE, without a message */
            if (error != -EPIPE)
                program_error("cannot write the output: %s", strerror(-error));
            workers_end(workers, error == -EPIPE ? EXIT_SIGPIPE : EXIT_FAILED);
            return STOP;
        }
        error = mr_consumer_ack(job->consumer);
        if (error < 0)
            return fatal(worker, job, error,
                         "acknowledge (what was printed last may be delivered again)");
    }
    count(workers, &workers->run->taken->records, batch->cnt);
    count(workers, &workers->run->taken->filtered, batch->filtered);
    settled(workers, job, batch->cnt);
    return GO_ON;
}

/* 1 if the signal that ends us ended the command, too. Both may have got it at the same time, so
 * waits a moment for ours. On a loaded machine the first thread, which handles signals, may not run
 * for longer than that, so this thread takes it. */
static int interrupted(int status)
{
    int signal = WIFSIGNALED(status)         ? WTERMSIG(status)
                 : WEXITSTATUS(status) > 128 ? WEXITSTATUS(status) - 128
                                             : 0;
    if (signal != SIGINT && signal != SIGTERM && signal != SIGHUP)
        return 0;
    sigset_t ours, before;
    sigemptyset(&ours);
    sigaddset(&ours, signal);
    pthread_sigmask(SIG_UNBLOCK, &ours, &before);
    if (!program_stop)
        program_sleep(50000000);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return program_stop == signal;
}

static enum next judge(struct worker *worker, struct job *job, const struct batch *batch,
                       int status)
{
    char reason[160];
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (interrupted(status))
        return STOP;
    if (WIFSIGNALED(status))
        snprintf(reason, sizeof reason, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(reason, sizeof reason, "exit status %d", code);
    switch (code) {
    case 0:
        break;
    case DEAD_NOW:
        return failed(worker, job, batch, reason, 1);
    case TRY_LATER:
        return later(worker, job);
    case STOP_ALL:
        return stop_all(worker, job, batch, reason, EXIT_FAILED);
    case EXIT_NOT_RUN:
    case EXIT_NOT_FOUND:
        return stop_all(worker, job, batch, reason, code);
    default:
        return failed(worker, job, batch, reason, 0);
    }
    return succeeded(worker, job, batch);
}

/* ---- the claim ---- */

static enum next run_command(struct worker *worker, struct job *job, const struct batch *batch)
{
    struct workers *workers = worker->workers;
    const struct child child = {.path = workers->command->path,
                                .argv = workers->command->argv,
                                .env = worker->env,
                                .in = worker->payload.text,
                                .in_len = worker->payload.len,
                                .mask = &workers->mask};
    int status = 0, with_key = batch->cnt == 1 && fits_environment(&batch->first), error = 0;
    do { /* again without the key, if it makes the environment too long */
        if (set_facts(worker, job, batch, with_key) < 0)
            return fatal(worker, job, -ENOMEM, "read");
        error = child_run(&child, &worker->output, &status);
    } while (error == -E2BIG && with_key-- > 0);
    if (error < 0)
        return interrupted(status) ? STOP : unable(worker, job, batch);
    count(workers, &workers->run->taken->commands, 1);
    return judge(worker, job, batch, status);
}

static enum next next_batch(struct worker *worker, struct job *job)
{
    struct workers *workers = worker->workers;
    struct batch batch;
    ssize_t cnt = mr_consumer_claim(job->consumer, 0, 0);
    if (cnt == -ETIMEDOUT || cnt == -ENODATA || cnt == -EIDRM || cnt == -EINTR)
        return STOP; /* the claim is used up, or the leader will find the same */
    if (cnt < 0)
        return fatal(worker, job, (int)cnt, "take");
    uint64_t passing, n = job->singles ? 1 : workers->command->batch;
    int error = workers_count_matching(workers, job->source, job->consumer, (size_t)cnt, &passing);
    if (error < 0)
        return fatal(worker, job, error, "read");
    if (passing == 0)
        return GO_ON;
    n = reserve(workers, job, n < passing ? n : passing);
    if (n == 0)
        return STOP; /* -c: enough is begun */
    error = format_records(worker, job, n, &batch);
    if (error < 0)
        return fatal(worker, job, error, "read");
    if (batch.undecided) /* trying again would not help, nor running a command */
        return failed(worker, job, &batch, UNDECIDED, workers->command->on_fail == ON_FAIL_RETRY);
    return run_command(worker, job, &batch);
}

int job_run(struct worker *worker, struct job *job)
{
    enum next next = GO_ON;
    while (next == GO_ON && mr_consumer_holds(job->consumer))
        next = workers_stopping(worker->workers) ? STOP : next_batch(worker, job);
    if (next == STOP)
        mr_consumer_give_back(job->consumer);
    return next != WAIT;
}
