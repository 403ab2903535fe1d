/* inspect.c - commands that only inspect, mapping everything read-only. They work without a
 * broker and take no lock. */
#include "cli/program.h"
#include "commands.h"
#include "core/client.h"
#include "table.h"
#include "text/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Takes a result of the functions of millrace.h: 0 or more, and -ERANGE (the end of a list), are
 * success. Returns an exit status, with the error printed. */
static int looked(const struct mr_topic *topic, int error)
{
    if (error >= 0 || error == -ERANGE)
        return EXIT_OK;
    program_fail(error, "%s: inspect", mr_topic_name(topic));
    return EXIT_FAILED;
}

/* Finds the member of a group that has held its claim longest. Returns 1; 0 if no member holds
 * records; or a negative errno. */
static int holder(const struct mr_topic *topic, uint32_t group_idx, struct mr_member_info *out)
{
    struct mr_member_info member = {0};
    int found, any = 0;
    for (uint32_t idx = 0; (found = mr_member_info(topic, idx, &member)) != -ERANGE; idx++) {
        if (found < 0)
            return found;
        if (!found || member.group_idx != group_idx || member.first_offset >= member.end_offset)
            continue;
        if (!any || member.held_ns > out->held_ns)
            *out = member;
        any = 1;
    }
    return any;
}

/* ---- status ---- */

struct status_tables {
    struct table topics, groups, members, producers;
};

static int status_groups(struct status_tables *tables, const struct mr_topic *topic)
{
    struct table *table = &tables->groups;
    struct mr_group_info group = {0};
    int found;
    for (uint32_t idx = 0; (found = mr_group_info(topic, idx, &group)) >= 0; idx++) {
        struct mr_member_info member = {0};
        int held_by = found ? holder(topic, idx, &member) : 0;
        if (held_by < 0)
            return looked(topic, held_by);
        if (!found)
            continue;
        table_text(table, mr_topic_name(topic));
        table_text(table, group.name);
        table_count(table, group.members);
        table_count(table, group.lag);
        table_count(table, group.in_hand);
        table_count(table, group.acked);
        table_count(table, group.redelivered);
        table_count(table, group.dead_lettered);
        table_count(table, group.lost);
        table_count(table, group.orphans);
        char who[128] = "", held[32];
        if (held_by && member.pid)
            snprintf(who, sizeof who, "pid %" PRId32 "%s%s%s for %s%s", member.pid,
                     *member.name ? " (" : "", member.name, *member.name ? ")" : "",
                     text_ns(held, member.held_ns), program_stopped(member.pid) ? ", stopped" : "");
        else if (group.orphans)
            snprintf(who, sizeof who, "none (its consumer is gone)");
        table_text(table, who);
    }
    return looked(topic, found);
}

static int status_members(struct status_tables *tables, const struct mr_topic *topic)
{
    struct table *table = &tables->members;
    struct mr_member_info member = {0};
    int found;
    for (uint32_t idx = 0; (found = mr_member_info(topic, idx, &member)) >= 0; idx++) {
        struct mr_group_info group = {0};
        int joined = found && member.pid ? mr_group_info(topic, member.group_idx, &group) : 0;
        if (joined < 0)
            return looked(topic, joined);
        if (!joined)
            continue;
        int holds = member.first_offset < member.end_offset;
        table_count(table, (uint64_t)member.pid);
        table_text(table, member.name);
        table_text(table, mr_topic_name(topic));
        table_text(table, group.name);
        table_count(table, member.acked);
        table_count(table, holds ? member.end_offset - member.first_offset : 0);
        table_ns(table, holds ? member.held_ns : 0);
    }
    return looked(topic, found);
}

static int status_producers(struct status_tables *tables, const struct mr_topic *topic)
{
    struct table *table = &tables->producers;
    struct mr_producer_info producer = {0};
    int found;
    for (uint32_t idx = 0; (found = mr_producer_info(topic, idx, &producer)) >= 0; idx++) {
        if (!found || producer.state != MR_PRODUCER_ATTACHED)
            continue;
        table_count(table, (uint64_t)producer.pid);
        table_text(table, producer.name);
        table_text(table, mr_topic_name(topic));
        table_count(table, producer.records);
        table_bytes(table, producer.bytes);
        table_ns(table, producer.blocked_ns);
    }
    return looked(topic, found);
}

