/* group.c - see group.h: committed, and claiming. */
#include "group.h"

#include <errno.h>
#include <string.h>

#define TURNS 1000 /* words that change so many times while they are read are damaged */
/* a claim beyond this only keeps records from other members and room from producers */
#define CLAIM_BYTES 131072u

/* ---- committed ---- */

/* Wakes producers that wait for room, if the partition's want can be met by now. */
static void tell_producers(struct mr_topic *topic, uint32_t p, uint64_t committed)
{
    _Atomic uint64_t *want = &topic->logs[p].want;
    if (load(want) <= committed) {
        atomic_store_explicit(want, MR_NONE, memory_order_relaxed);
        mr_cond_broadcast(&topic->shm->space);
    }
}

static uint64_t lowest(const struct mr_topic *topic, uint32_t group, uint32_t p)
{
    uint64_t low = load(&mr_group_part(topic, group, p)->next);
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        if (load(&member->group) != group + 1 || load(&member->partition) != p)
            continue;
        /* acquire, pairs with mr_consumer_ack: what the member read below cursor, it has read. */
        uint64_t cursor = atomic_load_explicit(&member->cursor, memory_order_acquire);
        if (cursor < load(&member->end) && cursor < low)
            low = cursor;
    }
    return low;
}

static void commit(struct mr_topic *topic, struct mr_group_part_shm *part, uint32_t p, uint64_t low)
{
    if (low > load(&part->committed)) {
        /* Stored after all that it stands for is acknowledged, so it may be believed without a
         * lock. */
        atomic_store_explicit(&part->committed, low, memory_order_release);
        /* pairs with a producer that stores want, then looks at committed */
        atomic_thread_fence(memory_order_seq_cst);
        tell_producers(topic, p, low);
    }
}

void mr_group_commit(struct mr_topic *topic, uint32_t group, uint32_t p)
{
    commit(topic, mr_group_part(topic, group, p), p, lowest(topic, group, p));
}

int mr_group_settle(struct mr_topic *topic, uint32_t group, uint32_t p)
{
    int error = mr_group_lock(topic, group);
    if (error)
        return error;
    if (mr_group_there(topic, group))
        mr_group_commit(topic, group, p);
    mr_group_unlock(topic, group);
    return 0;
}

int mr_groups_settle(struct mr_topic *topic, uint32_t p)
{
    int error = 0;
    for (uint32_t g = 0; g < mr_groups_used(topic) && !error; g++)
        if (mr_group_there(topic, g))
            error = mr_group_settle(topic, g, p);
    return error;
}

void mr_groups_tell(struct mr_topic *topic, int wake)
{
    /* pairs with mr_cond_prepare: one fence for all groups. */
    atomic_thread_fence(memory_order_seq_cst);
    struct mr_group_shm *end = topic->groups + mr_groups_used(topic);
    for (struct mr_group_shm *group = topic->groups; group < end; group++)
        mr_cond_signal_fenced(&group->data, wake);
}

uint32_t mr_group_behind(const struct mr_topic *topic, uint32_t group, uint32_t p)
{
    uint32_t found = topic->member_cnt;
    uint64_t low = load(&mr_group_part(topic, group, p)->next);
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        uint64_t cursor = load(&member->cursor);
        if (load(&member->group) == group + 1 && load(&member->partition) == p &&
            cursor < load(&member->end) && cursor < low) {
            low = cursor;
            found = i;
        }
    }
    return found;
}

/* ---- claiming ---- */

struct scan {
    uint64_t members; /* attached, more or less: a dead one counts until it is reaped */
    /* the lowest position that another member holds in the partition of our last claim */
    uint64_t low;
    uint32_t orphan;                       /* a slot to take over, or member_cnt */
    uint64_t busy[MR_PARTITIONS_MAX / 64]; /* partitions with a claim */
};

/* An orphan that is not to be taken over yet. */
static int parked(const struct mr_member_shm *member)
{
    return load(&member->in_hand) == MR_PARKED && load(&member->claimed_ns) > mr_about_ns();
}

