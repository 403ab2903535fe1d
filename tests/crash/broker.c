/* broker.c - what brokers do, killed meanwhile: adopt, bury, create, stop, clean, redrive. */
#include "broker/commands.h"
#include "broker/supervise.h"
#include "child.h"
#include "cli/program.h"
#include "core/append.h"
#include "core/producer.h"
#include "core/segment.h"
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct supervision *keep;
static int epoll, held_up;

/* What it says is not for the test's reader. */
static void be_quiet(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    child_must(null >= 0 && dup2(null, 1) == 1 && (getenv("CRASH_VERBOSE") || dup2(null, 2) == 2),
               "be quiet");
    epoll = epoll_create1(EPOLL_CLOEXEC);
}

static int serve(struct world *w)
{
    static const struct mr_connect_options options = {.name = "broker", .stop = &child_gives_up};
    int error = mr_bus_serve(w->bus_name, 0, (gid_t)-1, &options, &bus);
    return error ? error : supervise_open(bus, epoll, 0, 16, &held_up, &keep);
}

/* ---- adopting and burying ---- */

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
static void prepare_dead(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 6);
    world_death(w, die_attached, 0);
}
static void adopt(struct world *w)
{
    be_quiet();
    begin();
    int error = serve(w);
    end(error);
}
static void prepare_living(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 6);
}
static void bury(struct world *w)
{
    be_quiet();
    child_must(serve(w) == 0, "serve");
    pid_t pid = fork();
    if (pid == 0) {
        bus = NULL;
        die_attached(w);
        _exit(0);
    }
    int status;
    child_must(waitpid(pid, &status, 0) == pid && status == 0, "have a client die");
    begin();
    supervise_topics(keep);
    for (uint32_t slot = 0; slot < 6; slot++)
        supervise_client(keep, slot, 0);
    end(0);
}

/* ---- creating ---- */

static void create(struct world *w)
{
    be_quiet();
    child_must(serve(w) == 0, "serve");
    begin();
    int error = mr_topic_create_segment(bus, "made", &w->settings);
    if (!error)
        supervise_topic(keep, "made");
    end(error);
}
/* It is there or not; if it is, it works. */
static int made_works(struct world *w)
{
    struct mr_topic *made;
    struct mr_producer *to = NULL;
    struct mr_consumer *from = NULL;
    struct mr_message message = {.value = "x", .value_len = 1, .partition = MR_PARTITION(0)};
    struct mr_record record;
    int error = mr_topic_open(w->bus, "made", &made);
    if (error == -ENOENT && !w->completed)
        return 0;
    if (!error) {
        error = mr_producer_open(made, NULL, &to);
        if (!error)
            error = mr_consumer_open(made, NULL, &from);
        if (!error)
            error = mr_producer_append(to, &message, 1, 0) == 1 &&
                            mr_consumer_claim(from, 0, 0) == 1 &&
                            mr_consumer_next(from, &record) == 1
                        ? mr_consumer_ack(from)
                        : -EBADMSG;
        mr_consumer_close(from);
        mr_producer_close(to);
        mr_topic_close(made);
    }
    return error ? world_fail(w, "the topic that was made does not work: %s", strerror(-error)) : 0;
}

/* ---- stopping ---- */

static void stop(struct world *w)
{
    be_quiet();
    child_must(serve(w) == 0, "serve");
    begin();
    int error = 0;
    if (supervise_finish(keep) == 0)
        error = mr_bus_remove(w->bus_name);
    supervise_close(keep);
    mr_bus_disconnect(bus);
    bus = NULL;
    end(error);
}
static void prepare_finished(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 3);
    world_take(w, T, 0, 3);
    w->may_end = 1;
}
/* Another broker goes on, and who waits on its bus is not told that it is gone. */
static int serves_again(struct world *w)
{
    struct mr_bus *again, *client;
    uint32_t seen = 0;
    int error = mr_bus_serve(w->bus_name, 0600, (gid_t)-1, NULL, &again);
    if (error)
        return world_fail(w, "no other broker can serve: %s", strerror(-error));
    error = mr_bus_connect(w->bus_name, NULL, &client);
    if (!error) {
        do
            error = mr_bus_wait_change(client, &seen, 0);
        while (error == 0);
        mr_bus_disconnect(client);
    }
    mr_bus_disconnect(again);
    return error == -ETIMEDOUT
               ? 0
               : world_fail(w, "a client of the next broker is told: %s", strerror(-error));
}

/* ---- cleaning: no client is attached when it begins ---- */

