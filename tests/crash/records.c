/* records.c - what is killed while it appends, claims or acknowledges. */
#include "child.h"
#include "step.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- appending ---- */

static void append(struct world *w, unsigned cnt)
{
    static unsigned char buf[IDS][1024];
    static struct mr_message msgs[IDS];
    attach_producer(w);
    for (unsigned i = 0; i < cnt; i++)
        world_fill(w, &msgs[i], buf[i], w->sent + i);
    step_begin();
    ssize_t n = mr_append(producer, msgs, cnt, 1000000000);
    step_end();
    world_must(n == (ssize_t)cnt, "append all");
}

static void prepare_append_one(struct world *w)
{
    some_records(w);
    w->add = 1;
}
static void append_one(struct world *w) { append(w, 1); }

static void prepare_append_batch(struct world *w)
{
    some_records(w);
    w->add = 7;
}
static void append_batch(struct world *w) { append(w, 7); }

/* The batch runs past the ring's end, and the tail has to move out of its way. */
static void prepare_append_wrap(struct world *w)
{
    w->record_bytes = 200;
    world_join(w, 0, 0);
    world_join(w, 1, 0);
    for (int i = 0; i < 16; i++) {
        world_send(w, 1);
        world_take(w, 0, 1);
        world_take(w, 1, 1);
    }
    world_send(w, 1);
    w->add = 5;
}
static void append_wrap(struct world *w) { append(w, 5); }

/* No room until the groups' positions are looked up again. */
static void prepare_append_full(struct world *w)
{
    w->record_bytes = 200;
    world_join(w, 0, 0);
    world_send(w, 17);
    world_take(w, 0, 17);
    w->add = 2;
}
static void append_full(struct world *w) { append(w, 2); }

/* Somebody sleeps in each group: the signal is part of the operation. */
static void prepare_append_sleeper(struct world *w)
{
    some_records(w);
    for (int g = 0; g < GROUPS; g++)
        w->ticket[g] = mr_cond_prepare(&w->topic->groups[w->consumer[g]->seat.group].data);
    w->add = 1;
}

static void prepare_append_index(struct world *w)
{
    w->record_bytes = 1000;
    world_join(w, 0, 0);
    world_send(w, 62);
    world_take(w, 0, 60);
    w->add = 4;
}
static void large(struct mr_settings *s) { s->size_bytes = 131072; }
static void append_index(struct world *w) { append(w, 4); }

static void prepare_append_dropping(struct world *w)
{
    w->record_bytes = 200;
    w->drops = 1;
    world_join(w, 0, 0);
    world_send(w, 17);
    w->add = 3;
}
static void dropping(struct mr_settings *s) { s->full = MR_FULL_DROP_OLDEST; }
static void append_dropping(struct world *w) { append(w, 3); }

static void prepare_append_bounded(struct world *w)
{
    world_join(w, 0, 0);
    world_send(w, 3);
    world_take(w, 0, 3);
    w->add = 3;
}
static void bounded(struct mr_settings *s) { s->records_max = 3; }
static void append_bounded(struct world *w) { append(w, 3); }

static void prepare_append_partitions(struct world *w)
{
    world_join(w, 0, 0);
    world_send(w, 4);
    w->add = 6;
}
static void three_partitions(struct mr_settings *s)
{
    s->partitions = 3;
    s->size_bytes = 3 * 4096;
}
static void append_partitions(struct world *w)
{
    static unsigned char buf[8][1024];
    static struct mr_message msgs[8];
    attach_producer(w);
    for (unsigned i = 0; i < 6; i++) {
        world_fill(w, &msgs[i], buf[i], w->sent + i);
        msgs[i].partition = (int32_t)(i % 3);
    }
    step_begin();
    ssize_t n = mr_append(producer, msgs, 6, 1000000000);
    step_end();
    world_must(n == 6, "append all");
}

