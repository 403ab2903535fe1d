/* info.c - what anyone may look at: read word by word, without a lock, also through a read-only
 * mapping. Whatever the words say, nothing outside the mapping is read and every loop is bounded.
 * What cannot be looked at is an error, never a zero (I13). */
#include "consumer.h"
#include "sized.h"

#include <errno.h>
#include <string.h>

/* bounds the retries: each means that what was read has changed within a microsecond */
#define LOOKS 10000

static inline uint64_t acquire(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0; /* two words read a moment apart can be in the wrong order */
}

/* ---- one partition's log ---- */

/* The offset of the record at pos, in [tail, tip.head]. Returns 0; -EAGAIN it was overwritten
 * meanwhile; or a negative errno. */
static int offset_of(const struct mr_topic *topic, uint32_t p, const struct mr_tip *tip,
                     uint64_t pos, uint64_t *out)
{
    struct mr_record_shm r;
    unsigned char *ring;
    if (pos == tip->head) {
        *out = tip->next_offset;
        return 0;
    }
    /* Mapping a ring on first use is no change that a caller can see. */
    int error = mr_topic_ring_get((struct mr_topic *)(uintptr_t)topic, p, &ring);
    if (error)
        return error;
    if (!mr_log_header(topic, ring, pos, tip->head, &r) || r.offset >= tip->next_offset)
        return acquire(&topic->logs[p].tail) > pos ? -EAGAIN : mr_topic_error(topic, -EBADMSG);
    *out = r.offset;
    return 0;
}

/* Head and tail of a log, read in this order, and what must hold between them. Returns 0; -EAGAIN;
 * -EBADMSG. */
static int ends_of(const struct mr_topic *topic, uint32_t p, struct mr_tip *tip, uint64_t *tail)
{
    *tip = mr_log_tip(topic, p);
    *tail = acquire(&topic->logs[p].tail);
    if (tip->next_offset == MR_NONE ||
        (*tail <= tip->head && tip->head - *tail > topic->ring_bytes)) /* I2; the tail only grows */
        return mr_topic_error(topic, -EBADMSG);
    if (*tail > tip->head)
        return acquire(&topic->logs[p].head) == tip->head ? mr_topic_error(topic, -EBADMSG)
                                                          : -EAGAIN;
    return 0;
}

/* The offset at pos, or that of the oldest record if pos was overwritten. */
static int offset_at(const struct mr_topic *topic, uint32_t p, uint64_t pos, uint64_t *out)
{
    int error = -EAGAIN;
    for (int i = 0; i < LOOKS && error == -EAGAIN; i++) {
        struct mr_tip tip;
        uint64_t tail;
        error = ends_of(topic, p, &tip, &tail);
        if (!error && pos > tip.head)
            error = acquire(&topic->logs[p].head) == tip.head ? mr_topic_error(topic, -EBADMSG)
                                                              : -EAGAIN;
        if (!error)
            error = offset_of(topic, p, &tip, pos < tail ? tail : pos, out);
    }
    return error;
}

/* One look at a partition. Returns 0; -EAGAIN records came or went meanwhile; or a negative errno.
 */
static int partition_look(const struct mr_topic *topic, uint32_t p, struct mr_partition_info *info)
{
    struct mr_tip tip;
    uint64_t tail;
    struct mr_record_shm r;
    unsigned char *ring;
    int error = ends_of(topic, p, &tip, &tail);
    if (error)
        return error;
    *info = (struct mr_partition_info){.first_offset = tip.next_offset,
                                       .next_offset = tip.next_offset,
                                       .bytes_kept = tip.head - tail,
                                       .bytes_room = topic->ring_bytes};
    if (tail == tip.head)
        return 0;
    error = offset_of(topic, p, &tip, tail, &info->first_offset);
    if (!error)
        error = mr_topic_ring_get((struct mr_topic *)(uintptr_t)topic, p, &ring);
    if (!error && !mr_log_header(topic, ring, tail, tip.head, &r))
        error = -EAGAIN;
    if (error)
        return error;
    info->first_ts_ns = r.ts_ns;
    info->last_ts_ns = tip.last_ts_ns;
    return 0;
}

