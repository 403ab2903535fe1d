/* dead.c - see dead.h. */
#include "dead.h"
#include "ack.h"
#include "append.h"
#include "lifecycle.h"
#include "move.h"
#include "park.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_ROOM 1024u /* what the headers that say why take at most */

static int open_dead(struct mr_topic *topic, struct mr_topic **out)
{
    char name[MR_TOPIC_NAME_MAX + 8];
    mr_dead_name(topic, name, sizeof name);
    int error = mr_topic_open(topic->bus, name, out);
    if (error != -ENOENT)
        return error;
    /* Made here and not by the broker, because a poison record must not have to wait for one. */
    struct mr_settings settings = topic->settings;
    settings.partitions = 1;
    settings.records_max = 0;
    settings.record_max_bytes = 0;
    settings.full = MR_FULL_BLOCK;
    if (settings.size_bytes < 2 * (topic->record_max + HEADERS_ROOM))
        settings.size_bytes = 2 * (topic->record_max + HEADERS_ROOM);
    error = mr_topic_create_segment(topic->bus, name, &settings);
    if (error == -EPERM) /* another user's bus: its broker has to */
        error = mr_topic_create(topic->bus, name, &settings, 0);
    return error && error != -EEXIST ? error : mr_topic_open(topic->bus, name, out);
}

static size_t add_number(unsigned char *headers, size_t used, size_t cap, const char *name,
                         uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    ssize_t now = mr_header_add(headers, used, cap, name, text, (size_t)len);
    return now < 0 ? used : (size_t)now;
}

/* A record that is to go. */
struct letter {
    uint64_t pos, bytes;     /* its position, and its whole size */
    const unsigned char *at; /* where it lies */
    struct mr_record_shm r;
    const char *reason;
};

/* Moves the record to the dead-letter topic. */
static int move_letter(struct mr_consumer *consumer, const struct letter *letter)
{
    struct mr_topic *topic = consumer->topic, *dead = NULL;
    const struct mr_record_shm r = letter->r;
    const unsigned char *at = letter->at + sizeof r;
    const char *reason = letter->reason;
    struct mr_member_shm *slot = &topic->members[consumer->seat.member];
    struct mr_producer *producer = NULL;
    int error = open_dead(topic, &dead);
    if (error)
        return error;
    /* The record's own headers stay in front; if both together are too long, the reasons give
     * way. */
    size_t cap = r.headers_len + (size_t)HEADERS_ROOM < MR_HEADERS_MAX
                     ? r.headers_len + (size_t)HEADERS_ROOM
                     : MR_HEADERS_MAX;
    unsigned char *headers = malloc(cap);
    if (!headers) {
        error = -ENOMEM;
        goto close_topic;
    }
    error = mr_producer_open(dead, NULL, &producer);
    if (error)
        goto free_headers;
    uint32_t key_len = r.key_len == MR_KEY_NONE ? 0 : r.key_len;
    memcpy(headers, at + key_len, r.headers_len);
    size_t used = r.headers_len, reason_len = strnlen(reason, 400);
    ssize_t now = mr_header_add(headers, used, cap, "mr-reason", reason, reason_len);
    used = now < 0 ? used : (size_t)now;
    now = mr_header_add(headers, used, cap, "mr-topic", topic->name, strlen(topic->name));
    used = now < 0 ? used : (size_t)now;
    used = add_number(headers, used, cap, "mr-partition", consumer->seat.partition);
    used = add_number(headers, used, cap, "mr-offset", r.offset);
    used = add_number(headers, used, cap, "mr-tries", load(&slot->tries));
    used = add_number(headers, used, cap, "mr-pid", load(&slot->failed_pid));
    used = add_number(headers, used, cap, "mr-time", mr_wall_ns());
    struct mr_message msg = {.value = at + key_len + r.headers_len,
                             .value_len = r.value_len,
                             .key = r.key_len == MR_KEY_NONE ? NULL : at,
                             .key_len = key_len,
                             .headers = headers,
                             .headers_len = (uint16_t)used,
                             .flags = r.flags,
                             .partition = MR_PARTITION(0),
                             .ts_ns = r.ts_ns};
    error = mr_append_assign(producer, &msg, 1);
    if (!error)
        error = mr_move(consumer, &(struct mr_move){.producer = producer,
                                                    .msgs = &msg,
                                                    .n = 1,
                                                    .pos = letter->pos + letter->bytes,
                                                    .records = 1,
                                                    .timeout_ns = -1});
    mr_producer_close(producer);
free_headers:
    free(headers);
close_topic:
    mr_topic_close(dead);
    return error;
}

