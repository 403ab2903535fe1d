#include "options.h"
#include "cli/options.h"
#include "cli/program.h"
#include "command/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t day_ns = INT64_C(86400000000000);

/* Options that only make sense with a COMMAND. */
enum { COMMAND = 1 };

/* What the command line says beyond struct options. */
struct given {
    struct cli_line line;
    const char *format, *delimiter, *select;
    int envelope, zero, strings, position;
    enum progress { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER } progress;
};

static int call_help(const struct cli_option *option, const char *value)
{
    (void)option;
    (void)value;
    options_help();
    return CLI_END(program_flush());
}

static int call_position(const struct cli_option *option, const char *value)
{
    int error = position_parse(value, option->target);
    if (error == -ERANGE && *value == '@')
        return cli_wrong(option, value, "before 1970 or after 2262");
    if (error == -ERANGE)
        return cli_wrong(option, value, "too large");
    if (error < 0)
        return cli_wrong(option, value,
                         "not a position; use stored, beginning, end, N, +N, -N, @SECONDS or "
                         "@2026-11-21T03:36:31Z, a time that exists");
    return 0;
}

static int call_where(const struct cli_option *option, const char *value)
{
    struct take *take = option->target;
    struct where_fault fault;
    char lines[256];
    int error = where_compile(value, &take->where, &fault);
    take->where_text = value;
    if (error == -EINVAL)
        return cli_usage("--where: %s\n%s", fault.reason, where_point(lines, value, &fault));
    return error < 0 ? cli_usage("--where: out of memory") : 0;
}

/* ---- what fits together ---- */

static int set_format(struct options *out, const struct given *given)
{
    struct format *format = &out->take.format;
    char wrong[160] = "out of memory";
    const char *twice = "a name (out of memory)";
    if (given->envelope && given->format)
        return cli_usage("-J and -f %s exclude each other; choose one", given->format);
    if (format_init(format, given->format, wrong) < 0)
        return cli_usage("-f %s: %s", given->format, wrong);
    if (given->envelope)
        format->kind = FORMAT_ENVELOPE;
    if (given->strings && format->kind != FORMAT_JSON && format->kind != FORMAT_ENVELOPE)
        return cli_usage("--strings goes only with -f json and -J");
    format->strings = given->strings;
    if (given->envelope && given->select)
        return cli_usage("--select does not go with -J, which shows whole records; use -f json");
    if (given->select && select_parse(given->select, &format->select, wrong) < 0)
        return cli_usage("--select %s: %s", given->select, wrong);
    if (format->kind == FORMAT_JSON && select_twice(&format->select, &twice))
        return cli_usage("--select %s: %s is named twice; an object of -f json has each name once",
                         given->select, twice);
    if ((given->zero || given->delimiter) && format->kind != FORMAT_RAW)
        return cli_usage("%s goes only with -f raw", given->zero ? "-0" : "-D");
    if (given->zero && given->delimiter)
        return cli_usage("-0 and -D exclude each other; choose one");
    if (given->zero)
        format->delimiter = "";
    if (given->delimiter) {
        format->store = strdup(given->delimiter);
        ssize_t len = format->store ? format_unescape(format->store) : -ENOMEM;
        if (len < 0)
            return cli_usage("-D %s: unknown escape; use \\n, \\r, \\t, \\0 or \\\\",
                             given->delimiter);
        format->delimiter = format->store;
        format->delimiter_len = (size_t)len;
    }
    return 0;
}

static void set_progress(struct options *out, const struct given *given)
{
    /* On the terminal that shows the records it would disturb them. */
    int fits = given->progress == PROGRESS_AUTO && !program_quiet && isatty(STDERR_FILENO) &&
               !isatty(STDOUT_FILENO);
    out->take.progress = given->progress == PROGRESS_ALWAYS || fits;
}

