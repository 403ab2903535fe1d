#include "options.h"
#include "cli/program.h"
#include "command/child.h"
#include "text/text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ALL = 256,
    PEEK,
    ORDERED,
    NAME,
    DRAIN,
    TIMEOUT,
    MAX_SECONDS,
    STRINGS,
    WAIT,
    DELAY,
    NO_ACK,
    STATS,
    PROGRESS,
    BATCH,
    INTO,
    ON_FAIL,
    TRIES,
    BACKOFF,
    WHERE,
    SELECT
};

static const struct option long_options[] = {
    {"group", required_argument, NULL, 'g'},
    {"all", no_argument, NULL, ALL},
    {"peek", no_argument, NULL, PEEK},
    {"ordered", no_argument, NULL, ORDERED},
    {"name", required_argument, NULL, NAME},
    {"offset", required_argument, NULL, 'o'},
    {"drain", no_argument, NULL, DRAIN},
    {"count", required_argument, NULL, 'c'},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"max-seconds", required_argument, NULL, MAX_SECONDS},
    {"format", required_argument, NULL, 'f'},
    {"strings", no_argument, NULL, STRINGS},
    {"where", required_argument, NULL, WHERE},
    {"select", required_argument, NULL, SELECT},
    {"jobs", required_argument, NULL, 'j'},
    {"batch", required_argument, NULL, BATCH},
    {"into", required_argument, NULL, INTO},
    {"on-fail", required_argument, NULL, ON_FAIL},
    {"tries", required_argument, NULL, TRIES},
    {"backoff", required_argument, NULL, BACKOFF},
    {"bus", required_argument, NULL, 'b'},
    {"wait", required_argument, NULL, WAIT},
    {"window", required_argument, NULL, 'w'},
    {"delay", required_argument, NULL, DELAY},
    {"no-ack", no_argument, NULL, NO_ACK},
    {"stats", required_argument, NULL, STATS},
    {"progress", required_argument, NULL, PROGRESS},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* What was given, beside what struct options can tell: for the checks at the end. */
struct given {
    const char *format, *delimiter, *position, *progress, *select;
    int envelope, zero, strings;
    const char *command; /* an option that is only for a COMMAND */
};

static int usage(int status)
{
    return 1 + status;
}

static int bad_value(const char *option, const char *value, int error, const char *wanted)
{
    return usage(program_usage("%s %s: %s; wanted: %s", option, value,
                               error == -ERANGE ? "too large" : "not understood", wanted));
}

static int parse_duration(const char *option, const char *value, int64_t *out)
{
    int error = text_duration(value, out);
    return error < 0 ? bad_value(option, value, error, "a duration such as 250ms, 5s, 2m") : 0;
}

/* A count of at least 1 and at most max. */
static int parse_count(const char *option, const char *value, uint64_t max, uint64_t *out)
{
    uint64_t cnt;
    int error = text_count(value, &cnt);
    if (error == 0 && cnt > max)
        error = -ERANGE;
    if (error < 0 || cnt == 0)
        return bad_value(option, value, error, "a number from 1 on, such as 100 or 10k");
    *out = cnt;
    return 0;
}

static int parse_group(const char *value, struct options *out)
{
    const char *wrong = mr_name_check('g', value);
    if (wrong)
        return usage(program_usage("-g %s: bad name of a group: %s", value, wrong));
    out->take.group = value;
    return 0;
}

static int parse_where(const char *value, struct take *take)
{
    struct where_fault fault;
    char lines[256];
    if (take->where)
        return usage(program_usage("--where is given twice; join both with &&"));
    int error = where_compile(value, &take->where, &fault);
    take->where_text = value;
    if (error == -EINVAL)
        return usage(
            program_usage("--where: %s\n%s", fault.reason, where_point(lines, value, &fault)));
    return error < 0 ? usage(program_usage("--where: out of memory")) : 0;
}

static int parse_on_fail(const char *value, enum on_fail *out)
{
    static const char *const words[] = {"retry", "dead", "skip", "stop", NULL};
    for (int i = 0; words[i]; i++)
        if (strcmp(value, words[i]) == 0) {
            *out = (enum on_fail)i;
            return 0;
        }
    const char *near = text_suggest(value, words);
    return usage(program_usage("--on-fail %s: wanted: retry, dead, skip or stop%s%s%s", value,
                               near ? " (did you mean " : "", near ? near : "", near ? "?)" : ""));
}