/* With the source's progress noted in the same step. */
static void prepare_append_from(struct world *w)
{
    some_records(w);
    w->add = 5;
    w->source = 77;
}
static void append_from(struct world *w)
{
    static unsigned char buf[8][1024];
    static struct mr_message msgs[8];
    static struct mr_progress progress[8];
    attach(w);
    world_must(mr_producer_open(topic, &(struct mr_producer_options){.source = 77}, &producer) == 0, "open a producer");
    for (unsigned i = 0; i < 5; i++) {
        world_fill(w, &msgs[i], buf[i], w->sent + i);
        progress[i] = (struct mr_progress){i + 1, WORLD_CHECK_OF(i + 1)};
    }
    step_begin();
    ssize_t n = mr_append_from(producer, msgs, progress, 2, 1000000000);
    if (n == 2)
        n += mr_append_from(producer, msgs + 2, progress + 2, 3, 1000000000);
    step_end();
    world_must(n == 5, "append all");
}

/* Until every group has acknowledged: a survivor does, when the child sleeps. */
static void prepare_join(struct world *w)
{
    world_join(w, 0, 0);
    w->add = 2;
}
static void append_and_join(struct world *w)
{
    static unsigned char buf[2][1024];
    static struct mr_message msgs[2];
    attach_producer(w);
    world_fill(w, &msgs[0], buf[0], w->sent);
    world_fill(w, &msgs[1], buf[1], w->sent + 1);
    world_must(mr_append(producer, msgs, 2, 0) == 2, "append");
    step_begin();
    int error = mr_producer_join(producer, 5000000000);
    step_end();
    world_must(error == 0, "wait for the acknowledgements");
}
static int acknowledge_for_child(struct world *w)
{
    if (w->add == 0)
        return 0; /* done already */
    w->sent += w->add;
    w->add = 0;
    world_take(w, 0, 2);
    return 0;
}

/* ---- claiming and acknowledging ---- */

static void claim(struct world *w)
{
    attach_consumer(w, "g", 1000);
    step_begin();
    ssize_t n = mr_claim(consumer, 2, 0);
    step_end();
    world_must(n > 0, "claim");
}

static void prepare_claim_ordered(struct world *w)
{
    world_join(w, 0, MR_ORDERED);
    world_send(w, 6);
}

/* A client takes records of group g and dies, `in hand` or not, `given` of them given out. */
static void dead_member(struct world *w, unsigned claim_cnt, unsigned given, int in_hand)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct mr_record record;
        attach_consumer(w, "g", 1000);
        if (mr_claim(consumer, claim_cnt, 0) <= 0)
            _exit(1);
        next(given);
        if (!in_hand)
            while (mr_next(consumer, &record) == 1)
                ;
        _exit(0);
    }
    int status;
    world_must(waitpid(pid, &status, 0) == pid && status == 0, "have a member die");
    mr_topic_reap_dead(w->topic);
}
static void prepare_claim_orphan(struct world *w)
{
    world_join(w, 0, 0);
    world_join(w, 1, 0);
    world_send(w, 8);
    dead_member(w, 4, 1, 0);
}
static void prepare_claim_blamed(struct world *w)
{
    world_join(w, 0, 0);
    world_send(w, 8);
    dead_member(w, 4, 2, 1);
}
static void claim_past_blamed(struct world *w)
{
    attach_consumer(w, "g", 1000);
    step_begin();
    ssize_t n = mr_claim(consumer, 8, 0);
    struct mr_record record;
    while (n > 0) {
        while (mr_next(consumer, &record) == 1)
            ;
        if (mr_ack(consumer) < 0)
            break;
        n = mr_claim(consumer, 8, 0);
    }
    step_end();
    world_must(n == -ETIMEDOUT, "take all");
}
static void prepare_claim_past_blamed(struct world *w)
{
    prepare_claim_blamed(w);
    for (unsigned id = 0; id < w->sent; id++)
        w->state[0][id] = MAY_ACK;
}

static void prepare_ack_part(struct world *w)
{
    some_records(w);
    w->state[0][3] = MAY_ACK;
}
static void ack(struct world *w, unsigned cnt)
{
    attach_consumer(w, "g", 1000);
    world_must(mr_claim(consumer, cnt + 1, 0) > 0, "claim");
    step_begin();
    struct mr_record record;
    for (unsigned i = 0; i < cnt; i++)
        if (mr_next(consumer, &record) != 1)
            break;
    int error = mr_ack(consumer);
    step_end();
    world_must(error == 0, "acknowledge");
}
static void ack_part(struct world *w) { ack(w, 1); }

