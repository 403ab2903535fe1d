/* run_state.h - the state of one run of the producer, which its parts share. */
#ifndef PRODUCER_RUN_STATE_H
#define PRODUCER_RUN_STATE_H

#include "bad_rows.h"
#include "input/input.h"
#include "options.h"
#include "report.h"
#include "send/pace.h"
#include "send/resume.h"
#include "send/sender.h"

/* Counts rows with more or fewer fields than the header. */
struct uneven {
    size_t field_cnt; /* of the header of the current FILE; 0: unknown */
    int sep;          /* as csv_field takes it */
    uint64_t fewer, more;
    const char *first_file; /* the place of the first one */
    uint64_t first_line;
};

/* The columns of the topic when this run began. */
struct columns {
    char *line; /* without byte order mark; NULL: none */
    size_t len;
    uint32_t flags; /* as mr_topic_set_columns takes them */
};

/* Guesses from the first lines of the current FILE. */
struct guess {
    int guessed;  /* its format was guessed, by the topic's columns */
    int looks;    /* still to be checked whether it looks like CSV */
    size_t names; /* in the first line, if that looks like a header of CSV */
    char sep;
};

struct run {
    const struct options *options;
    struct mr_topic *topic; /* NULL: a dry run */
    int started;            /* sending has begun */
    struct resume resume;
    struct sender sender;
    struct bad_rows bad;
    struct report report;
    struct pace pace;
    char *header; /* the first FILE's, without byte order mark; NULL: none yet */
    size_t header_len;
    uint32_t header_flags; /* how its fields are written: separator, MR_UNQUOTED */
    const char *header_file;
    int32_t time_column; /* of --timing, from 1 */
    struct uneven uneven;
    struct columns columns;
    struct guess guess;
    int columns_set;      /* those from envelopes are stored with the topic */
    uint64_t taken;       /* records handed to the sender: -c counts these */
    uint64_t skipped;     /* by --skip */
    uint64_t done_bytes;  /* of the FILEs already read */
    uint64_t total_bytes; /* of all FILEs once; 0: unknown */
};

#endif
