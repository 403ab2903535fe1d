/* options.c - reads the options in the order given. */
#include "options.h"
#include "cli/program.h"
#include "help.h"
#include "millrace.h"
#include "text/text.h"
#include "values.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_DEFAULT_NS 5000000000

enum long_only {
    OPT_NO_HEADER = 256,
    OPT_COLUMNS,
    OPT_SEP,
    OPT_BAD_ROWS,
    OPT_STRICT,
    OPT_KEY_COL,
    OPT_WAIT,
    OPT_NO_CREATE,
    OPT_TIMEOUT,
    OPT_FAIL_IF_FULL,
    OPT_SKIP,
    OPT_SEAL,
    OPT_DELAY,
    OPT_JITTER,
    OPT_REPEAT,
    OPT_TIMING,
    OPT_RESUME,
    OPT_JOIN,
    OPT_IDS,
    OPT_PROGRESS,
    OPT_STATS,
};

static const struct option long_options[] = {
    {"input-format", required_argument, NULL, 'i'},
    {"json", no_argument, NULL, 'J'},
    {"follow", no_argument, NULL, 'F'},
    {"no-header", no_argument, NULL, OPT_NO_HEADER},
    {"columns", required_argument, NULL, OPT_COLUMNS},
    {"sep", required_argument, NULL, OPT_SEP},
    {"delimiter", required_argument, NULL, 'D'},
    {"bad-rows", required_argument, NULL, OPT_BAD_ROWS},
    {"strict", no_argument, NULL, OPT_STRICT},
    {"key-col", required_argument, NULL, OPT_KEY_COL},
    {"key-delimiter", required_argument, NULL, 'K'},
    {"key", required_argument, NULL, 'k'},
    {"header", required_argument, NULL, 'H'},
    {"partition", required_argument, NULL, 'p'},
    {"bus", required_argument, NULL, 'b'},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"no-create", no_argument, NULL, OPT_NO_CREATE},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"fail-if-full", no_argument, NULL, OPT_FAIL_IF_FULL},
    {"count", required_argument, NULL, 'c'},
    {"skip", required_argument, NULL, OPT_SKIP},
    {"seal", no_argument, NULL, OPT_SEAL},
    {"dry-run", no_argument, NULL, 'n'},
    {"rate", required_argument, NULL, 'r'},
    {"delay", required_argument, NULL, OPT_DELAY},
    {"jitter", required_argument, NULL, OPT_JITTER},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"timing", required_argument, NULL, OPT_TIMING},
    {"resume", no_argument, NULL, OPT_RESUME},
    {"join", no_argument, NULL, OPT_JOIN},
    {"tee", no_argument, NULL, 'T'},
    {"ids", no_argument, NULL, OPT_IDS},
    {"progress", required_argument, NULL, OPT_PROGRESS},
    {"stats", required_argument, NULL, OPT_STATS},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* ---- one option ---- */

static int parse_option(int option, const char *value, struct options *o, struct options_seen *seen)
{
    static const char *const formats[] = {"auto", "csv", "tsv", "lines", "ndjson", "file", NULL};
    static const char *const whens[] = {"auto", "always", "never", NULL};
    int choice = 0, end = 0;
    int64_t ns = 0;
    uint64_t number = 0;

    switch (option) {
    case 'i':
        end = value_choose("-i", value, formats, &choice);
        o->format = (enum input_format)choice;
        seen->format = 1;
        return end;
    case 'J':
        o->envelopes = 1;
        return 0;
    case 'F':
        o->follow = 1;
        return 0;
    case OPT_NO_HEADER:
        seen->no_header = o->no_header = 1;
        return 0;
    case OPT_COLUMNS:
        seen->columns = value;
        return 0;
    case OPT_SEP:
        seen->sep = 1;
        return value_sep(value, &o->sep);
    case 'D':
        return value_bytes("-D", value, &o->delimiter, &o->delimiter_len);
    case OPT_BAD_ROWS:
        if (!*value)
            return END(program_usage("--bad-rows: must not be empty (stop, skip or a FILE)"));
        o->bad = strcmp(value, "stop") == 0   ? BAD_STOP
                 : strcmp(value, "skip") == 0 ? BAD_SKIP
                                              : BAD_KEEP;
        o->bad_path = value;
        return 0;
    case OPT_STRICT:
        o->strict = 1;
        return 0;
    case OPT_KEY_COL:
        o->key_column = value;
        return *value ? 0 : END(program_usage("--key-col: must not be empty"));
    case 'K':
        return value_bytes("-K", value, &o->key_sep, &o->key_sep_len);
    case 'k':
        o->key = value;
        return 0;
    case 'H':
        return value_header(value, o);
    case 'p':
        if (text_count(value, &number) || number >= MR_PARTITIONS_MAX)
            return END(program_usage("-p: \"%s\" is not a partition from 0 to %u", value,
                                     MR_PARTITIONS_MAX - 1));
        o->partition = (int32_t)number;
        return 0;
    case 'b':
        o->bus = value;
        return 0;
    case OPT_WAIT:
        return value_duration("--wait", value, &o->wait_ns);
    case OPT_NO_CREATE:
        o->no_create = 1;
        return 0;
    case OPT_TIMEOUT:
        if ((end = value_duration("--timeout", value, &ns)))
            return end;
        seen->timeout = 1;
        o->timeout_ns = ns;
        return ns ? 0
                  : END(program_usage(
                        "--timeout: must be more than 0 (--fail-if-full fails at once)"));
    case OPT_FAIL_IF_FULL:
        seen->fail_if_full = 1;
        o->timeout_ns = 0;
        return 0;
    case 'c':
        return value_count("-c", value, 0, &o->count);
    case OPT_SKIP:
        seen->skip = 1;
        return value_count("--skip", value, 0, &o->skip);
    case OPT_SEAL:
        o->seal = 1;
        return 0;
    case 'n':
        o->dry_run = 1;
        return 0;
    case 'r':
        seen->rate = o->steady = 1;
        return value_rate(value, &o->interval_ns);
    case OPT_DELAY:
        seen->delay = 1;
        end = value_duration("--delay", value, &ns);
        o->interval_ns = (double)ns;
        return end;
    case OPT_JITTER:
        seen->jitter = 1;
        return value_jitter(value, &o->jitter);
    case OPT_REPEAT:
        seen->repeat = 1;
        return value_count("--repeat", value, 1, &o->repeat);
    case OPT_TIMING:
        o->timing = value;
        return *value ? 0 : END(program_usage("--timing: must not be empty"));
    case OPT_RESUME:
        o->resume = 1;
        return 0;
    case OPT_JOIN:
        o->join = 1;
        return 0;
    case 'T':
        o->tee = 1;
        return 0;
    case OPT_IDS:
        o->ids = 1;
        return 0;
    case OPT_PROGRESS:
        end = value_choose("--progress", value, whens, &choice);
        o->progress = (enum progress_when)choice;
        return end;
    case OPT_STATS:
        o->stats_path = value;
        return *value ? 0 : END(program_usage("--stats: must not be empty"));
    case 'q':
        program_quiet = 1;
        return 0;
    case 'v':
        program_verbose = 1;
        return 0;
    case 'h':
        help_print();
        return END(program_flush());
    default: /* 'V' */
        puts("producer (Millrace) " MR_VERSION);
        return END(program_flush());
    }
}

