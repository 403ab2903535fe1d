/* dead.c - see dead.h. */
#include "dead.h"
#include "append.h"
#include "move.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_ROOM 1024u /* what the headers that say why take at most */

static inline uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

void mr_dead_name(const struct mr_topic *topic, char *name, size_t cap)
{
    snprintf(name, cap, "%s.dead", topic->name);
}

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
    error = mr_topic_make(topic->bus, name, &settings);
    if (error == -EPERM) /* another user's bus: its broker has to */
        error = mr_topic_create(topic->bus, name, &settings, 0);
    return error && error != -EEXIST ? error : mr_topic_open(topic->bus, name, out);
}

static size_t add_number(unsigned char *headers, size_t used, size_t cap, const char *name, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    ssize_t now = mr_header_add(headers, used, cap, name, text, (size_t)len);
    return now < 0 ? used : (size_t)now;
}

int mr_dead_letter(struct mr_consumer *consumer, uint64_t pos, const unsigned char *at, const char *reason)
{
    struct mr_topic *topic = consumer->topic, *dead = NULL;
    struct mr_member_shm *slot = &topic->members[consumer->seat.member];
    struct mr_producer *producer = NULL;
    struct mr_record_shm r;
    uint64_t bytes = mr_record_read(at, pos, consumer->end, &r);
    if (!bytes)
        return -EBADMSG;
    int error = open_dead(topic, &dead);
    if (error)
        return error;
    /* The record's own headers stay in front; if both together are too long, the reasons give way. */
    size_t cap = r.headers_len + (size_t)HEADERS_ROOM < MR_HEADERS_MAX ? r.headers_len + (size_t)HEADERS_ROOM : MR_HEADERS_MAX;
    unsigned char *headers = malloc(cap);
    if (!headers) {
        error = -ENOMEM;
        goto close_topic;
    }
    error = mr_producer_open(dead, NULL, &producer);
    if (error)
        goto free_headers;
    uint32_t key_len = r.key_len == MR_KEY_NONE ? 0 : r.key_len;
    at += sizeof r;
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
    struct mr_message letter = {.value = at + key_len + r.headers_len,
                                .value_len = r.value_len,
                                .key = r.key_len == MR_KEY_NONE ? NULL : at,
                                .key_len = key_len,
                                .headers = headers,
                                .headers_len = (uint16_t)used,
                                .flags = r.flags,
                                .partition = 0,
                                .ts_ns = r.ts_ns};
    error = mr_append_place(producer, &letter, 1);
    if (!error)
        error = mr_move(consumer, producer, &letter, 1, pos + bytes, 1, -1);
    if (!error) {
        consumer->pos = consumer->stop = pos + bytes;
        consumer->left = 0;
        consumer->stats.dead_lettered++;
        atomic_fetch_add_explicit(&topic->groups[consumer->seat.group].dead_lettered, 1, memory_order_relaxed);
    }
    mr_producer_close(producer);
free_headers:
    free(headers);
close_topic:
    mr_topic_close(dead);
    return error;
}
