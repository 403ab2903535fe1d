/* run.h - one operation in one scene: killed, given up, stopped at each state that it leaves;
 * alone, and with another. */
#ifndef TESTS_CRASH_RUN_H
#define TESTS_CRASH_RUN_H

#include "scenes.h"

#include <stdatomic.h>

enum way { WAY_KILL, WAY_PAIR, WAY_GIVE_UP, WAY_STOP, WAY_HEIR, WAY_STEP, WAYS };

struct counts {
    /* events, states: of the operation, in all its scenes */
    _Atomic unsigned long runs, events, states;
    _Atomic unsigned long points[WAYS], wrong;
    _Atomic unsigned long changes; /* of the instructions: how many change what a kill leaves */
};

struct run_options {
    const char *bus; /* its name */
    int all;         /* nothing is left out */
    unsigned long wrong_max;
    unsigned ways; /* bits of enum way */
    /* told before each point what is tried, for a report when it hangs */
    void (*hung)(const char *what);
};

/* Returns 0; -1 the operation does not fit into this scene. Adds to counts; says on stderr what is
 * wrong. */
int run(const struct run_options *options, const struct operation *operation,
        const struct scene *scene, struct counts *counts);

#endif
