/* lives.c - what is killed while it comes or goes, or makes, ends or cleans up a topic or a bus. */
#include "broker/keep.h"
#include "child.h"
#include "common/program.h"
#include "common/segment.h"
#include "step.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

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
/* What `broker clean` does with a bus that nobody serves: its topics, then itself. Whenever it is killed, another clean finishes. */
static char left_bus[MR_BUS_NAME_MAX + 1];
static int clean_left_bus(void)
{
    struct mr_bus *left;
    struct mr_topic *there;
    int error = mr_bus_serve(left_bus, 0, (gid_t)-1, NULL, &left);
    if (error)
        return error;
    error = mr_topic_open(left, "t", &there);
    if (!error) {
        mr_topic_reap_dead(there);
        error = mr_topic_delete(there, MR_DELETE_ANYWAY);
        mr_topic_close(there);
    }
    if (!error || error == -ENOENT)
        error = mr_bus_remove(left_bus);
    mr_disconnect(left);
    return error;
}
static void prepare_clean(struct world *w)
{
    struct mr_bus *left;
    some_records(w);
    snprintf(left_bus, sizeof left_bus, "%s-left", mr_bus_name(w->bus));
    world_must(mr_bus_serve(left_bus, 0600, (gid_t)-1, NULL, &left) == 0, "make a bus");
    mr_topic_unlink(left_bus, "t");
    world_must(mr_topic_make(left, "t", &w->settings) == 0, "make a topic");
    mr_disconnect(left);
}
static void clean(struct world *w)
{
    (void)w;
    step_begin();
    int error = clean_left_bus();
    step_end();
    world_must(error == 0, "clean");
}
static int cleaned(struct world *w)
{
    char path[MR_PATH_MAX], **names;
    int error = clean_left_bus();
    mr_segment_name(path, geteuid(), left_bus, "");
    ssize_t n = mr_segment_list(path + 1, &names);
    if (n >= 0)
        free(names);
    struct mr_bus *left;
    int gone = mr_connect(left_bus, NULL, &left);
    if (error || n != 0 || gone != -ENOENT) {
        snprintf(w->error, sizeof w->error, "another clean: %s, leaves %zd topics, then connect: %s", strerror(-error), n, strerror(-gone));
        return -1;
    }
    return 0;
}
/* What a broker does when it begins, and at each death: topics are opened, dead clients buried. (All of mr_keep_open would be 2,047 times the same.)
 * 100,000 instructions, most of them in the C library's readdir and qsort. */
static void broker_looks(struct world *w)
{
    attach(w);
    struct mr_keep *keep;
    int held_up, epoll = epoll_create1(EPOLL_CLOEXEC);
    mr_program_quiet = 1;
    world_must(mr_keep_open(bus, epoll, 0, 16, &held_up, &keep) == 0, "adopt the bus");
    signal(SIGCHLD, SIG_IGN); /* neither signals nor sleep before step_begin: that is how the stepper is told to stop */
    pid_t pid = fork();
    if (pid == 0) {
        attach_consumer(w, "g", 1000);
        if (mr_claim(consumer, 2, 0) > 0 && mr_producer_open(topic, NULL, &producer) == 0)
            mr_topic_make(bus, "made", &w->settings);
        _exit(0);
    }
    while (kill(pid, 0) == 0)
        sched_yield();
    struct mr_topic *made;
    world_must(mr_topic_open(bus, "made", &made) == 0, "have a client die");
    mr_topic_close(made);
    step_begin();
    mr_keep_topics(keep);
    for (uint32_t slot = 0; slot < 4; slot++)
        mr_keep_client(keep, slot, 0);
    step_end();
}

static void set_columns(struct world *w)
{
    attach(w);
    step_begin();
    int error = mr_topic_set_columns(topic, "a,b,c", 5, 0);
    step_end();
    world_must(error == 0, "set columns");
}

const struct scenario life_scenarios[] = {
    /* The longest first: taken last, it would leave one process at work when the others are done. */
    {.name = "a broker adopts and buries", .prepare = some_records, .child = broker_looks},
    {.name = "join, a new group", .prepare = some_records, .child = join_new},
    {.name = "join, a known group", .prepare = some_records, .child = join_known},
    {.name = "leave, holding records", .prepare = some_records, .child = leave_holding},
    {.name = "a private group, made and left", .prepare = some_records, .child = private_group},
    {.name = "attach and detach a producer", .prepare = some_records, .child = produce_and_leave},
    {.name = "clean up after another's death", .prepare = prepare_reap, .child = reap},
    {.name = "connect and disconnect", .prepare = some_records, .child = connect_and_leave},
    {.name = "seal", .prepare = prepare_end, .child = seal},
    {.name = "purge", .prepare = prepare_end, .child = purge},
    {.name = "delete", .prepare = prepare_end, .child = delete},
    {.name = "delete if finished (it is not)", .prepare = some_records, .child = delete_finished},
    {.name = "make a topic", .prepare = some_records, .child = make},
    {.name = "clean a bus that is left", .prepare = prepare_clean, .child = clean, .check = cleaned},
    {.name = "set the columns", .prepare = some_records, .child = set_columns},
};
const size_t life_scenario_cnt = sizeof life_scenarios / sizeof *life_scenarios;