static int status_one(struct mr_topic *topic, void *arg)
{
    struct status_tables *tables = arg;
    struct table *table = &tables->topics;
    struct mr_topic_info info = {0};
    int error = mr_topic_info(topic, &info);
    if (error)
        return looked(topic, error);
    table_text(table, mr_topic_name(topic));
    table_text(table, command_state(&info));
    table_count(table, info.partitions);
    table_bytes(table, info.bytes_room);
    command_figure(table, &info, info.bytes_waiting);
    if (info.damaged)
        table_text(table, NULL);
    else
        table_percent(table, info.full_percent);
    command_figure(table, &info, info.records_in);
    command_figure(table, &info, info.records_kept);
    command_figure(table, &info, info.records_waiting);
    command_figure(table, &info, info.records_dropped);
    table_count(table, info.producers);
    table_count(table, info.producers_died);
    table_count(table, info.members);
    int status = status_groups(tables, topic);
    if (!status)
        status = status_members(tables, topic);
    return status ? status : status_producers(tables, topic);
}

static int status_bus(const struct command_line *line, const struct mr_bus *bus)
{
    static const struct column columns[] = {
        {NULL, "bus", 0}, {NULL, "broker_pid", 0}, {NULL, "clients", 0}};
    uint64_t clients = 0;
    struct mr_client_info client = {0};
    int found = 0, pid = mr_broker_pid(bus);
    for (uint32_t idx = 0; pid >= 0 && (found = mr_client_info(bus, idx, &client)) >= 0; idx++)
        clients += found && client.pid != pid;
    if (pid < 0 || found != -ERANGE) {
        program_fail(pid < 0 ? pid : found, "bus \"%s\": inspect", line->bus);
        return EXIT_FAILED;
    }
    if (line->json) {
        struct table table;
        table_begin(&table, columns, COUNT(columns), "bus", 1, 0);
        table_text(&table, line->bus);
        if (pid)
            table_count(&table, (uint64_t)pid);
        else
            table_text(&table, NULL);
        table_count(&table, clients);
        return table_end(&table) < 0 ? EXIT_FAILED : EXIT_OK;
    }
    if (pid)
        printf("bus %s: broker pid %d, %" PRIu64 " client%s\n", line->bus, pid, clients,
               clients == 1 ? "" : "s");
    else
        printf("bus %s: no broker, %" PRIu64 " client%s\n", line->bus, clients,
               clients == 1 ? "" : "s");
    return EXIT_OK;
}

/* Ends a table; in text form an empty line precedes one with rows. */
static int end_part(struct table *table, int shown)
{
    if (!shown)
        table_clear(table);
    if (!table->as_json && table->cell_cnt)
        putchar('\n');
    return table_end(table) < 0 ? EXIT_FAILED : EXIT_OK;
}

int command_status(const struct command_line *line)
{
    static const struct column topics[] = {
        {"TOPIC", "topic", 0},
        {"STATE", "state", 0},
        {"PARTS", "partitions", 1},
        {"ROOM", "room_bytes", 1},
        {NULL, "waiting_bytes", 1},
        {"FULL", "full_percent", 1},
        {"APPENDED", "records_in", 1},
        {"KEPT", "records_kept", 1},
        {"WAITING", "records_waiting", 1},
        {NULL, "records_dropped", 1},
        {"PRODUCERS", "producers", 1},
        {NULL, "producers_died", 1},
        {"CONSUMERS", "consumers", 1},
    };
    static const struct column groups[] = {
        {"TOPIC", "topic", 0},
        {"GROUP", "group", 0},
        {"CONSUMERS", "consumers", 1},
        {"LAG", "lag", 1},
        {"IN-HAND", "in_hand", 1},
        {"ACKED", "acked", 1},
        {"AGAIN", "redelivered", 1},
        {"DEAD", "dead_lettered", 1},
        {NULL, "lost", 1},
        {NULL, "orphans", 1},
        {"HELD LONGEST BY", "holder", 0},
    };
    static const struct column members[] = {
        {"CONSUMER", "pid", 1}, {"NAME", "name", 0},   {"TOPIC", "topic", 0}, {"GROUP", "group", 0},
        {"ACKED", "acked", 1},  {"HOLDS", "holds", 1}, {"FOR", "held_ns", 1},
    };
    static const struct column producers[] = {
        {"PRODUCER", "pid", 1}, {"NAME", "name", 0},   {"TOPIC", "topic", 0},
        {"SENT", "records", 1}, {"BYTES", "bytes", 1}, {"BLOCKED", "blocked_ns", 1},
    };
    struct mr_bus *bus;
    int status = command_connect(line, MR_OBSERVER, &bus);
    if (status)
        return status;
    struct status_tables tables;
    table_begin(&tables.topics, topics, COUNT(topics), "topic", line->json, line->colour);
    table_begin(&tables.groups, groups, COUNT(groups), "group", line->json, line->colour);
    table_begin(&tables.members, members, COUNT(members), "consumer", line->json, line->colour);
    table_begin(&tables.producers, producers, COUNT(producers), "producer", line->json,
                line->colour);
    status = status_bus(line, bus);
    status |= command_each(bus, status_one, &tables);
    status |= end_part(&tables.topics, 1);
    status |= end_part(&tables.groups, 1);
    status |= end_part(&tables.members, program_verbose || line->json);
    status |= end_part(&tables.producers, program_verbose || line->json);
    mr_bus_disconnect(bus);
    return status;
}

