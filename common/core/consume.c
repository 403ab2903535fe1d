/* consume.c - the consumer's side of millrace.h: claims, reading in place, acknowledging, waiting.
 * What comes out is in deliver.c, dead letters are in dead.c. */
#include "consume.h"
#include "dead.h"
#include "member.h"
#include "park.h"
#include "reap.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW          1000u
#define WAIT_WATCHED_NS 500000000 /* under a broker, which wakes whoever a death concerns */
#define WAIT_ALONE_NS   50000000  /* without one: how late a death is noticed at most */
/* about what a wakeup on another CPU costs: spinning longer than that cannot pay */
#define SPIN_NS_MAX 50000u
#define SPIN_NS_MIN 1000u
#define SPIN_PAUSES 64     /* about 2 us: a round trip of two that both spin takes less */
#define WAKEUP_NS   50000u /* see measure: what another member costs, */
/* and no more records than this are kept from the others for it: one of them may take longer than
 * the last ones */
#define LEAST_MAX 64u
/* see gather: so much is worth a claim at once; in a small ring, a quarter of it */
#define GATHER_BYTES      32768u
#define GATHER_RECORDS    64u  /* who takes fewer at a time would only make a queue */
#define GATHER_PAUSES_MIN 96u  /* about 2.4 us */
#define GATHER_PAUSES_MAX 768u /* about 20 us */
#define GATHER_TRY        8u

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

