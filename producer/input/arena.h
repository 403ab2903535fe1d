/* arena.h - bytes that live as long as a batch: taken one after the other, let go all at once. */
#ifndef PRODUCER_INPUT_ARENA_H
#define PRODUCER_INPUT_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena { /* all zero: empty */
    struct arena_block *newest;
};

/* arena_take returns n bytes (aligned for nothing but bytes), which stay where they are until
 * arena_reset; NULL: no memory. */
char *arena_take(struct arena *arena, size_t n);
/* arena_reset lets all go; a block is kept for the next batch. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
