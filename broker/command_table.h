/* command_table.h - the commands by name: operands, options, help. */
#ifndef BROKER_COMMAND_TABLE_H
#define BROKER_COMMAND_TABLE_H

#include "arguments.h"

struct command {
    const char *name, *operands, *summary;
    int operands_min, operands_max;
    unsigned accepts;
    int (*run)(const struct command_line *line);
    const char *help;
};

/* command_table_find returns the command of that name; NULL: there is none, and *near is what may
 * have been meant, or NULL. */
const struct command *command_table_find(const char *word, const char **near);

/* command_table_help prints the help of the program, command_table_help_of that of a command. */
void command_table_help(void);
void command_table_help_of(const struct command *command);

#endif
