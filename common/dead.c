/* dead.c - see dead.h. */
#include "dead.h"
#include "append.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_ROOM 1024u /* what the headers that say why take at most */

static inline uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static int open_dead(struct mr_topic *topic, int create, struct mr_topic **out)
{
    char name[MR_TOPIC_NAME_MAX + 8];
    snprintf(name, sizeof name, "%s.dead", topic->name);
    int error = mr_topic_open(topic->bus, name, out);
    if (error != -ENOENT || !create)
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
    int error = open_dead(topic, 1, &dead);
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
    atomic_store_explicit(&slot->moving_client, topic->bus->self, memory_order_relaxed);
    atomic_store_explicit(&slot->moving_producer, mr_producer_slot(producer), memory_order_relaxed);
    atomic_store_explicit(&slot->moving_count, 1, memory_order_relaxed); /* a fresh producer's first record */
    atomic_store_explicit(&slot->moving, pos, memory_order_release);
    ssize_t sent = mr_append(producer, &letter, 1, -1);
    if (sent != 1) {
        atomic_store_explicit(&slot->moving, MR_NONE, memory_order_release);
        error = sent < 0 ? (int)sent : -EIO;
        goto close_producer;
    }
    error = mr_consumer_ack_to(consumer, pos + bytes, 1);
    atomic_store_explicit(&slot->moving, MR_NONE, memory_order_release);
    if (!error) {
        consumer->pos = consumer->stop = pos + bytes;
        consumer->left = 0;
        consumer->stats.dead_lettered++;
        atomic_fetch_add_explicit(&topic->groups[consumer->seat.group].dead_lettered, 1, memory_order_relaxed);
    }
close_producer:
    mr_producer_close(producer);
free_headers:
    free(headers);
close_topic:
    mr_topic_close(dead);
    return error;
}

int mr_dead_settle(struct mr_consumer *consumer)
{
    struct mr_topic *topic = consumer->topic, *dead;
    struct mr_member_shm *slot = &topic->members[consumer->seat.member];
    uint64_t moving = load(&slot->moving), cursor = load(&slot->cursor), end = load(&slot->end);
    if (moving == MR_NONE)
        return 0;
    int arrived = 0, error = 0;
    if (moving == cursor && cursor < end) {
        error = open_dead(topic, 0, &dead);
        if (error == 0) {
            uint64_t i = load(&slot->moving_producer);
            /* The dead one may have published under a lock that nobody has taken since: take it, so that its count is mended first. */
            error = mr_log_lock(dead, 0);
            if (!error) {
                arrived = i < dead->producer_cnt && load(&dead->producers[i].owner) == load(&slot->moving_client) &&
                          load(&dead->producers[i].records) >= load(&slot->moving_count);
                mr_unlock(&dead->logs[0].lock);
            }
            mr_topic_close(dead);
        } else if (error == -ENOENT) {
            error = 0; /* killed before it could make the topic */
        }
        if (error)
            return error;
    }
    if (arrived) {
        struct mr_record_shm r;
        uint64_t bytes = mr_log_header(topic, mr_topic_ring(topic, consumer->seat.partition), cursor, end, &r);
        if (!bytes && load(&topic->logs[consumer->seat.partition].tail) <= cursor)
            return -EBADMSG;
        if (!bytes) { /* drop-oldest, and overwritten meanwhile: counted as lost, like what follows it */
            atomic_store_explicit(&slot->moving, MR_NONE, memory_order_release);
            return 0;
        }
        consumer->partition = consumer->seat.partition;
        consumer->end = end;
        error = mr_consumer_ack_to(consumer, cursor + bytes, 1);
        if (error)
            return error;
        consumer->stats.dead_lettered++;
        atomic_fetch_add_explicit(&topic->groups[consumer->seat.group].dead_lettered, 1, memory_order_relaxed);
        cursor += bytes;
    }
    atomic_store_explicit(&slot->moving, MR_NONE, memory_order_release);
    return cursor == end;
}
