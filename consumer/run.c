#include "run.h"
#include "cli/program.h"
#include "report.h"
#include "run_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t second_ns = 1000000000;

/* ---- records ---- */

/* Writes the buffer, which ends with `records` records of source, and acknowledges them and the
 * `filtered` ones among them. */
static void flush(struct run *run, struct source *source, uint64_t records, uint64_t filtered)
{
    int given = records + filtered > 0, error = given ? mr_topic_intact(source->topic) : 0;
    if (error < 0) { /* the buffer may hold zeros */
        run_end_failed(run, error, source, "read");
        return;
    }
    error = output_flush(&run->output);
    if (error == -EPIPE) { /* ends as if killed by SIGPIPE, without a message */
        run_end(run, EXIT_SIGPIPE);
        return;
    }
    if (error < 0) {
        program_error("cannot write the output: %s", strerror(-error));
        run_end(run, EXIT_FAILED);
        return;
    }
    if (!given)
        return;
    if (run->take->delay_ns > 0 && records > 0)
        /* a signal may end it early; the record is written */
        program_sleep(run->take->delay_ns);
    if (!run->take->no_ack && (error = mr_consumer_ack(source->consumer)) < 0) {
        run_end_failed(run, error, source,
                       "acknowledge (what was printed last may be delivered again)");
        return;
    }
    run->taken->records += records;
    run->taken->filtered += filtered;
    if (run->left != UINT64_MAX)
        run->left -= records;
}

/* --where cannot decide on this record, which is not acknowledged; the records before it are. */
__attribute__((cold, noinline)) static void end_undecided(struct run *run, struct source *source,
                                                          const struct mr_record *undecided,
                                                          uint64_t records, uint64_t filtered)
{
    const uint32_t partition = undecided->partition;
    const uint64_t offset = undecided->offset;
    struct mr_record record;
    int error = 0;
    if (!run->take->no_ack && !(run->take->flags & MR_PEEK)) {
        /* Reads again up to the last record to be acknowledged. */
        error = mr_consumer_rewind(source->consumer);
        for (uint64_t i = 0; i < records + filtered && error >= 0; i++)
            error = mr_consumer_next(source->consumer, &record);
    }
    if (error < 0)
        run_end_failed(run, error, source, "read again");
    else if (records + filtered > 0 || run->output.text.len > 0)
        flush(run, source, records, filtered);
    if (run->status != RUNNING)
        return;
    program_error(
        "%s: partition %" PRIu32 " offset %" PRIu64 ": --where: " UNDECIDED
        "; the record is not acknowledged; to make it a dead letter: --on-fail dead -- cat",
        source->name, partition, offset);
    run_end(run, EXIT_FAILED);
}

/* Prints the records of a claim. It does as much as possible once a claim, not once a record. */
static void take_claim(struct run *run, struct source *source)
{
    struct take *take = run->take;
    struct js_writer *text = &run->output.text;
    const size_t flush_at = take->delay_ns > 0 ? 0 : OUTPUT_FLUSH_AT; /* 0: after each record */
    struct mr_record record;
    uint64_t records = 0, filtered = 0;
    int got, passes, any = 0;

    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * (uint64_t)second_ns + (uint64_t)now.tv_nsec;
    int64_t begin_ns = program_now();

    run_bind(run, source, 1);
    if (run->status != RUNNING)
        return;
    format_header(&take->format, &source->columns, text);
    /* A wait for several topics may claim more than -c still allows. */
    while ((got = records < run->left ? mr_consumer_next(source->consumer, &record) : 0) > 0) {
        passes = run_passes(run, source, &record);
        if (passes <= 0) {
            if (passes == -EOVERFLOW) {
                end_undecided(run, source, &record, records, filtered);
                records = filtered = 0;
                break;
            }
            text->failed |= passes < 0; /* flush reports it */
            filtered++;
            continue;
        }
        any = 1;
        histogram_add(&run->taken->age, now_ns > record.ts_ns ? now_ns - record.ts_ns : 0);
        format_record(&take->format, &source->columns, source->name, &record, now_ns, text);
        records++;
        if (text->len < flush_at)
            continue;
        flush(run, source, records, filtered);
        records = filtered = 0;
        if (run->status != RUNNING || program_stop)
            break;
    }
    if (got < 0)
        run_end_failed(run, got, source, "read");
    else if (run->status == RUNNING && (records + filtered > 0 || text->len > 0))
        flush(run, source, records, filtered);
    if (!any)
        return;
    run->first_ns = run->first_ns ? run->first_ns : begin_ns;
    run->last_ns = program_now();
}

