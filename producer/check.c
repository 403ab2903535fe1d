/* check.c - checks all FILEs before anything is created or sent. */
#include "cli/program.h"
#include "guess.h"
#include "header.h"
#include "input/open.h"
#include "run.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Checks the first row of a file that is not a pipe: its format, and the header if it is one. */
static int check_first(struct run *run, const char *file)
{
    struct input in;
    struct input_row row;
    enum input_event event;
    int status = run_open_input(&in, run, file, MR_COLUMNS_MAX), error = 0, header;

    if (status)
        return status;
    header = run_has_header(run->options, in.how.format);
    if (header ||
        (!run->options->follow && in.how.format != INPUT_LINES && in.how.format != INPUT_FILE)) {
        while ((event = input_next(&in, &row)) == INPUT_MORE && !error)
            error = input_fill(&in);
        if (error)
            status = run_read_failed(&in, error);
        else if (event == INPUT_ROW || event == INPUT_BAD)
            status = guess_row(run, &in, &row);
        if (!status && header && event == INPUT_ROW)
            status = header_check(run, &in, &row);
        else if (!status && header && event == INPUT_BAD)
            status = header_bad(&in, &row);
    }
    input_close(&in);
    return status;
}

static int is_same_file(const char *path, const struct stat *st)
{
    struct stat other;

    return path && S_ISREG(st->st_mode) && stat(path, &other) == 0 && other.st_dev == st->st_dev &&
           other.st_ino == st->st_ino;
}

static int check_file(struct run *run, const char *file)
{
    const struct options *o = run->options;
    int standard = strcmp(file, "-") == 0;
    const char *name = standard ? "standard input" : file;
    struct stat st;

    if ((standard ? fstat(STDIN_FILENO, &st) : stat(file, &st)) < 0 ||
        (!standard && access(file, R_OK) < 0))
        return run_file_failed(name, -errno);
    if ((o->bad == BAD_KEEP && is_same_file(o->bad_path, &st)) || is_same_file(o->stats_path, &st))
        return program_usage("%s would be overwritten while it is read", name);
    if (S_ISREG(st.st_mode) && !standard) {
        run->total_bytes += (uint64_t)st.st_size;
        return check_first(run, file);
    }
    if (S_ISDIR(st.st_mode))
        return run_file_failed(name, -EISDIR);
    if (o->follow || o->resume)
        return program_usage("%s cannot be used with %s: it is not a regular file",
                             o->follow ? "-F" : "--resume", name);
    if (o->repeat > 1)
        return program_usage("--repeat cannot read %s again: it is not a regular file", name);
    return 0;
}

int run_check(struct run *run)
{
    const struct options *o = run->options;
    int whole = 1;

    for (size_t i = 0; i < o->file_cnt; i++) {
        uint64_t before = run->total_bytes;
        int status = check_file(run, o->files[i]);

        if (status)
            return status;
        whole = whole && run->total_bytes > before;
    }
    if (!whole || o->follow)
        run->total_bytes = 0;
    return 0;
}
