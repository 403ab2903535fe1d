/* arguments.h - the options and operands of the broker's command line. */
#ifndef BROKER_ARGUMENTS_H
#define BROKER_ARGUMENTS_H

#include "commands.h"
#include "serve.h"

/* Which options go with what. */
enum { SERVE = 1, CREATE = 2, DELETE = 4, CLEAN = 8, WAIT = 16, LAG = 32, EVERYWHERE = 64 };

struct arguments {
    struct command_line line;
    struct serve_options serve;
    int help, version, detach;
    const char *color;
    int given[64]; /* options that were, for goes_with */
    size_t given_cnt;
};

/* arguments_parse reads the command line. arguments_check refuses options that do not go with
 * accepts; what names that in the message. Both return EXIT_OK, or an exit status with the message
 * printed. arguments_free is due in all cases. */
int arguments_parse(struct arguments *args, int argc, char **argv);
int arguments_check(const struct arguments *args, unsigned accepts, const char *what);
void arguments_free(struct arguments *args);

#endif
