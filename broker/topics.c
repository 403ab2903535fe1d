/* topics.c - commands on one topic or all, and how each command opens a bus and a topic. */
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
#include <sys/statvfs.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- shared ---- */

static int no_bus(const struct command_line *line)
{
    char **names = NULL;
    const char *near =
        mr_bus_list(&names) > 0 ? text_suggest(line->bus, (const char *const *)names) : NULL;
    int usual = strcmp(line->bus, "default") == 0;
    program_error("%s: no such bus%s%s%s; start its broker with: broker%s%s", line->bus,
                  near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "",
                  usual ? "" : " -b ", usual ? "" : line->bus);
    free(names);
    return EXIT_NO_BROKER;
}

int command_connect(const struct command_line *line, uint32_t flags, struct mr_bus **out)
{
    struct mr_connect_options options = {.name = "broker command",
                                         .flags = flags,
                                         .on_wait = program_wait_notice,
                                         .stop = &program_stop};
    int error = mr_bus_connect(line->bus, &options, out);
    if (error == -ENOENT && !strchr(line->bus, '/'))
        return no_bus(line);
    if (error) {
        program_bus_fail(error, line->bus);
        return error == -ENOENT ? EXIT_NO_BROKER : program_exit_for(error);
    }
    return EXIT_OK;
}

int command_topic(struct mr_bus *bus, const char *name, struct mr_topic **out)
{
    const char *wrong = mr_name_check(MR_NAME_TOPIC, name);
    if (wrong) {
        program_usage("%s: bad name of a topic: %s", name, wrong);
        return EXIT_USAGE;
    }
    int error = mr_topic_open(bus, name, out);
    if (error == -ENOENT)
        program_no_topic(bus, name);
    else if (error)
        program_topic_fail(error, bus, name);
    return program_exit_for(error);
}

int command_each(struct mr_bus *bus, int (*visit)(struct mr_topic *topic, void *arg), void *arg)
{
    char **names;
    ssize_t n = mr_bus_topics(bus, &names);
    if (n < 0) {
        program_fail((int)n, "%s: list topics", mr_bus_name(bus));
        return EXIT_FAILED;
    }
    int worst = EXIT_OK;
    for (ssize_t i = 0; i < n; i++) {
        struct mr_topic *topic;
        int error = mr_topic_open(bus, names[i], &topic);
        if (error == -ENOENT || error == -EIDRM)
            continue; /* deleted since it was listed */
        int status =
            error == -EPERM ? EXIT_OK : EXIT_FAILED; /* the other topics can still be visited */
        if (error) {
            program_topic_fail(error, bus, names[i]);
        } else {
            status = visit(topic, arg);
            mr_topic_close(topic);
        }
        worst = status > worst ? status : worst;
    }
    free(names);
    return worst;
}

const char *command_state(const struct mr_topic_info *info)
{
    return info->damaged ? "damaged" : info->deleted ? "deleted" : info->sealed ? "sealed" : "open";
}

void command_figure(struct table *table, const struct mr_topic_info *info, uint64_t figure)
{
    if (info->damaged)
        table_text(table, NULL);
    else
        table_count(table, figure);
}

const char *command_full(uint32_t full)
{
    return full == MR_FULL_DROP_OLDEST ? "drop-oldest" : full == MR_FULL_FAIL ? "fail" : "block";
}

int command_group(const struct mr_topic *topic, const char *name, struct mr_group_info *out)
{
    int found, error = 0;
    for (uint32_t idx = 0; (found = mr_group_info(topic, idx, out)) != -ERANGE; idx++) {
        if (found > 0 && strcmp(out->name, name) == 0)
            return (int)idx;
        error = found < 0 ? found : error;
    }
    return error ? error : -ENOENT;
}

/* ---- create ---- */