/* Claims once, waiting for records up to patience_ns. Returns 1 if it took some, or the topic
 * ended; 0 nothing to take now. */
static int take_turn(struct run *run, struct source *source, int64_t patience_ns)
{
    ssize_t cnt = mr_consumer_claim(source->consumer, run_window(run), patience_ns);
    source->at_end = 0;
    if (cnt > 0 && run->sink) {
        run->sink->take(run, source, (size_t)cnt);
        return 1;
    }
    if (cnt > 0) {
        take_claim(run, source);
        if (run->take->no_ack)
            source->state = run->take->flags & MR_UNTIL_END ? ENDED : HELD;
        return 1;
    }
    switch (cnt) {
    case 0:
    case -ETIMEDOUT:
        break;
    case -ENODATA:
        if (run->take->drain) {
            source->at_end = 1;
            break;
        }
        source->state = ENDED;
        return 1;
    case -EIDRM:
        program_error("%s: deleted", source->name);
        source->state = ENDED;
        if (run_count(run, ENDED) == run->take->topic_cnt)
            run_end(run, EXIT_FAILED);
        return 1;
    default:
        run_end_failed(run, (int)cnt, source, "take");
        break;
    }
    return 0;
}

/* ---- waiting ---- */

/* How long to wait for records only: up to a second, so that it notices when the reader goes
 * away. */
static int64_t slice(const struct run *run, int64_t now_ns)
{
    const struct take *take = run->take;
    int64_t wait = take->drain ? second_ns / 10 : take->progress ? second_ns / 2 : second_ns;
    if (take->timeout_ns >= 0 && take->timeout_ns - (now_ns - run->last_ns) < wait)
        wait = take->timeout_ns - (now_ns - run->last_ns);
    if (take->max_ns >= 0 && take->max_ns - (now_ns - run->start_ns) < wait)
        wait = take->max_ns - (now_ns - run->start_ns);
    if (run->patience_ns < wait)
        wait = run->patience_ns;
    return wait > 0 ? wait : 0;
}

/* Says what the run waits for, after half a second and then every 10 s. The library's own notice
 * (program_wait_notice) does not come, because no single wait is that long. */
static void describe_wait(struct run *run, int64_t now_ns)
{
    char text[DRAIN_TEXT];
    if (now_ns - run->last_ns < second_ns / 2 ||
        (run->said_ns && now_ns - run->said_ns < 10 * second_ns))
        return;
    for (size_t i = 0; i < run->take->topic_cnt; i++) {
        const struct source *source = &run->source[i];
        if (source->state == MISSING && !run->said_ns)
            program_await_topic(run->bus, source->name);
        else if (source->state == OPEN && run->take->drain)
            program_notice("%s: draining: %s", source->name, drain_describe(text, source));
    }
    run->said_ns = now_ns;
}

static void wait_for_more(struct run *run, int64_t wait_ns)
{
    struct mr_consumer *consumers[TOPICS_MAX];
    size_t n = 0;
    int error;
    for (size_t i = 0; i < run->take->topic_cnt; i++)
        if (run->source[i].state == OPEN && !run->source[i].at_end)
            consumers[n++] = run->source[i].consumer;
    if (n > 0)
        error = mr_consumer_wait_any(consumers, n, wait_ns);
    else if (run_count(run, MISSING) > 0)
        error = mr_bus_wait_change(run->bus, &(uint32_t){run->seen}, wait_ns);
    else
        error = program_sleep(
            wait_ns < second_ns / 20 || run_count(run, OPEN) == 0 ? wait_ns : second_ns / 20);
    if (error == -EIDRM && n == 0) {
        program_error(
            "the broker ended and removed its bus; start a broker, then this consumer again");
        run_end(run, EXIT_NO_BROKER);
    } else if (error < 0 && error != -ETIMEDOUT && error != -EINTR) {
        program_fail(error, "wait");
        run_end(run, EXIT_FAILED);
    }
}

