#include "run.h"
#include "cli/program.h"
#include "guess.h"
#include "header.h"
#include "input/open.h"
#include "text/csv.h"
#include "text/timestamp.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DRY_RUN_RECORD_MAX ((uint64_t)64 << 20)

/* ---- rows ---- */

static int flush(struct run *run, const struct input *in)
{
    int status = sender_flush(&run->sender);

    if (!status && report_due(&run->report)) {
        struct figures figures;

        run_figures(run, &figures);
        figures.read_bytes += in->bytes;
        report_progress(&run->report, &figures);
    }
    return status;
}

static int is_paced(const struct run *run)
{
    return run->options->interval_ns > 0 || run->options->timing;
}

/* Before a pause everything that is due is sent: a row is never held back to fill a batch. */
static int wait_until_due(struct run *run, const struct input *in)
{
    int64_t wait_ns = pace_wait_ns(&run->pace);
    int status;

    if (wait_ns <= 0)
        return program_stop ? program_exit_for(-EINTR) : 0;
    if ((status = flush(run, in)))
        return status;
    return program_sleep(pace_wait_ns(&run->pace)) ? program_exit_for(-EINTR) : 0;
}

static int take_bad(struct run *run, const struct input *in, const struct input_row *row)
{
    /* send the rows before it first, so that messages come in order */
    int status = sender_flush(&run->sender);

    return status ? status : bad_rows_add(&run->bad, in, row);
}

/* Reads the row's own time, for --timing. Returns 0; 1 if it has no valid one. */
static int read_time(const struct run *run, struct input_row *row, int64_t *ts_ns)
{
    struct csv_field field = {0};
    int32_t found = fields_get(&run->sender.fields, row->data + row->bom, row->len - row->bom,
                               run->time_column, &field);
    char reason[128];

    if (found < run->time_column) {
        snprintf(reason, sizeof(reason),
                 "the row has %d columns, and its time is expected in column %d", (int)found,
                 (int)run->time_column);
        return sender_refuse(row, row->len + 1, reason);
    }
    if (timestamp_parse(field.text, field.len, ts_ns) == 0)
        return 0;
    snprintf(reason, sizeof(reason),
             "\"%.*s\" is not a time (like 2026-11-21T10:15:30.5+01:00, or seconds since 1970)",
             field.len > 40 ? 40 : (int)field.len, field.text);
    return sender_refuse(row, (uint64_t)(field.text - row->data) + 1, reason);
}

static int take_row(struct run *run, const struct input *in, struct input_row *row)
{
    int64_t ts_ns = 0;
    int status;

    if (run->skipped < run->options->skip) {
        run->skipped++;
        return 0;
    }
    if (run->options->timing && read_time(run, row, &ts_ns))
        return take_bad(run, in, row);
    if (run->uneven.field_cnt) {
        size_t cnt = row->fields ? row->fields
                                 : csv_separators(row->data, row->len, (char)run->uneven.sep) + 1;

        if (cnt != run->uneven.field_cnt && header_uneven(run, in, row, cnt))
            return take_bad(run, in, row);
    }
    /* rows already in the topic are not paced */
    if (is_paced(run) && run->resume.row > run->resume.furthest) {
        if (run->options->timing)
            pace_row(&run->pace, ts_ns);
        if ((status = wait_until_due(run, in)))
            return status;
    }
    status = sender_prepare(&run->sender, row);
    if (status == SENDER_PASSED) {
        run->resume.passed++;
        return 0;
    }
    if (status == -ENOMEM)
        return run_file_failed(in->name, status);
    if (status)
        return take_bad(run, in, row);
    /* before a consumer can read the first row */
    if (run->sender.columns.line && !run->columns_set) {
        const struct envelope_columns *columns = &run->sender.columns;

        if ((status =
                 header_set_columns(run, in->name, columns->line, columns->len, columns->flags)))
            return status;
        run->columns_set = 1;
    }
    run->taken++;
    if (is_paced(run))
        pace_sent(&run->pace);
    return sender_full(&run->sender) ? flush(run, in) : 0;
}

