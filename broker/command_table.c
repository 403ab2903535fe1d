/* command_table.c - see command_table.h. */
#include "command_table.h"
#include "text/text.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"create", "TOPIC", "create a topic", 1, 1, CREATE, command_create,
     "  broker create orders --size 64M --partitions 4\n  broker create buffer --max-records 5     "
     "  a bounded buffer of 5 records\n\n  --size BYTES       room for records, over all "
     "partitions [the broker's]\n  --max-records N    most records that may wait\n  --partitions N "
     "    1 to 256 [1]\n  --full POLICY      block, drop-oldest or fail, when there is no room\n  "
     "--max-record BYTES largest record [what fits into a partition]\n  --tries N          failed "
     "tries before a record goes to TOPIC.dead\n  --if-not-exists    accept an existing topic, "
     "whatever its settings\n"},
    {"list", "", "the topics", 0, 0, 0, command_list,
     "  broker list\n  broker list -J | jq -r .topic\n"},
    {"describe", "TOPIC", "settings, partitions and groups of a topic", 1, 1, 0, command_describe,
     "  broker describe orders\n"},
    {"seal", "TOPIC", "accept no more records", 1, 1, 0, command_seal,
     "  broker seal orders\n\nConsumers end when they have read everything. A topic cannot be "
     "unsealed.\n"},
    {"purge", "TOPIC", "every group skips what it has not claimed yet", 1, 1, 0, command_purge,
     "  broker purge orders\n"},
    {"delete", "TOPIC", "remove a topic with all its records", 1, 1, DELETE, command_delete,
     "  broker delete orders\n\n  --force   even while producers or consumers are attached; they "
     "are told\n"},
    {"groups", "[TOPIC]", "the position of each group, by partition", 0, 1, 0, command_groups,
     "  broker groups\n  broker groups orders\n"},
    {"lag", "TOPIC [GROUP]", "records not acknowledged", 1, 2, LAG, command_lag,
     "  broker lag orders\n"
     "  broker lag orders billing --max 1000 || alarm\n\n"
     "  --max N   exit status 1 when a group's lag is above N\n"},
    {"pending", "TOPIC [GROUP]", "records that consumers hold, and for how long", 1, 2, 0,
     command_pending, "  broker pending orders\n"},
    {"forget-source", "TOPIC FILE", "forget how far producer --resume came", 2, 2, 0,
     command_forget_source,
     "  broker forget-source logs app.log\n\nA topic remembers 128 files and forgets none by "
     "itself. Use this when a file is\nfinished, or when its path is used for another file, as "
     "after logrotate. Records\nalready sent stay; producer --resume sends the file from its start "
     "again.\n"},
    {"redrive", "TOPIC", "send dead letters back to their topic", 1, 1, 0, command_redrive,
     "  broker redrive orders\n\nEach record of TOPIC.dead that was not sent back yet returns to "
     "its partition of\nTOPIC, with its key and its own headers, and with no failed tries.\n"},
    {"status", "", "everything on one screen (works without a broker)", 0, 0, 0, command_status,
     "  broker status\n  broker status -v     also each producer and consumer\n  broker status -J  "
     "   one object a line; \"kind\" tells them apart\n"},
    {"wait", "TOPIC", "wait until a condition holds", 1, 1, WAIT, command_wait,
     "  broker wait orders --for exists --timeout 10s\n  broker wait orders --for drained && echo "
     "all done\n\n  --for GOAL     exists\n                 drained      a producer has attached, "
     "all have left, and\n                              every group has acknowledged everything\n  "
     "               sealed\n                 consumers=N  at least N consumers are attached\n  "
     "--timeout D    stop waiting after D, exit status 5 [never]\n"},
    {"ping", "", "check that the broker answers", 0, 0, 0, command_ping,
     "  broker ping && echo it lives\n"},
    {"stop", "", "end the broker and wait until it has ended", 0, 0, 0, command_stop,
     "  broker stop\n"},
    {"clean", "", "remove what dead brokers left behind", 0, 0, CLEAN, command_clean,
     "  broker clean --dry-run\n  broker clean -b test --all\n\nWithout -b (and MILLRACE_BUS) it "
     "cleans every bus of this user that has no\nbroker. What a live client uses is never "
     "removed.\n\n  --dry-run   show what would be removed\n  --all       also topics with "
     "unacknowledged records\n"},
};
#define COMMAND_CNT (sizeof commands / sizeof *commands)