/* ---- groups, lag, pending: one topic or all, one group or all ---- */

struct view {
    struct table table;
    const struct command_line *line;
    char host[65];
    int above_max;
};

/* The pids that hold records of a group's partition ("12,14"), and the name of the first.
 * Returns 0 or a negative errno. */
static int holders(const struct mr_topic *topic, uint32_t group_idx, uint32_t partition, char *pids,
                   size_t cap, char *name)
{
    struct mr_member_info member = {0};
    size_t used = 0;
    int found;
    pids[0] = name[0] = '\0';
    for (uint32_t idx = 0; (found = mr_member_info(topic, idx, &member)) >= 0 && used < cap;
         idx++) {
        if (!found || !member.pid || member.group_idx != group_idx ||
            member.partition != partition || member.first_offset >= member.end_offset)
            continue;
        if (used == 0)
            memcpy(name, member.name, sizeof member.name);
        used +=
            (size_t)snprintf(pids + used, cap - used, "%s%" PRId32, used ? "," : "", member.pid);
    }
    return found < 0 && found != -ERANGE ? found : 0;
}

static int groups_one(struct mr_topic *topic, void *arg)
{
    struct view *view = arg;
    struct table *table = &view->table;
    struct mr_group_info group = {0};
    struct mr_group_partition_info part = {0};
    int found, there;
    for (uint32_t idx = 0; (found = mr_group_info(topic, idx, &group)) >= 0; idx++) {
        for (uint32_t p = 0; found && (there = mr_group_partition_info(topic, idx, p, &part)) != 0;
             p++) {
            char pids[64], name[MR_CLIENT_NAME_MAX + 1];
            int error = there > 0 ? holders(topic, idx, p, pids, sizeof pids, name) : there;
            if (error == -ERANGE)
                break;
            if (error)
                return looked(topic, error);
            table_text(table, group.name);
            table_text(table, mr_topic_name(topic));
            table_count(table, p);
            table_count(table, part.committed_offset);
            table_count(table, part.end_offset);
            table_count(table, part.lag);
            table_text(table, *pids ? pids : NULL);
            table_text(table, *pids ? view->host : NULL);
            table_text(table, *name ? name : NULL);
        }
    }
    return looked(topic, found);
}

/* Shows the topic of the first operand, or all topics. visit gets the view. */
static int show(struct view *view, const struct column *columns, size_t column_cnt,
                int (*visit)(struct mr_topic *topic, void *arg))
{
    const struct command_line *line = view->line;
    struct mr_bus *bus;
    int status = command_connect(line, MR_OBSERVER, &bus);
    if (status)
        return status;
    table_begin(&view->table, columns, column_cnt, NULL, line->json, line->colour);
    if (line->operand_cnt) {
        struct mr_topic *topic;
        status = command_topic(bus, line->operands[0], &topic);
        if (!status) {
            status = visit(topic, view);
            mr_topic_close(topic);
        }
    } else {
        status = command_each(bus, visit, view);
    }
    int rows = table_end(&view->table);
    if (rows == 0 && !status && !line->json)
        program_notice("%s: nothing to show", line->operand_cnt ? line->operands[0] : line->bus);
    mr_bus_disconnect(bus);
    return rows < 0 ? EXIT_FAILED : status;
}