static int timed_out(const struct run *run, int64_t now_ns)
{
    return run->take->timeout_ns >= 0 && now_ns - run->last_ns >= run->take->timeout_ns;
}

/* --timeout or --max-seconds is over. */
static void give_up(struct run *run)
{
    const struct take *take = run->take;
    char text[DRAIN_TEXT];
    int missing = run_count(run, MISSING) == take->topic_cnt;
    for (size_t i = 0; i < take->topic_cnt; i++) {
        const struct source *source = &run->source[i];
        if (missing)
            program_no_topic(run->bus, source->name);
        else if (take->drain && source->state == OPEN)
            program_error("%s: not drained: %s", source->name, drain_describe(text, source));
    }
    run_end(run, missing ? EXIT_NO_TOPIC : take->cnt || take->drain ? EXIT_TIMEOUT : EXIT_OK);
}

/* After a round in which nothing was taken. waited: a claim has waited already. */
static void idle(struct run *run, int waited)
{
    const struct take *take = run->take;
    int64_t now_ns = program_now();
    int drained = take->drain ? drain_check(run) : RUNNING;
    if (drained != RUNNING)
        run_end(run, drained);
    if (output_reader_gone(&run->output))
        run_end(run, EXIT_SIGPIPE);
    if (run->status != RUNNING || program_stop)
        return;
    if (timed_out(run, now_ns)) {
        give_up(run);
        return;
    }
    describe_wait(run, now_ns);
    int64_t wait_ns = slice(run, now_ns);
    /* A notice about a missing topic is due after half a second. */
    if (run_count(run, MISSING) > 0 && wait_ns > second_ns / 2)
        wait_ns = second_ns / 2;
    if (!waited)
        wait_for_more(run, wait_ns);
}

/* ---- the run ---- */

/* One claim of each topic in turn. Returns 1 if something was taken or ended; else 0, *waited
 * telling whether a claim waited. */
static int take_round(struct run *run, int64_t now_ns, int *waited)
{
    /* A claim waits if there is only one topic; with several, each is asked without waiting, then
     * wait_for_more waits for all. */
    int alone = run_count(run, OPEN) == 1 && run_count(run, MISSING) == 0, took = 0;
    int64_t patience_ns = alone ? slice(run, now_ns) : 0;
    *waited = 0;
    for (size_t i = 0; i < run->take->topic_cnt; i++) {
        size_t idx = (run->turn + i) % run->take->topic_cnt;
        struct source *source = &run->source[idx];
        if (source->state != OPEN)
            continue;
        took |= take_turn(run, source, patience_ns);
        *waited = alone && !source->at_end;
        if (run->left == 0)
            run_end(run, EXIT_OK);
        if (run->status != RUNNING || program_stop)
            break;
        /* the worker asked for one claim; the next round begins with the next topic */
        if (run->sink && source->state != ENDED && took) {
            run->turn = idx + 1;
            break;
        }
    }
    return took;
}

void run_step(struct run *run)
{
    const struct take *take = run->take;
    if (run_count(run, MISSING) > 0)
        run_open_missing(run);
    if (run->status != RUNNING)
        return;
    if (run_count(run, ENDED) == take->topic_cnt) {
        run_end(run, EXIT_OK);
        return;
    }
    int64_t now_ns = program_now();
    if (take->max_ns >= 0 && now_ns - run->start_ns >= take->max_ns) {
        give_up(run);
        return;
    }
    int waited;
    if (take_round(run, now_ns, &waited)) {
        run->said_ns = 0;
        /* the records taken did not match */
        if (take->where && run->status == RUNNING && timed_out(run, program_now()))
            give_up(run);
    } else if (run->status == RUNNING && !program_stop) {
        idle(run, waited);
    }
    if (take->progress && !run->sink)
        report_progress(run->taken->records, run->output.written, program_now());
}

