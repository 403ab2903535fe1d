/* append.c - the producer's side of millrace.h: which partition, and what to do when there is no room. */
#include "append.h"
#include "group.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_NS 50000000     /* a producer without room looks again so often: somebody may have died without telling */
#define RUN_BYTES 16384u      /* keyless records stay in one partition so long: whole batches, and all partitions in turn */
#define SLACK_SHIFT 3         /* a waiting producer wants ring >> 3 free, not one record's worth: fewer, longer sleeps */

struct mr_producer {
    struct mr_topic *topic;
    uint32_t slot;
    uint64_t since_ns;       /* our slot's since_ns: tells whether it is still ours */
    uint32_t run_partition;  /* where keyless records go now, */
    uint64_t run_bytes;      /* and how many bytes went there in this run */
    uint32_t *order;         /* indices of a batch sorted by partition */
    size_t order_cap;
    struct mr_producer_stats stats;
};

static inline uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

int mr_producer_open(struct mr_topic *topic, const struct mr_producer_options *options, struct mr_producer **out)
{
    int error = mr_topic_check(topic);
    if (error)
        return error;
    if (load(&topic->shm->sealed))
        return -EPIPE;
    error = mr_topic_rings(topic);
    if (error)
        return error;
    struct mr_producer *producer = calloc(1, sizeof *producer);
    if (!producer)
        return -ENOMEM;
    mr_topic_reap_dead(topic);
    error = mr_topic_lock(topic);
    if (error) {
        free(producer);
        return error;
    }
    /* A slot never used, so that status can still show those who are gone; else the one gone longest, who was done rather than died. */
    uint32_t best = topic->producer_cnt, rank = 3;
    for (uint32_t i = 0; i < topic->producer_cnt && rank > 0; i++) {
        const struct mr_producer_shm *slot = &topic->producers[i];
        uint64_t state = load(&slot->state);
        uint32_t r = state == 0 ? 0 : state == 'd' ? 1 : state == 'x' ? 2 : 3;
        if (r < rank || (r == rank && r < 3 && load(&slot->since_ns) < load(&topic->producers[best].since_ns))) {
            best = i;
            rank = r;
        }
    }
    if (best == topic->producer_cnt) {
        mr_unlock(&topic->shm->lock);
        free(producer);
        return -EUSERS;
    }
    struct mr_producer_shm *slot = &topic->producers[best];
    producer->topic = topic;
    producer->slot = best;
    producer->since_ns = mr_wall_ns();
    producer->run_partition = (uint32_t)(topic->bus->self >> 16) % topic->partition_cnt; /* several producers start at different ones */
    mr_words_store(slot->name, (MR_CLIENT_NAME_MAX + 1) / 8, options && options->name ? options->name : topic->bus->client_name);
    struct mr_tx tx = mr_tx_begin(topic, &topic->shm->lock);
    mr_tx_set(&tx, &slot->records, 0);
    mr_tx_set(&tx, &slot->bytes, 0);
    mr_tx_set(&tx, &slot->blocked_ns, 0);
    mr_tx_set(&tx, &slot->pid, (uint64_t)getpid());
    mr_tx_set(&tx, &slot->since_ns, producer->since_ns);
    mr_tx_set(&tx, &slot->owner, topic->bus->self);
    mr_tx_set(&tx, &slot->state, 'a');
    if (best >= load(&topic->shm->producer_high))
        mr_tx_set(&tx, &topic->shm->producer_high, best + 1);
    mr_tx_commit(&tx);
    mr_unlock(&topic->shm->lock);
    *out = producer;
    return 0;
}