int mr_partition_info(const struct mr_topic *topic, uint32_t p, struct mr_partition_info *out)
{
    const size_t first = MR_SIZED(struct mr_partition_info, last_ts_ns);
    if (mr_sized_check(out, first))
        return -EINVAL;
    if (p >= topic->partition_cnt)
        return -ERANGE;
    struct mr_partition_info info = {0};
    int error = -EAGAIN;
    for (int i = 0; i < LOOKS && error == -EAGAIN; i++)
        error = partition_look(topic, p, &info);
    if (mr_intact(topic) < 0)
        return -EIO;
    if (!error)
        mr_sized_write(out, &info, sizeof info, first);
    return error;
}

/* ---- words that change together ----
 *
 * A claim changes a member's words and the group's `next` in one transaction, so they have to be
 * read as of one moment, or a record is counted twice, or not at all. The words of a transaction
 * count from when it is armed: until it is applied (its process may be stopped, or dead and not
 * repaired yet) they are read from the redo log. Two collections in a row that find the same
 * words have found them as they were at the moment between: positions do not come back. */

struct redo {
    uint64_t n;
    uint64_t words[2 * MR_REDO_MAX], values[2 * MR_REDO_MAX];
};

static void redo_add(const struct mr_redo_shm *shm, struct redo *redo)
{
    uint64_t n = acquire(&shm->armed);
    for (uint64_t i = 0; i < n && i < MR_REDO_MAX; i++) {
        redo->words[redo->n] = acquire(&shm->entries[i].word);
        redo->values[redo->n++] = acquire(&shm->entries[i].value);
    }
}

static void redo_look(const struct mr_topic *topic, uint64_t group, struct redo *redo)
{
    redo->n = 0;
    redo_add(&topic->shm->lock.redo, redo);
    if (group < topic->group_cnt)
        redo_add(&topic->groups[group].lock.redo, redo);
}

static uint64_t committed_word(const struct mr_topic *topic, const struct redo *redo,
                               const _Atomic uint64_t *word)
{
    uint64_t value = acquire(word), at = (uint64_t)((const unsigned char *)word - topic->base);
    for (uint64_t i = 0; i < redo->n; i++)
        if (redo->words[i] == at)
            value = redo->values[i];
    return value;
}

/* A group's claims of one partition. */
struct claims {
    uint64_t serial, flags, next, next_offset;
    uint32_t n;
    struct {
        uint64_t slot, cursor, end; /* the cursor is the owner's, and moves on at any time */
    } held[MR_MEMBERS];
};

static void claims_collect(const struct mr_topic *topic, uint32_t g, uint32_t p, struct claims *out)
{
    const struct mr_group_part_shm *part = mr_group_part(topic, g, p);
    struct redo redo;
    redo_look(topic, g, &redo);
    out->serial = committed_word(topic, &redo, &topic->groups[g].serial);
    out->flags = committed_word(topic, &redo, &topic->groups[g].flags);
    out->next = committed_word(topic, &redo, &part->next);
    out->next_offset = committed_word(topic, &redo, &part->next_offset);
    out->n = 0;
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        if (committed_word(topic, &redo, &member->group) != g + 1 ||
            committed_word(topic, &redo, &member->partition) != p)
            continue;
        out->held[out->n].slot = i;
        out->held[out->n].cursor = committed_word(topic, &redo, &member->cursor);
        out->held[out->n++].end = committed_word(topic, &redo, &member->end);
    }
}

static int claims_same(const struct claims *a, const struct claims *b)
{
    int same = a->serial == b->serial && a->flags == b->flags && a->next == b->next &&
               a->next_offset == b->next_offset && a->n == b->n;
    for (uint32_t i = 0; i < a->n && same; i++)
        same = a->held[i].slot == b->held[i].slot && a->held[i].end == b->held[i].end;
    return same;
}

