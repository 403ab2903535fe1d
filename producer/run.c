#include "run.h"
#include "csv.h"
#include "program.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRY_RUN_RECORD_MAX ((uint64_t)64 << 20)
#define HEADER_SHOWN       1000

static int has_header(const struct options *options, enum input_format format)
{
    return !options->no_header && (format == INPUT_CSV || format == INPUT_TSV);
}

/* The library's words for errors ("no such topic") do not fit files. */
static int file_failed(const char *name, int error)
{
    mr_program_error("%s: %s", name, strerror(-error));
    return MR_EXIT_FAILED;
}

static int open_input(struct input *in, const struct run *run, const char *file, uint64_t record_max)
{
    const struct options *o = run->options;
    enum input_format format = options_format(o, file);
    struct input_how how = {
        .format = format,
        .sep = format == INPUT_TSV ? '\t' : o->sep,
        .delimiter = format == INPUT_LINES ? o->delimiter : NULL,
        .delimiter_len = o->delimiter_len,
        .record_max = (size_t)record_max,
    };
    int error = input_open(in, &how, file);

    return error ? file_failed(in->name, error) : 0;
}

static int read_failed(const struct input *in, int error)
{
    return error == -EINTR ? mr_program_exit_for(error) : file_failed(in->name, error);
}

/* ---- headers --------------------------------------------------------------------------------------------------------- */

static int differ(const char *what, const char *line, size_t len, const char *other, const char *other_line, size_t other_len)
{
    mr_program_error(
        "%s: the header is not that of %s:\n  %s: %.*s\n  %s: %.*s\nNothing of this file was sent. Send it to another topic, or "
        "without its header (--no-header and --skip 1).",
        what, other, what, len > HEADER_SHOWN ? HEADER_SHOWN : (int)len, line, other,
        other_len > HEADER_SHOWN ? HEADER_SHOWN : (int)other_len, other_line);
    return MR_EXIT_FAILED;
}

/* All FILEs have the first one's header. A byte order mark does not count. */
static int same_header(struct run *run, const struct input *in, const struct input_row *row)
{
    const char *line = row->data + row->bom;
    size_t len = row->len - row->bom;

    if (run->header) {
        if (len == run->header_len && memcmp(line, run->header, len) == 0)
            return 0;
        return differ(in->name, line, len, run->header_file, run->header, run->header_len);
    }
    if (!(run->header = malloc(len + 1)))
        return file_failed(in->name, -ENOMEM);
    memcpy(run->header, line, len);
    run->header_len = len;
    run->header_file = in->name;
    return 0;
}

static int set_columns(struct run *run, const char *name, const char *line, size_t len, uint32_t flags, char sep)
{
    int error = run->topic ? mr_topic_set_columns(run->topic, line, len, flags | (sep == ',' ? 0 : MR_SEPARATOR(sep))) : 0;
    uint32_t other_flags;
    ssize_t other_len;
    char *other;

    if (error == 0)
        return 0;
    if (error == -EMSGSIZE)
        mr_program_error("%s: the header is %zu bytes long, a topic keeps %u at most (--no-header makes it a record)", name, len,
                         MR_COLUMNS_MAX);
    else if (error != -EEXIST)
        mr_program_fail(error, "%s: header", run->options->topic);
    if (error != -EEXIST || !(other = malloc(MR_COLUMNS_MAX)))
        return error == -EEXIST || error == -EMSGSIZE ? MR_EXIT_FAILED : mr_program_exit_for(error);
    other_len = mr_topic_columns(run->topic, other, MR_COLUMNS_MAX, &other_flags);
    if (other_len >= 0) {
        size_t bom = mr_csv_bom(line, len), other_bom = mr_csv_bom(other, (size_t)other_len);
        char topic[MR_TOPIC_NAME_MAX + 16];

        snprintf(topic, sizeof(topic), "topic %s", run->options->topic);
        differ(name, line + bom, len - bom, topic, other + other_bom, (size_t)other_len - other_bom);
    }
    free(other);
    return MR_EXIT_FAILED;
}

/* What can be said about a header without the topic; run_check says it before anything is created. */
static int use_header(struct run *run, const struct input *in, const struct input_row *row)
{
    int status = same_header(run, in, row);

    if (status || !run->options->key_column)
        return status;
    sender_format(&run->sender, in);
    return sender_find_column(&run->sender, in->name, row->data + row->bom, row->len - row->bom);
}

static int take_header(struct run *run, const struct input *in, const struct input_row *row)
{
    int status = use_header(run, in, row);

    return status ? status : set_columns(run, in->name, row->data, row->len, row->flags, in->how.sep);
}

static int bad_header(const struct input *in, const struct input_row *row)
{
    mr_program_error("%s: line %llu, byte %llu: the header: %s", in->name, (unsigned long long)row->bad_line,
                     (unsigned long long)row->bad_byte, row->reason);
    return MR_EXIT_FAILED;
}

static int check_header(struct run *run, const char *file)
{
    struct input in;
    struct input_row row;
    int status = open_input(&in, run, file, MR_COLUMNS_MAX), error = 0;

    if (status)
        return status;
    if (has_header(run->options, in.how.format)) {
        enum input_event event;

        while ((event = input_next(&in, &row)) == INPUT_MORE && !error)
            error = input_fill(&in);
        if (error)
            status = read_failed(&in, error);
        else if (event == INPUT_ROW)
            status = use_header(run, &in, &row);
        else if (event == INPUT_BAD)
            status = bad_header(&in, &row);
    }
    input_close(&in);
    return status;
}

