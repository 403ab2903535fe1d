/* options.h - the consumer's command line, checked as a whole. */
#ifndef CONSUMER_OPTIONS_H
#define CONSUMER_OPTIONS_H

#include "command/command.h"
#include "run.h"

struct options {
    struct take take;
    struct command command; /* in use if its argv is set */
    char *command_path;
    const char *bus;        /* NULL: $MILLRACE_BUS, else "default" */
    const char *name;       /* NULL: "consumer" */
    int64_t wait_ns;        /* for a broker */
    const char *stats_path; /* NULL: none */
};

/* options_parse reads the command line; --help and --version are answered here.
 * Returns  0 go on with *out, whose texts lie in argv; else 1 + the exit status to end with
 *          (everything is said). */
int options_parse(int argc, char **argv, struct options *out);
void options_free(struct options *options);

/* options_help prints the answer to --help. */
void options_help(void);

#endif
