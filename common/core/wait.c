/* wait.c - see wait.h. */
#include "wait.h"

#include <sched.h>
#include <unistd.h>

#define WAIT_ALONE_NS 50000000 /* without one: how late a death is noticed at most */

#define SPIN_NS_MIN 1000u
#define SPIN_PAUSES 64     /* about 2 us: a round trip of two that both spin takes less */
#define WAKEUP_NS   50000u /* see measure: what another member costs, */

/* and no more records than this are kept from the others for it: one of them may take longer than
 * the last ones */
#define LEAST_MAX 64u

/* see mr_wait_coalesce: so much is worth a claim at once; in a small ring, a quarter of it */
#define COALESCE_BYTES 32768u

#define COALESCE_RECORDS    64u  /* a consumer that claims fewer would only lengthen the queue */
#define COALESCE_PAUSES_MIN 96u  /* about 2.4 us */
#define COALESCE_PAUSES_MAX 768u /* about 20 us */
#define COALESCE_TRY        8u

/* Lock-free: how many bytes may there be to claim? An orphan counts as more than enough. */
uint64_t mr_wait_inviting(const struct mr_consumer *consumer)
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

/* While a producer publishes little by little, each look at its log takes the cache line with
 * `head` away from it, and a claim costs the same for one record as for many. So if little is
 * available, this waits up to the predicted time for a claim's worth, at the rate seen last time.
 * It waits the shortest time only if that prediction is far too long, as a slow stream is not to be
 * held up, or if the topic may be full before. If nothing came in the second half of a pause (the
 * stream may wait for us), only every COALESCE_TRY-th claim tries again. */
void mr_wait_coalesce(struct mr_consumer *consumer, uint64_t bytes, uint64_t records)
{
    uint64_t worth = consumer->topic->ring_bytes / 4 < COALESCE_BYTES
                         ? consumer->topic->ring_bytes / 4
                         : COALESCE_BYTES;
    if (bytes >= worth || records < COALESCE_RECORDS ||
        (!consumer->coalesce_pauses && ++consumer->coalesce_turn % COALESCE_TRY))
        return;
    uint64_t half =
        (consumer->coalesce_pauses ? consumer->coalesce_pauses : COALESCE_PAUSES_MIN) / 2;
    for (uint64_t i = 0; i < half; i++)
        mr_pause_cpu();
    uint64_t before = mr_wait_inviting(consumer);
    for (uint64_t i = 0; i < half && before != bytes; i++)
        mr_pause_cpu();
    uint64_t now = mr_wait_inviting(consumer),
             wanted = now > before ? worth * half / (now - before) : 0;
    if (now <= before)
        consumer->coalesce_pauses = 0;
    else if (wanted < COALESCE_PAUSES_MIN || wanted > 4 * COALESCE_PAUSES_MAX ||
             consumer->topic->part_records_max)
        consumer->coalesce_pauses = COALESCE_PAUSES_MIN;
    else
        consumer->coalesce_pauses = wanted < COALESCE_PAUSES_MAX ? wanted : COALESCE_PAUSES_MAX;
}

/* Spins for as long as has paid lately. Returns 1 if something may be there. */
int mr_wait_spin(struct mr_consumer *consumer, uint64_t records, int64_t timeout_ns)
{
    if (!consumer->spin_ns || timeout_ns == 0)
        return 0;
    uint64_t since = mr_now_ns();
    for (int i = 0;; i++) {
        uint64_t bytes = mr_wait_inviting(consumer);
        if (bytes) {
            mr_wait_coalesce(consumer, bytes, records);
            consumer->spin_ns =
                consumer->spin_ns * 2 < MR_SPIN_NS_MAX ? consumer->spin_ns * 2 : MR_SPIN_NS_MAX;
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

int64_t mr_wait_bound(struct mr_consumer *consumer, int64_t timeout_ns, uint64_t since)
{
    int64_t bound;
    if (consumer->joined) {
        bound = mr_broker_pid(consumer->topic->bus) > 0 ? MR_WAIT_WATCHED_NS : WAIT_ALONE_NS;
    } else {
        bound = consumer->peek_step_ns;
        consumer->peek_step_ns = bound * 2 < MR_WAIT_WATCHED_NS ? bound * 2 : MR_WAIT_WATCHED_NS;
    }
    if (timeout_ns < 0)
        return bound;
    int64_t left = timeout_ns - (int64_t)(mr_now_ns() - since);
    return left <= 0 ? 0 : left < bound ? left : bound;
}

struct mr_cond *mr_wait_cond(struct mr_consumer *consumer)
{
    return consumer->joined ? &consumer->topic->groups[consumer->seat.group].data
                            : &consumer->peek_cond;
}

int mr_wait_notice(struct mr_consumer *consumer, uint64_t since, uint64_t *said)
{
    struct mr_wait wait = {
        .what = MR_WAIT_RECORDS, .topic = consumer->topic->name, .group = "", .name = ""};
    return mr_bus_notice(consumer->topic->bus, &wait, since, said);
}

/* Work is shared where it pays: handing a record to another member costs a wakeup, so what is done
 * in less time than that is no share. How long our user takes for a record is measured from claim
 * to claim, in groups with several members only. */
void mr_wait_measure(struct mr_consumer *consumer)
{
    if (!consumer->claimed_ns)
        return;
    uint64_t now = (mr_now_ns() - consumer->claimed_ns) / consumer->claimed + 1;
    consumer->record_ns = consumer->record_ns ? (3 * consumer->record_ns + now) / 4 : now;
    uint64_t least = WAKEUP_NS / consumer->record_ns;
    consumer->seat.least = least < LEAST_MAX ? least : LEAST_MAX;
    consumer->claimed_ns = 0;
}
