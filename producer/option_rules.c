/* option_rules.c - one pass over all options: a contradiction is refused, never ignored. */
#include "option_rules.h"
#include "cli/options.h"
#include "cli/program.h"
#include "millrace.h"
#include "text/csv.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes one name of --columns in the format of the files. */
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

/* --columns separates names by commas, whatever separates the fields of the files; they are
 * stored in the format of the files. */
static int join_columns(struct options *o, const char *columns)
{
    size_t len = strlen(columns), at = 0, n = 0;
    struct csv_field name;
    struct csv_row row;

    if (len == 0 || csv_row(columns, len, 0, ',', 1, &row) != 1 || row.fault || row.next != len ||
        row.eol != MR_EOL_NONE)
        return cli_usage("--columns: \"%s\" is not a row of names (like id,name,price)", columns);
    if (!(o->columns = malloc(3 * len + 3))) /* quotes around each name at worst */
        return CLI_END((program_fail(-ENOMEM, "--columns"), EXIT_FAILED));
    while (csv_field(columns, len, ',', &at, &name)) {
        if (n)
            o->columns[n++] = o->sep;
        n += put_name(o->columns + n, o, name.text, name.len, name.quoted);
    }
    o->columns[n] = '\0';
    return n <= MR_COLUMNS_MAX ? 0 : cli_usage("--columns: more than %u bytes", MR_COLUMNS_MAX);
}

static int check_formats(const struct options *o, const struct options_seen *seen)
{
    int want_csv = seen->no_header || seen->columns || o->key_column || o->timing || o->strict;

    for (size_t i = 0; i < o->file_cnt; i++) {
        enum input_format format = options_format(o, o->files[i]);
        int rows = format == INPUT_CSV || format == INPUT_TSV;
        const char *file = strcmp(o->files[i], "-") == 0 ? "standard input" : o->files[i];

        if (want_csv && !rows)
            return cli_usage("%s is not read as CSV, which %s needs (-i csv)", file,
                             o->key_column   ? "--key-col"
                             : seen->columns ? "--columns"
                             : o->timing     ? "--timing"
                             : o->strict     ? "--strict"
                                             : "--no-header");
        if (seen->sep && format != INPUT_CSV)
            return cli_usage("%s is not read as CSV, which --sep needs (-i csv)", file);
        if ((o->delimiter.text || o->key_sep.text) && format != INPUT_LINES)
            return cli_usage("%s is not read as lines, which %s needs (-i lines)", file,
                             o->delimiter.text ? "-D" : "-K");
        if (seen->repeat && o->repeat > 1 && strcmp(o->files[i], "-") == 0)
            return cli_usage("--repeat cannot read standard input again");
        if (o->follow && format == INPUT_FILE)
            return cli_usage("-F and -i file cannot be combined: a growing file is never complete");
        if ((o->follow || o->resume) && strcmp(o->files[i], "-") == 0)
            return cli_usage("%s needs a FILE: standard input %s", o->follow ? "-F" : "--resume",
                             o->follow ? "is always read to its end"
                                       : "cannot be read again from its start");
        for (size_t j = 0; j < i; j++)
            if (strcmp(o->files[i], "-") == 0 && strcmp(o->files[j], "-") == 0)
                return cli_usage("standard input (\"-\") is given twice");
    }
    return 0;
}

/* Pairs that exclude each other, and why. */
static int check_pairs(const struct options *o, const struct options_seen *seen)
{
    const struct {
        int first, second;
        const char *names, *why;
    } pairs[] = {
        {o->key_column != NULL, o->key_sep.text != NULL, "--key-col and -K",
         "a record has one key"},
        {o->key_column != NULL, o->key != NULL, "--key-col and -k", "a record has one key"},
        {o->key_sep.text != NULL, o->key != NULL, "-K and -k", "a record has one key"},
        {o->envelopes, seen->format, "-J and -i", "envelopes are lines of JSON"},
        {o->envelopes, o->key != NULL, "-J and -k", "the envelopes have their keys"},
        {seen->no_header, seen->columns != NULL, "--no-header and --columns",
         "--columns already implies it"},
        {seen->timeout, seen->fail_if_full, "--timeout and --fail-if-full",
         "one waits, the other does not"},
        {seen->rate, seen->delay, "-r and --delay", "both say when the next record is due"},
        {o->timing != NULL, seen->rate, "--timing and -r", "both say when the next record is due"},
        {o->timing != NULL, seen->delay, "--timing and --delay",
         "both say when the next record is due"},
        {o->timing != NULL, seen->jitter, "--timing and --jitter",
         "the times are those of the file"},
        {o->tee, o->ids, "-T and --ids", "both write to standard output"},
        {o->dry_run, o->seal, "-n and --seal", "-n sends nothing"},
        {o->dry_run, o->ids, "-n and --ids", "-n sends nothing"},
        {o->dry_run, o->join, "-n and --join", "-n sends nothing"},
        {o->dry_run, o->resume, "-n and --resume", "-n does not look at the topic"},
        {o->follow, seen->repeat, "-F and --repeat", "a growing file has no end"},
        {o->follow, o->file_cnt > 1, "-F and several FILEs", "the first would never end"},
        {o->resume, seen->repeat, "--resume and --repeat", "each row is sent once"},
        {o->resume, seen->skip, "--resume and --skip", "the topic knows which rows to skip"},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (pairs[i].first && pairs[i].second)
            return cli_usage("%s cannot be combined: %s", pairs[i].names, pairs[i].why);
    if (seen->jitter && !seen->rate && !seen->delay)
        return cli_usage("--jitter needs -r or --delay");
    return 0;
}

static int is_column_number(const char *text)
{
    return !text[strspn(text, "0123456789")] && strlen(text) <= 9 && atoi(text) > 0;
}

int option_rules_check(struct options *o, const struct options_seen *seen)
{
    const char *wrong;
    int end = check_pairs(o, seen);

    if (end)
        return end;
    if ((wrong = mr_name_check(MR_NAME_TOPIC, o->topic)))
        return cli_usage("%s: bad name of a topic: %s", o->topic, wrong);
    if ((end = check_formats(o, seen)))
        return end;
    if (seen->columns) {
        o->no_header = 1;
        if (options_format(o, o->files[0]) == INPUT_TSV)
            o->sep = '\t';
        return join_columns(o, seen->columns);
    }
    if (seen->no_header && o->key_column && !is_column_number(o->key_column))
        return cli_usage("--key-col %s: without a header a column is given by its number, "
                         "from 1 (or give --columns)",
                         o->key_column);
    if (seen->no_header && o->timing && !isdigit((unsigned char)o->timing[0]))
        return cli_usage("--timing %s: without a header a column is given by its number, "
                         "from 1 (or give --columns)",
                         o->timing);
    return 0;
}
