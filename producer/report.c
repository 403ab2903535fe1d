#include "report.h"
#include "text/json.h"
#include "millrace.h"
#include "cli/program.h"
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
    int fd = mr_program_create(path), error = fd < 0 ? fd : 0;

    if (!error && !(*out = fdopen(fd, "w"))) {
        error = -errno;
        close(fd);
    }
    if (error && error != -EINTR)
        mr_program_error("%s: %s", path, strerror(-error));
    return error == -EINTR ? mr_program_exit_for(error) : error ? MR_EXIT_FAILED : 0;
}

int report_open(struct report *report, const struct options *options)
{
    *report = (struct report){.options = options, .terminal = isatty(STDERR_FILENO)};
    report->progress =
        options->progress == PROGRESS_ALWAYS || (options->progress == PROGRESS_AUTO && report->terminal && !mr_program_quiet);
    report_start(report);
    return options->stats_path ? open_output(options->stats_path, &report->stats) : 0;
}

void report_start(struct report *report)
{
    report->start_ns = mr_program_now();
    report->next_ns = report->start_ns + PROGRESS_NS;
}

int report_due(const struct report *report)
{
    return report->progress && mr_program_now() >= report->next_ns;
}

void report_progress(struct report *report, const struct figures *figures)
{
    int64_t now = mr_program_now();
    uint64_t read = figures->read_bytes, total = report->total_bytes;
    char records[32], bytes[32], rate[32], part[16] = "", line[MR_TOPIC_NAME_MAX + 160];

    if (total)
        snprintf(part, sizeof(part), " (%u%%)", read >= total ? 100 : (unsigned)((double)read * 100 / (double)total));
    snprintf(line, sizeof(line), "producer: %s: %s records, %s%s, %s/s", report->options->topic,
             mr_text_grouped(records, figures->records), mr_text_bytes(bytes, figures->bytes), part,
             mr_text_grouped(rate, per_second(figures->records, now - report->start_ns)));
    if (report->terminal)
        mr_program_progress(line);
    else
        mr_program_error("%s", line + strlen("producer: ")); /* asked for, so also with -q; a line each time */
    report->next_ns = now + PROGRESS_NS;
}

static int write_stats(struct report *report, const struct figures *figures, int64_t ns)
{
    const char *bus = report->options->bus ? report->options->bus : getenv("MILLRACE_BUS");
    FILE *out = report->stats;
    struct mr_json json;
    int failed;

    report->stats = NULL;
    mr_json_init(&json, NULL, 0);
    mr_json_begin(&json, '{');
    mr_json_key(&json, "topic");
    mr_json_text(&json, report->options->topic);
    mr_json_key(&json, "bus");
    mr_json_text(&json, bus && *bus ? bus : "default");
    mr_json_key(&json, "records");
    mr_json_uint(&json, figures->records);
    mr_json_key(&json, "bytes");
    mr_json_uint(&json, figures->bytes);
    mr_json_key(&json, "bad_rows");
    mr_json_uint(&json, figures->bad_rows);
    mr_json_key(&json, "skipped");
    mr_json_uint(&json, figures->skipped);
    mr_json_key(&json, "resumed");
    mr_json_uint(&json, figures->passed);
    mr_json_key(&json, "fewer_fields");
    mr_json_uint(&json, figures->fewer_fields);
    mr_json_key(&json, "more_fields");
    mr_json_uint(&json, figures->more_fields);
    mr_json_key(&json, "seconds");
    mr_json_real(&json, (double)ns / 1e9, 6);
    mr_json_key(&json, "records_per_second");
    mr_json_uint(&json, per_second(figures->records, ns));
    mr_json_key(&json, "blocked_seconds");
    mr_json_real(&json, (double)figures->blocked_ns / 1e9, 6);
    mr_json_key(&json, "exit");
    mr_json_int(&json, figures->exit_status);
    mr_json_end(&json, '}');
    mr_json_line(&json);
    errno = ENOMEM;
    failed = json.failed || fwrite(json.text, 1, json.len, out) != json.len;
    mr_json_free(&json);
    if (fclose(out) == 0 && !failed)
        return 0;
    mr_program_error("%s: %s", report->options->stats_path, strerror(errno));
    return MR_EXIT_FAILED;
}

int report_end(struct report *report, const struct figures *figures)
{
    int64_t ns = mr_program_now() - report->start_ns;
    char records[32], bytes[32], seconds[32], rate[32], blocked[32], number[32], bad[64] = "", passed[64] = "";

    mr_program_progress(NULL);
    if (figures->bad_rows)
        snprintf(bad, sizeof(bad), ", %s bad row%s", mr_text_grouped(number, figures->bad_rows), figures->bad_rows == 1 ? "" : "s");
    if (figures->passed)
        snprintf(passed, sizeof(passed), ", %s there already", mr_text_grouped(number, figures->passed));
    if (figures->started)
        mr_program_notice("%s: %s%s record%s, %s in %s, %s records/s, blocked %s%s%s", report->options->topic,
                          report->options->dry_run ? "would send " : "", mr_text_grouped(records, figures->records),
                          figures->records == 1 ? "" : "s", mr_text_bytes(bytes, figures->bytes),
                          mr_text_ns(seconds, (uint64_t)ns), mr_text_grouped(rate, per_second(figures->records, ns)),
                          figures->blocked_ns ? mr_text_ns(blocked, figures->blocked_ns) : "0 s", passed, bad);
    return report->stats ? write_stats(report, figures, ns) : 0;
}
