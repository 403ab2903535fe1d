/* scenes.h - what an operation finds when it begins. Each scene is crossed with each operation that
 * fits into it. */
#ifndef TESTS_CRASH_SCENES_H
#define TESTS_CRASH_SCENES_H

#include "world.h"

struct scene {
    const char *name;
    /* NULL: always. The operation is prepared */
    int (*fits)(const struct world *w, const struct operation *operation);
    /* NULL, or what else is there before the process attaches */
    void (*before)(struct world *w);
    /* NULL, or what another process does, and dies of, once the first one is attached */
    void (*child)(struct world *w);
    /* then: what the model has to know */
    void (*died)(struct world *w, const unsigned *moved, unsigned moved_cnt);
    void (*after)(struct world *w); /* NULL, or what ends it when all is checked */
    int may_fail;                   /* the operation may answer with an error */
};

/* In a child: moves three records of a group of `from` to another topic. */
void move_three(struct world *w, enum shelf_name from, enum shelf_name to, const char *group);

extern const struct scene scenes[];
extern const size_t scene_cnt;

#endif