void mr_producer_close(struct mr_producer *producer)
{
    if (!producer)
        return;
    struct mr_topic *topic = producer->topic;
    struct mr_producer_shm *slot = &topic->producers[producer->slot];
    if (mr_bus_usable(topic->bus) == 0 && mr_topic_lock(topic) == 0) {
        if (load(&slot->state) == 'a' && load(&slot->owner) == topic->bus->self && load(&slot->since_ns) == producer->since_ns) {
            struct mr_tx tx = mr_tx_begin(topic, &topic->shm->lock);
            mr_tx_set(&tx, &slot->state, 'd');
            mr_tx_set(&tx, &topic->shm->producers_done, load(&topic->shm->producers_done) + 1);
            mr_tx_commit(&tx);
        }
        mr_unlock(&topic->shm->lock);
    }
    free(producer->order);
    free(producer);
}

uint32_t mr_producer_slot(const struct mr_producer *producer)
{
    return producer->slot;
}

/* ---- waiting for room ---- */

/* Who holds partition p up: for the message, so a moment's truth is enough. */
static void name_holder(const struct mr_topic *topic, uint32_t p, struct mr_wait *wait, char *group_name, char *client_name)
{
    uint64_t low = MR_NONE;
    uint32_t behind = 0;
    for (uint32_t g = 0, n = mr_groups_used(topic); g < n; g++)
        if (load(&topic->groups[g].serial) && load(&mr_group_part(topic, g, p)->committed) < low) {
            low = load(&mr_group_part(topic, g, p)->committed);
            behind = g;
        }
    *group_name = *client_name = '\0';
    wait->group = group_name;
    wait->name = client_name;
    if (low == MR_NONE)
        return;
    mr_words_load(topic->groups[behind].name, (MR_GROUP_NAME_MAX + 1) / 8, group_name);
    uint32_t slot = mr_group_behind(topic, behind, p);
    if (slot == topic->member_cnt)
        return;
    mr_client_about(topic->bus, load(&topic->members[slot].owner), &wait->pid, client_name);
    uint64_t now = mr_now_ns(), since = load(&topic->members[slot].claimed_ns);
    wait->held_ns = wait->pid && since && since < now ? now - since : 0;
}

/* What a group's committed must reach before it is worth waking us: room for some more than the next record. */
static void store_want(struct mr_topic *topic, uint32_t p, uint64_t bytes)
{
    struct mr_log_shm *log = &topic->logs[p];
    uint64_t head = load(&log->head), limit = load(&log->limit);
    uint64_t need = head + bytes > topic->ring_bytes ? head + bytes - topic->ring_bytes : 0;
    uint64_t want = topic->part_records_max ? limit + 1 : need + (topic->ring_bytes >> SLACK_SHIFT);
    if (want > head)
        want = head;
    if (want <= limit)
        want = limit + 1;
    uint64_t there = load(&log->want);
    while (want < there && !atomic_compare_exchange_weak_explicit(&log->want, &there, want, memory_order_relaxed, memory_order_relaxed))
        ;
    atomic_thread_fence(memory_order_seq_cst); /* pairs with mr_ack and store_committed: they see want, or we see what they stored */
}