static void prepare_ack_all(struct world *w)
{
    w->record_bytes = 200;
    world_join(w, 0, 0);
    world_send(w, 17);
    world_take(w, 0, 15);
    w->state[0][15] = w->state[0][16] = MAY_ACK;
    /* a producer waits for room */
    atomic_store(&w->topic->logs[0].want, 1);
    mr_cond_prepare(&w->topic->shm->space);
}
static void ack_all(struct world *w)
{
    attach_consumer(w, "g", 1000);
    mr_consumer_close(w->consumer[0] = NULL);
    struct mr_record record;
    world_must(mr_claim(consumer, 2, 0) > 0, "claim");
    step_begin();
    while (mr_claim(consumer, 2, 0) > 0) {
        while (mr_next(consumer, &record) == 1)
            ;
        mr_ack(consumer);
    }
    step_end();
}

/* Nothing but what is given back waits for the survivors: they have to find it, though nothing else makes them look. */
static void prepare_give_back_last(struct world *w)
{
    world_join(w, 0, 0);
    world_join(w, 1, 0);
    world_send(w, 3);
    world_take(w, 0, 2);
    world_take(w, 1, 3);
}
static void give_back(struct world *w)
{
    attach_consumer(w, "g", 1000);
    world_must(mr_claim(consumer, 3, 0) > 0, "claim");
    next(1);
    step_begin();
    int error = mr_give_back(consumer);
    step_end();
    world_must(error == 0, "give back");
}
static void fail(struct world *w)
{
    attach_consumer(w, "g", 1000);
    world_must(mr_claim(consumer, 2, 0) > 0, "claim");
    next(1);
    step_begin();
    int dead = mr_fail(consumer, "test");
    step_end();
    world_must(dead == 0, "fail a record");
}
static void prepare_dead_letter(struct world *w)
{
    world_join(w, 0, 0);
    world_send(w, 4);
    dead_member(w, 2, 1, 1);
    w->state[0][0] = MAY_ACK;
    w->other = "t.dead";
    /* the topic for dead letters is there already; making it is a scenario of its own */
    struct mr_settings settings = w->settings;
    world_must(mr_topic_make(w->bus, "t.dead", &settings) == 0, "make the dead-letter topic");
}
static void dead_letter(struct world *w)
{
    attach_consumer(w, "g", 1);
    step_begin();
    ssize_t n = mr_claim(consumer, 2, 0);
    step_end();
    world_must(n > 0, "claim");
}

/* Acknowledged with records in another topic, in one step. */
static void prepare_ack_with(struct world *w)
{
    world_join(w, 0, 0);
    world_send(w, 12);
    for (unsigned id = 0; id < 3; id++)
        w->state[0][id] = MAY_ACK;
    w->other = "other";
    world_must(mr_topic_make(w->bus, "other", &w->settings) == 0, "make the other topic");
}
static void ack_with(struct world *w)
{
    static unsigned char buf[3][1024];
    static struct mr_message msgs[3];
    struct mr_topic *other;
    attach_consumer(w, "g", 1000);
    world_must(mr_topic_open(bus, "other", &other) == 0 && mr_producer_open(other, NULL, &producer) == 0, "open the other topic");
    world_must(mr_claim(consumer, 4, 0) >= 3, "claim");
    next(3);
    for (unsigned id = 0; id < 3; id++)
        world_fill(w, &msgs[id], buf[id], id);
    step_begin();
    int error = mr_ack_with(consumer, producer, msgs, 3, 1000000000);
    step_end();
    world_must(error == 0, "acknowledge with records");
}

