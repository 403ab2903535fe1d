/* scenes_broker.c - the broker, which serves the survivors' bus or one of its own. */
#include "scenes.h"

#include "core/client.h"
#include "core/lifecycle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void end_helpers(struct act *act)
{
    for (int i = 0; i < 2; i++)
        if (act->helpers[i] > 0) {
            kill(act->helpers[i], SIGKILL);
            waitpid(act->helpers[i], NULL, 0);
            act->helpers[i] = 0;
        }
}

/* ---- of the survivors' bus: it adopts, buries and creates ---- */

int prepare_serving(struct act *act)
{
    struct world *w = act->w;
    world_broker_kill(w);
    act_arg(act, "%s/broker", w->bin);
    act_arg(act, "-q");
    act_arg(act, "-b");
    act_arg(act, "%s", w->bus_name);
    return 0;
}

/* A member that takes a record and dies of it, to be buried. */
static void bereave(struct act *act)
{
    if ((act->helpers[0] = fork()) == 0) {
        struct mr_bus *bus;
        struct mr_topic *topic;
        struct mr_consumer *consumer;
        struct mr_producer *producer;
        struct mr_record r;
        struct mr_consumer_options options = {.group = "shared"}, private = {.flags = MR_PRIVATE};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (mr_bus_connect(act->w->bus_name, NULL, &bus) == 0 &&
            mr_topic_open(bus, "t", &topic) == 0 && mr_producer_open(topic, NULL, &producer) == 0 &&
            mr_consumer_open(topic, &private, &consumer) == 0 &&
            mr_consumer_open(topic, &options, &consumer) == 0 &&
            mr_consumer_claim(consumer, 0, 0) > 0)
            mr_consumer_next(consumer, &r);
        raise(SIGKILL);
    }
}

static void ask_for_topic(struct act *act)
{
    if ((act->helpers[1] = fork()) == 0) {
        struct mr_settings settings = {.size_bytes = 4096};
        struct mr_bus *bus;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (mr_bus_connect(act->w->bus_name, NULL, &bus) == 0)
            mr_topic_create(bus, "c", &settings, 0);
        _exit(0);
    }
}

int asleep_serving(struct act *act, unsigned turn)
{
    if (turn < 2) /* it may be about to do something yet */
        return 1;
    unsigned step = act->turns++;
    if (step == 0)
        bereave(act);
    else if (step == 1)
        ask_for_topic(act);
    return step < 5;
}

int dead_serving(struct act *act)
{
    struct world *w = act->w;
    struct mr_topic *created;
    end_helpers(act);
    if (act->end == KILLED && act_status(act) != -1)
        return bad(w, "the broker ended: exit status %d", act_status(act));
    if ((w->with_broker || chance(w, 50)) && world_broker_start(w) < 0)
        return -1;
    int error = mr_topic_open(w->bus, "c", &created);
    if (error && error != -ENOENT)
        return bad(w, "topic c: %s", strerror(-error));
    if (!error) {
        error = mr_topic_delete(created, MR_DELETE_ANYWAY);
        mr_topic_close(created);
        if (error)
            return bad(w, "topic c: delete: %s", strerror(-error));
    }
    if (!w->with_broker)
        world_broker_kill(w);
    return 0;
}

/* ---- of a bus of its own, from its start to its stop ---- */

static void other_bus(struct act *act)
{
    snprintf(act->other_bus, sizeof act->other_bus, "%.29s-x", act->w->bus_name);
}

/* Appends 3 records to topic y of the other bus. Returns 0 if they are in. */
static int put_three(const char *bus_name)
{
    struct mr_bus *bus;
    struct mr_topic *topic;
    struct mr_producer *producer;
    struct mr_message msg = {.value = "v", .value_len = 1};
    int sent = 0;
    if (mr_bus_connect(bus_name, NULL, &bus))
        return 1;
    if (mr_topic_open(bus, "y", &topic) == 0) {
        if (mr_producer_open(topic, NULL, &producer) == 0) {
            while (sent < 3 && mr_producer_append(producer, &msg, 1, 0) == 1)
                sent++;
            mr_producer_close(producer);
        }
        mr_topic_close(topic);
    }
    mr_bus_disconnect(bus);
    return sent == 3 ? 0 : 1;
}

int prepare_life(struct act *act)
{
    other_bus(act);
    act_arg(act, "%s/broker", act->w->bin);
    act_arg(act, "-q");
    act_arg(act, "-b");
    act_arg(act, "%s", act->other_bus);
    act_arg(act, "-t");
    act_arg(act, "x,size=4k");
    act_arg(act, "-t");
    act_arg(act, "y,size=4k");
    return 0;
}

