/* bench_find.c - how long it takes to begin at an offset, at a time, or so many records before the
 * end of a full topic of 1 GiB.
 * Usage: bench_find       group "find", at = MiB: p50, p99 and the worst of 1,000 attachments each;
 *                         every one is checked to begin where it should */
#include "bench.h"
#include "core/client.h"
#include "core/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORDS 13000000u /* of 96 bytes each: the ring has gone round once */
#define KEPT    10000000u /* surely still there */
#define TURNS   1000
#define STEP_NS 10 /* between the times of two records */
#define MIB     1024

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_find: cannot %s\n", what);
        exit(1);
    }
}

static void fill(struct mr_topic *topic)
{
    static const char value[64];
    static struct mr_message batch[1000];
    struct mr_producer *producer;
    must(mr_producer_open(topic, NULL, &producer) == 0, "open a producer");
    for (uint64_t sent = 0; sent < RECORDS; sent += 1000) {
        for (unsigned i = 0; i < 1000; i++)
            batch[i] = (struct mr_message){
                .value = value, .value_len = sizeof value, .ts_ns = 1 + (sent + i) * STEP_NS};
        must(mr_producer_append(producer, batch, 1000, 0) == 1000, "append");
    }
    mr_producer_close(producer);
}

static void find(struct mr_topic *topic, const char *series, enum mr_start start)
{
    static double us[TURNS];
    for (int i = 0; i < TURNS; i++) {
        uint64_t offset = RECORDS - 1 - (uint64_t)random() % KEPT;
        uint64_t arg = start == MR_START_OFFSET ? offset
                       : start == MR_START_TIME ? 1 + offset * STEP_NS
                                                : RECORDS - offset;
        struct mr_consumer_options options = {
            .flags = MR_PEEK, .start = start, .start_arg = (int64_t)arg};
        struct mr_consumer *consumer;
        struct mr_record record;
        uint64_t since = bench_now_ns();
        must(mr_consumer_open(topic, &options, &consumer) == 0, "begin there");
        us[i] = (double)(bench_now_ns() - since) / 1e3;
        must(mr_consumer_claim(consumer, 1, 0) > 0 && mr_consumer_next(consumer, &record) == 1 &&
                 record.offset == offset,
             "find the right record");
        mr_consumer_close(consumer);
    }
    bench_emit("find", series, MIB, "p50_us", bench_quantile(us, TURNS, 0.5));
    bench_emit("find", series, MIB, "p99_us", bench_quantile(us, TURNS, 0.99));
    bench_emit("find", series, MIB, "max_us", bench_quantile(us, TURNS, 1));
}

int main(void)
{
    char name[MR_BUS_NAME_MAX + 1];
    struct mr_settings settings = {.size_bytes = (uint64_t)MIB << 20,
                                   .partitions = 1,
                                   .full = MR_FULL_DROP_OLDEST,
                                   .tries = 3,
                                   .mode = 0600};
    struct mr_bus *bus;
    struct mr_topic *topic;
    snprintf(name, sizeof name, "bench-%d", (int)getpid());
    must(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &bus) == 0, "make a bus");
    int error = mr_topic_create_segment(bus, "t", &settings);
    if (error == 0) {
        must(mr_topic_open(bus, "t", &topic) == 0, "open the topic");
        fill(topic);
        find(topic, "at an offset", MR_START_OFFSET);
        find(topic, "at a time", MR_START_TIME);
        find(topic, "before the end", MR_START_LAST);
        mr_topic_close(topic);
        mr_topic_unlink(name, "t");
    } else {
        fprintf(stderr,
                "bench_find: a full topic of 1 GiB: not measured, /dev/shm has no room for it\n");
    }
    mr_bus_remove(name);
    mr_bus_disconnect(bus);
    return 0;
}
