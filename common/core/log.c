/* log.c - see log.h. */
#include "log.h"
#include "group.h"

#include <errno.h>
#include <string.h>

/* far more publications than fit between two loads of a reader: no observer is led about for
 * ever */
#define TIP_TURNS 100000

struct mr_tip mr_log_tip(const struct mr_topic *topic, uint32_t p)
{
    const struct mr_log_shm *log = &topic->logs[p];
    uint64_t head = 0;
    for (int turn = 0; turn < TIP_TURNS; turn++) {
        /* acquire, pairs with the publishing store: tips and records below are written. */
        head = atomic_load_explicit(&log->head, memory_order_acquire);
        for (int i = 0; i < 2; i++) {
            const struct mr_tip_shm *tip = &log->tips[i];
            if (atomic_load_explicit(&tip->head, memory_order_acquire) != head)
                continue;
            struct mr_tip out = {
                .head = head,
                .next_offset = atomic_load_explicit(&tip->next_offset, memory_order_relaxed),
                .last_ts_ns = atomic_load_explicit(&tip->last_ts_ns, memory_order_relaxed)};
            /* A tip is rewritten only after the other became the valid one: head moved, or all is
             * well. */
            atomic_thread_fence(memory_order_acquire);
            if (atomic_load_explicit(&tip->head, memory_order_relaxed) == head)
                return out;
        }
        /* Each turn means that a producer published in between, or that no tip is the head's:
         * damage. */
        if (atomic_load_explicit(&log->head, memory_order_acquire) == head &&
            atomic_load_explicit(&log->tips[0].head, memory_order_acquire) != head &&
            atomic_load_explicit(&log->tips[1].head, memory_order_acquire) != head &&
            atomic_load_explicit(&log->head, memory_order_acquire) == head)
            break;
    }
    return (struct mr_tip){.head = head, .next_offset = MR_NONE};
}

uint64_t mr_log_header(const struct mr_topic *topic, const unsigned char *ring, uint64_t pos,
                       uint64_t end, struct mr_record_shm *out)
{
    /* what lies twice back to back ends there, whatever head says */
    if (pos < end && end - pos > topic->ring_bytes)
        end = pos + topic->ring_bytes;
    return mr_record_read(ring + pos % topic->ring_bytes, pos, end, out);
}

uint64_t mr_log_offset(struct mr_topic *topic, uint32_t p, uint64_t pos)
{
    struct mr_tip tip = mr_log_tip(topic, p);
    const unsigned char *ring = mr_topic_ring(topic, p);
    struct mr_record_shm r;
    if (pos == tip.head)
        return tip.next_offset;
    return ring && mr_log_header(topic, ring, pos, tip.head, &r) ? r.offset : MR_NONE;
}

/* ---- index ---- */

uint64_t mr_log_index_at(const struct mr_topic *topic, uint32_t p, uint64_t pos, uint64_t end,
                         uint64_t *offset)
{
    uint64_t step = (pos + MR_INDEX_STEP - 1) / MR_INDEX_STEP;
    const struct mr_index_shm *entry = &mr_topic_index(topic, p)[step % topic->index_cnt];
    uint64_t at = atomic_load_explicit(&entry->pos, memory_order_acquire);
    if (at < pos || at > end || at - pos > topic->ring_bytes)
        return MR_NONE; /* of an earlier lap, or not published */
    *offset = atomic_load_explicit(&entry->offset, memory_order_relaxed);
    return at;
}

/* Walks from the record at *pos to the first one with at least this offset and time, or to the
 * end. */
static int walk(const struct mr_topic *topic, const unsigned char *ring, struct mr_tip tip,
                uint64_t offset_wanted, uint64_t ts_wanted, uint64_t *pos, uint64_t *offset)
{
    struct mr_record_shm r;
    for (uint64_t bytes; *pos < tip.head; *pos += bytes) {
        bytes = mr_log_header(topic, ring, *pos, tip.head, &r);
        if (!bytes)
            return -EBADMSG;
        *offset = r.offset;
        if (r.offset >= offset_wanted && r.ts_ns >= ts_wanted)
            return 0;
    }
    *offset = tip.next_offset;
    return 0;
}

