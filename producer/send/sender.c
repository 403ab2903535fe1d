#include "sender.h"
#include "cli/program.h"
#include "join.h"
#include "text/csv.h"
#include "text/text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sender_refuse(struct input_row *row, uint64_t byte, const char *reason)
{
    row->bad_line = row->line;
    row->bad_byte = byte;
    snprintf(row->reason, sizeof(row->reason), "%s", reason);
    return 1;
}

/* ---- keys ---- */

static int key_from_column(struct sender *s, struct input_row *row, struct mr_message *message)
{
    struct csv_field key = {0};
    int32_t found =
        fields_get(&s->fields, row->data + row->bom, row->len - row->bom, s->key_column, &key);
    char reason[96], *to;

    if (found < s->key_column) {
        snprintf(reason, sizeof(reason),
                 "the row has %" PRId32 " columns, and its key is expected in column %" PRId32,
                 found, s->key_column);
        return sender_refuse(row, row->len + 1, reason);
    }
    if (key.quoted && memchr(key.text, '"', key.len)) {
        if (!(to = arena_take(&s->arena, key.len)))
            return -ENOMEM;
        key.len = csv_unquote(key.text, key.len, to);
        key.text = to;
    }
    message->key = key.text;
    message->key_len = (uint32_t)key.len;
    return 0;
}

static void key_from_line(const struct sender *s, struct mr_message *message)
{
    const char *line = message->value,
               *found = memmem(line, message->value_len, s->options->key_sep.text,
                               s->options->key_sep.len);

    if (!found)
        return;
    message->key = line;
    message->key_len = (uint32_t)(found - line);
    message->value = found + s->options->key_sep.len;
    message->value_len -= message->key_len + (uint32_t)s->options->key_sep.len;
}

/* ---- messages ---- */

/* Cold: inlined, its text would take stack space for every row. */
__attribute__((cold)) static int too_long(const struct sender *s, struct input_row *row,
                                          const char *what, uint64_t size)
{
    char reason[sizeof(row->reason)];

    snprintf(reason, sizeof(reason),
             "%s %" PRIu64 " bytes long; the limit for a record is %" PRIu64, what, size,
             s->record_max);
    return sender_refuse(row, 1, reason);
}

static int message_of_row(struct sender *s, struct input_row *row, struct mr_message *message)
{
    if (row->len > s->record_max || row->len > UINT32_MAX)
        return too_long(s, row, "the row is", row->len);
    *message = s->blank;
    message->value = row->data;
    message->value_len = (uint32_t)row->len;
    message->flags = row->flags;
    if (message->key)
        return 0;
    if (s->options->key_sep.text)
        key_from_line(s, message);
    else if (s->key_column)
        return key_from_column(s, row, message);
    return 0;
}

/* The envelope's headers, then those of -H. */
static int join_headers(struct sender *s, struct input_row *row, struct envelope *envelope)
{
    size_t more = s->options->headers_len;
    char *to;

    if (!more)
        return 0;
    if (envelope->headers_len + more > MR_HEADERS_MAX)
        return sender_refuse(row, 1, "its headers together with those of -H are too large");
    if (!(to = arena_take(&s->arena, envelope->headers_len + more)))
        return -ENOMEM;
    if (envelope->headers_len)
        memcpy(to, envelope->headers, envelope->headers_len);
    memcpy(to + envelope->headers_len, s->options->headers, more);
    envelope->headers = to;
    envelope->headers_len += more;
    return 0;
}

/* Where -p sends a record. */
static uint32_t asked_partition(const struct sender *s)
{
    int32_t partition = s->options->partition;
    return partition == PARTITION_ANY ? MR_ANY : MR_PARTITION(partition);
}

