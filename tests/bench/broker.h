/* broker.h - the real programs, for measurements that need them. MILLRACE_BIN says where they are;
 * bin/ if it is not set. */
#ifndef TESTS_BENCH_BROKER_H
#define TESTS_BENCH_BROKER_H

/* bench_program: the path of broker, producer or consumer; valid until the next call. */
const char *bench_program(const char *name);

/* bench_broker_start starts a broker on that bus, one at a time, and returns when it serves. It
 * ends with this process, however that exits. bench_broker_stop ends it as a user would:
 * topics that owe no record are removed. */
void bench_broker_start(const char *bus);
void bench_broker_stop(void);

#endif
