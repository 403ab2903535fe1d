/* options.h - the command line of the three programs, read by a table: one parser, one wording of
 * usage errors. */
#ifndef COMMON_CLI_OPTIONS_H
#define COMMON_CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

/* What an option takes, and what its target is. */
enum cli_kind {
    CLI_FLAG,     /* nothing; int: becomes 1 */
    CLI_BITS,     /* nothing; uint32_t: gets the bits of max */
    CLI_TEXT,     /* a text; const char *, which points into argv, as those below */
    CLI_WORD,     /* a text that is not empty */
    CLI_NAME,     /* the name of a bus, topic or group, as min says: enum mr_name_kind */
    CLI_COUNT,    /* "1000", "10k"; uint64_t in [min, max] */
    CLI_COUNT_32, /* the same; uint32_t, or int32_t if max fits */
    CLI_DURATION, /* "250ms", "5s"; int64_t nanoseconds in [min, max] */
    CLI_CHOICE,   /* one of words; int or an enum: its index */
    CLI_CALL,     /* a value, for call */
    CLI_CALL_NOW, /* nothing; call gets NULL as its value */
};

struct cli_option {
    char letter;      /* 0: it has none */
    const char *name; /* without "--"; NULL: it has none */
    enum cli_kind kind;
    void *target;
    uint64_t min, max;        /* max 0: no limit */
    const char *const *words; /* of CLI_CHOICE; NULL-terminated */
    /* of CLI_CALL: returns what cli_parse shall return if that is not 0 */
    int (*call)(const struct cli_option *option, const char *value);
    unsigned with;    /* what it goes with, in the program's own bits; 0: with everything */
    const char *once; /* if not NULL: it cannot be given twice, and what to do instead */
    const char *hint; /* ends the message about a number that is out of range; may be NULL */
};

#define CLI_OPTIONS_MAX 64u

struct cli_line {
    const struct cli_option *options;
    size_t option_cnt; /* at most CLI_OPTIONS_MAX */
    int takes_command; /* what follows "--" is no operand but a command */

    uint64_t given; /* bit i: options[i] was given */
    char **operand; /* they lie in argv, in their order */
    int operand_cnt;
    char **command; /* NULL: no "--" */
};

/* What ends a program before it has begun: 1 + its exit status. */
#define CLI_END(status) (1 + (status))

/* cli_parse reads argv[1..] in its order; operands and options may be mixed, and a long option may
 * be shortened as long as it stays the only one. line: options, option_cnt and takes_command are
 * set, the rest is zero. argv's pointers are moved, not its texts.
 * Returns 0; else CLI_END of the exit status to end with, after having said what is wrong. */
int cli_parse(struct cli_line *line, int argc, char **argv);

/* cli_given: 1 if the option of that long name ("timeout") was given. */
int cli_given(const struct cli_line *line, const char *name);

/* cli_given_other: the first option given that does not go with any of these bits; NULL: none. */
const struct cli_option *cli_given_other(const struct cli_line *line, unsigned with);

/* cli_shown writes an option as it stands on the command line: "-c", or "--timeout" if it has no
 * letter. Returns buf. */
#define CLI_SHOWN 32
const char *cli_shown(char buf[static CLI_SHOWN], const struct cli_option *option);

/* cli_wrong prints the usage error "-o VALUE: text". Returns CLI_END(EXIT_USAGE). */
int cli_wrong(const struct cli_option *option, const char *value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* cli_usage prints any other usage error, by program_usage. Evaluates to CLI_END(EXIT_USAGE). */
#define cli_usage(...) CLI_END(program_usage(__VA_ARGS__))

/* cli_version is the call of --version: prints "NAME (Millrace) VERSION" and ends the program. */
int cli_version(const struct cli_option *option, const char *value);

#endif