static void look(const struct mr_topic *topic, const struct mr_seat *seat, const uint64_t *until,
                 struct scan *scan)
{
    scan->members = 0;
    scan->low = MR_NONE;
    scan->orphan = topic->member_cnt;
    memset(scan->busy, 0, sizeof scan->busy);
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        if (load(&member->group) != seat->group + 1)
            continue;
        /* acquire, pairs with mr_consumer_ack: what the member read below cursor, it has read. */
        uint64_t cursor = atomic_load_explicit(&member->cursor, memory_order_acquire);
        uint64_t p = load(&member->partition), owner = load(&member->owner);
        scan->members += owner != 0;
        if (cursor >= load(&member->end) || p >= topic->partition_cnt)
            continue;
        if (p == seat->partition && i != seat->member && cursor < scan->low)
            scan->low = cursor;
        scan->busy[p / 64] |= (uint64_t)1 << p % 64;
        if (!owner && scan->orphan == topic->member_cnt && (!until || cursor < until[p]) &&
            !parked(member))
            scan->orphan = i;
    }
}

/* Returns 2; -EBADMSG the orphan names a partition that does not exist. */
static int adopt(struct mr_topic *topic, struct mr_seat *seat, uint32_t orphan)
{
    struct mr_group_shm *group = &topic->groups[seat->group];
    struct mr_member_shm *own = &topic->members[seat->member], *slot = &topic->members[orphan];
    uint64_t p = load(&slot->partition);
    if (p >= topic->partition_cnt)
        return -EBADMSG;
    struct mr_tx tx = mr_tx_begin(topic, &group->lock);
    mr_tx_set(&tx, &slot->owner, topic->bus->self);
    mr_tx_set(&tx, &slot->claimed_ns, mr_about_ns());
    mr_tx_set(&tx, &slot->in_hand, MR_NONE);
    mr_tx_set(&tx, &group->orphans, load(&group->orphans) - 1);
    mr_tx_set(&tx, &group->acked, load(&group->acked) + load(&own->acked));
    mr_tx_set(&tx, &own->group, 0);
    mr_tx_commit(&tx);
    seat->member = orphan;
    seat->partition = (uint32_t)p;
    seat->begin = load(&slot->cursor);
    seat->end = load(&slot->end);
    seat->begin_offset = seat->end_offset = MR_NONE;
    return 2;
}

/* What a fresh claim takes: [next, end). */
struct run {
    struct mr_tip tip; /* of the log */
    uint64_t next, next_offset, end, end_offset;
    uint64_t lost; /* records before next that were overwritten */
};

/* Where a claim of at most n records from next ends, and the offset there. Indexed boundaries save
 * looking at each record. */
static inline int claim_end(struct mr_topic *topic, uint32_t p, struct run *run, uint64_t n)
{
    const struct mr_tip tip = run->tip;
    const uint64_t next = run->next, next_offset = run->next_offset;
    if (tip.next_offset - next_offset <= n && tip.head - next <= CLAIM_BYTES) {
        run->end = tip.head;
        run->end_offset = tip.next_offset;
        return 0;
    }
    uint64_t offset;
    if (topic->full != MR_FULL_DROP_OLDEST) /* there the index may be overwritten while we look */
        for (uint64_t ahead = MR_INDEX_STEP; ahead > 1; ahead = ahead == MR_INDEX_STEP ? 1 : 0) {
            uint64_t at = mr_log_index_at(topic, p, next + ahead, tip.head, &offset);
            if (at != MR_NONE && at - next <= CLAIM_BYTES && offset - next_offset <= n &&
                offset - next_offset >= n / 2) {
                run->end = at;
                run->end_offset = offset;
                return 0;
            }
        }
    const unsigned char *ring = mr_topic_ring(topic, p);
    if (!ring)
        return -ENOMEM;
    uint64_t pos = next, bytes;
    struct mr_record_shm r;
    for (offset = next_offset; pos < tip.head && offset - next_offset < n; pos += bytes, offset++) {
        bytes = mr_log_header(topic, ring, pos, tip.head, &r);
        if (!bytes)
            return -EBADMSG;
        if (pos > next && pos + bytes - next > CLAIM_BYTES)
            break;
    }
    run->end = pos;
    run->end_offset = offset;
    return 0;
}

