/* arena.h - memory for the bytes of a batch: allocated piece by piece, released all at once. */
#ifndef PRODUCER_INPUT_ARENA_H
#define PRODUCER_INPUT_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena { /* all zero: empty */
    struct arena_block *newest;
};

/* arena_take returns n unaligned bytes, valid until arena_reset; NULL: no memory. */
char *arena_take(struct arena *arena, size_t n);
/* arena_reset releases everything; a block is kept for the next batch. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
