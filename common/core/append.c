/* append.c - the producer's side of millrace.h: which partition, and what to do when there is no
 * room. */
#include "append.h"
#include "group.h"
#include "producer.h"
#include "reap.h"
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* how often a producer without room looks again: a process may have died unnoticed */
#define RETRY_NS 50000000
#define JOIN_NS  500000000 /* how often mr_producer_join looks again under a broker */
/* bytes of keyless records that go to one partition in a row: whole batches, all partitions in turn
 */
#define RUN_BYTES 16384u
/* a waiting producer wants ring >> 3 free, not one record's worth: fewer, longer sleeps */
#define SLACK_SHIFT 3

/* ---- waiting for room ---- */

/* Who holds partition p up: for the message, so a moment's truth is enough. */
static void name_holder(const struct mr_topic *topic, uint32_t p, struct mr_wait *wait,
                        char *group_name, char *client_name)
{
    uint64_t low = MR_NONE;
    uint32_t behind = 0;
    for (uint32_t g = 0, n = mr_groups_used(topic); g < n; g++)
        if (mr_group_holds(topic, g) && load(&mr_group_part(topic, g, p)->committed) < low) {
            low = load(&mr_group_part(topic, g, p)->committed);
            behind = g;
        }
    *group_name = *client_name = '\0';
    wait->group = group_name;
    wait->name = client_name;
    if (low == MR_NONE)
        return;
    mr_words_load(topic->groups[behind].name, (MR_GROUP_NAME_MAX + 1) / 8, group_name);
    /* in the making: by the holder of the topic's lock, stopped most likely */
    if (!mr_group_there(topic, behind)) {
        mr_client_about(topic->bus, load(&topic->shm->lock.holder), &wait->pid, client_name);
        return;
    }
    uint32_t slot = mr_group_behind(topic, behind, p);
    if (slot == topic->member_cnt)
        return;
    mr_client_about(topic->bus, load(&topic->members[slot].owner), &wait->pid, client_name);
    uint64_t now = mr_now_ns(), since = load(&topic->members[slot].claimed_ns);
    wait->held_ns = wait->pid && since && since < now ? now - since : 0;
}