int asleep_life(struct act *act, unsigned turn)
{
    int status;
    if (turn < 2)
        return 1;
    if (act->helpers[0] > 0 && waitpid(act->helpers[0], &status, WNOHANG) == act->helpers[0]) {
        act->came[0] = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        act->helpers[0] = 0;
        kill(act->run.pid, SIGTERM);
        return 1;
    }
    if (act->turns++ == 0 && (act->helpers[0] = fork()) == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(put_three(act->other_bus));
    }
    return act->turns < 100;
}

/* y has what was put into it. */
static int check_y(struct act *act, struct mr_bus *bus)
{
    struct mr_topic *topic;
    struct mr_topic_info info = {0};
    int error = mr_topic_open(bus, "y", &topic);
    if (error && act->came[0])
        return bad(act->w, "topic y, with 3 records: %s", strerror(-error));
    if (error)
        return 0;
    mr_topic_info(topic, &info);
    mr_topic_close(topic);
    if (act->came[0] && info.records_waiting != 3)
        return bad(act->w, "topic y has %llu records instead of 3",
                   (unsigned long long)info.records_waiting);
    return 0;
}

int dead_life(struct act *act)
{
    struct world *w = act->w;
    struct mr_bus *bus;
    uint32_t seen = 0;
    int status = act_status(act);
    end_helpers(act);
    if (act->end != KILLED && status != 0 && status != 143) /* told to stop before it listened */
        return bad(w, "the broker ended: exit status %d", status);
    pid_t next = broker_start(w, act->other_bus);
    if (next < 0)
        return -1;
    int error = mr_bus_connect(act->other_bus, NULL, &bus), wrong = error;
    if (error) {
        bad(w, "the next broker's bus: %s", strerror(-error));
    } else {
        wrong = check_y(act, bus);
        mr_bus_wait_change(bus, &seen, 0);
        error = mr_bus_wait_change(bus, &seen, 0);
        if (error != -ETIMEDOUT)
            wrong = bad(w, "the next broker's bus is not to be waited for: %s", strerror(-error));
        mr_bus_disconnect(bus);
    }
    kill(next, SIGTERM);
    status = 0;
    for (int i = 0; i < BOUND_S * 1000 && waitpid(next, &status, WNOHANG) != next; i++) {
        usleep(1000); /* sleep:ok it may write what it kept */
        if (i == BOUND_S * 1000 - 1) {
            kill(next, SIGKILL);
            waitpid(next, NULL, 0);
            wrong = bad(w, "the next broker does not stop");
        }
    }
    if (!wrong && status)
        wrong = bad(w, "the next broker ends with %#x", (unsigned)status);
    remove_bus(act->other_bus);
    return wrong ? -1 : 0;
}

/* ---- what a dead broker has left is removed ---- */

int line_of_clean(struct act *act, const char *line, size_t len)
{
    (void)act;
    (void)line;
    (void)len;
    return 0; /* a table */
}

int prepare_clean(struct act *act)
{
    struct world *w = act->w;
    struct mr_settings settings = {
        .size_bytes = 4096, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    struct mr_connect_options options = {.name = "left"};
    struct mr_bus *bus;
    other_bus(act);
    int error = mr_bus_serve(act->other_bus, 0600, (gid_t)-1, &options, &bus);
    if (error)
        return bad(w, "another bus: %s", strerror(-error));
    error = mr_topic_create_segment(bus, "x", &settings);
    if (!error)
        error = mr_topic_create_segment(bus, "y", &settings);
    mr_bus_disconnect(bus);
    if (error || put_three(act->other_bus))
        return bad(w, "topics of another bus: %s", strerror(-error));
    act->came[0] = 1;
    act_arg(act, "%s/broker", w->bin);
    act_arg(act, "-q");
    act_arg(act, "-b");
    act_arg(act, "%s", act->other_bus);
    act_arg(act, "clean");
    return 0;
}

int dead_clean(struct act *act)
{
    struct world *w = act->w;
    struct mr_topic *topic;
    struct mr_bus *bus;
    int wrong = act_must_end_well(act);
    int status = wrong || act->end == ALONE ? 0 : act_again(act);
    if (status)
        wrong = status < 0 ? -1 : bad(w, "clean, run again: exit status %d", status);
    int error = mr_bus_connect(act->other_bus, NULL, &bus);
    if (error)
        return bad(w, "the bus of a topic that owes something is gone: %s", strerror(-error));
    wrong = wrong || check_y(act, bus) < 0;
    if (mr_topic_open(bus, "x", &topic) != -ENOENT)
        wrong = bad(w, "clean has left a topic that owes nothing");
    mr_bus_disconnect(bus);
    remove_bus(act->other_bus);
    return wrong ? -1 : 0;
}
