/* follow.h - waits at the end of a file (-F): for more data, or for another file of its name. Also
 * has the wait that all reading uses.
 *
 * Each file that gets the name is opened as soon as that is noticed, and queued while the
 * previous one is still being read: it may lose the name again by then. inotify reports every
 * change in the folder, in order and however late it is read, so a file that was renamed
 * meanwhile is found under its new name. Where inotify reports nothing (network file systems)
 * the name is checked four times a second instead. A file that could not be opened in time is
 * always reported. */
#ifndef PRODUCER_INPUT_FOLLOW_H
#define PRODUCER_INPUT_FOLLOW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define FOLLOW_NS    INT64_C(250000000) /* the longest time between two checks of the file */
#define FOLLOW_QUEUE 64                 /* limit of files that wait to be read */

enum follow_event {
    FOLLOW_NOTHING,
    FOLLOW_GREW, /* it can be read on */
    FOLLOW_CUT,  /* it is shorter than the part already read */
    /* another file has its name, and the old one has not grown for a while */
    FOLLOW_REPLACED,
};

/* A file that got the name. */
struct follow_file {
    int fd; /* -1: not opened yet */
    /* its current name in the folder, as far as reported; NULL: being renamed */
    char *name;
    uint32_t cookie;  /* of that rename */
    int sure;         /* no change of `name` was reported since it was opened: it is this file */
    int touched;      /* a change was reported */
    int looked;       /* found by a check, not reported by inotify */
    int64_t since_ns; /* when it was noted */
};

struct follow {
    const char *path;
    char *folder;     /* the folder of path, with the slash; "": the working directory */
    const char *name; /* of path in there */
    int notify;       /* inotify; -1: not available */
    int folder_watch, file_watch;
    int64_t idle_ns; /* since when there has been no data */
    /* since when this file is at its end while the next one waits; 0: it is not */
    int64_t replaced_ns;
    int told_end, told_gone;
    struct follow_file next[FOLLOW_QUEUE];
    size_t next_cnt;
};

/* follow_start watches path, which is not copied. Call it before opening the file, so that no
 * change is missed, and follow_stop at the end. */
int follow_start(struct follow *follow, const char *path); /* 0; -ENOMEM */
void follow_stop(struct follow *follow);

/* follow_file watches the file being read. follow_next returns the next one, which the caller
 * closes; after FOLLOW_REPLACED there is one. */
void follow_file(struct follow *follow, int fd);
int follow_next(struct follow *follow);

/* follow_wait waits for a change of the file, of which read_bytes were read, and reports a long
 * wait once. Returns 0 with *event set, or -EINTR when a signal has asked to stop. */
int follow_wait(struct follow *follow, int fd, off_t read_bytes, enum follow_event *event);

/* wait_readable waits until fd (-1: none) can be read, at most timeout_ns (< 0: for ever).
 * Returns 1; 0 on timeout; -EINTR when a signal has asked to stop (none is missed between the
 * check and the wait); or -errno. */
int wait_readable(int fd, int64_t timeout_ns);

#endif