/* One of those that are about COMMAND. */
static int take_command_option(int letter, char *value, struct command *command,
                               struct given *given)
{
    uint64_t number = 0;
    int error = 0;
    switch (letter) {
    case 'j':
        given->command = "-j";
        error = parse_count("-j", value, UINT32_MAX, &number);
        if (!error && number > JOBS_MAX)
            error = usage(program_usage("-j %s: at most %u; start several consumers for more",
                                        value, JOBS_MAX));
        command->jobs = (uint32_t)number;
        return error;
    case BATCH:
        given->command = "--batch";
        error = parse_count("--batch", value, UINT32_MAX, &number);
        command->batch = (uint32_t)number;
        return error;
    case INTO: {
        given->command = "--into";
        const char *wrong = mr_name_check('t', value);
        if (wrong)
            return usage(program_usage("--into %s: bad name of a topic: %s", value, wrong));
        command->into = value;
        return 0;
    }
    case ON_FAIL:
        given->command = "--on-fail";
        return parse_on_fail(value, &command->on_fail);
    case TRIES:
        given->command = "--tries";
        error = parse_count("--tries", value, UINT32_MAX, &number);
        if (!error && number > 1000)
            error = usage(program_usage("--tries %s: at most 1000", value));
        command->tries = (uint32_t)number;
        return error;
    default:
        given->command = "--backoff";
        error = parse_duration("--backoff", value, &command->backoff_ns);
        if (!error && command->backoff_ns > INT64_C(86400000000000))
            error = usage(program_usage("--backoff %s: at most one day", value));
        return error;
    }
}

/* One option. Returns 0, or 1 + an exit status. */
static int take_option(int letter, char *value, struct options *out, struct given *given)
{
    struct take *take = &out->take;
    uint64_t number = 0;
    int error;
    switch (letter) {
    case 'g':
        return parse_group(value, out);
    case ALL:
        take->flags |= MR_PRIVATE;
        break;
    case PEEK:
        take->flags |= MR_PEEK;
        break;
    case ORDERED:
        take->flags |= MR_ORDERED;
        break;
    case NAME:
        out->name = value;
        break;
    case 'o':
        given->position = value;
        error = position_parse(value, &take->position);
        if (error == -ERANGE && *value == '@')
            return usage(program_usage("-o %s: before 1970 or after 2262", value));
        return error < 0 ? bad_value("-o", value, error,
                                     "stored, beginning, end, N, +N, -N, @SECONDS or "
                                     "@2026-11-21T03:36:31Z, a time that exists")
                         : 0;
    case 'e':
        take->flags |= MR_UNTIL_END;
        break;
    case DRAIN:
        take->drain = 1;
        break;
    case 'c':
        return parse_count("-c", value, UINT64_MAX - 1, &take->cnt);
    case TIMEOUT:
        return parse_duration("--timeout", value, &take->timeout_ns);
    case MAX_SECONDS:
        return parse_duration("--max-seconds", value, &take->max_ns);
    case 'f':
        given->format = value;
        break;
    case 'J':
        given->envelope = 1;
        break;
    case STRINGS:
        given->strings = 1;
        break;
    case WHERE:
        return parse_where(value, take);
    case SELECT:
        if (given->select)
            return usage(program_usage("--select is given twice; one list, separated by commas"));
        given->select = value;
        break;
    case '0':
        given->zero = 1;
        break;
    case 'D':
        given->delimiter = value;
        break;
    case 'b':
        out->bus = value;
        break;
    case WAIT:
        return parse_duration("--wait", value, &out->wait_ns);
    case 'w':
        error = parse_count("-w", value, UINT32_MAX, &number);
        take->window = (uint32_t)number;
        return error;
    case DELAY:
        return parse_duration("--delay", value, &take->delay_ns);
    case NO_ACK:
        take->no_ack = 1;
        break;
    case STATS:
        out->stats_path = value;
        break;
    case PROGRESS:
        given->progress = value;
        break;
    case 'j':
    case BATCH:
    case INTO:
    case ON_FAIL:
    case TRIES:
    case BACKOFF:
        return take_command_option(letter, value, &out->command, given);
    case 'q':
        program_quiet = 1;
        break;
    case 'v':
        program_verbose = 1;
        break;
    default:
        break;
    }
    return 0;
}

static int unknown_option(const char *word)
{
    const char *names[sizeof long_options / sizeof long_options[0]];
    size_t cnt = 0;
    if (optopt && optopt < 256)
        return usage(program_usage("unknown option -%c", optopt));
    for (const struct option *option = long_options; option->name; option++)
        names[cnt++] = option->name;
    names[cnt] = NULL;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *near = text_suggest(name, names);
    return usage(program_usage("unknown, ambiguous or misused option %s%s%s%s", word,
                               near ? " (did you mean --" : "", near ? near : "",
                               near ? "?)" : ""));
}

