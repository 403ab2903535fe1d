/* sender.h - rows become records: key, limit, batches, what the topic answers, the copy on standard output. */
#ifndef PRODUCER_SENDER_H
#define PRODUCER_SENDER_H

#include "input.h"
#include "millrace.h"
#include "options.h"

#define SENDER_BATCH       512
#define SENDER_BATCH_BYTES ((size_t)256 << 10)

struct sender {
    const struct options *options;
    const char *topic;
    struct mr_producer *producer; /* NULL: a dry run */
    uint64_t record_max;          /* bytes of key + headers + value */
    int32_t key_column;           /* from 1; 0: none */
    char sep;                     /* of the present file's fields */
    int quotes;                   /* the present file has quoted fields (tsv has none) */

    struct mr_message batch[SENDER_BATCH];
    size_t batch_cnt, batch_bytes;
    char *keys, *long_key; /* keys that are not in the row as they are ("" made one quote); each batch starts anew */
    size_t keys_used;

    uint64_t records, bytes; /* accepted */
};

/* sender_format notes how the rows of in have their fields. */
void sender_format(struct sender *sender, const struct input *in);

/* sender_prepare makes a row the next record of the batch. Its bytes are read at the flush, not before.
 * Returns 0; 1 the row cannot be a record: row->bad_line, bad_byte and reason say why, nothing was added; -ENOMEM. The batch must
 * not be full (sender_full). */
int sender_prepare(struct sender *sender, struct input_row *row);

int sender_full(const struct sender *sender);

/* sender_flush appends the batch and empties it. Returns 0, or an exit status (everything is said; some may have been accepted).
 * Blocks while the topic is full, as the options say. */
int sender_flush(struct sender *sender);

/* sender_find_column looks a --key-col up: a name of the header first, then a number. header may be NULL (there is none).
 * Returns 0 with sender->key_column set, or an exit status (everything is said). */
int sender_find_column(struct sender *sender, const char *file, const char *header, size_t header_len);

void sender_free(struct sender *sender);

#endif
