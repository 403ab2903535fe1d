/* consume.c - the consumer's side of millrace.h: claims, reading in place, failing. Acknowledging
 * is in ack.c, waiting in wait.c, what comes out in deliver.c. */
#include "ack.h"
#include "append.h"
#include "dead.h"
#include "deliver.h"
#include "member.h"
#include "move.h"
#include "park.h"
#include "producer.h"
#include "reap.h"
#include "sized.h"
#include "wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW 1000u

/* ---- opening and closing ---- */

static int pin_end(struct mr_consumer *consumer)
{
    consumer->until = calloc(consumer->topic->partition_cnt, sizeof *consumer->until);
    if (!consumer->until)
        return -ENOMEM;
    for (uint32_t p = 0; p < consumer->topic->partition_cnt; p++)
        consumer->until[p] = mr_log_tip(consumer->topic, p).head;
    return 0;
}

int mr_consumer_open(struct mr_topic *topic, const struct mr_consumer_options *its,
                     struct mr_consumer **out)
{
    struct mr_consumer_options options;
    int error =
        mr_sized_read(&options, sizeof options, its, MR_SIZED(struct mr_consumer_options, tries));
    if (error)
        return error;
    error = mr_topic_check(topic);
    if (error == -EPERM && (options.flags & MR_PEEK))
        error = 0; /* an observer may look */
    if (error)
        return error;
    const char *group = options.group ? options.group : "default";
    if (mr_name_check(MR_NAME_GROUP, group) || options.tries > 1000)
        return -EINVAL;
    error = mr_topic_rings(topic);
    if (error)
        return error;
    struct mr_consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer)
        return -ENOMEM;
    consumer->topic = topic;
    consumer->flags = options.flags;
    consumer->window = options.window ? options.window : WINDOW;
    consumer->tries = options.tries ? options.tries : topic->tries;
    consumer->hand = MR_NONE;
    consumer->spin_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? MR_SPIN_NS_MAX : 0;
    consumer->copying = topic->full == MR_FULL_DROP_OLDEST || (options.flags & MR_PEEK);
    if (options.flags & MR_UNTIL_END)
        error = pin_end(consumer);
    if (!error && (options.flags & MR_PEEK))
        error = mr_deliver_peek(consumer, &options);
    else if (!error)
        error = mr_group_join(topic, group, options.flags, options.start, options.start_arg,
                              &consumer->seat);
    if (error) {
        free(consumer->until);
        free(consumer->peek_pos);
        free(consumer->peek_offset);
        free(consumer);
        return mr_topic_error(topic, error);
    }
    if (!(options.flags & MR_PEEK)) {
        consumer->joined = 1;
        consumer->inherited = consumer->seat.begin < consumer->seat.end;
    }
    *out = consumer;
    return 0;
}

void mr_consumer_close(struct mr_consumer *consumer)
{
    if (!consumer)
        return;
    if (consumer->joined && mr_bus_usable(consumer->topic->bus) == 0)
        mr_group_leave(consumer->topic, &consumer->seat);
    free(consumer->until);
    free(consumer->peek_pos);
    free(consumer->peek_offset);
    free(consumer->copy);
    free(consumer);
}

int mr_consumer_stats(const struct mr_consumer *consumer, struct mr_consumer_stats *out)
{
    const size_t first = MR_SIZED(struct mr_consumer_stats, parked);
    struct mr_consumer_stats stats = consumer->stats;
    int error = mr_sized_check(out, first);
    if (error)
        return error;
    stats.lost += consumer->seat.lost;
    stats.parked = consumer->joined ? mr_group_parked(consumer->topic, consumer->seat.group) : 0;
    mr_sized_write(out, &stats, sizeof stats, first);
    return 0;
}

/* ---- waiting ---- */

