#include "sender.h"
#include "csv.h"
#include "program.h"
#include "text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_SHOWN 64

/* ---- keys ------------------------------------------------------------------------------------------------------------ */

static int next_field(const struct sender *s, const char *row, size_t len, size_t *at, const char **field, size_t *field_len,
                      int *quoted)
{
    const char *stop;

    if (s->quotes)
        return mr_csv_field(row, len, s->sep, at, field, field_len, quoted);
    if (*at > len)
        return 0;
    *quoted = 0;
    *field = row + *at;
    stop = memchr(*field, s->sep, len - *at);
    *field_len = stop ? (size_t)(stop - *field) : len - *at;
    *at += *field_len + 1;
    return 1;
}

static int refuse_row(struct input_row *row, uint64_t byte, const char *reason)
{
    row->bad_line = row->line;
    row->bad_byte = byte;
    snprintf(row->reason, sizeof(row->reason), "%s", reason);
    return 1;
}

/* A quoted key with doubled quotes has to be written out, to where it stays until the batch is gone. The rows of a batch before
 * its last have less than SENDER_BATCH_BYTES together, so twice that is always enough, but for a key that is longer itself: it
 * ends its batch. */
static int unquote_key(struct sender *s, const char *field, size_t len, struct mr_message *message)
{
    char *to;

    if (len > SENDER_BATCH_BYTES) {
        if (!(to = realloc(s->long_key, len)))
            return -ENOMEM;
        s->long_key = to;
    } else {
        if (!s->keys && !(s->keys = malloc(2 * SENDER_BATCH_BYTES)))
            return -ENOMEM;
        to = s->keys + s->keys_used;
        s->keys_used += len;
    }
    message->key = to;
    message->key_len = (uint32_t)mr_csv_unquote(field, len, to);
    return 0;
}

static int key_from_column(struct sender *s, struct input_row *row, struct mr_message *message)
{
    const char *fields = row->data + row->bom, *field = NULL;
    size_t len = row->len - row->bom, at = 0, field_len = 0;
    int quoted = 0;
    char reason[96];

    for (int32_t i = 0; i < s->key_column; i++)
        if (!next_field(s, fields, len, &at, &field, &field_len, &quoted)) {
            snprintf(reason, sizeof(reason), "the row has %" PRId32 " columns, and column %" PRId32 " is to be its key", i,
                     s->key_column);
            return refuse_row(row, row->len + 1, reason);
        }
    if (quoted && memchr(field, '"', field_len))
        return unquote_key(s, field, field_len, message);
    message->key = field;
    message->key_len = (uint32_t)field_len;
    return 0;
}

static void key_from_line(const struct sender *s, struct mr_message *message)
{
    const char *line = message->value, *found = memmem(line, message->value_len, s->options->key_sep, s->options->key_sep_len);

    if (!found)
        return;
    message->key = line;
    message->key_len = (uint32_t)(found - line);
    message->value = found + s->options->key_sep_len;
    message->value_len -= message->key_len + (uint32_t)s->options->key_sep_len;
}

static void name_columns(const struct sender *s, const char *header, size_t len, const char **names, char *room)
{
    const char *field;
    size_t at = 0, field_len, n = 0;
    int quoted;

    while (n < COLUMNS_SHOWN && next_field(s, header, len, &at, &field, &field_len, &quoted)) {
        names[n++] = room;
        if (quoted)
            field_len = mr_csv_unquote(field, field_len, room);
        else
            memcpy(room, field, field_len);
        room += field_len;
        *room++ = '\0';
    }
    names[n] = NULL;
}

static int no_such_column(const struct sender *s, const char *file, const char *header, size_t len)
{
    const char *names[COLUMNS_SHOWN + 1], *near;
    char *room = malloc(2 * len + 2);

    if (!room) {
        mr_program_fail(-ENOMEM, "%s", file);
        return MR_EXIT_FAILED;
    }
    name_columns(s, header, len, names, room);
    near = mr_text_suggest(s->options->key_column, names);
    if (near)
        mr_program_error("%s: no column \"%s\" (did you mean \"%s\"?)", file, s->options->key_column, near);
    else
        mr_program_error("%s: no column \"%s\"; the header is: %.*s", file, s->options->key_column, len > 1000 ? 1000 : (int)len,
                         header);
    free(room);
    return MR_EXIT_FAILED;
}

/* A field of the header against a name; the unquoted form counts. */
static int field_is(const char *field, size_t len, int quoted, const char *name)
{
    for (size_t i = 0; i < len; i++, name++) {
        if (*name != field[i])
            return 0;
        if (quoted && field[i] == '"')
            i++;
    }
    return *name == '\0';
}

int sender_find_column(struct sender *s, const char *file, const char *header, size_t header_len)
{
    const char *wanted = s->options->key_column, *field;
    size_t at = 0, len;
    int32_t number = 0;
    int quoted;

    while (header && next_field(s, header, header_len, &at, &field, &len, &quoted)) {
        number++;
        if (field_is(field, len, quoted, wanted)) {
            s->key_column = number;
            return 0;
        }
    }
    if (wanted[strspn(wanted, "0123456789")] == '\0' && strlen(wanted) <= 9 && atoi(wanted) > 0 &&
        (!header || atoi(wanted) <= number)) {
        s->key_column = atoi(wanted);
        return 0;
    }
    return no_such_column(s, file, header ? header : "", header_len);
}

/* ---- batches --------------------------------------------------------------------------------------------------------- */

void sender_format(struct sender *s, const struct input *in)
{
    s->sep = in->how.sep;
    s->quotes = in->how.format == INPUT_CSV;
}

int sender_full(const struct sender *s)
{
    return s->batch_cnt == SENDER_BATCH || s->batch_bytes >= SENDER_BATCH_BYTES;
}

