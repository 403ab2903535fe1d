#include "report.h"
#include "text/json.h"
#include "cli/program.h"
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
    return mr_text_grouped(buf, (uint64_t)(per_second(cnt, ns) + 0.5));
}

void mr_report_progress(uint64_t records, uint64_t bytes, int64_t now_ns)
{
    static int64_t shown_ns;
    static uint64_t shown_records;
    char line[160], cnt[32], size[32], speed[32];
    if (now_ns - shown_ns < 200000000)
        return;
    snprintf(line, sizeof line, "consumer: %s records, %s, %s/s", mr_text_grouped(cnt, records), mr_text_bytes(size, bytes),
             rate(speed, records - shown_records, shown_ns ? now_ns - shown_ns : 0));
    if (isatty(STDERR_FILENO))
        mr_program_progress(line);
    else
        mr_program_error("%s", line + strlen("consumer: ")); /* asked for, so also with -q; a line each time */
    shown_ns = now_ns;
    shown_records = records;
}

/* What became of commands, where any were run: "; 12 commands, 3 failed, 2 retried" with what is not 0. */
static const char *describe_commands(char *buf, size_t cap, const struct mr_taken *taken)
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
        used = snprintf(buf, cap, "; %s command%s", mr_text_grouped(number, taken->commands), taken->commands == 1 ? "" : "s");
    for (size_t i = 0; taken->commands > 0 && i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].cnt > 0 && used >= 0 && (size_t)used < cap)
            used += snprintf(buf + used, cap - (size_t)used, ", %s %s", mr_text_grouped(number, parts[i].cnt), parts[i].what);
    return buf;
}

void mr_report_summary(const struct mr_taken *taken)
{
    char cnt[32], size[32], busy[32], speed[32], p50[32], p99[32], commands[256], other[32], filtered[64] = "";
    mr_text_bytes(size, taken->bytes);
    describe_commands(commands, sizeof commands, taken);
    if (taken->filtered > 0)
        snprintf(filtered, sizeof filtered, " (%s others filtered out)", mr_text_grouped(other, taken->filtered));
    if (taken->records == 0) {
        mr_program_notice("0 records%s, %s%s", filtered, size, commands);
        return;
    }
    mr_program_notice("%s record%s%s, %s in %s, %s records/s, age p50 %s p99 %s%s", mr_text_grouped(cnt, taken->records),
                      taken->records == 1 ? "" : "s", filtered, size, mr_text_ns(busy, (uint64_t)taken->busy_ns),
                      rate(speed, taken->records, taken->busy_ns), mr_text_ns(p50, mr_histogram_quantile(&taken->age, 0.5)),
                      mr_text_ns(p99, mr_histogram_quantile(&taken->age, 0.99)), commands);
}

int mr_report_stats(int fd, const struct mr_taken *taken, int status)
{
    char text[2048];
    struct mr_json json;
    mr_json_init(&json, text, sizeof text);
    mr_json_begin(&json, '{');
    mr_json_key(&json, "records");
    mr_json_uint(&json, taken->records);
    mr_json_key(&json, "bytes");
    mr_json_uint(&json, taken->bytes);
    mr_json_key(&json, "filtered");
    mr_json_uint(&json, taken->filtered);
    mr_json_key(&json, "seconds");
    mr_json_real(&json, (double)taken->busy_ns / 1e9, 9);
    mr_json_key(&json, "records_per_second");
    mr_json_real(&json, per_second(taken->records, taken->busy_ns), 1);
    mr_json_key(&json, "age_p50_ns");
    mr_json_uint(&json, mr_histogram_quantile(&taken->age, 0.5));
    mr_json_key(&json, "age_p99_ns");
    mr_json_uint(&json, mr_histogram_quantile(&taken->age, 0.99));
    mr_json_key(&json, "age_max_ns");
    mr_json_uint(&json, taken->age.max);
    mr_json_key(&json, "starved_seconds");
    mr_json_real(&json, (double)taken->starved_ns / 1e9, 9);
    mr_json_key(&json, "redelivered");
    mr_json_uint(&json, taken->redelivered);
    mr_json_key(&json, "dead_lettered");
    mr_json_uint(&json, taken->dead_lettered);
    mr_json_key(&json, "lost");
    mr_json_uint(&json, taken->lost);
    mr_json_key(&json, "commands");
    mr_json_uint(&json, taken->commands);
    mr_json_key(&json, "failed");
    mr_json_uint(&json, taken->failed);
    mr_json_key(&json, "retried");
    mr_json_uint(&json, taken->retried);
    mr_json_key(&json, "delayed");
    mr_json_uint(&json, taken->delayed);
    mr_json_key(&json, "skipped");
    mr_json_uint(&json, taken->skipped);
    mr_json_key(&json, "exit");
    mr_json_int(&json, status);
    mr_json_end(&json, '}');
    mr_json_line(&json);
    return mr_program_write(fd, json.text, json.len);
}
