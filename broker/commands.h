/* commands.h - one function for each command of the broker. Each prints its own errors and
 * returns an exit status. */
#ifndef BROKER_COMMANDS_H
#define BROKER_COMMANDS_H

#include "table.h"

#include "millrace.h"

struct command_line {
    const char *bus; /* checked */
    int bus_named;   /* by -b or MILLRACE_BUS, not by default */
    int json, colour;
    int force, if_not_exists, dry_run, all;
    struct mr_settings settings; /* create */
    const char *wait_for;        /* NULL: not given */
    int64_t timeout_ns;          /* -1 for ever */
    uint64_t lag_max;            /* UINT64_MAX: no limit */
    int operand_cnt;
    char **operands; /* their number is checked */
};

/* topics.c */
int command_create(const struct command_line *line);
int command_list(const struct command_line *line);
int command_describe(const struct command_line *line);
int command_seal(const struct command_line *line);
int command_purge(const struct command_line *line);
int command_delete(const struct command_line *line);
/* inspect.c */
int command_status(const struct command_line *line);
int command_groups(const struct command_line *line);
int command_lag(const struct command_line *line);
int command_pending(const struct command_line *line);
/* control_commands.c */
int command_wait(const struct command_line *line);
int command_ping(const struct command_line *line);
int command_stop(const struct command_line *line);
/* forget_source.c */
int command_forget_source(const struct command_line *line);
/* redrive.c */
int command_redrive(const struct command_line *line);
/* clean.c */
int command_clean(const struct command_line *line);

/* Shared by the commands (topics.c). Both return an exit status, with the error printed.
 * command_connect: flags as in mr_connect_options. command_topic: opens operand `name`. */
int command_connect(const struct command_line *line, uint32_t flags, struct mr_bus **out);
int command_topic(struct mr_bus *bus, const char *name, struct mr_topic **out);
/* command_each calls visit for every topic that can be opened, and reports the others. Returns
 * the worst exit status; a lack of permission is not a failure. */
int command_each(struct mr_bus *bus, int (*visit)(struct mr_topic *topic, void *arg), void *arg);
/* command_state: "open", "sealed", "deleted", "damaged". */
const char *command_state(const struct mr_topic_info *info);
/* command_figure adds a figure of a topic to a table: "-" if the topic is damaged and it is
 * unknown. */
void command_figure(struct table *table, const struct mr_topic_info *info, uint64_t figure);
const char *command_full(uint32_t full); /* "block", "drop-oldest", "fail" */
/* command_group finds a group by its name. Returns its slot; -ENOENT; or another negative errno
 * if that is unknown. */
int command_group(const struct mr_topic *topic, const char *name, struct mr_group_info *out);

#endif
