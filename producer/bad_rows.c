#include "bad_rows.h"
#include "cli/program.h"
#include "millrace.h"
#include "report.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SHOWN_MAX 10

static int cannot_write(const struct bad_rows *bad)
{
    program_error("%s: %s", bad->path, strerror(errno));
    return EXIT_FAILED;
}

int bad_rows_open(struct bad_rows *bad, const struct options *options)
{
    *bad = (struct bad_rows){.policy = options->bad, .path = options->bad_path, .options = options};
    return bad->policy == BAD_KEEP ? open_output(bad->path, &bad->out) : 0;
}

int bad_rows_close(struct bad_rows *bad)
{
    FILE *out = bad->out;

    bad->out = NULL;
    return out && fclose(out) ? cannot_write(bad) : 0;
}

/* Writes a bad row unchanged, with its line end. */
static int keep(struct bad_rows *bad, const struct input_row *row)
{
    size_t end_len;
    const char *end = options_line_end(bad->options, row->flags, &end_len);

    if (!bad->out)
        return 0;
    if (fwrite(row->data, 1, row->len, bad->out) != row->len ||
        fwrite(end, 1, end_len, bad->out) != end_len)
        return cannot_write(bad);
    return 0;
}

int bad_rows_add(struct bad_rows *bad, const struct input *in, const struct input_row *row)
{
    char where[64] = "", begin[64] = "";

    if (in->how.format != INPUT_FILE)
        snprintf(where, sizeof(where), "line %" PRIu64 ", byte %" PRIu64 ": ", row->bad_line,
                 row->bad_byte);
    if (row->bad_line != row->line)
        snprintf(begin, sizeof(begin), " (the row begins in line %" PRIu64 ")", row->line);
    bad->cnt++;
    if (bad->policy == BAD_STOP) {
        program_error("%s: %s%s%s; stopped (--bad-rows skip continues without it)", in->name, where,
                      row->reason, begin);
        return EXIT_FAILED;
    }
    if (bad->cnt <= SHOWN_MAX)
        program_notice("%s: %s%s%s; %s", in->name, where, row->reason, begin,
                       bad->out ? "kept" : "skipped");
    if (bad->cnt == SHOWN_MAX)
        program_notice("further bad rows are counted, not shown");
    return keep(bad, row);
}

int bad_rows_rest(struct bad_rows *bad, const struct input_row *row)
{
    return keep(bad, row);
}
