/* child.c - see child.h. */
#include "child.h"
#include "step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mr_bus *bus;
struct mr_topic *topic;
struct mr_producer *producer;
struct mr_consumer *consumer;
volatile sig_atomic_t child_gives_up;
struct trap_plan *child_plan;
int child_by_steps;

void child_must(int ok, const char *what)
{
    if (!ok) {
        if (getenv("CRASH_VERBOSE"))
            fprintf(stderr, "crash: the child cannot %s\n", what);
        _exit(99);
    }
}

void attach_topic(struct world *w, enum shelf_name name)
{
    struct mr_connect_options options = {.name = "child", .stop = &child_gives_up};
    if (!bus)
        child_must(mr_bus_connect(w->bus_name, &options, &bus) == 0, "connect");
    child_must(mr_topic_open(bus, shelf_names[name], &topic) == 0, "open the topic");
}

void attach(struct world *w)
{
    attach_topic(w, T);
}

void attach_producer(struct world *w)
{
    attach(w);
    child_must(mr_producer_open(topic, NULL, &producer) == 0, "open a producer");
}

void attach_consumer(struct world *w, const char *group, uint32_t tries)
{
    attach(w);
    struct mr_consumer_options options = {.group = group, .tries = tries};
    child_must(mr_consumer_open(topic, &options, &consumer) == 0, "join");
    consumer->spin_ns = 0; /* it would spin by the clock, and no two runs would be alike */
}

void next(unsigned cnt)
{
    struct mr_record record;
    while (cnt--)
        child_must(mr_consumer_next(consumer, &record) == 1, "take a record");
}

void begin(void)
{
    if (child_plan && bus)
        child_plan->client = mr_bus_self(bus);
    if (child_plan && child_plan->waits_at_begin)
        raise(SIGSTOP);
    if (child_by_steps)
        step_begin();
    else if (child_plan)
        trap_begin(child_plan);
}

void end(long result)
{
    if (child_by_steps)
        step_end();
    else if (child_plan)
        trap_end(result);
}

void child_leave(void)
{
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    mr_topic_close(topic);
    mr_bus_disconnect(bus);
}
