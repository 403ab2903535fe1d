/* arguments.c - see arguments.h. */
#include "arguments.h"
#include "cli/program.h"
#include "core/client.h"
#include "settings.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPT_COLOR = 256,
    OPT_SIZE,
    OPT_MAX_RECORDS,
    OPT_PARTITIONS,
    OPT_FULL,
    OPT_MAX_RECORD,
    OPT_TRIES,
    OPT_IF_NOT_EXISTS,
    OPT_FORCE,
    OPT_DRY_RUN,
    OPT_ALL,
    OPT_FOR,
    OPT_TIMEOUT,
    OPT_MAX,
    OPT_NO_AUTO_CREATE,
    OPT_MODE,
    OPT_OWNER_GROUP,
    OPT_READY_FD,
};

static const struct option long_options[] = {
    {"bus", required_argument, NULL, 'b'},
    {"json", no_argument, NULL, 'J'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"color", required_argument, NULL, OPT_COLOR},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"size", required_argument, NULL, OPT_SIZE},
    {"max-records", required_argument, NULL, OPT_MAX_RECORDS},
    {"partitions", required_argument, NULL, OPT_PARTITIONS},
    {"full", required_argument, NULL, OPT_FULL},
    {"max-record", required_argument, NULL, OPT_MAX_RECORD},
    {"tries", required_argument, NULL, OPT_TRIES},
    {"if-not-exists", no_argument, NULL, OPT_IF_NOT_EXISTS},
    {"force", no_argument, NULL, OPT_FORCE},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"all", no_argument, NULL, OPT_ALL},
    {"for", required_argument, NULL, OPT_FOR},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"max", required_argument, NULL, OPT_MAX},
    {"no-auto-create", no_argument, NULL, OPT_NO_AUTO_CREATE},
    {"mode", required_argument, NULL, OPT_MODE},
    {"owner-group", required_argument, NULL, OPT_OWNER_GROUP},
    {"ready-fd", required_argument, NULL, OPT_READY_FD},
    {"detach", no_argument, NULL, 'd'},
    {"topic", required_argument, NULL, 't'},
    {NULL, 0, NULL, 0},
};
#define OPTION_CNT (sizeof long_options / sizeof *long_options - 1)

static unsigned goes_with(int option)
{
    switch (option) {
    case OPT_SIZE:
    case OPT_FULL:
    case OPT_TRIES:
        return SERVE | CREATE;
    case OPT_MAX_RECORDS:
    case OPT_PARTITIONS:
    case OPT_MAX_RECORD:
    case OPT_IF_NOT_EXISTS:
        return CREATE;
    case OPT_FORCE:
        return DELETE;
    case OPT_DRY_RUN:
    case OPT_ALL:
        return CLEAN;
    case OPT_FOR:
    case OPT_TIMEOUT:
        return WAIT;
    case OPT_MAX:
        return LAG;
    case OPT_NO_AUTO_CREATE:
    case OPT_MODE:
    case OPT_OWNER_GROUP:
    case OPT_READY_FD:
    case 'd':
    case 't':
        return SERVE;
    default:
        return EVERYWHERE;
    }
}

static const char *option_name(int option, char buf[static 32])
{
    for (size_t i = 0; i < OPTION_CNT; i++)
        if (long_options[i].val == option && option >= 256) {
            snprintf(buf, 32, "--%s", long_options[i].name);
            return buf;
        }
    snprintf(buf, 32, "-%c", option);
    return buf;
}

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

static const char *parse_group(const char *name, gid_t *out)
{
    long gid;
    const struct group *group = getgrnam(name);
    if (group)
        *out = group->gr_gid;
    else if (number(name, 10, 0x7fffffff, &gid) == 0)
        *out = (gid_t)gid;
    else
        return "no such group";
    return NULL;
}

static const char *parse_mode(const char *text, uint32_t *out)
{
    long mode;
    if (number(text, 8, 0777, &mode) < 0 || (mode & 0600) != 0600 || (mode & 0111))
        return "not octal rights such as 0600 or 0660 (the owner reads and writes, nobody "
               "executes)";
    *out = (uint32_t)mode;
    return NULL;
}

static const char *parse_ready_fd(const char *text, int *out)
{
    long fd;
    if (number(text, 10, 0x7fffffff, &fd) < 0 || fcntl((int)fd, F_GETFD) < 0)
        return "not an open descriptor";
    *out = (int)fd;
    return NULL;
}

static const char *parse_topic(struct serve_options *serve, char *text, const char **where)
{
    struct topic_spec *more = realloc(serve->specs, (serve->spec_cnt + 1) * sizeof *more);
    if (!more)
        return "out of memory";
    serve->specs = more;
    more[serve->spec_cnt] = (struct topic_spec){0};
    return spec_parse(&more[serve->spec_cnt++], text, where);
}