/* Asks the process that brings a group's committed to `want` to wake us. */
static void store_want(struct mr_topic *topic, uint32_t p, uint64_t want)
{
    struct mr_log_shm *log = &topic->logs[p];
    uint64_t there = load(&log->want);
    while (want < there &&
           !atomic_compare_exchange_weak_explicit(&log->want, &there, want, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
    /* pairs with mr_consumer_ack and mr_group_commit: they see want, or we see what they stored */
    atomic_thread_fence(memory_order_seq_cst);
}

/* What is worth waking us for: room for some more than the next record. */
static uint64_t room_wanted(const struct mr_topic *topic, uint32_t p, uint64_t bytes)
{
    const struct mr_log_shm *log = &topic->logs[p];
    uint64_t head = load(&log->head), limit = load(&log->limit);
    uint64_t need = head + bytes > topic->ring_bytes ? head + bytes - topic->ring_bytes : 0;
    uint64_t want = topic->part_records_max ? limit + 1 : need + (topic->ring_bytes >> SLACK_SHIFT);
    if (want > head)
        want = head;
    return want > limit ? want : limit + 1;
}

static int tell_holder(const struct mr_topic *topic, uint32_t p, enum mr_wait_for what,
                       uint64_t since, uint64_t *said)
{
    char group_name[MR_GROUP_NAME_MAX + 1], client_name[MR_CLIENT_NAME_MAX + 1];
    struct mr_wait wait = {.what = what, .topic = topic->name, .partition = p};
    name_holder(topic, p, &wait, group_name, client_name);
    return mr_bus_notice(topic->bus, &wait, since, said);
}

/* ---- appending to one partition ---- */

/* What one call of mr_producer_append is about, for all the partitions that it goes to. */
struct call {
    struct mr_batch batch; /* what is still to be appended to the partition in hand */
    int64_t timeout_ns;
    int error; /* 0, or why not everything was appended */
};

/* How long we have been waiting for room in a partition. */
struct waiting {
    uint64_t since; /* 0: we are not */
    uint64_t said;
    uint32_t ticket;
    int flagged; /* a signal since then ends our sleep at once */
};

static void end_waiting(struct mr_producer *producer, struct waiting *waiting)
{
    struct mr_producer_shm *slot = &producer->topic->producers[producer->slot];
    producer->stats.blocked_ns += mr_now_ns() - waiting->since;
    /* In this order, so that no observer counts the wait twice. */
    atomic_store_explicit(&slot->blocked_since_ns, 0, memory_order_release);
    atomic_store_explicit(&slot->blocked_ns, producer->stats.blocked_ns, memory_order_release);
    *waiting = (struct waiting){0};
}

/* There was no room for the first message of the batch. Returns 0 to try again, or why to give
 * up. */
static int wait_for_room(struct mr_producer *producer, uint32_t p, const struct call *call,
                         struct waiting *waiting)
{
    struct mr_topic *topic = producer->topic;
    const struct mr_batch *batch = &call->batch;
    if (topic->full == MR_FULL_FAIL || call->timeout_ns == 0) {
        if (waiting->since)
            return -EAGAIN;
        /* Once more: committed is brought up to date only by a process that looks for it. */
        waiting->since = mr_now_ns();
        mr_topic_relieve(topic);
        return mr_groups_settle(topic, p);
    }
    uint64_t now = mr_now_ns();
    if (!waiting->since) {
        waiting->since = now;
        producer->stats.waits++;
        atomic_store_explicit(&topic->producers[producer->slot].blocked_since_ns, now,
                              memory_order_release);
    }
    int64_t waited = (int64_t)(now - waiting->since);
    if (call->timeout_ns > 0 && waited >= call->timeout_ns)
        return -ETIMEDOUT;
    waiting->flagged = !waiting->flagged;
    if (waiting->flagged) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < (batch->whole ? batch->n : 1); i++)
            bytes += mr_message_bytes(&batch->msgs[batch->order ? batch->order[i] : i]);
        waiting->ticket = mr_cond_prepare(&topic->shm->space);
        store_want(topic, p, room_wanted(topic, p, bytes));
        /* there may be room by now, also what another producer left; or it is sealed, or deleted */
        return mr_groups_settle(topic, p);
    }
    int error = mr_cancel_seen(&producer->cancelled);
    if (!error)
        error = tell_holder(topic, p, MR_WAIT_ROOM, waiting->since, &waiting->said);
    if (error)
        return error;
    int64_t bound = RETRY_NS;
    if (call->timeout_ns > 0 && call->timeout_ns - waited < bound)
        bound = call->timeout_ns - waited;
    if (mr_cond_wait(&topic->shm->space, waiting->ticket, bound) == -ETIMEDOUT)
        mr_topic_reap_dead(topic);
    return 0;
}

/* Appends the call's batch, waiting for room. Returns how many; fewer than all with call->error
 * set. */
static size_t append_to(struct mr_producer *producer, uint32_t p, struct call *call)
{
    struct mr_topic *topic = producer->topic;
    struct mr_batch *batch = &call->batch;
    struct waiting waiting = {0};
    size_t done = 0;
    batch->cursor = &producer->cursors[p];
    while (!call->error) {
        ssize_t got = mr_log_append(topic, p, batch);
        if (got < 0) {
            call->error = (int)got;
        } else if (got == 0) {
            call->error = wait_for_room(producer, p, call, &waiting);
        } else {
            size_t n = (size_t)got;
            producer->stats.batches++;
            producer->stats.records += n;
            producer->stats.bytes += batch->value_bytes;
            mr_groups_tell(topic, 1);
            if (waiting.since)
                end_waiting(producer, &waiting);
            done += n;
            batch->n -= n;
            if (batch->n == 0)
                return done;
            if (batch->order)
                batch->order += n;
            else
                batch->msgs += n;
            if (!batch->order && batch->progress)
                batch->progress += n;
        }
    }
    if (waiting.since)
        end_waiting(producer, &waiting);
    return done;
}

/* ---- batches ---- */

/* Where a keyless message goes. */
static uint32_t run_on(struct mr_producer *producer, const struct mr_message *msg)
{
    uint32_t p = producer->run_partition;
    producer->run_bytes += mr_record_bytes(msg->value_len, 0, msg->headers_len);
    if (producer->run_bytes >= RUN_BYTES) {
        producer->run_bytes = 0;
        producer->run_partition = p + 1 < producer->topic->partition_cnt ? p + 1 : 0;
    }
    return p;
}

/* Where each message goes. Returns 1 when it is the same partition for all, as a rule where they
 * have no keys; else 0. */
