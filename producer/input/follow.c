/* follow.c - stat tells what happened to the current file, inotify which files have had its name
 * since. */
#include "follow.h"
#include "cli/program.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TELL_NS INT64_C(500000000)
/* a file that could not be opened for this long is given up */
#define LOST_NS       INT64_C(1000000000)
#define FOLDER_EVENTS (IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE)
#define FILE_EVENTS   (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)

int wait_readable(int fd, int64_t timeout_ns)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000,
                               .tv_nsec = timeout_ns % 1000000000};
    sigset_t ours, before;
    int result = 0;

    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ours, &before);
    while (!program_stop &&
           (result = ppoll(&pollfd, 1, timeout_ns < 0 ? NULL : &timeout, &before)) < 0)
        if (errno != EINTR) {
            result = -errno;
            break;
        }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return program_stop ? -EINTR : result;
}

/* ---- watches ---- */

static void watch_folder(struct follow *follow)
{
    if (follow->notify >= 0) /* the same folder by another name has the same watch */
        follow->folder_watch = inotify_add_watch(
            follow->notify, *follow->folder ? follow->folder : ".", FOLDER_EVENTS | IN_ONLYDIR);
}

int follow_start(struct follow *follow, const char *path)
{
    const char *slash = strrchr(path, '/');

    *follow = (struct follow){.path = path, .notify = -1, .folder_watch = -1, .file_watch = -1};
    follow->name = slash ? slash + 1 : path;
    follow->folder = strndup(path, (size_t)(follow->name - path));
    if (!follow->folder)
        return -ENOMEM;
    follow->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch_folder(follow);
    return 0;
}

void follow_file(struct follow *follow, int fd)
{
    char path[64];

    follow->replaced_ns = 0;
    if (follow->notify < 0)
        return;
    if (follow->file_watch >= 0)
        inotify_rm_watch(follow->notify, follow->file_watch);
    snprintf(path, sizeof(path), "/proc/self/fd/%d",
             fd); /* another file may have its name by now */
    follow->file_watch = inotify_add_watch(follow->notify, path, FILE_EVENTS);
}

/* ---- the queue ---- */

static void drop(struct follow *follow, size_t i)
{
    if (follow->next[i].fd >= 0)
        close(follow->next[i].fd);
    free(follow->next[i].name);
    follow->next_cnt--;
    memmove(&follow->next[i], &follow->next[i + 1],
            (follow->next_cnt - i) * sizeof(follow->next[0]));
}

static void lose(struct follow *follow, size_t i)
{
    program_error(
        "%s: another file had this name and was gone before it could be opened; its lines are lost",
        follow->path);
    drop(follow, i);
}

/* Queues another file that has the name. Returns it, or NULL if there is no room, which is
 * reported. */
static struct follow_file *add(struct follow *follow)
{
    struct follow_file *file = &follow->next[follow->next_cnt];
    char *name = follow->next_cnt < FOLLOW_QUEUE ? strdup(follow->name) : NULL;

    if (!name) {
        program_error("%s: %d files of this name are waiting to be read, the limit; the lines of "
                      "another one are lost",
                      follow->path, FOLLOW_QUEUE);
        return NULL;
    }
    *file = (struct follow_file){.fd = -1, .name = name, .since_ns = program_now()};
    follow->next_cnt++;
    return file;
}

int follow_next(struct follow *follow)
{
    int fd = follow->next_cnt ? follow->next[0].fd : -1;

    if (fd >= 0) {
        follow->next[0].fd = -1;
        drop(follow, 0);
    }
    return fd;
}

void follow_stop(struct follow *follow)
{
    while (follow->next_cnt)
        drop(follow, 0);
    free(follow->folder);
    follow->folder = NULL;
    if (follow->notify >= 0)
        close(follow->notify);
    follow->notify = -1;
}

/* ---- events ---- */

static int is_same(int fd, const struct stat *other)
{
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == other->st_dev &&
           st.st_ino == other->st_ino;
}

static int look_at(const struct follow *follow, const char *name, struct stat *st)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s%s", follow->folder, name);

    return len < 0 || (size_t)len >= sizeof(path) ? -1 : stat(path, st);
}

/* A file that may not be the open one has lost its name for good, removed or renamed over. The
 * open file is that file, unless it was opened too late and is another one that got the name
 * after it. */
static void end_name(struct follow *follow, size_t i)
{
    struct stat st;

    if (follow->next[i].fd < 0 ||
        (look_at(follow, follow->next[i].name, &st) == 0 && is_same(follow->next[i].fd, &st)))
        lose(follow, i);
    else
        follow->next[i].sure = 1;
}

/* Handles a change in the folder: files that may not be open yet are followed to their new
 * names. Returns 1 if it was about one of those, or about a new file. */
