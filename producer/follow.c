/* follow.c - stat says what happened; inotify only shortens the wait until the next look. */
#include "follow.h"
#include "program.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TELL_NS INT64_C(500000000)

int wait_readable(int fd, int64_t timeout_ns)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    sigset_t ours, before;
    int error = 0;

    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ours, &before);
    while (!mr_program_stop && ppoll(&pollfd, 1, timeout_ns < 0 ? NULL : &timeout, &before) < 0)
        if (errno != EINTR) {
            error = -errno;
            break;
        }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return mr_program_stop ? -EINTR : error;
}

void follow_start(struct follow *follow, const char *path)
{
    *follow = (struct follow){.path = path, .notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (follow->notify >= 0)
        (void)inotify_add_watch(follow->notify, path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF);
}

void follow_stop(struct follow *follow)
{
    if (follow->notify >= 0)
        close(follow->notify);
    follow->notify = -1;
}

static enum follow_event look(struct follow *follow, int fd, off_t read_bytes, int64_t now)
{
    struct stat own, named;
    int gone;

    if (fstat(fd, &own) == 0 && own.st_size != read_bytes)
        return own.st_size > read_bytes ? FOLLOW_GREW : FOLLOW_CUT;
    gone = stat(follow->path, &named) < 0;
    if (gone || (named.st_dev == own.st_dev && named.st_ino == own.st_ino)) {
        follow->replaced_ns = 0;
        if (gone && !follow->told_gone && now - follow->idle_ns >= TELL_NS) {
            mr_program_notice("%s: gone; waiting for another file of this name", follow->path);
            follow->told_gone = follow->told_end = 1;
        }
        return FOLLOW_NOTHING;
    }
    /* Who has the old one open may still write its last lines. */
    if (!follow->replaced_ns)
        follow->replaced_ns = now;
    return now - follow->replaced_ns >= FOLLOW_NS ? FOLLOW_REPLACED : FOLLOW_NOTHING;
}

int follow_wait(struct follow *follow, int fd, off_t read_bytes, enum follow_event *event)
{
    char events[4096];
    int64_t now;
    int error;

    for (follow->idle_ns = mr_program_now();;) {
        now = mr_program_now();
        if ((*event = look(follow, fd, read_bytes, now)) != FOLLOW_NOTHING)
            return 0;
        if (!follow->told_end && now - follow->idle_ns >= TELL_NS) {
            mr_program_notice("%s: read to its end, waiting for more", follow->path);
            follow->told_end = 1;
        }
        if ((error = wait_readable(follow->notify, FOLLOW_NS)))
            return error;
        while (follow->notify >= 0 && read(follow->notify, events, sizeof(events)) > 0)
            ;
    }
}
