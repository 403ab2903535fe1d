/* others.c - see others.h. */
#include "others.h"
#include "child.h"

#include "core/log.h"

#include <string.h>

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

/* ---- heirs ---- */

static void join(struct world *w, const char *group)
{
    attach(w);
    struct mr_consumer_options options = {.group = group};
    begin();
    int error = mr_consumer_open(topic, &options, &consumer);
    end(error);
}

static void place_for_x(struct world *w)
{
    world_lone(w, T, "x", 1);
}
static void join_x(struct world *w)
{
    join(w, "x");
}
static void x_is_there(struct world *w)
{
    for (int i = 0; i < PLACES; i++)
        if (strcmp(w->shelf[T].place[i].group, "x") == 0)
            world_is_there(w, &w->shelf[T].place[i]);
}

/* The group that the operation is about, if it has a name; else one of the survivors'. */
static struct place *its_group(struct world *w)
{
    for (int i = 0; i < PLACES; i++)
        if (w->shelf[T].place[i].group[0] && !w->shelf[T].place[i].consumer)
            return &w->shelf[T].place[i];
    return w->shelf[T].place;
}
static void join_its_group(struct world *w)
{
    join(w, its_group(w)->group);
}
static void its_group_is_there(struct world *w)
{
    world_is_there(w, its_group(w));
}

const struct heir heirs[] = {
    {"joins another group", place_for_x, join_x, x_is_there},
    {"joins its group", NULL, join_its_group, its_group_is_there},
};
const size_t heir_cnt = sizeof heirs / sizeof *heirs;
