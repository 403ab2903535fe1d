/* control_commands.c - commands for scripts: wait for a condition, check that the broker
 * answers, end it. */
#include "backlog.h"
#include "cli/program.h"
#include "commands.h"
#include "core/client.h"
#include "core/control.h"
#include "table.h"
#include "text/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS 1000000 /* nanoseconds */

/* How long a broker is waited for that does not answer: one that runs may get hardly any processor
 * time. */
#define ANSWER_NS         (10000 * (int64_t)MS)
#define ANSWER_STOPPED_NS (2000 * (int64_t)MS)
#define ANSWER_STEP_NS    (100 * (int64_t)MS) /* how often that and signals are looked at */

/* ---- wait ---- */

enum goal_kind { EXISTS, DRAINED, SEALED, CONSUMERS };

struct goal {
    enum goal_kind what;
    uint64_t consumers;
};

static int goal_parse(const char *text, struct goal *goal)
{
    static const char *const words[] = {
        [EXISTS] = "exists", [DRAINED] = "drained", [SEALED] = "sealed"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            *goal = (struct goal){.what = (enum goal_kind)i};
            return 0;
        }
    *goal = (struct goal){.what = CONSUMERS};
    return strncmp(text, "consumers=", 10) == 0 ? text_count(text + 10, &goal->consumers) : -EINVAL;
}

/* Drained: a producer has attached (a script may have started one in the background that is not
 * there yet), all have left, and every group has acknowledged everything. */
static int drained(const struct mr_topic_info *info)
{
    int came = info->records_in > 0 || info->producers_done > 0 || info->producers_died > 0 ||
               info->sealed;
    return came && info->producers == 0 && info->records_waiting == 0;
}

/* Connects anew each time: bus and topic may have been removed and created again. */
static int reached(const struct command_line *line, const struct goal *goal, int *error)
{
    struct mr_bus *bus;
    struct mr_topic *topic;
    struct mr_topic_info info = {0};
    int yes = 0;
    *error = mr_bus_connect(line->bus, &(struct mr_connect_options){.flags = MR_OBSERVER}, &bus);
    if (*error)
        return 0;
    *error = mr_topic_open(bus, line->operands[0], &topic);
    if (!*error && goal->what == EXISTS) {
        yes = 1;
        mr_topic_close(topic);
    } else if (!*error) {
        *error = mr_topic_info(topic, &info);
        if (!*error && info.damaged &&
            goal->what == DRAINED) /* records that cannot be read are not drained */
            *error = -EBADMSG;
        if (!*error && !info.deleted)
            yes = goal->what == SEALED    ? info.sealed
                  : goal->what == DRAINED ? drained(&info)
                                          : info.members >= goal->consumers;
        mr_topic_close(topic);
    }
    mr_bus_disconnect(bus);
    return yes;
}

int command_wait(const struct command_line *line)
{
    struct goal goal;
    const char *name = line->operands[0], *wrong = mr_name_check(MR_NAME_TOPIC, name);
    if (wrong)
        return program_usage("%s: bad name of a topic: %s", name, wrong);
    if (!line->wait_for)
        return program_usage("wait: --for is missing; use exists, drained, sealed or consumers=N");
    if (goal_parse(line->wait_for, &goal) < 0)
        return program_usage(
            "wait: --for %s: unknown goal; use exists, drained, sealed or consumers=N",
            line->wait_for);

    uint64_t start_ns = mr_now_ns();
    for (int said = 0;;) {
        int error;
        if (reached(line, &goal, &error))
            return EXIT_OK;
        if (error && error != -ENOENT && error != -EIDRM && error != -EINTR && error != -EAGAIN) {
            program_fail(error, "%s: wait", name);
            return program_exit_for(error);
        }
        int64_t waited_ns = (int64_t)(mr_now_ns() - start_ns);
        if (line->timeout_ns >= 0 && waited_ns >= line->timeout_ns) {
            char text[32];
            program_error("%s: timed out after %s waiting for %s%s", name,
                          text_ns(text, (uint64_t)line->timeout_ns), line->wait_for,
                          error == -ENOENT ? " (no such topic)" : "");
            return EXIT_TIMEOUT;
        }
        if (!said && waited_ns > 500 * MS) {
            program_notice("%s: waiting for \"%s\"%s", name, line->wait_for,
                           error == -ENOENT ? " (no such topic yet)" : "");
            said = 1;
        }
        int64_t nap_ns = 20 * MS;
        if (line->timeout_ns >= 0 && line->timeout_ns - waited_ns < nap_ns)
            nap_ns = line->timeout_ns - waited_ns;
        if (program_sleep(nap_ns) < 0)
            return program_exit_for(-EINTR);
    }
}

/* ---- ping, stop ---- */