/* Reads the log's tip, and lets run begin at the oldest record if those before were overwritten.
 * Returns 1; 0 the next try sees more; -EBADMSG. */
static inline int begin_run(struct mr_topic *topic, uint32_t p, struct run *run)
{
    /* The tail first: what it says is at or below the head that is read then. Further apart than
     * the ring is long, they are not of one moment; they are again as soon as no producer laps us
     * between the two. */
    uint64_t tail;
    int turn = 0;
    do {
        tail = atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire);
        run->tip = mr_log_tip(topic, p);
    } while (run->tip.head - tail > topic->ring_bytes && ++turn < TURNS);
    if (run->tip.head - tail > topic->ring_bytes || run->tip.next_offset == MR_NONE)
        return -EBADMSG; /* I2 broken */
    if (run->next >= tail)
        return 1;
    /* drop-oldest: overwritten before any member took it */
    uint64_t tail_offset = mr_log_offset(topic, p, tail);
    /* overwritten again while we looked: the next try sees more */
    if (tail_offset == MR_NONE || tail_offset < run->next_offset)
        return atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire) == tail ? -EBADMSG
                                                                                        : 0;
    run->lost = tail_offset - run->next_offset;
    run->next = tail;
    run->next_offset = tail_offset;
    return 1;
}

/* Takes [next, ...) of partition p for the seat. Returns 1; 0 nothing there; -EBADMSG. */
static int claim_next(struct mr_topic *topic, struct mr_seat *seat, uint32_t p, uint64_t until,
                      uint64_t max)
{
    struct mr_group_shm *group = &topic->groups[seat->group];
    struct mr_member_shm *own = &topic->members[seat->member];
    struct mr_group_part_shm *part = mr_group_part(topic, seat->group, p);
    struct run run = {.next = load(&part->next), .next_offset = load(&part->next_offset)};
    if (atomic_load_explicit(&topic->logs[p].head, memory_order_acquire) == run.next ||
        run.next >= until)
        return 0;
    int got = begin_run(topic, p, &run);
    if (got <= 0)
        return got;
    const uint64_t next = run.next, next_offset = run.next_offset;
    /* All that this seat was to take is lost; or all that there is: a producer has made room for
     * what it writes now. */
    if (run.lost && (next >= until || next == run.tip.head)) {
        struct mr_tx tx = mr_tx_begin(topic, &group->lock);
        mr_tx_set(&tx, &part->next, next);
        mr_tx_set(&tx, &part->next_offset, next_offset);
        mr_tx_set(&tx, &group->lost, load(&group->lost) + run.lost);
        mr_tx_commit(&tx);
        seat->lost += run.lost;
        return 0;
    }
    /* A share, not all there is: what one takes the others cannot. (Guided self-scheduling:
     * remaining / workers, Polychronopoulos and Kuck, 1987.) */
    uint64_t members = seat->members, unclaimed = run.tip.next_offset - next_offset,
             share = members > 1 ? (unclaimed + members - 1) / members : max,
             least = seat->least ? seat->least : 1;
    share = share < least ? least : share;
    int error = claim_end(topic, p, &run, share < max ? share : max);
    if (error && atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire) > next)
        return 0; /* drop-oldest: lapped while looking */
    if (error)
        return error;
    uint64_t end = run.end, end_offset = run.end_offset;
    /* the pinned end lies inside: it is a record boundary, and rare enough to count its records by
     * hand */
    if (end > until) {
        end = until;
        end_offset = mr_log_offset(topic, p, until);
        if (end_offset == MR_NONE)
            return -EBADMSG;
    }
    struct mr_tx tx = mr_tx_begin(topic, &group->lock);
    mr_tx_set(&tx, &own->partition, p);
    mr_tx_set(&tx, &own->cursor, next);
    mr_tx_set(&tx, &own->end, end);
    mr_tx_set(&tx, &own->in_hand, MR_NONE);
    mr_tx_set(&tx, &own->blamed, MR_NONE);
    mr_tx_set(&tx, &own->tries, 0);
    mr_tx_set(&tx, &own->claimed_ns, mr_about_ns());
    mr_tx_set(&tx, &part->next, end);
    mr_tx_set(&tx, &part->next_offset, end_offset);
    if (run.lost)
        mr_tx_set(&tx, &group->lost, load(&group->lost) + run.lost);
    mr_tx_commit(&tx);
    seat->partition = p;
    seat->begin = next;
    seat->end = end;
    seat->begin_offset = next_offset;
    seat->end_offset = end_offset;
    seat->lost += run.lost;
    return 1;
}

