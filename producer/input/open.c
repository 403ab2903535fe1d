/* open.c - opens a FILE as the options say, and reports what reading it has failed with. */
#include "open.h"
#include "cli/program.h"
#include "producer/guess.h"
#include <errno.h>
#include <string.h>

int run_has_header(const struct options *options, enum input_format format)
{
    return !options->no_header && (format == INPUT_CSV || format == INPUT_TSV);
}

/* The library's words for errors ("no such topic") do not fit files. */
int run_file_failed(const char *name, int error)
{
    program_error("%s: %s", name, strerror(-error));
    return EXIT_FAILED;
}

/* An envelope is longer than its record: a NUL byte takes six, in value and again in raw, and as
 * base64 besides; each has the names of all columns. */
static size_t line_max(enum input_format format, uint64_t record_max)
{
    return (size_t)(format == INPUT_ENVELOPES ? 16 * (record_max + MR_COLUMNS_MAX) : record_max);
}

int run_open_input(struct input *in, const struct run *run, const char *file, uint64_t record_max)
{
    const struct options *o = run->options;
    int guessed;
    enum input_format format = guess_format(run, file, &guessed);
    struct input_how how = {
        .format = format,
        .guessed = guessed,
        .sep = format == INPUT_TSV ? '\t'
               : guessed           ? MR_SEPARATOR_OF(run->columns.flags)
                                   : o->sep,
        .delimiter = format == INPUT_LINES ? o->delimiter.text : NULL,
        .delimiter_len = o->delimiter.len,
        .record_max = line_max(format, record_max),
        .follow = o->follow,
    };
    int error = input_open(in, &how, file);

    return error ? run_file_failed(in->name, error) : 0;
}

int run_read_failed(const struct input *in, int error)
{
    if (error == -EINTR)
        return program_exit_for(error);
    if (error != INPUT_CUT)
        return run_file_failed(in->name, error);
    program_error("%s: cut short while it was read, after line %llu; the rest is lost (-F "
                  "continues with such a file)",
                  in->name, (unsigned long long)in->line - 1);
    return EXIT_FAILED;
}
