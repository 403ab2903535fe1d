/* bind.c - finds a topic's columns once, before its first record is formatted, and binds the names
 * that refer to them. */
#include "cli/program.h"
#include "run_state.h"
#include "text/json_read.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

static int fail(int error, const struct source *source)
{
    return run_failed(error, source->name, "columns");
}

static int bind_format(const struct format *format, struct source *source)
{
    const char *missing = "";
    char text[COLUMNS_MISSING];
    int error = source->columns.bound ? 0 : format_bind(format, &source->columns, &missing);
    if (error == 0)
        return 0;
    if (error != -ENOENT)
        return fail(error, source);
    if (source->columns.line)
        program_error("%s: %s", source->name, columns_missing(&source->columns, missing, text));
    else
        program_error("%s: no column \"%s\": the topic has no columns", source->name, missing);
    return EXIT_USAGE;
}

static int bind_where(const struct take *take, struct source *source)
{
    struct where_fault fault;
    char lines[256];
    int error = take->where && !source->where
                    ? where_bind(take->where, &source->columns, &source->where, &fault)
                    : 0;
    if (error == 0)
        return 0;
    if (error != -ENOENT)
        return fail(error, source);
    program_error("%s: --where: %s\n%s", source->name, fault.reason,
                  where_point(lines, take->where_text, &fault));
    return EXIT_USAGE;
}

/* Checks that one header fits all topics whose columns are known. */
static int compare_headers(const struct run *run, const struct source *source)
{
    const struct format *format = &run->take->format;
    for (size_t i = 0; i < run->take->topic_cnt && format_has_header(format); i++) {
        const struct source *other = &run->source[i];
        if (!other->columns.line || format_alike(format, &other->columns, &source->columns))
            continue;
        program_error("%s and %s have different columns, which one header cannot hold (use -f "
                      "json, or one topic at a time):\n  "
                      "%s: %.*s\n  %s: %.*s",
                      other->name, source->name, other->name, (int)other->columns.len,
                      other->columns.line, source->name, (int)source->columns.len,
                      source->columns.line);
        return EXIT_FAILED;
    }
    return 0;
}

static int bind_columns(struct run *run, struct source *source, int come)
{
    const struct take *take = run->take;
    uint32_t flags;
    if (source->columns.line)
        return 0;
    if (format_needs_columns(&take->format) || (take->where && where_names(take->where))) {
        ssize_t len = mr_topic_columns(source->topic, run->line, MR_COLUMNS_MAX, &flags);
        int error = len == -ENODATA ? 0 : (int)(len < 0 ? len : 0);
        if (len >= 0) { /* names may have been bound to a topic without columns */
            columns_free(&source->columns);
            where_unbind(source->where);
            source->where = NULL;
            error = columns_set(&source->columns, run->line,
                                (size_t)len < MR_COLUMNS_MAX ? (size_t)len : MR_COLUMNS_MAX, flags);
        }
        if (error < 0)
            return fail(error, source);
    }
    if (!source->columns.line && !come)
        return 0;
    int status = bind_format(&take->format, source);
    if (!status)
        status = bind_where(take, source);
    return status || !source->columns.line ? status : compare_headers(run, source);
}

void run_bind(struct run *run, struct source *source, int come)
{
    int status = bind_columns(run, source, come);
    if (status)
        run_end(run, status);
}

static_assert(JS_DEPTH_MAX == 256, "UNDECIDED says it");
int run_passes(const struct run *run, struct source *source, const struct mr_record *record)
{
    const struct take *take = run->take;
    int passes = take->where ? where_match(take->where, source->where, source->name, record) : 1;
    if (passes == 0 && !source->told_strangers && where_strangers(source->where) > 0) {
        source->told_strangers = 1;
        program_notice(
            "%s: --where names a column or member, but the topic has no columns, and the "
            "value at partition %" PRIu32 " offset %" PRIu64 " is not a JSON object",
            source->name, record->partition, record->offset);
    }
    return passes;
}