/* What a group has of one partition. */
struct share {
    uint64_t serial;
    uint64_t lag, in_hand;
    uint64_t low_offset, next_offset, end_offset;
};

/* A position of a claim that cannot be read: the claim has moved on, or it is damage. */
static int moved_on(const struct mr_topic *topic, const struct claims *claims, uint32_t i,
                    int error)
{
    return error == -EBADMSG &&
                   acquire(&topic->members[claims->held[i].slot].cursor) != claims->held[i].cursor
               ? -EAGAIN
               : error;
}

/* Counts the records of claims, as collected while the log was like this. Returns 1; -EAGAIN; or a
 * negative errno. */
static int share_count(const struct mr_topic *topic, uint32_t p, const struct claims *claims,
                       const struct mr_tip *tip, uint64_t tail, struct share *out)
{
    uint64_t low = claims->next, low_offset = claims->next_offset, held = 0, first = 0, end = 0;
    if (claims->next > tip->head ||
        claims->next_offset > tip->next_offset) /* I1; the log was looked at later */
        return mr_topic_error(topic, -EBADMSG);
    if (claims->next < tail) { /* drop-oldest: what is unclaimed starts at the oldest record */
        int error = offset_of(topic, p, tip, tail, &low_offset);
        if (error)
            return error;
        low = tail;
    }
    uint64_t unclaimed = tip->next_offset - low_offset;
    for (uint32_t i = 0; i < claims->n; i++) {
        uint64_t cursor = claims->held[i].cursor > tail ? claims->held[i].cursor : tail;
        if (claims->held[i].cursor >= claims->held[i].end || cursor >= claims->held[i].end)
            continue;
        if (claims->held[i].end > claims->next) /* I4 */
            return moved_on(topic, claims, i, mr_topic_error(topic, -EBADMSG));
        int error = offset_of(topic, p, tip, cursor, &first);
        if (!error && claims->held[i].end == claims->next)
            end = claims->next_offset;
        else if (!error)
            error = offset_of(topic, p, tip, claims->held[i].end, &end);
        if (!error && end < first)
            error = mr_topic_error(topic, -EBADMSG);
        if (error)
            return moved_on(topic, claims, i, error);
        held += end - first;
        if (cursor < low) {
            low = cursor;
            low_offset = first;
        }
    }
    *out = (struct share){.serial = claims->serial,
                          .lag = unclaimed + held,
                          .in_hand = held,
                          .low_offset = low_offset,
                          .next_offset = claims->next_offset,
                          .end_offset = tip->next_offset};
    if (out->lag > tip->next_offset - low_offset) /* I5: a record in two claims */
        return mr_topic_error(topic, -EBADMSG);
    return 1;
}

/* Returns 1; 0 there is no such group; or a negative errno: -EAGAIN it changes faster than it can
 * be looked at. */
static int share_look(const struct mr_topic *topic, uint32_t g, uint32_t p, struct share *out)
{
    struct claims claims[2];
    for (int i = 0; i < LOOKS; i++) {
        struct mr_tip tip;
        uint64_t tail;
        claims_collect(topic, g, p, &claims[0]);
        int error = ends_of(topic, p, &tip, &tail);
        claims_collect(topic, g, p, &claims[1]);
        if (!claims_same(&claims[0], &claims[1]))
            continue;
        if (!claims[1].serial || (claims[1].flags & (MR_GROUP_MAKING | MR_GROUP_OVER)))
            return 0;
        if (!error)
            error = share_count(topic, p, &claims[1], &tip, tail, out);
        if (error != -EAGAIN)
            return error;
    }
    return -EAGAIN;
}