static int create_failed(const struct mr_bus *bus, const char *name, int error,
                         const struct mr_settings *settings)
{
    struct statvfs shm;
    char wanted[32], left[32];
    if (error == -ENOSPC && statvfs("/dev/shm", &shm) == 0)
        program_error(
            "%s: no room for %s%s in /dev/shm, where %s are free; choose a smaller --size", name,
            settings->size_bytes ? text_bytes(wanted, settings->size_bytes)
                                 : "a topic of the broker's --size",
            settings->partitions > 1 ? " and the index of its partitions" : "",
            text_bytes(left, (uint64_t)shm.f_bavail * shm.f_frsize));
    else if (error == -EINVAL)
        program_error("%s: the broker refuses these settings (a partition takes at least %u bytes, "
                      "a record at most a partition)",
                      name, MR_SIZE_MIN);
    else
        program_create_fail(error, bus, name);
    return error == -EINVAL ? EXIT_FAILED : program_exit_for(error);
}

int command_create(const struct command_line *line)
{
    const char *name = line->operands[0], *wrong = mr_name_check(MR_NAME_TOPIC, name);
    if (wrong)
        return program_usage("%s: bad name of a topic: %s", name, wrong);
    struct mr_bus *bus;
    int status = command_connect(line, MR_OBSERVER, &bus);
    if (status)
        return status;
    struct mr_topic *there = NULL;
    int error = mr_topic_create(bus, name, &line->settings, 0);
    int unusable = error == -EEXIST ? mr_topic_open(bus, name, &there) : 0;
    mr_topic_close(there);
    if (unusable && unusable != -ENOENT) { /* the name belongs to something unusable */
        program_topic_fail(unusable, bus, name);
        status = EXIT_FAILED;
    } else if (error == -EEXIST && line->if_not_exists) {
        status = EXIT_OK;
    } else if (error == -EEXIST) {
        program_error("%s: already exists (--if-not-exists accepts that)", name);
        status = EXIT_FAILED;
    } else if (error == -ECONNREFUSED) {
        program_bus_fail(-ENOENT, line->bus);
        status = EXIT_NO_BROKER;
    } else if (error) {
        status = create_failed(bus, name, error, &line->settings);
    }
    mr_bus_disconnect(bus);
    return status;
}

/* ---- list ---- */

static int list_one(struct mr_topic *topic, void *arg)
{
    struct table *table = arg;
    struct mr_topic_info info = {0};
    int error = mr_topic_info(topic, &info);
    if (error) {
        program_fail(error, "%s: inspect", mr_topic_name(topic));
        return EXIT_FAILED;
    }
    table_text(table, mr_topic_name(topic));
    table_count(table, info.partitions);
    table_bytes(table, info.bytes_room);
    command_figure(table, &info, info.records_in);
    command_figure(table, &info, info.records_kept);
    command_figure(table, &info, info.records_waiting);
    table_count(table, info.groups);
    table_count(table, info.producers);
    table_count(table, info.members);
    table_text(table, command_state(&info));
    return EXIT_OK;
}

int command_list(const struct command_line *line)
{
    static const struct column columns[] = {
        {"TOPIC", "topic", 0},         {"PARTITIONS", "partitions", 1},
        {"ROOM", "room_bytes", 1},     {"APPENDED", "records_in", 1},
        {"KEPT", "records_kept", 1},   {"WAITING", "records_waiting", 1},
        {"GROUPS", "groups", 1},       {"PRODUCERS", "producers", 1},
        {"CONSUMERS", "consumers", 1}, {"STATE", "state", 0},
    };
    struct mr_bus *bus;
    int status = command_connect(line, MR_OBSERVER, &bus);
    if (status)
        return status;
    struct table table;
    table_begin(&table, columns, COUNT(columns), NULL, line->json, line->colour);
    status = command_each(bus, list_one, &table);
    if (table_end(&table) == 0 && !line->json && !status)
        program_notice("%s: no topics", line->bus);
    mr_bus_disconnect(bus);
    return status;
}

/* ---- describe ---- */

struct topic_facts {
    struct mr_settings settings;
    struct mr_topic_info info;
    uint64_t record_max;
    char *columns; /* NULL: none */
    size_t columns_len;
};

