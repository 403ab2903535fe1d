/* log_append.h - records into one partition's log. */
#ifndef COMMON_CORE_LOG_APPEND_H
#define COMMON_CORE_LOG_APPEND_H

#include "log.h"

/* mr_message_bytes returns the whole size in bytes of the record that the message becomes. */
static inline uint64_t mr_message_bytes(const struct mr_message *msg)
{
    return mr_record_bytes(msg->value_len, msg->key ? msg->key_len : 0, msg->headers_len);
}

/* What a producer remembers of a partition. All zeros at first. */
struct mr_append_cursor {
    uint64_t end; /* where the last record appended through it ends; 0: none */
    /* a position that lies at the ring's begin, the last one before head for most of a lap: saves
     * dividing by its size */
    uint64_t lap;
    /* the first record from here on is one for the index, unless head is beyond: saves looking
     * there */
    uint64_t boundary;
};

struct mr_batch {
    struct mr_message *msgs;
    const uint32_t *order; /* NULL, or the n indices of msgs to take */
    size_t n;
    int whole;         /* all of them in one publication, or none */
    uint32_t producer; /* slot of the appending producer, */
    uint64_t serial;   /* and its serial */
    uint64_t source;   /* 0: none; else progress belongs to msgs, index by index */
    const struct mr_progress *progress;
    uint64_t now_ns;
    struct mr_append_cursor *cursor; /* of the partition appended to */
    uint64_t value_bytes;            /* out: how long the values of those appended are in all */
};

/* mr_log_append writes and publishes the batch's first messages, as many as have room now. Their
 * offset and partition are filled in. Waits for the log's lock.
 *   batch    n >= 1, and each message at most record_max bytes long
 * Returns  how many, > 0; 0 no room now; -EPIPE sealed; -EIDRM deleted; -EUSERS the source is new
 *          and the partition knows MR_SOURCES others; -ENOMEM the ring cannot be mapped; -EBADMSG;
 *          -EINTR; -EIO. On error nothing was published.
 * Order    release: a reader of head sees the records below it whole.
 * Killed   before head is stored: nothing is published; after: all of it, and the next to lock
 *          repairs the producer's count and the source's progress. */
ssize_t mr_log_append(struct mr_topic *topic, uint32_t p, struct mr_batch *batch);

#endif
