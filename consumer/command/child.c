#include "child.h"
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 * 1024) /* what a pipe holds */
#define NOTICE_MS  500                 /* after a signal: say what is waited for */
#define LOOK_MS    5                   /* where there are no pidfds: look whether it has ended */

/* ---- what it writes ---- */

void child_output_init(struct child_output *output)
{
    *output = (struct child_output){.fd = -1};
}

static void forget(struct child_output *output)
{
    if (output->fd >= 0) {
        if (output->text)
            munmap(output->text, output->len);
        close(output->fd);
    }
    output->fd = -1;
    output->text = NULL;
    output->len = 0;
    output->error = 0;
    output->task = CHILD_START;
}

void child_output_free(struct child_output *output)
{
    forget(output);
    free(output->held);
    output->held = NULL;
}

const char *child_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/tmp";
}

/* A file without a name: no other process sees it, and it is gone when this one ends. */
static int open_file(void)
{
    int fd = open(child_folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    /* a read-only folder, or a file system without such files */
    return fd >= 0 ? fd : memfd_create("millrace-output", MFD_CLOEXEC);
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Notes a failed task; only the first one is reported. */
static int unable(struct child_output *output, int error, enum child_task task)
{
    if (output->error == 0) {
        output->error = error;
        output->task = task;
    }
    return error;
}

/* What read(2) has said: a number, or a negative errno, which is a failure unless there is just
 * nothing to read now. */
static ssize_t was_read(struct child_output *output, ssize_t n)
{
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return unable(output, -errno, CHILD_LISTEN);
    return n < 0 ? -errno : n;
}

/* Takes up to max bytes of what is in the pipe. Returns how many, 0 at its end; or a negative
 * errno, which is in *output unless it is -EAGAIN or -EINTR. */
static ssize_t keep(struct child_output *output, int pipe, size_t max)
{
    char piece[READ_BYTES];
    ssize_t n;
    if (output->fd < 0 && CHILD_MEMORY - output->len >= READ_BYTES) {
        n = was_read(output,
                     read(pipe, output->held + output->len, max < READ_BYTES ? max : READ_BYTES));
        output->len += n > 0 ? (size_t)n : 0;
        return n;
    }
    int error = 0;
    if (output->fd < 0) {
        output->fd = open_file();
        error = output->fd < 0 ? -errno : write_all(output->fd, output->held, output->len);
        if (error < 0)
            return unable(output, error, CHILD_KEEP);
    }
    n = was_read(output, read(pipe, piece, max < sizeof piece ? max : sizeof piece));
    error = n > 0 ? write_all(output->fd, piece, (size_t)n) : 0;
    if (error < 0)
        return unable(output, error, CHILD_KEEP);
    output->len += n > 0 ? (size_t)n : 0;
    return n;
}

/* Makes all of it readable at output->text. */
static void finish(struct child_output *output)
{
    if (output->fd < 0) {
        output->text = output->held;
        return;
    }
    void *at =
        output->error ? MAP_FAILED : mmap(NULL, output->len, PROT_READ, MAP_SHARED, output->fd, 0);
    if (at == MAP_FAILED && !output->error)
        unable(output, -errno, CHILD_KEEP);
    output->text = at == MAP_FAILED ? NULL : at;
}

/* ---- starting it ---- */

static int executable(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) || access(path, X_OK) < 0 ? -EACCES : 0;
}

int child_find(const char *name, char **path)
{
    const char *folders = getenv("PATH");
    int found = -ENOENT, error;
    if (strchr(name, '/') || !*name) {
        error = *name ? executable(name) : -ENOENT;
        if (error == 0 && !(*path = strdup(name)))
            error = -ENOMEM;
        return error;
    }
    for (const char *at = folders ? folders : "/bin:/usr/bin"; at; at = *at ? at + 1 : NULL) {
        size_t len = strcspn(at, ":");
        char *full = NULL;
        /* an empty folder means the current one */
        if (asprintf(&full, "%.*s%s%s", (int)len, at, len ? "/" : "./", name) < 0)
            return -ENOMEM;
        error = executable(full);
        if (error == 0) {
            *path = full;
            return 0;
        }
        free(full);
        if (error == -EACCES)
            found = -EACCES; /* another of that name may be further on */
        else if (error != -ENOENT && error != -ENOTDIR)
            return error;
        at += len;
    }
    return found;
}

struct failure {
    int error;     /* a positive errno */
    int executing; /* 1: of execve; 0: of what comes before */
};

/* Runs in the new process until execve. It shares our memory, so it may only write to *failed. */
__attribute__((noreturn)) static void become(const struct child *child, int in, int out,
                                             pid_t parent, volatile struct failure *failed)
{
    static const int ours[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ, SIGBUS};
    struct sigaction action;
    /* Our handlers must not run here once the signals are let in; what was ignored when we were
     * started stays so, but for SIGPIPE and SIGXFSZ. */
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (sigaction(ours[i], NULL, &action) == 0 &&
            (action.sa_handler != SIG_IGN || ours[i] == SIGPIPE || ours[i] == SIGXFSZ))
            signal(ours[i], SIG_DFL);
    /* The consumer that takes the record over must not find this command still at work. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    errno = ESRCH;
    if (getppid() == parent && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0) {
        sigprocmask(SIG_SETMASK, child->mask, NULL);
        failed->executing = 1;
        execvpe(child->path, child->argv, child->env); /* path has a slash: nothing is looked for */
    }
    failed->error = errno;
    _exit(127);
}

/* Whether it has become another program than the one at path, which then is a script and that
 * program its interpreter. Of a program that we may not read this cannot be seen; of one that is
 * gone already it is taken to be so. */