static int message_of_envelope(struct sender *s, struct input_row *row, struct mr_message *message)
{
    struct envelope envelope;
    struct envelope_fault fault;
    int result = envelope_read(row->data + row->bom, row->len - row->bom, &s->columns, &s->arena,
                               &envelope, &fault);

    if (result > 0)
        return sender_refuse(row, row->bom + fault.byte, fault.reason);
    if (!result)
        result = join_headers(s, row, &envelope);
    if (result)
        return result;
    if (envelope.value_len > s->record_max || envelope.key_len > s->record_max ||
        envelope.value_len + envelope.key_len > UINT32_MAX)
        return too_long(s, row, "the record is", envelope.value_len + envelope.key_len);
    *message = (struct mr_message){
        .value = envelope.value,
        .value_len = (uint32_t)envelope.value_len,
        .key = envelope.key,
        .key_len = (uint32_t)envelope.key_len,
        .headers = envelope.headers,
        .headers_len = (uint16_t)envelope.headers_len,
        .flags = envelope.flags,
        .ts_ns = envelope.ts_ns,
        .partition = asked_partition(s),
    };
    /* A key determines the partition, for any number of partitions; without one the record may
     * stay in its previous partition. */
    if (message->partition == MR_ANY && !message->key && envelope.partition < s->partitions)
        message->partition = MR_PARTITION(envelope.partition);
    return 0;
}

void sender_format(struct sender *s, const struct input *in)
{
    s->fields = (struct fields){.sep = in->how.sep, .quotes = in->how.format == INPUT_CSV};
    s->envelopes = in->how.format == INPUT_ENVELOPES;
    s->blank = (struct mr_message){
        .key = s->options->key,
        .key_len = s->options->key ? (uint32_t)strlen(s->options->key) : 0,
        .headers = s->options->headers,
        .headers_len = (uint16_t)s->options->headers_len,
        .partition = asked_partition(s),
    };
}

int sender_prepare(struct sender *s, struct input_row *row)
{
    struct mr_message *message = &s->batch[s->batch_cnt];
    int result =
        s->envelopes ? message_of_envelope(s, row, message) : message_of_row(s, row, message);
    uint64_t size;

    if (result)
        return result;
    size = (uint64_t)message->key_len + message->headers_len + message->value_len;
    if (size > s->record_max)
        return too_long(s, row, "the row with its key and headers is", size);
    if (s->resume) {
        uint32_t p = resume_place(s->resume, message->partition, message->key, message->key_len);
        message->partition = MR_PARTITION(p);
        if (resume_has(s->resume, p))
            return SENDER_PASSED;
        s->progress[s->batch_cnt] = resume_note(s->resume, row->data, row->len);
    }
    message->offset = MR_OFFSET_NONE;
    s->rows[s->batch_cnt] =
        (struct sender_row){.line = row->data, .len = row->len, .eol = row->flags};
    s->batch_cnt++;
    s->batch_bytes += row->len + message->key_len + message->headers_len + MR_RECORD_OVERHEAD;
    return 0;
}

/* ---- answers ---- */

static int write_copy(const struct sender *s, const struct mr_message *message,
                      const struct sender_row *row)
{
    size_t end_len;
    const char *end = options_line_end(s->options, row->eol, &end_len);

    if (s->options->ids)
        return printf("%" PRIu32 " %" PRIu64 "\n", message->placed, message->offset) < 0;
    return (row->len && fwrite(row->line, 1, row->len, stdout) != row->len) ||
           fwrite(end, 1, end_len, stdout) != end_len;
}

/* Counts what was accepted, and moves the others to the front of the batch, in order. Returns 0 or
 * an exit status. */
static int settle(struct sender *s)
{
    int copy = s->options->tee || s->options->ids, failed = 0, error;
    size_t left = 0;

    for (size_t i = 0; i < s->batch_cnt; i++) {
        struct mr_message *message = &s->batch[i];

        if (s->producer && message->offset == MR_OFFSET_NONE) {
            s->rows[left] = s->rows[i];
            s->progress[left] = s->progress[i];
            s->batch[left++] = *message;
            continue;
        }
        s->records++;
        s->bytes += message->value_len;
        if (copy && !failed)
            failed = write_copy(s, message, &s->rows[i]);
    }
    s->batch_cnt = left;
    if (!copy || (!failed && fflush(stdout) == 0))
        return 0;
    error = errno;
    if (error == EPIPE)
        return EXIT_SIGPIPE;
    program_error("standard output: %s", strerror(error));
    return EXIT_FAILED;
}

