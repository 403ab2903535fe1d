#include "into.h"
#include "cli/program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int attach(struct worker *worker)
{
    return worker->producer ? 0 : mr_producer_open(worker->workers->into, NULL, &worker->producer);
}

int into_open(struct workers *workers, struct worker *first)
{
    const struct command *command = workers->command;
    int status =
        program_open_topic(workers->run->bus, command->into, 1, command->wait_ns, &workers->into);
    if (status)
        return status;
    int error = attach(first);
    if (!error)
        return 0;
    if (error != -EINTR)
        program_fail(error, "--into %s", command->into);
    return program_exit_for(error);
}

struct lines {
    const char *at, *end;
    const char *delimiter; /* NULL: LF or CRLF, as the producer reads lines */
    size_t delimiter_len;  /* 0: all of it is one */
};

/* Returns 1; 0 no more. */
static int next_line(struct lines *lines, struct mr_message *line)
{
    const char *from = lines->at;
    size_t left = (size_t)(lines->end - from), n = lines->delimiter ? lines->delimiter_len : 1;
    if (left == 0)
        return 0;
    const char *end = n == 0             ? NULL
                      : lines->delimiter ? memmem(from, left, lines->delimiter, n)
                                         : memchr(from, '\n', left);
    size_t len = end ? (size_t)(end - from) : left;
    lines->at = end ? end + n : lines->end;
    line->value = from;
    line->flags = end ? MR_EOL_LF : MR_EOL_NONE;
    if (end && !lines->delimiter && len > 0 && from[len - 1] == '\r') {
        len--;
        line->flags = MR_EOL_CRLF;
    }
    line->value_len = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX;
    return 1;
}

static struct lines lines_of(const struct worker *worker)
{
    const struct format *format = &worker->workers->run->take->format;
    const struct child_output *output = &worker->output;
    int plain =
        format->kind != FORMAT_RAW || (format->delimiter_len == 1 && format->delimiter[0] == '\n');
    return (struct lines){.at = output->text,
                          .end = output->text + output->len,
                          .delimiter = plain ? NULL : format->delimiter,
                          .delimiter_len = format->delimiter_len};
}

/* Of n lines, the longest of longest bytes with its key and headers: do they fit into the topic? */
static int check_size(const struct worker *worker, uint64_t n, uint64_t longest, char *reason,
                      size_t cap)
{
    const struct mr_topic *into = worker->workers->into;
    struct mr_settings settings = {0};
    mr_topic_settings(into, &settings);
    if (longest > mr_topic_record_max(into)) {
        snprintf(reason, cap,
                 "a record of its output has %" PRIu64 " bytes, one of %s can have %" PRIu64,
                 longest, mr_topic_name(into), mr_topic_record_max(into));
        return -EMSGSIZE;
    }
    /* each is rounded up to a page */
    if (n > settings.size_bytes / settings.partitions / MR_RECORD_OVERHEAD + 128) {
        snprintf(reason, cap, "its output of %" PRIu64 " records does not fit into %s", n,
                 mr_topic_name(into));
        return -EMSGSIZE;
    }
    return 0;
}

int into_append(struct worker *worker, struct mr_consumer *consumer, const struct mr_record *like,
                char *reason, size_t cap)
{
    const char *topic = worker->workers->command->into;
    struct lines lines = lines_of(worker);
    struct mr_message line;
    uint64_t n = 0, longest = 0,
             beside = like ? (uint64_t)like->headers_len + (like->key ? like->key_len : 0) : 0;
    while (next_line(&lines, &line)) {
        n++;
        longest = line.value_len + beside > longest ? line.value_len + beside : longest;
    }
    int error = check_size(worker, n, longest, reason, cap);
    if (error < 0)
        return error;
    struct mr_message *messages = n ? calloc(n, sizeof *messages) : NULL;
    error = n && !messages ? -ENOMEM : attach(worker);
    lines = lines_of(worker);
    for (uint64_t i = 0; i < n && !error; i++) {
        messages[i] = (struct mr_message){.offset = MR_OFFSET_NONE};
        next_line(&lines, &messages[i]);
        if (!like)
            continue;
        messages[i].key = like->key;
        messages[i].key_len = like->key ? like->key_len : 0;
        messages[i].headers = like->headers;
        messages[i].headers_len = like->headers_len;
    }
    if (!error)
        error = mr_consumer_ack_with(consumer, worker->producer, messages, n, -1);
    free(messages);
    if (error == -EMSGSIZE)
        snprintf(reason, cap, "its output does not fit into %s in one step", topic);
    else if (error < 0)
        snprintf(reason, cap, "--into %s: %s", topic, mr_strerror(error));
    return error;
}