/* After a claim that found nothing: is this the end? Returns 0 or -ENODATA, -EIDRM, -EIO. */
static int ended(struct mr_consumer *consumer)
{
    struct mr_topic *topic = consumer->topic;
    if (mr_intact(topic) < 0)
        return -EIO;
    if (load(&topic->shm->deleted))
        return -EIDRM;
    int sealed = atomic_load_explicit(&topic->shm->sealed, memory_order_acquire) != 0;
    if (!consumer->joined) {
        int all = 1;
        for (uint32_t p = 0; p < topic->partition_cnt; p++)
            all &= consumer->until ? consumer->peek_pos[p] >= consumer->until[p]
                                   : consumer->peek_pos[p] == load(&topic->logs[p].head);
        return all && (consumer->until || sealed) ? -ENODATA : 0;
    }
    if (consumer->until) {
        int all = !consumer->seat.in_turn;
        for (uint32_t p = 0; p < topic->partition_cnt && all; p++)
            all = load(&mr_group_part(topic, consumer->seat.group, p)->next) >= consumer->until[p];
        if (all)
            return -ENODATA;
    }
    if (consumer->flags & MR_UNTIL_DRAINED) {
        int drained = mr_consumer_drained(consumer);
        if (drained > 0)
            /* the others of the group may sleep */
            mr_cond_broadcast(&topic->groups[consumer->seat.group].data);
        if (drained)
            return drained < 0 ? drained : -ENODATA;
    }
    if (!sealed)
        return 0;
    /* A producer that did not see the seal may still be inside: take each log's lock once, after
     * that the heads are final. What others of the group have in hand could still come to us, so it
     * is the end only when all is acknowledged. */
    for (; consumer->sealed_seen < topic->partition_cnt; consumer->sealed_seen++) {
        int error = mr_log_lock(topic, consumer->sealed_seen);
        if (error)
            return error;
        mr_unlock(&topic->logs[consumer->sealed_seen].lock);
    }
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        const struct mr_group_part_shm *part = mr_group_part(topic, consumer->seat.group, p);
        uint64_t head = atomic_load_explicit(&topic->logs[p].head, memory_order_acquire);
        if (load(&part->committed) != head) {
            int error = mr_group_settle(topic, consumer->seat.group, p);
            if (error)
                return error;
            if (load(&part->committed) != head)
                return 0;
        }
    }
    return -ENODATA;
}

/* What mr_consumer_claim returns: got > 0 something is at hand, else got. */
static ssize_t at_hand(struct mr_consumer *consumer, int got)
{
    if (mr_intact(consumer->topic) < 0)
        return -EIO;
    if (got > 0 && consumer->seat.members > 1) {
        consumer->claimed_ns = mr_now_ns();
        consumer->claimed = consumer->left;
    }
    return got > 0 ? (ssize_t)consumer->left : got;
}

ssize_t mr_consumer_claim(struct mr_consumer *consumer, size_t max, int64_t timeout_ns)
{
    struct mr_topic *topic = consumer->topic;
    int error = mr_topic_check(topic);
    if (error && !(error == -EPERM && !consumer->joined))
        return error;
    if (consumer->left)
        return (ssize_t)consumer->left;
    if (consumer->joined && consumer->acked < consumer->pos)
        return -EBUSY; /* given but neither acknowledged nor given back: the seat holds one claim */
    if (max == 0 || max > consumer->window)
        max = consumer->window;
    mr_wait_measure(consumer);
    uint64_t records =
        topic->part_records_max && topic->part_records_max < max ? topic->part_records_max : max;
    /* A consumer that will wait may first look without a lock, as it claims before it sleeps. One
     * that polls has to claim at once: a death may have left work half done, which only the next to
     * take the lock completes. */
    int look =
        timeout_ns == 0 || !consumer->joined || consumer->until || mr_consumer_holds(consumer);
    uint64_t bytes = look ? 0 : mr_wait_inviting(consumer);
    if (bytes)
        mr_wait_coalesce(consumer, bytes, records);
    int got = look || bytes ? mr_deliver(consumer, max) : 0;
    if (got)
        return at_hand(consumer, got);
    error = ended(consumer);
    if (error)
        return error;
    if (timeout_ns == 0)
        return -ETIMEDOUT;

    uint64_t since = mr_now_ns(), said = 0;
    consumer->stats.waits++;
    for (;;) {
        if (consumer->joined && mr_wait_spin(consumer, records, timeout_ns)) {
            got = mr_deliver(consumer, max);
            if (got)
                break;
        }
        struct mr_cond *cond = mr_wait_cond(consumer);
        uint32_t ticket = mr_cond_prepare(cond);
        got = mr_deliver(consumer, max);
        if (!got)
            got = ended(consumer);
        if (!got)
            got = mr_cancel_take(&consumer->cancelled);
        if (!got)
            got = mr_wait_notice(consumer, since, &said);
        if (got)
            break;
        int64_t bound = mr_wait_bound(consumer, timeout_ns, since);
        if (bound == 0) {
            got = -ETIMEDOUT;
            break;
        }
        if (mr_cond_wait(cond, ticket, bound) == -ETIMEDOUT && consumer->joined)
            mr_topic_reap_dead(topic);
    }
    consumer->stats.starved_ns += mr_now_ns() - since;
    return at_hand(consumer, got);
}