static int refuse_option(int what, char **argv)
{
    const char *names[sizeof(long_options) / sizeof(long_options[0])];
    const char *word = argv[optind - 1], *near;
    char name[64];
    size_t i, matches = 0;

    if (what == ':') {
        if (optopt < 256 && strncmp(word, "--", 2) != 0)
            return END(program_usage("option -%c needs a value", optopt));
        return END(program_usage("option %s needs a value", word));
    }
    for (i = 0; optopt && long_options[i].name; i++)
        if (long_options[i].val == optopt) /* a known one: so what is wrong is the value */
            return END(program_usage("option --%s takes no value", long_options[i].name));
    if (optopt)
        return END(program_usage("unknown option -%c", optopt));
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
    for (i = 0; long_options[i].name; i++) {
        names[i] = long_options[i].name;
        matches += strncmp(name, names[i], strlen(name)) == 0;
    }
    names[i] = NULL;
    if (matches > 1)
        return END(program_usage("option --%s can mean several", name));
    near = text_suggest(name, names);
    if (near)
        return END(program_usage("unknown option --%s (did you mean --%s?)", name, near));
    return END(program_usage("unknown option --%s", name));
}

enum input_format options_format(const struct options *options, const char *file)
{
    static const struct {
        const char *suffix;
        enum input_format format;
    } suffixes[] = {{".csv", INPUT_CSV},
                    {".tsv", INPUT_TSV},
                    {".ndjson", INPUT_NDJSON},
                    {".jsonl", INPUT_NDJSON}};
    size_t len = strlen(file);

    if (options->envelopes)
        return INPUT_ENVELOPES;
    if (options->format != INPUT_AUTO)
        return options->format;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t n = strlen(suffixes[i].suffix);

        if (len > n && strcasecmp(file + len - n, suffixes[i].suffix) == 0)
            return suffixes[i].format;
    }
    return INPUT_LINES;
}

const char *options_line_end(const struct options *options, unsigned eol, size_t *len)
{
    const char *end = eol == MR_EOL_CRLF   ? "\r\n"
                      : eol == MR_EOL_NONE ? ""
                      : options->delimiter ? options->delimiter
                                           : "\n";

    *len = eol == MR_EOL_LF && options->delimiter ? options->delimiter_len : strlen(end);
    return end;
}

int options_parse(int argc, char **argv, struct options *out, struct options_seen *seen)
{
    static char dash[] = "-";
    static char *standard_input[] = {dash, NULL};
    struct stat st;
    int option, end;

    *out = (struct options){
        .sep = ',',
        .partition = MR_ANY,
        .wait_ns = WAIT_DEFAULT_NS,
        .timeout_ns = -1,
        .count = UINT64_MAX,
        .repeat = 1,
    };
    *seen = (struct options_seen){0};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":i:JFD:K:k:H:p:b:c:nr:TqvhV", long_options, NULL)) !=
           -1) {
        end = option == '?' || option == ':' ? refuse_option(option, argv)
                                             : parse_option(option, optarg, out, seen);
        if (end)
            return end;
    }
    if (optind == argc)
        return END(program_usage("no TOPIC given"));
    out->topic = argv[argc - 1];
    if (argc - optind == 1 && stat(out->topic, &st) == 0 && S_ISREG(st.st_mode) &&
        (isatty(STDIN_FILENO) || options_format(&(struct options){0}, out->topic) != INPUT_LINES))
        return END(program_usage("no TOPIC given: %s is a file (producer %s TOPIC)", out->topic,
                                 out->topic));
    out->files = argc - optind > 1 ? argv + optind : standard_input;
    out->file_cnt = argc - optind > 1 ? (size_t)(argc - optind - 1) : 1;
    return 0;
}

void options_free(struct options *options)
{
    free(options->columns);
    free(options->delimiter);
    free(options->key_sep);
    free(options->headers);
}
