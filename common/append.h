/* append.h - what dead.c has to know of a producer's handle. */
#ifndef MR_APPEND_H
#define MR_APPEND_H

#include "millrace.h"

/* mr_producer_slot: the index of the producer's slot in its topic. */
uint32_t mr_producer_slot(const struct mr_producer *producer);

#endif
