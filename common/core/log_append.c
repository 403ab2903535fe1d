/* log_append.c - see log_append.h. */
#include "log_append.h"
#include "source.h"

#include <errno.h>
#include <string.h>

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
    int fresh;          /* bound was looked up in this append */
    struct mr_tip head; /* of the log before this append */
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
static int make_space(struct mr_topic *topic, uint32_t p, struct space *space, uint64_t until,
                      uint64_t offset, uint64_t last)
{
    const struct mr_tip *head = &space->head;
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
                            const struct mr_batch *batch)
{
    const struct mr_tip *head = &space->head;
    uint64_t until = head->head, last = head->next_offset + batch->n - 1;
    for (size_t i = 0; i < batch->n; i++)
        until += mr_message_bytes(message(batch, i));
    if (until <= space->end && last < space->offset_end)
        return 1;
    return make_space(topic, p, space, until, head->next_offset, last);
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

/* One append: what begin() finds out, write_records() changes and publish() stores. */
struct append {
    struct mr_log_shm *log;
    struct mr_tip_shm *tip;       /* the one that is not valid now */
    struct mr_source_shm *source; /* or NULL */
    struct space space;
    uint64_t pos, offset, last_ts; /* of what follows the records written so far */
    uint64_t boundary;             /* from here on the next record is one for the index */
    size_t done;                   /* messages written */
};

/* The room that there is at first; head is set. */
static inline void first_space(struct mr_topic *topic, uint32_t p, struct space *space)
{
    const struct mr_log_shm *log = &topic->logs[p];
    const struct mr_tip *head = &space->head;
    space->tail = load(&log->tail);
    space->end = room_end(topic, space->tail);
    space->fresh = drops(topic);
    if (space->fresh) {
        space->bound = head->head;
        space->offset_end =
            topic->part_records_max ? head->next_offset + mr_log_records_max(topic, p) : MR_NONE;
    } else {
        space->bound = atomic_load_explicit(&log->limit, memory_order_relaxed);
        space->offset_end = room_in_records(topic, p, space->bound, head->head, head->next_offset);
    }
}

/* Looks at the log, whose lock is held. Returns 1; 0 a whole batch has no room now; or why nothing
 * can be appended. */
static inline int begin(struct mr_topic *topic, uint32_t p, const struct mr_batch *batch,
                        struct append *append)
{
    struct mr_log_shm *log = &topic->logs[p];
    uint64_t head = load(&log->head);
    const struct mr_tip_shm *old = &log->tips[0];
    struct mr_tip_shm *tip = &log->tips[1];
    if (load(&old->head) != head) {
        old = &log->tips[1];
        tip = &log->tips[0];
    }
    if (load(&topic->shm->sealed))
        return -EPIPE;
    if (load(&topic->shm->deleted))
        return -EIDRM;
    uint64_t tail = load(&log->tail);
    if (load(&old->head) != head)
        return -EBADMSG;
    append->source = NULL;
    if (batch->source && !(append->source = mr_source_slot(topic, p, batch->source)))
        return -EUSERS;
    if (head % alignof(struct mr_record_shm) || head - tail > topic->ring_bytes)
        return -EBADMSG; /* I2 broken */
    append->log = log;
    append->tip = tip;
    append->pos = head;
    append->offset = load(&old->next_offset);
    append->last_ts = load(&old->last_ts_ns);
    append->done = 0;
    append->space.head =
        (struct mr_tip){.head = head, .next_offset = append->offset, .last_ts_ns = append->last_ts};
    first_space(topic, p, &append->space);
    return batch->whole ? make_whole_space(topic, p, &append->space, batch) : 1;
}

/* Writes as many messages of the batch as fit, beyond head: none of it is published yet. Returns 0;
 * -EBADMSG. */
static inline int write_records(struct mr_topic *topic, uint32_t p, struct mr_batch *batch,
                                struct append *append, unsigned char *ring)
{
    const uint64_t ring_bytes = topic->ring_bytes;
    const uint32_t *order = batch->order;
    const size_t n = batch->n;
    const uint64_t now_ns = batch->now_ns;
    struct mr_append_cursor *cursor = batch->cursor;
    struct space *space = &append->space;
    uint64_t pos = append->pos, at = pos - cursor->lap, offset = append->offset,
             last_ts = append->last_ts, value_bytes = 0;
    size_t done = 0;
    if (at >= ring_bytes) {
        at = pos % ring_bytes;
        cursor->lap = pos - at;
    }
    uint64_t boundary = pos > cursor->boundary ? next_boundary(topic, p, pos) : cursor->boundary;
    for (struct mr_message *msg = batch->msgs; done < n; msg++) {
        if (order)
            msg = &batch->msgs[order[done]];
        uint64_t bytes = mr_message_bytes(msg), until = pos + bytes;
        if (until > space->end || offset >= space->offset_end) {
            int got = make_space(topic, p, space, until, offset, offset);
            if (got < 0) { /* nothing of it is published */
                while (done)
                    message(batch, --done)->offset = MR_OFFSET_NONE;
                return got;
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
        msg->placed = p;
        value_bytes += msg->value_len;
        done++;
        pos = until;
        at += bytes;
        if (at >= ring_bytes)
            at -= ring_bytes;
    }
    append->pos = pos;
    append->offset = offset;
    append->last_ts = last_ts;
    append->boundary = boundary;
    append->done = done;
    batch->value_bytes = value_bytes;
    return 0;
}

/* Publishes what write_records() has written, at least one record. */
static inline void publish(struct mr_topic *topic, uint32_t p, const struct mr_batch *batch,
                           const struct append *append)
{
    struct mr_log_shm *log = append->log;
    struct mr_tip_shm *tip = append->tip;
    struct mr_source_shm *source = append->source;
    struct mr_producer_shm *who = &topic->producers[batch->producer];
    uint64_t head = append->space.head.head, pos = append->pos,
             count = load(&who->records) + append->done;
    struct mr_progress progress = {0};
    if (source) {
        progress = batch->progress[message(batch, append->done - 1) - batch->msgs];
        if (!load(&source->id))
            mr_source_add(topic, p, source, batch->source, head);
    }
    /* The other tip first, whole; it counts only once head says so. */
    atomic_store_explicit(&tip->head, MR_NONE, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&tip->next_offset, append->offset, memory_order_relaxed);
    atomic_store_explicit(&tip->last_ts_ns, append->last_ts, memory_order_relaxed);
    atomic_store_explicit(&tip->producer, batch->producer, memory_order_relaxed);
    atomic_store_explicit(&tip->serial, batch->serial, memory_order_relaxed);
    atomic_store_explicit(&tip->count, count, memory_order_relaxed);
    atomic_store_explicit(&tip->source, batch->source, memory_order_relaxed);
    atomic_store_explicit(&tip->position, progress.position, memory_order_relaxed);
    atomic_store_explicit(&tip->check, progress.check, memory_order_relaxed);
    atomic_store_explicit(&tip->head, pos, memory_order_release);
    /* release, pairs with every reader's acquire of head: the records below are whole. This is the
     * moment of publication. */
    atomic_store_explicit(&log->head, pos, memory_order_release);
    atomic_store_explicit(&who->records, count, memory_order_relaxed);
    atomic_store_explicit(&who->bytes, load(&who->bytes) + (pos - head), memory_order_relaxed);
    if (source)
        mr_source_store(source, progress.position, progress.check, pos);
    batch->cursor->end = pos;
    batch->cursor->boundary = append->boundary;
}

ssize_t mr_log_append(struct mr_topic *topic, uint32_t p, struct mr_batch *batch)
{
    unsigned char *ring = mr_topic_ring(topic, p);
    if (!ring)
        return -ENOMEM;
    int error = mr_log_lock(topic, p);
    if (error)
        return error;
    struct append append;
    int got = begin(topic, p, batch, &append);
    if (got > 0)
        error = write_records(topic, p, batch, &append, ring);
    if (got > 0 && !error && append.done)
        publish(topic, p, batch, &append);
    mr_unlock(&topic->logs[p].lock);
    return got <= 0 ? got : error ? error : (ssize_t)append.done;
}