/* Somebody died between the two halves: whoever takes the claim over finds that the records have arrived, and dies meanwhile. */
static void prepare_settle(struct world *w)
{
    prepare_ack_with(w);
    pid_t pid = fork();
    if (pid == 0) {
        unsigned char buf[3][1024];
        struct mr_message msgs[3];
        struct mr_topic *other;
        attach_consumer(w, "g", 1000);
        if (mr_topic_open(bus, "other", &other) || mr_producer_open(other, NULL, &producer) || mr_claim(consumer, 4, 0) < 3)
            _exit(1);
        struct mr_member_shm *slot = mr_consumer_slot(consumer);
        uint64_t cursor = load(&slot->cursor);
        next(3);
        for (unsigned id = 0; id < 3; id++)
            world_fill(w, &msgs[id], buf[id], id);
        if (mr_ack_with(consumer, producer, msgs, 3, 0))
            _exit(2);
        atomic_store(&slot->moving, load(&slot->cursor));
        atomic_store(&slot->cursor, cursor); /* as it was before */
        _exit(0);
    }
    int status;
    world_must(waitpid(pid, &status, 0) == pid && status == 0, "have a member die");
    mr_topic_reap_dead(w->topic);
}
static void settle(struct world *w)
{
    attach_consumer(w, "g", 1000);
    step_begin();
    ssize_t n = mr_claim(consumer, 2, 0);
    step_end();
    world_must(n > 0, "claim");
}

static void wait_for_records(struct world *w)
{
    attach_consumer(w, "g", 1000);
    step_begin();
    ssize_t n = mr_claim(consumer, 1, 5000000000);
    step_end();
    world_must(n > 0, "claim");
}
static void prepare_wait(struct world *w)
{
    world_join(w, 0, 0);
    world_send(w, 2);
    world_take(w, 0, 2);
    w->add = 1; /* by a survivor, when the child sleeps */
}
static int wake_with_record(struct world *w)
{
    unsigned char buf[2048];
    struct mr_message msg;
    world_fill(w, &msg, buf, w->sent);
    if (w->add == 0)
        return 0; /* done already */
    world_must(mr_append(w->producer, &msg, 1, 0) == 1, "wake the child");
    w->sent++;
    w->add = 0;
    return 0;
}

const struct scenario record_scenarios[] = {
    {.name = "append one", .prepare = prepare_append_one, .child = append_one},
    {.name = "append a batch", .prepare = prepare_append_batch, .child = append_batch},
    {.name = "append past the ring's end", .prepare = prepare_append_wrap, .child = append_wrap},
    {.name = "append into a full topic", .prepare = prepare_append_full, .child = append_full},
    {.name = "append with sleepers", .prepare = prepare_append_sleeper, .child = append_one},
    {.name = "append across an index step", .prepare = prepare_append_index, .child = append_index, .settings = large},
    {.name = "append, dropping the oldest", .prepare = prepare_append_dropping, .child = append_dropping, .settings = dropping},
    {.name = "append to a bounded buffer", .prepare = prepare_append_bounded, .child = append_bounded, .settings = bounded},
    {.name = "append to three partitions", .prepare = prepare_append_partitions, .child = append_partitions, .settings = three_partitions},
    {.name = "append from a source", .prepare = prepare_append_from, .child = append_from},
    {.name = "wait for the acknowledgements", .prepare = prepare_join, .child = append_and_join, .asleep = acknowledge_for_child},
    {.name = "claim", .prepare = some_records, .child = claim},
    {.name = "claim, ordered group", .prepare = prepare_claim_ordered, .child = claim},
    {.name = "claim an orphan", .prepare = prepare_claim_orphan, .child = claim},
    {.name = "claim an orphan, one in hand", .prepare = prepare_claim_blamed, .child = claim},
    {.name = "take all, an orphan first", .prepare = prepare_claim_past_blamed, .child = claim_past_blamed},
    {.name = "acknowledge a part", .prepare = prepare_ack_part, .child = ack_part},
    {.name = "acknowledge all, producer waits", .prepare = prepare_ack_all, .child = ack_all},
    {.name = "give back", .prepare = some_records, .child = give_back},
    {.name = "give back the last", .prepare = prepare_give_back_last, .child = give_back},
    {.name = "fail a record", .prepare = some_records, .child = fail},
    {.name = "move to the dead letters", .prepare = prepare_dead_letter, .child = dead_letter},
    {.name = "acknowledge with records elsewhere", .prepare = prepare_ack_with, .child = ack_with},
    {.name = "take over what was on its way", .prepare = prepare_settle, .child = settle},
    {.name = "wait and be woken", .prepare = prepare_wait, .child = wait_for_records, .asleep = wake_with_record},
};
const size_t record_scenario_cnt = sizeof record_scenarios / sizeof *record_scenarios;
