/* child.h - the side that dies: its own client of the world's bus. */
#ifndef CHILD_H
#define CHILD_H

#include "world.h"

extern struct mr_bus *bus;
extern struct mr_topic *topic;
extern struct mr_producer *producer;
extern struct mr_consumer *consumer;

void attach(struct world *w); /* bus and topic */
void attach_producer(struct world *w);
void attach_consumer(struct world *w, const char *group, uint32_t tries);
void next(unsigned cnt); /* takes so many records of the claim */

/* What most operations find: two groups, six records, three of them acknowledged by the first. */
void some_records(struct world *w);

static inline uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load(word);
}

#endif