int mr_log_find(struct mr_topic *topic, uint32_t p, enum mr_start start, int64_t arg, uint64_t *pos,
                uint64_t *offset)
{
    const unsigned char *ring = mr_topic_ring(topic, p);
    if (!ring)
        return -ENOMEM;
    struct mr_tip tip = mr_log_tip(topic, p);
    uint64_t at = atomic_load_explicit(&topic->logs[p].tail, memory_order_acquire);
    uint64_t wanted = arg < 0 ? 0 : (uint64_t)arg, found = 0;
    /* I2 broken, or lapped since tip was read */
    if (tip.next_offset == MR_NONE || tip.head - at > topic->ring_bytes)
        return -EBADMSG;
    if (start == MR_START_END) {
        *pos = tip.head;
        *offset = tip.next_offset;
        return 0;
    }
    if (start == MR_START_STORED || start == MR_START_BEGINNING)
        wanted = 0;
    if (start == MR_START_LAST)
        wanted = wanted > tip.next_offset ? 0 : tip.next_offset - wanted;
    int by_time = start == MR_START_TIME;
    /* The last indexed record with nothing wanted before it; the walk from there passes at most one
     * step of bytes. An entry's time is the latest of all records up to it, so times that go back
     * do no harm. */
    const struct mr_index_shm *index = mr_topic_index(topic, p);
    for (uint32_t i = 0; wanted && i < topic->index_cnt; i++) {
        uint64_t entry = atomic_load_explicit(&index[i].pos, memory_order_acquire);
        uint64_t key = atomic_load_explicit(by_time ? &index[i].ts_ns : &index[i].offset,
                                            memory_order_relaxed);
        if (entry > at && entry < tip.head && (by_time ? key < wanted : key <= wanted))
            at = entry;
    }
    int error = walk(topic, ring, tip, by_time ? 0 : wanted, by_time ? wanted : 0, &at, &found);
    if (error)
        return error;
    *pos = at;
    *offset = found;
    return 0;
}

/* ---- appending ---- */

/* The source's slot, or NULL. With the log's lock held, here and below. */
static struct mr_source_shm *find_source(const struct mr_topic *topic, uint32_t p, uint64_t id)
{
    struct mr_source_shm *source = mr_topic_sources(topic, p);
    for (struct mr_source_shm *end = source + MR_SOURCES; source < end; source++)
        if (atomic_load_explicit(&source->id, memory_order_relaxed) == id)
            return source;
    return NULL;
}

/* The same for a source that may be new: then a free slot, whose id is 0. NULL: none is free. A
 * source is never forgotten for another one: its file would be sent again from its start (I11). */
static struct mr_source_shm *slot_for_source(const struct mr_topic *topic, uint32_t p, uint64_t id)
{
    struct mr_source_shm *source = find_source(topic, p, id);
    return source ? source : find_source(topic, p, 0);
}

/* Makes a free slot the source's. */
static void take_source(struct mr_topic *topic, uint32_t p, struct mr_source_shm *source,
                        uint64_t id, uint64_t head)
{
    struct mr_tx tx = mr_tx_begin(topic, &topic->logs[p].lock);
    mr_tx_set(&tx, &source->id, id);
    mr_tx_set(&tx, &source->position, 0);
    mr_tx_set(&tx, &source->check, 0);
    mr_tx_set(&tx, &source->used, head);
    mr_tx_commit(&tx);
}

static void store_progress(struct mr_source_shm *source, uint64_t position, uint64_t check,
                           uint64_t head)
{
    atomic_store_explicit(&source->position, position, memory_order_relaxed);
    atomic_store_explicit(&source->check, check, memory_order_relaxed);
    atomic_store_explicit(&source->used, head, memory_order_relaxed);
}

