/* broker.c - see broker.h. */
#include "broker.h"
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t broker, owner;

const char *bench_program(const char *name)
{
    static char path[512];
    const char *bin = getenv("MILLRACE_BIN");
    snprintf(path, sizeof path, "%s/%s", bin ? bin : "bin", name);
    return path;
}

void bench_broker_stop(void)
{
    /* a forked child that fails leaves its parent's broker alone */
    if (!broker || getpid() != owner)
        return;
    kill(broker, SIGTERM);
    waitpid(broker, NULL, 0);
    broker = 0;
}

void bench_broker_start(const char *bus)
{
    int ready[2];
    char byte, fd[16];
    if (!owner)
        atexit(bench_broker_stop);
    owner = getpid();
    if (pipe(ready) < 0)
        bench_fail("pipe");
    broker = fork();
    if (broker < 0)
        bench_fail("fork");
    if (broker == 0) {
        close(ready[0]);
        snprintf(fd, sizeof fd, "%d", ready[1]);
        execl(bench_program("broker"), "broker", "-q", "-b", bus, "--ready-fd", fd, (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1)
        bench_fail(bench_program("broker"));
    close(ready[0]);
}
