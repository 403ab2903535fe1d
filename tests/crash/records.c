/* records.c - what dies while it appends, claims, acknowledges or moves records. */
#include "child.h"

#include "core/append.h"
#include "core/producer.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char values[IDS / 8][1024];
static struct mr_message messages[IDS / 8];

static void fill_messages(struct world *w, unsigned from, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++)
        world_fill(w, &messages[i], values[i], from + i);
}

/* ---- appending ---- */

static void append(struct world *w)
{
    attach_producer(w);
    fill_messages(w, w->add_from, w->add);
    for (unsigned i = 0; i < w->add && w->settings.partitions > 1; i++)
        messages[i].partition = MR_PARTITION(i % w->settings.partitions);
    begin();
    ssize_t n = mr_producer_append(producer, messages, w->add, -1);
    end(n);
}

static void prepare_append_one(struct world *w)
{
    some_records(w);
    world_adds(w, 1);
}
static void prepare_append_batch(struct world *w)
{
    some_records(w);
    world_adds(w, 7);
}
/* The batch runs past the ring's end, and the tail has to move out of its way. */
static void prepare_append_wrap(struct world *w)
{
    w->record_bytes = 200;
    world_join(w, T, "g", 0);
    world_join(w, T, "h", 0);
    for (int i = 0; i < 16; i++) {
        world_send(w, T, 1);
        world_take(w, T, 0, 1);
        world_take(w, T, 1, 1);
    }
    world_send(w, T, 1);
    world_adds(w, 5);
}
/* No room until the groups' positions are looked up again. */
static void prepare_append_full(struct world *w)
{
    w->record_bytes = 200;
    world_join(w, T, "g", 0);
    world_send(w, T, 17);
    world_take(w, T, 0, 17);
    world_adds(w, 2);
}
/* A member sleeps in each group: the signal is part of the operation. */
static void prepare_append_sleeper(struct world *w)
{
    some_records(w);
    for (int i = 0; i < 2; i++)
        w->ticket[i] = mr_cond_prepare(
            &w->shelf[T].topic->groups[w->shelf[T].place[i].consumer->seat.group].data);
    world_adds(w, 1);
}
static void prepare_append_index(struct world *w)
{
    w->record_bytes = 1000;
    world_join(w, T, "g", 0);
    world_send(w, T, 62);
    world_take(w, T, 0, 60);
    world_adds(w, 4);
}
static void large(struct mr_settings *s)
{
    s->size_bytes = 131072;
}
static void prepare_append_dropping(struct world *w)
{
    w->record_bytes = 200;
    w->drops = 1;
    world_join(w, T, "g", 0);
    world_send(w, T, 17);
    world_adds(w, 3);
}
static void dropping(struct mr_settings *s)
{
    s->full = MR_FULL_DROP_OLDEST;
}
static void prepare_append_bounded(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 3);
    world_take(w, T, 0, 3);
    world_adds(w, 3);
}
static void bounded(struct mr_settings *s)
{
    s->records_max = 3;
}
static void prepare_append_partitions(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 4);
    world_adds(w, 6);
}
static void three_partitions(struct mr_settings *s)
{
    s->partitions = 3;
    s->size_bytes = 3 * 4096;
}

/* With the source's progress noted in the same step. */
static void prepare_append_from(struct world *w)
{
    some_records(w);
    world_adds(w, 5);
    w->source = 77;
}
static void append_from(struct world *w)
{
    static struct mr_progress progress[8];
    attach(w);
    struct mr_producer_options options = {.source = 77};
    child_must(mr_producer_open(topic, &options, &producer) == 0, "open a producer");
    fill_messages(w, w->add_from, 5);
    for (unsigned i = 0; i < 5; i++)
        progress[i] = (struct mr_progress){i + 1, WORLD_CHECK_OF(i + 1)};
    begin();
    ssize_t n = mr_producer_append_from(producer, messages, progress, 2, -1), more = n;
    if (n == 2)
        more = mr_producer_append_from(producer, messages + 2, progress + 2, 3, -1);
    end(n == 2 && more > 0 ? n + more : n);
}