static int enough(const struct run *run)
{
    return run->taken >= run->options->count;
}

/* A followed file was truncated or replaced: the new contents count as another file, with its
 * own header. */
static int go_on(const struct run *run, struct input *in)
{
    enum follow_event ended = in->ended;
    int error;

    if (run->options->resume) {
        program_error(
            "%s: %s, and --resume counts the rows of one file only; all rows of the first were "
            "sent (start again for the new one, under another name or without --resume)",
            in->name, ended == FOLLOW_CUT ? "cut short" : "replaced by another file");
        return EXIT_FAILED;
    }
    error = input_again(in);
    if (error)
        return run_read_failed(in, error);
    program_notice("%s: %s; reading it from its start", in->name,
                   ended == FOLLOW_CUT ? "cut short" : "replaced by another file");
    return 0;
}

/* Returns 0 with the file read to its end (or enough of it), or an exit status. */
static int run_rows(struct run *run, struct input *in)
{
    int header_due = run_has_header(run->options, in->how.format), status = 0;
    struct input_row row;

    while (!status && !enough(run)) {
        enum input_event event = input_next(in, &row);

        if ((event == INPUT_ROW || event == INPUT_BAD) && (row.first || run->guess.looks) &&
            (status = guess_row(run, in, &row)))
            break;
        switch (event) {
        case INPUT_ROW:
            run->resume.row += !header_due;
            status = header_due ? header_take(run, in, &row) : take_row(run, in, &row);
            header_due = 0;
            break;
        case INPUT_BAD:
            run->resume.row++;
            status = header_due ? header_bad(in, &row) : take_bad(run, in, &row);
            break;
        case INPUT_REST:
            status = bad_rows_rest(&run->bad, &row);
            break;
        case INPUT_MORE:
            status = flush(run, in);
            if (!status && (status = input_fill(in)))
                status = run_read_failed(in, status);
            break;
        case INPUT_END:
            status = flush(run, in);
            if (status || in->ended == FOLLOW_NOTHING)
                return status;
            status = go_on(run, in);
            header_due = run_has_header(run->options, in->how.format);
            break;
        }
    }
    return status ? status : flush(run, in);
}

/* Finds out which rows of the file the topic has, and opens a producer that continues there. */
static int resume_file(struct run *run, const char *file)
{
    struct resume *resume = &run->resume;
    struct input in;
    int guessed;
    int status =
        resume_find(resume, run->topic, run->options, file, guess_format(run, file, &guessed));

    if (!status)
        status = sender_open(&run->sender, run->topic, resume->source);
    if (status || !resume->furthest)
        return status;
    if ((status = run_open_input(&in, run, file, run->sender.record_max)))
        return status;
    in.how.follow = 0; /* only the present contents */
    status = resume_verify(resume, &in, run->options->topic,
                           run_has_header(run->options, in.how.format));
    input_close(&in);
    if (!status)
        program_notice("%s: %s has its rows up to number %llu; continuing after them", file,
                       run->options->topic, (unsigned long long)resume->furthest);
    return status;
}

/* For CSV or TSV whose first row is a record: the columns are those of --columns, or the
 * topic's. */
static int begin_without_header(struct run *run, const struct input *in)
{
    const struct options *o = run->options;
    const struct columns *topic = &run->columns;
    size_t len = o->columns ? strlen(o->columns) : 0;

    if (o->columns)
        header_expect(run, o->columns, len, csv_sep(header_flags(in)));
    else if (topic->line)
        header_expect(run, topic->line, topic->len, csv_sep(topic->flags));
    if (!o->columns && topic->line && !MR_SAME_FIELDS(header_flags(in), topic->flags))
        return header_other_fields(run, in);
    if (o->strict && !o->columns && !topic->line) {
        program_error(
            "%s: --strict: without a header the number of fields is unknown; give --columns",
            in->name);
        return EXIT_USAGE;
    }
    return header_find_columns(run, in, o->columns, len);
}

