/* bench_stream.c - records per second and round trips of Millrace beside pipe(2) and a bare ring, in one run.
 *
 * One producer process and one consumer process, pinned apart when there are two CPUs. Every transport is measured in each round, so that the
 * machine's moods hit all alike; printed are the medians over the rounds and the ratio to "pipe". Every record carries its number, which the
 * consumer checks, and all its bytes are read. Millrace runs with everything on: a group, acknowledgements, back-pressure, crash safety. */
#include "client.h"
#include "topic.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 31
#define BATCH 32
#define RING (16u << 20)
#define PIPE_BATCH 65536

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)(cpu % (int)sysconf(_SC_NPROCESSORS_ONLN)), &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* ---- the work on a record: number it, and read all of it ---- */

static uint64_t expected; /* the consumer's next number */

static void fill(unsigned char *record, size_t size, uint64_t number)
{
    memset(record, (int)(number & 0xff), size);
    memcpy(record, &number, sizeof number);
}

static void touch(const unsigned char *record, size_t size)
{
    uint64_t number, sum = 0, word;
    memcpy(&number, record, sizeof number);
    if (number != expected++) {
        fprintf(stderr, "bench: record %llu came instead of %llu\n", (unsigned long long)number, (unsigned long long)expected - 1);
        exit(1);
    }
    for (size_t i = 0; i + 8 <= size; i += 8) {
        memcpy(&word, record + i, 8);
        sum += word;
    }
    __asm__ volatile("" : : "r"(sum)); /* or the compiler would not read */
}

/* ---- transports ---- */

struct transport {
    const char *name;
    void (*open)(size_t size);
    void (*send)(size_t size, uint64_t n); /* n records */
    void (*receive)(size_t size, uint64_t n);
    void (*close)(void);
};

/* pipe(2): a write and a read per record, or 64 KiB at a time */
static int pipe_fds[2];
static unsigned char pipe_buf[PIPE_BATCH + 65536];

static void pipe_open(size_t size)
{
    (void)size;
    if (pipe(pipe_fds) < 0)
        fail("pipe");
}
static void pipe_close(void)
{
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}
static void write_all(const unsigned char *at, size_t len)
{
    while (len) {
        ssize_t n = write(pipe_fds[1], at, len);
        if (n < 0)
            fail("write");
        at += n;
        len -= (size_t)n;
    }
}
static void read_all(unsigned char *at, size_t len)
{
    while (len) {
        ssize_t n = read(pipe_fds[0], at, len);
        if (n <= 0)
            fail("read");
        at += n;
        len -= (size_t)n;
    }
}
static void pipe_send(size_t size, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        fill(pipe_buf, size, i);
        write_all(pipe_buf, size);
    }
}
static void pipe_receive(size_t size, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        read_all(pipe_buf, size);
        touch(pipe_buf, size);
    }
}
static void pipe_batch_send(size_t size, uint64_t n)
{
    size_t used = 0;
    for (uint64_t i = 0; i < n; i++) {
        fill(pipe_buf + used, size, i);
        used += size;
        if (used + size > PIPE_BATCH || i + 1 == n) {
            write_all(pipe_buf, used);
            used = 0;
        }
    }
}
static void pipe_batch_receive(size_t size, uint64_t n)
{
    size_t have = 0, at = 0;
    for (uint64_t i = 0; i < n; i++) {
        while (have - at < size) {
            memmove(pipe_buf, pipe_buf + at, have - at);
            have -= at;
            at = 0;
            ssize_t got = read(pipe_fds[0], pipe_buf + have, sizeof pipe_buf - have);
            if (got <= 0)
                fail("read");
            have += (size_t)got;
        }
        touch(pipe_buf + at, size);
        at += size;
    }
}

/* The ceiling: one producer, one consumer, a ring with nothing else: no groups, no acknowledgement, no recovery, spinning. */
static struct bare {
    alignas(64) _Atomic uint64_t head;
    alignas(64) _Atomic uint64_t tail;
    alignas(64) unsigned char bytes[RING];
} *bare;
static uint64_t bare_every;

