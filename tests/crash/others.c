/* others.c - see others.h. */
#include "others.h"
#include "child.h"

#include "core/log.h"

/* Takes every lock, which repairs what a dead holder left. */
static void take_locks(struct world *w)
{
    attach(w);
    begin();
    if (mr_topic_lock(topic) == 0)
        mr_unlock(&topic->shm->lock);
    for (uint32_t g = 0; g < mr_groups_used(topic); g++)
        if (mr_lock(topic, &topic->groups[g].lock) >= 0)
            mr_unlock(&topic->groups[g].lock);
    for (uint32_t p = 0; p < topic->partition_cnt; p++)
        if (mr_log_lock(topic, p) == 0)
            mr_unlock(&topic->logs[p].lock);
    end(0);
}

/* As a broker does that begins, or who waits. */
static void look_for_dead(struct world *w)
{
    attach(w);
    begin();
    mr_topic_reap_dead(topic);
    end(0);
}

static void come_and_go(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.flags = MR_PRIVATE};
    begin();
    int error = mr_consumer_open(topic, &options, &consumer);
    if (!error)
        mr_consumer_close(consumer);
    consumer = NULL;
    end(error);
}

static void take_and_give_back(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {
        .group = w->shelf[T].place[0].group[0] ? w->shelf[T].place[0].group : NULL, .tries = 1000};
    begin();
    int error = options.group ? mr_consumer_open(topic, &options, &consumer) : -1;
    if (!error && mr_consumer_claim(consumer, 2, 0) > 0)
        mr_consumer_give_back(consumer);
    if (!error)
        mr_consumer_close(consumer);
    consumer = NULL;
    end(error);
}

static void produce_nothing(struct world *w)
{
    attach(w);
    begin();
    int error = mr_producer_open(topic, NULL, &producer);
    if (!error)
        mr_producer_close(producer);
    producer = NULL;
    end(error);
}

const struct other others[] = {
    {"takes every lock", take_locks},
    {"looks for the dead", look_for_dead},
    {"joins privately and leaves", come_and_go},
    {"takes and gives back", take_and_give_back},
    {"attaches a producer", produce_nothing},
};
const size_t other_cnt = sizeof others / sizeof *others;