/* Until every group has acknowledged: the survivors do, when the child sleeps. */
static void prepare_join(struct world *w)
{
    world_join(w, T, "g", 0);
    for (unsigned i = 0; i < 2; i++)
        world_note(&w->shelf[T], w->sent++, MUST);
}
static void append_and_join(struct world *w)
{
    attach_producer(w);
    fill_messages(w, 0, 2);
    child_must(mr_producer_append(producer, messages, 2, 0) == 2, "append");
    begin();
    int error = mr_producer_join(producer, -1);
    end(error);
}

/* ---- claiming and acknowledging ---- */

static void claim(struct world *w)
{
    attach_consumer(w, "g", 1000);
    begin();
    ssize_t n = mr_consumer_claim(consumer, 2, 0);
    end(n == -ETIMEDOUT ? 0 : n); /* another may hold all that there is */
}
static void prepare_claim_ordered(struct world *w)
{
    world_join(w, T, "g", MR_ORDERED);
    world_send(w, T, 6);
}

/* A client takes four records of group g and dies, two of them given out. */
static void die_holding(struct world *w)
{
    struct mr_record record;
    attach_consumer(w, "g", 1000);
    child_must(mr_consumer_claim(consumer, 4, 0) > 0, "claim");
    while (mr_consumer_next(consumer, &record) == 1)
        ;
}
static void die_in_hand(struct world *w)
{
    attach_consumer(w, "g", 1000);
    child_must(mr_consumer_claim(consumer, 4, 0) > 1, "claim");
    next(2);
}
static void die_first_in_hand(struct world *w)
{
    attach_consumer(w, "g", 1000);
    child_must(mr_consumer_claim(consumer, 2, 0) > 0, "claim");
    next(1);
}
static void prepare_claim_orphan(struct world *w)
{
    world_join(w, T, "g", 0);
    world_join(w, T, "h", 0);
    world_send(w, T, 8);
    world_death(w, die_holding, 1);
}
static void prepare_claim_blamed(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 8);
    world_death(w, die_in_hand, 1);
}
static void claim_past_blamed(struct world *w)
{
    attach_consumer(w, "g", 1000);
    struct mr_record record;
    begin();
    ssize_t n = mr_consumer_claim(consumer, 8, 0);
    while (n > 0) {
        while (mr_consumer_next(consumer, &record) == 1)
            ;
        n = mr_consumer_ack(consumer);
        if (!n)
            n = mr_consumer_claim(consumer, 8, 0);
    }
    end(n == -ETIMEDOUT ? 0 : n);
}
/* All that is there for group g. */
static void takes_all(struct world *w)
{
    struct place *g = &w->shelf[T].place[0];
    for (unsigned id = 0; id < w->sent; id++)
        if (g->fate[id] == MUST)
            g->fate[id] = g->after[id] = MAY_GO;
}

/* Records that the child acknowledges: what the survivors' group has not, so that it has to be the
 * one who does. */
static void prepare_ack_part(struct world *w)
{
    some_records(w);
    w->shelf[T].place[0].fate[3] = w->shelf[T].place[0].after[3] = MAY_GO;
}
static void ack_part(struct world *w)
{
    attach_consumer(w, "g", 1000);
    child_must(mr_consumer_claim(consumer, 2, 0) > 0, "claim");
    struct mr_record record;
    begin();
    int error = mr_consumer_next(consumer, &record) == 1 ? mr_consumer_ack(consumer) : -EBADMSG;
    end(error);
}
static void prepare_ack_all(struct world *w)
{
    w->record_bytes = 200;
    world_join(w, T, "g", 0);
    world_send(w, T, 17);
    world_take(w, T, 0, 15);
    /* a producer waits for room */
    atomic_store(&w->shelf[T].topic->logs[0].want, 1);
    mr_cond_prepare(&w->shelf[T].topic->shm->space);
}
static void ack_all(struct world *w)
{
    attach_consumer(w, "g", 1000);
    struct mr_record record;
    child_must(mr_consumer_claim(consumer, 2, 0) > 0, "claim");
    begin();
    ssize_t n;
    while ((n = mr_consumer_claim(consumer, 2, 0)) > 0) {
        while (mr_consumer_next(consumer, &record) == 1)
            ;
        mr_consumer_ack(consumer);
    }
    end(n == -ETIMEDOUT ? 0 : n);
}

