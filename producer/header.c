/* header.c - the header line is checked before anything is sent, then kept with the topic. */
#include "header.h"
#include "cli/program.h"
#include "input/open.h"
#include "text/csv.h"
#include "text/text.h"
#include "values.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SHOWN 1000

/* A header line without byte order mark, and its origin. */
struct line {
    const char *where, *text;
    size_t len;
    uint32_t flags; /* as mr_topic_set_columns takes them */
};

static int shown_len(const struct line *line)
{
    return line->len > HEADER_SHOWN ? HEADER_SHOWN : (int)line->len;
}

static const char *how_written(char buf[static 64], uint32_t flags)
{
    const char *quotes = flags & MR_UNQUOTED ? ", quotes mean nothing" : "";

    if (MR_SEPARATOR_OF(flags) == '\t')
        snprintf(buf, 64, "separated by tabs%s", quotes);
    else
        snprintf(buf, 64, "separated by \"%c\"%s", MR_SEPARATOR_OF(flags), quotes);
    return buf;
}

/* Reports how two headers differ. Returns EXIT_FAILED. */
static int differ(const struct line *line, const struct line *other, int guessed)
{
    char how[64], other_how[64];

    if (line->len == other->len && line->text && other->text &&
        memcmp(line->text, other->text, line->len) == 0)
        program_error("%s: the header is the same as that of %s, but its fields are written "
                      "differently:\n  %s: %s\n  %s: %s\n  Nothing of this file was sent. Read "
                      "both the same way (-i csv, -i tsv, --sep), or send it to another topic.",
                      line->where, other->where, line->where, how_written(how, line->flags),
                      other->where, how_written(other_how, other->flags));
    else
        program_error(
            "%s: the header differs from that of %s:\n  %s: %.*s\n  %s: %.*s\n  Nothing of this "
            "file was sent. %s",
            line->where, other->where, line->where, shown_len(line), line->text, other->where,
            shown_len(other), other->text,
            guessed
                ? "If it has no header: -i csv --no-header. If it is not CSV: -i lines."
                : "Send it to another topic, or without its header (--no-header and --skip 1).");
    return EXIT_FAILED;
}

uint32_t header_flags(const struct input *in)
{
    return (in->how.sep == ',' ? 0 : MR_SEPARATOR(in->how.sep)) |
           (in->how.format == INPUT_TSV ? MR_UNQUOTED : 0);
}

/* All FILEs must have the header of the first one. A byte order mark is ignored. */
static int same_header(struct run *run, const struct input *in, const struct input_row *row)
{
    struct line line = {in->name, row->data + row->bom, row->len - row->bom, header_flags(in)};
    struct line first = {run->header_file, run->header, run->header_len, run->header_flags};

    if (run->header) {
        if (line.len == first.len && memcmp(line.text, first.text, line.len) == 0 &&
            MR_SAME_FIELDS(line.flags, first.flags))
            return 0;
        return differ(&line, &first, in->how.guessed);
    }
    if (!(run->header = malloc(line.len + 1)))
        return run_file_failed(in->name, -ENOMEM);
    memcpy(run->header, line.text, line.len);
    run->header_len = line.len;
    run->header_flags = line.flags;
    run->header_file = in->name;
    return 0;
}

int header_set_columns(struct run *run, const char *name, const char *text, size_t len,
                       uint32_t flags)
{
    int error = run->topic ? mr_topic_set_columns(run->topic, text, len, flags) : 0;
    char topic[MR_TOPIC_NAME_MAX + 16], *other;
    uint32_t other_flags;
    ssize_t other_len;

    if (error == 0)
        return 0;
    if (error == -EMSGSIZE)
        program_error("%s: the header is %zu bytes long, a topic keeps %u at most (--no-header "
                      "makes it a record)",
                      name, len, MR_COLUMNS_MAX);
    else if (error != -EEXIST)
        program_fail(error, "%s: header", run->options->topic);
    if (error != -EEXIST || !(other = malloc(MR_COLUMNS_MAX)))
        return error == -EEXIST || error == -EMSGSIZE ? EXIT_FAILED : program_exit_for(error);
    other_len = mr_topic_columns(run->topic, other, MR_COLUMNS_MAX, &other_flags);
    if (other_len >= 0) {
        size_t bom = csv_bom(text, len), other_bom = csv_bom(other, (size_t)other_len);

        snprintf(topic, sizeof(topic), "topic %s", run->options->topic);
        differ(&(struct line){name, text + bom, len - bom, flags},
               &(struct line){topic, other + other_bom, (size_t)other_len - other_bom, other_flags},
               run->guess.guessed);
    }
    free(other);
    return EXIT_FAILED;
}