static int choose_partitions(struct mr_producer *producer, struct mr_message *msgs, size_t n)
{
    int same = 1;
    for (size_t i = 0; i < n; i++) {
        struct mr_message *msg = &msgs[i];
        if (msg->partition != MR_ANY)
            msg->placed = msg->partition - MR_PARTITION(0);
        else
            msg->placed =
                (msg->key ? mr_partition_for(msg->key, msg->key_len, producer->topic->partition_cnt)
                          : run_on(producer, msg));
        same &= msg->placed == msgs[0].placed;
    }
    return same;
}

/* Counting sort of the batch by partition, stable, so that order within a partition is the order
 * given. */
static size_t append_sorted(struct mr_producer *producer, size_t n, struct call *call)
{
    uint32_t start[MR_PARTITIONS_MAX + 1] = {0};
    uint32_t partitions = producer->topic->partition_cnt;
    for (size_t i = 0; i < n; i++)
        start[call->batch.msgs[i].placed + 1]++;
    for (uint32_t p = 0; p < partitions; p++)
        start[p + 1] += start[p];
    for (size_t i = 0; i < n; i++)
        /* start[p] becomes the end of p, which is the start of p + 1 */
        producer->order[start[call->batch.msgs[i].placed]++] = (uint32_t)i;
    size_t done = 0;
    for (uint32_t p = 0; p < partitions && !call->error; p++) {
        uint32_t first = p ? start[p - 1] : 0, count = start[p] - first;
        if (!count)
            continue;
        call->batch.order = producer->order + first;
        call->batch.n = count;
        done += append_to(producer, p, call);
    }
    return done;
}

static int room_for_order(struct mr_producer *producer, size_t n)
{
    if (n <= producer->order_cap)
        return 0;
    uint32_t *order = realloc(producer->order, n * sizeof *order);
    if (!order)
        return -ENOMEM;
    producer->order = order;
    producer->order_cap = n;
    return 0;
}

/* 0, or why none of the messages can be appended. Forgets where they went before. */
static int check_messages(const struct mr_producer *producer, struct mr_message *msgs, size_t n)
{
    struct mr_topic *topic = producer->topic;
    int error = mr_topic_check(topic);
    if (error)
        return error;
    if (n == 0 || n > UINT32_MAX)
        return -EINVAL;
    const struct mr_producer_shm *slot = &topic->producers[producer->slot];
    if (load(&slot->state) != 'a' || load(&slot->serial) != producer->serial)
        return mr_topic_error(topic, -ESTALE);
    for (size_t i = 0; i < n; i++) {
        if (mr_message_bytes(&msgs[i]) > topic->record_max)
            return -EMSGSIZE;
        if (msgs[i].partition != MR_ANY &&
            msgs[i].partition - MR_PARTITION(0) >= topic->partition_cnt) /* bare numbers, too */
            return -EINVAL;
        msgs[i].offset = MR_OFFSET_NONE;
    }
    return 0;
}

static ssize_t append(struct mr_producer *producer, struct mr_message *msgs,
                      const struct mr_progress *progress, size_t n, int64_t timeout_ns)
{
    struct mr_topic *topic = producer->topic;
    int error = check_messages(producer, msgs, n);
    if (error)
        return error;
    struct call call = {.batch = {.msgs = msgs,
                                  .n = n,
                                  .producer = producer->slot,
                                  .serial = producer->serial,
                                  .source = progress ? producer->source : 0,
                                  .progress = progress,
                                  .now_ns = mr_wall_ns()},
                        .timeout_ns = timeout_ns};
    size_t done = 0;
    if (topic->partition_cnt == 1) {
        done = append_to(producer, 0, &call);
    } else {
        error = room_for_order(producer, n);
        if (error)
            return error;
        done = choose_partitions(producer, msgs, n) ? append_to(producer, msgs[0].placed, &call)
                                                    : append_sorted(producer, n, &call);
    }
    /* A call that has accepted some does not tell that it was cancelled: the next wait does. */
    if (!done && call.error == -ECANCELED)
        mr_cancel_take(&producer->cancelled);
    error = mr_intact(topic); /* some may lie in pages of zeros that no other process sees */
    return error ? error : done ? (ssize_t)done : call.error;
}

ssize_t mr_producer_append(struct mr_producer *producer, struct mr_message *msgs, size_t n,
                           int64_t timeout_ns)
{
    return append(producer, msgs, NULL, n, timeout_ns);
}

ssize_t mr_producer_append_from(struct mr_producer *producer, struct mr_message *msgs,
                                const struct mr_progress *progress, size_t n, int64_t timeout_ns)
{
    if (!producer->source)
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        if (!progress[i].position)
            return -EINVAL;
    return append(producer, msgs, progress, n, timeout_ns);
}

