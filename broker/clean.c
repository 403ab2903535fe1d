/* clean.c - removes what dead brokers left. It takes the serving lock of each bus while it looks, so that no broker begins
 * meanwhile. Files are removed by mr_topic_unlink, mr_topic_delete and mr_bus_remove alone, whose names all start with
 * "/millrace.<uid>.". */
#include "client.h"
#include "commands.h"
#include "owed.h"
#include "program.h"
#include "segment.h"
#include "table.h"
#include "topic.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cleaning {
    const struct mr_command_line *line;
    struct mr_table table;
    const char *bus;
    uint64_t clients; /* live ones of the bus at hand, without this process */
    size_t left;      /* topics of the bus at hand that stay */
    int status;
};

static void report(struct cleaning *cleaning, const char *topic, int removed, const char *why)
{
    mr_table_text(&cleaning->table, removed ? cleaning->line->dry_run ? "would remove" : "removed" : "left");
    mr_table_text(&cleaning->table, cleaning->bus);
    mr_table_text(&cleaning->table, topic);
    mr_table_bool(&cleaning->table, removed);
    mr_table_text(&cleaning->table, why);
    cleaning->left += !removed;
}

/* What was to be removed: 0 or -ENOENT is success. */
static void removed(struct cleaning *cleaning, const char *topic, int error, const char *why)
{
    if (error && error != -ENOENT) {
        why = mr_program_reason(error);
        cleaning->status = MR_EXIT_FAILED;
    }
    report(cleaning, topic, !error || error == -ENOENT, why);
}

/* The pid of a process that has a segment mapped, or 0: for segments whose own account of their clients cannot be read. */
static int mapped_by(const char *segment)
{
    char path[300], end[MR_PATH_MAX + 16], *text = NULL;
    size_t cap = 0;
    int pid = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    size_t end_len = (size_t)snprintf(end, sizeof end, " /dev/shm%s\n", segment);
    for (struct dirent *entry; !pid && (entry = readdir(proc));) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof path, "/proc/%s/maps", entry->d_name);
        FILE *maps = fopen(path, "re");
        if (!maps)
            continue;
        for (ssize_t len; !pid && (len = getline(&text, &cap, maps)) >= 0;)
            if ((size_t)len > end_len && strcmp(text + (size_t)len - end_len, end) == 0)
                pid = atoi(entry->d_name);
        fclose(maps);
    }
    free(text);
    closedir(proc);
    return pid;
}

/* A segment that cannot be opened: damaged, of another version, or a topic without its bus. topic NULL: the bus itself. */
static void clean_unreadable(struct cleaning *cleaning, const char *topic, int why)
{
    char name[MR_PATH_MAX], text[200];
    mr_segment_name(name, geteuid(), cleaning->bus, topic);
    int pid = mapped_by(name);
    if (why == -EREMOTE) { /* the processes of another namespace may not be visible from here */
        report(cleaning, topic, 0, "it belongs to another pid namespace; clean it there");
    } else if (pid) {
        snprintf(text, sizeof text, "pid %d uses it: %s", pid, mr_program_reason(why));
        report(cleaning, topic, 0, text);
    } else if (!cleaning->line->all) {
        snprintf(text, sizeof text, "%s; --all removes it", mr_program_reason(why));
        report(cleaning, topic, 0, text);
    } else {
        int error = cleaning->line->dry_run ? 0 : topic ? mr_topic_unlink(cleaning->bus, topic) : mr_bus_remove(cleaning->bus);
        removed(cleaning, topic, error, mr_program_reason(why));
    }
}

static void clean_topic(struct cleaning *cleaning, struct mr_bus *bus, const char *name)
{
    struct mr_topic *topic;
    struct mr_owed owed;
    char text[sizeof owed.text + 32];
    int error = mr_topic_open(bus, name, &topic);
    if (error == -ENOENT || error == -EIDRM)
        return; /* gone by itself */
    if (error) {
        clean_unreadable(cleaning, name, error);
        return;
    }
    if (!cleaning->line->dry_run)
        mr_topic_reap_dead(topic); /* so that only the living count as attached */
    error = mr_owed_look(topic, &owed);
    if (error) {
        mr_topic_close(topic);
        clean_unreadable(cleaning, name, error);
        return;
    }
    if (owed.in_use && cleaning->clients) {
        report(cleaning, name, 0, "clients are attached");
    } else if (owed.records && !cleaning->line->all) {
        snprintf(text, sizeof text, "%s; --all removes it", owed.text);
        report(cleaning, name, 0, text);
    } else {
        error = cleaning->line->dry_run ? 0 : mr_topic_delete(topic, cleaning->clients == 0 ? MR_DELETE_ANYWAY : MR_DELETE_UNUSED);
        if (error == -EBUSY)
            report(cleaning, name, 0, "clients are attached");
        else
            removed(cleaning, name, error, owed.records ? owed.text : "nothing is owed");
    }
    mr_topic_close(topic);
}