int mr_consumer_open(struct mr_topic *topic, const struct mr_consumer_options *options,
                     struct mr_consumer **out)
{
    static const struct mr_consumer_options defaults = {0};
    if (!options)
        options = &defaults;
    int error = mr_topic_check(topic);
    if (error == -EPERM && (options->flags & MR_PEEK))
        error = 0; /* an observer may look */
    if (error)
        return error;
    const char *group = options->group ? options->group : "default";
    if (mr_name_check('g', group) || options->tries > 1000)
        return -EINVAL;
    error = mr_topic_rings(topic);
    if (error)
        return error;
    struct mr_consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer)
        return -ENOMEM;
    consumer->topic = topic;
    consumer->flags = options->flags;
    consumer->window = options->window ? options->window : WINDOW;
    consumer->tries = options->tries ? options->tries : topic->tries;
    consumer->hand = MR_NONE;
    consumer->spin_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPIN_NS_MAX : 0;
    consumer->copying = topic->full == MR_FULL_DROP_OLDEST || (options->flags & MR_PEEK);
    if (options->flags & MR_UNTIL_END)
        error = pin_end(consumer);
    if (!error && (options->flags & MR_PEEK))
        error = mr_deliver_peek(consumer, options);
    else if (!error)
        error = mr_group_join(topic, group, options->flags, options->start, options->start_arg,
                              &consumer->seat);
    if (error) {
        free(consumer->until);
        free(consumer->peek_pos);
        free(consumer->peek_offset);
        free(consumer);
        return mr_blame(topic, error);
    }
    if (!(options->flags & MR_PEEK)) {
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

void mr_consumer_stats(const struct mr_consumer *consumer, struct mr_consumer_stats *out)
{
    *out = consumer->stats;
    out->lost += consumer->seat.lost;
    out->parked = consumer->joined ? mr_group_parked(consumer->topic, consumer->seat.group) : 0;
}

/* ---- waiting ---- */

/* Lock-free: how many bytes may there be to claim? An orphan counts as more than enough. */
static uint64_t inviting(const struct mr_consumer *consumer)
{
    const struct mr_topic *topic = consumer->topic;
    const struct mr_group_part_shm *parts = mr_group_part(topic, consumer->seat.group, 0);
    const struct mr_log_shm *logs = topic->logs;
    const uint64_t *until = consumer->until;
    uint64_t bytes = 0;
    if (load(&topic->groups[consumer->seat.group].orphans))
        return MR_NONE;
    for (uint32_t p = 0, n = topic->partition_cnt; p < n; p++) {
        uint64_t next = load(&parts[p].next), head = load(&logs[p].head);
        if (next != head && (!until || next < until[p]))
            bytes += head - next;
    }
    return bytes;
}

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

/* While a producer goes on publishing little by little, each look at its log takes the line with
 * `head` away from it, and a claim costs the same for one record as for many. So a little that is
 * there is left alone to grow for as long as what is worth a claim will take at the rate seen last
 * time; for the shortest time only if that is far too long, as a slow stream is not to be held up,
 * or if the topic may be full before. Where nothing grew in the second half of a pause (the stream
 * may wait for us) only every GATHER_TRY-th claim tries again.
 *   bytes   what inviting() has just said records that a claim, or the topic, can hold at most */
static void gather(struct mr_consumer *consumer, uint64_t bytes, uint64_t records)
{
    uint64_t worth = consumer->topic->ring_bytes / 4 < GATHER_BYTES
                         ? consumer->topic->ring_bytes / 4
                         : GATHER_BYTES;
    if (bytes >= worth || records < GATHER_RECORDS ||
        (!consumer->gather_pauses && ++consumer->gather_turn % GATHER_TRY))
        return;
    uint64_t half = (consumer->gather_pauses ? consumer->gather_pauses : GATHER_PAUSES_MIN) / 2;
    for (uint64_t i = 0; i < half; i++)
        mr_pause_cpu();
    uint64_t before = inviting(consumer);
    for (uint64_t i = 0; i < half && before != bytes; i++)
        mr_pause_cpu();
    uint64_t now = inviting(consumer), wanted = now > before ? worth * half / (now - before) : 0;
    if (now <= before)
        consumer->gather_pauses = 0;
    else if (wanted < GATHER_PAUSES_MIN || wanted > 4 * GATHER_PAUSES_MAX ||
             consumer->topic->part_records_max)
        consumer->gather_pauses = GATHER_PAUSES_MIN;
    else
        consumer->gather_pauses = wanted < GATHER_PAUSES_MAX ? wanted : GATHER_PAUSES_MAX;
}

/* Spins for as long as has paid lately. Returns 1 if something may be there. */
static int spin(struct mr_consumer *consumer, uint64_t records, int64_t timeout_ns)
{
    if (!consumer->spin_ns || timeout_ns == 0)
        return 0;
    uint64_t since = mr_now_ns();
    for (int i = 0;; i++) {
        uint64_t bytes = inviting(consumer);
        if (bytes) {
            gather(consumer, bytes, records);
            consumer->spin_ns =
                consumer->spin_ns * 2 < SPIN_NS_MAX ? consumer->spin_ns * 2 : SPIN_NS_MAX;
            return 1;
        }
        if (i < SPIN_PAUSES)
            mr_pause_cpu();
        else if (mr_now_ns() - since >= consumer->spin_ns)
            break;
        else
            /* where there are more processes than CPUs, it may be the producer that waits for
             * ours */
            sched_yield();
    }
    consumer->spin_ns = consumer->spin_ns / 2 > SPIN_NS_MIN ? consumer->spin_ns / 2 : SPIN_NS_MIN;
    return 0;
}

/* How long to sleep at most, out of what is left of the timeout; 0: the time is over. */
static int64_t bound_for(struct mr_consumer *consumer, int64_t timeout_ns, uint64_t since)
{
    int64_t bound;
    if (consumer->joined) {
        bound = mr_broker_pid(consumer->topic->bus) > 0 ? WAIT_WATCHED_NS : WAIT_ALONE_NS;
    } else {
        bound = consumer->peek_step_ns;
        consumer->peek_step_ns = bound * 2 < WAIT_WATCHED_NS ? bound * 2 : WAIT_WATCHED_NS;
    }
    if (timeout_ns < 0)
        return bound;
    int64_t left = timeout_ns - (int64_t)(mr_now_ns() - since);
    return left <= 0 ? 0 : left < bound ? left : bound;
}

static int notice(struct mr_consumer *consumer, uint64_t since, uint64_t *said)
{
    struct mr_wait wait = {
        .what = MR_WAIT_RECORDS, .topic = consumer->topic->name, .group = "", .name = ""};
    return mr_bus_notice(consumer->topic->bus, &wait, since, said);
}

/* Work is shared where it pays: handing a record to another member costs a wakeup, so what is done
 * in less time than that is no share. How long our user takes for a record is measured from claim
 * to claim, in groups with several members only. */
static void measure(struct mr_consumer *consumer)
{
    if (!consumer->claimed_ns)
        return;
    uint64_t now = (mr_now_ns() - consumer->claimed_ns) / consumer->claimed + 1;
    consumer->record_ns = consumer->record_ns ? (3 * consumer->record_ns + now) / 4 : now;
    uint64_t least = WAKEUP_NS / consumer->record_ns;
    consumer->seat.least = least < LEAST_MAX ? least : LEAST_MAX;
    consumer->claimed_ns = 0;
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
    measure(consumer);
    uint64_t records =
        topic->part_records_max && topic->part_records_max < max ? topic->part_records_max : max;
    /* Who is going to wait may first look without a lock: it tries for good before it sleeps. One
     * that only polls has to try at once, for a death may have left its work half done where only
     * the lock's next owner completes it. */
    int look =
        timeout_ns == 0 || !consumer->joined || consumer->until || mr_consumer_holds(consumer);
    uint64_t bytes = look ? 0 : inviting(consumer);
    if (bytes)
        gather(consumer, bytes, records);
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
        if (consumer->joined && spin(consumer, records, timeout_ns)) {
            got = mr_deliver(consumer, max);
            if (got)
                break;
        }
        struct mr_cond *data = consumer->joined ? &topic->groups[consumer->seat.group].data : NULL;
        uint32_t ticket = data ? mr_cond_prepare(data) : 0;
        got = mr_deliver(consumer, max);
        if (!got)
            got = ended(consumer);
        if (!got)
            got = notice(consumer, since, &said);
        if (got)
            break;
        int64_t bound = bound_for(consumer, timeout_ns, since);
        if (bound == 0) {
            got = -ETIMEDOUT;
            break;
        }
        if (!data) {
            /* a private word: a sleep that a signal handler ends, like the other one */
            static struct mr_cond nobody;
            mr_cond_wait(&nobody, 0, bound);
        } else if (mr_cond_wait(data, ticket, bound) == -ETIMEDOUT) {
            mr_topic_reap_dead(topic);
        }
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
        size_t waits = 0;
        int64_t bound = WAIT_WATCHED_NS;
        for (size_t i = 0; i < n; i++) {
            struct mr_consumer *consumer = consumers[i];
            if (consumer->joined) {
                conds[waits] = &consumer->topic->groups[consumer->seat.group].data;
                tickets[waits] = mr_cond_prepare(conds[waits]);
                waits++;
            }
            /* A claim that is taken stays with its handle for the caller's mr_consumer_claim; an
             * end or an error is found there again. */
            if (mr_consumer_claim(consumer, 0, 0) != -ETIMEDOUT)
                return 0;
            int64_t its = bound_for(consumer, timeout_ns, since);
            bound = its < bound ? its : bound;
        }
        int error = notice(consumers[0], since, &said);
        if (error)
            return error;
        if (bound == 0)
            return -ETIMEDOUT;
        static struct mr_cond nobody;
        if (waits == 0)
            mr_cond_wait(&nobody, 0, bound);
        else if (mr_cond_wait_many(conds, tickets, waits, bound) == -ETIMEDOUT)
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
        return mr_blame(consumer->topic, -EBADMSG);
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

int mr_consumer_ack(struct mr_consumer *consumer)
{
    if (!consumer->joined || consumer->acked == consumer->pos) {
        consumer->acked = consumer->pos;
        return mr_intact(consumer->topic);
    }
    return mr_consumer_ack_to(consumer, consumer->pos, consumer->given);
}

int mr_consumer_mine(const struct mr_consumer *consumer)
{
    const struct mr_topic *topic = consumer->topic;
    const struct mr_member_shm *slot = mr_consumer_slot(consumer);
    int error = mr_intact(topic);
    if (!error)
        error = mr_bus_usable(topic->bus);
    if (!error &&
        (load(&slot->owner) != topic->bus->self || load(&slot->group) != consumer->seat.group + 1 ||
         load(&topic->groups[consumer->seat.group].serial) != consumer->seat.serial))
        error = mr_blame(topic, -ESTALE);
    return error;
}

int mr_consumer_ack_to(struct mr_consumer *consumer, uint64_t pos, uint64_t records)
{
    struct mr_topic *topic = consumer->topic;
    struct mr_member_shm *slot = mr_consumer_slot(consumer);
    int error = mr_consumer_mine(consumer);
    if (error)
        return error;
    /* release, pairs with the acquire of whoever computes committed: we are done reading below pos.
     * This is the moment of acknowledgement. */
    atomic_store_explicit(&slot->cursor, pos, memory_order_release);
    atomic_store_explicit(&slot->acked, load(&slot->acked) + records, memory_order_relaxed);
    consumer->acked = pos;
    consumer->given = 0;
    if (consumer->seat.begin_offset != MR_NONE)
        /* so that what is overwritten later counts as lost from there */
        consumer->seat.begin_offset += records;
    int done = pos == consumer->end;
    _Atomic uint64_t *want = &topic->logs[consumer->partition].want;
    /* pairs with store_want: we see it, or the producer sees our cursor */
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t wanted = load(want);
    if (wanted != MR_NONE && (pos >= wanted || done)) {
        atomic_store_explicit(want, MR_NONE, memory_order_relaxed);
        mr_cond_broadcast(&topic->shm->space);
    }
    /* The partition of an ordered group is free for another member now; the last acknowledgement of
     * a sealed topic ends all. */
    struct mr_group_shm *group = &topic->groups[consumer->seat.group];
    if (done && load(&topic->shm->sealed))
        mr_cond_broadcast(&group->data);
    else if (done && (load(&group->flags) & MR_ORDERED))
        mr_cond_signal(&group->data, 1);
    return 0;
}

int mr_consumer_rewind(struct mr_consumer *consumer)
{
    if (!consumer->joined)
        return -EINVAL;
    uint64_t back = consumer->pos - consumer->acked;
    const unsigned char *ring = mr_topic_ring(consumer->topic, consumer->partition);
    if (!consumer->copying && back > (uint64_t)(consumer->at - ring))
        consumer->at += consumer->topic->ring_bytes;
    consumer->at -= back;
    consumer->pos = consumer->acked;
    consumer->next_offset -= consumer->given;
    consumer->left += consumer->given;
    consumer->given = 0;
    if (consumer->hand != MR_NONE) {
        consumer->hand = MR_NONE;
        atomic_store_explicit(&mr_consumer_slot(consumer)->in_hand, MR_NONE, memory_order_relaxed);
    }
    return 0;
}

int mr_consumer_holds(const struct mr_consumer *consumer)
{
    return consumer->joined && (consumer->inherited || consumer->acked != consumer->end);
}

int mr_consumer_give_back(struct mr_consumer *consumer)
{
    if (!consumer->joined) {
        consumer->left = 0;
        consumer->acked = consumer->pos = consumer->stop;
        return 0;
    }
    consumer->claimed_ns = 0; /* what is given back tells nothing of how long a record takes */
    int error = mr_group_give_back(consumer->topic, &consumer->seat);
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
    int error;
    consumer->claimed_ns = 0;
    if (hand > consumer->acked) {
        error = mr_consumer_ack_to(consumer, hand, consumer->given - 1);
        if (error)
            return error;
    }
    struct mr_member_shm *slot = mr_consumer_slot(consumer);
    struct mr_group_shm *group = &topic->groups[consumer->seat.group];
    error = mr_lock(topic, &group->lock);
    if (error < 0)
        return error;
    if (load(&slot->owner) != topic->bus->self || load(&group->serial) != consumer->seat.serial) {
        mr_unlock(&group->lock);
        return mr_blame(topic, -ESTALE);
    }
    uint64_t tries = load(&slot->blamed) == hand ? load(&slot->tries) + 1 : 1;
    struct mr_tx tx = mr_tx_begin(topic, &group->lock);
    mr_tx_set(&tx, &slot->tries, tries);
    mr_tx_set(&tx, &slot->blamed, hand);
    mr_tx_set(&tx, &slot->failed_pid, (uint64_t)getpid());
    mr_tx_set(&tx, &slot->in_hand, MR_NONE);
    mr_tx_commit(&tx);
    mr_unlock(&group->lock);
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
        return 0; /* nobody has come yet */
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
