/* segment.c - see segment.h. */
#include "segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define FD_MIN 3 /* below are the standard streams, whether the process has them open or not */

#define SHM_DIR "/dev/shm" /* where the C library's shm_open puts its files on Linux */

void mr_segment_name(char out[static MR_PATH_MAX], uid_t owner, const char *bus, const char *topic)
{
    snprintf(out, MR_PATH_MAX, "/millrace.%u.%s%s%s", (unsigned)owner, bus, topic ? "." : "",
             topic ? topic : "");
}

int mr_segment_user(const char *text, size_t len, uid_t *out)
{
    char user[64], room[4096], *end;
    if (len < 1 || len >= sizeof user)
        return -EINVAL;
    memcpy(user, text, len);
    user[len] = '\0';
    if (strspn(user, "0123456789") == len) {
        errno = 0;
        unsigned long number = strtoul(user, &end, 10);
        if (errno || number >= UINT32_MAX) /* the last number means no user */
            return -EINVAL;
        *out = (uid_t)number;
        return 0;
    }
    struct passwd entry, *found = NULL;
    if (getpwnam_r(user, &entry, room, sizeof room, &found) || !found)
        return -EINVAL;
    *out = found->pw_uid;
    return 0;
}

const char *mr_name_check(enum mr_name_kind kind, const char *name)
{
    const char *slash = kind == MR_NAME_BUS ? strchr(name, '/') : NULL;
    uid_t user;
    if (slash) {
        if (mr_segment_user(name, (size_t)(slash - name), &user))
            return "contains '/', and what stands before it is no user's name or number";
        name = slash + 1;
    }
    size_t len = strlen(name);
    size_t max = kind == MR_NAME_BUS     ? MR_BUS_NAME_MAX
                 : kind == MR_NAME_GROUP ? MR_GROUP_NAME_MAX
                                         : MR_TOPIC_NAME_MAX;
    if (len == 0)
        return "is empty";
    size_t suffix = strlen(MR_DEAD_SUFFIX);
    if (kind == MR_NAME_TOPIC && (len < suffix || strcmp(name + len - suffix, MR_DEAD_SUFFIX) != 0))
        max -= suffix; /* so that its dead-letter topic can have a name */
    if (len > max)
        return kind == MR_NAME_BUS     ? "is longer than 32 characters"
               : kind == MR_NAME_GROUP ? "is longer than 63 characters"
                                       : "is longer than 175 characters";
    if (name[0] == '.' || name[0] == '-')
        return "starts with '.' or '-'";
    for (const char *c = name; *c; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            *c == '_' || *c == '-')
            continue;
        if (*c == '.' && kind != MR_NAME_BUS)
            continue;
        if (*c == '/')
            return "contains '/'";
        return kind == MR_NAME_BUS ? "has a character other than letters, digits, '_', '-'"
                                   : "has a character other than letters, digits, '_', '-', '.'";
    }
    return NULL;
}

/* Beyond RLIMIT_FSIZE the kernel raises SIGXFSZ, which kills unless the program has arranged for
 * it, and that is not a library's to change. So it is blocked in this thread while a file grows,
 * and what was raised meanwhile is taken away. */
struct held_back {
    sigset_t too_large, before;
    int was_pending;
};

static void hold_back(struct held_back *held)
{
    sigset_t pending;
    held->was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1;
    sigemptyset(&held->too_large);
    sigaddset(&held->too_large, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &held->too_large, &held->before);
}

