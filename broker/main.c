/* main.c - the broker's command line: options, which of them go with which command, help; then
 * serving or the command. */
#include "cli/program.h"
#include "commands.h"
#include "core/client.h"
#include "serve.h"
#include "settings.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- commands ---- */

/* Which options go with what. */
enum { SERVE = 1, CREATE = 2, DELETE = 4, CLEAN = 8, WAIT = 16, LAG = 32, EVERYWHERE = 64 };

struct command {
    const char *name, *operands, *summary;
    int operands_min, operands_max;
    unsigned accepts;
    int (*run)(const struct command_line *line);
    const char *help;
};

static const struct command commands[] = {
    {"create", "TOPIC", "make a topic", 1, 1, CREATE, command_create,
     "  broker create orders --size 64M --partitions 4\n"
     "  broker create buffer --max-records 5       a bounded buffer of 5 records\n\n"
     "  --size BYTES       room for records, over all partitions [the broker's]\n"
     "  --max-records N    how many records may wait\n"
     "  --partitions N     1 to 256 [1]\n"
     "  --full POLICY      block, drop-oldest or fail, when there is no room\n"
     "  --max-record BYTES largest record [what fits into a partition]\n"
     "  --tries N          failed tries before a record goes to TOPIC.dead\n"
     "  --if-not-exists    a topic of that name is fine, whatever its settings\n"},
    {"list", "", "the topics", 0, 0, 0, command_list,
     "  broker list\n  broker list -J | jq -r .topic\n"},
    {"describe", "TOPIC", "settings, partitions and groups of a topic", 1, 1, 0, command_describe,
     "  broker describe orders\n"},
    {"seal", "TOPIC", "nothing more may be appended", 1, 1, 0, command_seal,
     "  broker seal orders\n\nConsumers that have read everything end. A topic cannot be "
     "unsealed.\n"},
    {"purge", "TOPIC", "every group skips what it has not taken yet", 1, 1, 0, command_purge,
     "  broker purge orders\n"},
    {"delete", "TOPIC", "remove a topic with all its records", 1, 1, DELETE, command_delete,
     "  broker delete orders\n\n"
     "  --force   also while producers or consumers are attached: they learn it\n"},
    {"groups", "[TOPIC]", "how far each group is, by partition", 0, 1, 0, command_groups,
     "  broker groups\n  broker groups orders\n"},
    {"lag", "TOPIC [GROUP]", "records not acknowledged", 1, 2, LAG, command_lag,
     "  broker lag orders\n"
     "  broker lag orders billing --max 1000 || alarm\n\n"
     "  --max N   exit status 1 when a group's lag is above N\n"},
    {"pending", "TOPIC [GROUP]", "what consumers hold, and for how long", 1, 2, 0, command_pending,
     "  broker pending orders\n"},
    {"forget-source", "TOPIC FILE", "forget how far producer --resume came", 2, 2, 0,
     command_forget_source,
     "  broker forget-source logs app.log\n\n"
     "A topic remembers 128 files. It forgets none by itself: a path that is used for\n"
     "another file, as by logrotate, or one that is done with is forgotten so. What was\n"
     "sent stays; producer --resume sends the file from its start again.\n"},
    {"redrive", "TOPIC", "send dead letters back to their topic", 1, 1, 0, command_redrive,
     "  broker redrive orders\n\n"
     "Each record of TOPIC.dead that was not sent back yet goes to its partition of\n"
     "TOPIC, with its key and its own headers, and with no failed try.\n"},
    {"status", "", "everything on one screen (also with no broker)", 0, 0, 0, command_status,
     "  broker status\n"
     "  broker status -v     each producer and consumer, too\n"
     "  broker status -J     one object a line, its \"kind\" says what it is\n"},
    {"wait", "TOPIC", "until something is so", 1, 1, WAIT, command_wait,
     "  broker wait orders --for exists --timeout 10s\n"
     "  broker wait orders --for drained && echo all done\n\n"
     "  --for GOAL     exists\n"
     "                 drained      a producer came, all are gone, and every group\n"
     "                              has acknowledged everything\n"
     "                 sealed\n"
     "                 consumers=N  at least N consumers are attached\n"
     "  --timeout D    give up after D with exit status 5 [never]\n"},
    {"ping", "", "does the broker answer?", 0, 0, 0, command_ping,
     "  broker ping && echo it lives\n"},
    {"stop", "", "end the broker, and wait until it is gone", 0, 0, 0, command_stop,
     "  broker stop\n"},
    {"clean", "", "remove what dead brokers left", 0, 0, CLEAN, command_clean,
     "  broker clean --dry-run\n"
     "  broker clean -b test --all\n\n"
     "Without -b (and MILLRACE_BUS) it looks at every bus of this user that no broker\n"
     "serves. What a live client uses always stays.\n\n"
     "  --dry-run   say what would be removed\n"
     "  --all       also topics with records that nobody has acknowledged\n"},
};
#define COMMAND_CNT (sizeof commands / sizeof *commands)

