/* clean.c - removes what dead brokers left behind. It holds the serving lock of each bus
 * meanwhile, so that no broker starts. Files are removed by mr_topic_unlink, mr_topic_delete,
 * mr_bus_withdraw and mr_bus_remove alone, whose names all start with "/millrace.<uid>.". */
#include "backlog.h"
#include "cli/program.h"
#include "commands.h"
#include "core/client.h"
#include "core/lifecycle.h"
#include "core/reap.h"
#include "core/segment.h"
#include "table.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cleaning {
    const struct command_line *line;
    struct table table;
    const char *bus;
    size_t left; /* topics of the current bus that stay */
    int status;
};

static void report(struct cleaning *cleaning, const char *topic, int removed, const char *why)
{
    table_text(&cleaning->table,
               removed ? cleaning->line->dry_run ? "would remove" : "removed" : "left");
    table_text(&cleaning->table, cleaning->bus);
    table_text(&cleaning->table, topic);
    table_bool(&cleaning->table, removed);
    table_text(&cleaning->table, why);
    cleaning->left += !removed;
}

/* Reports a removal: error 0 or -ENOENT is success. */
static void removed(struct cleaning *cleaning, const char *topic, int error, const char *why)
{
    if (error && error != -ENOENT) {
        why = mr_strerror(error);
        cleaning->status = EXIT_FAILED;
    }
    report(cleaning, topic, !error || error == -ENOENT, why);
}

/* Reports a segment that could not be inspected: it stays, and the command fails (I13). */
static void undecided(struct cleaning *cleaning, const char *topic, int error)
{
    cleaning->status = EXIT_FAILED;
    program_fail(error, "clean: %s%s%s: left", cleaning->bus, topic ? ": " : "",
                 topic ? topic : "");
    report(cleaning, topic, 0, mr_strerror(error));
}

/* Whether the process has a mapping whose line ends with `end`. Returns 1; 0, also for a process
 * that is gone or another user's; or a negative errno. */