/* One option. Returns NULL or what is wrong with its argument; *where may be moved to the wrong
 * part of it. */
static const char *take_option(struct arguments *args, int option, char *value, const char **where)
{
    struct command_line *line = &args->line;
    switch (option) {
    case 'b':
        line->bus = value;
        line->bus_named = 1;
        return mr_name_check('b', value);
    case 'J':
        line->json = 1;
        return NULL;
    case 'q':
        program_quiet = 1;
        return NULL;
    case 'v':
        program_verbose = 1;
        return NULL;
    case 'h':
        args->help = 1;
        return NULL;
    case 'V':
        args->version = 1;
        return NULL;
    case 'd':
        args->detach = 1;
        return NULL;
    case 't':
        return parse_topic(&args->serve, value, where);
    case OPT_COLOR:
        args->color = value;
        return strcmp(value, "auto") && strcmp(value, "always") && strcmp(value, "never")
                   ? "not one of auto, always, never"
                   : NULL;
    case OPT_IF_NOT_EXISTS:
        line->if_not_exists = 1;
        return NULL;
    case OPT_FORCE:
        line->force = 1;
        return NULL;
    case OPT_DRY_RUN:
        line->dry_run = 1;
        return NULL;
    case OPT_ALL:
        line->all = 1;
        return NULL;
    case OPT_FOR:
        line->wait_for = value;
        return NULL;
    case OPT_TIMEOUT:
        return text_duration(value, &line->timeout_ns) < 0 ? "not a time such as 250ms, 5s or 2m"
                                                           : NULL;
    case OPT_MAX:
        return text_count(value, &line->lag_max) < 0 ? "not a count" : NULL;
    case OPT_NO_AUTO_CREATE:
        args->serve.automatic = 0;
        return NULL;
    case OPT_MODE:
        return parse_mode(value, &args->serve.defaults.mode);
    case OPT_OWNER_GROUP:
        return parse_group(value, &args->serve.group);
    case OPT_READY_FD:
        return parse_ready_fd(value, &args->serve.ready_fds[0]);
    default: { /* the settings of a topic */
        char buf[32];
        return setting_parse(&line->settings, option_name(option, buf) + 2, value);
    }
    }
}

static int bad_option(char **argv, int missing)
{
    const char *word = argv[optind - 1];
    if (missing)
        return program_usage("%s: its argument is missing", word);
    for (size_t i = 0; i < OPTION_CNT && optopt; i++)
        if (long_options[i].val == optopt)
            return program_usage("--%s: takes no argument", long_options[i].name);
    if (optopt)
        return program_usage("-%c: no such option", optopt);
    const char *names[OPTION_CNT + 1] = {0};
    for (size_t i = 0; i < OPTION_CNT; i++)
        names[i] = long_options[i].name;
    const char *near = text_suggest(word + 2, names);
    return program_usage("%s: no such option%s%s%s", word, near ? " (did you mean \"--" : "",
                         near ? near : "", near ? "\"?)" : "");
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
                  .automatic = 1,
                  .ready_fds = {-1, -1}},
    };
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":b:Jqvhdt:V", long_options, NULL)) != -1;) {
        if (option == '?' || option == ':')
            return bad_option(argv, option == ':');
        const char *where = optarg, *wrong = take_option(args, option, optarg, &where);
        char buf[32];
        if (wrong)
            return program_usage("%s %s: %s", option_name(option, buf), where, wrong);
        if (args->given_cnt < sizeof args->given / sizeof *args->given)
            args->given[args->given_cnt++] = option;
    }
    if (!args->line.bus) {
        const char *bus = getenv("MILLRACE_BUS");
        args->line.bus_named = bus && *bus;
        args->line.bus = args->line.bus_named ? bus : "default";
        const char *wrong = mr_name_check('b', args->line.bus);
        if (wrong)
            return program_usage("MILLRACE_BUS=%s: %s", args->line.bus, wrong);
    }
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    if (args->color && strcmp(args->color, "auto") != 0)
        args->line.colour = strcmp(args->color, "always") == 0;
    else
        args->line.colour =
            isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
    args->line.operands = argv + optind;
    args->line.operand_cnt = argc - optind;
    return EXIT_OK;
}

int arguments_check(const struct arguments *args, unsigned accepts, const char *what)
{
    char buf[32];
    for (size_t i = 0; i < args->given_cnt; i++)
        if (!(goes_with(args->given[i]) & (accepts | EVERYWHERE)))
            return program_usage("%s: does not go with %s", option_name(args->given[i], buf), what);
    return EXIT_OK;
}

void arguments_free(struct arguments *args)
{
    free(args->serve.specs);
}