static void bare_open(size_t size)
{
    (void)size;
    bare = mmap(NULL, sizeof *bare, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (bare == MAP_FAILED)
        fail("mmap");
}
static void bare_close(void)
{
    munmap(bare, sizeof *bare);
}
static void bare_send_every(size_t size, uint64_t n)
{
    uint64_t head = 0, tail = 0, room = RING / size * size;
    for (uint64_t i = 0; i < n; i++) {
        while (head + size - tail > room)
            tail = atomic_load_explicit(&bare->tail, memory_order_acquire);
        fill(bare->bytes + head % room, size, i);
        head += size;
        if ((i + 1) % bare_every == 0 || i + 1 == n)
            atomic_store_explicit(&bare->head, head, memory_order_release);
    }
}
static void bare_send(size_t size, uint64_t n)
{
    bare_every = 1;
    bare_send_every(size, n);
}
static void bare_batch_send(size_t size, uint64_t n)
{
    bare_every = BATCH;
    bare_send_every(size, n);
}
static void bare_receive(size_t size, uint64_t n)
{
    uint64_t head = 0, tail = 0, room = RING / size * size;
    for (uint64_t i = 0; i < n; i++) {
        while (head == tail) {
            atomic_store_explicit(&bare->tail, tail, memory_order_release);
            head = atomic_load_explicit(&bare->head, memory_order_acquire);
        }
        touch(bare->bytes + tail % room, size);
        tail += size;
        if ((i + 1) % BATCH == 0)
            atomic_store_explicit(&bare->tail, tail, memory_order_release);
    }
    atomic_store_explicit(&bare->tail, tail, memory_order_release);
}

/* Millrace */
static struct mr_bus *server;
static char bus_name[MR_BUS_NAME_MAX + 1];

static void millrace_open(size_t size)
{
    (void)size;
    snprintf(bus_name, sizeof bus_name, "bench-%ld", (long)getpid());
    struct mr_settings settings = {.size_bytes = RING, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    if (mr_bus_serve(bus_name, 0600, (gid_t)-1, NULL, &server) < 0 || mr_topic_make(server, "there", &settings) < 0 ||
        mr_topic_make(server, "back", &settings) < 0)
        fail("millrace");
}
static void millrace_close(void)
{
    mr_topic_unlink(bus_name, "there");
    mr_topic_unlink(bus_name, "back");
    mr_bus_remove(bus_name);
    mr_disconnect(server);
}
static struct mr_topic *attach(const char *topic_name, struct mr_bus **bus)
{
    struct mr_topic *topic;
    if (mr_connect(bus_name, NULL, bus) < 0 || mr_topic_open(*bus, topic_name, &topic) < 0)
        fail("attach");
    return topic;
}
static void send_by(size_t size, uint64_t n, uint64_t batch)
{
    struct mr_bus *bus;
    struct mr_topic *topic = attach("there", &bus);
    struct mr_producer *producer;
    if (mr_producer_open(topic, NULL, &producer) < 0)
        fail("producer");
    unsigned char *records = malloc(size * batch);
    struct mr_message msgs[BATCH] = {0};
    for (uint64_t i = 0; i < n;) {
        uint64_t k = n - i < batch ? n - i : batch;
        for (uint64_t j = 0; j < k; j++, i++) {
            fill(records + j * size, size, i);
            msgs[j] = (struct mr_message){.value = records + j * size, .value_len = (uint32_t)size, .partition = MR_ANY};
        }
        if (mr_append(producer, msgs, k, -1) != (ssize_t)k)
            fail("append");
    }
    free(records);
    mr_producer_close(producer);
    mr_topic_close(topic);
    mr_disconnect(bus);
}
static void millrace_send(size_t size, uint64_t n)
{
    send_by(size, n, 1);
}
static void millrace_batch_send(size_t size, uint64_t n)
{
    send_by(size, n, BATCH);
}
static void millrace_receive(size_t size, uint64_t n)
{
    struct mr_bus *bus;
    struct mr_topic *topic = attach("there", &bus);
    struct mr_consumer *consumer;
    if (mr_consumer_open(topic, NULL, &consumer) < 0)
        fail("consumer");
    for (uint64_t i = 0; i < n;) {
        if (mr_claim(consumer, 0, -1) < 0)
            fail("claim");
        struct mr_record record;
        for (; mr_next(consumer, &record) == 1; i++)
            touch(record.value, size);
        if (mr_ack(consumer) < 0)
            fail("acknowledge");
    }
    mr_consumer_close(consumer);
    mr_topic_close(topic);
    mr_disconnect(bus);
}

static const struct transport transports[] = {
    {"pipe", pipe_open, pipe_send, pipe_receive, pipe_close},
    {"pipe, 64 KiB batches", pipe_open, pipe_batch_send, pipe_batch_receive, pipe_close},
    {"millrace, one by one", millrace_open, millrace_send, millrace_receive, millrace_close},
    {"millrace, batches of 32", millrace_open, millrace_batch_send, millrace_receive, millrace_close},
    {"bare ring, each", bare_open, bare_send, bare_receive, bare_close},
    {"bare ring, every 32", bare_open, bare_batch_send, bare_receive, bare_close},
};
#define TRANSPORTS (sizeof transports / sizeof transports[0])

/* ---- measuring ---- */

/* Seconds from the start of both processes' work to the end of the consumer's. */
static double stream_once(const struct transport *t, size_t size, uint64_t n)
{
    _Atomic int *gate = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    t->open(size);
    pid_t producer = fork();
    if (producer == 0) {
        pin(0);
        while (!atomic_load(gate))
            ;
        t->send(size, n);
        _exit(0);
    }
    pid_t consumer = fork();
    if (consumer == 0) {
        pin(1);
        atomic_store(gate, 1);
        expected = 0;
        t->receive(size, n);
        _exit(0);
    }
    uint64_t since = mr_now_ns();
    int status = 0, other = 0;
    waitpid(consumer, &status, 0);
    double seconds = (double)(mr_now_ns() - since) / 1e9;
    waitpid(producer, &other, 0);
    t->close();
    munmap((void *)gate, 4096);
    if (status || other)
        exit(1);
    return seconds;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[n / 2];
}

static void streams(size_t size, uint64_t n, int rounds)
{
    static double seconds[TRANSPORTS][ROUNDS_MAX];
    for (int r = 0; r < rounds; r++)
        for (size_t t = 0; t < TRANSPORTS; t++)
            seconds[t][r] = stream_once(&transports[t], size, n) / (double)n;
    double pipe_s = 0, ceiling_s = median(seconds[TRANSPORTS - 1], rounds);
    printf("\n%zu B records                 records/s        MB/s   x pipe   x bare ring\n", size);
    for (size_t t = 0; t < TRANSPORTS; t++) {
        double s = median(seconds[t], rounds);
        if (t == 0)
            pipe_s = s;
        printf("  %-24s %12.0f  %10.0f  %7.2f  %7.2f\n", transports[t].name, 1 / s, (double)size / s / 1e6, pipe_s / s, ceiling_s / s);
    }
    fflush(stdout);
}

/* Round trips: one process sends and waits for the echo of another. */
static void print_trips(const char *name, double *us, int n)
{
    qsort(us, (size_t)n, sizeof *us, by_value);
    printf("  %-24s %10.2f  %10.2f  %10.2f\n", name, us[n / 2], us[n * 99 / 100], us[n * 999 / 1000]);
    fflush(stdout);
}

static void pipe_trips(double *us, int n)
{
    int there[2], back[2];
    unsigned char record[64];
    if (pipe(there) < 0 || pipe(back) < 0)
        fail("pipe");
    pid_t echo = fork();
    if (echo == 0) {
        pin(1);
        for (int i = 0; i < n; i++)
            if (read(there[0], record, 64) != 64 || write(back[1], record, 64) != 64)
                _exit(1);
        _exit(0);
    }
    pin(0);
    for (int i = 0; i < n; i++) {
        uint64_t since = mr_now_ns();
        if (write(there[1], record, 64) != 64 || read(back[0], record, 64) != 64)
            fail("round trip");
        us[i] = (double)(mr_now_ns() - since) / 1e3;
    }
    waitpid(echo, NULL, 0);
    for (int i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
}

struct end {
    struct mr_bus *bus;
    struct mr_topic *out_topic, *in_topic;
    struct mr_producer *out;
    struct mr_consumer *in;
};

static struct end end_open(const char *out, const char *in)
{
    struct end end;
    end.out_topic = attach(out, &end.bus);
    if (mr_topic_open(end.bus, in, &end.in_topic) < 0 || mr_producer_open(end.out_topic, NULL, &end.out) < 0 ||
        mr_consumer_open(end.in_topic, NULL, &end.in) < 0)
        fail("attach");
    return end;
}
static void end_close(struct end *end)
{
    mr_producer_close(end->out);
    mr_consumer_close(end->in);
    mr_topic_close(end->out_topic);
    mr_topic_close(end->in_topic);
    mr_disconnect(end->bus);
}
static void end_send(struct end *end, const unsigned char *record)
{
    struct mr_message msg = {.value = record, .value_len = 64, .partition = MR_ANY};
    if (mr_append(end->out, &msg, 1, -1) != 1)
        fail("append");
}
static void end_receive(struct end *end)
{
    struct mr_record record;
    if (mr_claim(end->in, 1, -1) != 1 || mr_next(end->in, &record) != 1 || mr_ack(end->in) < 0)
        fail("claim");
}

static void millrace_trips(double *us, int n, long pause_us)
{
    unsigned char record[64] = {0};
    millrace_open(64);
    pid_t echo = fork();
    if (echo == 0) {
        pin(1);
        struct end end = end_open("back", "there");
        for (int i = 0; i < n; i++) {
            end_receive(&end);
            end_send(&end, record);
        }
        end_close(&end);
        _exit(0);
    }
    pin(0);
    struct end end = end_open("there", "back");
    for (int i = 0; i < n; i++) {
        if (pause_us)
            usleep((useconds_t)pause_us); /* so that the echo has gone to sleep */
        uint64_t since = mr_now_ns();
        end_send(&end, record);
        end_receive(&end);
        us[i] = (double)(mr_now_ns() - since) / 1e3;
    }
    waitpid(echo, NULL, 0);
    end_close(&end);
    millrace_close();
}

static void attach_times(double *us, int n)
{
    millrace_open(64);
    for (int i = 0; i < n; i++) {
        uint64_t since = mr_now_ns();
        struct end end = end_open("there", "back");
        us[i] = (double)(mr_now_ns() - since) / 1e3;
        end_close(&end);
    }
    millrace_close();
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 7, trips = 20000;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    printf("%ld CPUs, %d rounds, medians; ring and topic of %u MiB\n", sysconf(_SC_NPROCESSORS_ONLN), rounds, RING >> 20);
    streams(64, 1000000, rounds);
    streams(1024, 300000, rounds);
    streams(65536, 8000, rounds);

    static double us[20000];
    printf("\nround trip of 64 B, us               p50         p99       p99.9\n");
    pipe_trips(us, trips);
    print_trips("pipe", us, trips);
    millrace_trips(us, trips, 0);
    print_trips("millrace", us, trips);
    millrace_trips(us, 2000, 200);
    print_trips("millrace, echo asleep", us, 2000);
    printf("\nattach, us                           p50         p99       p99.9\n");
    attach_times(us, 1000);
    print_trips("connect, produce, consume", us, 1000);
    return 0;
}