int64_t mr_consumer_lag(const struct mr_consumer *consumer)
{
    const struct mr_topic *topic = consumer->topic;
    uint64_t lag = 0;
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        struct share share = {0};
        struct mr_tip tip = mr_log_tip(topic, p);
        int found = consumer->joined ? share_look(topic, consumer->seat.group, p, &share) : 1;
        if (consumer->joined && found >= 0 && share.serial != consumer->seat.serial)
            return -ESTALE;
        if (found < 0 || tip.next_offset == MR_NONE)
            return found < 0 ? found : mr_topic_error(topic, -EBADMSG);
        lag += consumer->joined ? share.lag : minus(tip.next_offset, consumer->peek_offset[p]);
    }
    return mr_intact(topic) < 0 ? -EIO : (int64_t)lag;
}

/* ---- groups, members ---- */

/* What the members' slots say about a group. Returns 0 or a negative errno. */
static int group_members(const struct mr_topic *topic, uint32_t g, struct mr_group_info *info)
{
    for (uint32_t i = 0, n = mr_members_used(topic); i < n; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        if (load(&member->group) != g + 1)
            continue;
        info->acked += load(&member->acked);
        uint64_t owner = load(&member->owner);
        int alive = owner ? mr_client_alive(topic->bus, owner) : 0;
        if (alive < 0)
            return alive;
        info->members += alive > 0;
        info->orphans += !owner && load(&member->cursor) < load(&member->end);
    }
    return 0;
}

int mr_group_info(const struct mr_topic *topic, uint32_t g, struct mr_group_info *out)
{
    const size_t first = MR_SIZED(struct mr_group_info, lost);
    if (mr_sized_check(out, first))
        return -EINVAL;
    if (g >= topic->group_cnt)
        return -ERANGE;
    const struct mr_group_shm *group = &topic->groups[g];
    uint64_t serial = acquire(&group->serial);
    if (!mr_group_there(topic, g))
        return mr_intact(topic);
    struct mr_group_info info = {.is_private = (load(&group->flags) & MR_PRIVATE) != 0,
                                 .is_ordered = (load(&group->flags) & MR_ORDERED) != 0,
                                 .acked = load(&group->acked),
                                 .redelivered = load(&group->redelivered),
                                 .dead_lettered = load(&group->dead_lettered),
                                 .lost = load(&group->lost)};
    mr_words_load(group->name, sizeof info.name / 8, info.name);
    int found = group_members(topic, g, &info);
    for (uint32_t p = 0; p < topic->partition_cnt && !found; p++) {
        struct share share = {0};
        found = share_look(topic, g, p, &share);
        if (found <= 0 || share.serial != serial) /* gone meanwhile, or its slot is another's */
            return mr_intact(topic) < 0 ? -EIO : found < 0 ? found : 0;
        info.lag += share.lag;
        info.in_hand += share.in_hand;
        found = 0;
    }
    if (mr_intact(topic) < 0)
        return -EIO;
    if (found < 0)
        return found;
    mr_sized_write(out, &info, sizeof info, first);
    return 1;
}

int mr_group_find(const struct mr_topic *topic, const char *name)
{
    char its[MR_GROUP_NAME_MAX + 1];
    if (mr_name_check(MR_NAME_GROUP, name))
        return -EINVAL;
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        mr_words_load(topic->groups[g].name, sizeof its / 8, its);
        if (mr_group_there(topic, g) && strcmp(its, name) == 0)
            return (int)g;
    }
    return mr_intact(topic) < 0 ? -EIO : -ENOENT;
}

int mr_group_partition_info(const struct mr_topic *topic, uint32_t g, uint32_t p,
                            struct mr_group_partition_info *out)
{
    const size_t first = MR_SIZED(struct mr_group_partition_info, lag);
    if (mr_sized_check(out, first))
        return -EINVAL;
    if (g >= topic->group_cnt || p >= topic->partition_cnt)
        return -ERANGE;
    struct share share = {0};
    int found = share_look(topic, g, p, &share);
    if (mr_intact(topic) < 0)
        return -EIO;
    struct mr_group_partition_info info = {.committed_offset = share.low_offset,
                                           .next_offset = share.next_offset,
                                           .end_offset = share.end_offset,
                                           .lag = share.lag};
    if (found > 0)
        mr_sized_write(out, &info, sizeof info, first);
    return found;
}

