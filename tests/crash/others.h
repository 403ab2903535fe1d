/* others.h - what other processes do that leaves the model as it is: they repair on their way, die
 * meanwhile, or give up. */
#ifndef TESTS_CRASH_OTHERS_H
#define TESTS_CRASH_OTHERS_H

#include "world.h"

struct other {
    const char *name;
    void (*child)(struct world *w);
};

/* Who waits for a lock whose owner is killed. */
struct heir {
    const char *name;
    void (*before)(struct world *w); /* NULL, or what the model has to know */
    void (*child)(struct world *w);
    void (*joined)(struct world *w); /* NULL, or what holds since it did what it wanted */
};

extern const struct heir heirs[];
extern const size_t heir_cnt;

extern const struct other others[];
extern const size_t other_cnt;

#endif
