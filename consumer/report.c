#include "report.h"
#include "cli/program.h"
#include "text/json.h"
#include "text/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static double per_second(uint64_t cnt, int64_t ns)
{
    return ns > 0 ? (double)cnt * 1e9 / (double)ns : 0;
}

static const char *rate(char buf[static 32], uint64_t cnt, int64_t ns)
{
    return text_grouped(buf, (uint64_t)(per_second(cnt, ns) + 0.5));
}

void report_progress(uint64_t records, uint64_t bytes, int64_t now_ns)
{
    static int64_t shown_ns;
    static uint64_t shown_records;
    char line[160], cnt[32], size[32], speed[32];
    if (now_ns - shown_ns < 200000000)
        return;
    snprintf(line, sizeof line, "consumer: %s records, %s, %s/s", text_grouped(cnt, records),
             text_bytes(size, bytes),
             rate(speed, records - shown_records, shown_ns ? now_ns - shown_ns : 0));
    if (isatty(STDERR_FILENO))
        program_progress(line);
    else
        /* asked for, so also with -q; a line each time */
        program_error("%s", line + strlen("consumer: "));
    shown_ns = now_ns;
    shown_records = records;
}

/* Describes the commands, if any ran: "; 12 commands, 3 failed, 2 retried", without zeros. */
static const char *describe_commands(char *buf, size_t cap, const struct taken *taken)
{
    const struct {
        uint64_t cnt;
        const char *what;
    } parts[] = {{taken->failed, "failed"},
                 {taken->retried, "to be tried again"},
                 {taken->delayed, "put off"},
                 {taken->dead_lettered, "dead-lettered"},
                 {taken->skipped, "skipped"}};
    char number[32];
    int used = 0;
    buf[0] = '\0';
    if (taken->commands > 0)
        used = snprintf(buf, cap, "; %s command%s", text_grouped(number, taken->commands),
                        taken->commands == 1 ? "" : "s");
    for (size_t i = 0; taken->commands > 0 && i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].cnt > 0 && used >= 0 && (size_t)used < cap)
            used += snprintf(buf + used, cap - (size_t)used, ", %s %s",
                             text_grouped(number, parts[i].cnt), parts[i].what);
    return buf;
}

void report_summary(const struct taken *taken)
{
    char cnt[32], size[32], busy[32], speed[32], p50[32], p99[32], commands[256], other[32],
        filtered[64] = "";
    text_bytes(size, taken->bytes);
    describe_commands(commands, sizeof commands, taken);
    if (taken->filtered > 0)
        snprintf(filtered, sizeof filtered, " (%s others filtered out)",
                 text_grouped(other, taken->filtered));
    if (taken->records == 0) {
        program_notice("0 records%s, %s%s", filtered, size, commands);
        return;
    }
    program_notice("%s record%s%s, %s in %s, %s records/s, age p50 %s p99 %s%s",
                   text_grouped(cnt, taken->records), taken->records == 1 ? "" : "s", filtered,
                   size, text_ns(busy, (uint64_t)taken->busy_ns),
                   rate(speed, taken->records, taken->busy_ns),
                   text_ns(p50, histogram_quantile(&taken->age, 0.5)),
                   text_ns(p99, histogram_quantile(&taken->age, 0.99)), commands);
}

int report_stats(int fd, const struct taken *taken, int status)
{
    char text[2048];
    struct js_writer json;
    js_init(&json, text, sizeof text);
    js_begin(&json, '{');
    js_key(&json, "records");
    js_uint(&json, taken->records);
    js_key(&json, "bytes");
    js_uint(&json, taken->bytes);
    js_key(&json, "filtered");
    js_uint(&json, taken->filtered);
    js_key(&json, "seconds");
    js_real(&json, (double)taken->busy_ns / 1e9, 9);
    js_key(&json, "records_per_second");
    js_real(&json, per_second(taken->records, taken->busy_ns), 1);
    js_key(&json, "age_p50_ns");
    js_uint(&json, histogram_quantile(&taken->age, 0.5));
    js_key(&json, "age_p99_ns");
    js_uint(&json, histogram_quantile(&taken->age, 0.99));
    js_key(&json, "age_max_ns");
    js_uint(&json, taken->age.max);
    js_key(&json, "starved_seconds");
    js_real(&json, (double)taken->starved_ns / 1e9, 9);
    js_key(&json, "redelivered");
    js_uint(&json, taken->redelivered);
    js_key(&json, "dead_lettered");
    js_uint(&json, taken->dead_lettered);
    js_key(&json, "lost");
    js_uint(&json, taken->lost);
    js_key(&json, "commands");
    js_uint(&json, taken->commands);
    js_key(&json, "failed");
    js_uint(&json, taken->failed);
    js_key(&json, "retried");
    js_uint(&json, taken->retried);
    js_key(&json, "delayed");
    js_uint(&json, taken->delayed);
    js_key(&json, "skipped");
    js_uint(&json, taken->skipped);
    js_key(&json, "exit");
    js_int(&json, status);
    js_end(&json, '}');
    js_line(&json);
    return program_write(fd, json.text, json.len);
}
