/* header.c - the header line is checked before anything is sent, then kept with the topic. */
#include "header.h"
#include "csv.h"
#include "program.h"
#include "values.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SHOWN 1000

static int differ(const char *what, const char *line, size_t len, const char *other, const char *other_line, size_t other_len)
{
    mr_program_error("%s: the header is not that of %s:\n  %s: %.*s\n  %s: %.*s\n  Nothing of this "
                     "file was sent. Send it to another topic, or without its "
                     "header (--no-header and --skip 1).",
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
        return run_file_failed(in->name, -ENOMEM);
    memcpy(run->header, line, len);
    run->header_len = len;
    run->header_file = in->name;
    return 0;
}

int header_set_columns(struct run *run, const char *name, const char *line, size_t len, uint32_t flags)
{
    int error = run->topic ? mr_topic_set_columns(run->topic, line, len, flags) : 0;
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

/* COL of --timing, or COLxF; a column that is called like the whole of it comes first. */
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
    return run->time_column ? 0 : MR_EXIT_FAILED;
}

int header_find_columns(struct run *run, const struct input *in, const char *header, size_t len)
{
    const struct options *o = run->options;

    sender_format(&run->sender, in);
    if (o->key_column && !(run->sender.key_column = fields_find(&run->sender.fields, header, len, o->key_column)))
        return fields_no_such(&run->sender.fields, in->name, header ? header : "", len, o->key_column);
    return o->timing ? find_time(run, in->name, header, len) : 0;
}

int header_check(struct run *run, const struct input *in, const struct input_row *row)
{
    int status = same_header(run, in, row);

    return status ? status : header_find_columns(run, in, row->data + row->bom, row->len - row->bom);
}

int header_take(struct run *run, const struct input *in, const struct input_row *row)
{
    int status = header_check(run, in, row);
    uint32_t sep = (in->how.sep == ',' ? 0 : MR_SEPARATOR(in->how.sep)) | (in->how.format == INPUT_TSV ? MR_UNQUOTED : 0);

    return status ? status : header_set_columns(run, in->name, row->data, row->len, row->flags | sep);
}

int header_bad(const struct input *in, const struct input_row *row)
{
    mr_program_error("%s: line %llu, byte %llu: the header: %s", in->name, (unsigned long long)row->bad_line,
                     (unsigned long long)row->bad_byte, row->reason);
    return MR_EXIT_FAILED;
}
