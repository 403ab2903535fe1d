/* child.h - the side that dies, is given up or stops: a client of its own on the world's bus. */
#ifndef TESTS_CRASH_CHILD_H
#define TESTS_CRASH_CHILD_H

#include "trap.h"
#include "world.h"

#include <signal.h>

extern struct mr_bus *bus;
extern struct mr_topic *topic;
extern struct mr_producer *producer;
extern struct mr_consumer *consumer;

/* How the operation at hand is watched. */
extern struct trap_plan *child_plan;
extern int child_by_steps; /* by step.c instead of trap.c */

void child_must(int ok, const char *what); /* or the child ends with 99 */

void attach(struct world *w); /* bus and topic "t" */
void attach_topic(struct world *w, enum shelf_name name);
void attach_producer(struct world *w);
void attach_consumer(struct world *w, const char *group, uint32_t tries);
void next(unsigned cnt); /* takes so many records of the claim */

/* Around the operation under test. result: 0 or a count: it has done its work; a negative errno: it
 * has not. */
void begin(void);
void end(long result);

/* What a program does before it exits: everything closed, in order. */
void child_leave(void);

#endif