int mr_log_progress(struct mr_topic *topic, uint32_t p, uint64_t id, struct mr_progress *out)
{
    int error = mr_log_lock(topic, p);
    if (error)
        return error;
    const struct mr_source_shm *source = find_source(topic, p, id);
    struct mr_progress progress = {0};
    if (source) {
        progress.position = atomic_load_explicit(&source->position, memory_order_relaxed);
        progress.check = atomic_load_explicit(&source->check, memory_order_relaxed);
    }
    mr_unlock(&topic->logs[p].lock);
    if (mr_intact(topic) < 0)
        return -EIO;
    if (!progress.position)
        return 0;
    *out = progress;
    return 1;
}

int mr_log_source_room(struct mr_topic *topic, uint64_t id)
{
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        int error = mr_log_lock(topic, p);
        if (error)
            return error;
        const struct mr_source_shm *source = slot_for_source(topic, p, id);
        mr_unlock(&topic->logs[p].lock);
        if (!source)
            return mr_blame(topic, -EUSERS);
    }
    return mr_intact(topic);
}

/* Tips name the source that they belong to, and the repair after a death tells it what they know. A
 * source that was forgotten and comes again must not be told what it had reached before (I11): they
 * forget it, too. */
static int forget_source(struct mr_topic *topic, uint32_t p, uint64_t id)
{
    struct mr_log_shm *log = &topic->logs[p];
    int error = mr_log_lock(topic, p);
    if (error)
        return error;
    struct mr_source_shm *source = find_source(topic, p, id);
    if (source) {
        struct mr_tx tx = mr_tx_begin(topic, &log->lock);
        mr_tx_set(&tx, &source->id, 0);
        mr_tx_set(&tx, &source->position, 0);
        mr_tx_set(&tx, &source->check, 0);
        for (int i = 0; i < 2; i++)
            if (atomic_load_explicit(&log->tips[i].source, memory_order_relaxed) == id)
                mr_tx_set(&tx, &log->tips[i].source, 0);
        mr_tx_commit(&tx);
    }
    mr_unlock(&log->lock);
    return source ? 1 : 0;
}

int mr_topic_forget_source(struct mr_topic *topic, uint64_t id)
{
    int error = mr_topic_check(topic), found = 0;
    if (!id)
        return -EINVAL;
    for (uint32_t p = 0; p < topic->partition_cnt && !error; p++) {
        int got = forget_source(topic, p, id);
        error = got < 0 ? got : 0;
        found |= got > 0;
    }
    if (!error)
        error = mr_intact(topic);
    return error ? error : found ? 0 : -ENOENT;
}

ssize_t mr_topic_sources_known(struct mr_topic *topic, uint32_t p, uint64_t *ids, size_t cap)
{
    int error = mr_topic_check(topic);
    if (error)
        return error;
    if (p >= topic->partition_cnt)
        return -ERANGE;
    if ((error = mr_log_lock(topic, p)))
        return error;
    const struct mr_source_shm *source = mr_topic_sources(topic, p);
    size_t cnt = 0;
    for (uint32_t i = 0; i < MR_SOURCES; i++) {
        uint64_t id = atomic_load_explicit(&source[i].id, memory_order_relaxed);
        if (id && cnt++ < cap)
            ids[cnt - 1] = id;
    }
    mr_unlock(&topic->logs[p].lock);
    error = mr_intact(topic);
    return error ? error : (ssize_t)cnt;
}

/* A producer died in here. If it had published, its own counter and its source's slot may not know
 * yet; what it had not published must not be found by the index. Dying in this repair leaves the
 * same work to the next. */
