/* lives.c - what dies while it comes or goes, or makes or ends a topic. */
#include "child.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- coming and going ---- */

static void prepare_new(struct world *w)
{
    some_records(w);
    world_lone(w, T, "new", 1);
}
static void join(struct world *w, const struct mr_consumer_options *options)
{
    attach(w);
    begin();
    int error = mr_consumer_open(topic, options, &consumer);
    end(error);
}
static void join_new(struct world *w)
{
    join(w, &(struct mr_consumer_options){.group = "new"});
}
static void join_known(struct world *w)
{
    join(w, &(struct mr_consumer_options){.group = "g"});
}
static void join_private(struct world *w)
{
    join(w, &(struct mr_consumer_options){.flags = MR_PRIVATE});
}

static void leave_holding(struct world *w)
{
    attach_consumer(w, "g", 1000);
    child_must(mr_consumer_claim(consumer, 2, 0) > 0, "claim");
    next(1);
    begin();
    mr_consumer_close(consumer);
    consumer = NULL;
    end(0);
}
static void leave_private(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.flags = MR_PRIVATE};
    child_must(mr_consumer_open(topic, &options, &consumer) == 0, "join");
    child_must(mr_consumer_claim(consumer, 2, 0) > 0, "claim");
    next(1);
    begin();
    mr_consumer_close(consumer);
    consumer = NULL;
    end(0);
}
static void private_group(struct world *w)
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

/* The group's only member leaves: its records wait for the next. */
static void prepare_leave_last(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 6);
    world_lone(w, T, "m", 0);
    for (unsigned id = 0; id < 6; id++)
        world_note(&w->shelf[T], id, MUST);
}
static void leave_last(struct world *w)
{
    attach_consumer(w, "m", 1000);
    child_must(mr_consumer_claim(consumer, 3, 0) > 0, "claim");
    next(1);
    begin();
    mr_consumer_close(consumer);
    consumer = NULL;
    end(0);
}

/* A group without members that is to start elsewhere. Of the records 0 to 9 it has acknowledged 0
 * to 2; a dead member held 3 to 5. */
static void hold_some(struct world *w)
{
    attach_consumer(w, "m", 1000);
    child_must(mr_consumer_claim(consumer, 3, 0) == 3, "claim");
    next(3);
    child_must(mr_consumer_ack(consumer) == 0, "acknowledge");
    child_must(mr_consumer_claim(consumer, 3, 0) == 3, "claim");
    next(2);
}
static void prepare_move(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 10);
    struct place *m = world_lone(w, T, "m", 0);
    world_death(w, hold_some, 1);
    for (unsigned id = 0; id < 10; id++) {
        m->fate[id] = id < 3 ? GONE : MUST;
        m->after[id] = MUST;
    }
    m->has_after = 1;
}
static void move_past_all(struct world *w)
{
    struct place *m = &w->shelf[T].place[1];
    for (unsigned id = 0; id < w->sent; id++)
        if (m->fate[id] != ABSENT)
            m->after[id] = GONE;
}
static void move_group(struct world *w)
{
    join(w, &(struct mr_consumer_options){.group = "m", .start = MR_START_BEGINNING});
}
static void move_group_end(struct world *w)
{
    join(w, &(struct mr_consumer_options){.group = "m", .start = MR_START_END});
}

static void produce_and_leave(struct world *w)
{
    attach(w);
    begin();
    int error = mr_producer_open(topic, NULL, &producer);
    mr_producer_close(error ? NULL : producer);
    producer = NULL;
    end(error);
}
/* A new producer's first record, from taking its slot on. */
static void prepare_first_record(struct world *w)
{
    some_records(w);
    world_adds(w, 1);
}
static void first_record(struct world *w)
{
    unsigned char buf[2048];
    struct mr_message message;
    attach(w);
    world_fill(w, &message, buf, w->add_from);
    begin();
    ssize_t n = mr_producer_open(topic, NULL, &producer);
    if (!n)
        n = mr_producer_append(producer, &message, 1, -1);
    end(n);
}
static void die_attached(struct world *w)
{
    struct mr_consumer *own;
    attach_consumer(w, "g", 1000);
    struct mr_consumer_options options = {.flags = MR_PRIVATE};
    child_must(mr_consumer_open(topic, &options, &own) == 0, "join");
    child_must(mr_producer_open(topic, NULL, &producer) == 0, "open a producer");
    child_must(mr_consumer_claim(consumer, 3, 0) > 0 && mr_consumer_claim(own, 3, 0) > 0, "claim");
    next(1);
}
static void prepare_reap(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 6);
    world_death(w, die_attached, 0);
}
static void reap(struct world *w)
{
    attach(w);
    begin();
    mr_topic_reap_dead(topic);
    end(0);
}
/* All that a program does when it ends. */
static void leave_bus(struct world *w)
{
    attach_consumer(w, "g", 1000);
    child_must(mr_producer_open(topic, NULL, &producer) == 0, "open a producer");
    child_must(mr_consumer_claim(consumer, 2, 0) > 0, "claim");
    next(1);
    begin();
    child_leave();
    consumer = NULL;
    producer = NULL;
    topic = NULL;
    bus = NULL;
    end(0);
}
static void connect_and_leave(struct world *w)
{
    begin();
    int error = mr_bus_connect(w->bus_name, NULL, &bus);
    if (!error)
        mr_bus_disconnect(bus);
    bus = NULL;
    end(error);
}

