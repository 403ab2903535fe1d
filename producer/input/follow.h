/* follow.h - what becomes of a file that was read to its end (-F): more of it, or another file of
 * its name. Also the wait of all reading.
 *
 * Each file that gets the name is opened as soon as that is seen, and waits in a queue while the
 * one before it is still read: the name may be gone again by then. Seen: inotify tells of every
 * change in the folder, in order and however late it is asked, so a file that was renamed meanwhile
 * is found under its new name. Where inotify tells nothing (network file systems) a look at the
 * name four times a second has to do. A file that could not be opened in time is never passed over
 * in silence. */
#ifndef PRODUCER_INPUT_FOLLOW_H
#define PRODUCER_INPUT_FOLLOW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define FOLLOW_NS    INT64_C(250000000) /* a look at the file at least so often */
#define FOLLOW_QUEUE 64                 /* files opened and not read yet; more are not opened */

enum follow_event {
    FOLLOW_NOTHING,
    FOLLOW_GREW, /* it can be read on */
    FOLLOW_CUT,  /* it is shorter than what was read of it */
    /* its name went to another file, and nothing came to the old one for a while */
    FOLLOW_REPLACED,
};

/* A file that got the name. */
struct follow_file {
    int fd; /* -1: not opened yet */
    /* where it lies in the folder now, as far as was told; NULL: just being renamed */
    char *name;
    uint32_t cookie;  /* of that rename */
    int sure;         /* nothing was told of `name` since it was opened: it is this file */
    int touched;      /* something was */
    int looked;       /* found by a look, not told by inotify */
    int64_t since_ns; /* when it was noted */
};

struct follow {
    const char *path;
    char *folder;     /* where path lies, with the slash; "" the working directory */
    const char *name; /* of path in there */
    int notify;       /* inotify; -1: none to be had */
    int folder_watch, file_watch;
    int64_t idle_ns; /* since when there was nothing */
    /* since when the next file waits and this one is at its end; 0: it is not */
    int64_t replaced_ns;
    int told_end, told_gone;
    struct follow_file next[FOLLOW_QUEUE];
    size_t next_cnt;
};

/* follow_start watches path, which is kept, not copied: before it is opened, so that nothing is
 * missed in between. follow_stop is due then. */
int follow_start(struct follow *follow, const char *path); /* 0; -ENOMEM */
void follow_stop(struct follow *follow);

/* follow_file watches the file that is read now. follow_next gives the one to be read after it, the
 * caller's to close: after FOLLOW_REPLACED there is one. */
void follow_file(struct follow *follow, int fd);
int follow_next(struct follow *follow);

/* follow_wait waits for something to happen to the file, of which read_bytes were read; says so
 * once if it takes long. Returns 0 with *event set, or -EINTR when a signal has asked to stop. */
int follow_wait(struct follow *follow, int fd, off_t read_bytes, enum follow_event *event);

/* wait_readable waits until fd (-1: none) can be read, at most timeout_ns (< 0: for ever). Returns
 * 1; 0 the time is over; -EINTR when a signal has asked to stop (none is missed between the check
 * and the wait); or -errno. */
int wait_readable(int fd, int64_t timeout_ns);

#endif