static int maps(const char *pid, const char *end, char **line, size_t *cap)
{
    char path[300];
    size_t end_len = strlen(end);
    int found = 0;
    snprintf(path, sizeof path, "/proc/%s/maps", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : 0;
    errno = 0;
    for (ssize_t len; !found && (len = getline(line, cap, file)) >= 0;)
        found = (size_t)len > end_len && strcmp(*line + (size_t)len - end_len, end) == 0;
    if (!found && errno == ENOMEM)
        found = -ENOMEM;
    fclose(file);
    return found;
}

/* The pid of a process that has a segment mapped, for segments whose table of clients cannot be
 * read. 0: none; or a negative errno. */
static int mapped_by(const char *segment)
{
    char end[MR_PATH_MAX + 16], *line = NULL;
    size_t cap = 0;
    int found = 0, pid = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        return -errno;
    snprintf(end, sizeof end, " /dev/shm%s\n", segment);
    while (!found) {
        errno = 0;
        struct dirent *entry = readdir(proc);
        if (!entry) {
            found = -errno;
            break;
        }
        if (isdigit((unsigned char)entry->d_name[0]))
            found = maps(entry->d_name, end, &line, &cap);
        pid = found > 0 ? atoi(entry->d_name) : 0;
    }
    free(line);
    closedir(proc);
    return found < 0 ? found : pid;
}

/* 1 if the error means that the segment is unusable and may be removed: damaged, of another
 * version, or without its bus. Other errors say nothing about the segment. */
static int beyond_use(int error)
{
    return error == -EBADMSG || error == -EPROTO || error == -EIO || error == -ENOENT;
}

/* A segment that cannot be opened: damaged, of another version, or a topic without its bus. topic
 * NULL: the bus itself. */
static void clean_unreadable(struct cleaning *cleaning, const char *topic, int why)
{
    char name[MR_PATH_MAX], text[300];
    mr_segment_name(name, geteuid(), cleaning->bus, topic);
    if (why == -EREMOTE) { /* processes of another namespace may be invisible here */
        report(cleaning, topic, 0, "it belongs to another pid namespace; clean it there");
        return;
    }
    int pid = beyond_use(why) ? mapped_by(name) : why;
    if (pid < 0) {
        undecided(cleaning, topic, pid);
    } else if (pid) {
        snprintf(text, sizeof text, "pid %d uses it: %s", pid, mr_strerror(why));
        report(cleaning, topic, 0, text);
    } else if (!cleaning->line->all) {
        snprintf(text, sizeof text, "%s; --all removes it", mr_strerror(why));
        report(cleaning, topic, 0, text);
    } else {
        int error = cleaning->line->dry_run ? 0
                    : topic                 ? mr_topic_unlink(cleaning->bus, topic)
                                            : mr_bus_remove(cleaning->bus);
        removed(cleaning, topic, error, mr_strerror(why));
    }
}

/* Reports a topic that stays because of unacknowledged records. */
static void report_owed(struct cleaning *cleaning, const struct mr_topic *topic,
                        const struct backlog *owed)
{
    char text[sizeof owed->text + 32];
    snprintf(text, sizeof text, "%s; --all removes it", owed->text);
    report(cleaning, mr_topic_name(topic), 0, text);
}

/* backlog_look gives the report; deletion checks again in the step that marks the topic, as
 * clients may have attached meanwhile. */
static void clean_open(struct cleaning *cleaning, struct mr_topic *topic)
{
    const char *name = mr_topic_name(topic);
    struct backlog owed;
    int all = cleaning->line->all;
    if (!cleaning->line->dry_run)
        mr_topic_reap_dead(topic); /* so that only live processes count as attached */
    int error = backlog_look(topic, &owed);
    if (error) {
        clean_unreadable(cleaning, name, error);
        return;
    }
    if (cleaning->line->dry_run)
        error = owed.in_use ? -EBUSY : owed.records && !all ? -ENOTEMPTY : 0;
    else
        error = mr_topic_delete(topic, all ? MR_DELETE_UNUSED : MR_DELETE_IDLE);
    int looked = error == -ENOTEMPTY ? backlog_look(topic, &owed) : 0;
    if (looked)
        clean_unreadable(cleaning, name, looked);
    else if (error == -ENOTEMPTY)
        report_owed(cleaning, topic, &owed);
    else if (error == -EBUSY)
        report(cleaning, name, 0, "clients are attached");
    else
        removed(cleaning, name, error == -EIDRM ? 0 : error,
                owed.records ? owed.text : "everything is acknowledged");
}

static void clean_topic(struct cleaning *cleaning, struct mr_bus *bus, const char *name)
{
    struct mr_topic *topic;
    int error = mr_topic_open(bus, name, &topic);
    if (error == -ENOENT || error == -EIDRM)
        return; /* removed meanwhile */
    if (error) {
        clean_unreadable(cleaning, name, error);
        return;
    }
    clean_open(cleaning, topic);
    mr_topic_close(topic);
}

/* The number of other attached clients, or a negative errno. */
static int64_t live_clients(const struct mr_bus *bus)
{
    int64_t n = 0;
    for (uint32_t slot = 0; slot < mr_bus_slots(bus); slot++) {
        uint64_t id = mr_client_id(bus, slot, NULL);
        int alive = id && id != mr_bus_self(bus) ? mr_client_alive(bus, id) : 0;
        if (alive < 0)
            return alive;
        n += alive;
    }
    return n;
}

static void clean_readable(struct cleaning *cleaning, struct mr_bus *bus)
{
    char **names, text[64];
    ssize_t n = mr_bus_topics(bus, &names);
    if (n < 0) {
        undecided(cleaning, NULL, (int)n);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        clean_topic(cleaning, bus, names[i]);
    free(names);
    int64_t clients = live_clients(bus);
    int error = clients < 0 ? (int)clients : clients ? -EBUSY : 0;
    if (!error && !cleaning->left && !cleaning->line->dry_run)
        error = mr_bus_withdraw(bus, 1); /* checks again in the same step */
    if (error == -EBUSY && clients > 0) {
        snprintf(text, sizeof text, "%" PRId64 " client%s attached", clients,
                 clients == 1 ? " is" : "s are");
        report(cleaning, NULL, 0, text);
    } else if (error == -EBUSY) {
        report(cleaning, NULL, 0, "a client has just attached");
    } else if (error && error != -ENOENT) {
        undecided(cleaning, NULL, error);
    } else if (cleaning->left) {
        report(cleaning, NULL, 0, "it still has topics");
    } else {
        removed(cleaning, NULL, error, "no topics, no clients");
    }
}

/* A bus that cannot be opened, and its topics. */
static void clean_unopened(struct cleaning *cleaning, int error)
{
    char prefix[MR_PATH_MAX], **topics = NULL;
    mr_segment_name(prefix, geteuid(), cleaning->bus, "");
    ssize_t n = beyond_use(error) || error == -EREMOTE ? mr_segment_list(prefix + 1, &topics) : 0;
    if (n < 0) {
        undecided(cleaning, NULL, (int)n);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        clean_unreadable(cleaning, topics[i], error);
    free(topics);
    if (error != -ENOENT)
        clean_unreadable(cleaning, NULL, error);
}

static void clean_bus(struct cleaning *cleaning, const char *name)
{
    char text[64];
    cleaning->bus = name;
    cleaning->left = 0;
    /* First as an observer: mr_bus_serve would create a bus segment where only topics are left. */
    struct mr_bus *bus = NULL;
    int error = mr_bus_connect(name, &(struct mr_connect_options){.flags = MR_OBSERVER}, &bus);
    if (!error && !cleaning->line->dry_run) {
        mr_bus_disconnect(bus);
        struct mr_connect_options options = {
            .name = "broker clean", .on_wait = program_wait_notice, .stop = &program_stop};
        error = mr_bus_serve(name, 0, (gid_t)-1, &options, &bus);
    }
    int pid = error == -EBUSY                     ? mr_bus_holder(name)
              : !error && cleaning->line->dry_run ? mr_broker_pid(bus)
                                                  : 0;
    if (pid < 0) {
        undecided(cleaning, NULL, pid);
    } else if (pid || error == -EBUSY) { /* a broker that is starting or ending has no pid there */
        snprintf(text, sizeof text, pid ? "pid %d serves it" : "a broker serves it", pid);
        report(cleaning, NULL, 0, text);
    } else if (!error) {
        clean_readable(cleaning, bus);
    } else {
        clean_unopened(cleaning, error);
    }
    if (!error)
        mr_bus_disconnect(bus);
}

int command_clean(const struct command_line *line)
{
    static const struct column columns[] = {
        {"ACTION", NULL, 0},  {"BUS", "bus", 0}, {"TOPIC", "topic", 0},
        {NULL, "removed", 0}, {"WHY", "why", 0},
    };
    struct cleaning cleaning = {.line = line};
    char **buses;
    const char *named;
    uid_t owner;
    int error = mr_bus_address(line->bus, &owner, &named);
    if (error || owner != geteuid())
        return program_usage("clean: %s: only its own user can clean a bus", line->bus);
    int n = mr_bus_list(&buses);
    if (n < 0) {
        program_fail(n, "clean: list buses");
        return EXIT_FAILED;
    }
    table_begin(&cleaning.table, columns, sizeof columns / sizeof *columns, NULL, line->json,
                line->colour);
    for (int i = 0; i < n; i++)
        if (!line->bus_named || strcmp(buses[i], named) == 0)
            clean_bus(&cleaning, buses[i]);
    free(buses);
    int rows = table_end(&cleaning.table);
    if (rows == 0 && !line->json)
        program_notice("nothing to clean");
    return rows < 0 ? EXIT_FAILED : cleaning.status;
}