/* ---- help ---- */

static const char everywhere[] =
    "  -b NAME   bus [$MILLRACE_BUS, else default]   -J  NDJSON instead of tables\n"
    "  -q  no notices   -v  more   --color auto|always|never  -h  help   -V  version\n";

void command_table_help(void)
{
    fputs("broker - serve a bus of topics between processes, inspect it, change it\n\n  broker     "
          "                            serve the bus \"default\" until Ctrl-C\n  broker -d -t "
          "orders,size=64M           in the background, with a topic\n  broker create buffer "
          "--max-records 5   a bounded buffer\n  broker status                          producers, "
          "consumers and their lag\n  broker stop                            end it\n\nUsage: "
          "broker [OPTIONS]\n       broker COMMAND [OPTIONS] [ARGS]   (see also broker COMMAND "
          "--help)\n\nServing:\n  --size BYTES       room of a topic that sets none [16M]\n  "
          "--full POLICY      when a topic is full: block, drop-oldest or fail [block]\n  --tries "
          "N          failed tries before a record goes to TOPIC.dead [3]\n  --no-auto-create   "
          "only \"broker create\" and -t create topics\n  --mode OCTAL       permissions of the "
          "segments [0600]\n  --owner-group NAME group of the segments (with --mode 0660)\n  -t "
          "NAME[,size=64M][,partitions=4][,max-records=N][,full=P][,max-record=B]\n     [,tries=N] "
          "     create this topic first (repeat for more)\n  -d                 continue in the "
          "background once ready\n  --ready-fd FD      write \"READY\\n\" there when clients can "
          "connect\n\nCommands:\n",
          stdout);
    for (size_t i = 0; i < COMMAND_CNT; i++)
        printf("  %-13s %-13s %s\n", commands[i].name, commands[i].operands, commands[i].summary);
    printf("\nEverywhere:\n%s"
           "\nExit status: 0 done, 1 failed, 2 usage, 3 no broker, 4 no topic, 5 timed out\n",
           everywhere);
}

void command_table_help_of(const struct command *command)
{
    printf("broker %s - %s\n\n%s\nUsage: broker %s [OPTIONS]%s%s\n\nEverywhere:\n%s", command->name,
           command->summary, command->help, command->name, *command->operands ? " " : "",
           command->operands, everywhere);
}

/* ---- by name ---- */

/* The command that an unknown word may have meant. A command that changes or ends something is
 * suggested only if it has the same first letter: not "stop" for "top". */
static const char *suggest(const char *word, const char **names)
{
    static const char *const others[][2] = {
        {"top", "status"}, {"ls", "list"}, {"rm", "delete"}, {"info", "describe"}};
    static const char *const harmless[] = {"list",   "describe", "groups", "lag", "pending",
                                           "status", "wait",     "ping",   NULL};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(word, others[i][0]) == 0)
            return others[i][1];
    const char *near = text_suggest(word, names);
    return near && *near != *word ? text_suggest(word, harmless) : near;
}

const struct command *command_table_find(const char *word, const char **near)
{
    const char *names[COMMAND_CNT + 1] = {0};

    for (size_t i = 0; i < COMMAND_CNT; i++) {
        names[i] = commands[i].name;
        if (strcmp(word, names[i]) == 0)
            return &commands[i];
    }
    *near = suggest(word, names);
    return NULL;
}
