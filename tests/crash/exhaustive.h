/* exhaustive.h - the same, taking nothing for granted: killed after every single instruction
 * (step.h, image.h). */
#ifndef TESTS_CRASH_EXHAUSTIVE_H
#define TESTS_CRASH_EXHAUSTIVE_H

#include "run.h"

void exhaust(const struct run_options *options, const struct operation *operation,
             struct counts *counts);

#endif
