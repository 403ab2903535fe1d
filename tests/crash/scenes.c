/* scenes.c - see scenes.h. */
#include "scenes.h"
#include "child.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int blocks(const struct world *w)
{
    return !w->drops && !w->settings.records_max;
}

/* ---- what is there ---- */

static void fill_rings(struct world *w)
{
    uint32_t record_bytes = w->record_bytes;
    w->full = 1;
    for (int s = 0; s < SHELVES; s++)
        if (w->shelf[s].producer && s != SRC) {
            w->record_bytes = record_bytes < 180 ? 180 : record_bytes;
            world_try_send(w, (enum shelf_name)s, IDS / 4);
            w->record_bytes = 8;
            world_try_send(w, (enum shelf_name)s, IDS / 4);
        }
    w->record_bytes = record_bytes;
}

/* 254 that died; the survivors have one; the newest one was done, and its count is in the log's
 * last words. */
static enum shelf_name crowded;
static void crowd(struct world *w)
{
    attach_topic(w, crowded);
    for (unsigned i = 0; i < MR_PRODUCERS - 2; i++) {
        int error = mr_producer_open(topic, NULL, &producer);
        /* some are still asked about */
        child_must(error == 0 || error == -EUSERS, "open a producer");
    }
}
static void publish(struct world *w)
{
    unsigned char buf[2048];
    struct mr_message message;
    attach_topic(w, crowded);
    child_must(mr_producer_open(topic, NULL, &producer) == 0, "open a producer");
    for (unsigned i = 0; i < 5; i++) {
        world_fill(w, &message, buf, w->sent + i);
        child_must(mr_producer_append(producer, &message, 1, 0) == 1, "append");
    }
    mr_producer_close(producer);
}
static void use_all_slots(struct world *w)
{
    w->counts_lost = 1;
    for (int s = 0; s < SHELVES; s++) {
        if (!w->shelf[s].producer)
            continue;
        crowded = (enum shelf_name)s;
        world_death(w, crowd, 1);
        world_death(w, publish, 1);
        for (unsigned i = 0; i < 5; i++)
            world_note(&w->shelf[s], w->sent++, MUST);
    }
}

static int fits_slots(const struct world *w, const struct operation *operation)
{
    (void)operation;
    return blocks(w);
}

static const char *group_of_orphan;
static void die_with_records(struct world *w)
{
    attach_consumer(w, group_of_orphan, 1000);
    child_must(mr_consumer_claim(consumer, 4, 0) > 0, "claim");
    next(1);
}
static void leave_orphans(struct world *w)
{
    world_send(w, T, 8);
    for (int i = 0; i < PLACES; i++)
        if (w->shelf[T].place[i].consumer && !w->shelf[T].place[i].is_private) {
            group_of_orphan = w->shelf[T].place[i].group;
            world_death(w, die_with_records, 1);
        }
}

/* ---- another dies in the middle of something ---- */

void move_three(struct world *w, enum shelf_name from, enum shelf_name to, const char *group)
{
    static unsigned char values[3][1024];
    static struct mr_message messages[3];
    struct mr_record record;
    struct mr_topic *other;
    attach_topic(w, from);
    struct mr_consumer_options options = {.group = group, .tries = 1000};
    child_must(mr_consumer_open(topic, &options, &consumer) == 0, "join");
    child_must(mr_topic_open(bus, shelf_names[to], &other) == 0, "open the other topic");
    child_must(mr_producer_open(other, NULL, &producer) == 0, "open a producer of the other topic");
    child_must(mr_consumer_claim(consumer, 4, 0) >= 3, "claim");
    for (unsigned i = 0; i < 3; i++) {
        child_must(mr_consumer_next(consumer, &record) == 1, "take a record");
        unsigned id = world_id(&record);
        world_fill(w, &messages[i], values[i], id);
        messages[i].partition = MR_PARTITION(0);
        if (child_plan)
            child_plan->moved[i] = id;
    }
    if (child_plan)
        child_plan->moved_cnt = 3;
    begin();
    int error = mr_consumer_ack_with(consumer, producer, messages, 3, -1);
    end(error);
}
static int fits_into(const struct world *w, const struct operation *operation)
{
    return blocks(w) && !w->moves && !w->shelf[OTHER].topic && w->shelf[T].place[0].consumer &&
           !(operation->flags & (OP_TAKES_ALL | OP_ENDS));
}
static void before_into(struct world *w)
{
    world_shelf(w, OTHER, "o");
    world_send(w, T, 8);
}
static void into_other(struct world *w)
{
    move_three(w, T, OTHER, w->shelf[T].place[0].group);
}
static void moved(struct world *w, enum shelf_name from, enum shelf_name to, const unsigned *ids,
                  unsigned cnt)
{
    w->moved_by_another = 1;
    for (unsigned i = 0; i < cnt; i++)
        world_moves(w, from, to, ids[i]);
}
static void died_into_other(struct world *w, const unsigned *ids, unsigned cnt)
{
    moved(w, T, OTHER, ids, cnt);
}

static int fits_from(const struct world *w, const struct operation *operation)
{
    return blocks(w) && !w->moves && w->shelf[T].place[0].consumer && !w->full &&
           !(operation->flags & (OP_TAKES_ALL | OP_ENDS));
}
static void before_from(struct world *w)
{
    world_shelf(w, SRC, "s");
    world_send(w, SRC, 8);
}
static void from_src(struct world *w)
{
    move_three(w, SRC, T, "s");
}
static void died_from_src(struct world *w, const unsigned *ids, unsigned cnt)
{
    moved(w, SRC, T, ids, cnt);
    w->counts_lost = 1;
}