/* Appends n messages to one partition, waiting for room. Returns how many; 0 with *error set, or fewer than n with *error set. */
static size_t append_to(struct mr_producer *producer, uint32_t p, struct mr_message *msgs, const uint32_t *order, size_t n,
                        int64_t timeout_ns, uint64_t now_ns, int *error)
{
    struct mr_topic *topic = producer->topic;
    size_t done = 0;
    uint64_t since = 0, said = 0;
    for (;;) {
        ssize_t got = mr_log_append(topic, p, order ? msgs : msgs + done, order ? order + done : NULL, n - done, producer->slot, now_ns);
        if (got < 0) {
            *error = (int)got;
            break;
        }
        if (got > 0) {
            done += (size_t)got;
            producer->stats.batches++;
            mr_groups_tell(topic);
            if (since) {
                producer->stats.blocked_ns += mr_now_ns() - since;
                since = said = 0;
            }
            if (done == n)
                return done;
            continue;
        }
        if (topic->full == MR_FULL_FAIL || timeout_ns == 0) {
            /* Once more with fresh eyes: committed is brought up to date only by who looks. */
            if (since == 0) {
                since = mr_now_ns();
                *error = mr_groups_settle(topic, p);
                if (*error)
                    break;
                continue;
            }
            *error = -EAGAIN;
            break;
        }
        uint64_t now = mr_now_ns();
        if (!since) {
            since = now;
            producer->stats.waits++;
        }
        if (timeout_ns > 0 && now - since >= (uint64_t)timeout_ns) {
            *error = -ETIMEDOUT;
            break;
        }
        struct mr_message *msg = &msgs[order ? order[done] : done];
        uint32_t ticket = mr_cond_prepare(&topic->shm->space);
        store_want(topic, p, mr_record_bytes(msg->value_len, msg->key ? msg->key_len : 0, msg->headers_len));
        *error = mr_groups_settle(topic, p);
        if (*error)
            break;
        if (mr_groups_limit(topic, p, load(&topic->logs[p].limit)) > load(&topic->logs[p].limit))
            continue; /* there is some room now */
        if (load(&topic->shm->sealed) || load(&topic->shm->deleted))
            continue; /* mr_log_append says which */
        char group_name[MR_GROUP_NAME_MAX + 1], client_name[MR_CLIENT_NAME_MAX + 1];
        struct mr_wait wait = {.what = MR_WAIT_ROOM, .topic = topic->name, .partition = p};
        name_holder(topic, p, &wait, group_name, client_name);
        *error = mr_bus_notice(topic->bus, &wait, since, &said);
        if (*error)
            break;
        int64_t bound = RETRY_NS;
        if (timeout_ns > 0 && timeout_ns - (int64_t)(now - since) < bound)
            bound = timeout_ns - (int64_t)(now - since);
        if (mr_cond_wait(&topic->shm->space, ticket, bound) == -ETIMEDOUT)
            mr_topic_reap_dead(topic);
    }
    if (since)
        producer->stats.blocked_ns += mr_now_ns() - since;
    return done;
}

/* ---- batches ---- */

/* Where each message goes; keyless ones in runs. */
static void choose_partitions(struct mr_producer *producer, struct mr_message *msgs, size_t n)
{
    struct mr_topic *topic = producer->topic;
    for (size_t i = 0; i < n; i++) {
        struct mr_message *msg = &msgs[i];
        if (msg->partition != MR_ANY)
            continue;
        if (msg->key) {
            msg->partition = (int32_t)mr_partition_for(msg->key, msg->key_len, topic->partition_cnt);
        } else {
            msg->partition = (int32_t)producer->run_partition;
            producer->run_bytes += mr_record_bytes(msg->value_len, 0, msg->headers_len);
            if (producer->run_bytes >= RUN_BYTES) {
                producer->run_bytes = 0;
                producer->run_partition = producer->run_partition + 1 < topic->partition_cnt ? producer->run_partition + 1 : 0;
            }
        }
    }
}

/* Counting sort of the batch by partition, stable, so that order within a partition is the order given. */
static size_t append_sorted(struct mr_producer *producer, struct mr_message *msgs, size_t n, int64_t timeout_ns, uint64_t now_ns, int *error)
{
    uint32_t start[MR_PARTITIONS_MAX + 1] = {0};
    uint32_t partitions = producer->topic->partition_cnt;
    for (size_t i = 0; i < n; i++)
        start[msgs[i].partition + 1]++;
    for (uint32_t p = 0; p < partitions; p++)
        start[p + 1] += start[p];
    for (size_t i = 0; i < n; i++)
        producer->order[start[msgs[i].partition]++] = (uint32_t)i; /* start[p] becomes the end of p, which is the start of p + 1 */
    size_t done = 0;
    for (uint32_t p = 0; p < partitions && !*error; p++) {
        uint32_t first = p ? start[p - 1] : 0, count = start[p] - first;
        if (count)
            done += append_to(producer, p, msgs, producer->order + first, count, timeout_ns, now_ns, error);
    }
    return done;
}