static void mend(struct mr_topic *topic, uint32_t p)
{
    struct mr_log_shm *log = &topic->logs[p];
    uint64_t head = atomic_load_explicit(&log->head, memory_order_relaxed);
    for (int i = 0; i < 2; i++) {
        const struct mr_tip_shm *tip = &log->tips[i];
        uint64_t slot = atomic_load_explicit(&tip->producer, memory_order_relaxed);
        if (head && atomic_load_explicit(&tip->head, memory_order_relaxed) == head &&
            slot < topic->producer_cnt) {
            /* The slot may be another producer's by now: it must not be told that it has appended
             * what it has not (I11). */
            struct mr_producer_shm *who = &topic->producers[slot];
            uint64_t count = atomic_load_explicit(&tip->count, memory_order_relaxed);
            if (atomic_load_explicit(&who->serial, memory_order_relaxed) ==
                    atomic_load_explicit(&tip->serial, memory_order_relaxed) &&
                atomic_load_explicit(&who->records, memory_order_relaxed) < count)
                atomic_store_explicit(&who->records, count, memory_order_relaxed);
            uint64_t id = atomic_load_explicit(&tip->source, memory_order_relaxed);
            struct mr_source_shm *source = id ? find_source(topic, p, id) : NULL;
            if (source)
                store_progress(source, atomic_load_explicit(&tip->position, memory_order_relaxed),
                               atomic_load_explicit(&tip->check, memory_order_relaxed), head);
        }
    }
    struct mr_index_shm *index = mr_topic_index(topic, p);
    for (uint32_t i = 0; i < topic->index_cnt; i++)
        if (atomic_load_explicit(&index[i].pos, memory_order_relaxed) >= head)
            atomic_store_explicit(&index[i].pos, 0, memory_order_relaxed);
}

int mr_log_lock(struct mr_topic *topic, uint32_t p)
{
    int error = mr_lock(topic, &topic->logs[p].lock);
    if (error <= 0)
        return error;
    mend(topic, p);
    return 0;
}

int mr_log_lock_try(struct mr_topic *topic, uint32_t p)
{
    int error = mr_lock_try(topic, &topic->logs[p].lock);
    if (error <= 0)
        return error;
    mend(topic, p);
    return 0;
}

/* A record boundary in [need, bound] for the tail to go to. bound is one, so it ends there at the
 * latest. */
static uint64_t tail_past(const struct mr_topic *topic, uint32_t p, const unsigned char *ring,
                          uint64_t tail, uint64_t need, uint64_t bound)
{
    uint64_t offset, jump = mr_log_index_at(topic, p, need, bound, &offset);
    /* further would throw away what there is room for */
    if (jump != MR_NONE && jump - need <= topic->ring_bytes / 16)
        return jump;
    struct mr_record_shm r;
    while (tail < need) {
        uint64_t bytes = mr_log_header(topic, ring, tail, bound, &r);
        if (!bytes)
            return MR_NONE;
        tail += bytes;
    }
    return tail;
}

/* Drop-oldest: the tail that leaves at most `keep` records below offset next. */
static uint64_t tail_for_count(const struct mr_topic *topic, const unsigned char *ring,
                               uint64_t tail, uint64_t head, uint64_t next, uint64_t keep)
{
    struct mr_record_shm r;
    while (tail < head) {
        uint64_t bytes = mr_log_header(topic, ring, tail, head, &r);
        if (!bytes || next - r.offset <= keep)
            break;
        tail += bytes;
    }
    return tail;
}

static void write_record(unsigned char *at, uint64_t pos, const struct mr_message *msg,
                         uint64_t offset, uint64_t ts_ns)
{
    struct mr_record_shm r = {.value_len = msg->value_len,
                              .key_len = msg->key ? msg->key_len : MR_KEY_NONE,
                              .headers_len = msg->headers_len,
                              .flags = msg->flags,
                              .offset = offset,
                              .ts_ns = ts_ns};
    /* Field by field, to where it stays: copied as a whole, the wide loads would wait for the
     * narrow stores before them. */
    struct mr_record_shm *out = (struct mr_record_shm *)(void *)at;
    out->value_len = r.value_len;
    out->key_len = r.key_len;
    out->headers_len = r.headers_len;
    out->flags = r.flags;
    out->check = mr_record_check(pos, &r);
    out->offset = r.offset;
    out->ts_ns = r.ts_ns;
    at += sizeof r;
    if (msg->key) {
        memcpy(at, msg->key, msg->key_len);
        at += msg->key_len;
    }
    if (msg->headers_len) {
        memcpy(at, msg->headers, msg->headers_len);
        at += msg->headers_len;
    }
    if (msg->value_len)
        memcpy(at, msg->value, msg->value_len);
}