/* The same with one producer slot left: the next to come has to use the one of the dead. */
static struct mr_bus *crowd_bus;
static struct mr_topic *crowd_topic;
static struct mr_producer *crowd_producer[MR_PRODUCERS];
static int fits_crowd(const struct world *w, const struct operation *operation)
{
    return fits_from(w, operation) && (operation->flags & OP_OPENS);
}
static void before_from_crowd(struct world *w)
{
    before_from(w);
    world_must(mr_bus_connect(w->bus_name, NULL, &crowd_bus) == 0, "connect");
    world_must(mr_topic_open(crowd_bus, "t", &crowd_topic) == 0, "open the topic");
    for (unsigned i = 0; i < MR_PRODUCERS - 2; i++)
        world_must(mr_producer_open(crowd_topic, NULL, &crowd_producer[i]) == 0, "open a producer");
}
static void after_crowd(struct world *w)
{
    (void)w;
    for (unsigned i = 0; i < MR_PRODUCERS; i++) {
        mr_producer_close(crowd_producer[i]);
        crowd_producer[i] = NULL;
    }
    mr_topic_close(crowd_topic);
    mr_bus_disconnect(crowd_bus);
}

/* A group without members: of ten records it has acknowledged three, and a dead member held
 * three. */
static int fits_group(const struct world *w, const struct operation *operation)
{
    if (operation->flags & OP_WAITS_FOR_ALL)
        return 0;
    for (int i = 0; i < PLACES; i++)
        if (strcmp(w->shelf[T].place[i].group, "m") == 0)
            return 0;
    return blocks(w) && w->shelf[T].place[0].consumer && !w->source;
}
static void make_m(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.group = "m", .start = MR_START_END};
    child_must(mr_consumer_open(topic, &options, &consumer) == 0, "join");
}
static void hold_in_m(struct world *w)
{
    attach_consumer(w, "m", 1000);
    child_must(mr_consumer_claim(consumer, 3, 0) == 3, "claim");
    next(3);
    child_must(mr_consumer_ack(consumer) == 0, "acknowledge");
    child_must(mr_consumer_claim(consumer, 3, 0) == 3, "claim");
    next(2);
}
static void before_moved_group(struct world *w)
{
    world_death(w, make_m, 1);
    unsigned first = w->sent;
    struct place *m = world_lone(w, T, "m", 0);
    for (unsigned id = w->add_from; id < w->add_from + w->add; id++)
        m->fate[id] = m->after[id] = MAY_COME;
    uint32_t partitions = w->settings.partitions;
    world_send(w, T, 10);
    if (partitions == 1)
        world_death(w, hold_in_m, 1);
    for (unsigned id = first; id < w->sent; id++) {
        m->fate[id] = partitions == 1 && id < first + 3 ? GONE : MUST;
        m->after[id] = GONE;
    }
    m->has_after = 2;
}
static void move_m(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.group = "m", .start = MR_START_END};
    begin();
    int error = mr_consumer_open(topic, &options, &consumer);
    end(error);
}

static void delete_t(struct world *w)
{
    attach(w);
    begin();
    int error = mr_topic_delete(topic, MR_DELETE_ANYWAY);
    end(error);
}
static void died_deleting(struct world *w, const unsigned *ids, unsigned cnt)
{
    (void)ids, (void)cnt;
    w->may_end = 1;
}

static void leave_all(struct world *w)
{
    struct mr_consumer *own;
    attach_consumer(w, w->shelf[T].place[0].group, 1000);
    struct mr_consumer_options options = {.flags = MR_PRIVATE};
    child_must(mr_consumer_open(topic, &options, &own) == 0, "join privately");
    child_must(mr_producer_open(topic, NULL, &producer) == 0, "open a producer");
    mr_consumer_claim(consumer, 2, 0);
    begin();
    mr_consumer_close(own);
    child_leave();
    end(0);
}
static void died_leaving(struct world *w, const unsigned *ids, unsigned cnt)
{
    (void)ids, (void)cnt;
    w->moved_by_another = 1; /* or held by it: it had claimed two */
}
static int has_group(const struct world *w, const struct operation *operation)
{
    (void)operation;
    return w->shelf[T].place[0].consumer != NULL;
}
static int fits_leaving(const struct world *w, const struct operation *operation)
{
    return has_group(w, operation) && !(operation->flags & OP_TAKES_ALL);
}
static int fits_deleting(const struct world *w, const struct operation *operation)
{
    (void)w;
    return !(operation->flags & OP_ALONE);
}
static int fits_orphans(const struct world *w, const struct operation *operation)
{
    return has_group(w, operation) && blocks(w) && w->settings.partitions == 1;
}

const struct scene scenes[] = {
    {.name = "plain"},
    {.name = "full ring", .before = fill_rings},
    {.name = "all producer slots used", .fits = fits_slots, .before = use_all_slots},
    {.name = "orphans", .fits = fits_orphans, .before = leave_orphans},
    {.name = "records on their way to another topic",
     .fits = fits_into,
     .before = before_into,
     .child = into_other,
     .died = died_into_other},
    {.name = "records on their way from another topic",
     .fits = fits_from,
     .before = before_from,
     .child = from_src,
     .died = died_from_src},
    {.name = "the same, one producer slot left",
     .fits = fits_crowd,
     .before = before_from_crowd,
     .child = from_src,
     .died = died_from_src,
     .after = after_crowd,
     .may_fail = 1},
    {.name = "a group being moved",
     .fits = fits_group,
     .before = before_moved_group,
     .child = move_m},
    {.name = "the topic being deleted",
     .fits = fits_deleting,
     .child = delete_t,
     .died = died_deleting,
     .may_fail = 1},
    {.name = "the bus being left", .fits = fits_leaving, .child = leave_all, .died = died_leaving},
};
const size_t scene_cnt = sizeof scenes / sizeof *scenes;