static int set_format(struct options *out, const struct given *given)
{
    struct format *format = &out->take.format;
    char wrong[160] = "out of memory";
    const char *twice = "a name (but memory ran out)";
    if (given->envelope && given->format)
        return usage(program_usage("-J and -f %s are two formats; choose one", given->format));
    if (format_init(format, given->format, wrong) < 0)
        return usage(program_usage("-f %s: %s", given->format, wrong));
    if (given->envelope)
        format->kind = FORMAT_ENVELOPE;
    if (given->strings && format->kind != FORMAT_JSON && format->kind != FORMAT_ENVELOPE)
        return usage(program_usage("--strings is for -f json and -J"));
    format->strings = given->strings;
    if (given->envelope && given->select)
        return usage(
            program_usage("--select and -J: an envelope carries its whole record; take -f json"));
    if (given->select && select_parse(given->select, &format->select, wrong) < 0)
        return usage(program_usage("--select %s: %s", given->select, wrong));
    if (format->kind == FORMAT_JSON && select_twice(&format->select, &twice))
        return usage(program_usage(
            "--select %s: an object of -f json has each name once, and %s is there twice",
            given->select, twice));
    if ((given->zero || given->delimiter) && format->kind != FORMAT_RAW)
        return usage(program_usage("%s is for -f raw", given->zero ? "-0" : "-D"));
    if (given->zero && given->delimiter)
        return usage(program_usage("-0 and -D are two delimiters; choose one"));
    if (given->zero)
        format->delimiter = "";
    if (given->delimiter) {
        format->store = strdup(given->delimiter);
        ssize_t len = format->store ? format_unescape(format->store) : -ENOMEM;
        if (len < 0)
            return usage(program_usage("-D %s: after a backslash comes one of n r t 0 \\",
                                       given->delimiter));
        format->delimiter = format->store;
        format->delimiter_len = (size_t)len;
    }
    return 0;
}

static int set_progress(struct options *out, const struct given *given)
{
    const char *when = given->progress ? given->progress : "auto";
    int always = strcmp(when, "always") == 0;
    if (!always && strcmp(when, "auto") != 0 && strcmp(when, "never") != 0)
        return usage(program_usage("--progress %s: wanted: auto, always or never", when));
    /* With the records on the same terminal it would only stand in the way. */
    int fits = strcmp(when, "auto") == 0 && !program_quiet && isatty(STDERR_FILENO) &&
               !isatty(STDOUT_FILENO);
    out->take.progress = always || fits;
    return 0;
}

static int check_together(const struct options *out, const struct given *given)
{
    const struct take *take = &out->take;
    int until_end = (take->flags & MR_UNTIL_END) != 0, peek = (take->flags & MR_PEEK) != 0,
        all = (take->flags & MR_PRIVATE) != 0;
    if (all && peek)
        return usage(program_usage("--all takes, --peek only looks; choose one"));
    if (take->group && (all || peek))
        return usage(program_usage("-g %s and %s: it has no part in a named group; choose one",
                                   take->group, all ? "--all" : "--peek"));
    if (given->position && take->position.start == MR_START_STORED && (all || peek))
        return usage(
            program_usage("-o stored and %s: nothing is stored for it", all ? "--all" : "--peek"));
    if (peek && (take->flags & MR_ORDERED))
        return usage(
            program_usage("--ordered and --peek: it takes nothing that could be in order"));
    if (peek && take->no_ack)
        return usage(
            program_usage("--no-ack and --peek: it takes nothing that could be acknowledged"));
    if (take->drain && until_end)
        return usage(program_usage(
            "-e ends at what is there now, --drain when nothing more comes; choose one"));
    if (take->drain && (peek || take->no_ack))
        return usage(program_usage("--drain waits for acknowledgements, %s gives none",
                                   peek ? "--peek" : "--no-ack"));
    if (program_quiet && program_verbose)
        return usage(program_usage("-q and -v contradict each other"));
    return 0;
}

