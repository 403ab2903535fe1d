#include "report.h"
#include "millrace.h"
#include "program.h"
#include "text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_NS 200000000

/* 1234567 as "1,234,567". */
static const char *grouped(char buf[static 32], uint64_t number)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%" PRIu64, number), at = 0;

    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            buf[at++] = ',';
        buf[at++] = digits[i];
    }
    buf[at] = '\0';
    return buf;
}

static uint64_t per_second(uint64_t number, int64_t ns)
{
    return ns > 0 ? (uint64_t)((double)number * 1e9 / (double)ns + 0.5) : 0;
}

int report_open(struct report *report, const struct options *options)
{
    *report = (struct report){.options = options, .terminal = isatty(STDERR_FILENO)};
    report->progress =
        options->progress == PROGRESS_ALWAYS || (options->progress == PROGRESS_AUTO && report->terminal && !mr_program_quiet);
    report_start(report);
    if (options->stats_path && !(report->stats = fopen(options->stats_path, "we"))) {
        mr_program_error("%s: %s", options->stats_path, strerror(errno));
        return MR_EXIT_FAILED;
    }
    return 0;
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
             grouped(records, figures->records), mr_text_bytes(bytes, figures->bytes), part,
             grouped(rate, per_second(figures->records, now - report->start_ns)));
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

    report->stats = NULL;
    fprintf(out,
            "{\"topic\":\"%s\",\"bus\":\"%s\",\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"bad_rows\":%" PRIu64
            ",\"skipped\":%" PRIu64 ",\"seconds\":%.6f,\"records_per_second\":%" PRIu64
            ",\"blocked_seconds\":%.6f,\"exit\":%d}\n",
            report->options->topic, bus && *bus ? bus : "default", figures->records, figures->bytes, figures->bad_rows,
            figures->skipped, (double)ns / 1e9, per_second(figures->records, ns), (double)figures->blocked_ns / 1e9,
            figures->exit_status);
    if (ferror(out) + fclose(out) == 0)
        return 0;
    mr_program_error("%s: %s", report->options->stats_path, strerror(errno));
    return MR_EXIT_FAILED;
}

int report_end(struct report *report, const struct figures *figures)
{
    int64_t ns = mr_program_now() - report->start_ns;
    char records[32], bytes[32], seconds[32], rate[32], blocked[32], bad[32], more[64] = "";

    mr_program_progress(NULL);
    if (figures->bad_rows)
        snprintf(more, sizeof(more), ", %s bad row%s", grouped(bad, figures->bad_rows), figures->bad_rows == 1 ? "" : "s");
    if (figures->started)
        mr_program_notice("%s: %s%s record%s, %s in %s, %s records/s, blocked %s%s", report->options->topic,
                          report->options->dry_run ? "would send " : "", grouped(records, figures->records),
                          figures->records == 1 ? "" : "s", mr_text_bytes(bytes, figures->bytes),
                          mr_text_ns(seconds, (uint64_t)ns), grouped(rate, per_second(figures->records, ns)),
                          figures->blocked_ns ? mr_text_ns(blocked, figures->blocked_ns) : "0 s", more);
    return report->stats ? write_stats(report, figures, ns) : 0;
}
