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

/* Rows that have another number of fields than the header. */
struct uneven {
    size_t field_cnt; /* of the header of the present FILE; 0: none is known */
    int sep;          /* as csv_field takes it */
    uint64_t fewer, more;
    const char *first_file; /* where the first of them is */
    uint64_t first_line;
};

/* The columns that the topic had when we came. */
struct columns {
    char *line; /* without byte order mark; NULL: none */
    size_t len;
    uint32_t flags; /* as mr_topic_set_columns takes them */
};

/* What the first lines look like. */
struct guess {
    int guessed;  /* the format of the present FILE, by the topic's columns */
    int looks;    /* it is not known yet */
    size_t names; /* in the first line, if that looks like a header of CSV */
    char sep;
};

struct run {
    const struct options *options;
    struct mr_topic *topic; /* NULL: a dry run */
    int started;            /* it came as far as sending */
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
    int columns_set;      /* those that envelopes tell were given to the topic */
    uint64_t taken;       /* records handed to the sender: -c counts these */
    uint64_t skipped;     /* by --skip */
    uint64_t done_bytes;  /* of the FILEs already read */
    uint64_t total_bytes; /* of all FILEs once; 0: unknown */
};

#endif
