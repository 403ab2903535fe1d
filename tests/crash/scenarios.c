/* scenarios.c - the operations that are killed after each instruction, with what is there before. */
#include "step.h"
#include "world.h"

#include "common/append.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the child's side: its own client ---- */

static struct mr_bus *bus;
static struct mr_topic *topic;
static struct mr_producer *producer;
static struct mr_consumer *consumer;

static void attach(struct world *w)
{
    world_must(mr_connect(mr_bus_name(w->bus), NULL, &bus) == 0, "connect");
    world_must(mr_topic_open(bus, "t", &topic) == 0, "open the topic");
}

static void attach_producer(struct world *w)
{
    attach(w);
    world_must(mr_producer_open(topic, NULL, &producer) == 0, "open a producer");
}

static void attach_consumer(struct world *w, const char *group, uint32_t tries)
{
    attach(w);
    struct mr_consumer_options options = {.group = group, .tries = tries};
    world_must(mr_consumer_open(topic, &options, &consumer) == 0, "join");
    consumer->spin_ns = 0; /* it would spin by the clock, and no two traces would be alike */
}

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

static void next(unsigned cnt)
{
    struct mr_record record;
    while (cnt--)
        world_must(mr_next(consumer, &record) == 1, "take a record");
}

/* ---- appending ---- */

static void some_records(struct world *w)
{
    world_join(w, 0, 0);
    world_join(w, 1, 0);
    world_send(w, 6);
    world_take(w, 0, 3);
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

/* ---- claiming and acknowledging ---- */

static void prepare_claim(struct world *w)
{
    some_records(w);
}
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
    w->dead_letters = 1;
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

/* ---- coming and going ---- */

static void join_new(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.group = "new"};
    step_begin();
    int error = mr_consumer_open(topic, &options, &consumer);
    step_end();
    world_must(error == 0, "join");
}
static void join_known(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.group = "g"};
    step_begin();
    int error = mr_consumer_open(topic, &options, &consumer);
    step_end();
    world_must(error == 0, "join");
}
static void prepare_only_h(struct world *w)
{
    world_join(w, 1, 0);
    world_send(w, 5);
}
static void leave_holding(struct world *w)
{
    attach_consumer(w, "g", 1000);
    world_must(mr_claim(consumer, 2, 0) > 0, "claim");
    next(1);
    step_begin();
    mr_consumer_close(consumer);
    step_end();
}
static void private_group(struct world *w)
{
    attach(w);
    struct mr_consumer_options options = {.flags = MR_PRIVATE};
    step_begin();
    int error = mr_consumer_open(topic, &options, &consumer);
    if (!error)
        mr_consumer_close(consumer);
    step_end();
    world_must(error == 0, "join");
}
static void produce_and_leave(struct world *w)
{
    attach(w);
    step_begin();
    int error = mr_producer_open(topic, NULL, &producer);
    mr_producer_close(producer);
    step_end();
    world_must(error == 0, "open a producer");
}
static void reap(struct world *w)
{
    /* a third client died; the child is the one who cleans up, as a new broker that adopts does */
    attach(w);
    step_begin();
    mr_topic_reap_dead(topic);
    step_end();
}
static void prepare_reap(struct world *w)
{
    world_join(w, 0, 0);
    world_send(w, 6);
    pid_t pid = fork();
    if (pid == 0) {
        attach_consumer(w, "g", 1000);
        if (mr_claim(consumer, 3, 0) <= 0 || mr_producer_open(topic, NULL, &producer) < 0)
            _exit(1);
        next(1);
        _exit(0);
    }
    int status;
    world_must(waitpid(pid, &status, 0) == pid && status == 0, "have a client die");
}
static void connect_and_leave(struct world *w)
{
    step_begin();
    int error = mr_connect(mr_bus_name(w->bus), NULL, &bus);
    if (!error)
        mr_disconnect(bus);
    step_end();
    world_must(error == 0, "connect");
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
    step_begin();
    int error = mr_topic_seal(topic);
    step_end();
    world_must(error == 0, "seal");
}
static void purge(struct world *w)
{
    attach(w);
    step_begin();
    ssize_t n = mr_topic_purge(topic);
    step_end();
    world_must(n >= 0, "purge");
}
static void delete(struct world *w)
{
    attach(w);
    step_begin();
    int error = mr_topic_delete(topic, MR_DELETE_ANYWAY);
    step_end();
    world_must(error == 0, "delete");
}
static void delete_finished(struct world *w)
{
    attach(w);
    step_begin();
    int error = mr_topic_delete(topic, MR_DELETE_FINISHED);
    step_end();
    world_must(error == -ENOTEMPTY, "ask whether the topic is finished");
}
static void make(struct world *w)
{
    attach(w);
    step_begin();
    int error = mr_topic_make(bus, "made", &w->settings);
    step_end();
    world_must(error == 0, "make a topic");
}
static void set_columns(struct world *w)
{
    attach(w);
    step_begin();
    int error = mr_topic_set_columns(topic, "a,b,c", 5, 0);
    step_end();
    world_must(error == 0, "set columns");
}

