/* bench_start.c - how long it takes until one can begin: group "start", p50 and p99 in
 * milliseconds.
 *
 *   attach                 connect to a bus, open a topic of 16 MiB, become a producer and a
 *                          consumer of it
 *   create 16 MiB          ask the broker for a topic and get the answer; its memory is reserved,
 *                          so the kernel zeroes all of it
 *   status of 1000 topics  the program `broker status`, from its start to its end */
#include "bench.h"
#include "broker.h"
#include "millrace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATTACHMENTS 500
#define CREATIONS   100
#define LOOKS       20
#define TOPICS      1000

static char bus_name[MR_BUS_NAME_MAX + 1];

static void must(int error, const char *what)
{
    if (error < 0) {
        errno = -error;
        bench_fail(what);
    }
}

static void emit(const char *series, double at, double *ms, size_t n)
{
    bench_emit("start", series, at, "p50_ms", bench_quantile(ms, n, 0.5));
    bench_emit("start", series, at, "p99_ms", bench_quantile(ms, n, 0.99));
}

static double ms_since(uint64_t since)
{
    return (double)(bench_now_ns() - since) / 1e6;
}

static void create(void)
{
    static double ms[CREATIONS];
    const struct mr_settings settings = {.size_bytes = 16 << 20, .partitions = 1};
    struct mr_bus *bus;
    struct mr_topic *topic;
    must(mr_bus_connect(bus_name, NULL, &bus), "connect");
    for (int i = 0; i < CREATIONS; i++) {
        uint64_t since = bench_now_ns();
        must(mr_topic_create(bus, "t", &settings, 0), "create a topic of 16 MiB");
        ms[i] = ms_since(since);
        must(mr_topic_open(bus, "t", &topic), "open the topic");
        must(mr_topic_delete(topic, MR_DELETE_ANYWAY), "delete the topic");
        mr_topic_close(topic);
    }
    mr_bus_disconnect(bus);
    emit("create 16 MiB", 1, ms, CREATIONS);
}

static void attach(void)
{
    static double ms[ATTACHMENTS];
    struct mr_bus *bus;
    must(mr_bus_connect(bus_name, NULL, &bus), "connect");
    must(mr_topic_create(bus, "t", &(struct mr_settings){.size_bytes = 16 << 20, .partitions = 1},
                         0),
         "create a topic of 16 MiB");
    mr_bus_disconnect(bus);
    for (int i = 0; i < ATTACHMENTS; i++) {
        struct mr_topic *topic;
        struct mr_producer *producer;
        struct mr_consumer *consumer;
        uint64_t since = bench_now_ns();
        must(mr_bus_connect(bus_name, NULL, &bus), "connect");
        must(mr_topic_open(bus, "t", &topic), "open the topic");
        must(mr_producer_open(topic, NULL, &producer), "open a producer");
        must(mr_consumer_open(topic, NULL, &consumer), "open a consumer");
        ms[i] = ms_since(since);
        mr_consumer_close(consumer);
        mr_producer_close(producer);
        mr_topic_close(topic);
        mr_bus_disconnect(bus);
    }
    emit("attach", 1, ms, ATTACHMENTS);
}

/* What it prints goes to /dev/null; that it shows every topic is the tests' business, that it
 * succeeds ours. */
static double look_once(int null)
{
    int status;
    uint64_t since = bench_now_ns();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(null, STDOUT_FILENO);
        execl(bench_program("broker"), "broker", "-b", bus_name, "status", (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        bench_fail("broker status");
    double ms = ms_since(since);
    if (status) {
        fprintf(stderr, "bench_start: broker status failed\n");
        exit(1);
    }
    return ms;
}

static void look(void)
{
    static double ms[LOOKS];
    struct mr_bus *bus;
    char name[16];
    must(mr_bus_connect(bus_name, NULL, &bus), "connect");
    int error = 0;
    for (int i = 1; i < TOPICS && error == 0; i++) { /* one is there from attach() */
        snprintf(name, sizeof name, "t%d", i);
        error = mr_topic_create(
            bus, name, &(struct mr_settings){.size_bytes = MR_SIZE_MIN, .partitions = 1}, 0);
    }
    mr_bus_disconnect(bus);
    if (error == -ENOSPC) {
        fprintf(stderr,
                "bench_start: status of %d topics: not measured, /dev/shm has no room for them\n",
                TOPICS);
        return;
    }
    must(error, "create a topic");
    int null = open("/dev/null", O_WRONLY);
    for (int i = 0; i < LOOKS; i++)
        ms[i] = look_once(null);
    close(null);
    emit("status of 1000 topics", TOPICS, ms, LOOKS);
}

int main(void)
{
    snprintf(bus_name, sizeof bus_name, "bench-start-%ld", (long)getpid());
    bench_broker_start(bus_name);
    create();
    attach();
    look();
    bench_broker_stop();
    return 0;
}