static void let_in(const struct held_back *held)
{
    if (!held->was_pending)
        while (sigtimedwait(&held->too_large, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}

/* A positive errno as ours: EFBIG is the process's own limit, or else tmpfs has no room for so
 * much. */
static int size_error(int error, uint64_t bytes)
{
    struct rlimit limit;
    if (error == EFBIG && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes)
        return -EFBIG;
    return error == EFBIG || error == ENOMEM ? -ENOSPC : -error;
}

static int grow(int fd, uint64_t bytes, uint64_t reserve)
{
    struct held_back held;
    int error = 0;
    hold_back(&held);
    if (ftruncate(fd, (off_t)bytes) < 0)
        error = errno;
    if (!error)
        do
            error = posix_fallocate(fd, 0, (off_t)reserve);
        while (error == EINTR);
    let_in(&held);
    return size_error(error, bytes);
}

int mr_segment_write(int fd, const void *data, size_t len, uint64_t offset)
{
    struct held_back held;
    size_t done = 0;
    int error = 0;
    hold_back(&held);
    while (done < len && !error) {
        ssize_t n = pwrite(fd, (const char *)data + done, len - done, (off_t)(offset + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            error = n == 0 ? ENOSPC : errno;
    }
    let_in(&held);
    return size_error(error, offset + len);
}

int mr_segment_fd(int fd)
{
    if (fd < 0)
        return -errno;
    if (fd >= FD_MIN)
        return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, FD_MIN), error = errno;
    close(fd);
    return higher < 0 ? -error : higher;
}

int mr_segment_create(uint64_t bytes, uint64_t reserve, unsigned mode, gid_t group)
{
    int fd = mr_segment_fd(open(SHM_DIR, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd < 0)
        return fd;
    int error = grow(fd, bytes, reserve);
    if (!error && group != (gid_t)-1 && fchown(fd, (uid_t)-1, group) < 0)
        error = -errno;
    /* not open's argument: the umask must not change what was asked for */
    if (!error && fchmod(fd, mode & 0777) < 0)
        error = -errno;
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

int mr_segment_publish(int fd, const char *name)
{
    char from[64], to[MR_PATH_MAX + sizeof SHM_DIR];
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    snprintf(to, sizeof to, SHM_DIR "%s", name);
    return linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int mr_segment_open(const char *name, uid_t owner, int write, uint64_t min_bytes, struct stat *st)
{
    /* Nonblocking, so that a fifo of that name is refused and not waited for. */
    int flags = (write ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int fd = mr_segment_fd(shm_open(name, flags, 0));
    if (fd < 0)
        return fd == -EACCES || fd == -ELOOP ? -EPERM : fd;
    int error = 0;
    if (fstat(fd, st) < 0)
        error = -errno;
    else if (!S_ISREG(st->st_mode) || st->st_uid != owner)
        error = -EPERM;
    else if ((uint64_t)st->st_size < min_bytes)
        error = -EBADMSG;
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

int mr_segment_is(const char *name, uint64_t device, uint64_t inode)
{
    char path[MR_PATH_MAX + sizeof SHM_DIR];
    struct stat st;
    snprintf(path, sizeof path, SHM_DIR "%s", name);
    return lstat(path, &st) < 0 ? errno != ENOENT : st.st_dev == device && st.st_ino == inode;
}

int mr_segment_foreign(const char *name, uid_t owner)
{
    char path[MR_PATH_MAX + sizeof SHM_DIR];
    struct stat st;
    snprintf(path, sizeof path, SHM_DIR "%s", name);
    return lstat(path, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_uid != owner);
}

int mr_segment_map(int fd, uint64_t offset, uint64_t bytes, int write, void **out)
{
    void *at =
        mmap(NULL, bytes, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, fd, (off_t)offset);
    if (at == MAP_FAILED)
        return -errno;
    *out = at;
    return 0;
}

int mr_segment_map_twice(int fd, uint64_t offset, uint64_t bytes, int write, unsigned char **out)
{
    unsigned char *at =
        mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    for (int half = 0; half < 2; half++) {
        if (mmap(at + (uint64_t)half * bytes, bytes, PROT_READ | (write ? PROT_WRITE : 0),
                 MAP_SHARED | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED) {
            int error = errno;
            munmap(at, 2 * bytes);
            return -error;
        }
    }
    *out = at;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

ssize_t mr_segment_list(const char *prefix, char ***names)
{
    DIR *dir = opendir(SHM_DIR);
    if (!dir)
        return -errno;
    /* First the strings, end to end; then one allocation of pointers followed by the strings. */
    size_t prefix_len = strlen(prefix), used = 0, cap = 4096, n = 0;
    char *text = malloc(cap), **out = NULL;
    int error = -ENOMEM;
    if (!text)
        goto fail;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry && errno) { /* what came so far is not the list */
            error = -errno;
            goto fail;
        }
        if (!entry)
            break;
        if (strncmp(entry->d_name, prefix, prefix_len) != 0 || !entry->d_name[prefix_len])
            continue;
        size_t len = strlen(entry->d_name + prefix_len) + 1;
        if (used + len > cap) {
            cap = 2 * cap + len;
            char *more = realloc(text, cap);
            if (!more)
                goto fail;
            text = more;
        }
        memcpy(text + used, entry->d_name + prefix_len, len);
        used += len;
        n++;
    }
    out = malloc((n + 1) * sizeof *out + used);
    if (!out)
        goto fail;
    char *strings = (char *)(out + n + 1);
    if (used)
        memcpy(strings, text, used);
    for (size_t i = 0; i < n; i++, strings += strlen(strings) + 1)
        out[i] = strings;
    out[n] = NULL;
    qsort(out, n, sizeof *out, by_name);
    free(text);
    closedir(dir);
    *names = out;
    return (ssize_t)n;

fail:
    free(text);
    closedir(dir);
    return error;
}

uint64_t mr_segment_pid_namespace(void)
{
    struct stat st;
    return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}