const struct scenario scenarios[] = {
    {"append one", prepare_append_one, NULL, append_one, NULL},
    {"append a batch", prepare_append_batch, NULL, append_batch, NULL},
    {"append past the ring's end", prepare_append_wrap, NULL, append_wrap, NULL},
    {"append into a full topic", prepare_append_full, NULL, append_full, NULL},
    {"append with sleepers", prepare_append_sleeper, NULL, append_one, NULL},
    {"append across an index step", prepare_append_index, large, append_index, NULL},
    {"append, dropping the oldest", prepare_append_dropping, dropping, append_dropping, NULL},
    {"append to a bounded buffer", prepare_append_bounded, bounded, append_bounded, NULL},
    {"append to three partitions", prepare_append_partitions, three_partitions, append_partitions, NULL},
    {"claim", prepare_claim, NULL, claim, NULL},
    {"claim, ordered group", prepare_claim_ordered, NULL, claim, NULL},
    {"claim an orphan", prepare_claim_orphan, NULL, claim, NULL},
    {"claim an orphan, one in hand", prepare_claim_blamed, NULL, claim, NULL},
    {"take all, an orphan first", prepare_claim_past_blamed, NULL, claim_past_blamed, NULL},
    {"acknowledge a part", prepare_ack_part, NULL, ack_part, NULL},
    {"acknowledge all, producer waits", prepare_ack_all, NULL, ack_all, NULL},
    {"give back", prepare_claim, NULL, give_back, NULL},
    {"fail a record", prepare_claim, NULL, fail, NULL},
    {"move to the dead letters", prepare_dead_letter, NULL, dead_letter, NULL},
    {"wait and be woken", prepare_wait, NULL, wait_for_records, wake_with_record},
    {"join, a new group", prepare_claim, NULL, join_new, NULL},
    {"join, a known group", prepare_only_h, NULL, join_known, NULL},
    {"leave, holding records", prepare_claim, NULL, leave_holding, NULL},
    {"a private group, made and left", prepare_claim, NULL, private_group, NULL},
    {"attach and detach a producer", prepare_claim, NULL, produce_and_leave, NULL},
    {"clean up after another's death", prepare_reap, NULL, reap, NULL},
    {"connect and disconnect", prepare_claim, NULL, connect_and_leave, NULL},
    {"seal", prepare_end, NULL, seal, NULL},
    {"purge", prepare_end, NULL, purge, NULL},
    {"delete", prepare_end, NULL, delete, NULL},
    {"delete if finished (it is not)", prepare_claim, NULL, delete_finished, NULL},
    {"make a topic", prepare_claim, NULL, make, NULL},
    {"set the columns", prepare_claim, NULL, set_columns, NULL},
};
const size_t scenario_cnt = sizeof scenarios / sizeof scenarios[0];