static int check_together(const struct options *out, const struct given *given)
{
    const struct take *take = &out->take;
    int until_end = (take->flags & MR_UNTIL_END) != 0, peek = (take->flags & MR_PEEK) != 0,
        all = (take->flags & MR_PRIVATE) != 0;
    if (all && peek)
        return cli_usage("--all and --peek exclude each other; choose one");
    if (take->group && (all || peek))
        return cli_usage("-g %s and %s exclude each other; choose one", take->group,
                         all ? "--all" : "--peek");
    if (given->position && take->position.start == MR_START_STORED && (all || peek))
        return cli_usage("-o stored does not go with %s, which stores no position",
                         all ? "--all" : "--peek");
    if (peek && (take->flags & MR_ORDERED))
        return cli_usage("--ordered does not go with --peek, which takes no records");
    if (peek && take->no_ack)
        return cli_usage("--no-ack does not go with --peek, which takes no records");
    if (take->drain && until_end)
        return cli_usage("-e (the end as it is now) and --drain (the producers are done) exclude "
                         "each other; choose one");
    if (take->drain && (peek || take->no_ack))
        return cli_usage("--drain does not go with %s, which acknowledges nothing",
                         peek ? "--peek" : "--no-ack");
    if (program_quiet && program_verbose)
        return cli_usage("-q and -v exclude each other; choose one");
    return 0;
}

static int check_topics(const struct take *take)
{
    if (take->topic_cnt == 0)
        return cli_usage("no TOPIC given");
    if (take->topic_cnt > TOPICS_MAX)
        return cli_usage("%zu topics given; at most %u", take->topic_cnt, TOPICS_MAX);
    for (size_t i = 0; i < take->topic_cnt; i++) {
        const char *wrong = mr_name_check(MR_NAME_TOPIC, take->topic[i]);
        if (wrong)
            return cli_usage("bad name of a topic \"%s\": %s", take->topic[i], wrong);
        for (size_t k = 0; k < i; k++)
            if (strcmp(take->topic[i], take->topic[k]) == 0)
                return cli_usage("topic %s is given twice", take->topic[i]);
    }
    return 0;
}

/* Checks what goes with a COMMAND, and finds its program. */
static int check_command(struct options *out)
{
    struct command *command = &out->command;
    struct take *take = &out->take;
    if (!command->argv[0])
        return cli_usage("no COMMAND given after --");
    if (take->flags & MR_PEEK)
        return cli_usage("--peek does not go with a COMMAND, which takes the records");
    if (take->no_ack)
        return cli_usage("--no-ack does not go with a COMMAND, whose records are acknowledged");
    if (take->delay_ns > 0)
        return cli_usage("--delay does not go with a COMMAND; let the COMMAND sleep");
    if (take->window)
        return cli_usage("-w does not go with a COMMAND; --batch sets how many records it gets");
    if ((take->flags & MR_PRIVATE) && command->jobs > 1)
        return cli_usage(
            "--all and -j %u: a private group has one member; use a named group (-g NAME)",
            command->jobs);
    for (size_t i = 0; command->into && i < take->topic_cnt; i++)
        if (strcmp(command->into, take->topic[i]) == 0)
            return cli_usage("--into %s: the consumer would take its own output; use another topic",
                             command->into);
    int error = child_find(command->argv[0], &out->command_path);
    if (error < 0) {
        program_error("%s: %s", command->argv[0],
                      error == -ENOENT ? "no such command" : strerror(-error));
        return CLI_END(error == -ENOENT   ? EXIT_NOT_FOUND
                       : error == -ENOMEM ? EXIT_FAILED
                                          : EXIT_NOT_RUN);
    }
    command->path = out->command_path;
    command->wait_ns = out->wait_ns;
    command->jobs = command->jobs ? command->jobs : 1;
    command->batch = command->batch ? command->batch : 1;
    take->window = command->batch;
    return 0;
}