/* A member's words as of one moment, but for cursor and in_hand, which are its own. */
struct member {
    uint64_t group, owner, partition, cursor, end, in_hand, claimed_ns, blamed, tries, acked;
};

static void member_collect(const struct mr_topic *topic, uint32_t idx, struct member *out)
{
    const struct mr_member_shm *member = &topic->members[idx];
    struct redo redo;
    redo_look(topic, acquire(&member->group) - 1, &redo);
    *out = (struct member){.group = committed_word(topic, &redo, &member->group),
                           .owner = committed_word(topic, &redo, &member->owner),
                           .partition = committed_word(topic, &redo, &member->partition),
                           .end = committed_word(topic, &redo, &member->end),
                           .claimed_ns = committed_word(topic, &redo, &member->claimed_ns),
                           .blamed = committed_word(topic, &redo, &member->blamed),
                           .tries = committed_word(topic, &redo, &member->tries),
                           .acked = committed_word(topic, &redo, &member->acked),
                           .in_hand = committed_word(topic, &redo, &member->in_hand),
                           .cursor = committed_word(topic, &redo, &member->cursor)};
}

static int member_same(const struct member *a, const struct member *b)
{
    return a->group == b->group && a->owner == b->owner && a->partition == b->partition &&
           a->end == b->end && a->claimed_ns == b->claimed_ns;
}

/* Returns 1; 0 a free slot; -EAGAIN; or a negative errno. */
static int member_look(const struct mr_topic *topic, uint32_t idx, struct mr_member_info *info)
{
    struct member words[2];
    member_collect(topic, idx, &words[0]);
    member_collect(topic, idx, &words[1]);
    const struct member *member = &words[1];
    if (!member_same(&words[0], member))
        return -EAGAIN;
    if (!member->group)
        return 0;
    if (member->group > topic->group_cnt || member->partition >= topic->partition_cnt)
        return mr_topic_error(topic, -EBADMSG);
    uint32_t p = (uint32_t)member->partition;
    *info = (struct mr_member_info){.group_idx = (uint32_t)member->group - 1,
                                    .partition = p,
                                    .in_hand_offset = MR_OFFSET_NONE,
                                    .acked = member->acked};
    mr_client_about(topic->bus, member->owner, &info->pid, info->name);
    if (member->cursor >= member->end)
        return 1;
    int error = offset_at(topic, p, member->cursor, &info->first_offset);
    if (!error)
        error = offset_at(topic, p, member->end, &info->end_offset);
    if (!error && member->in_hand >= member->cursor && member->in_hand < member->end)
        error = offset_at(topic, p, member->in_hand, &info->in_hand_offset);
    if (error == -EBADMSG && acquire(&topic->members[idx].cursor) != member->cursor)
        error = -EAGAIN;
    if (error)
        return error;
    info->held_ns = member->claimed_ns ? minus(mr_now_ns(), member->claimed_ns) : 0;
    info->tries = member->blamed >= member->cursor && member->blamed < member->end
                      ? (uint32_t)member->tries
                      : 0;
    return 1;
}

int mr_member_info(const struct mr_topic *topic, uint32_t idx, struct mr_member_info *out)
{
    const size_t first = MR_SIZED(struct mr_member_info, acked);
    if (mr_sized_check(out, first))
        return -EINVAL;
    if (idx >= topic->member_cnt)
        return -ERANGE;
    struct mr_member_info info = {0};
    int found = -EAGAIN;
    for (int i = 0; i < LOOKS && found == -EAGAIN; i++)
        found = member_look(topic, idx, &info);
    if (mr_intact(topic) < 0)
        return -EIO;
    if (found > 0)
        mr_sized_write(out, &info, sizeof info, first);
    return found;
}

/* ---- a topic ---- */

/* One partition's part in it. *unread: what no group, here or gone, has acknowledged. Returns 0 or
 * a negative errno. */
