/* input.h - one FILE as a series of rows in the read buffer: rows are not copied, and nothing is
 * read before it is asked for.
 *
 *     input_open(&in, &how, "data.csv");
 *     for (;;)
 *         switch (input_next(&in, &row)) {
 *         case INPUT_MORE: (use up all rows: the buffer is about to change) input_fill(&in); break;
 *         ...
 *
 * CSV_BEHIND bytes behind each row can be read.
 * Memory: a row of the largest size of a record, plus one read; a longer row is refused in
 * pieces. */
#ifndef PRODUCER_INPUT_INPUT_H
#define PRODUCER_INPUT_INPUT_H

#include "follow.h"
#include "producer/options.h"
#include "text/csv.h"
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_CUT   (-ENODATA) /* the file became shorter while it was read */
#define INPUT_FOUND 64
#define INPUT_CHUNK ((size_t)256 << 10) /* bytes: a read asks for half of it at least */

enum input_event {
    INPUT_ROW,  /* a row that is well-formed */
    INPUT_BAD,  /* a row that is not: line, byte and reason say where and why */
    INPUT_REST, /* the next piece of the previous bad row, which was too long to be held */
    INPUT_MORE, /* no whole row is in the buffer: call input_fill */
    INPUT_END,  /* there are no more rows */
};

struct input_row {
    const char *data; /* without its line end; valid until input_fill or input_close */
    size_t len;
    uint16_t flags; /* MR_EOL_* */
    int first;      /* of the file */
    size_t fields;  /* how many a row of CSV has; 0: not counted */
    /* 3: data begins with a byte order mark, which belongs to the line and not to the first field
     * or envelope; else 0 */
    size_t bom;
    uint64_t line; /* the line that the row begins in, from 1 */
    /* a bad row only; the position of the fault: line, and byte in that line, both from 1 */
    uint64_t bad_line, bad_byte;
    char reason[192];
    int more; /* INPUT_REST follows */
};

struct input_how {
    enum input_format format; /* not INPUT_AUTO */
    char sep;
    const char *delimiter; /* of lines; NULL: LF or CRLF */
    size_t delimiter_len;
    int guessed; /* the format, by the topic's columns */
    int follow;  /* wait for more at its end; a regular file */
    /* bytes; a header may be longer: up to MR_COLUMNS_MAX are always held */
    size_t record_max;
};

struct input {
    struct input_how how;
    const char *name; /* for messages */
    int fd;
    int unheard; /* a named pipe without data so far */
    int at_end;  /* by read(2); or, if it is followed, there can be no more data: */
    enum follow_event ended;
    struct follow follow;
    /* read so far; the size of a regular file when it was opened */
    uint64_t read_bytes, size_bytes;
    char *buf;
    size_t len, cap;
    size_t at;       /* of the next row */
    size_t searched; /* no line end that could complete it is before this */
    uint64_t line;   /* of the next row, from 1 */
    uint64_t bytes;  /* returned as rows so far, with line ends */
    int discarding;  /* inside a bad row that is too long */
    int started;     /* the first row was returned */
    /* Rows of CSV that were found and not given yet: from found_at to found_cnt. */
    struct csv_row found[INPUT_FOUND];
    size_t found_at, found_cnt;
};

/* input_open opens a file ("-": standard input). name is kept, not copied. Returns 0 or -errno
 * (-EISDIR: a directory). */
int input_open(struct input *in, const struct input_how *how, const char *name);
void input_close(struct input *in);

/* input_again continues at the start of the file, which was truncated or replaced: after INPUT_END
 * with in->ended set. Line numbers start again.
 * Returns 0 or -errno. */
int input_again(struct input *in);

/* input_next gives the next row. */
enum input_event input_next(struct input *in, struct input_row *row);

/* input_fill reads once. Returns 0 (end of file too), -EINTR when a signal has asked to stop,
 * INPUT_CUT or another -errno.
 * Blocks until there is data to read, or a signal arrives: none is missed between the check and
 * the wait. */
int input_fill(struct input *in);

#endif
