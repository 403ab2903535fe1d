/* input.c - rows out of one growing buffer. Each turn takes the whole rows, moves the rest to
 * the front, and reads once more. */
#include "input.h"
#include "cli/program.h"
#include "millrace.h"
#include "text/csv.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TELL_NS INT64_C(500000000)

static const char standard_input[] = "standard input";

static int open_file(struct input *in)
{
    int standard = in->name == standard_input;
    struct stat st;
    int error;

    in->fd = -1;
    if (in->how.follow && (error = follow_start(&in->follow, in->name)))
        return error;
    /* Without O_NONBLOCK open would wait for a writer of a named pipe, and a signal that arrived
     * just before would be missed. */
    in->fd = standard ? STDIN_FILENO : open(in->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (in->fd < 0 || fstat(in->fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    in->size_bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    in->unheard = !standard && S_ISFIFO(st.st_mode);
    in->read_bytes = 0;
    if (standard && in->size_bytes) { /* a process may have read part of it before */
        off_t at = lseek(in->fd, 0, SEEK_CUR);

        in->read_bytes = at > 0 ? (uint64_t)at : 0;
    }
    (void)posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* has no effect on a pipe */
    if (in->how.follow)
        follow_file(&in->follow, in->fd);
    return 0;
}

int input_open(struct input *in, const struct input_how *how, const char *name)
{
    int error;

    *in = (struct input){.how = *how,
                         .name = strcmp(name, "-") == 0 ? standard_input : name,
                         .line = 1,
                         .follow.notify = -1};
    error = open_file(in);
    if (!error && !(in->buf = malloc(INPUT_CHUNK + CSV_BEHIND)))
        error = -ENOMEM;
    if (error) {
        input_close(in);
        return error;
    }
    in->cap = INPUT_CHUNK;
    return 0;
}

void input_close(struct input *in)
{
    follow_stop(&in->follow);
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    in->fd = -1;
    free(in->buf);
    in->buf = NULL;
}

int input_again(struct input *in)
{
    int fd = in->ended == FOLLOW_REPLACED ? follow_next(&in->follow) : -1;

    if (fd >= 0) {
        close(in->fd);
        in->fd = fd;
        follow_file(&in->follow, fd);
    } else if (lseek(in->fd, 0, SEEK_SET) < 0) {
        return -errno;
    }
    in->read_bytes = 0;
    in->at_end = in->discarding = in->started = 0;
    in->ended = FOLLOW_NOTHING;
    in->at = in->len = in->searched = 0;
    in->found_at = in->found_cnt = 0;
    in->line = 1;
    return 0;
}

/* ---- framing ---- */

/* Lines, by LF or the delimiter given. As csv_row. */
static int frame_line(const struct input *in, struct csv_row *row)
{
    const char *from = in->buf + in->at, *delimiter = in->how.delimiter ? in->how.delimiter : "\n";
    size_t left = in->len - in->at, n = in->how.delimiter ? in->how.delimiter_len : 1;
    const char *end = n == 1 ? memchr(from, delimiter[0], left) : memmem(from, left, delimiter, n);

    if (!end && (!in->at_end || left == 0))
        return 0;
    *row = (struct csv_row){.start = in->at, .eol = end ? MR_EOL_LF : MR_EOL_NONE};
    row->len = end ? (size_t)(end - from) : left;
    row->next = in->at + row->len + (end ? n : 0);
    if (end && !in->how.delimiter && row->len && from[row->len - 1] == '\r') {
        row->len--;
        row->eol = MR_EOL_CRLF;
    }
    return 1;
}

/* A whole file: an empty one is a record, too. */
static int frame_file(const struct input *in, struct csv_row *row)
{
    if (!in->at_end || in->started)
        return 0;
    *row = (struct csv_row){
        .start = in->at, .len = in->len - in->at, .next = in->len, .eol = MR_EOL_NONE};
    return 1;
}

static size_t frame_csv(struct input *in)
{
    /* The byte order mark is before the quote of the first field, so the row is searched after
     * it; the row includes it. */
    size_t bom = in->started ? 0 : csv_bom(in->buf, in->len);
    size_t cnt = csv_rows((struct csv_window){.buf = in->buf,
                                              .len = in->len,
                                              .at = in->at + bom,
                                              .sep = in->how.sep,
                                              .last = in->at_end},
                          in->found, INPUT_FOUND);

    if (!cnt && bom && in->at_end && in->len == bom) {
        in->found[0] = (struct csv_row){.start = bom, .next = bom, .eol = MR_EOL_NONE};
        cnt = 1;
    }
    if (cnt) {
        in->found[0].start -= bom;
        in->found[0].len += bom;
    }
    return cnt;
}

/* Returns how many rows were found: at in->found. */
static size_t frame(struct input *in)
{
    if (in->how.format == INPUT_CSV)
        return frame_csv(in);
    return (size_t)(in->how.format == INPUT_FILE ? frame_file : frame_line)(in, in->found);
}

/* 1 if the new bytes cannot complete the row: saves scanning a long row again after each small
 * read. */
static int hopeless(struct input *in)
{
    int last;

    if (in->searched == in->at || in->at_end)
        return 0;
    if (in->how.format == INPUT_FILE)
        return 1;
    last = in->how.delimiter ? in->how.delimiter[in->how.delimiter_len - 1] : '\n';
    if (in->searched < in->len && memchr(in->buf + in->searched, last, in->len - in->searched))
        return 0;
    in->searched = in->len;
    return 1;
}

/* ---- bad rows ---- */

static int has_bom(enum input_format format)
{
    return format == INPUT_CSV || format == INPUT_TSV || format == INPUT_ENVELOPES;
}

static inline void take(struct input *in, const struct csv_row *found, struct input_row *row)
{
    row->data = in->buf + found->start;
    row->len = found->len;
    row->flags = found->eol;
    row->fields = found->fields;
    row->first = !in->started;
    row->line = in->line;
    row->bom = in->started || !has_bom(in->how.format) ? 0 : csv_bom(row->data, row->len);
    row->more = 0;
    in->line += found->lines + (found->eol != MR_EOL_NONE);
    in->bytes += found->next - found->start;
    in->at = in->searched = found->next;
    in->started = 1;
}

/* Finds line and byte of the fault, which may be after the row: a quoted field can span many
 * lines before the fault. */
static void locate(const struct input *in, const struct csv_row *found, struct input_row *row)
{
    const char *from = in->buf + found->start, *fault = in->buf + found->fault_at, *lf;

    row->bad_line = row->line;
    while ((lf = memchr(from, '\n', (size_t)(fault - from)))) {
        row->bad_line++;
        from = lf + 1;
    }
    row->bad_byte = (uint64_t)(fault - from) + 1;
}

__attribute__((cold)) static enum input_event
give_bad(struct input *in, const struct csv_row *found, struct input_row *row, int too_long)
{
    const char *text = csv_fault_text((enum csv_fault)found->fault);

    take(in, found, row);
    locate(in, found, row);
    if (too_long && in->how.format == INPUT_ENVELOPES)
        snprintf(row->reason, sizeof(row->reason),
                 "the line is longer than %zu bytes, the limit for a record of this topic",
                 in->how.record_max);
    else if (too_long && found->fault == CSV_OK)
        snprintf(row->reason, sizeof(row->reason),
                 "%s is longer than %zu bytes, the limit for a record",
                 in->how.format == INPUT_FILE ? "the file" : "the row", in->how.record_max);
    else if (too_long && found->fault == CSV_OPEN_QUOTE)
        snprintf(row->reason, sizeof(row->reason), "%s within %zu bytes, the limit for a record",
                 text, in->how.record_max);
    else
        snprintf(row->reason, sizeof(row->reason), "%s", text);
    return INPUT_BAD;
}

/* The number of bytes at the end of the buffer that may be part of a line end. */
static size_t kept_back(const struct input *in)
{
    if (in->at_end || in->how.format == INPUT_FILE)
        return 0;
    return in->how.delimiter ? in->how.delimiter_len - 1 : 1;
}

/* The row at `at` is longer than a record can be. The part in the buffer is returned as a bad
 * row: up to its first line end if there is one (an unclosed quote), else all of it, with the
 * rest to follow. */
__attribute__((cold)) static enum input_event give_too_long(struct input *in, struct input_row *row)
{
    size_t bom = in->started || in->how.format != INPUT_CSV ? 0 : csv_bom(in->buf, in->len);
    struct csv_row found = {.start = in->at,
                            .len = in->len - in->at,
                            .next = in->len,
                            .eol = MR_EOL_NONE,
                            .fault_at = in->at};

    if (in->how.format == INPUT_CSV &&
        csv_row(in->buf, in->len, in->at + bom, in->how.sep, 1, &found)) {
        found.start -= bom;
        found.len += bom;
        if (found.fault == CSV_OK)
            found.fault_at = found.start;
    }
    if (found.eol == MR_EOL_NONE) {
        size_t kept = kept_back(in);

        found.len -= kept < found.len ? kept : 0;
        found.next = found.start + found.len;
        in->discarding = 1;
    }
    enum input_event event = give_bad(in, &found, row, 1);
    row->more = in->discarding;
    return event;
}

__attribute__((cold)) static enum input_event give_rest(struct input *in, struct input_row *row)
{
    struct csv_row found;
    int whole = in->how.format != INPUT_FILE && frame_line(in, &found);

    if (!whole) {
        size_t kept = kept_back(in), left = in->len - in->at;

        if (!in->at_end && left <= kept)
            return INPUT_MORE;
        found = (struct csv_row){
            .start = in->at, .len = left - kept, .next = in->len - kept, .eol = MR_EOL_NONE};
    }
    take(in, &found, row);
    row->more = in->discarding = !whole && !in->at_end;
    return INPUT_REST;
}

static size_t held_max(const struct input *in)
{
    return in->how.record_max > MR_COLUMNS_MAX ? in->how.record_max : MR_COLUMNS_MAX;
}

/* ---- rows ---- */

enum input_event input_next(struct input *in, struct input_row *row)
{
    const struct csv_row *found;

    if (in->discarding)
        return give_rest(in, row);
    if (in->found_at == in->found_cnt) {
        in->found_at = 0;
        in->found_cnt = hopeless(in) ? 0 : frame(in);
    }
    if (in->found_at < in->found_cnt) {
        found = &in->found[in->found_at++];
        if (found->fault)
            return give_bad(in, found, row, 0);
        take(in, found, row);
        return INPUT_ROW;
    }
    if (in->at_end)
        return INPUT_END;
    in->searched = in->len;
    return in->len - in->at > held_max(in) ? give_too_long(in, row) : INPUT_MORE;
}

static int make_room(struct input *in)
{
    size_t left = in->len - in->at, want, limit = held_max(in) + 1 + INPUT_CHUNK;
    char *bigger;

    in->found_at = in->found_cnt = 0;
    if (in->at) {
        memmove(in->buf, in->buf + in->at, left);
        in->searched -= in->at;
        in->len = left;
        in->at = 0;
    }
    if (in->cap - left >= INPUT_CHUNK / 2)
        return 0;
    want = in->cap * 2 < limit ? in->cap * 2 : limit;
    if (want < left + INPUT_CHUNK)
        want = left + INPUT_CHUNK;
    if (!(bigger = realloc(in->buf, want + CSV_BEHIND)))
        return -ENOMEM;
    in->buf = bigger;
    in->cap = want;
    return 0;
}

/* Handles a read of 0 bytes. Returns 0, with in->at_end set unless another read is worthwhile;
 * or an error. */
static int reached_end(struct input *in)
{
    enum follow_event event = FOLLOW_NOTHING;
    struct stat st;
    int error;

    if (in->how.follow) {
        error = follow_wait(&in->follow, in->fd, (off_t)in->read_bytes, &event);
        in->at_end = !error && event != FOLLOW_GREW;
        in->ended = in->at_end ? event : FOLLOW_NOTHING;
        return error;
    }
    /* Files of /proc have contents, but size 0. */
    if (in->size_bytes && (in->size_bytes > in->read_bytes ||
                           (fstat(in->fd, &st) == 0 && (uint64_t)st.st_size < in->read_bytes)))
        return INPUT_CUT;
    in->at_end = 1;
    return 0;
}

/* The first wait for a named pipe. */
static int wait_for_writer(struct input *in)
{
    int ready = wait_readable(in->fd, TELL_NS);

    if (ready == 0) {
        program_notice("%s: a named pipe that has no data yet; waiting", in->name);
        ready = wait_readable(in->fd, -1);
    }
    in->unheard = 0;
    return ready;
}

int input_fill(struct input *in)
{
    int error = make_room(in);
    ssize_t n;

    while (error >= 0 && !in->at_end) {
        if ((error = in->unheard ? wait_for_writer(in) : wait_readable(in->fd, -1)) < 0)
            break;
        n = read(in->fd, in->buf + in->len, in->cap - in->len);
        if (n > 0) {
            in->len += (size_t)n;
            in->read_bytes += (uint64_t)n;
            break;
        }
        if (n == 0)
            error = reached_end(in);
        else if (errno != EINTR && errno != EAGAIN)
            error = -errno;
    }
    return error < 0 ? error : 0;
}