static int facts_of(const struct mr_topic *topic, struct topic_facts *facts)
{
    mr_topic_settings(topic, &facts->settings);
    facts->record_max = mr_topic_record_max(topic);
    int error = mr_topic_info(topic, &facts->info);
    if (error)
        return error;
    facts->columns = malloc(MR_COLUMNS_MAX);
    if (!facts->columns)
        return -ENOMEM;
    uint32_t flags;
    ssize_t len = mr_topic_columns(topic, facts->columns, MR_COLUMNS_MAX, &flags);
    facts->columns_len = len > 0 ? (size_t)len : 0;
    if (len < 0) {
        free(facts->columns);
        facts->columns = NULL;
    }
    return len < 0 && len != -ENODATA ? (int)len : 0;
}

/* The describe_ functions return 0 or a negative errno: what could not be read is not shown. */
static int describe_partitions(const struct mr_topic *topic, int colour)
{
    static const struct column columns[] = {
        {"PARTITION", NULL, 1}, {"FIRST", NULL, 1}, {"NEXT", NULL, 1},   {"KEPT", NULL, 1},
        {"BYTES", NULL, 1},     {"ROOM", NULL, 1},  {"OLDEST", NULL, 0}, {"NEWEST", NULL, 0},
    };
    struct table table;
    struct mr_partition_info part = {0};
    table_begin(&table, columns, COUNT(columns), NULL, 0, colour);
    int error;
    for (uint32_t p = 0; (error = mr_partition_info(topic, p, &part)) == 0; p++) {
        table_count(&table, p);
        table_count(&table, part.first_offset);
        table_count(&table, part.next_offset);
        table_count(&table, part.next_offset - part.first_offset);
        table_bytes(&table, part.bytes_kept);
        table_bytes(&table, part.bytes_room);
        table_time(&table, part.first_ts_ns);
        table_time(&table, part.last_ts_ns);
    }
    table_end(&table);
    return error == -ERANGE ? 0 : error;
}

static int describe_groups(const struct mr_topic *topic, int colour)
{
    static const struct column columns[] = {
        {"GROUP", NULL, 0}, {"KIND", NULL, 0},    {"CONSUMERS", NULL, 1},
        {"LAG", NULL, 1},   {"IN-HAND", NULL, 1}, {"ACKED", NULL, 1},
        {"AGAIN", NULL, 1}, {"DEAD", NULL, 1},    {"LOST", NULL, 1},
    };
    struct table table;
    struct mr_group_info group = {0};
    int found;
    table_begin(&table, columns, COUNT(columns), NULL, 0, colour);
    for (uint32_t idx = 0; (found = mr_group_info(topic, idx, &group)) >= 0; idx++) {
        if (!found)
            continue;
        table_text(&table, group.name);
        table_text(&table, group.is_private ? "private" : group.is_ordered ? "ordered" : "shared");
        table_count(&table, group.members);
        table_count(&table, group.lag);
        table_count(&table, group.in_hand);
        table_count(&table, group.acked);
        table_count(&table, group.redelivered);
        table_count(&table, group.dead_lettered);
        table_count(&table, group.lost);
    }
    table_end(&table);
    return found == -ERANGE ? 0 : found;
}