ssize_t mr_append(struct mr_producer *producer, struct mr_message *msgs, size_t n, int64_t timeout_ns)
{
    struct mr_topic *topic = producer->topic;
    int error = mr_topic_check(topic);
    if (error)
        return error;
    if (n == 0 || n > UINT32_MAX)
        return -EINVAL;
    const struct mr_producer_shm *slot = &topic->producers[producer->slot];
    if (load(&slot->state) != 'a' || load(&slot->owner) != topic->bus->self || load(&slot->since_ns) != producer->since_ns)
        return mr_blame(topic, -ESTALE);
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t size = mr_record_bytes(msgs[i].value_len, msgs[i].key ? msgs[i].key_len : 0, msgs[i].headers_len);
        if (size > topic->record_max)
            return -EMSGSIZE;
        if (msgs[i].partition < MR_ANY || msgs[i].partition >= (int32_t)topic->partition_cnt)
            return -EINVAL;
        bytes += msgs[i].value_len;
        msgs[i].offset = MR_OFFSET_NONE;
    }
    uint64_t now_ns = mr_wall_ns();
    size_t done = 0;
    if (topic->partition_cnt == 1) {
        done = append_to(producer, 0, msgs, NULL, n, timeout_ns, now_ns, &error);
    } else {
        if (n > producer->order_cap) {
            uint32_t *order = realloc(producer->order, n * sizeof *order);
            if (!order)
                return -ENOMEM;
            producer->order = order;
            producer->order_cap = n;
        }
        choose_partitions(producer, msgs, n);
        done = append_sorted(producer, msgs, n, timeout_ns, now_ns, &error);
    }
    producer->stats.records += done;
    if (done == n) {
        producer->stats.bytes += bytes;
    } else {
        for (size_t i = 0; i < n; i++)
            if (msgs[i].offset != MR_OFFSET_NONE)
                producer->stats.bytes += msgs[i].value_len;
    }
    struct mr_producer_shm *own = &topic->producers[producer->slot];
    atomic_store_explicit(&own->blocked_ns, producer->stats.blocked_ns, memory_order_relaxed);
    if (mr_intact(topic) < 0) /* some may lie in pages of zeros that nobody else sees */
        return -EIO;
    return done ? (ssize_t)done : error;
}

void mr_producer_stats(const struct mr_producer *producer, struct mr_producer_stats *out)
{
    *out = producer->stats;
}

/* ---- record headers: name length (1 byte), value length (4 bytes, little endian), name, value; end to end ---- */

ssize_t mr_header_add(void *buf, size_t used, size_t cap, const char *name, const void *value, size_t value_len)
{
    size_t name_len = strlen(name);
    if (name_len < 1 || name_len > 255)
        return -EINVAL;
    if (cap > MR_HEADERS_MAX)
        cap = MR_HEADERS_MAX;
    if (used > cap || cap - used < 5 + name_len || cap - used - 5 - name_len < value_len)
        return -ENOSPC;
    unsigned char *at = (unsigned char *)buf + used;
    *at++ = (unsigned char)name_len;
    for (int i = 0; i < 4; i++)
        *at++ = (unsigned char)(value_len >> 8 * i);
    memcpy(at, name, name_len);
    if (value_len)
        memcpy(at + name_len, value, value_len);
    return (ssize_t)(used + 5 + name_len + value_len);
}

int mr_header_next(const void *headers, size_t headers_len, size_t *at, const char **name, size_t *name_len, const void **value,
                   size_t *value_len)
{
    const unsigned char *base = headers;
    if (*at >= headers_len)
        return 0;
    if (headers_len - *at < 5)
        return -EBADMSG;
    size_t n = base[*at], v = 0;
    for (int i = 0; i < 4; i++)
        v |= (size_t)base[*at + 1 + (size_t)i] << 8 * i;
    if (n == 0 || headers_len - *at - 5 < n || headers_len - *at - 5 - n < v)
        return -EBADMSG;
    *name = (const char *)base + *at + 5;
    *name_len = n;
    *value = base + *at + 5 + n;
    *value_len = v;
    *at += 5 + n + v;
    return 1;
}