/* Reads the command line into *out and *given, unchecked but for each value by itself. */
static int read_line(int argc, char **argv, struct options *out, struct given *given)
{
    static const char *const on_fail[] = {"retry", "dead", "skip", "stop", NULL};
    static const char *const whens[] = {"auto", "always", "never", NULL};
    struct take *take = &out->take;
    struct command *command = &out->command;
    const struct cli_option options[] = {
        {'g', "group", CLI_NAME, .target = &take->group, .min = MR_NAME_GROUP},
        {0, "all", CLI_BITS, .target = &take->flags, .max = MR_PRIVATE},
        {0, "peek", CLI_BITS, .target = &take->flags, .max = MR_PEEK},
        {0, "ordered", CLI_BITS, .target = &take->flags, .max = MR_ORDERED},
        {0, "name", CLI_TEXT, .target = &out->name},
        {'o', "offset", CLI_CALL, .target = &take->position, .call = call_position},
        {'e', NULL, CLI_BITS, .target = &take->flags, .max = MR_UNTIL_END},
        {0, "drain", CLI_FLAG, .target = &take->drain},
        {'c', "count", CLI_COUNT, .target = &take->cnt, .min = 1, .max = UINT64_MAX - 1},
        {0, "timeout", CLI_DURATION, .target = &take->timeout_ns},
        {0, "max-seconds", CLI_DURATION, .target = &take->max_ns},
        {'f', "format", CLI_TEXT, .target = &given->format},
        {'J', NULL, CLI_FLAG, .target = &given->envelope},
        {0, "strings", CLI_FLAG, .target = &given->strings},
        {0, "where", CLI_CALL, .target = take, .call = call_where, .once = "join both with &&"},
        {0, "select", CLI_TEXT, .target = &given->select, .once = "one list, separated by commas"},
        {'0', NULL, CLI_FLAG, .target = &given->zero},
        {'D', NULL, CLI_TEXT, .target = &given->delimiter},
        {'j', "jobs", CLI_COUNT_32, .target = &command->jobs, .min = 1, .max = JOBS_MAX,
         .with = COMMAND, .hint = "start several consumers for more"},
        {0, "batch", CLI_COUNT_32, .target = &command->batch, .min = 1, .with = COMMAND},
        {0, "into", CLI_NAME, .target = &command->into, .min = MR_NAME_TOPIC, .with = COMMAND},
        {0, "on-fail", CLI_CHOICE, .target = &command->on_fail, .words = on_fail, .with = COMMAND},
        {0, "tries", CLI_COUNT_32, .target = &take->tries, .min = 1, .max = 1000, .with = COMMAND},
        {0, "backoff", CLI_DURATION, .target = &command->backoff_ns, .max = (uint64_t)day_ns,
         .with = COMMAND},
        {'b', "bus", CLI_NAME, .target = &out->bus, .min = MR_NAME_BUS},
        {0, "wait", CLI_DURATION, .target = &out->wait_ns},
        {'w', "window", CLI_COUNT_32, .target = &take->window, .min = 1},
        {0, "delay", CLI_DURATION, .target = &take->delay_ns},
        {0, "no-ack", CLI_FLAG, .target = &take->no_ack},
        {0, "stats", CLI_WORD, .target = &out->stats_path},
        {0, "progress", CLI_CHOICE, .target = &given->progress, .words = whens},
        {'q', "quiet", CLI_FLAG, .target = &program_quiet},
        {'v', "verbose", CLI_FLAG, .target = &program_verbose},
        {'h', "help", CLI_CALL_NOW, .call = call_help},
        {'V', "version", CLI_CALL_NOW, .call = cli_version},
    };
    const struct cli_option *wrong;
    char shown[CLI_SHOWN];
    int end;

    given->line = (struct cli_line){
        .options = options, .option_cnt = sizeof options / sizeof *options, .takes_command = 1};
    end = cli_parse(&given->line, argc, argv);
    wrong = given->line.command ? NULL : cli_given_other(&given->line, 0);
    if (!end && wrong)
        end = cli_usage(
            "%s goes only with a COMMAND: consumer [OPTIONS] TOPIC... -- COMMAND [ARG...]",
            cli_shown(shown, wrong));
    given->position = cli_given(&given->line, "offset");
    given->line.options = NULL; /* they end here */
    return end;
}

int options_parse(int argc, char **argv, struct options *out)
{
    struct given given = {0};
    int done;

    *out = (struct options){.take = {.timeout_ns = -1, .max_ns = -1, .fd = STDOUT_FILENO},
                            .wait_ns = INT64_C(5000000000)};
    done = read_line(argc, argv, out, &given);
    out->take.topic = (const char *const *)given.line.operand;
    out->take.topic_cnt = (size_t)given.line.operand_cnt;
    out->command.argv = given.line.command;
    if (!done)
        done = check_topics(&out->take);
    if (!done && out->command.argv)
        done = check_command(out);
    if (!out->take.window)
        out->take.window = out->take.delay_ns > 0 ? 1 : 1000;
    if (!done)
        done = check_together(out, &given);
    set_progress(out, &given);
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