/* ---- the life of a topic ---- */

static void prepare_end(struct world *w)
{
    some_records(w);
    w->may_end = 1;
}
static void seal(struct world *w)
{
    attach(w);
    begin();
    int error = mr_topic_seal(topic);
    end(error);
}
static void purge(struct world *w)
{
    attach(w);
    begin();
    ssize_t n = mr_topic_purge(topic);
    end(n);
}
static void delete (struct world *w)
{
    attach(w);
    begin();
    int error = mr_topic_delete(topic, MR_DELETE_ANYWAY);
    end(error);
}
static void delete_finished(struct world *w)
{
    attach(w);
    begin();
    int error = mr_topic_delete(topic, MR_DELETE_FINISHED);
    end(error == -ENOTEMPTY ? 0 : error ? error : -EBADMSG);
}
static void delete_unused(struct world *w)
{
    attach(w);
    begin();
    int error = mr_topic_delete(topic, MR_DELETE_UNUSED);
    end(error == -EBUSY ? 0 : error ? error : -EBADMSG);
}
static void make(struct world *w)
{
    attach(w);
    begin();
    int error = mr_topic_create_segment(bus, "made", &w->settings);
    end(error);
}
static void set_columns(struct world *w)
{
    attach(w);
    begin();
    int error = mr_topic_set_columns(topic, "a,b,c", 5, 0);
    end(error);
}

const struct operation life_operations[] = {
    {.name = "join, a new group", .prepare = prepare_new, .child = join_new, .flags = OP_GROUPS},
    {.name = "join, a known group",
     .prepare = some_records,
     .child = join_known,
     .flags = OP_GROUPS},
    {.name = "join, a private group",
     .prepare = some_records,
     .child = join_private,
     .flags = OP_GROUPS},
    {.name = "leave, holding records",
     .prepare = some_records,
     .child = leave_holding,
     .flags = OP_GROUPS},
    {.name = "leave, a private group",
     .prepare = some_records,
     .child = leave_private,
     .flags = OP_GROUPS},
    {.name = "leave, the last of a group",
     .prepare = prepare_leave_last,
     .child = leave_last,
     .flags = OP_GROUPS},
    {.name = "a private group, made and left",
     .prepare = some_records,
     .child = private_group,
     .flags = OP_GROUPS},
    {.name = "move a group to the beginning",
     .prepare = prepare_move,
     .child = move_group,
     .flags = OP_GROUPS},
    {.name = "move a group to the end",
     .prepare = prepare_move,
     .staged = move_past_all,
     .child = move_group_end,
     .flags = OP_GROUPS},
    {.name = "attach and detach a producer",
     .prepare = some_records,
     .child = produce_and_leave,
     .flags = OP_OPENS | OP_GROUPS},
    {.name = "a producer's first record",
     .prepare = prepare_first_record,
     .child = first_record,
     .flags = OP_OPENS},
    {.name = "clean up after another's death",
     .prepare = prepare_reap,
     .child = reap,
     .flags = OP_GROUPS},
    {.name = "leave the bus", .prepare = some_records, .child = leave_bus, .flags = OP_GROUPS},
    {.name = "connect and disconnect", .prepare = some_records, .child = connect_and_leave},
    {.name = "seal", .prepare = prepare_end, .child = seal},
    {.name = "purge", .prepare = prepare_end, .child = purge},
    {.name = "delete", .prepare = prepare_end, .child = delete},
    {.name = "delete if finished (it is not)", .prepare = some_records, .child = delete_finished},
    {.name = "delete if unused (it is used)", .prepare = some_records, .child = delete_unused},
    {.name = "make a topic", .prepare = some_records, .child = make},
    {.name = "set the columns", .prepare = some_records, .child = set_columns},
};
const size_t life_operation_cnt = sizeof life_operations / sizeof *life_operations;