int mr_group_claim(struct mr_topic *topic, struct mr_seat *seat, const uint64_t *until,
                   uint64_t max)
{
    struct mr_group_shm *group = &topic->groups[seat->group];
    struct mr_group_part_shm *parts = mr_group_part(topic, seat->group, 0);
    int error = mr_group_lock(topic, seat->group);
    if (error)
        return error;
    if (!mr_group_seated(topic, seat)) {
        mr_group_unlock(topic, seat->group);
        return -ESTALE;
    }
    struct scan scan;
    look(topic, seat, until, &scan);
    seat->members = scan.members;
    int claimed = 0, more = 0, ordered = (load(&group->flags) & MR_ORDERED) != 0;
    uint32_t before = seat->partition;
    seat->in_turn = 0;
    if (scan.orphan < topic->member_cnt)
        claimed = adopt(topic, seat, scan.orphan);
    for (uint32_t i = 0, p = before; i < topic->partition_cnt && claimed == 0; i++) {
        /* round robin: the one after the last first */
        p = p + 1 < topic->partition_cnt ? p + 1 : 0;
        if (ordered && (scan.busy[p / 64] >> p % 64 & 1)) {
            seat->in_turn = 1;
            continue;
        }
        claimed = claim_next(topic, seat, p, until ? until[p] : MR_NONE, max);
    }
    /* Our last claim is done, and may have been what held the group up. After a fresh claim the one
     * look at the members is enough: no other member has claimed since, and what others have
     * acknowledged comes into account next time. */
    if (claimed == 1) {
        uint64_t low = load(&parts[before].next);
        if (seat->partition == before && seat->begin < low)
            low = seat->begin;
        commit(topic, &parts[before], before, low < scan.low ? low : scan.low);
    } else {
        mr_group_commit(topic, seat->group, before);
    }
    if (claimed > 0)
        more = load(&group->orphans) != 0 ||
               load(&topic->logs[seat->partition].head) != load(&parts[seat->partition].next);
    mr_group_unlock(topic, seat->group);
    if (more)
        /* a producer wakes one member; a member that leaves records unclaimed wakes the next */
        mr_cond_signal(&group->data, 1);
    return claimed;
}

ssize_t mr_group_purge(struct mr_topic *topic, uint32_t g)
{
    int error = mr_group_lock(topic, g);
    if (error)
        return error;
    uint64_t skipped = 0;
    for (uint32_t p = 0; p < topic->partition_cnt && mr_group_there(topic, g); p++) {
        struct mr_group_part_shm *part = mr_group_part(topic, g, p);
        struct mr_tip tip = mr_log_tip(topic, p);
        if (tip.next_offset == MR_NONE || tip.next_offset < load(&part->next_offset)) {
            mr_group_unlock(topic, g);
            return -EBADMSG;
        }
        skipped += tip.next_offset - load(&part->next_offset);
        struct mr_tx tx = mr_tx_begin(topic, &topic->groups[g].lock);
        mr_tx_set(&tx, &part->next, tip.head);
        mr_tx_set(&tx, &part->next_offset, tip.next_offset);
        mr_tx_commit(&tx);
        mr_group_commit(topic, g, p);
    }
    mr_group_unlock(topic, g);
    return (ssize_t)skipped;
}
