/* broker_start.c - a broker for a program that finds none: the program "broker", started by the
 * library. */
#include "client.h"
#include "sized.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_US  1000 /* between two looks at the child: it takes a few milliseconds in all */
#define ARGS_MAX 64
#define PATH_CAP 4096

/* The file beside the running program's, unless it is that program. Returns path or NULL. */
static const char *beside(char path[static PATH_CAP])
{
    struct stat own, its;
    ssize_t len = readlink("/proc/self/exe", path, PATH_CAP - sizeof "broker");
    if (len <= 0)
        return NULL;
    path[len] = '\0';
    char *name = strrchr(path, '/');
    if (!name || stat(path, &own) < 0)
        return NULL;
    strcpy(name + 1, "broker");
    return stat(path, &its) == 0 && S_ISREG(its.st_mode) && access(path, X_OK) == 0 &&
                   (its.st_dev != own.st_dev || its.st_ino != own.st_ino)
               ? path
               : NULL;
}

/* Which program to start; one without '/' is looked up in $PATH. */
static const char *find_program(const char *program, char path[static PATH_CAP])
{
    if (!program)
        program = secure_getenv("MILLRACE_BROKER");
    if (!program)
        program = beside(path);
    return program ? program : "broker";
}

/* The child has no descriptor of ours, and no signal that we block or ignore. Returns 0 or a
 * negative errno. */
static int spawn(const char *program, char **argv, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return -error;
    error = posix_spawnattr_init(&attr);
    if (error)
        goto free_actions;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    for (int fd = 0; fd <= 2 && !error; fd++)
        error = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    if (!error)
        error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (!error)
        error = posix_spawnp(pid, program, &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
free_actions:
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

/* Waits until the child has ended, which "broker -d" does once its own child serves. Returns 0; its
 * exit status if that is not 0; -ETIMEDOUT. */
static int await_end(pid_t pid, int64_t timeout_ns)
{
    uint64_t since = mr_now_ns();
    int status;
    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        if (got < 0 && errno != EINTR)
            return 0; /* it has ended, and another thread or a SIGCHLD handler has its status */
        if (timeout_ns >= 0 && mr_now_ns() - since >= (uint64_t)timeout_ns)
            break;
        usleep(LOOK_US);
    }
    kill(pid, SIGKILL); /* no zombie of ours stays; its own child is in another session */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return -ETIMEDOUT;
}

int mr_broker_start(const char *bus, const struct mr_broker_options *its, int64_t timeout_ns)
{
    struct mr_broker_options options;
    char path[PATH_CAP], *argv[ARGS_MAX + 6];
    const char *name;
    uid_t owner;
    pid_t pid;
    size_t n = 0;
    int error =
        mr_sized_read(&options, sizeof options, its, MR_SIZED(struct mr_broker_options, args));
    if (error || mr_bus_address(bus, &owner, &name))
        return -EINVAL;
    if (owner != geteuid())
        return -EPERM;
    int holder = mr_bus_holder(name);
    if (holder)
        return holder < 0 ? holder : 0;
    const char *const start[] = {"broker", "-q", "-d", "-b", name};
    for (; n < sizeof start / sizeof *start; n++)
        argv[n] = (char *)(uintptr_t)start[n]; /* they are only read */
    for (const char *const *arg = options.args; arg && *arg; arg++) {
        if (n == ARGS_MAX + 5)
            return -E2BIG;
        argv[n++] = (char *)(uintptr_t)*arg;
    }
    argv[n] = NULL;
    error = spawn(find_program(options.program, path), argv, &pid);
    if (error)
        return error;
    int status = await_end(pid, timeout_ns);
    if (status == -ETIMEDOUT)
        return status;
    holder = mr_bus_holder(name);
    if (holder <= 0)
        return holder < 0 ? holder : status == 127 ? -ENOENT : -ECONNREFUSED;
    return status == 0; /* else another process was first */
}