/* Nothing but what is given back waits for the survivors: they have to find it, though nothing else
 * makes them look. */
static void prepare_give_back_last(struct world *w)
{
    world_join(w, T, "g", 0);
    world_join(w, T, "h", 0);
    world_send(w, T, 3);
    world_take(w, T, 0, 2);
    world_take(w, T, 1, 3);
}
static void give_back(struct world *w)
{
    attach_consumer(w, "g", 1000);
    child_must(mr_consumer_claim(consumer, 3, 0) > 0, "claim");
    next(1);
    begin();
    int error = mr_consumer_give_back(consumer);
    end(error);
}
static void fail(struct world *w)
{
    attach_consumer(w, "g", 1000);
    child_must(mr_consumer_claim(consumer, 2, 0) > 0, "claim");
    next(1);
    begin();
    int error = mr_consumer_fail(consumer, "test");
    end(error);
}

/* ---- records that move ---- */

static void prepare_dead_letter(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 4);
    world_shelf(w, DEAD, "d");
    world_death(w, die_first_in_hand, 1);
    world_moves(w, T, DEAD, 0);
}
static void dead_letter(struct world *w)
{
    attach_consumer(w, "g", 1);
    begin();
    ssize_t n = mr_consumer_claim(consumer, 2, 0);
    end(n);
}

/* Acknowledged with records in another topic, in one step. */
static void prepare_ack_with(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 12);
    world_shelf(w, OTHER, "o");
    for (unsigned id = 0; id < 3; id++)
        world_moves(w, T, OTHER, id);
}
static void open_other(void)
{
    struct mr_topic *other;
    child_must(mr_topic_open(bus, "other", &other) == 0, "open the other topic");
    child_must(mr_producer_open(other, NULL, &producer) == 0, "open a producer of the other topic");
}
static void ack_with(struct world *w)
{
    attach_consumer(w, "g", 1000);
    open_other();
    child_must(mr_consumer_claim(consumer, 4, 0) >= 3, "claim");
    next(3);
    fill_messages(w, 0, 3);
    begin();
    int error = mr_consumer_ack_with(consumer, producer, messages, 3, -1);
    end(error);
}
/* The same by a process that first takes a producer slot of the other topic. */
static void open_and_ack_with(struct world *w)
{
    attach_consumer(w, "g", 1000);
    child_must(mr_consumer_claim(consumer, 4, 0) >= 3, "claim");
    next(3);
    fill_messages(w, 0, 3);
    struct mr_topic *other;
    child_must(mr_topic_open(bus, "other", &other) == 0, "open the other topic");
    begin();
    int error = mr_producer_open(other, NULL, &producer);
    if (!error)
        error = mr_consumer_ack_with(consumer, producer, messages, 3, -1);
    end(error);
}

/* A process died between the two halves: the heir of the claim finds that the records have
 * arrived, and dies meanwhile. */
static void die_half_way(struct world *w)
{
    attach_consumer(w, "g", 1000);
    open_other();
    child_must(mr_consumer_claim(consumer, 4, 0) >= 3, "claim");
    struct mr_member_shm *slot = mr_consumer_slot(consumer);
    uint64_t cursor = load(&slot->cursor);
    next(3);
    fill_messages(w, 0, 3);
    child_must(mr_consumer_ack_with(consumer, producer, messages, 3, 0) == 0, "acknowledge");
    /* As it was before the second half. */
    struct mr_topic *to = mr_producer_topic(producer);
    atomic_store(&to->producers[mr_producer_slot(producer)].asked, topic->shm->created_ns);
    atomic_store(&slot->moving, load(&slot->cursor));
    atomic_store(&slot->cursor, cursor);
}
static void prepare_settle(struct world *w)
{
    prepare_ack_with(w);
    world_death(w, die_half_way, 1);
    for (unsigned id = 0; id < 3; id++) { /* it is decided */
        world_note(&w->shelf[T], id, GONE);
        world_note(&w->shelf[OTHER], id, MUST);
    }
    w->moves = 0;
}
static void settle(struct world *w)
{
    attach_consumer(w, "g", 1000);
    begin();
    ssize_t n = mr_consumer_claim(consumer, 2, 0);
    end(n);
}