static int check_topics(const struct take *take)
{
    if (take->topic_cnt == 0)
        return usage(program_usage("which TOPIC?"));
    if (take->topic_cnt > TOPICS_MAX)
        return usage(program_usage("%zu topics; at most %u", take->topic_cnt, TOPICS_MAX));
    for (size_t i = 0; i < take->topic_cnt; i++) {
        const char *wrong = mr_name_check('t', take->topic[i]);
        if (wrong)
            return usage(program_usage("bad name of a topic \"%s\": %s", take->topic[i], wrong));
        for (size_t k = 0; k < i; k++)
            if (strcmp(take->topic[i], take->topic[k]) == 0)
                return usage(program_usage("topic %s is given twice", take->topic[i]));
    }
    return 0;
}

/* What goes together with COMMAND, and whether there is such a program. */
static int check_command(struct options *out, const struct given *given)
{
    struct command *command = &out->command;
    struct take *take = &out->take;
    if (!command->argv) {
        if (given->command)
            return usage(program_usage(
                "%s is about a COMMAND: consumer [OPTIONS] TOPIC... -- COMMAND [ARG...]",
                given->command));
        return 0;
    }
    if (!command->argv[0])
        return usage(program_usage("which COMMAND, after --?"));
    if (take->flags & MR_PEEK)
        return usage(
            program_usage("--peek only looks, a COMMAND takes the records; leave one out"));
    if (take->no_ack)
        return usage(program_usage(
            "--no-ack and a COMMAND: what it has done is acknowledged; leave one out"));
    if (take->delay_ns > 0)
        return usage(program_usage("--delay is for printing; let the COMMAND sleep"));
    if (take->window)
        return usage(
            program_usage("-w is for printing; --batch says how many records a COMMAND gets"));
    if ((take->flags & MR_PRIVATE) && command->jobs > 1)
        return usage(program_usage(
            "--all and -j %u: the private group has one member; take a group of its own (-g NAME)",
            command->jobs));
    for (size_t i = 0; command->into && i < take->topic_cnt; i++)
        if (strcmp(command->into, take->topic[i]) == 0)
            return usage(
                program_usage("--into %s: it would take what it puts there", command->into));
    int error = child_find(command->argv[0], &out->command_path);
    if (error < 0) {
        program_error("%s: %s", command->argv[0],
                      error == -ENOENT ? "no such command" : strerror(-error));
        return 1 + (error == -ENOENT   ? EXIT_NOT_FOUND
                    : error == -ENOMEM ? EXIT_FAILED
                                       : EXIT_NOT_RUN);
    }
    command->path = out->command_path;
    command->wait_ns = out->wait_ns;
    command->jobs = command->jobs ? command->jobs : 1;
    command->batch = command->batch ? command->batch : 1;
    take->command = command;
    take->window = command->batch;
    return 0;
}

int options_parse(int argc, char **argv, struct options *out)
{
    struct given given = {0};
    int letter, done = 0, topics = 0;
    const char *last = NULL;
    *out = (struct options){.take = {.timeout_ns = -1, .max_ns = -1, .fd = STDOUT_FILENO},
                            .wait_ns = INT64_C(5000000000)};
    opterr = 0;
    optind = 1;
    while (!done && (letter = getopt_long(argc, argv, "-:g:o:ec:f:J0D:j:b:w:qvhV", long_options,
                                          NULL)) != -1) {
        last = optarg;
        switch (letter) {
        case 1: /* an operand; the room of what is read already will do */
            argv[1 + topics++] = optarg;
            break;
        case 'h':
            options_help();
            done = 1 + program_flush();
            break;
        case 'V':
            puts("consumer (Millrace) " MR_VERSION);
            done = 1 + program_flush();
            break;
        case ':':
            done = usage(program_usage("option %s wants a value", argv[optind - 1]));
            break;
        case '?':
            done = unknown_option(argv[optind - 1]);
            break;
        default:
            done = take_option(letter, optarg, out, &given);
            break;
        }
    }
    out->take.topic = (const char *const *)(argv + 1);
    out->take.topic_cnt = (size_t)topics;
    /* and not an option's value */
    if (!done && argv[optind - 1] != last && strcmp(argv[optind - 1], "--") == 0)
        out->command.argv = argv + optind;
    if (!done)
        done = check_topics(&out->take);
    if (!done)
        done = check_command(out, &given);
    if (!out->take.window)
        out->take.window = out->take.delay_ns > 0 ? 1 : 1000;
    if (!done)
        done = check_together(out, &given);
    if (!done)
        done = set_progress(out, &given);
    if (!done)
        done = set_format(out, &given);
    if (done)
        options_free(out);
    return done;
}

void options_free(struct options *options)
{
    format_free(&options->take.format);
    where_free(options->take.where);
    options->take.where = NULL;
    free(options->command_path);
    options->command_path = NULL;
}