static int is_same_file(const char *path, const struct stat *st)
{
    struct stat other;

    return path && S_ISREG(st->st_mode) && stat(path, &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

static int check_file(struct run *run, const char *file)
{
    const struct options *o = run->options;
    int standard = strcmp(file, "-") == 0;
    const char *name = standard ? "standard input" : file;
    struct stat st;

    if ((standard ? fstat(STDIN_FILENO, &st) : stat(file, &st)) < 0 || (!standard && access(file, R_OK) < 0))
        return file_failed(name, -errno);
    if ((o->bad == BAD_KEEP && is_same_file(o->bad_path, &st)) || is_same_file(o->stats_path, &st))
        return mr_program_usage("%s would be written over while it is read", name);
    if (S_ISREG(st.st_mode) && !standard) {
        run->total_bytes += (uint64_t)st.st_size;
        return check_header(run, file);
    }
    if (S_ISDIR(st.st_mode))
        return file_failed(name, -EISDIR);
    if (o->repeat > 1)
        return mr_program_usage("--repeat cannot read %s again: it is not a regular file", name);
    return 0;
}

int run_check(struct run *run)
{
    const struct options *o = run->options;
    int whole = 1;

    for (size_t i = 0; i < o->file_cnt; i++) {
        uint64_t before = run->total_bytes;
        int status = check_file(run, o->files[i]);

        if (status)
            return status;
        whole = whole && run->total_bytes > before;
    }
    if (!whole)
        run->total_bytes = 0;
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

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

/* Before a pause everything that was due before is sent: a row is never held back for the sake of a full batch. */
static int wait_until_due(struct run *run, const struct input *in)
{
    int status;

    if (pace_wait_ns(&run->pace) <= 0)
        return 0;
    if ((status = flush(run, in)))
        return status;
    return mr_program_sleep(pace_wait_ns(&run->pace)) ? mr_program_exit_for(-EINTR) : 0;
}

static int take_bad(struct run *run, const struct input *in, const struct input_row *row)
{
    int status = sender_flush(&run->sender); /* the rows before it are sent, and what is said comes in order */

    return status ? status : bad_row(&run->bad, in, row);
}

static int take_row(struct run *run, const struct input *in, struct input_row *row)
{
    int status;

    if (run->skipped < run->options->skip) {
        run->skipped++;
        return 0;
    }
    if (run->options->interval_ns > 0 && (status = wait_until_due(run, in)))
        return status;
    status = sender_prepare(&run->sender, row);
    if (status == -ENOMEM)
        return file_failed(in->name, status);
    if (status)
        return take_bad(run, in, row);
    run->taken++;
    if (run->options->interval_ns > 0)
        pace_sent(&run->pace);
    return sender_full(&run->sender) ? flush(run, in) : 0;
}

static int enough(const struct run *run)
{
    return run->taken >= run->options->count;
}

/* Returns 0 with the file read to its end (or enough of it), or an exit status. */
static int run_rows(struct run *run, struct input *in)
{
    int header_due = has_header(run->options, in->how.format), status = 0;
    struct input_row row;

    while (!status && !enough(run)) {
        switch (input_next(in, &row)) {
        case INPUT_ROW:
            status = header_due ? take_header(run, in, &row) : take_row(run, in, &row);
            header_due = 0;
            break;
        case INPUT_BAD:
            status = header_due ? bad_header(in, &row) : take_bad(run, in, &row);
            break;
        case INPUT_REST:
            status = bad_rest(&run->bad, &row);
            break;
        case INPUT_MORE:
            status = flush(run, in);
            if (!status && (status = input_fill(in)))
                status = read_failed(in, status);
            break;
        case INPUT_END:
            return flush(run, in);
        }
    }
    return status ? status : flush(run, in);
}

static int run_file(struct run *run, const char *file)
{
    static const char *const formats[] = {
        [INPUT_CSV] = "csv", [INPUT_TSV] = "tsv", [INPUT_LINES] = "lines", [INPUT_NDJSON] = "ndjson", [INPUT_FILE] = "file",
    };
    const struct options *o = run->options;
    struct input in;
    int status = open_input(&in, run, file, run->sender.record_max);

    if (status)
        return status;
    if (mr_program_verbose)
        mr_program_notice("%s: read as %s", in.name, formats[in.how.format]);
    sender_format(&run->sender, &in);
    if (o->key_column && o->no_header)
        status = sender_find_column(&run->sender, in.name, o->columns, o->columns ? strlen(o->columns) : 0);
    if (!status)
        status = run_rows(run, &in);
    run->done_bytes += in.bytes;
    input_close(&in);
    return status;
}

int run_files(struct run *run)
{
    const struct options *o = run->options;
    int status = 0;

    run->sender.record_max = run->topic ? mr_topic_record_max(run->topic) : DRY_RUN_RECORD_MAX;
    run->report.total_bytes = run->total_bytes * o->repeat;
    if (o->columns)
        status = set_columns(run, "--columns", o->columns, strlen(o->columns), MR_EOL_LF, o->sep);
    pace_start(&run->pace, o);
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
        .read_bytes = run->done_bytes,
    };
}

void run_free(struct run *run)
{
    sender_free(&run->sender);
    free(run->header);
    run->header = NULL;
}
