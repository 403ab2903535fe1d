/* options.h - the producer's command line. */
#ifndef PRODUCER_OPTIONS_H
#define PRODUCER_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum input_format {
    INPUT_AUTO,
    INPUT_CSV,
    INPUT_TSV,
    INPUT_LINES,
    INPUT_NDJSON,
    INPUT_FILE,
    INPUT_ENVELOPES
};
enum bad_policy { BAD_STOP, BAD_SKIP, BAD_KEEP };
enum progress_when { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

struct option_bytes {
    char *text; /* NULL: not given */
    size_t len;
};

#define PARTITION_ANY (-1)

struct options {
    char **files; /* file_cnt of them, "-" is standard input; never none */
    size_t file_cnt;
    const char *topic;
    const char *bus; /* NULL: $MILLRACE_BUS, else "default" */

    enum input_format format; /* never INPUT_ENVELOPES: */
    int envelopes;            /* -J */
    int follow;
    int no_header; /* the first row is a record; also set by --columns */
    char *columns; /* --columns, joined by the separator; NULL: not given */
    char sep;
    struct option_bytes delimiter; /* of lines; none: LF or CRLF */
    enum bad_policy bad;
    int strict;           /* a row has as many fields as the header */
    const char *bad_path; /* BAD_KEEP: where they are written */

    const char *key_column;
    struct option_bytes key_sep;
    const char *key;
    unsigned char *headers; /* as mr_header_add builds them; NULL: none */
    size_t headers_len;
    int32_t partition; /* or PARTITION_ANY */

    int64_t wait_ns;
    int no_create;
    int64_t timeout_ns; /* < 0: for ever; 0: --fail-if-full */
    uint64_t count;     /* UINT64_MAX: all */
    uint64_t skip;
    int seal;
    int dry_run;
    double interval_ns; /* between records; 0: no pacing */
    /* -r: an average rate; --delay: a pause between two records */
    int steady;
    double jitter; /* in [0, 1] */
    uint64_t repeat;
    const char *timing; /* COL[xF]; NULL: not given */
    int resume;
    int join;

    int tee;
    int ids;
    enum progress_when progress;
    const char *stats_path;
};

/* Which options were given: a value alone does not tell a default from the same value given. */
struct options_seen {
    int format, no_header, sep, timeout, fail_if_full, rate, delay, jitter, repeat, skip;
    const char *columns;
};

/* options_parse reads the command line, each option for itself (option_rules.h has the rules
 * between them), and answers --help and --version.
 * Returns  0 go on with *out; else 1 + the exit status to end with (the message is printed). */
int options_parse(int argc, char **argv, struct options *out, struct options_seen *seen);
void options_free(struct options *options); /* call it in both cases */

/* options_format: the format of a FILE, by -i, else by its suffix. */
enum input_format options_format(const struct options *options, const char *file);

/* options_line_end: the bytes of a line end (MR_EOL_*). */
const char *options_line_end(const struct options *options, unsigned eol, size_t *len);

#endif