static int note(struct follow *follow, const struct inotify_event *event)
{
    int came = (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0, known = 0, about = 0;

    for (size_t i = 0; i < follow->next_cnt; i++) {
        struct follow_file *file = &follow->next[i];

        if (file->sure)
            continue;
        if (!file->name) {
            if (!(event->mask & IN_MOVED_TO) || event->cookie != file->cookie)
                continue;
            file->name = strdup(event->name);
            known = about = 1;
        } else if (strcmp(file->name, event->name) == 0) {
            about = file->touched = 1;
            if (event->mask & IN_MOVED_FROM) {
                free(file->name);
                file->name = NULL;
                file->cookie = event->cookie;
            } else {
                size_t before = follow->next_cnt;

                end_name(follow, i);
                i -= follow->next_cnt < before;
            }
        }
    }
    if (!came || known || strcmp(event->name, follow->name) != 0)
        return about;
    add(follow);
    return 1;
}

/* Reads all events of inotify. Returns 1 if any was about files of the queue. */
static int take_events(struct follow *follow)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    int about = 0;
    ssize_t n;

    while (follow->notify >= 0 && (n = read(follow->notify, events, sizeof(events))) > 0)
        for (char *at = events; at < events + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;

            at += sizeof(*event) + event->len;
            if (event->mask & IN_Q_OVERFLOW)
                program_error("%s: too many changes in its folder; if other files had this name, "
                              "their lines may be lost",
                              follow->path);
            else if (event->wd == follow->folder_watch && event->len)
                about |= note(follow, event);
        }
    return about;
}

/* ---- opening ---- */

/* Opens a file of the queue under its current name. It is dropped if it is not a regular file,
 * or if it is already open, as its change was reported twice. */
static void open_next(struct follow *follow, size_t *i, int current)
{
    struct follow_file *file = &follow->next[*i];
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s%s", follow->folder, file->name);
    int fd = len < 0 || (size_t)len >= sizeof(path)
                 ? -1
                 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    size_t j = 0;

    if (fd < 0)
        return;
    if (file->fd >= 0)
        close(file->fd);
    file->fd = fd;
    while (fstat(fd, &st) == 0 && j < follow->next_cnt &&
           (j == *i || !is_same(follow->next[j].fd, &st)))
        j++;
    if (!S_ISREG(st.st_mode) || is_same(current, &st) ||
        (j < follow->next_cnt && (follow->next[j].looked || follow->next[j].sure))) {
        drop(follow, (*i)--);
    } else if (j < *i) { /* the other entry was opened too late and is this file */
        lose(follow, j);
        (*i)--;
    }
}

/* Opens the files of the queue, until no change was reported meanwhile. Ends, as each turn takes
 * another change of such a file. */
static void open_all(struct follow *follow, int current)
{
    do {
        for (size_t i = 0; i < follow->next_cnt; i++) {
            follow->next[i].touched = 0;
            if (!follow->next[i].sure && follow->next[i].name)
                open_next(follow, &i, current);
        }
    } while (take_events(follow));
    for (size_t i = 0; i < follow->next_cnt; i++)
        follow->next[i].sure |= follow->next[i].fd >= 0 && !follow->next[i].touched;
}

/* Gives up files that could not be opened: moved to another folder, or unreadable while there is
 * a newer one. */
static void give_up(struct follow *follow, int64_t now)
{
    struct stat st;

    for (size_t i = 0; i < follow->next_cnt; i++) {
        const struct follow_file *file = &follow->next[i];
        int newest = i + 1 == follow->next_cnt;

        if (file->fd >= 0 || now - file->since_ns < LOST_NS)
            continue;
        if (!newest || !file->name || look_at(follow, file->name, &st) < 0)
            lose(follow, i--);
    }
}

/* ---- the current file ---- */

static enum follow_event look(struct follow *follow, int fd, off_t read_bytes, int64_t now)
{
    struct stat own, named;
    struct follow_file *file;
    int gone, known;

    take_events(follow);
    open_all(follow, fd);
    gone = stat(follow->path, &named) < 0;
    known = gone || is_same(fd, &named);
    for (size_t i = 0; i < follow->next_cnt; i++)
        known |= follow->next[i].fd < 0 || (!gone && is_same(follow->next[i].fd, &named));
    if (!known && (file = add(follow))) {
        size_t last = follow->next_cnt - 1;

        file->looked = 1;
        open_next(follow, &last, fd);
        if (last == follow->next_cnt - 1)
            follow->next[last].sure = follow->next[last].fd >= 0;
        watch_folder(follow); /* the path may lead to another folder by now */
    }
    give_up(follow, now);
    if (fstat(fd, &own) == 0 && own.st_size != read_bytes) {
        follow->replaced_ns = 0;
        return own.st_size > read_bytes ? FOLLOW_GREW : FOLLOW_CUT;
    }
    if (!follow->next_cnt || follow->next[0].fd < 0) {
        follow->replaced_ns = 0;
        if (gone && !follow->told_gone && now - follow->idle_ns >= TELL_NS) {
            program_notice("%s: gone; waiting for another file of this name", follow->path);
            follow->told_gone = follow->told_end = 1;
        }
        return FOLLOW_NOTHING;
    }
    /* A process that has the old file open may still write its last lines. */
    if (!follow->replaced_ns)
        follow->replaced_ns = now;
    return now - follow->replaced_ns >= FOLLOW_NS ? FOLLOW_REPLACED : FOLLOW_NOTHING;
}

int follow_wait(struct follow *follow, int fd, off_t read_bytes, enum follow_event *event)
{
    int64_t now;
    int error;

    for (follow->idle_ns = program_now();;) {
        now = program_now();
        if ((*event = look(follow, fd, read_bytes, now)) != FOLLOW_NOTHING)
            return 0;
        if (!follow->told_end && now - follow->idle_ns >= TELL_NS) {
            program_notice("%s: read to its end, waiting for more", follow->path);
            follow->told_end = 1;
        }
        /* other changes in the folder must not delay the notice */
        int64_t tell = follow->idle_ns + TELL_NS - now;
        if ((error = wait_readable(follow->notify,
                                   tell > 0 && tell < FOLLOW_NS ? tell : FOLLOW_NS)) < 0)
            return error;
    }
}
