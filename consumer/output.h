/* output.h - standard output in few large writes: a buffer.
 *
 * The buffer is a JSON writer's, so that objects are formatted in place; other text is appended to
 * it. */
#ifndef CONSUMER_OUTPUT_H
#define CONSUMER_OUTPUT_H

#include "text/json.h"

#include <stdint.h>

/* bytes written at a time, except at the end of a claim */
#define OUTPUT_FLUSH_AT ((size_t)128 * 1024)

struct output {
    struct js_writer text; /* not yet written */
    int fd;
    uint64_t written; /* bytes, since the start */
};

/* output_init takes the descriptor to write to, which stays the caller's. Returns 0; -ENOMEM. */
int output_init(struct output *output, int fd);
void output_free(struct output *output);

/* output_flush writes everything that is in the buffer.
 * Returns  0; -EPIPE the reader is gone; -ENOMEM text is missing from the buffer because memory
 *          ran out (nothing was written); else the negative errno of write(2): some of the buffer
 *          may have been written.
 * Blocks   until it is written; short writes, signals and descriptors in non-blocking mode are
 *          dealt with. */
int output_flush(struct output *output);

/* output_write writes a text that is not in the buffer. Returns and blocks as output_flush. */
int output_write(struct output *output, const char *text, size_t len);

/* output_reader_gone: 1 if the descriptor is a pipe or a socket without a reader. Never blocks. */
int output_reader_gone(const struct output *output);

#endif
