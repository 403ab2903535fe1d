/* image.h - a bus with one busy topic as bytes that a fuzzer damages and mends: two partitions
 * whose rings have gone round, groups with claims, orphans and blame, producers, columns, index. */
#ifndef TESTS_FUZZ_IMAGE_H
#define TESTS_FUZZ_IMAGE_H

#include "core/consumer.h"
#include "core/lifecycle.h"
#include "core/reap.h"
#include "fuzz.h"

struct image {
    /* spare: a second name that no program knows */
    char path[MR_TOPIC_NAME_MAX], spare[MR_TOPIC_NAME_MAX];
    int fd;
    uint64_t file_bytes;
    /* of the part that is looked after: all of a bus; a topic without the columns */
    size_t len;
    unsigned char *sound; /* as it was made */
    unsigned char *damaged;
};

/* served by this process, which therefore lives in its client table */
extern struct mr_bus *image_bus;
extern struct mr_topic *image_topic; /* for its geometry, and as one that has it mapped meanwhile */

/* image_begin makes bus and topic and takes the images. The segments go with the process, unless it
 * is killed. */
void image_begin(struct image *bus, struct image *topic);

/* image_damage writes a damaged copy into the file: what the input says, to its end; also another
 * policy and a bound on records, so that one image serves for all. with_locks: mutexes may be hit,
 * too. */
void image_damage(struct image *image, struct fuzz_input *in, int with_locks);
void image_mend(struct image *image);

#endif