static int ask(const struct command_line *line, enum mr_control_op op, struct mr_control_msg *reply)
{
    struct mr_control_msg request = {.op = op};
    uid_t owner;
    const char *name;
    int error = mr_bus_address(line->bus, &owner, &name), fd = -1, said = 0;
    uint64_t start_ns = mr_now_ns();

    while (!error) {
        if (fd < 0)
            fd = mr_control_send(owner, name, &request, ANSWER_STEP_NS);
        error = fd < 0 ? fd : mr_control_answer(fd, op, reply, ANSWER_STEP_NS);
        if (error != -ETIMEDOUT)
            break;
        int64_t waited_ns = (int64_t)(mr_now_ns() - start_ns);
        int pid = mr_bus_holder(line->bus);
        if (program_stop)
            error = -EINTR;
        else if (waited_ns < (program_stopped(pid) ? ANSWER_STOPPED_NS : ANSWER_NS))
            error = 0;
        if (!error && !said && pid > 0 && waited_ns >= 500 * MS) {
            program_notice("%s: waiting for the broker, pid %d, to answer", line->bus, pid);
            said = 1;
        }
    }
    if (fd >= 0)
        close(fd);
    return error;
}

static int ask_failed(const struct command_line *line, int error)
{
    if (error == -EINTR)
        return program_exit_for(error);
    int pid = mr_bus_holder(line->bus);
    if (pid < 0) {
        program_bus_fail(pid, line->bus);
        return EXIT_FAILED;
    }
    if (error == -ETIMEDOUT && pid) {
        program_error("%s: the broker, pid %d, does not answer; if it is stopped: kill -CONT %d",
                      line->bus, pid, pid);
        return EXIT_NO_BROKER;
    }
    if (error == -ECONNREFUSED && !pid) {
        struct mr_bus *bus;
        error = mr_bus_connect(line->bus, &(struct mr_connect_options){.flags = MR_OBSERVER}, &bus);
        if (error == 0)
            mr_bus_disconnect(bus);
        program_bus_fail(error ? error : -ENOENT,
                         line->bus); /* it may exist, but be closed to this user */
        return error == -EPERM ? EXIT_FAILED : EXIT_NO_BROKER;
    }
    if (error == -EPERM)
        program_socket_fail(line->bus, line->bus);
    else if (error == -ECONNREFUSED)
        program_error("%s: the broker, pid %d, takes no requests: it is starting or ending, or is "
                      "in another network namespace",
                      line->bus, pid);
    else
        program_fail(error, "%s: ask the broker", line->bus);
    return EXIT_NO_BROKER;
}

int command_ping(const struct command_line *line)
{
    static const struct column columns[] = {{NULL, "bus", 0}, {NULL, "pid", 0}, {NULL, "ns", 0}};
    struct mr_control_msg reply;
    uint64_t start_ns = mr_now_ns();
    int error = ask(line, MR_CONTROL_PING, &reply);
    uint64_t took_ns = mr_now_ns() - start_ns;
    if (error)
        return ask_failed(line, error);
    if (line->json) {
        struct table table;
        table_begin(&table, columns, 3, NULL, 1, 0);
        table_text(&table, line->bus);
        table_count(&table, (uint64_t)reply.pid);
        table_count(&table, took_ns);
        table_end(&table);
    } else {
        printf("pid %" PRId32 ", %.2f ms\n", reply.pid, (double)took_ns / MS);
    }
    return EXIT_OK;
}

static int say_kept(struct mr_topic *topic, void *arg)
{
    const struct command_line *line = arg;
    struct backlog owed;
    int error = backlog_look(topic, &owed);
    if (error)
        program_fail(error, "%s: kept", mr_topic_name(topic));
    else
        program_notice("%s: kept: %s; \"broker -b %s clean --all\" removes it",
                       mr_topic_name(topic), owed.text, line->bus);
    return EXIT_OK;
}

int command_stop(const struct command_line *line)
{
    struct mr_control_msg reply;
    int pid = mr_bus_holder(line->bus);
    int error = ask(line, MR_CONTROL_STOP, &reply);
    if (error == 0)
        pid = reply.pid;
    else if (error != -ECONNREFUSED || pid <= 0)
        return ask_failed(line, error);
    /* Refused while it runs: it is ending, or starting and not listening yet; ask again until it
     * has ended. */
    uint64_t start_ns = mr_now_ns();
    int holder;
    for (int said = 0; (holder = mr_bus_holder(line->bus)) == pid;) {
        if (!said && mr_now_ns() - start_ns > 500 * MS) {
            program_notice("%s: waiting for pid %d to end (it gives consumers up to 5 s)",
                           line->bus, pid);
            said = 1;
        }
        if (program_sleep(10 * MS) < 0)
            return program_exit_for(-EINTR);
        if (error)
            error = ask(line, MR_CONTROL_STOP, &reply);
        if (error && error != -ECONNREFUSED)
            return ask_failed(line, error);
    }
    if (holder < 0) {
        program_fail(holder, "%s: cannot tell whether the broker, pid %d, has ended", line->bus,
                     pid);
        return EXIT_FAILED;
    }
    struct mr_bus *bus;
    if (mr_bus_connect(line->bus, &(struct mr_connect_options){.flags = MR_OBSERVER}, &bus) == 0) {
        if (mr_broker_pid(bus) == 0) {
            struct command_line copy = *line;
            command_each(bus, say_kept, &copy);
        }
        mr_bus_disconnect(bus);
    }
    return EXIT_OK;
}