#define RETRY_NS                                                                                   \
    50000000 /* how often a record that can be neither moved nor parked is tried again */

/* What on_wait is told of a record that the dead-letter topic does not take. */
static struct mr_wait refused(const struct mr_consumer *consumer, const char *name, uint64_t offset,
                              int why)
{
    return (struct mr_wait){.size = sizeof(struct mr_wait),
                            .what = MR_WAIT_DEAD,
                            .topic = name,
                            .partition = consumer->seat.partition,
                            .group = "",
                            .name = "",
                            .offset = offset,
                            .error = why};
}

/* Moves the record, or leaves it here as an orphan that is tried again later. If it may not wait
 * alone, because records that follow must not pass it or too many wait already, it is waited for as
 * if that topic were full.
 * Returns 0 it has moved; 1 it waits alone, with *why; or a negative errno: it is still the claim's
 * first. */
static int move_or_park(struct mr_consumer *consumer, const struct letter *letter, int *why)
{
    static struct mr_cond unsignalled; /* a private word: a sleep that a signal handler ends */
    char name[MR_TOPIC_NAME_MAX + 8];
    uint64_t since = mr_now_ns(), said = 0;
    mr_dead_name(consumer->topic, name, sizeof name);
    for (;;) {
        *why = move_letter(consumer, letter);
        if (!*why || *why == -EINTR || mr_consumer_mine(consumer) ||
            mr_topic_check(consumer->topic))
            return *why;
        int error = mr_group_park(consumer->topic, &consumer->seat, letter->pos, letter->bytes);
        if (error != -EUSERS)
            return error ? error : 1;
        struct mr_wait wait = refused(consumer, name, letter->r.offset, *why);
        error = mr_bus_notice(consumer->topic->bus, &wait, since, &said);
        if (error)
            return error;
        mr_cond_wait(&unsignalled, 0, RETRY_NS);
    }
}

int mr_dead_letter(struct mr_consumer *consumer, uint64_t pos, const unsigned char *at,
                   const char *reason)
{
    struct mr_topic *topic = consumer->topic;
    const struct mr_connect_options *options = &topic->bus->options;
    struct letter letter = {.pos = pos, .at = at, .reason = reason};
    int why;
    letter.bytes = mr_record_read(at, pos, consumer->end, &letter.r);
    if (!letter.bytes)
        return mr_topic_error(topic, -EBADMSG);
    int parked = move_or_park(consumer, &letter, &why);
    if (parked < 0)
        return parked;
    consumer->acked = consumer->pos = consumer->stop = pos + letter.bytes;
    consumer->left = 0;
    if (!parked) {
        consumer->stats.dead_lettered++;
        atomic_fetch_add_explicit(&topic->groups[consumer->seat.group].dead_lettered, 1,
                                  memory_order_relaxed);
        return 0;
    }
    if (consumer->seat.begin_offset != MR_NONE)
        consumer->seat.begin_offset = letter.r.offset + 1;
    char name[MR_TOPIC_NAME_MAX + 8];
    mr_dead_name(topic, name, sizeof name);
    struct mr_wait wait = refused(consumer, name, letter.r.offset, why);
    return options->on_wait && options->on_wait(&wait, options->on_wait_arg) ? -EINTR : 1;
}
