#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t program_stop;

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
#define STOP_SIGNALS (sizeof stop_signals / sizeof stop_signals[0])

static const int64_t second_ns = 1000000000;

/* Other threads read the flag. It is only set, never cleared, so it needs no lock. */
__attribute__((no_sanitize("thread"))) static void on_stop(int number)
{
    program_stop = number;
    /* The next one kills, whichever of the three it is. */
    for (size_t i = 0; i < STOP_SIGNALS; i++)
        signal(stop_signals[i], SIG_DFL);
}

void program_catch_stops(void)
{
    struct sigaction action = {.sa_handler = on_stop}, old;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < STOP_SIGNALS; i++)
        sigaddset(&action.sa_mask, stop_signals[i]);
    for (size_t i = 0; i < STOP_SIGNALS; i++) {
        /* nohup stays nohup. An ignored SIGINT is only what shells without job control give to
         * "program &": scripts that send it mean it. */
        if (stop_signals[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0 &&
            old.sa_handler == SIG_IGN)
            continue;
        sigaction(stop_signals[i], &action, NULL);
    }
}

int program_stopped(int32_t pid)
{
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%" PRId32 "/stat", pid);
    int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *end = strrchr(text, ')'); /* the name before it may contain any character */
    return end && end[1] == ' ' && (end[2] == 'T' || end[2] == 't');
}

int64_t program_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * second_ns + now.tv_nsec;
}

int program_sleep(int64_t ns)
{
    /* Blocked until ppoll, so that a signal that comes between the test of program_stop and the
     * sleep ends the sleep. */
    sigset_t block, old;
    sigemptyset(&block);
    for (size_t i = 0; i < STOP_SIGNALS; i++)
        sigaddset(&block, stop_signals[i]);
    pthread_sigmask(SIG_BLOCK, &block, &old);
    int64_t until = program_now() + (ns > 0 ? ns : 0);
    while (!program_stop) {
        int64_t left = until - program_now();
        if (left <= 0)
            break;
        struct timespec wait = {.tv_sec = left / second_ns, .tv_nsec = left % second_ns};
        ppoll(NULL, 0, &wait, &old);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return program_stop ? -EINTR : 0;
}