int command_groups(const struct command_line *line)
{
    static const struct column columns[] = {
        {"GROUP", "group", 0},
        {"TOPIC", "topic", 0},
        {"PARTITION", "partition", 1},
        {"CURRENT-OFFSET", "current_offset", 1},
        {"LOG-END-OFFSET", "log_end_offset", 1},
        {"LAG", "lag", 1},
        {"CONSUMER-ID", "consumer_id", 0},
        {"HOST", "host", 0},
        {"CLIENT-ID", "client_id", 0},
    };
    struct view view = {.line = line};
    if (gethostname(view.host, sizeof view.host - 1) < 0)
        view.host[0] = '\0';
    return show(&view, columns, COUNT(columns), groups_one);
}

static int wanted(const struct view *view, const struct mr_group_info *group)
{
    return view->line->operand_cnt < 2 || strcmp(group->name, view->line->operands[1]) == 0;
}

static int check_group(const struct view *view, const struct mr_topic *topic)
{
    struct mr_group_info group = {0};
    if (view->line->operand_cnt < 2)
        return EXIT_OK;
    int found = command_group(topic, view->line->operands[1], &group);
    if (found != -ENOENT)
        return looked(topic, found);
    program_error("%s: no group \"%s\"; see: broker -b %s groups %s", mr_topic_name(topic),
                  view->line->operands[1], view->line->bus, mr_topic_name(topic));
    return EXIT_FAILED;
}

static int lag_one(struct mr_topic *topic, void *arg)
{
    struct view *view = arg;
    struct table *table = &view->table;
    struct mr_group_info group = {0};
    int found = 0, status = check_group(view, topic);
    for (uint32_t idx = 0; !status && (found = mr_group_info(topic, idx, &group)) >= 0; idx++) {
        if (!found || !wanted(view, &group))
            continue;
        view->above_max |= group.lag > view->line->lag_max;
        table_text(table, mr_topic_name(topic));
        table_text(table, group.name);
        table_count(table, group.lag);
        table_count(table, group.in_hand);
        table_count(table, group.members);
    }
    return status ? status : looked(topic, found);
}

int command_lag(const struct command_line *line)
{
    static const struct column columns[] = {
        {"TOPIC", "topic", 0},     {"GROUP", "group", 0},         {"LAG", "lag", 1},
        {"IN-HAND", "in_hand", 1}, {"CONSUMERS", "consumers", 1},
    };
    struct view view = {.line = line};
    int status = show(&view, columns, COUNT(columns), lag_one);
    return status ? status : view.above_max ? EXIT_FAILED : EXIT_OK;
}

static int pending_one(struct mr_topic *topic, void *arg)
{
    struct view *view = arg;
    struct table *table = &view->table;
    struct mr_member_info member = {0};
    struct mr_group_info group = {0};
    int found = 0, status = check_group(view, topic);
    for (uint32_t idx = 0; !status && (found = mr_member_info(topic, idx, &member)) >= 0; idx++) {
        int holds = found && member.first_offset < member.end_offset;
        int joined = holds ? mr_group_info(topic, member.group_idx, &group) : 0;
        if (joined < 0)
            return looked(topic, joined);
        if (!joined || !wanted(view, &group))
            continue;
        table_text(table, group.name);
        table_count(table, member.partition);
        table_count(table, member.first_offset);
        table_count(table, member.end_offset - 1);
        if (member.pid)
            table_count(table, (uint64_t)member.pid);
        else
            table_text(table, NULL);
        table_text(table, member.name);
        table_text(table, !member.pid                               ? "orphan"
                          : program_stopped(member.pid)             ? "stopped"
                          : member.in_hand_offset != MR_OFFSET_NONE ? "in-hand"
                                                                    : "held");
        if (member.in_hand_offset != MR_OFFSET_NONE)
            table_count(table, member.in_hand_offset);
        else
            table_text(table, NULL);
        table_ns(table, member.held_ns);
        table_count(table, member.tries);
    }
    return status ? status : looked(topic, found);
}

int command_pending(const struct command_line *line)
{
    static const struct column columns[] = {
        {"GROUP", "group", 0},
        {"PARTITION", "partition", 1},
        {"FIRST", "first_offset", 1},
        {"LAST", "last_offset", 1},
        {"PID", "pid", 1},
        {"NAME", "name", 0},
        {"STATE", "state", 0},
        {"IN-HAND", "in_hand_offset", 1},
        {"FOR", "held_ns", 1},
        {"TRIES", "tries", 1},
    };
    struct view view = {.line = line};
    return show(&view, columns, COUNT(columns), pending_one);
}