static int fill_message(struct sender *s, struct input_row *row, struct mr_message *message)
{
    const struct options *o = s->options;
    char reason[sizeof(row->reason)];
    uint64_t size;
    int result = 0;

    if (row->len > s->record_max || row->len > UINT32_MAX) {
        snprintf(reason, sizeof(reason), "the row is %zu bytes long, the most that one record can have is %" PRIu64, row->len,
                 s->record_max);
        return refuse_row(row, 1, reason);
    }
    *message = (struct mr_message){
        .value = row->data,
        .value_len = (uint32_t)row->len,
        .headers = o->headers,
        .headers_len = (uint16_t)o->headers_len,
        .flags = row->flags,
        .partition = o->partition,
        .offset = MR_OFFSET_NONE,
    };
    if (o->key) {
        message->key = o->key;
        message->key_len = (uint32_t)strlen(o->key);
    } else if (o->key_sep) {
        key_from_line(s, message);
    } else if (s->key_column) {
        result = key_from_column(s, row, message);
    }
    size = (uint64_t)message->key_len + message->headers_len + message->value_len;
    if (!result && size > s->record_max) {
        snprintf(reason, sizeof(reason),
                 "the row with its key and headers is %" PRIu64 " bytes long, the most that one record can have is %" PRIu64,
                 size, s->record_max);
        result = refuse_row(row, 1, reason);
    }
    return result;
}

int sender_prepare(struct sender *s, struct input_row *row)
{
    struct mr_message *message = &s->batch[s->batch_cnt];
    int result = fill_message(s, row, message);

    if (result)
        return result;
    s->batch_cnt++;
    s->batch_bytes += (size_t)message->key_len + message->value_len + MR_RECORD_OVERHEAD;
    return 0;
}

/* ---- answers --------------------------------------------------------------------------------------------------------- */

static int write_copy(const struct sender *s, const struct mr_message *message)
{
    static const char ends[] = "\r\n";
    unsigned eol = message->flags & MR_EOL_MASK;

    if (s->options->ids)
        return printf("%" PRId32 " %" PRIu64 "\n", message->partition, message->offset) < 0;
    if (message->key && s->options->key_sep) { /* the line as it was: key and separator lie before the value */
        const char *line = message->key;
        size_t len = (size_t)((const char *)message->value - line) + message->value_len;

        if (fwrite(line, 1, len, stdout) != len)
            return 1;
    } else if (message->value_len && fwrite(message->value, 1, message->value_len, stdout) != message->value_len) {
        return 1;
    }
    if (eol == MR_EOL_LF && s->options->delimiter)
        return fwrite(s->options->delimiter, 1, s->options->delimiter_len, stdout) != s->options->delimiter_len;
    if (eol == MR_EOL_LF)
        return putchar('\n') == EOF;
    return eol == MR_EOL_CRLF && fputs(ends, stdout) == EOF;
}

/* Counts what was accepted, and moves the others to the front of the batch, in order. Returns 0 or an exit status. */
static int settle(struct sender *s)
{
    int copy = s->options->tee || s->options->ids, failed = 0, error;
    size_t left = 0;

    for (size_t i = 0; i < s->batch_cnt; i++) {
        struct mr_message *message = &s->batch[i];

        if (s->producer && message->offset == MR_OFFSET_NONE) {
            message->partition = s->options->partition;
            s->batch[left++] = *message;
            continue;
        }
        s->records++;
        s->bytes += message->value_len;
        if (copy && !failed)
            failed = write_copy(s, message);
    }
    s->batch_cnt = left;
    if (!copy || (!failed && fflush(stdout) == 0))
        return 0;
    error = errno;
    if (error == EPIPE)
        return MR_EXIT_SIGPIPE;
    mr_program_error("standard output: %s", strerror(error));
    return MR_EXIT_FAILED;
}

/* Says why the topic takes no more, and how far it got. */
static int refused(const struct sender *s, int error)
{
    char after[32];

    switch (error) {
    case -EINTR:
        break; /* who pressed the key knows */
    case -EAGAIN:
        mr_program_error("%s: full after %" PRIu64 " accepted records (start a consumer%s)", s->topic, s->records,
                         s->options->timeout_ns == 0 ? ", or leave out --fail-if-full to wait for one"
                                                     : "; this topic does not let wait");
        return MR_EXIT_TIMEOUT;
    case -ETIMEDOUT:
        mr_program_error("%s: full for %s after %" PRIu64 " accepted records: gave up (./broker status shows who holds them)",
                         s->topic, mr_text_ns(after, (uint64_t)s->options->timeout_ns), s->records);
        return MR_EXIT_TIMEOUT;
    default:
        mr_program_fail(error, "%s: after %" PRIu64 " accepted records", s->topic, s->records);
        break;
    }
    return mr_program_exit_for(error);
}

int sender_flush(struct sender *s)
{
    int64_t limit = s->options->timeout_ns, timeout = limit;
    int status = 0;

    while (s->batch_cnt && !status) {
        ssize_t n = s->producer ? mr_append(s->producer, s->batch, s->batch_cnt, timeout) : (ssize_t)s->batch_cnt;

        if (n == -EAGAIN && timeout != limit)
            n = -ETIMEDOUT;
        status = n < 0 ? refused(s, (int)n) : settle(s);
        if (!status && s->batch_cnt && mr_program_stop)
            status = refused(s, -EINTR);
        /* Some were accepted, then the time went by: that the topic is still full is seen without waiting so long again. */
        timeout = timeout == limit && limit > 0 ? 0 : limit;
    }
    s->batch_cnt = s->batch_bytes = s->keys_used = 0;
    return status;
}

void sender_free(struct sender *s)
{
    free(s->keys);
    free(s->long_key);
    s->keys = s->long_key = NULL;
}
