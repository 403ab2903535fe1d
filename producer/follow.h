/* follow.h - what becomes of a file that was read to its end (-F): more of it, or another file of its name. Also the wait of all reading. */
#ifndef PRODUCER_FOLLOW_H
#define PRODUCER_FOLLOW_H

#include <stdint.h>
#include <sys/types.h>

#define FOLLOW_NS INT64_C(250000000) /* a look at the file at least so often, also where inotify tells nothing (network file systems) */

enum follow_event {
    FOLLOW_NOTHING,
    FOLLOW_GREW,     /* it can be read on */
    FOLLOW_CUT,      /* it is shorter than what was read of it */
    FOLLOW_REPLACED, /* its name is another file's, and for a while nothing came to the old one */
};

struct follow {
    const char *path;
    int notify;           /* inotify; -1: none to be had */
    int64_t idle_ns;      /* since when there was nothing */
    int64_t replaced_ns;  /* since when the name is another file's; 0: it is not */
    int told_end, told_gone;
};

/* follow_start watches path, which is kept, not copied; again after each change of the file. follow_stop is due then. */
void follow_start(struct follow *follow, const char *path);
void follow_stop(struct follow *follow);

/* follow_wait waits for something to happen to the file, of which read_bytes were read; says so once if it takes long.
 * Returns 0 with *event set, or -EINTR when a signal has asked to stop. */
int follow_wait(struct follow *follow, int fd, off_t read_bytes, enum follow_event *event);

/* wait_readable waits until fd (-1: none) can be read, at most timeout_ns (< 0: for ever). Returns 0, -EINTR when a signal has asked to stop (none is
 * missed between the check and the wait), or -errno. */
int wait_readable(int fd, int64_t timeout_ns);

#endif
