/* sender.h - turns rows into records: keys, limits, batches, the answers of the topic, the copy
 * on standard output. */
#ifndef PRODUCER_SEND_SENDER_H
#define PRODUCER_SEND_SENDER_H

#include "millrace.h"
#include "producer/input/arena.h"
#include "producer/input/envelope.h"
#include "producer/input/fields.h"
#include "producer/input/input.h"
#include "producer/options.h"
#include "resume.h"

#define SENDER_BATCH       512
#define SENDER_BATCH_BYTES ((size_t)256 << 10)

struct sender_row { /* what a message was made of */
    const char *line;
    size_t len;
    uint16_t eol; /* MR_EOL_* */
};

struct sender {
    const struct options *options;
    const char *topic;
    struct mr_topic *handle;      /* of topic */
    struct mr_producer *producer; /* NULL: a dry run, or sealed */
    int sealed;                   /* rows that the topic does not have cannot be sent */
    struct resume *resume;        /* NULL: not used */
    uint64_t record_max;          /* bytes of key + headers + value */
    uint32_t partitions;
    int32_t key_column;              /* from 1; 0: none */
    struct fields fields;            /* of the present file */
    struct mr_message blank;         /* common parts of all records of the current file */
    int envelopes;                   /* the rows of the current file are those of consumer -J */
    struct envelope_columns columns; /* from the first of them */

    struct mr_message batch[SENDER_BATCH];
    struct sender_row rows[SENDER_BATCH];
    struct mr_progress progress[SENDER_BATCH]; /* with resume only */
    size_t batch_cnt, batch_bytes;
    struct arena arena; /* bytes that are not in the rows in the form sent; reset for each batch */

    uint64_t records, bytes; /* accepted */
    uint64_t blocked_ns;     /* of producers closed before */
};

/* sender_open opens a producer for source (0: none) in place of the current one, which is closed
 * after; with resume a sealed topic is not an error yet. sender_close closes it, after joining
 * if the options say so and status, the outcome so far, is 0. Both return 0 or an exit status
 * with the message printed. */
int sender_open(struct sender *sender, struct mr_topic *topic, uint64_t source);
int sender_close(struct sender *sender, int status);

/* sender_format notes how the rows of in are written. */
void sender_format(struct sender *sender, const struct input *in);

/* sender_prepare makes a row the next record of the batch. Its bytes are read at the flush, not
 * before.
 * Returns 0; SENDER_PASSED if the topic already has it, nothing was added; 1 if the row cannot
 * be a record: row->bad_line, bad_byte and reason tell why, nothing was added; -ENOMEM. The
 * batch must not be full (sender_full). */
#define SENDER_PASSED 2
int sender_prepare(struct sender *sender, struct input_row *row);

/* sender_refuse notes why a row cannot be a record, at a byte of its first line. Returns 1. */
int sender_refuse(struct input_row *row, uint64_t byte, const char *reason);

static inline int sender_full(const struct sender *sender)
{
    return sender->batch_cnt == SENDER_BATCH || sender->batch_bytes >= SENDER_BATCH_BYTES;
}

/* sender_flush appends the batch and empties it. Returns 0, or an exit status with the message
 * printed (some may have been accepted).
 * Blocks while the topic is full, as the options say. */
int sender_flush(struct sender *sender);

void sender_free(struct sender *sender);

#endif