static int run_input(struct run *run, const char *file)
{
    static const char *const formats[] = {
        [INPUT_CSV] = "csv",       [INPUT_TSV] = "tsv",   [INPUT_LINES] = "lines",
        [INPUT_NDJSON] = "ndjson", [INPUT_FILE] = "file", [INPUT_ENVELOPES] = "envelopes",
    };
    const struct options *o = run->options;
    struct input in;
    int status = run_open_input(&in, run, file, run->sender.record_max);

    if (status)
        return status;
    if (program_verbose)
        program_notice("%s: read as %s", in.name, formats[in.how.format]);
    if ((status = guess_begin(run, &in))) {
        input_close(&in);
        return status;
    }
    sender_format(&run->sender, &in);
    header_expect(run, NULL, 0, 0);
    if (o->no_header)
        status = begin_without_header(run, &in);
    if (!status)
        status = run_rows(run, &in);
    run->done_bytes += in.bytes;
    input_close(&in);
    return status;
}

static int run_file(struct run *run, const char *file)
{
    uint64_t before = run->taken, bad_before = run->bad.cnt;
    int status;

    if (!run->options->resume)
        return run_input(run, file);
    status = resume_file(run, file);
    if (!status)
        status = run_input(run, file);
    if (!status && run->taken == before && !enough(run))
        program_notice("%s: all %llu rows%s are already in %s; nothing was sent", file,
                       (unsigned long long)run->resume.row,
                       run->bad.cnt > bad_before ? " but bad ones" : "", run->options->topic);
    if (!status && !enough(run))
        status = resume_complete(&run->resume, run->topic);
    resume_end(&run->resume);
    return status;
}

int run_files(struct run *run)
{
    const struct options *o = run->options;
    struct mr_settings settings = {.partitions = 1};
    int status = 0;

    run->sender.record_max = DRY_RUN_RECORD_MAX;
    if (run->topic) {
        run->sender.record_max = mr_topic_record_max(run->topic);
        mr_topic_settings(run->topic, &settings);
    }
    run->sender.partitions = settings.partitions;
    if ((status = header_of_topic(run)))
        return status;
    if (o->resume)
        run->sender.resume = &run->resume;
    else if (run->topic && (status = sender_open(&run->sender, run->topic, 0)))
        return status;
    run->started = 1;
    run->report.total_bytes = run->total_bytes * o->repeat;
    if (o->columns && !status)
        status =
            header_set_columns(run, "--columns", o->columns, strlen(o->columns),
                               MR_EOL_LF | (o->sep == ',' ? 0 : MR_SEPARATOR(o->sep)) |
                                   (options_format(o, o->files[0]) == INPUT_TSV ? MR_UNQUOTED : 0));
    pace_start(&run->pace, o, program_now);
    report_start(&run->report);
    for (uint64_t i = 0; i < o->repeat; i++)
        for (size_t f = 0; f < o->file_cnt && !status && !enough(run); f++)
            status = run_file(run, o->files[f]);
    return status;
}

void run_figures(const struct run *run, struct figures *out)
{
    *out = (struct figures){
        .records = run->sender.records,
        .bytes = run->sender.bytes,
        .bad_rows = run->bad.cnt,
        .skipped = run->skipped,
        .passed = run->resume.passed,
        .fewer_fields = run->uneven.fewer,
        .more_fields = run->uneven.more,
        .blocked_ns = run->sender.blocked_ns,
        .started = run->started,
        .read_bytes = run->done_bytes,
    };
}

void run_free(struct run *run)
{
    sender_free(&run->sender);
    free(run->header);
    free(run->columns.line);
    run->header = run->columns.line = NULL;
}