/* ---- help ---- */

static const char everywhere[] =
    "  -b NAME   bus [$MILLRACE_BUS, else default]   -J  NDJSON instead of tables\n"
    "  -q  no notices   -v  more   --color auto|always|never  -h  help   -V  version\n";

static void help(void)
{
    fputs("broker - serves a bus of topics between processes, and looks after it\n"
          "\n"
          "  broker                                 serve bus \"default\"; Ctrl-C ends it\n"
          "  broker -d -t orders,size=64M           in the background, with a topic\n"
          "  broker create buffer --max-records 5   a bounded buffer\n"
          "  broker status                          who sends, who takes, who is behind\n"
          "  broker stop                            end it\n"
          "\n"
          "Usage: broker [OPTIONS]\n"
          "       broker COMMAND [OPTIONS] [ARGS]   (broker COMMAND --help says more)\n"
          "\n"
          "Serving:\n"
          "  --size BYTES       room of a topic that names none [16M]\n"
          "  --full POLICY      when a topic is full: block, drop-oldest or fail [block]\n"
          "  --tries N          failed tries before a record goes to TOPIC.dead [3]\n"
          "  --no-auto-create   only \"broker create\" and -t make topics\n"
          "  --mode OCTAL       rights of the segments [0600]\n"
          "  --owner-group NAME group of the segments (with --mode 0660)\n"
          "  -t NAME[,size=64M][,partitions=4][,max-records=N][,full=P][,max-record=B]\n"
          "     [,tries=N]      make this topic first (repeat for more)\n"
          "  -d                 detach once ready\n"
          "  --ready-fd FD      write \"READY\\n\" there when clients may come\n"
          "\n"
          "Commands:\n",
          stdout);
    for (size_t i = 0; i < COMMAND_CNT; i++)
        printf("  %-13s %-13s %s\n", commands[i].name, commands[i].operands, commands[i].summary);
    printf("\nEverywhere:\n%s"
           "\nExit status: 0 done, 1 failed, 2 usage, 3 no broker, 4 no topic, 5 timed out\n",
           everywhere);
}

static void command_help(const struct command *command)
{
    printf("broker %s - %s\n\n%s\nUsage: broker %s [OPTIONS]%s%s\n\nEverywhere:\n%s", command->name,
           command->summary, command->help, command->name, *command->operands ? " " : "",
           command->operands, everywhere);
}

/* ---- options ---- */

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

struct arguments {
    struct command_line line;
    struct serve_options serve;
    int help, version, detach;
    const char *color;
    int given[64]; /* options that were, for goes_with */
    size_t given_cnt;
};

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

static int parse(struct arguments *args, int argc, char **argv)
{
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

static int check_given(const struct arguments *args, unsigned accepts, const char *what)
{
    char buf[32];
    for (size_t i = 0; i < args->given_cnt; i++)
        if (!(goes_with(args->given[i]) & (accepts | EVERYWHERE)))
            return program_usage("%s: does not go with %s", option_name(args->given[i], buf), what);
    return EXIT_OK;
}

/* ---- running ---- */

/* What a word that is no command was to be. What changes or ends something is proposed only to who
 * began like it: "top" is not "stop". */
static const char *suggest(const char *word, const char **names)
{
    static const char *const others[][2] = {
        {"top", "status"}, {"ls", "list"}, {"rm", "delete"}, {"info", "describe"}};
    static const char *const harmless[] = {"list",   "describe", "groups", "lag", "pending",
                                           "status", "wait",     "ping",   NULL};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(word, others[i][0]) == 0)
            return others[i][1];
    const char *near = text_suggest(word, names);
    return near && *near != *word ? text_suggest(word, harmless) : near;
}

