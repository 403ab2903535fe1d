/* bus.h - a bus of this measurement's own, "bench-PID", without a broker process; it is gone when
 * the program ends, unless by SIGKILL. */
#ifndef TESTS_BENCH_BUS_H
#define TESTS_BENCH_BUS_H

#include "millrace.h"

/* bench_topic_make creates a topic, and the bus if this is the first one: one partition, blocking,
 * of size_bytes; records: how many may wait, 0 if only bytes bound them. bench_topic_remove removes
 * it. */
void bench_topic_make(const char *name, uint64_t size_bytes, uint64_t records);
void bench_topic_remove(const char *name);

/* bench_topic_open is for a forked process, which connects by it at its first topic; what it opens
 * goes when it ends. */
struct mr_topic *bench_topic_open(const char *name);

#endif
