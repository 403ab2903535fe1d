#include "report.h"
#include "cli/program.h"
#include "millrace.h"
#include "text/json.h"
#include "text/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_NS 200000000

static uint64_t per_second(uint64_t number, int64_t ns)
{
    return ns > 0 ? (uint64_t)((double)number * 1e9 / (double)ns + 0.5) : 0;
}

int open_output(const char *path, FILE **out)
{
    int fd = program_create(path), error = fd < 0 ? fd : 0;

    if (!error && !(*out = fdopen(fd, "w"))) {
        error = -errno;
        close(fd);
    }
    if (error && error != -EINTR)
        program_error("%s: %s", path, strerror(-error));
    return error == -EINTR ? program_exit_for(error) : error ? EXIT_FAILED : 0;
}

int report_open(struct report *report, const struct options *options)
{
    *report = (struct report){.options = options, .terminal = isatty(STDERR_FILENO)};
    report->progress = options->progress == PROGRESS_ALWAYS ||
                       (options->progress == PROGRESS_AUTO && report->terminal && !program_quiet);
    report_start(report);
    return options->stats_path ? open_output(options->stats_path, &report->stats) : 0;
}

void report_start(struct report *report)
{
    report->start_ns = program_now();
    report->next_ns = report->start_ns + PROGRESS_NS;
}

int report_due(const struct report *report)
{
    return report->progress && program_now() >= report->next_ns;
}

void report_progress(struct report *report, const struct figures *figures)
{
    int64_t now = program_now();
    uint64_t read = figures->read_bytes, total = report->total_bytes;
    char records[32], bytes[32], rate[32], part[16] = "", line[MR_TOPIC_NAME_MAX + 160];

    if (total)
        snprintf(part, sizeof(part), " (%u%%)",
                 read >= total ? 100 : (unsigned)((double)read * 100 / (double)total));
    snprintf(line, sizeof(line), "producer: %s: %s records, %s%s, %s/s", report->options->topic,
             text_grouped(records, figures->records), text_bytes(bytes, figures->bytes), part,
             text_grouped(rate, per_second(figures->records, now - report->start_ns)));
    if (report->terminal)
        program_progress(line);
    else
        /* asked for, so also with -q; a line each time */
        program_error("%s", line + strlen("producer: "));
    report->next_ns = now + PROGRESS_NS;
}

static int write_stats(struct report *report, const struct figures *figures, int64_t ns)
{
    const char *bus = report->options->bus ? report->options->bus : getenv("MILLRACE_BUS");
    FILE *out = report->stats;
    struct js_writer json;
    int failed;

    report->stats = NULL;
    js_init(&json, NULL, 0);
    js_begin(&json, '{');
    js_key(&json, "topic");
    js_text(&json, report->options->topic);
    js_key(&json, "bus");
    js_text(&json, bus && *bus ? bus : "default");
    js_key(&json, "records");
    js_uint(&json, figures->records);
    js_key(&json, "bytes");
    js_uint(&json, figures->bytes);
    js_key(&json, "bad_rows");
    js_uint(&json, figures->bad_rows);
    js_key(&json, "skipped");
    js_uint(&json, figures->skipped);
    js_key(&json, "resumed");
    js_uint(&json, figures->passed);
    js_key(&json, "fewer_fields");
    js_uint(&json, figures->fewer_fields);
    js_key(&json, "more_fields");
    js_uint(&json, figures->more_fields);
    js_key(&json, "seconds");
    js_real(&json, (double)ns / 1e9, 6);
    js_key(&json, "records_per_second");
    js_uint(&json, per_second(figures->records, ns));
    js_key(&json, "blocked_seconds");
    js_real(&json, (double)figures->blocked_ns / 1e9, 6);
    js_key(&json, "exit");
    js_int(&json, figures->exit_status);
    js_end(&json, '}');
    js_line(&json);
    errno = ENOMEM;
    failed = json.failed || fwrite(json.text, 1, json.len, out) != json.len;
    js_free(&json);
    if (fclose(out) == 0 && !failed)
        return 0;
    program_error("%s: %s", report->options->stats_path, strerror(errno));
    return EXIT_FAILED;
}

int report_end(struct report *report, const struct figures *figures)
{
    int64_t ns = program_now() - report->start_ns;
    char records[32], bytes[32], seconds[32], rate[32], blocked[32], number[32], bad[64] = "",
                                                                                 passed[64] = "";

    program_progress(NULL);
    if (figures->bad_rows)
        snprintf(bad, sizeof(bad), ", %s bad row%s", text_grouped(number, figures->bad_rows),
                 figures->bad_rows == 1 ? "" : "s");
    if (figures->passed)
        snprintf(passed, sizeof(passed), ", %s already there",
                 text_grouped(number, figures->passed));
    if (figures->started)
        program_notice(
            "%s: %s%s record%s, %s in %s, %s records/s, blocked %s%s%s", report->options->topic,
            report->options->dry_run ? "would send " : "", text_grouped(records, figures->records),
            figures->records == 1 ? "" : "s", text_bytes(bytes, figures->bytes),
            text_ns(seconds, (uint64_t)ns), text_grouped(rate, per_second(figures->records, ns)),
            figures->blocked_ns ? text_ns(blocked, figures->blocked_ns) : "0 s", passed, bad);
    return report->stats ? write_stats(report, figures, ns) : 0;
}