int mr_producer_progress(struct mr_producer *producer, uint32_t partition, struct mr_progress *out)
{
    int error = mr_topic_check(producer->topic);
    if (error)
        return error;
    if (!producer->source)
        return -EINVAL;
    if (partition >= producer->topic->partition_cnt)
        return -ERANGE;
    return mr_log_progress(producer->topic, partition, producer->source, out);
}

int mr_append_assign(struct mr_producer *producer, struct mr_message *msgs, size_t n)
{
    struct mr_topic *topic = producer->topic;
    int error = check_messages(producer, msgs, n);
    if (error)
        return error;
    uint64_t bytes = 0;
    choose_partitions(producer, msgs, 1);
    for (size_t i = 0; i < n; i++) {
        msgs[i].placed = msgs[0].placed;
        bytes += mr_message_bytes(&msgs[i]);
    }
    return bytes > topic->ring_bytes ||
                   (topic->part_records_max && n > mr_log_records_max(topic, msgs[0].placed))
               ? -EMSGSIZE
               : 0;
}

int mr_producer_append_whole(struct mr_producer *producer, struct mr_message *msgs, size_t n,
                             int64_t timeout_ns)
{
    struct call call = {.batch = {.msgs = msgs,
                                  .n = n,
                                  .whole = 1,
                                  .producer = producer->slot,
                                  .serial = producer->serial,
                                  .now_ns = mr_wall_ns()},
                        .timeout_ns = timeout_ns};
    size_t done = append_to(producer, msgs[0].placed, &call);
    if (call.error == -ECANCELED)
        mr_cancel_take(&producer->cancelled);
    int error = mr_intact(producer->topic);
    return error ? error : done == n ? 0 : call.error;
}

/* ---- waiting for the end of the work ---- */

/* The first partition where some group has not acknowledged what lies below ends[p]; partition_cnt:
 * none. Also while there is no group. */
static uint32_t owed(const struct mr_topic *topic, const uint64_t *ends)
{
    int groups = 0;
    for (uint32_t g = 0, n = mr_groups_used(topic); g < n; g++)
        groups |= mr_group_holds(topic, g);
    for (uint32_t p = 0; p < topic->partition_cnt; p++)
        if (ends[p] && (!groups || mr_groups_limit(topic, p) < ends[p]))
            return p;
    return topic->partition_cnt;
}

/* cancelled: NULL, or the word that ends it */
static int join(struct mr_topic *topic, const uint64_t *ends, _Atomic int *cancelled,
                int64_t timeout_ns)
{
    uint64_t since = mr_now_ns(), said = 0;
    for (;;) {
        int error = mr_topic_check(topic);
        if (error)
            return error;
        uint32_t ticket = mr_cond_prepare(&topic->shm->space), p = owed(topic, ends);
        if (p < topic->partition_cnt) {
            store_want(topic, p, ends[p]);
            error = mr_groups_settle(topic, p);
            if (error)
                return error;
            if (owed(topic, ends) != p)
                continue;
        } else {
            return mr_intact(topic);
        }
        error = cancelled && timeout_ns != 0 ? mr_cancel_take(cancelled) : 0;
        if (!error)
            error = tell_holder(topic, p, MR_WAIT_ACKNOWLEDGED, since, &said);
        if (error)
            return error;
        int64_t bound = mr_broker_pid(topic->bus) > 0 ? JOIN_NS : RETRY_NS;
        if (timeout_ns >= 0) {
            int64_t left = timeout_ns - (int64_t)(mr_now_ns() - since);
            if (left <= 0)
                return -ETIMEDOUT;
            bound = left < bound ? left : bound;
        }
        if (mr_cond_wait(&topic->shm->space, ticket, bound) == -ETIMEDOUT)
            mr_topic_reap_dead(topic);
    }
}

int mr_producer_join(struct mr_producer *producer, int64_t timeout_ns)
{
    uint64_t ends[MR_PARTITIONS_MAX] = {0};
    for (uint32_t p = 0; p < producer->topic->partition_cnt; p++)
        ends[p] = producer->cursors[p].end;
    return join(producer->topic, ends, &producer->cancelled, timeout_ns);
}

int mr_topic_join(struct mr_topic *topic, int64_t timeout_ns)
{
    uint64_t ends[MR_PARTITIONS_MAX] = {0};
    for (uint32_t p = 0; p < topic->partition_cnt; p++)
        ends[p] = atomic_load_explicit(&topic->logs[p].head, memory_order_acquire);
    return join(topic, ends, NULL, timeout_ns);
}