/* The first offset that has no room, as far as the number of records goes; 0 while a group in the
 * making holds the limit below the tail. */
static uint64_t room_in_records(struct mr_topic *topic, uint32_t p, uint64_t bound, uint64_t head,
                                uint64_t next_offset)
{
    struct mr_record_shm r;
    uint64_t most = mr_log_records_max(topic, p);
    if (!most)
        return MR_NONE;
    if (bound == head)
        return next_offset + most;
    return mr_log_header(topic, mr_topic_ring(topic, p), bound, head, &r) ? r.offset + most : 0;
}

static inline struct mr_message *message(const struct mr_batch *batch, size_t i)
{
    return &batch->msgs[batch->order ? batch->order[i] : i];
}

/* What an append knows of the room that there is, while it holds the log's lock. */
struct space {
    /* up to this position there is room for records; what goes further has to ask for it */
    uint64_t end;
    uint64_t tail;  /* as it is stored: what lies below may be overwritten */
    uint64_t bound; /* the tail may go so far */
    /* the first offset that has no room, as far as the number of records goes */
    uint64_t offset_end;
    int fresh; /* bound is as new as it gets */
};

static int drops(const struct mr_topic *topic)
{
    return topic->full == MR_FULL_DROP_OLDEST;
}

/* Up to which position records have room while the tail is there. Where each record may push one
 * out, each has to ask. */
static uint64_t room_end(const struct mr_topic *topic, uint64_t tail)
{
    return drops(topic) && topic->part_records_max ? 0 : tail + topic->ring_bytes;
}

/* Moves the tail so that records up to position `until`, the next of them with this offset and the
 * last one with offset last, have room beyond head. Returns 1; 0 no room now; -EBADMSG. */
