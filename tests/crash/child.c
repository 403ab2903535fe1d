/* child.c - see child.h. */
#include "child.h"

struct mr_bus *bus;
struct mr_topic *topic;
struct mr_producer *producer;
struct mr_consumer *consumer;

void attach(struct world *w)
{
    world_must(mr_connect(mr_bus_name(w->bus), NULL, &bus) == 0, "connect");
    world_must(mr_topic_open(bus, "t", &topic) == 0, "open the topic");
}

void attach_producer(struct world *w)
{
    attach(w);
    world_must(mr_producer_open(topic, NULL, &producer) == 0, "open a producer");
}

void attach_consumer(struct world *w, const char *group, uint32_t tries)
{
    attach(w);
    struct mr_consumer_options options = {.group = group, .tries = tries};
    world_must(mr_consumer_open(topic, &options, &consumer) == 0, "join");
    consumer->spin_ns = 0; /* it would spin by the clock, and no two traces would be alike */
}

void next(unsigned cnt)
{
    struct mr_record record;
    while (cnt--)
        world_must(mr_next(consumer, &record) == 1, "take a record");
}

void some_records(struct world *w)
{
    world_join(w, 0, 0);
    world_join(w, 1, 0);
    world_send(w, 6);
    world_take(w, 0, 3);
}
