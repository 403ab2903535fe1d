/* arguments.c - see arguments.h. */
#include "arguments.h"
#include "cli/program.h"
#include "core/client.h"
#include "settings.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int number(const char *text, int base, long max, long *out)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, base);
    if (errno || end == text || *end || n < 0 || n > max)
        return -EINVAL;
    *out = n;
    return 0;
}

static int call_owner_group(const struct cli_option *option, const char *value)
{
    long gid;
    gid_t *out = option->target;
    const struct group *group = getgrnam(value);
    if (group)
        *out = group->gr_gid;
    else if (number(value, 10, 0x7fffffff, &gid) == 0)
        *out = (gid_t)gid;
    else
        return cli_wrong(option, value, "no such group");
    return 0;
}

static int call_mode(const struct cli_option *option, const char *value)
{
    long mode;
    if (number(value, 8, 0777, &mode) < 0 || (mode & 0600) != 0600 || (mode & 0111))
        return cli_wrong(option, value,
                         "not octal permissions such as 0600 or 0660: the owner must read and "
                         "write, and execution is not allowed");
    *(uint32_t *)option->target = (uint32_t)mode;
    return 0;
}

static int call_ready_fd(const struct cli_option *option, const char *value)
{
    long fd;
    if (number(value, 10, 0x7fffffff, &fd) < 0 || fcntl((int)fd, F_GETFD) < 0)
        return cli_wrong(option, value, "not an open descriptor");
    *(int *)option->target = (int)fd;
    return 0;
}

static int call_setting(const struct cli_option *option, const char *value)
{
    const char *wrong = setting_parse(option->target, option->name, value);
    return wrong ? cli_wrong(option, value, "%s", wrong) : 0;
}

static int call_topic(const struct cli_option *option, const char *value)
{
    struct serve_options *serve = option->target;
    struct topic_spec *more = realloc(serve->specs, (serve->spec_cnt + 1) * sizeof *more);
    if (!more)
        return cli_wrong(option, value, "out of memory");
    serve->specs = more;
    more[serve->spec_cnt] = (struct topic_spec){0};
    /* spec_parse cuts it into pieces: it lies in argv, which may be written */
    const char *where = value;
    const char *wrong = spec_parse(&more[serve->spec_cnt++], (char *)value, &where);
    return wrong ? cli_wrong(option, where, "%s", wrong) : 0;
}

static int read_line(struct arguments *args, int argc, char **argv)
{
    static const char *const colors[] = {"auto", "always", "never", NULL};
    struct command_line *line = &args->line;
    struct serve_options *serve = &args->serve;
    const struct cli_option options[] = {
        {'b', "bus", CLI_NAME, .target = &line->bus, .min = MR_NAME_BUS},
        {'J', "json", CLI_FLAG, .target = &line->json},
        {'q', "quiet", CLI_FLAG, .target = &program_quiet},
        {'v', "verbose", CLI_FLAG, .target = &program_verbose},
        {0, "color", CLI_CHOICE, .target = &args->color, .words = colors},
        {'h', "help", CLI_FLAG, .target = &args->help},
        {'V', "version", CLI_CALL_NOW, .call = cli_version},
        {0, "size", CLI_CALL, .target = &line->settings, .call = call_setting,
         .with = SERVE | CREATE},
        {0, "full", CLI_CALL, .target = &line->settings, .call = call_setting,
         .with = SERVE | CREATE},
        {0, "tries", CLI_CALL, .target = &line->settings, .call = call_setting,
         .with = SERVE | CREATE},
        {0, "max-records", CLI_CALL, .target = &line->settings, .call = call_setting,
         .with = CREATE},
        {0, "partitions", CLI_CALL, .target = &line->settings, .call = call_setting,
         .with = CREATE},
        {0, "max-record", CLI_CALL, .target = &line->settings, .call = call_setting,
         .with = CREATE},
        {0, "if-not-exists", CLI_FLAG, .target = &line->if_not_exists, .with = CREATE},
        {0, "force", CLI_FLAG, .target = &line->force, .with = DELETE},
        {0, "dry-run", CLI_FLAG, .target = &line->dry_run, .with = CLEAN},
        {0, "all", CLI_FLAG, .target = &line->all, .with = CLEAN},
        {0, "for", CLI_TEXT, .target = &line->wait_for, .with = WAIT},
        {0, "timeout", CLI_DURATION, .target = &line->timeout_ns, .with = WAIT},
        {0, "max", CLI_COUNT, .target = &line->lag_max, .with = LAG},
        {0, "no-auto-create", CLI_FLAG, .target = &args->no_auto_create, .with = SERVE},
        {0, "mode", CLI_CALL, .target = &serve->defaults.mode, .call = call_mode, .with = SERVE},
        {0, "owner-group", CLI_CALL, .target = &serve->group, .call = call_owner_group,
         .with = SERVE},
        {0, "ready-fd", CLI_CALL, .target = &serve->ready_fds[0], .call = call_ready_fd,
         .with = SERVE},
        {'d', "detach", CLI_FLAG, .target = &args->detach, .with = SERVE},
        {'t', "topic", CLI_CALL, .target = serve, .call = call_topic, .with = SERVE},
    };
    static_assert(sizeof options <= sizeof args->option, "a table has at most CLI_OPTIONS_MAX");
    memcpy(args->option, options, sizeof options);
    args->given =
        (struct cli_line){.options = args->option, .option_cnt = sizeof options / sizeof *options};
    int end = cli_parse(&args->given, argc, argv);
    line->operands = args->given.operand;
    line->operand_cnt = args->given.operand_cnt;
    serve->automatic = !args->no_auto_create;
    return end;
}

static int is_coloured(const struct arguments *args)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    if (args->color != COLOR_AUTO)
        return args->color == COLOR_ALWAYS;
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

int arguments_parse(struct arguments *args, int argc, char **argv)
{
    *args = (struct arguments){
        .line = {.timeout_ns = -1, .lag_max = UINT64_MAX},
        .serve = {.defaults = {.size_bytes = 16u << 20,
                               .partitions = 1,
                               .full = MR_FULL_BLOCK,
                               .tries = 3,
                               .mode = 0600},
                  .group = (gid_t)-1,
                  .ready_fds = {-1, -1}},
    };
    int end = read_line(args, argc, argv);
    if (end)
        return end;
    args->line.bus_named = args->line.bus != NULL;
    if (!args->line.bus) {
        const char *bus = getenv("MILLRACE_BUS");
        args->line.bus_named = bus && *bus;
        args->line.bus = args->line.bus_named ? bus : "default";
        const char *wrong = mr_name_check(MR_NAME_BUS, args->line.bus);
        if (wrong)
            return cli_usage("MILLRACE_BUS=%s: bad name of a bus: %s", args->line.bus, wrong);
    }
    args->line.colour = is_coloured(args);
    return 0;
}

int arguments_check(const struct arguments *args, unsigned accepts, const char *what)
{
    const struct cli_option *other = cli_given_other(&args->given, accepts);
    char shown[CLI_SHOWN];
    if (other)
        return program_usage("%s cannot be used with %s", cli_shown(shown, other), what);
    return EXIT_OK;
}

void arguments_free(struct arguments *args)
{
    free(args->serve.specs);
}
