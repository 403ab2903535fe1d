/* commands.h - what broker does beside serving: one function a command. Each prints its own errors and returns an exit status. */
#ifndef MR_BROKER_COMMANDS_H
#define MR_BROKER_COMMANDS_H

#include "table.h"

#include "millrace.h"

struct mr_command_line {
    const char *bus; /* checked */
    int bus_named;   /* by -b or MILLRACE_BUS, not by default */
    int json, colour;
    int force, if_not_exists, dry_run, all;
    struct mr_settings settings; /* create */
    const char *wait_for;        /* NULL: not given */
    int64_t timeout_ns;          /* -1 for ever */
    uint64_t lag_max;            /* UINT64_MAX: no limit */
    int operand_cnt;
    char **operands; /* their number was checked */
};

/* topics.c */
int mr_command_create(const struct mr_command_line *line);
int mr_command_list(const struct mr_command_line *line);
int mr_command_describe(const struct mr_command_line *line);
int mr_command_seal(const struct mr_command_line *line);
int mr_command_purge(const struct mr_command_line *line);
int mr_command_delete(const struct mr_command_line *line);
/* inspect.c */
int mr_command_status(const struct mr_command_line *line);
int mr_command_groups(const struct mr_command_line *line);
int mr_command_lag(const struct mr_command_line *line);
int mr_command_pending(const struct mr_command_line *line);
/* control_commands.c */
int mr_command_wait(const struct mr_command_line *line);
int mr_command_ping(const struct mr_command_line *line);
int mr_command_stop(const struct mr_command_line *line);
/* forget_source.c */
int mr_command_forget_source(const struct mr_command_line *line);
/* redrive.c */
int mr_command_redrive(const struct mr_command_line *line);
/* clean.c */
int mr_command_clean(const struct mr_command_line *line);

/* What they share (topics.c). Both return an exit status, after having printed why when it is not 0.
 * mr_command_connect: flags as in mr_connect_options. mr_command_topic: opens operand `name`. */
int mr_command_connect(const struct mr_command_line *line, uint32_t flags, struct mr_bus **out);
int mr_command_topic(struct mr_bus *bus, const char *name, struct mr_topic **out);
/* mr_command_each calls visit for every topic that can be opened, and says which cannot. Returns
 * the worst exit status; that we lack the rights to a topic is none. */
int mr_command_each(struct mr_bus *bus, int (*visit)(struct mr_topic *topic, void *arg), void *arg);
/* mr_command_state: "open", "sealed", "deleted", "damaged". */
const char *mr_command_state(const struct mr_topic_info *info);
/* mr_command_figure adds a figure of a topic to a table: "-" if the topic is damaged, for then it
 * is not known. */
void mr_command_figure(struct mr_table *table, const struct mr_topic_info *info, uint64_t figure);
const char *mr_command_full(uint32_t full); /* "block", "drop-oldest", "fail" */
/* mr_command_group finds a group by its name. Returns its slot; -ENOENT; or another negative errno:
 * it cannot be told. */
int mr_command_group(const struct mr_topic *topic, const char *name, struct mr_group_info *out);

#endif