int header_of_topic(struct run *run)
{
    char *line = run->topic ? malloc(MR_COLUMNS_MAX) : NULL;
    ssize_t len =
        line ? mr_topic_columns(run->topic, line, MR_COLUMNS_MAX, &run->columns.flags) : -ENODATA;
    size_t bom;

    if (run->topic && !line)
        len = -ENOMEM;
    if (len < 0) {
        free(line);
        if (len == -ENODATA)
            return 0;
        program_fail((int)len, "%s: header", run->options->topic);
        return program_exit_for((int)len);
    }
    bom = csv_bom(line, (size_t)len);
    memmove(line, line + bom, (size_t)len - bom);
    run->columns.line = line;
    run->columns.len = (size_t)len - bom;
    return 0;
}

int header_other_fields(const struct run *run, const struct input *in)
{
    char how[64], other_how[64];

    program_error("%s: its fields are %s, those of topic %s are %s; read it the same way (-i csv, "
                  "-i tsv, --sep), or send it to another topic",
                  in->name, how_written(how, header_flags(in)), run->options->topic,
                  how_written(other_how, run->columns.flags));
    return EXIT_FAILED;
}

/* COL of --timing, or COLxF; a column whose name is the whole text takes precedence. */
static int find_time(struct run *run, const char *name, const char *header, size_t len)
{
    const char *timing = run->options->timing, *x = strrchr(timing, 'x');
    double factor = 1;
    char *column;

    run->time_column = fields_find(&run->sender.fields, header, len, timing);
    if (!run->time_column && x && x > timing && value_factor(x + 1, &factor) == 0) {
        if (!(column = strndup(timing, (size_t)(x - timing))))
            return run_file_failed(name, -ENOMEM);
        run->time_column = fields_find(&run->sender.fields, header, len, column);
        if (!run->time_column)
            fields_no_such(&run->sender.fields, name, header ? header : "", len, column);
        free(column);
    } else if (!run->time_column) {
        fields_no_such(&run->sender.fields, name, header ? header : "", len, timing);
    }
    run->pace.factor = factor;
    return run->time_column ? 0 : EXIT_FAILED;
}

int header_find_columns(struct run *run, const struct input *in, const char *header, size_t len)
{
    const struct options *o = run->options;

    sender_format(&run->sender, in);
    if (o->key_column &&
        !(run->sender.key_column = fields_find(&run->sender.fields, header, len, o->key_column)))
        return fields_no_such(&run->sender.fields, in->name, header ? header : "", len,
                              o->key_column);
    return o->timing ? find_time(run, in->name, header, len) : 0;
}

int header_check(struct run *run, const struct input *in, const struct input_row *row)
{
    int status = same_header(run, in, row);

    header_expect(run, row->data, row->len, csv_sep(header_flags(in)));
    return status ? status
                  : header_find_columns(run, in, row->data + row->bom, row->len - row->bom);
}

int header_take(struct run *run, const struct input *in, const struct input_row *row)
{
    int status = header_check(run, in, row);

    if (status)
        return status;
    return header_set_columns(run, in->name, row->data, row->len, row->flags | header_flags(in));
}

int header_bad(const struct input *in, const struct input_row *row)
{
    program_error("%s: line %llu, byte %llu: the header: %s", in->name,
                  (unsigned long long)row->bad_line, (unsigned long long)row->bad_byte,
                  row->reason);
    return EXIT_FAILED;
}

/* ---- rows with more or fewer fields ---- */

void header_expect(struct run *run, const char *line, size_t len, int sep)
{
    run->uneven.field_cnt = line ? csv_count(line, len, sep) : 0;
    run->uneven.sep = sep;
}

__attribute__((cold)) int header_uneven(struct run *run, const struct input *in,
                                        struct input_row *row, size_t field_cnt)
{
    struct uneven *uneven = &run->uneven;
    char reason[96];

    if (run->options->strict) {
        snprintf(reason, sizeof(reason), "the row has %zu field%s, but the header has %zu",
                 field_cnt, field_cnt == 1 ? "" : "s", uneven->field_cnt);
        return sender_refuse(row, 1, reason);
    }
    if (!uneven->first_line) {
        uneven->first_file = in->name;
        uneven->first_line = row->line;
    }
    uneven->fewer += field_cnt < uneven->field_cnt;
    uneven->more += field_cnt > uneven->field_cnt;
    return 0;
}

void header_report(const struct run *run)
{
    const struct uneven *uneven = &run->uneven;
    char fewer[32], more[32];

    if (uneven->first_line)
        program_notice("%s: %s row%s with fewer fields than the header and %s with more %s "
                       "sent, the first from "
                       "line %llu of %s (--strict makes them bad rows)",
                       run->options->topic, text_grouped(fewer, uneven->fewer),
                       uneven->fewer == 1 ? "" : "s", text_grouped(more, uneven->more),
                       uneven->fewer + uneven->more == 1 ? "was" : "were",
                       (unsigned long long)uneven->first_line, uneven->first_file);
}