static int topic_partition(const struct mr_topic *topic, uint32_t p, struct mr_topic_info *info,
                           uint64_t *unread)
{
    struct mr_partition_info part = {0};
    uint64_t offset;
    int error = mr_partition_info(topic, p, &part);
    if (error)
        return error;
    struct mr_tip tip = mr_log_tip(
        topic, p); /* before the groups' positions, which grow up to what is there then */
    uint64_t tail = acquire(&topic->logs[p].tail), from = mr_groups_limit(topic, p);
    from = from > tail ? from : tail;
    error = tip.next_offset == MR_NONE ? mr_topic_error(topic, -EBADMSG)
                                       : offset_at(topic, p, from, &offset);
    if (error)
        return error;
    info->records_in += part.next_offset;
    info->bytes_in += tip.head;
    info->records_kept += part.next_offset - part.first_offset;
    uint64_t bytes = minus(tip.head, from), records = minus(tip.next_offset, offset);
    info->bytes_waiting += bytes;
    info->bytes_free += minus(topic->ring_bytes, bytes);
    *unread += records;
    uint64_t full = bytes * 100 / topic->ring_bytes, most = topic->part_records_max;
    if (most) {
        info->records_free += minus(mr_log_records_max(topic, p), records);
        full = records * 100 / most > full ? records * 100 / most : full;
    }
    full = full < 100 ? full : 100;
    if (full > info->full_percent)
        info->full_percent = (uint32_t)full;
    return 0;
}

static int topic_groups(const struct mr_topic *topic, struct mr_topic_info *info)
{
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        struct mr_group_info group = {0};
        int found = mr_group_info(topic, g, &group);
        if (found == -EBADMSG)
            info->damaged = 1;
        else if (found < 0)
            return found;
        info->groups += found != 0;
        info->members += group.members;
        info->records_dropped += group.lost;
        if (group.lag > info->records_waiting)
            info->records_waiting = group.lag;
    }
    return 0;
}

static int topic_producers(const struct mr_topic *topic, struct mr_topic_info *info)
{
    for (uint32_t i = 0; i < topic->producer_cnt; i++) {
        struct mr_producer_info producer = {0};
        int found = mr_producer_info(topic, i, &producer);
        if (found < 0)
            return found;
        if (found && producer.state == MR_PRODUCER_ATTACHED) {
            info->producers++;
            info->producers_waiting += load(&topic->producers[i].blocked_since_ns) != 0;
        } else if (found && producer.state == MR_PRODUCER_DIED &&
                   load(&topic->producers[i].state) == 'a') {
            info->producers_died++;
        }
    }
    return 0;
}

int mr_topic_info(const struct mr_topic *topic, struct mr_topic_info *out)
{
    const size_t first = MR_SIZED(struct mr_topic_info, damaged);
    if (mr_sized_check(out, first))
        return -EINVAL;
    const struct mr_topic_shm *shm = topic->shm;
    struct mr_topic_info info = {.created_ns = shm->created_ns,
                                 .bytes_room = topic->partition_cnt * topic->ring_bytes,
                                 .records_free = topic->part_records_max ? 0 : MR_OFFSET_NONE,
                                 .partitions = topic->partition_cnt,
                                 .producers_done = (uint32_t)load(&shm->producers_done),
                                 .producers_died = (uint32_t)load(&shm->producers_died),
                                 .repairs = load(&shm->repairs),
                                 .replays = load(&shm->replays),
                                 .sealed = load(&shm->sealed) != 0,
                                 .deleted = load(&shm->deleted) != 0};
    uint64_t unread = 0;
    int error = 0;
    for (uint32_t p = 0; p < topic->partition_cnt && !error; p++) {
        error = topic_partition(topic, p, &info, &unread);
        if (error == -EBADMSG) {
            info.damaged = 1;
            error = 0;
        }
    }
    if (!error)
        error = topic_groups(topic, &info);
    if (!info.groups)
        info.records_waiting = unread;
    if (!error)
        error = topic_producers(topic, &info);
    if (mr_intact(topic) < 0)
        return -EIO;
    if (!error)
        mr_sized_write(out, &info, sizeof info, first);
    return error;
}