int mr_consumer_wait_any(struct mr_consumer *const *consumers, size_t n, int64_t timeout_ns)
{
    if (n < 1 || n > 64)
        return -EINVAL;
    uint64_t since = mr_now_ns(), said = 0;
    for (;;) {
        struct mr_cond *conds[64];
        uint32_t tickets[64];
        int64_t bound = MR_WAIT_WATCHED_NS;
        for (size_t i = 0; i < n; i++) {
            struct mr_consumer *consumer = consumers[i];
            conds[i] = mr_wait_cond(consumer);
            tickets[i] = mr_cond_prepare(conds[i]);
            /* A claim that is taken stays with its handle for the caller's mr_consumer_claim; an
             * end or an error is found there again. */
            if (mr_consumer_claim(consumer, 0, 0) != -ETIMEDOUT)
                return 0;
            int64_t its = mr_wait_bound(consumer, timeout_ns, since);
            bound = its < bound ? its : bound;
        }
        /* Only a wait is ended: what is there for one handle comes before another's cancel. */
        for (size_t i = 0; i < n && timeout_ns != 0; i++)
            if (mr_cancel_take(&consumers[i]->cancelled))
                return -ECANCELED;
        int error = mr_wait_notice(consumers[0], since, &said);
        if (error)
            return error;
        if (bound == 0)
            return -ETIMEDOUT;
        if (mr_cond_wait_many(conds, tickets, n, bound) == -ETIMEDOUT)
            for (size_t i = 0; i < n; i++)
                if (consumers[i]->joined)
                    mr_topic_reap_dead(consumers[i]->topic);
    }
}

/* ---- records ---- */

int mr_consumer_next(struct mr_consumer *consumer, struct mr_record *out)
{
    if (mr_intact(consumer->topic) < 0)
        return -EIO;
    if (!*consumer->topic->bus->alive)
        return -ESTALE; /* a forked child: the claim is its parent's */
    if (consumer->pos >= consumer->stop) {
        /* I3 broken: the offsets at both ends promise another number of records */
        if (consumer->left) {
            consumer->left = 0;
            return -EBADMSG;
        }
        if (consumer->hand != MR_NONE && consumer->joined) {
            consumer->hand = MR_NONE;
            atomic_store_explicit(&mr_consumer_slot(consumer)->in_hand, MR_NONE,
                                  memory_order_relaxed);
        }
        return 0;
    }
    struct mr_record_shm r;
    uint64_t bytes = mr_record_read(consumer->at, consumer->pos, consumer->stop, &r);
    if (!bytes || r.offset != consumer->next_offset)
        return mr_topic_error(consumer->topic, -EBADMSG);
    if (consumer->joined) {
        consumer->hand = consumer->pos;
        consumer->hand_at = consumer->at;
        /* release: it is in hand before anything is done with it. */
        atomic_store_explicit(&mr_consumer_slot(consumer)->in_hand, consumer->pos,
                              memory_order_release);
    }
    const unsigned char *at = consumer->at + sizeof r;
    uint32_t key_len = r.key_len == MR_KEY_NONE ? 0 : r.key_len;
    out->key = r.key_len == MR_KEY_NONE ? NULL : at;
    out->key_len = key_len;
    out->headers = at + key_len;
    out->headers_len = r.headers_len;
    out->value = at + key_len + r.headers_len;
    out->value_len = r.value_len;
    out->flags = r.flags;
    out->partition = consumer->partition;
    out->try_number = consumer->tries_so_far + 1;
    out->ts_ns = r.ts_ns;
    out->offset = r.offset;
    consumer->stats.records++;
    consumer->pos += bytes;
    consumer->at += bytes;
    if (consumer->ring_end && consumer->at >= consumer->ring_end)
        consumer->at -= consumer->topic->ring_bytes;
    consumer->next_offset++;
    consumer->left--;
    consumer->given++;
    consumer->stats.bytes += r.value_len;
    return 1;
}

int mr_consumer_ack_with(struct mr_consumer *consumer, struct mr_producer *producer,
                         struct mr_message *msgs, size_t n, int64_t timeout_ns)
{
    if (n == 0)
        return mr_consumer_ack(consumer);
    if (!consumer->joined || consumer->acked == consumer->pos ||
        mr_producer_topic(producer)->bus != consumer->topic->bus ||
        mr_producer_topic(producer) == consumer->topic)
        return -EINVAL;
    int error = mr_consumer_mine(consumer);
    if (!error)
        error = mr_append_assign(producer, msgs, n);
    return error ? error
                 : mr_move(consumer, &(struct mr_move){.producer = producer,
                                                       .msgs = msgs,
                                                       .n = n,
                                                       .pos = consumer->pos,
                                                       .records = consumer->given,
                                                       .timeout_ns = timeout_ns});
}