static int is_script(const char *path, pid_t pid)
{
    char link[32];
    struct stat file, program;
    snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
    if (stat(link, &program) < 0)
        return errno != EACCES;
    return stat(path, &file) == 0 &&
           (file.st_dev != program.st_dev || file.st_ino != program.st_ino);
}

/* Returns its pid; or a negative errno, which is in *output, too.
 *   unread   1: it is a script, and its interpreter will not be able to read it */
static pid_t start(const struct child *child, int in, int out, struct child_output *output,
                   int *unread)
{
    sigset_t all, before;
    volatile struct failure failed = {0};
    pid_t parent = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): nothing is copied
    if (pid == 0)
        // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): it keeps to the rules
        become(child, in, out, parent, &failed);
    int error = pid < 0 ? errno : failed.error;
    *unread = !error && faccessat(AT_FDCWD, child->path, R_OK, AT_EACCESS) < 0 && errno == EACCES &&
              is_script(child->path, pid);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        return pid;
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return unable(output, -error, failed.executing ? CHILD_EXECUTE : CHILD_START);
}

/* ---- until it ends ---- */

struct talk {
    int in, out, pidfd; /* ours; -1: closed, or the system has none */
    const char *text;   /* still to be given */
    size_t left;
    int64_t stopped_ns; /* when a signal was first noticed; 0: none was */
};

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void give(struct talk *talk, pid_t pid, struct child_output *output)
{
    ssize_t n = write(talk->in, talk->text, talk->left);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        talk->text += n;
        talk->left -= (size_t)n;
    }
    if (n < 0 && errno != EPIPE) { /* EPIPE: it does not read more */
        unable(output, -errno, CHILD_FEED);
        kill(pid, SIGKILL); /* so that it does not take a part for the whole */
    }
    if (n < 0 || talk->left == 0)
        shut(&talk->in);
}

static void say_what_is_waited_for(struct talk *talk, const struct child *child, pid_t pid)
{
    static _Atomic int said;
    int64_t now = program_now();
    if (!program_stop || said)
        return;
    if (!talk->stopped_ns)
        talk->stopped_ns = now;
    if (now - talk->stopped_ns < NOTICE_MS * INT64_C(1000000) || atomic_exchange(&said, 1))
        return;
    program_notice("waiting for %s (pid %d) to end; the same signal again kills it", child->argv[0],
                   (int)pid);
}

/* Gives and takes until it has ended. */
static void converse(struct talk *talk, const struct child *child, pid_t pid,
                     struct child_output *output)
{
    for (;;) {
        struct pollfd fds[3] = {{.fd = talk->pidfd, .events = POLLIN},
                                {.fd = talk->out, .events = POLLIN},
                                {.fd = talk->in, .events = POLLOUT}};
        int wait_ms = talk->pidfd < 0 ? LOOK_MS : NOTICE_MS;
        poll(fds, 3, wait_ms); /* a signal, or no memory for it: nothing has happened, then */
        siginfo_t info = {0};
        if (talk->pidfd >= 0
                ? fds[0].revents != 0
                : waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
            return;
        if (fds[2].revents)
            give(talk, pid, output);
        if (fds[1].revents) {
            ssize_t n = keep(output, talk->out, READ_BYTES);
            if (n == 0 || output->error)
                shut(&talk->out); /* if its output cannot be kept, it gets SIGPIPE */
        }
        say_what_is_waited_for(talk, child, pid);
    }
}

/* Takes what the command left in the pipe, but does not wait for what its children go on
 * writing. */
static void take_rest(struct talk *talk, struct child_output *output)
{
    int left = 0;
    if (talk->out >= 0 && ioctl(talk->out, FIONREAD, &left) < 0)
        unable(output, -errno, CHILD_LISTEN);
    while (left > 0) {
        ssize_t n = keep(output, talk->out, (size_t)left);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            break;
        left -= (int)n;
    }
}

/* Talks to it until it has ended, and takes what it has left. */
static void attend(const struct child *child, pid_t pid, int *in, int *out,
                   struct child_output *output, int *status)
{
    struct talk talk = {.in = *in,
                        .out = *out,
                        .pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
                        .text = child->in,
                        .left = child->in_len};
    int error;
    fcntl(*in, F_SETFL, O_NONBLOCK);
    fcntl(*out, F_SETFL, O_NONBLOCK);
    if (talk.left == 0)
        shut(&talk.in);
    else
        give(&talk, pid, output); /* usually this writes all of it */
    converse(&talk, child, pid, output);
    while ((error = waitpid(pid, status, 0) < 0 ? -errno : 0) == -EINTR)
        ;
    if (error < 0)
        unable(output, error, CHILD_LISTEN);
    take_rest(&talk, output);
    finish(output);
    shut(&talk.pidfd);
    *in = talk.in;
    *out = talk.out;
}

int child_run(const struct child *child, struct child_output *output, int *status)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, unread = 0;
    pid_t pid = -1;
    forget(output);
    if (!output->held && !(output->held = malloc(CHILD_MEMORY)))
        unable(output, -ENOMEM, CHILD_START);
    else if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        unable(output, -errno, CHILD_START);
    else
        pid = start(child, in[0], out[1], output, &unread);
    shut(&in[0]);
    shut(&out[1]);
    if (pid > 0)
        attend(child, pid, &in[1], &out[0], output, status);
    if (unread && *status != 0)
        unable(output, -EACCES, CHILD_READ);
    shut(&in[1]);
    shut(&out[0]);
    return output->error;
}
