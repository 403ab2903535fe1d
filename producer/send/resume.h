/* resume.h - --resume: which rows of a FILE the topic already has. Rows are counted from 1 in the
 * order of the file, with bad ones, without the header.
 *
 * The topic keeps, in the step that publishes a record, the number and a hash of the row it was
 * made of, per partition and source; the source is the file and all options that change its rows
 * or their places. A row goes to the same partition each time: by its key, or else by its
 * number. So each partition has exactly its rows up to the number that it remembers, after a
 * kill at any moment. */
#ifndef PRODUCER_SEND_RESUME_H
#define PRODUCER_SEND_RESUME_H

#include "millrace.h"
#include "producer/input/input.h"
#include "producer/options.h"
#include <stdint.h>

struct resume {
    uint64_t source; /* 0: not used */
    const char *file;
    uint32_t partitions;
    /* of each partition: the row that it accepted last, before this process; position 0: none */
    struct mr_progress *last;
    uint64_t furthest; /* the last row of any partition; 0: the topic has none of them */
    uint64_t row;      /* number of the current row */
    uint64_t passed;   /* rows already in the topic, of all FILEs */
    int lock;          /* held while this process sends the file; -1: not held */
};

/* resume_find identifies the source and finds out which of its rows the topic has. Waits up to 5
 * s while another process sends the same file. Returns 0 or an exit status with the message
 * printed; call resume_end in both cases. */
int resume_find(struct resume *resume, struct mr_topic *topic, const struct options *options,
                const char *file, enum input_format format);
void resume_end(struct resume *resume);

/* resume_complete tells the topic that it has the whole file: a producer that died while sending
 * it is not missing records any more. Returns 0 or an exit status with the message printed. */
int resume_complete(const struct resume *resume, struct mr_topic *topic);

/* resume_no_room reports that the topic cannot remember another file, and what to do. Returns
 * EXIT_FAILED. */
int resume_no_room(const struct resume *resume, const char *topic);

/* resume_verify reads the file, just opened, up to the last row that the topic has of it, and
 * compares hashes. Returns 0 if it is that file; or an exit status. */
int resume_verify(struct resume *resume, struct input *in, const char *topic, int header);

/* resume_place: the partition that the current row goes to. asked: MR_ANY, or MR_PARTITION(p). */
uint32_t resume_place(const struct resume *resume, uint32_t asked, const void *key, size_t key_len);
/* resume_has: 1 if the partition already has the current row. */
int resume_has(const struct resume *resume, uint32_t partition);
/* resume_note: what the partition is to remember of the current row. */
struct mr_progress resume_note(const struct resume *resume, const char *row, size_t len);

#endif
