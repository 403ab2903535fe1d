/* clock - runs the programs on a clock of the test's own, and turns it. See clock.h.
 * Usage: clock turned|sleeps|alone COMMAND [ARGUMENT...]   runs a command on the clock
 *        clock pass TIME PID...                            lets time pass for those processes (5s,
 * 300ms, 7us, 1ns); returns when they wait again clock now how many nanoseconds have passed since
 * the clock began clock waits PID...                                how often each has begun to
 * wait, a number a line The clock is in the file $MILLRACE_TEST_CLOCK, which is made if it is not
 * there; clock.so is looked for beside this program. Exit: 0 done (or the command's) · 1 a process
 * has not come to wait within a minute · 2 usage · 125 no clock */
#include "clock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int usage(void)
{
    fputs("Usage: clock turned|sleeps|alone COMMAND... | clock pass TIME PID... | clock now | "
          "clock waits PID...\n",
          stderr);
    return 2;
}

/* The variable becomes `text`, before what it had. */
static void put_before(const char *variable, const char *text, const char *between)
{
    const char *old = getenv(variable);
    char all[4 * PATH_MAX];
    snprintf(all, sizeof all, "%s%s%s", text, old && *old ? between : "", old ? old : "");
    setenv(variable, all, 1);
}

static int run(enum clock_mode mode, char **argv)
{
    char number[16], path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof ".so");
    if (n < 0)
        return 125;
    strcpy(path + n, ".so");
    put_before("LD_PRELOAD", path, ":");
    put_before("ASAN_OPTIONS", "verify_asan_link_order=0", ":"); /* its library comes second */
    snprintf(number, sizeof number, "%d", (int)mode);
    setenv(CLOCK_MODE, number, 1);
    execvp(argv[0], argv);
    perror(argv[0]);
    return 125;
}

static int64_t parse_ns(const char *text)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};
    char *end;
    long long n = strtoll(text, &end, 10);
    for (size_t i = 0; end > text && i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0)
            return n * units[i].ns;
    return -1;
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {
        [CLOCK_TURNED] = "turned", [CLOCK_SLEEPS] = "sleeps", [CLOCK_ALONE] = "alone"};
    const char *file = getenv(CLOCK_FILE);
    pid_t pids[CLOCK_SEATS];
    int n = 0;
    if (argc < 2)
        return usage();
    int error = file ? clock_attach(file, CLOCK_REAL) : -ENOENT;
    if (error) {
        fprintf(stderr, "clock: " CLOCK_FILE ": %s\n", strerror(-error));
        return 125;
    }
    for (int mode = CLOCK_TURNED; mode <= CLOCK_ALONE; mode++)
        if (strcmp(argv[1], modes[mode]) == 0 && argc > 2)
            return run((enum clock_mode)mode, argv + 2);
    if (strcmp(argv[1], "now") == 0)
        return printf("%lld\n", (long long)clock_now_ns()) < 0;
    int pass = strcmp(argv[1], "pass") == 0;
    if (argc < 3 || (!pass && strcmp(argv[1], "waits") != 0))
        return usage();
    for (int i = 2 + pass; i < argc && n < CLOCK_SEATS; i++)
        pids[n++] = atoi(argv[i]);
    for (int i = 0; i < n && !pass; i++)
        printf("%llu\n", (unsigned long long)clock_waits(pids[i]));
    if (!pass)
        return 0;
    int64_t ns = parse_ns(argv[2]);
    if (ns < 0)
        return usage();
    if (clock_pass(ns, pids, n)) {
        fprintf(stderr, "clock: they do not wait\n");
        return 1;
    }
    return 0;
}
