/* bench.h - what the measuring programs of `make bench` share: pinning, statistics, and one way to
 * say a result.
 *
 * A result is one line of JSON on stdout:
 * {"group":"stream","series":"pipe","at":64,"metric":"records_per_s","value":2500000}. `series` is
 * the system or setting that is compared with others, `at` the place on the x axis (record size in
 * bytes, number of clients ...). report.sh makes the table, the ratios and the verdicts out of
 * these lines; no program computes a ratio of its own. Progress goes to stderr. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

/* bench_fail prints what and errno, and ends the process with 1. */
_Noreturn void bench_fail(const char *what);

/* bench_pin binds the calling thread to a CPU, modulo the number of those there are. */
void bench_pin(int cpu);

/* bench_now_ns: CLOCK_MONOTONIC. */
uint64_t bench_now_ns(void);

/* bench_kernel_limit: the number in /proc/sys/NAME; 0 if there is none. */
long bench_kernel_limit(const char *name);

/* bench_quantile sorts values[n], n >= 1, and returns the one at q in 0..1. */
double bench_quantile(double *values, size_t n, double q);
double bench_median(double *values, size_t n);

/* bench_emit prints a result. The texts hold no quotes and no backslashes. */
void bench_emit(const char *group, const char *series, double at, const char *metric, double value);

#endif