static void loop(struct run *run)
{
    while (run->status == RUNNING && !program_stop)
        run_step(run);
    if (program_stop)
        run_end(run, 128 + (int)program_stop);
}

/* A topic without records still has a header. */
static void write_header(struct run *run)
{
    struct format *format = &run->take->format;
    for (size_t i = 0;
         i < run->take->topic_cnt && format_has_header(format) && !format->header_done; i++) {
        struct source *source = &run->source[i];
        if (source->topic)
            run_bind(run, source, 0);
        format_header(format, &source->columns, &run->output.text);
    }
    if (run->output.text.len > 0)
        flush(run, NULL, 0, 0);
}

/* Gives back what is left, leaves the topics, and reports lost and failed records. */
static void leave(struct run *run)
{
    struct taken *taken = run->taken;
    for (size_t i = 0; i < run->take->topic_cnt; i++) {
        struct source *source = &run->source[i];
        run_close(run, source, source->consumer);
        taken->dead_lettered += source->dead_lettered;
        taken->lost += source->lost;
        if (source->lost > 0)
            program_error("%s: missed %" PRIu64 " records, overwritten before they were taken",
                          source->name, source->lost);
        if (source->dead_lettered > 0)
            program_error("%s: %" PRIu64 " record%s failed and %s now in %s.dead", source->name,
                          source->dead_lettered, source->dead_lettered == 1 ? "" : "s",
                          source->dead_lettered == 1 ? "is" : "are", source->name);
        if (source->parked > 0) {
            program_error(
                "%s: %" PRIu64 " failed record%s still wait%s, because %s.dead did not take %s",
                source->name, source->parked, source->parked == 1 ? "" : "s",
                source->parked == 1 ? "s" : "", source->name, source->parked == 1 ? "it" : "them");
            if (run->status == EXIT_OK)
                run->status = EXIT_FAILED;
        }
        mr_topic_close(source->topic);
        columns_free(&source->columns);
        where_unbind(source->where);
    }
}

int take_run(struct mr_bus *bus, struct take *take, const struct sink *sink, struct taken *taken)
{
    struct run run = {.take = take,
                      .sink = sink,
                      .taken = taken,
                      .bus = bus,
                      .left = take->cnt ? take->cnt : UINT64_MAX,
                      .patience_ns = INT64_MAX,
                      .status = RUNNING};
    *taken = (struct taken){0};
    run.source = calloc(take->topic_cnt, sizeof *run.source);
    run.line = malloc(MR_COLUMNS_MAX);
    run.start_ns = run.last_ns = program_now();
    if (!run.source || !run.line || output_init(&run.output, take->fd) < 0) {
        program_fail(-ENOMEM, "start");
        free(run.source);
        free(run.line);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < take->topic_cnt; i++)
        run.source[i].name = take->topic[i];

    if (sink)
        sink->run(&run);
    else
        loop(&run);
    if (!sink && run.status != EXIT_FAILED && run.status != EXIT_SIGPIPE) {
        int status = run.status;
        run.status = RUNNING; /* the header may fail, too */
        write_header(&run);
        run_end(&run, status);
    }
    leave(&run);
    taken->bytes = run.output.written;
    taken->busy_ns = run.first_ns ? run.last_ns - run.first_ns : 0;
    if (take->progress)
        program_progress(NULL);

    if (run.status == EXIT_OK || run.status == EXIT_TIMEOUT || run.status == EXIT_PRODUCER_DIED)
        run.status = taken->lost > 0            ? EXIT_LOST
                     : taken->dead_lettered > 0 ? EXIT_DEAD
                                                : run.status;
    output_free(&run.output);
    free(run.line);
    free(run.source);
    return run.status;
}