int mr_consumer_give_back(struct mr_consumer *consumer)
{
    if (!consumer->joined) {
        consumer->left = 0;
        consumer->acked = consumer->pos = consumer->stop;
        return 0;
    }
    int error = mr_bus_usable(consumer->topic->bus);
    if (error)
        return error;
    consumer->claimed_ns = 0; /* what is given back tells nothing of how long a record takes */
    error = mr_group_give_back(consumer->topic, &consumer->seat);
    if (error && error != -EUSERS)
        return error;
    consumer->left = 0;
    consumer->given = 0;
    consumer->hand = MR_NONE;
    consumer->pos = consumer->stop = consumer->acked = consumer->end = 0;
    consumer->inherited = error == -EUSERS; /* no other slot: it is still ours, and comes again */
    return 0;
}

static int fail(struct mr_consumer *consumer, const char *reason, int now)
{
    struct mr_topic *topic = consumer->topic;
    if (!consumer->joined || consumer->hand == MR_NONE || consumer->hand < consumer->acked)
        return -EINVAL;
    uint64_t hand = consumer->hand;
    int error = mr_consumer_mine(consumer);
    if (error)
        return error;
    consumer->claimed_ns = 0;
    if (hand > consumer->acked) {
        error = mr_consumer_ack_to(consumer, hand, consumer->given - 1);
        if (error)
            return error;
    }
    struct mr_member_shm *slot = mr_consumer_slot(consumer);
    struct mr_group_shm *group = &topic->groups[consumer->seat.group];
    error = mr_group_lock(topic, consumer->seat.group);
    if (error)
        return error;
    if (!mr_group_seated(topic, &consumer->seat)) {
        mr_group_unlock(topic, consumer->seat.group);
        return mr_topic_error(topic, -ESTALE);
    }
    uint64_t tries = load(&slot->blamed) == hand ? load(&slot->tries) + 1 : 1;
    struct mr_tx tx = mr_tx_begin(topic, &group->lock);
    mr_tx_set(&tx, &slot->tries, tries);
    mr_tx_set(&tx, &slot->blamed, hand);
    mr_tx_set(&tx, &slot->failed_pid, (uint64_t)getpid());
    mr_tx_set(&tx, &slot->in_hand, MR_NONE);
    mr_tx_commit(&tx);
    mr_group_unlock(topic, consumer->seat.group);
    /* From here on it counts as not given: also if it cannot be moved, it comes again and nothing
     * behind it is acknowledged before it. */
    consumer->hand = MR_NONE;
    consumer->left = 0;
    consumer->given = 0;
    consumer->pos = consumer->stop = consumer->acked;
    int dead = now || tries >= consumer->tries;
    error = dead ? mr_dead_letter(consumer, hand, consumer->hand_at, reason) : 0;
    return error < 0 ? error : dead + error;
}

int mr_consumer_fail(struct mr_consumer *consumer, const char *reason)
{
    return fail(consumer, reason, 0);
}

int mr_consumer_fail_now(struct mr_consumer *consumer, const char *reason)
{
    return fail(consumer, reason, 1);
}

int mr_consumer_drained(struct mr_consumer *consumer)
{
    struct mr_topic *topic = consumer->topic;
    if (!consumer->joined)
        return -EINVAL;
    if (mr_intact(topic) < 0)
        return -EIO;
    for (uint32_t i = 0; i < topic->producer_cnt; i++) {
        if (load(&topic->producers[i].state) == 'l')
            mr_topic_reap_dead(topic); /* counts it as done */
        if (load(&topic->producers[i].state) != 'a')
            continue;
        uint64_t owner = load(&topic->producers[i].owner);
        int alive = mr_client_alive(topic->bus, owner);
        if (alive)
            return alive < 0 ? alive : 0;
        mr_topic_reap_dead(topic);
        if (load(&topic->producers[i].state) == 'a')
            return 0;
    }
    uint64_t died = load(&topic->shm->producers_died);
    if (!died && !load(&topic->shm->producers_done) && !load(&topic->shm->sealed))
        return 0; /* no producer has come yet */
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        int error = mr_group_settle(topic, consumer->seat.group, p);
        if (error)
            return error;
        if (load(&mr_group_part(topic, consumer->seat.group, p)->committed) !=
            atomic_load_explicit(&topic->logs[p].head, memory_order_acquire))
            return 0;
    }
    return died ? 2 : 1;
}
