/* topic.c - see topic.h. */
#include "topic.h"

struct mr_topic *topic;
struct mr_producer *producer;

void use(struct mr_settings settings)
{
    topic = topic_make("t", settings);
    producer = producer_on(topic);
}

void topic_teardown(void)
{
    mr_producer_close(producer);
    mr_topic_close(topic);
    bus_teardown();
}