static void put_shown(const char *text, size_t len)
{
    char part[1024] = "";
    while (len) { /* in parts that fit, escaped, into the buffer */
        size_t n = len < sizeof part / 4 ? len : sizeof part / 4 - 1;
        while (n < len && n > sizeof part / 4 - 4 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--; /* not within a character */
        fwrite(part, 1, text_printable(part, sizeof part, text, n), stdout);
        text += n;
        len -= n;
    }
}

static int describe_text(const struct mr_topic *topic, const struct topic_facts *facts, int colour)
{
    const struct mr_topic_info *info = &facts->info;
    const struct mr_settings *settings = &facts->settings;
    char text[32];
    printf("topic       %s (%s)\n", mr_topic_name(topic), command_state(info));
    printf("created     %s\n", text_time(text, info->created_ns));
    printf("room        %s in %" PRIu32 " partition%s", text_bytes(text, info->bytes_room),
           info->partitions, info->partitions == 1 ? "" : "s");
    if (settings->records_max)
        printf(", %" PRIu64 " records waiting at most", settings->records_max);
    printf("; full: %s\n", command_full(settings->full));
    printf("record      %s at most; %" PRIu32 " tries\n", text_bytes(text, facts->record_max),
           settings->tries);
    printf("mode        %04" PRIo32 "\n", settings->mode);
    if (facts->columns) {
        printf("columns     ");
        put_shown(facts->columns, facts->columns_len);
        putchar('\n');
    }
    printf("records     %" PRIu64 " came in, %" PRIu64 " are kept, %" PRIu64 " wait, %" PRIu64
           " were dropped\n",
           info->records_in, info->records_kept, info->records_waiting, info->records_dropped);
    printf("producers   %" PRIu32 " attached, %" PRIu32 " done, %" PRIu32 " died\n",
           info->producers, info->producers_done, info->producers_died);
    if (info->repairs)
        printf("repairs     %" PRIu64 " locks of the dead, %" PRIu64
               " of them with a change to complete\n",
               info->repairs, info->replays);
    putchar('\n');
    int error = describe_partitions(topic, colour);
    if (!error && info->groups) {
        putchar('\n');
        error = describe_groups(topic, colour);
    }
    return error;
}

static void json_number(struct js_writer *json, const char *key, uint64_t value)
{
    js_key(json, key);
    js_uint(json, value);
}

static int partitions_json(const struct mr_topic *topic, struct js_writer *json)
{
    struct mr_partition_info part = {0};
    int error;
    js_key(json, "partitions");
    js_begin(json, '[');
    for (uint32_t p = 0; (error = mr_partition_info(topic, p, &part)) == 0; p++) {
        js_begin(json, '{');
        json_number(json, "first_offset", part.first_offset);
        json_number(json, "next_offset", part.next_offset);
        json_number(json, "kept_bytes", part.bytes_kept);
        json_number(json, "room_bytes", part.bytes_room);
        json_number(json, "first_ts_ns", part.first_ts_ns);
        json_number(json, "last_ts_ns", part.last_ts_ns);
        js_end(json, '}');
    }
    js_end(json, ']');
    return error == -ERANGE ? 0 : error;
}

static int groups_json(const struct mr_topic *topic, struct js_writer *json)
{
    struct mr_group_info group = {0};
    int found;
    js_key(json, "groups");
    js_begin(json, '[');
    for (uint32_t idx = 0; (found = mr_group_info(topic, idx, &group)) >= 0; idx++) {
        if (!found)
            continue;
        js_begin(json, '{');
        js_key(json, "group");
        js_text(json, group.name);
        js_key(json, "private");
        js_bool(json, group.is_private);
        js_key(json, "ordered");
        js_bool(json, group.is_ordered);
        json_number(json, "consumers", group.members);
        json_number(json, "lag", group.lag);
        json_number(json, "in_hand", group.in_hand);
        json_number(json, "acked", group.acked);
        json_number(json, "redelivered", group.redelivered);
        json_number(json, "dead_lettered", group.dead_lettered);
        json_number(json, "lost", group.lost);
        js_end(json, '}');
    }
    js_end(json, ']');
    return found == -ERANGE ? 0 : found;
}

static int describe_json(const struct mr_topic *topic, const struct topic_facts *facts,
                         struct js_writer *json)
{
    const struct mr_topic_info *info = &facts->info;
    js_begin(json, '{');
    js_key(json, "topic");
    js_text(json, mr_topic_name(topic));
    js_key(json, "state");
    js_text(json, command_state(info));
    json_number(json, "created_ns", info->created_ns);
    json_number(json, "room_bytes", info->bytes_room);
    json_number(json, "records_max", facts->settings.records_max);
    json_number(json, "record_max_bytes", facts->record_max);
    js_key(json, "full");
    js_text(json, command_full(facts->settings.full));
    json_number(json, "tries", facts->settings.tries);
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", facts->settings.mode & 07777u);
    js_key(json, "mode");
    js_text(json, mode);
    js_key(json, "columns");
    if (facts->columns)
        js_string(json, facts->columns, facts->columns_len);
    else
        js_null(json);
    json_number(json, "records_in", info->records_in);
    json_number(json, "records_kept", info->records_kept);
    json_number(json, "records_waiting", info->records_waiting);
    json_number(json, "records_dropped", info->records_dropped);
    json_number(json, "producers", info->producers);
    json_number(json, "producers_done", info->producers_done);
    json_number(json, "producers_died", info->producers_died);
    json_number(json, "repairs", info->repairs);
    json_number(json, "replays", info->replays);
    json_number(json, "consumers", info->members);
    int error = partitions_json(topic, json);
    if (!error)
        error = groups_json(topic, json);
    js_end(json, '}');
    js_line(json);
    return error;
}

int command_describe(const struct command_line *line)
{
    struct mr_bus *bus;
    struct mr_topic *topic;
    int status = command_connect(line, MR_OBSERVER, &bus);
    if (status)
        return status;
    status = command_topic(bus, line->operands[0], &topic);
    if (!status) {
        struct topic_facts facts = {0};
        int error = facts_of(topic, &facts);
        if (!error && line->json) {
            struct js_writer json;
            js_init(&json, NULL, 0);
            error = describe_json(topic, &facts, &json);
            if (!error)
                fwrite(json.text, 1, json.len, stdout);
            js_free(&json);
        } else if (!error) {
            error = describe_text(topic, &facts, line->colour);
        }
        if (error) {
            program_fail(error, "%s: inspect", line->operands[0]);
            status = EXIT_FAILED;
        }
        free(facts.columns);
        mr_topic_close(topic);
    }
    mr_bus_disconnect(bus);
    return status;
}

/* ---- seal, purge, delete ---- */

/* Opens the operand for writing, calls act, and closes it. */
static int with_topic(const struct command_line *line, const char *verb,
                      int (*act)(const struct command_line *line, struct mr_topic *topic))
{
    struct mr_bus *bus;
    struct mr_topic *topic;
    int status = command_connect(line, 0, &bus);
    if (status)
        return status;
    status = command_topic(bus, line->operands[0], &topic);
    if (!status) {
        int error = act(line, topic);
        if (error == -EBUSY) {
            status = EXIT_FAILED; /* already reported */
        } else if (error) {
            program_fail(error, "%s: %s", line->operands[0], verb);
            status = program_exit_for(error);
        }
        mr_topic_close(topic);
    }
    mr_bus_disconnect(bus);
    return status;
}

static int seal(const struct command_line *line, struct mr_topic *topic)
{
    (void)line;
    return mr_topic_seal(topic);
}

static int purge(const struct command_line *line, struct mr_topic *topic)
{
    ssize_t n = mr_topic_purge(topic);
    if (n < 0)
        return (int)n;
    program_notice("%s: %zd records skipped", line->operands[0], n);
    return 0;
}

/* The processes attached to a topic, as far as they can be read: "producer pid 12, consumer pid
 * 14". */
static void attached(const struct mr_topic *topic, char *text, size_t cap)
{
    size_t used = 0;
    int found;
    struct mr_producer_info producer = {0};
    struct mr_member_info member = {0};
    text[0] = '\0';
    for (uint32_t idx = 0; (found = mr_producer_info(topic, idx, &producer)) >= 0 && used < cap;
         idx++)
        if (found && producer.state == MR_PRODUCER_ATTACHED)
            used += (size_t)snprintf(text + used, cap - used, "%sproducer pid %" PRId32,
                                     used ? ", " : "", producer.pid);
    for (uint32_t idx = 0; (found = mr_member_info(topic, idx, &member)) >= 0 && used < cap; idx++)
        if (found && member.pid)
            used += (size_t)snprintf(text + used, cap - used, "%sconsumer pid %" PRId32,
                                     used ? ", " : "", member.pid);
}

static int delete (const struct command_line *line, struct mr_topic *topic)
{
    int error = mr_topic_delete(topic, line->force ? MR_DELETE_ANYWAY : MR_DELETE_UNUSED);
    if (error == -EBUSY) {
        char who[400];
        attached(topic, who, sizeof who);
        program_error("%s: in use by %s; end them, or use --force", line->operands[0],
                      *who ? who : "clients");
    }
    return error;
}

int command_seal(const struct command_line *line)
{
    return with_topic(line, "seal", seal);
}
int command_purge(const struct command_line *line)
{
    return with_topic(line, "purge", purge);
}
int command_delete(const struct command_line *line)
{
    return with_topic(line, "delete", delete);
}
