/* options.c - parsing in the order given, then one pass over what does not fit together. */
#include "options.h"
#include "csv.h"
#include "help.h"
#include "millrace.h"
#include "program.h"
#include "text.h"
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define END(status)        (1 + (status))
#define WAIT_DEFAULT_NS    5000000000
#define NAME_IN_HEADER_MAX 255

enum long_only {
    OPT_NO_HEADER = 256,
    OPT_COLUMNS,
    OPT_SEP,
    OPT_BAD_ROWS,
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
    OPT_IDS,
    OPT_PROGRESS,
    OPT_STATS,
};

static const struct option long_options[] = {
    {"input-format", required_argument, NULL, 'i'},
    {"no-header", no_argument, NULL, OPT_NO_HEADER},
    {"columns", required_argument, NULL, OPT_COLUMNS},
    {"sep", required_argument, NULL, OPT_SEP},
    {"delimiter", required_argument, NULL, 'D'},
    {"bad-rows", required_argument, NULL, OPT_BAD_ROWS},
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

/* Which options were seen, for the checks at the end; values alone cannot tell a default from the same value given. */
struct seen {
    int no_header, sep, timeout, rate, delay, jitter, repeat;
    const char *columns;
};

/* ---- values ---------------------------------------------------------------------------------------------------------- */

static int choose(const char *option, const char *value, const char *const *names, int *out)
{
    const char *near = mr_text_suggest(value, names);
    char list[128];
    size_t n = 0;

    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], value) == 0) {
            *out = i;
            return 0;
        }
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", names[i]);
    }
    if (near)
        return END(mr_program_usage("%s: unknown value \"%s\" (did you mean \"%s\"?)", option, value, near));
    return END(mr_program_usage("%s: unknown value \"%s\" (one of %s)", option, value, list));
}

static int parse_duration(const char *option, const char *value, int64_t *out)
{
    int error = mr_text_duration(value, out);

    if (error == -ERANGE)
        return END(mr_program_usage("%s: \"%s\" is too long", option, value));
    return error ? END(mr_program_usage("%s: \"%s\" is not a duration (like 250ms, 5s, 2m)", option, value)) : 0;
}

static int parse_count(const char *option, const char *value, uint64_t min, uint64_t *out)
{
    uint64_t count;

    if (mr_text_count(value, &count) || count < min)
        return END(mr_program_usage("%s: \"%s\" is not a number of at least %llu (like 1000, 10k)", option, value,
                                    (unsigned long long)min));
    *out = count;
    return 0;
}