static int make_space(struct mr_topic *topic, uint32_t p, struct space *space,
                      const struct mr_tip *head, uint64_t until, uint64_t offset, uint64_t last)
{
    struct mr_log_shm *log = &topic->logs[p];
    const unsigned char *ring = mr_topic_ring(topic, p);
    /* the tail must be past this */
    uint64_t need = until > topic->ring_bytes ? until - topic->ring_bytes : 0;
    if (last >= space->offset_end || need > space->bound) {
        if (space->fresh)
            return 0;
        space->bound = mr_groups_limit(topic, p);
        atomic_store_explicit(&log->limit, space->bound, memory_order_relaxed);
        space->offset_end = room_in_records(topic, p, space->bound, head->head, head->next_offset);
        space->fresh = 1;
        if (last >= space->offset_end || need > space->bound)
            return 0;
    }
    uint64_t tail = space->tail;
    if (need > tail)
        tail = tail_past(topic, p, ring, tail, need, space->bound);
    if (drops(topic) && topic->part_records_max && tail != MR_NONE)
        tail =
            tail_for_count(topic, ring, tail, head->head, offset, mr_log_records_max(topic, p) - 1);
    if (tail == MR_NONE)
        return -EBADMSG;
    if (tail != space->tail) {
        /* Before its bytes are reused: a lock-free reader copies, then looks at tail (a seqlock's
         * writer side). */
        space->tail = tail;
        atomic_store_explicit(&log->tail, tail, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
    }
    space->end = room_end(topic, tail);
    return 1;
}

/* The same for a batch that goes in as a whole or not at all: it asks for all its room before its
 * first record. */
static int make_whole_space(struct mr_topic *topic, uint32_t p, struct space *space,
                            const struct mr_tip *head, const struct mr_batch *batch)
{
    uint64_t until = head->head, last = head->next_offset + batch->n - 1;
    for (size_t i = 0; i < batch->n; i++)
        until += mr_message_bytes(message(batch, i));
    if (until <= space->end && last < space->offset_end)
        return 1;
    return make_space(topic, p, space, head, until, head->next_offset, last);
}

/* Notes in the index that the first record at or after its last boundary is the one at pos. Returns
 * the next boundary. */
static uint64_t index_record(struct mr_topic *topic, uint32_t p, uint64_t pos, uint64_t offset,
                             uint64_t ts_ns)
{
    uint64_t step = pos / MR_INDEX_STEP;
    struct mr_index_shm *entry = &mr_topic_index(topic, p)[step % topic->index_cnt];
    atomic_store_explicit(&entry->offset, offset, memory_order_relaxed);
    atomic_store_explicit(&entry->ts_ns, ts_ns, memory_order_relaxed);
    atomic_store_explicit(&entry->pos, pos, memory_order_release);
    return (step + 1) * MR_INDEX_STEP;
}

/* From which position on the next record is one for the index: records up to head are in. */
static uint64_t next_boundary(const struct mr_topic *topic, uint32_t p, uint64_t head)
{
    uint64_t step = head / MR_INDEX_STEP, boundary = step * MR_INDEX_STEP;
    uint64_t indexed = atomic_load_explicit(&mr_topic_index(topic, p)[step % topic->index_cnt].pos,
                                            memory_order_relaxed);
    return indexed >= boundary && indexed < head ? boundary + MR_INDEX_STEP : boundary;
}

ssize_t mr_log_append(struct mr_topic *topic, uint32_t p, struct mr_batch *batch)
{
    struct mr_log_shm *log = &topic->logs[p];
    unsigned char *ring = mr_topic_ring(topic, p);
    if (!ring)
        return -ENOMEM;
    ssize_t error = mr_log_lock(topic, p);
    if (error)
        return error;
    uint64_t head = atomic_load_explicit(&log->head, memory_order_relaxed);
    const struct mr_tip_shm *old = &log->tips[0];
    struct mr_tip_shm *tip = &log->tips[1];
    if (atomic_load_explicit(&old->head, memory_order_relaxed) != head) {
        old = &log->tips[1];
        tip = &log->tips[0];
    }
    size_t done = 0;
    if (atomic_load_explicit(&topic->shm->sealed, memory_order_relaxed))
        error = -EPIPE;
    else if (atomic_load_explicit(&topic->shm->deleted, memory_order_relaxed))
        error = -EIDRM;
    else if (atomic_load_explicit(&old->head, memory_order_relaxed) != head)
        error = -EBADMSG;
    struct mr_source_shm *source = NULL;
    if (!error && batch->source && !(source = slot_for_source(topic, p, batch->source)))
        error = -EUSERS;
    if (error)
        goto unlock;

    const struct mr_tip before = {
        .head = head,
        .next_offset = atomic_load_explicit(&old->next_offset, memory_order_relaxed),
        .last_ts_ns = atomic_load_explicit(&old->last_ts_ns, memory_order_relaxed)};
    const uint64_t ring_bytes = topic->ring_bytes;
    struct space space = {.tail = atomic_load_explicit(&log->tail, memory_order_relaxed)};
    if (head % alignof(struct mr_record_shm) || head - space.tail > ring_bytes) { /* I2 broken */
        error = -EBADMSG;
        goto unlock;
    }
    space.end = room_end(topic, space.tail);
    if (drops(topic)) {
        space.bound = head;
        space.offset_end =
            topic->part_records_max ? before.next_offset + mr_log_records_max(topic, p) : MR_NONE;
        space.fresh = 1;
    } else {
        space.bound = atomic_load_explicit(&log->limit, memory_order_relaxed);
        space.offset_end = room_in_records(topic, p, space.bound, head, before.next_offset);
    }
    if (batch->whole) {
        int got = make_whole_space(topic, p, &space, &before, batch);
        if (got <= 0) {
            error = got;
            goto unlock;
        }
    }

    const uint32_t *order = batch->order;
    const size_t n = batch->n;
    const uint64_t now_ns = batch->now_ns;
    struct mr_place *place = batch->place;
    uint64_t pos = head, at = head - place->lap, offset = before.next_offset,
             last_ts = before.last_ts_ns, value_bytes = 0;
    if (at >= ring_bytes) {
        at = head % ring_bytes;
        place->lap = head - at;
    }
    uint64_t boundary = head > place->boundary ? next_boundary(topic, p, head) : place->boundary;
    for (struct mr_message *msg = batch->msgs; done < n; msg++) {
        if (order)
            msg = &batch->msgs[order[done]];
        uint64_t bytes = mr_message_bytes(msg), until = pos + bytes;
        if (until > space.end || offset >= space.offset_end) {
            int got = make_space(topic, p, &space, &before, until, offset, offset);
            if (got < 0) { /* nothing of it is published */
                while (done)
                    message(batch, --done)->offset = MR_OFFSET_NONE;
                error = got;
                goto unlock;
            }
            if (!got)
                break;
        }
        uint64_t ts = msg->ts_ns ? msg->ts_ns : now_ns;
        if (ts > last_ts)
            last_ts = ts;
        if (pos >= boundary)
            boundary = index_record(topic, p, pos, offset, last_ts);
        write_record(ring + at, pos, msg, offset, ts);
        msg->offset = offset++;
        msg->partition = (int32_t)p;
        value_bytes += msg->value_len;
        done++;
        pos = until;
        at += bytes;
        if (at >= ring_bytes)
            at -= ring_bytes;
    }
    if (done) {
        struct mr_producer_shm *who = &topic->producers[batch->producer];
        struct mr_progress progress = {0};
        if (source) {
            progress = batch->progress[message(batch, done - 1) - batch->msgs];
            if (!atomic_load_explicit(&source->id, memory_order_relaxed))
                take_source(topic, p, source, batch->source, head);
        }
        uint64_t count = atomic_load_explicit(&who->records, memory_order_relaxed) + done;
        /* The other tip first, whole; it counts only once head says so. */
        atomic_store_explicit(&tip->head, MR_NONE, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
        atomic_store_explicit(&tip->next_offset, offset, memory_order_relaxed);
        atomic_store_explicit(&tip->last_ts_ns, last_ts, memory_order_relaxed);
        atomic_store_explicit(&tip->producer, batch->producer, memory_order_relaxed);
        atomic_store_explicit(&tip->serial, batch->serial, memory_order_relaxed);
        atomic_store_explicit(&tip->count, count, memory_order_relaxed);
        atomic_store_explicit(&tip->source, batch->source, memory_order_relaxed);
        atomic_store_explicit(&tip->position, progress.position, memory_order_relaxed);
        atomic_store_explicit(&tip->check, progress.check, memory_order_relaxed);
        atomic_store_explicit(&tip->head, pos, memory_order_release);
        /* release, pairs with every reader's acquire of head: the records below are whole. This is
         * the moment of publication. */
        atomic_store_explicit(&log->head, pos, memory_order_release);
        atomic_store_explicit(&who->records, count, memory_order_relaxed);
        atomic_store_explicit(
            &who->bytes, atomic_load_explicit(&who->bytes, memory_order_relaxed) + (pos - head),
            memory_order_relaxed);
        if (source)
            store_progress(source, progress.position, progress.check, pos);
        place->end = pos;
        place->boundary = boundary;
        batch->value_bytes = value_bytes;
    }
unlock:
    mr_unlock(&log->lock);
    return error ? error : (ssize_t)done;
}