static int run_command(struct arguments *args)
{
    const char *word = args->line.operands[0];
    const struct command *command = NULL;
    const char *names[COMMAND_CNT + 1] = {0};
    for (size_t i = 0; i < COMMAND_CNT; i++) {
        names[i] = commands[i].name;
        if (strcmp(word, names[i]) == 0)
            command = &commands[i];
    }
    if (!command && strcmp(word, "help") == 0) {
        help();
        return EXIT_OK;
    }
    if (!command) {
        const char *near = suggest(word, names);
        return program_usage("%s: no such command%s%s%s", word, near ? " (did you mean \"" : "",
                             near ? near : "", near ? "\"?)" : "");
    }
    if (args->help) {
        command_help(command);
        return EXIT_OK;
    }
    int status = check_given(args, command->accepts, command->name);
    if (status)
        return status;
    args->line.operands++;
    args->line.operand_cnt--;
    if (args->line.operand_cnt < command->operands_min)
        return program_usage("%s: which topic? (broker %s %s)", command->name, command->name,
                             command->operands);
    if (args->line.operand_cnt > command->operands_max)
        return program_usage("%s: %s is one word too many (broker %s%s%s)", command->name,
                             args->line.operands[command->operands_max], command->name,
                             *command->operands ? " " : "", command->operands);
    return command->run(&args->line);
}

/* Goes on in a child of its own session. Returns 0 in the child, with the write end of a pipe that
 * the parent waits on; the parent returns the exit status + 1: ready, or why not (the child has
 * said so on standard error). */
static int detach(int *ready_fd)
{
    int ends[2], status;
    char byte;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        program_fail(-errno, "detach");
        return EXIT_FAILED + 1;
    }
    pid_t pid = fork();
    if (pid < 0) {
        program_fail(-errno, "detach");
        return EXIT_FAILED + 1;
    }
    if (pid > 0) {
        close(ends[1]);
        ssize_t n;
        while ((n = read(ends[0], &byte, 1)) < 0 && errno == EINTR)
            if (program_stop)
                kill(pid, program_stop); /* in its own session it has not heard of it */
        if (n == 1)
            return EXIT_OK + 1;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        return (WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED) + 1;
    }
    close(ends[0]);
    setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        close(null);
    }
    if (chdir("/") < 0)
        program_error("/: %s", strerror(errno)); /* a folder's errors are not the library's */
    *ready_fd = ends[1];
    return 0;
}

static int run_serve(struct arguments *args)
{
    struct serve_options *serve = &args->serve;
    int status = check_given(args, SERVE, "serving (which command did you mean?)");
    if (status)
        return status;
    uid_t owner;
    if (mr_bus_address(args->line.bus, &owner, &serve->bus) || owner != geteuid())
        return program_usage("-b %s: a broker serves only buses of its own user", args->line.bus);
    if (args->line.settings.size_bytes)
        serve->defaults.size_bytes = args->line.settings.size_bytes;
    if (args->line.settings.full)
        serve->defaults.full = args->line.settings.full;
    if (args->line.settings.tries)
        serve->defaults.tries = args->line.settings.tries;
    if (serve->ready_fds[0] >= 0)
        fcntl(serve->ready_fds[0], F_SETFD, FD_CLOEXEC);
    serve->detached = args->detach;
    if (args->detach) {
        status = detach(&serve->ready_fds[1]);
        if (status)
            return status - 1;
    }
    return broker_serve(serve);
}

int main(int argc, char **argv)
{
    struct arguments args = {
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
    program_start("broker");
    int status = parse(&args, argc, argv);
    if (status)
        goto end;
    if (args.version)
        puts("broker (Millrace) " MR_VERSION);
    else if (args.line.operand_cnt)
        status = run_command(&args);
    else if (args.help)
        help();
    else
        status = run_serve(&args);
    int unwritten = program_flush();
    if (unwritten)
        status = unwritten;
end:
    free(args.serve.specs);
    return status;
}