/* Numbers of people, "0.5" or "2.5k": digits, one point, and perhaps a unit of thousands. */
static int parse_real(const char *value, const char *units, double *out)
{
    static const double factors[] = {1e3, 1e6, 1e9};
    char *end;
    double number;

    if (value[strspn(value, "0123456789.")] && !strchr(units, value[strspn(value, "0123456789.")]))
        return -EINVAL; /* keeps out what strtod knows besides: signs, hexadecimal, nan */
    number = strtod(value, &end);
    if (end == value)
        return -EINVAL;
    if (*end) {
        const char *unit = strchr(units, *end);

        if (!unit || end[1])
            return -EINVAL;
        number *= factors[(unit - units) % 3];
    }
    *out = number;
    return isfinite(number) ? 0 : -ERANGE;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

/* Copies text with \n \t \r \0 \\ and \xHH read as the byte they stand for, so that "$'..'" is never needed. */
static int parse_bytes(const char *option, const char *value, char **out, size_t *len)
{
    static const char names[] = "ntr0\\", bytes[] = "\n\t\r\0\\";
    char *to = malloc(strlen(value) + 1);
    size_t n = 0;

    if (!to)
        return END((mr_program_fail(-ENOMEM, "%s", option), MR_EXIT_FAILED));
    for (const char *at = value; *at; at++) {
        const char *name = at[0] == '\\' && at[1] ? strchr(names, at[1]) : NULL;

        if (name) {
            to[n++] = bytes[name - names];
            at++;
        } else if (at[0] == '\\' && at[1] == 'x' && hex_digit(at[2]) >= 0 && hex_digit(at[3]) >= 0) {
            to[n++] = (char)(hex_digit(at[2]) * 16 + hex_digit(at[3]));
            at += 3;
        } else {
            to[n++] = *at;
        }
    }
    to[n] = '\0';
    free(*out);
    *out = to;
    *len = n;
    return n ? 0 : END(mr_program_usage("%s: must not be empty", option));
}

static int parse_sep(const char *value, char *out)
{
    char *bytes = NULL;
    size_t len = 0;
    int end = parse_bytes("--sep", value, &bytes, &len);

    if (!end && (len != 1 || strchr("\"\r\n", bytes[0])))
        end = END(mr_program_usage("--sep: \"%s\" is not one byte, or is a quote or a line end", value));
    if (!end)
        *out = bytes[0];
    free(bytes);
    return end;
}

static int parse_header(const char *value, struct options *options)
{
    const char *equals = strchr(value, '=');
    char name[NAME_IN_HEADER_MAX + 1];
    ssize_t used;

    if (!equals || equals == value || (size_t)(equals - value) > NAME_IN_HEADER_MAX)
        return END(mr_program_usage("-H: \"%s\" is not NAME=VALUE (NAME of 1 to %d bytes)", value, NAME_IN_HEADER_MAX));
    if (!options->headers && !(options->headers = malloc(MR_HEADERS_MAX)))
        return END((mr_program_fail(-ENOMEM, "-H"), MR_EXIT_FAILED));
    memcpy(name, value, (size_t)(equals - value));
    name[equals - value] = '\0';
    used = mr_header_add(options->headers, options->headers_len, MR_HEADERS_MAX, name, equals + 1, strlen(equals + 1));
    if (used < 0)
        return END(mr_program_usage("-H: all headers together have at most %u bytes", MR_HEADERS_MAX));
    options->headers_len = (size_t)used;
    return 0;
}

static int parse_pace(const char *value, double *interval_ns)
{
    double rate = 0;

    if (parse_real(value, "kMGKmg", &rate) || !(rate > 1e-9))
        return END(mr_program_usage("-r: \"%s\" is not a rate in records per second (like 0.5, 200, 10k)", value));
    *interval_ns = 1e9 / rate;
    return 0;
}

static int parse_jitter(const char *value, double *out)
{
    char digits[32];
    size_t len = strlen(value);
    double percent = 0;

    if (len > 1 && len < sizeof(digits) && value[len - 1] == '%')
        len--;
    snprintf(digits, sizeof(digits), "%.*s", (int)(len < sizeof(digits) ? len : sizeof(digits) - 1), value);
    if (len >= sizeof(digits) || parse_real(digits, "", &percent) || percent > 100)
        return END(mr_program_usage("--jitter: \"%s\" is not a percentage from 0 to 100", value));
    *out = percent / 100;
    return 0;
}

/* ---- one option ------------------------------------------------------------------------------------------------------ */

static int parse_option(int option, const char *value, struct options *o, struct seen *seen)
{
    static const char *const formats[] = {"auto", "csv", "tsv", "lines", "ndjson", "file", NULL};
    static const char *const whens[] = {"auto", "always", "never", NULL};
    int choice = 0, end = 0;
    int64_t ns = 0;
    uint64_t number = 0;

    switch (option) {
    case 'i':
        end = choose("-i", value, formats, &choice);
        o->format = (enum input_format)choice;
        return end;
    case OPT_NO_HEADER:
        seen->no_header = o->no_header = 1;
        return 0;
    case OPT_COLUMNS:
        seen->columns = value;
        return 0;
    case OPT_SEP:
        seen->sep = 1;
        return parse_sep(value, &o->sep);
    case 'D':
        return parse_bytes("-D", value, &o->delimiter, &o->delimiter_len);
    case OPT_BAD_ROWS:
        if (!*value)
            return END(mr_program_usage("--bad-rows: must not be empty (stop, skip or a FILE)"));
        o->bad = strcmp(value, "stop") == 0 ? BAD_STOP : strcmp(value, "skip") == 0 ? BAD_SKIP : BAD_KEEP;
        o->bad_path = value;
        return 0;
    case OPT_KEY_COL:
        o->key_column = value;
        return *value ? 0 : END(mr_program_usage("--key-col: must not be empty"));
    case 'K':
        return parse_bytes("-K", value, &o->key_sep, &o->key_sep_len);
    case 'k':
        o->key = value;
        return 0;
    case 'H':
        return parse_header(value, o);
    case 'p':
        if (mr_text_count(value, &number) || number >= MR_PARTITIONS_MAX)
            return END(mr_program_usage("-p: \"%s\" is not a partition from 0 to %u", value, MR_PARTITIONS_MAX - 1));
        o->partition = (int32_t)number;
        return 0;
    case 'b':
        o->bus = value;
        return 0;
    case OPT_WAIT:
        return parse_duration("--wait", value, &o->wait_ns);
    case OPT_NO_CREATE:
        o->no_create = 1;
        return 0;
    case OPT_TIMEOUT:
        if ((end = parse_duration("--timeout", value, &ns)))
            return end;
        seen->timeout = 1;
        o->timeout_ns = ns;
        return ns ? 0 : END(mr_program_usage("--timeout: must be more than 0 (--fail-if-full fails at once)"));
    case OPT_FAIL_IF_FULL:
        o->timeout_ns = 0;
        return 0;
    case 'c':
        return parse_count("-c", value, 0, &o->count);
    case OPT_SKIP:
        return parse_count("--skip", value, 0, &o->skip);
    case OPT_SEAL:
        o->seal = 1;
        return 0;
    case 'n':
        o->dry_run = 1;
        return 0;
    case 'r':
        seen->rate = o->steady = 1;
        return parse_pace(value, &o->interval_ns);
    case OPT_DELAY:
        seen->delay = 1;
        end = parse_duration("--delay", value, &ns);
        o->interval_ns = (double)ns;
        return end;
    case OPT_JITTER:
        seen->jitter = 1;
        return parse_jitter(value, &o->jitter);
    case OPT_REPEAT:
        seen->repeat = 1;
        return parse_count("--repeat", value, 1, &o->repeat);
    case 'T':
        o->tee = 1;
        return 0;
    case OPT_IDS:
        o->ids = 1;
        return 0;
    case OPT_PROGRESS:
        end = choose("--progress", value, whens, &choice);
        o->progress = (enum progress_when)choice;
        return end;
    case OPT_STATS:
        o->stats_path = value;
        return *value ? 0 : END(mr_program_usage("--stats: must not be empty"));
    case 'q':
        mr_program_quiet = 1;
        return 0;
    case 'v':
        mr_program_verbose = 1;
        return 0;
    case 'h':
        return END(help_print() ? MR_EXIT_FAILED : MR_EXIT_OK);
    default: /* 'V' */
        return END(puts("producer (Millrace) " MR_VERSION) == EOF || fflush(stdout) ? MR_EXIT_FAILED : MR_EXIT_OK);
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
            return END(mr_program_usage("option -%c needs a value", optopt));
        return END(mr_program_usage("option %s needs a value", word));
    }
    for (i = 0; optopt && long_options[i].name; i++)
        if (long_options[i].val == optopt) /* a known one: so what is wrong is the value */
            return END(mr_program_usage("option --%s takes no value", long_options[i].name));
    if (optopt)
        return END(mr_program_usage("unknown option -%c", optopt));
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
    for (i = 0; long_options[i].name; i++) {
        names[i] = long_options[i].name;
        matches += strncmp(name, names[i], strlen(name)) == 0;
    }
    names[i] = NULL;
    if (matches > 1)
        return END(mr_program_usage("option --%s can mean several", name));
    near = mr_text_suggest(name, names);
    if (near)
        return END(mr_program_usage("unknown option --%s (did you mean --%s?)", name, near));
    return END(mr_program_usage("unknown option --%s", name));
}

/* ---- what fits together ---------------------------------------------------------------------------------------------- */

/* Writes one name of --columns as the files' own format would have it. */
static size_t put_name(char *to, const struct options *o, const char *name, size_t len, int quoted)
{
    int quote = o->sep != '\t' && (quoted || memchr(name, o->sep, len));
    size_t n = 0;

    if (quote)
        to[n++] = '"';
    memcpy(to + n, name, len);
    n += len;
    if (quote)
        to[n++] = '"';
    return n;
}

/* The names are separated by commas here, whatever separates the fields of the files: they are kept as the files would write
 * them. */
static int join_columns(struct options *o, const char *columns)
{
    size_t len = strlen(columns), at = 0, n = 0, name_len;
    const char *name;
    struct mr_csv_row row;
    int quoted;

    if (len == 0 || mr_csv_row(columns, len, 0, ',', 1, &row) != 1 || row.fault || row.next != len || row.eol != MR_EOL_NONE)
        return END(mr_program_usage("--columns: \"%s\" is not a row of names (like id,name,price)", columns));
    if (!(o->columns = malloc(3 * len + 3))) /* quotes around each name at worst */
        return END((mr_program_fail(-ENOMEM, "--columns"), MR_EXIT_FAILED));
    while (mr_csv_field(columns, len, ',', &at, &name, &name_len, &quoted)) {
        if (n)
            o->columns[n++] = o->sep;
        n += put_name(o->columns + n, o, name, name_len, quoted);
    }
    o->columns[n] = '\0';
    return n <= MR_COLUMNS_MAX ? 0 : END(mr_program_usage("--columns: more than %u bytes", MR_COLUMNS_MAX));
}

static int check_formats(const struct options *o, const struct seen *seen)
{
    int want_csv = seen->no_header || seen->columns || o->key_column;

    for (size_t i = 0; i < o->file_cnt; i++) {
        enum input_format format = options_format(o, o->files[i]);
        int rows = format == INPUT_CSV || format == INPUT_TSV;
        const char *file = strcmp(o->files[i], "-") == 0 ? "standard input" : o->files[i];

        if (want_csv && !rows)
            return END(mr_program_usage("%s is not read as CSV, which %s needs (-i csv)", file,
                                        o->key_column   ? "--key-col"
                                        : seen->columns ? "--columns"
                                                        : "--no-header"));
        if (seen->sep && format != INPUT_CSV)
            return END(mr_program_usage("%s is not read as CSV, which --sep needs (-i csv)", file));
        if ((o->delimiter || o->key_sep) && format != INPUT_LINES)
            return END(mr_program_usage("%s is not read as lines, which %s needs (-i lines)", file, o->delimiter ? "-D" : "-K"));
        if (seen->repeat && o->repeat > 1 && strcmp(o->files[i], "-") == 0)
            return END(mr_program_usage("--repeat cannot read standard input again"));
        for (size_t j = 0; j < i; j++)
            if (strcmp(o->files[i], "-") == 0 && strcmp(o->files[j], "-") == 0)
                return END(mr_program_usage("standard input (\"-\") is given twice"));
    }
    return 0;
}

static int check_together(struct options *o, const struct seen *seen)
{
    const char *wrong;
    int end;

    if ((o->key_column != NULL) + (o->key_sep != NULL) + (o->key != NULL) > 1)
        return END(mr_program_usage("--key-col, -K and -k do not fit together: a record has one key"));
    if (seen->no_header && seen->columns)
        return END(mr_program_usage("--columns says already that there is no header: leave out --no-header"));
    if (seen->timeout && o->timeout_ns == 0)
        return END(mr_program_usage("--timeout and --fail-if-full do not fit together"));
    if (seen->rate && seen->delay)
        return END(mr_program_usage("-r and --delay do not fit together"));
    if (seen->jitter && !seen->rate && !seen->delay)
        return END(mr_program_usage("--jitter needs -r or --delay"));
    if (o->tee && o->ids)
        return END(mr_program_usage("-T and --ids do not fit together: both write to standard output"));
    if (o->dry_run && (o->seal || o->ids))
        return END(mr_program_usage("-n sends nothing: it does not fit with %s", o->seal ? "--seal" : "--ids"));
    if ((wrong = mr_name_check('t', o->topic)))
        return END(mr_program_usage("\"%s\" cannot be the name of a topic: %s", o->topic, wrong));
    if (o->bus && (wrong = mr_name_check('b', o->bus)))
        return END(mr_program_usage("\"%s\" cannot be the name of a bus: %s", o->bus, wrong));
    if ((end = check_formats(o, seen)))
        return end;
    if (seen->columns) {
        o->no_header = 1;
        if (options_format(o, o->files[0]) == INPUT_TSV)
            o->sep = '\t';
        return join_columns(o, seen->columns);
    }
    if (seen->no_header && o->key_column &&
        (o->key_column[strspn(o->key_column, "0123456789")] || strlen(o->key_column) > 9 || atoi(o->key_column) == 0))
        return END(mr_program_usage("--key-col %s: without a header a column is given by its number, from 1 (or give --columns)",
                                    o->key_column));
    return 0;
}

enum input_format options_format(const struct options *options, const char *file)
{
    static const struct {
        const char *suffix;
        enum input_format format;
    } suffixes[] = {{".csv", INPUT_CSV}, {".tsv", INPUT_TSV}, {".ndjson", INPUT_NDJSON}, {".jsonl", INPUT_NDJSON}};
    size_t len = strlen(file);

    if (options->format != INPUT_AUTO)
        return options->format;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t n = strlen(suffixes[i].suffix);

        if (len > n && strcasecmp(file + len - n, suffixes[i].suffix) == 0)
            return suffixes[i].format;
    }
    return INPUT_LINES;
}

int options_parse(int argc, char **argv, struct options *out)
{
    static char dash[] = "-";
    static char *standard_input[] = {dash, NULL};
    struct seen seen = {0};
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
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":i:D:K:k:H:p:b:c:nr:TqvhV", long_options, NULL)) != -1) {
        end = option == '?' || option == ':' ? refuse_option(option, argv) : parse_option(option, optarg, out, &seen);
        if (end)
            return end;
    }
    if (optind == argc)
        return END(mr_program_usage("no TOPIC given"));
    out->topic = argv[argc - 1];
    if (argc - optind == 1 && stat(out->topic, &st) == 0 && S_ISREG(st.st_mode) &&
        (isatty(STDIN_FILENO) || options_format(&(struct options){0}, out->topic) != INPUT_LINES))
        return END(mr_program_usage("no TOPIC given: %s is a file (producer %s TOPIC)", out->topic, out->topic));
    out->files = argc - optind > 1 ? argv + optind : standard_input;
    out->file_cnt = argc - optind > 1 ? (size_t)(argc - optind - 1) : 1;
    return check_together(out, &seen);
}

void options_free(struct options *options)
{
    free(options->columns);
    free(options->delimiter);
    free(options->key_sep);
    free(options->headers);
}