/* ---- waiting ---- */

static void wait_for_records(struct world *w)
{
    attach_consumer(w, "g", 1000);
    begin();
    ssize_t n = mr_consumer_claim(consumer, 1, -1);
    end(n);
}
static void prepare_wait(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 2);
    world_take(w, T, 0, 2);
}
static int wake_with_record(struct world *w)
{
    if (!w->woken++)
        world_send(w, T, 1);
    return 0;
}

const struct operation record_operations[] = {
    {.name = "append one", .prepare = prepare_append_one, .child = append},
    {.name = "append a batch", .prepare = prepare_append_batch, .child = append},
    {.name = "append past the ring's end", .prepare = prepare_append_wrap, .child = append},
    {.name = "append into a full topic", .prepare = prepare_append_full, .child = append},
    {.name = "append with sleepers", .prepare = prepare_append_sleeper, .child = append},
    {.name = "append across an index step",
     .prepare = prepare_append_index,
     .child = append,
     .settings = large},
    {.name = "append, dropping the oldest",
     .prepare = prepare_append_dropping,
     .child = append,
     .settings = dropping},
    {.name = "append to a bounded buffer",
     .prepare = prepare_append_bounded,
     .child = append,
     .settings = bounded},
    {.name = "append to three partitions",
     .prepare = prepare_append_partitions,
     .child = append,
     .settings = three_partitions},
    {.name = "append from a source", .prepare = prepare_append_from, .child = append_from},
    {.name = "wait for the acknowledgements",
     .prepare = prepare_join,
     .child = append_and_join,
     .flags = OP_WAITS_FOR_ALL},
    {.name = "claim", .prepare = some_records, .child = claim},
    {.name = "claim, ordered group",
     .prepare = prepare_claim_ordered,
     .child = claim,
     .flags = OP_GROUPS},
    {.name = "claim an orphan",
     .prepare = prepare_claim_orphan,
     .child = claim,
     .flags = OP_GROUPS},
    {.name = "claim an orphan, one in hand", .prepare = prepare_claim_blamed, .child = claim},
    {.name = "take all, an orphan first",
     .prepare = prepare_claim_blamed,
     .staged = takes_all,
     .child = claim_past_blamed,
     .flags = OP_TAKES_ALL},
    {.name = "acknowledge a part", .prepare = prepare_ack_part, .child = ack_part},
    {.name = "acknowledge all, producer waits",
     .prepare = prepare_ack_all,
     .staged = takes_all,
     .child = ack_all,
     .flags = OP_TAKES_ALL},
    {.name = "give back", .prepare = some_records, .child = give_back, .flags = OP_GROUPS},
    {.name = "give back the last",
     .prepare = prepare_give_back_last,
     .child = give_back,
     .flags = OP_GROUPS},
    {.name = "fail a record", .prepare = some_records, .child = fail, .flags = OP_GROUPS},
    {.name = "move to the dead letters", .prepare = prepare_dead_letter, .child = dead_letter},
    {.name = "acknowledge with records elsewhere", .prepare = prepare_ack_with, .child = ack_with},
    {.name = "open, acknowledge with records",
     .prepare = prepare_ack_with,
     .child = open_and_ack_with},
    {.name = "take over what was on its way", .prepare = prepare_settle, .child = settle},
    {.name = "wait and be woken",
     .prepare = prepare_wait,
     .child = wait_for_records,
     .asleep = wake_with_record},
};
const size_t record_operation_cnt = sizeof record_operations / sizeof *record_operations;