/* Reports why the topic accepts no more, and how many records it accepted. */
static int refused(const struct sender *s, int error)
{
    char after[32];

    switch (error) {
    case -EINTR:
        break; /* the user knows */
    case -EUSERS:
        return resume_no_room(s->resume, s->topic);
    case -EAGAIN:
        program_error("%s: full after %" PRIu64 " accepted records (start a consumer%s)", s->topic,
                      s->records,
                      s->options->timeout_ns == 0 ? ", or leave out --fail-if-full to wait"
                                                  : "; the topic rejects when full (full=fail)");
        return EXIT_TIMEOUT;
    case -ETIMEDOUT:
        program_error("%s: full for %s after %" PRIu64
                      " accepted records: gave up (broker status shows which consumer holds them)",
                      s->topic, text_ns(after, (uint64_t)s->options->timeout_ns), s->records);
        return EXIT_TIMEOUT;
    default:
        program_fail(error, "%s: after %" PRIu64 " accepted records", s->topic, s->records);
        break;
    }
    return program_exit_for(error);
}

static ssize_t append(struct sender *s, int64_t timeout)
{
    if (s->sealed)
        return -EPIPE;
    if (!s->producer)
        return (ssize_t)s->batch_cnt;
    if (s->resume)
        return mr_producer_append_from(s->producer, s->batch, s->progress, s->batch_cnt, timeout);
    return mr_producer_append(s->producer, s->batch, s->batch_cnt, timeout);
}

int sender_flush(struct sender *s)
{
    int64_t limit = s->options->timeout_ns, timeout = limit;
    int status = 0;

    while (s->batch_cnt && !status) {
        ssize_t n = append(s, timeout);

        if (n == -EAGAIN && timeout != limit)
            n = -ETIMEDOUT;
        status = n < 0 ? refused(s, (int)n) : settle(s);
        if (!status && s->batch_cnt && program_stop)
            status = refused(s, -EINTR);
        /* Some were accepted before the timeout: do not wait that long again to see that the
         * topic is still full. */
        timeout = timeout == limit && limit > 0 ? 0 : limit;
    }
    s->batch_cnt = s->batch_bytes = 0;
    arena_reset(&s->arena);
    return status;
}

/* ---- the producer ---- */

int sender_open(struct sender *s, struct mr_topic *topic, uint64_t source)
{
    const struct mr_producer_options options = {.source = source};
    struct mr_producer *producer = NULL;
    int error = mr_producer_open(topic, &options, &producer), status;

    s->sealed = error == -EPIPE && s->resume && s->resume->furthest;
    if (error && !s->sealed) {
        program_fail(error, "%s", s->topic);
        return program_exit_for(error);
    }
    /* only now, so that between two FILEs there is always a producer, for consumer --drain */
    status = sender_close(s, 0);
    s->handle = topic;
    s->producer = producer;
    return status;
}

static int join(const struct sender *s)
{
    int64_t timeout = s->options->timeout_ns > 0 ? s->options->timeout_ns : -1;
    int error = s->producer ? mr_producer_join(s->producer, timeout) : 0;
    char after[32];

    if (!error && s->resume && s->resume->passed)
        error = join_all(s->handle, timeout);
    if (error == -ETIMEDOUT)
        program_error("%s: not acknowledged by all groups within %s (broker lag %s shows which)",
                      s->topic, text_ns(after, (uint64_t)timeout), s->topic);
    else if (error && error != -EINTR)
        program_fail(error, "%s: --join", s->topic);
    return program_exit_for(error);
}

int sender_close(struct sender *s, int status)
{
    struct mr_producer_stats stats = {0};

    if (!status && s->options->join && s->handle)
        status = join(s);
    if (!s->producer)
        return status;
    mr_producer_stats(s->producer, &stats);
    s->blocked_ns += stats.blocked_ns;
    mr_producer_close(s->producer);
    s->producer = NULL;
    return status;
}

void sender_free(struct sender *s)
{
    arena_free(&s->arena);
    envelope_columns_free(&s->columns);
}
