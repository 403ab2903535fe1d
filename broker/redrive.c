/* redrive.c - sends dead letters back to their topic, each in one step with its acknowledgement:
 * exactly once, whenever this is killed. */
#include "cli/program.h"
#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP "redrive" /* of the dead-letter topic: remembers which records were sent back */

/* 1 for a header that dead-lettering has added to the record's own. */
static int says_why(const char *name, size_t len)
{
    static const char *const added[] = {"mr-reason", "mr-topic", "mr-partition", "mr-offset",
                                        "mr-tries",  "mr-pid",   "mr-time"};
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        if (len == strlen(added[i]) && memcmp(name, added[i], len) == 0)
            return 1;
    return 0;
}

/* Restores the message that a dead letter was made of. headers: MR_HEADERS_MAX bytes. Returns 0
 * or -EBADMSG. */
static int as_it_was(const struct mr_record *letter, uint32_t partitions, unsigned char *headers,
                     struct mr_message *out)
{
    struct mr_header header;
    size_t at = 0, used = 0;
    int more;
    *out = (struct mr_message){.value = letter->value,
                               .value_len = letter->value_len,
                               .key = letter->key,
                               .key_len = letter->key_len,
                               .flags = letter->flags,
                               .ts_ns = letter->ts_ns};
    for (size_t begin = 0;
         (more = mr_header_next(letter->headers, letter->headers_len, &at, &header)) == 1;
         begin = at) {
        if (!says_why(header.name, header.name_len)) {
            memcpy(headers + used, (const unsigned char *)letter->headers + begin, at - begin);
            used += at - begin;
        } else if (header.name_len == strlen("mr-partition") &&
                   memcmp(header.name, "mr-partition", header.name_len) == 0 &&
                   header.value_len < 10) {
            char text[16] = {0};
            memcpy(text, header.value, header.value_len);
            unsigned long partition = strtoul(text, NULL, 10);
            if (partition < partitions)
                out->partition = MR_PARTITION(partition);
        }
    }
    out->headers = headers;
    out->headers_len = (uint16_t)used;
    return more;
}

static int send_back(struct mr_consumer *from, struct mr_producer *to, uint32_t partitions,
                     uint64_t *cnt)
{
    static unsigned char headers[MR_HEADERS_MAX];
    struct mr_record letter;
    struct mr_message message;
    for (;;) {
        ssize_t n = mr_consumer_claim(from, 0, 0);
        if (n <= 0)
            return n == -ETIMEDOUT || n == -ENODATA ? 0 : (int)n;
        int more;
        while ((more = mr_consumer_next(from, &letter)) == 1) {
            int error = as_it_was(&letter, partitions, headers, &message);
            if (!error)
                error = mr_consumer_ack_with(from, to, &message, 1, -1);
            if (error)
                return error;
            ++*cnt;
        }
        if (more < 0)
            return more;
    }
}

int command_redrive(const struct command_line *line)
{
    char name[MR_TOPIC_NAME_MAX + 8];
    struct mr_consumer_options options = {.group = GROUP,
                                          .name = "broker redrive",
                                          .flags = MR_UNTIL_END,
                                          .window = 100,
                                          .tries = 1000};
    struct mr_settings settings = {0};
    struct mr_bus *bus;
    struct mr_topic *topic = NULL, *dead = NULL;
    struct mr_producer *to = NULL;
    struct mr_consumer *from = NULL;
    uint64_t cnt = 0;
    int error = 0, status = command_connect(line, 0, &bus);
    if (status)
        return status;
    status = command_topic(bus, line->operands[0], &topic);
    if (status)
        goto disconnect;
    snprintf(name, sizeof name, "%s.dead", line->operands[0]);
    error = mr_topic_open(bus, name, &dead);
    if (!error) {
        mr_topic_settings(topic, &settings);
        error = mr_producer_open(topic, NULL, &to);
        if (!error)
            error = mr_consumer_open(dead, &options, &from);
        if (!error)
            error = send_back(from, to, settings.partitions, &cnt);
    } else if (error == -ENOENT) {
        error = 0; /* there are no dead letters yet */
    }
    if (error == -EPERM && !dead) {
        program_topic_fail(error, bus, name);
        status = EXIT_FAILED;
    } else if (error) {
        program_fail(error, "%s: redrive", line->operands[0]);
        status = program_exit_for(error);
    }
    if (!error || cnt)
        program_notice("%s: %" PRIu64 " dead letters sent back", line->operands[0], cnt);
    mr_consumer_close(from);
    mr_producer_close(to);
    mr_topic_close(dead);
    mr_topic_close(topic);
disconnect:
    mr_bus_disconnect(bus);
    return status;
}
