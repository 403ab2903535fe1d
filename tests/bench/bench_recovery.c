/* bench_recovery.c - what crash safety does when it is needed, and what it costs when it is not.
 *
 *   start, redeliver     from kill -9 of a consumer that holds a record to its delivery to a
 *                        waiting member of the group
 *   recovery, repair     taking a lock whose owner died with an armed redo log, replay included,
 *                        beside taking it free
 *   recovery, machinery  what a batch of 32 records pays for it when no process dies: two robust
 *                        locks instead of plain ones, and the redo log of one claim, beside the
 *                        whole batch (append, claim, read, acknowledge, one process, no
 *                        contention) */
#include "bench.h"
#include "broker.h"
#include "core/client.h"
#include "core/group.h"
#include "core/lifecycle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEATHS  100
#define REPAIRS 500
#define BATCH   32
#define WORDS   9 /* of the redo log of a claim */
#define TURNS   200000

static char bus_name[MR_BUS_NAME_MAX + 1];

static struct mr_topic *attach(struct mr_bus **bus, const char *name)
{
    struct mr_topic *topic;
    if (mr_bus_connect(bus_name, NULL, bus) < 0 || mr_topic_open(*bus, name, &topic) < 0)
        bench_fail("attach");
    return topic;
}

/* One consumer takes the record and waits to be killed; another waits for it. */
static double redeliver_once(struct mr_producer *producer, struct mr_consumer *heir)
{
    int held[2];
    char byte;
    if (pipe(held) < 0)
        bench_fail("pipe");
    pid_t holder = fork();
    if (holder == 0) {
        struct mr_bus *bus;
        struct mr_topic *topic = attach(&bus, "t");
        struct mr_consumer *consumer;
        struct mr_record record;
        if (mr_consumer_open(topic, NULL, &consumer) < 0 || write(held[1], "j", 1) != 1 ||
            mr_consumer_claim(consumer, 1, -1) != 1 || mr_consumer_next(consumer, &record) != 1 ||
            write(held[1], "h", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    struct mr_message msg = {.value = "x", .value_len = 1};
    if (read(held[0], &byte, 1) != 1 || mr_producer_append(producer, &msg, 1, -1) != 1 ||
        read(held[0], &byte, 1) != 1)
        bench_fail("hold a record");
    /* The heir is this process: from the kill to the record, all that a waiting member does lies
     * between. */
    uint64_t since = bench_now_ns();
    kill(holder, SIGKILL);
    struct mr_record record;
    if (mr_consumer_claim(heir, 1, -1) != 1 || mr_consumer_next(heir, &record) != 1)
        bench_fail("inherit");
    double ms = (double)(bench_now_ns() - since) / 1e6;
    mr_consumer_ack(heir);
    waitpid(holder, NULL, 0);
    close(held[0]);
    close(held[1]);
    return ms;
}

static void redelivery(int with_broker, double *ms, int n)
{
    struct mr_bus *bus, *server = NULL;
    struct mr_settings settings = {
        .size_bytes = 65536, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 1000, .mode = 0600};
    if (mr_bus_serve(bus_name, 0600, (gid_t)-1, NULL, &server) < 0 ||
        mr_topic_create_segment(server, "t", &settings) < 0)
        bench_fail("make a topic");
    mr_bus_disconnect(server); /* the bus stays without a broker */
    if (with_broker)
        bench_broker_start(bus_name);
    struct mr_topic *topic = attach(&bus, "t");
    struct mr_producer *producer;
    struct mr_consumer *heir;
    if (mr_producer_open(topic, NULL, &producer) < 0)
        bench_fail("producer");
    for (int i = 0; i < n; i++) {
        /* it does not claim before the holder has the record */
        if (mr_consumer_open(topic, NULL, &heir) < 0)
            bench_fail("consumer");
        ms[i] = redeliver_once(producer, heir);
        mr_consumer_close(heir);
    }
    mr_producer_close(producer);
    mr_topic_close(topic);
    mr_bus_disconnect(bus);
    bench_broker_stop(); /* if there is one */
    mr_topic_unlink(bus_name, "t");
    mr_bus_remove(bus_name);
}

/* Dies holding the group's lock with an armed log of as many words as a claim has. */
static void die_armed(void)
{
    struct mr_bus *bus;
    struct mr_topic *topic = attach(&bus, "t");
    struct mr_lock_shm *lock = &topic->groups[0].lock;
    if (mr_lock(topic, lock) < 0)
        _exit(1);
    struct mr_tx tx = mr_tx_begin(topic, lock);
    for (int i = 0; i < WORDS; i++)
        mr_tx_set(&tx, &topic->groups[0].acked, 0);
    atomic_store(&tx.redo->armed, tx.n);
    _exit(0);
}

static void repair(double *us, double *free_us, int n)
{
    struct mr_bus *server;
    struct mr_topic *topic;
    struct mr_consumer *consumer;
    struct mr_settings settings = {
        .size_bytes = 65536, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    if (mr_bus_serve(bus_name, 0600, (gid_t)-1, NULL, &server) < 0 ||
        mr_topic_create_segment(server, "t", &settings) < 0 ||
        mr_topic_open(server, "t", &topic) < 0 || mr_consumer_open(topic, NULL, &consumer) < 0)
        bench_fail("make a topic");
    struct mr_lock_shm *lock = &topic->groups[0].lock;
    for (int i = 0; i < n; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            die_armed();
        waitpid(pid, &status, 0);
        uint64_t since = bench_now_ns();
        int repaired = mr_lock(topic, lock);
        uint64_t then = bench_now_ns();
        mr_unlock(lock);
        if (status || repaired != 1)
            bench_fail("repair");
        us[i] = (double)(then - since) / 1e3;
        since = bench_now_ns();
        mr_lock(topic, lock);
        then = bench_now_ns();
        mr_unlock(lock);
        free_us[i] = (double)(then - since) / 1e3;
    }
    mr_consumer_close(consumer);
    mr_topic_close(topic);
    mr_topic_unlink(bus_name, "t");
    mr_bus_remove(bus_name);
    mr_bus_disconnect(server);
}

static double per_turn_ns(uint64_t since)
{
    return (double)(bench_now_ns() - since) / TURNS;
}

static void machinery(void)
{
    struct mr_bus *server;
    struct mr_topic *topic;
    struct mr_producer *producer;
    struct mr_consumer *consumer;
    struct mr_settings settings = {
        .size_bytes = 1 << 20, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    if (mr_bus_serve(bus_name, 0600, (gid_t)-1, NULL, &server) < 0 ||
        mr_topic_create_segment(server, "t", &settings) < 0 ||
        mr_topic_open(server, "t", &topic) < 0 || mr_producer_open(topic, NULL, &producer) < 0 ||
        mr_consumer_open(topic, NULL, &consumer) < 0)
        bench_fail("make a topic");
    struct mr_message msgs[BATCH];
    struct mr_record record;
    static char value[64];
    uint64_t since = bench_now_ns();
    for (int i = 0; i < TURNS; i++) {
        for (int j = 0; j < BATCH; j++)
            msgs[j] = (struct mr_message){.value = value, .value_len = sizeof value};
        if (mr_producer_append(producer, msgs, BATCH, -1) != BATCH ||
            mr_consumer_claim(consumer, BATCH, -1) != BATCH)
            bench_fail("pass a batch on");
        while (mr_consumer_next(consumer, &record) == 1)
            ;
        mr_consumer_ack(consumer);
    }
    double batch = per_turn_ns(since);

    pthread_mutexattr_t attr;
    pthread_mutex_t *plain =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(plain, &attr);
    since = bench_now_ns();
    for (int i = 0; i < TURNS; i++) {
        pthread_mutex_lock(plain);
        pthread_mutex_unlock(plain);
    }
    double plain_lock = per_turn_ns(since);
    struct mr_lock_shm *lock = &topic->groups[0].lock;
    since = bench_now_ns();
    for (int i = 0; i < TURNS; i++) {
        mr_lock(topic, lock);
        mr_unlock(lock);
    }
    double robust_lock = per_turn_ns(since);
    mr_lock(topic, lock);
    since = bench_now_ns();
    for (int i = 0; i < TURNS; i++) {
        struct mr_tx tx = mr_tx_begin(topic, lock);
        for (int j = 0; j < WORDS; j++)
            mr_tx_set(&tx, &topic->members[200].cursor + j % 4, (uint64_t)i);
        mr_tx_commit(&tx);
    }
    double redo = per_turn_ns(since);
    since = bench_now_ns();
    for (int i = 0; i < TURNS; i++)
        for (int j = 0; j < WORDS; j++)
            atomic_store_explicit(&topic->members[200].cursor + j % 4, (uint64_t)i,
                                  memory_order_release);
    double stores = per_turn_ns(since);
    mr_unlock(lock);
    double cost = 2 * (robust_lock - plain_lock) + redo - stores;
    bench_emit("recovery", "machinery", BATCH, "batch_ns", batch);
    bench_emit("recovery", "machinery", BATCH, "cost_ns", cost);
    bench_emit("recovery", "robust lock", 1, "ns", robust_lock);
    bench_emit("recovery", "plain lock", 1, "ns", plain_lock);
    bench_emit("recovery", "words with redo", WORDS, "ns", redo);
    bench_emit("recovery", "words without", WORDS, "ns", stores);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    mr_topic_close(topic);
    mr_topic_unlink(bus_name, "t");
    mr_bus_remove(bus_name);
    mr_bus_disconnect(server);
    munmap(plain, 4096);
}

static void emit(const char *group, const char *series, const char *unit, double *values, size_t n)
{
    char metric[32];
    snprintf(metric, sizeof metric, "p50_%s", unit);
    bench_emit(group, series, 1, metric, bench_quantile(values, n, 0.5));
    snprintf(metric, sizeof metric, "p99_%s", unit);
    bench_emit(group, series, 1, metric, bench_quantile(values, n, 0.99));
}

int main(void)
{
    static double a[REPAIRS], b[REPAIRS];
    snprintf(bus_name, sizeof bus_name, "bench-recovery-%ld", (long)getpid());
    redelivery(1, a, DEATHS);
    emit("start", "redeliver, broker", "ms", a, DEATHS);
    redelivery(0, a, DEATHS);
    emit("start", "redeliver, alone", "ms", a, DEATHS);
    repair(a, b, REPAIRS);
    emit("recovery", "repair", "us", a, REPAIRS);
    emit("recovery", "the same lock, free", "us", b, REPAIRS);
    machinery();
    return 0;
}
