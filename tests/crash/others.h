/* others.h - what other processes do that leaves the model as it is: they repair on their way, die
 * meanwhile, or give up. */
#ifndef TESTS_CRASH_OTHERS_H
#define TESTS_CRASH_OTHERS_H

#include "world.h"

struct other {
    const char *name;
    void (*child)(struct world *w);
};

extern const struct other others[];
extern const size_t other_cnt;

#endif
