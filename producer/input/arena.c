/* arena.c - a list of blocks: usually one, reused for each batch; what does not fit gets its
 * own. */
#include "arena.h"
#include <stdlib.h>

#define BLOCK ((size_t)512 << 10)

struct arena_block {
    struct arena_block *older;
    size_t used, size;
    char bytes[];
};

char *arena_take(struct arena *arena, size_t n)
{
    struct arena_block *block = arena->newest;
    size_t size = n > BLOCK ? n : BLOCK;

    if (!block || block->size - block->used < n) {
        if (!(block = malloc(sizeof(*block) + size)))
            return NULL;
        *block = (struct arena_block){.older = arena->newest, .size = size};
        arena->newest = block;
    }
    block->used += n;
    return block->bytes + block->used - n;
}

/* Frees all blocks but one of the usual size, if there is one and it is wanted. */
static void let_go(struct arena *arena, int keep_one)
{
    struct arena_block *kept = NULL, *older;

    for (struct arena_block *block = arena->newest; block; block = older) {
        older = block->older;
        if (keep_one && !kept && block->size == BLOCK)
            kept = block;
        else
            free(block);
    }
    if (kept) {
        kept->older = NULL;
        kept->used = 0;
    }
    arena->newest = kept;
}

void arena_reset(struct arena *arena)
{
    let_go(arena, 1);
}

void arena_free(struct arena *arena)
{
    let_go(arena, 0);
}
