/* bench.c - see bench.h. */
#include "bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

_Noreturn void bench_fail(const char *what)
{
    perror(what);
    exit(1);
}

void bench_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)(cpu % (int)sysconf(_SC_NPROCESSORS_ONLN)), &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        bench_fail("sched_setaffinity");
}

uint64_t bench_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

long bench_kernel_limit(const char *name)
{
    char path[128], text[32] = "";
    snprintf(path, sizeof path, "/proc/sys/%s", name);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (!fgets(text, sizeof text, file))
        text[0] = 0;
    fclose(file);
    return strtol(text, NULL, 10);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_quantile(double *values, size_t n, double q)
{
    qsort(values, n, sizeof *values, by_value);
    size_t i = (size_t)((double)n * q);
    return values[i < n ? i : n - 1];
}

double bench_median(double *values, size_t n)
{
    return bench_quantile(values, n, 0.5);
}

void bench_emit(const char *group, const char *series, double at, const char *metric, double value)
{
    printf("{\"group\":\"%s\",\"series\":\"%s\",\"at\":%.12g,\"metric\":\"%s\",\"value\":%.9g}\n",
           group, series, at, metric, value);
    fflush(stdout);
}
