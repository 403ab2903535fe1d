#include "guess.h"
#include "cli/program.h"
#include "text/csv.h"
#include <ctype.h>
#include <string.h>

static int has_rows(enum input_format format)
{
    return format == INPUT_CSV || format == INPUT_TSV;
}

enum input_format guess_format(const struct run *run, const char *file, int *guessed)
{
    const struct options *o = run->options;
    enum input_format format = options_format(o, file);

    *guessed = run->columns.line && format == INPUT_LINES && o->format == INPUT_AUTO &&
               !o->delimiter.text && !o->key_sep.text;
    if (!*guessed)
        return format;
    return run->columns.flags & MR_UNQUOTED ? INPUT_TSV : INPUT_CSV;
}

int guess_begin(struct run *run, const struct input *in)
{
    const char *topic = run->options->topic;
    enum input_format format = in->how.format;

    run->guess =
        (struct guess){.guessed = in->how.guessed,
                       .looks = format == INPUT_LINES && run->options->format == INPUT_AUTO &&
                                !run->options->delimiter.text && !run->options->key_sep.text};
    if (in->how.guessed && format == INPUT_TSV && MR_SEPARATOR_OF(run->columns.flags) != '\t') {
        program_error(
            "%s: the rows of %s are neither CSV nor TSV (-i lines sends lines as they are)",
            in->name, topic);
        return EXIT_FAILED;
    }
    if (in->how.guessed)
        program_notice("%s: read as %s, since %s has columns (-i lines sends lines as they are)",
                       in->name, format == INPUT_TSV ? "TSV" : "CSV", topic);
    else if (run->columns.line && !has_rows(format) && format != INPUT_ENVELOPES)
        program_notice("%s: %s has columns, but this is not read as rows of it: everything is sent "
                       "as it is (-i csv reads rows)",
                       in->name, topic);
    return 0;
}

/* ---- unsupported texts ---- */

static int is_utf16(const struct input_row *row)
{
    const char *text = row->data;

    if (row->len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return 1;
    /* Without a mark: ASCII, each letter with a NUL before or after it. */
    if (row->len < 4 || (!text[0] == !text[1]))
        return 0;
    for (size_t i = 2; i < 4; i++)
        if (!text[i] != !text[i - 2])
            return 0;
    return 1;
}

/* A CR outside of quotes that is not part of a line end. */
static int has_lone_cr(const struct input *in, const struct input_row *row)
{
    int quoted = 0;

    for (size_t i = 0; i < row->len; i++) {
        if (row->data[i] == '"' && in->how.format == INPUT_CSV)
            quoted = !quoted;
        else if (row->data[i] == '\r' && !quoted)
            return 1;
    }
    return 0;
}

static int check_text(const struct input *in, const struct input_row *row)
{
    enum input_format format = in->how.format;

    if (format == INPUT_FILE || in->how.delimiter)
        return 0;
    if (is_utf16(row)) {
        if (format == INPUT_LINES) {
            program_notice("%s: this looks like UTF-16, and lines are cut at the wrong bytes; "
                           "convert it: iconv -f UTF-16 -t UTF-8",
                           in->name);
            return 0;
        }
        program_error(
            "%s: this is UTF-16, which is not supported; convert it: iconv -f UTF-16 -t UTF-8",
            in->name);
        return EXIT_FAILED;
    }
    if (!has_lone_cr(in, row))
        return 0;
    if (has_rows(format)) {
        program_error("%s: the first row has a carriage return that ends no line; if the lines of "
                      "this file end with it, convert them: tr '\\r' '\\n'",
                      in->name);
        return EXIT_FAILED;
    }
    if ((row->flags & MR_EOL_MASK) == MR_EOL_NONE)
        program_notice("%s: one line, with carriage returns in it; if they are its line ends, "
                       "convert it: tr '\\r' '\\n'",
                       in->name);
    return 0;
}

/* ---- lines that look like CSV ---- */

/* Counts the names if all fields look like names: two or more, each beginning with a letter or a
 * quote. Returns 0 if they do not. */
static size_t count_names(const struct input_row *row, char sep)
{
    struct csv_field field;
    size_t at = 0, cnt = 0;

    while (csv_field(row->data, row->len, sep, &at, &field)) {
        if (!field.len || (!isalpha((unsigned char)field.text[0]) && field.text[0] != '_' &&
                           (signed char)field.text[0] >= 0))
            return 0;
        cnt++;
    }
    return cnt > 1 ? cnt : 0;
}

static void look(struct guess *guess, const struct input *in, const struct input_row *row)
{
    static const char seps[] = ",;\t";

    if (row->first) {
        for (const char *sep = seps; *sep && !guess->names; sep++) {
            guess->names = count_names(row, *sep);
            guess->sep = *sep;
        }
        guess->looks = guess->names > 0;
        return;
    }
    guess->looks = 0;
    if (csv_count(row->data, row->len, (unsigned char)guess->sep) == guess->names)
        program_notice("%s: read as lines, but it looks like CSV: %s reads the first line as the "
                       "names of the columns (-i lines silences this)",
                       in->name,
                       guess->sep == ','   ? "-i csv"
                       : guess->sep == ';' ? "-i csv --sep ';'"
                                           : "-i tsv");
}

int guess_row(struct run *run, const struct input *in, const struct input_row *row)
{
    int status = row->first ? check_text(in, row) : 0;

    if (!status && run->guess.looks)
        look(&run->guess, in, row);
    return status;
}
