/* options.c - the table of options, and the operands. */
#include "options.h"
#include "cli/options.h"
#include "cli/program.h"
#include "help.h"
#include "millrace.h"
#include "values.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_DEFAULT_NS 5000000000

static int call_help(const struct cli_option *option, const char *value)
{
    (void)option;
    (void)value;
    help_print();
    return CLI_END(program_flush());
}

static int call_bad_rows(const struct cli_option *option, const char *value)
{
    struct options *o = option->target;

    if (!*value)
        return cli_usage("--bad-rows: its value is empty; use stop, skip or the name of a file");
    o->bad = strcmp(value, "stop") == 0   ? BAD_STOP
             : strcmp(value, "skip") == 0 ? BAD_SKIP
                                          : BAD_KEEP;
    o->bad_path = value;
    return 0;
}

static void note_seen(const struct cli_line *line, struct options_seen *seen)
{
    seen->format = cli_given(line, "input-format");
    seen->no_header = cli_given(line, "no-header");
    seen->sep = cli_given(line, "sep");
    seen->timeout = cli_given(line, "timeout");
    seen->rate = cli_given(line, "rate");
    seen->delay = cli_given(line, "delay");
    seen->jitter = cli_given(line, "jitter");
    seen->repeat = cli_given(line, "repeat");
    seen->skip = cli_given(line, "skip");
}

/* Reads all options; operands are left in *line. */
static int read_line(int argc, char **argv, struct cli_line *line, struct options *o,
                     struct options_seen *seen)
{
    static const char *const formats[] = {"auto", "csv", "tsv", "lines", "ndjson", "file", NULL};
    static const char *const whens[] = {"auto", "always", "never", NULL};
    int64_t delay_ns = 0;
    const struct cli_option options[] = {
        {'i', "input-format", CLI_CHOICE, .target = &o->format, .words = formats},
        {'J', "json", CLI_FLAG, .target = &o->envelopes},
        {'F', "follow", CLI_FLAG, .target = &o->follow},
        {0, "no-header", CLI_FLAG, .target = &o->no_header},
        {0, "columns", CLI_TEXT, .target = &seen->columns},
        {0, "sep", CLI_CALL, .target = &o->sep, .call = value_sep},
        {'D', "delimiter", CLI_CALL, .target = &o->delimiter, .call = value_bytes},
        {0, "bad-rows", CLI_CALL, .target = o, .call = call_bad_rows},
        {0, "strict", CLI_FLAG, .target = &o->strict},
        {0, "key-col", CLI_WORD, .target = &o->key_column},
        {'K', "key-delimiter", CLI_CALL, .target = &o->key_sep, .call = value_bytes},
        {'k', "key", CLI_TEXT, .target = &o->key},
        {'H', "header", CLI_CALL, .target = o, .call = value_header},
        {'p', "partition", CLI_COUNT_32, .target = &o->partition, .max = MR_PARTITIONS_MAX - 1},
        {'b', "bus", CLI_NAME, .target = &o->bus, .min = MR_NAME_BUS},
        {0, "wait", CLI_DURATION, .target = &o->wait_ns},
        {0, "no-create", CLI_FLAG, .target = &o->no_create},
        {0, "timeout", CLI_DURATION, .target = &o->timeout_ns, .min = 1,
         .hint = "--fail-if-full fails at once"},
        {0, "fail-if-full", CLI_FLAG, .target = &seen->fail_if_full},
        {'c', "count", CLI_COUNT, .target = &o->count},
        {0, "skip", CLI_COUNT, .target = &o->skip},
        {0, "seal", CLI_FLAG, .target = &o->seal},
        {'n', "dry-run", CLI_FLAG, .target = &o->dry_run},
        {'r', "rate", CLI_CALL, .target = &o->interval_ns, .call = value_rate},
        {0, "delay", CLI_DURATION, .target = &delay_ns},
        {0, "jitter", CLI_CALL, .target = &o->jitter, .call = value_jitter},
        {0, "repeat", CLI_COUNT, .target = &o->repeat, .min = 1},
        {0, "timing", CLI_WORD, .target = &o->timing},
        {0, "resume", CLI_FLAG, .target = &o->resume},
        {0, "join", CLI_FLAG, .target = &o->join},
        {'T', "tee", CLI_FLAG, .target = &o->tee},
        {0, "ids", CLI_FLAG, .target = &o->ids},
        {0, "progress", CLI_CHOICE, .target = &o->progress, .words = whens},
        {0, "stats", CLI_WORD, .target = &o->stats_path},
        {'q', "quiet", CLI_FLAG, .target = &program_quiet},
        {'v', "verbose", CLI_FLAG, .target = &program_verbose},
        {'h', "help", CLI_CALL_NOW, .call = call_help},
        {'V', "version", CLI_CALL_NOW, .call = cli_version},
    };
    int end;

    *line =
        (struct cli_line){.options = options, .option_cnt = sizeof(options) / sizeof(options[0])};
    if ((end = cli_parse(line, argc, argv)))
        return end;
    note_seen(line, seen);
    line->options = NULL; /* the table ends here */
    o->steady = seen->rate;
    if (seen->delay)
        o->interval_ns = (double)delay_ns;
    if (seen->fail_if_full)
        o->timeout_ns = 0;
    return 0;
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
    const char *end = eol == MR_EOL_CRLF        ? "\r\n"
                      : eol == MR_EOL_NONE      ? ""
                      : options->delimiter.text ? options->delimiter.text
                                                : "\n";

    *len = eol == MR_EOL_LF && options->delimiter.text ? options->delimiter.len : strlen(end);
    return end;
}

int options_parse(int argc, char **argv, struct options *out, struct options_seen *seen)
{
    static char dash[] = "-";
    static char *standard_input[] = {dash, NULL};
    struct cli_line line;
    struct stat st;
    int end;

    *seen = (struct options_seen){0};
    *out = (struct options){
        .sep = ',',
        .partition = PARTITION_ANY,
        .wait_ns = WAIT_DEFAULT_NS,
        .timeout_ns = -1,
        .count = UINT64_MAX,
        .repeat = 1,
    };
    if ((end = read_line(argc, argv, &line, out, seen)))
        return end;
    if (line.operand_cnt == 0)
        return cli_usage("no TOPIC given");
    out->topic = line.operand[line.operand_cnt - 1];
    if (line.operand_cnt == 1 && stat(out->topic, &st) == 0 && S_ISREG(st.st_mode) &&
        (isatty(STDIN_FILENO) || options_format(&(struct options){0}, out->topic) != INPUT_LINES))
        return cli_usage("no TOPIC given: %s is a file (producer %s TOPIC)", out->topic,
                         out->topic);
    out->files = line.operand_cnt > 1 ? line.operand : standard_input;
    out->file_cnt = line.operand_cnt > 1 ? (size_t)line.operand_cnt - 1 : 1;
    return 0;
}

void options_free(struct options *options)
{
    free(options->columns);
    free(options->delimiter.text);
    free(options->key_sep.text);
    free(options->headers);
}