static uint64_t live_clients(const struct mr_bus *bus)
{
    uint64_t n = 0;
    for (uint32_t slot = 0; slot < mr_bus_slots(bus); slot++) {
        uint64_t id = mr_client_id(bus, slot, NULL);
        n += id && id != mr_bus_self(bus) && mr_client_alive(bus, id);
    }
    return n;
}

static void clean_readable(struct cleaning *cleaning, struct mr_bus *bus)
{
    char **names, text[64];
    ssize_t n = mr_bus_topics(bus, &names);
    if (n < 0) {
        report(cleaning, NULL, 0, mr_program_reason((int)n));
        return;
    }
    cleaning->clients = live_clients(bus);
    for (ssize_t i = 0; i < n; i++)
        clean_topic(cleaning, bus, names[i]);
    free(names);
    if (cleaning->clients) {
        snprintf(text, sizeof text, "%" PRIu64 " client%s attached", cleaning->clients, cleaning->clients == 1 ? " is" : "s are");
        report(cleaning, NULL, 0, text);
    } else if (cleaning->left) {
        report(cleaning, NULL, 0, "it has topics");
    } else {
        removed(cleaning, NULL, cleaning->line->dry_run ? 0 : mr_bus_remove(cleaning->bus), "no topics, no clients");
    }
}

static void clean_bus(struct cleaning *cleaning, const char *name)
{
    char text[64], prefix[MR_PATH_MAX], **topics;
    cleaning->bus = name;
    cleaning->left = 0;
    /* First as an observer: mr_bus_serve would make the bus segment if only topics are left of a bus. */
    struct mr_bus *bus = NULL;
    int error = mr_connect(name, &(struct mr_connect_options){.flags = MR_OBSERVER}, &bus);
    if (!error && !cleaning->line->dry_run) {
        mr_disconnect(bus);
        struct mr_connect_options options = {.name = "broker clean", .on_wait = mr_program_wait_notice, .stop = &mr_program_stop};
        error = mr_bus_serve(name, 0, (gid_t)-1, &options, &bus);
    }
    int pid = error == -EBUSY ? mr_bus_holder(name) : !error && cleaning->line->dry_run ? mr_broker_pid(bus) : 0;
    if (pid) {
        snprintf(text, sizeof text, "pid %d serves it", pid);
        report(cleaning, NULL, 0, text);
    } else if (!error) {
        clean_readable(cleaning, bus);
    } else {
        mr_segment_name(prefix, geteuid(), name, "");
        ssize_t n = mr_segment_list(prefix + 1, &topics);
        for (ssize_t i = 0; i < n; i++)
            clean_unreadable(cleaning, topics[i], error);
        if (n >= 0)
            free(topics);
        if (error != -ENOENT)
            clean_unreadable(cleaning, NULL, error);
    }
    if (!error)
        mr_disconnect(bus);
}

int mr_command_clean(const struct mr_command_line *line)
{
    static const struct mr_column columns[] = {
        {"ACTION", NULL, 0}, {"BUS", "bus", 0}, {"TOPIC", "topic", 0}, {NULL, "removed", 0}, {"WHY", "why", 0},
    };
    struct cleaning cleaning = {.line = line};
    char **buses;
    const char *named;
    uid_t owner;
    int error = mr_bus_address(line->bus, &owner, &named);
    if (error || owner != geteuid())
        return mr_program_usage("clean: %s: only its own user can clean a bus", line->bus);
    int n = mr_bus_list(&buses);
    if (n < 0) {
        mr_program_fail(n, "clean: list buses");
        return MR_EXIT_FAILED;
    }
    mr_table_begin(&cleaning.table, columns, sizeof columns / sizeof *columns, NULL, line->json, line->colour);
    for (int i = 0; i < n; i++)
        if (!line->bus_named || strcmp(buses[i], named) == 0)
            clean_bus(&cleaning, buses[i]);
    free(buses);
    int rows = mr_table_end(&cleaning.table);
    if (rows == 0 && !line->json)
        mr_program_notice("nothing to clean");
    return rows < 0 ? MR_EXIT_FAILED : cleaning.status;
}
