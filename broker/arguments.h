/* arguments.h - the options and operands of the broker's command line. */
#ifndef BROKER_ARGUMENTS_H
#define BROKER_ARGUMENTS_H

#include "cli/options.h"
#include "commands.h"
#include "serve.h"

/* What an option goes with. */
enum { SERVE = 1, CREATE = 2, DELETE = 4, CLEAN = 8, WAIT = 16, LAG = 32 };

struct arguments {
    struct command_line line;
    struct serve_options serve;
    int help, detach, no_auto_create;
    enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color;
    struct cli_option option[CLI_OPTIONS_MAX]; /* their targets are in here, too */
    struct cli_line given;
};

/* arguments_parse reads the command line. Returns as cli_parse. Call arguments_free in all
 * cases. */
int arguments_parse(struct arguments *args, int argc, char **argv);
void arguments_free(struct arguments *args);

/* arguments_check refuses options that do not go with accepts, which what names in the message.
 * Returns EXIT_OK, or an exit status with the message printed. */
int arguments_check(const struct arguments *args, unsigned accepts, const char *what);

#endif