static void prepare_left(struct world *w)
{
    prepare_finished(w);
    w->may_end = 0;
    world_leave(w);
}
static void prepare_left_owing(struct world *w)
{
    prepare_living(w);
    world_leave(w);
}
static void clean(struct world *w)
{
    be_quiet();
    struct command_line line = {.bus = w->bus_name, .bus_named = 1};
    begin();
    int status = command_clean(&line);
    end(status == EXIT_OK ? 0 : child_gives_up ? -EINTR : -EIO);
}
static void come_back(struct world *w)
{
    struct shelf *shelf = &w->shelf[T];
    struct mr_consumer_options options = {.group = "g", .tries = 1000};
    if (w->bus)
        return;
    if (world_connect(w) == -ENOENT || mr_topic_open(w->bus, "t", &shelf->topic) < 0) {
        for (unsigned id = 0; id < w->sent; id++) /* it may go if nothing is owed */
            if (shelf->place[0].fate[id] != GONE)
                return;
        w->may_end = 1;
        return;
    }
    world_must(mr_producer_open(shelf->topic, NULL, &shelf->producer) == 0, "open a producer");
    world_must(mr_consumer_open(shelf->topic, &options, &shelf->place[0].consumer) == 0, "join");
    shelf->place[0].consumer->spin_ns = 0;
    shelf->sent = 0;
    w->counts_lost = 1;
}
/* While it stands still, maybe with a lock in hand, they try to come back. Is one more record
 * accepted, then it is owed. */
static void come_and_append(struct world *w)
{
    struct shelf *shelf = &w->shelf[T];
    struct mr_consumer_options options = {.group = "g", .tries = 1000};
    unsigned char buf[2048];
    struct mr_message message;
    child_gives_up = survivors_stop = 1;
    int here = world_connect(w) == 0 && mr_topic_open(w->bus, "t", &shelf->topic) == 0 &&
               mr_producer_open(shelf->topic, NULL, &shelf->producer) == 0 &&
               mr_consumer_open(shelf->topic, &options, &shelf->place[0].consumer) == 0;
    world_fill(w, &message, buf, w->sent);
    if (here && mr_producer_append(shelf->producer, &message, 1, 0) == 1) {
        world_note(shelf, w->sent++, MUST);
        shelf->place[0].consumer->spin_ns = 0;
        shelf->sent = 1;
        w->counts_lost = 1;
    } else {
        world_leave(w);
    }
    child_gives_up = survivors_stop = 0;
}

/* ---- redriving ---- */

static void prepare_redrive(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 2);
    world_shelf(w, DEAD, "redrive");
    world_send(w, DEAD, 3);
    w->moves = 1;
    w->moved_by_another = 1; /* the survivors are of its group, and may take some themselves */
    w->counts_lost = 1;
}
static void redrives_all(struct world *w)
{
    for (unsigned id = 0; id < w->sent; id++)
        if (w->shelf[DEAD].place[0].fate[id] == MUST)
            world_moves(w, DEAD, T, id);
}
static void redrive(struct world *w)
{
    static char name[] = "t";
    char *operands[] = {name, NULL};
    be_quiet();
    struct command_line line = {
        .bus = w->bus_name, .bus_named = 1, .operand_cnt = 1, .operands = operands};
    begin();
    int status = command_redrive(&line);
    end(status == EXIT_OK ? 0 : child_gives_up ? -EINTR : -EIO);
}

/* ---- dead letters that cannot be buried, and moves whose target is gone ---- */

static void die_first_in_hand(struct world *w)
{
    attach_consumer(w, "g", 1000);
    child_must(mr_consumer_claim(consumer, 2, 0) > 0, "claim");
    next(1);
}
static void prepare_refused(struct world *w)
{
    world_join(w, T, "g", 0);
    world_send(w, T, 4);
    world_shelf(w, DEAD, NULL);
    world_must(mr_topic_seal(w->shelf[DEAD].topic) == 0, "seal");
    mr_producer_close(w->shelf[DEAD].producer);
    w->shelf[DEAD].producer = NULL;
    world_death(w, die_first_in_hand, 1);
}
/* The record that cannot be buried waits; what is behind it goes on. */
static void all_but_first(struct world *w)
{
    struct place *g = &w->shelf[T].place[0];
    for (unsigned id = 1; id < w->sent; id++)
        if (g->fate[id] == MUST)
            g->fate[id] = g->after[id] = MAY_GO;
}
static void go_past(struct world *w)
{
    attach_consumer(w, "g", 1);
    struct mr_record record;
    unsigned got = 0;
    begin();
    for (int i = 0; i < 8 && mr_consumer_claim(consumer, 0, 0) > 0; i++) {
        while (mr_consumer_next(consumer, &record) == 1)
            got++;
        mr_consumer_ack(consumer);
    }
    end(got ? 0 : -ENOTRECOVERABLE);
}

static void open_both(void)
{
    struct mr_topic *other;
    child_must(mr_topic_open(bus, "other", &other) == 0, "open the other topic");
    child_must(mr_producer_open(other, NULL, &producer) == 0, "open a producer of the other topic");
}
static void die_moving(struct world *w)
{
    static unsigned char buf[1024];
    struct mr_message message;
    attach_consumer(w, "g", 1000);
    open_both();
    child_must(mr_consumer_claim(consumer, 4, 0) > 0, "claim");
    next(1);
    struct mr_member_shm *slot = mr_consumer_slot(consumer);
    uint64_t cursor = load(&slot->cursor);
    world_fill(w, &message, buf, 0);
    child_must(mr_consumer_ack_with(consumer, producer, &message, 1, 0) == 0, "acknowledge");
    atomic_store(&mr_producer_topic(producer)->producers[mr_producer_slot(producer)].asked,
                 topic->shm->created_ns);
    atomic_store(&slot->moving, load(&slot->cursor));
    atomic_store(&slot->cursor, cursor);
}
/* The target of a move is deleted, so it cannot be known whether it arrived; beside it lies a file
 * that is no topic of ours. */
static void prepare_target_gone(struct world *w)
{
    char path[MR_PATH_MAX + 16];
    world_join(w, T, "g", 0);
    world_send(w, T, 6);
    world_shelf(w, OTHER, "o");
    world_death(w, die_moving, 1);
    world_must(mr_topic_delete(w->shelf[OTHER].topic, MR_DELETE_ANYWAY) == 0,
               "delete the other topic");
    mr_consumer_close(w->shelf[OTHER].place[0].consumer);
    mr_producer_close(w->shelf[OTHER].producer);
    mr_topic_close(w->shelf[OTHER].topic);
    w->shelf[OTHER] = (struct shelf){0};
    snprintf(path, sizeof path, "/dev/shm/millrace.%ld.%s.x", (long)geteuid(), w->bus_name);
    world_must(mkfifo(path, 0600) == 0, "make a file of another kind");
    if (geteuid() == 0)
        world_must(chown(path, 65534, 65534) == 0, "give it to another user");
}
static void take_over(struct world *w)
{
    attach_consumer(w, "g", 1000);
    begin();
    ssize_t n = mr_consumer_claim(consumer, 2, 0);
    end(n > 0 ? 0 : n);
}

/* ---- a private group's name cannot be joined ---- */

static void prepare_private(struct world *w)
{
    world_join(w, T, "g", 0);
    world_join(w, T, "private", MR_PRIVATE);
    world_send(w, T, 6);
}
static void join_by_name(struct world *w)
{
    char name[MR_GROUP_NAME_MAX + 1] = "";
    attach(w);
    for (uint32_t g = 0; g < topic->group_cnt; g++)
        if (load(&topic->groups[g].serial) && (load(&topic->groups[g].flags) & MR_PRIVATE))
            mr_words_load(topic->groups[g].name, sizeof name / 8, name);
    struct mr_consumer_options options = {.group = name};
    begin();
    int error = *name ? mr_consumer_open(topic, &options, &consumer) : -EINVAL;
    if (!error)
        mr_consumer_close(consumer);
    consumer = NULL;
    end(error);
}

const struct operation broker_operations[] = {
    {.name = "broker: adopts", .prepare = prepare_dead, .child = adopt},
    {.name = "broker: buries", .prepare = prepare_living, .child = bury},
    {.name = "broker: creates", .prepare = some_records, .child = create, .check = made_works},
    {.name = "broker: stops, records are owed",
     .prepare = prepare_living,
     .child = stop,
     .check = serves_again,
     .flags = OP_ENDS},
    {.name = "broker: stops, nothing is owed",
     .prepare = prepare_finished,
     .child = stop,
     .check = serves_again,
     .flags = OP_ENDS},
    {.name = "broker: cleans, records are owed",
     .prepare = prepare_left_owing,
     .child = clean,
     .meanwhile = come_and_append,
     .back = come_back,
     .flags = OP_ALONE},
    {.name = "broker: cleans, nothing is owed",
     .prepare = prepare_left,
     .child = clean,
     .meanwhile = come_and_append,
     .back = come_back,
     .flags = OP_ALONE},
    {.name = "broker: redrives",
     .prepare = prepare_redrive,
     .staged = redrives_all,
     .child = redrive},
    {.name = "go past what cannot be buried",
     .prepare = prepare_refused,
     .staged = all_but_first,
     .child = go_past,
     .flags = OP_ONCE | OP_TAKES_ALL},
    {.name = "take over, the target is gone", .prepare = prepare_target_gone, .child = take_over},
    {.name = "join by a private group's name",
     .prepare = prepare_private,
     .child = join_by_name,
     .flags = OP_MAY_FAIL},
};
const size_t broker_operation_cnt = sizeof broker_operations / sizeof *broker_operations;
