/* bench_stream.c - records per second from one process to another, by Millrace and by what else
 * there is, in one run.
 * Usage: bench_stream [ROUNDS [SIZE [SERIES]]] 11 rounds; only records of SIZE bytes; only series
 * whose names begin so
 *
 * One producer and one consumer, pinned apart. Each round measures every transport with every size,
 * so that the machine's moods hit all alike; given are the medians. Before the gate opens, records
 * have gone through all the memory that the transport uses, in both processes, and so long that
 * their rate is known: as many are then timed as take RUN_S. The time ends when the consumer has
 * read the last one. */
#include "bench.h"
#include "team.h"
#include "transports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_MAX 31
#define RUN_S      0.07
#define WARM_S     0.005 /* less says nothing about the rate */
/* records, or what fits into TRANSPORT_ROOM, for a transport that has no laps */
#define WARM_MIN 10000

static const struct series {
    const char *name;
    const struct transport *transport; /* NULL: the work alone */
} series[] = {
    {"pipe", &transport_pipe},
    {"pipe, 64 KiB batches", &transport_pipe_batches},
    {"unix socket", &transport_socket},
    {"mqueue", &transport_mqueue},
    {"boost", &transport_boost},
    {"zeromq", &transport_zeromq},
    {"millrace, one by one", &transport_millrace},
    {"millrace, batches", &transport_millrace_batches},
    {"bare ring, each", &transport_bare},
    {"bare ring, every 32", &transport_bare_batches},
    {"memcpy", NULL},
};
static const size_t sizes[] = {16, 64, 256, 1024, 16384, 65536};
#define SERIES (sizeof series / sizeof series[0])
#define SIZES  (sizeof sizes / sizeof sizes[0])

/* ---- one measurement ---- */

/* Shared by both ends. The consumer says how many records the next phase has, none at the end; the
 * last phase is the one that counts. */
struct run {
    struct channel channel; /* each end takes a copy */
    _Atomic uint64_t phase;
    uint64_t records;
    double seconds;
};

static uint64_t warm_up(const struct channel *channel)
{
    uint64_t fit = TRANSPORT_ROOM / channel->size;
    return channel->transport && channel->transport->lap ? channel->transport->lap(channel->size)
           : fit < WARM_MIN                              ? fit
                                                         : WARM_MIN;
}

static void produce(struct team *team, struct run *run)
{
    struct channel channel = run->channel;
    uint64_t n;
    bench_pin(0);
    if (channel.transport->attach)
        channel.transport->attach(&channel, CHANNEL_SENDS);
    for (;;) {
        team_gate(team);
        n = run->phase;
        if (n == 0)
            break;
        channel.transport->send(&channel, n);
    }
    if (channel.transport->detach)
        channel.transport->detach(&channel);
}

/* The work alone, by one process: a batch is written where the ring is, and read there. */
static void copy(struct channel *channel, uint64_t n)
{
    unsigned char *ring = channel->state;
    size_t size = channel->size;
    while (n) {
        uint64_t k = n < TRANSPORT_BATCH ? n : TRANSPORT_BATCH, first = channel->number;
        for (uint64_t i = 0; i < k; i++)
            work_fill(ring + (first + i) * size % TRANSPORT_ROOM, size, first + i);
        for (uint64_t i = 0; i < k; i++)
            channel_check(channel, ring + (first + i) * size % TRANSPORT_ROOM);
        n -= k;
    }
}

static void consume(struct team *team, struct run *run)
{
    struct channel channel = run->channel;
    const struct transport *transport = channel.transport;
    uint64_t n = warm_up(&channel);
    double seconds = 0;
    bench_pin(1);
    if (!transport)
        channel_allocate(&channel, TRANSPORT_ROOM);
    else if (transport->attach)
        transport->attach(&channel, CHANNEL_RECEIVES);
    for (int warm = 0; n;) {
        run->phase = n;
        team_gate(team);
        if (transport)
            transport->receive(&channel, n);
        else
            copy(&channel, n);
        seconds = team_gate_s(team);
        run->records = n;
        run->seconds = seconds;
        n = warm ? 0 : seconds < WARM_S ? n * 4 : (uint64_t)((double)n * RUN_S / seconds) + 1;
        warm = warm || seconds >= WARM_S;
    }
    run->phase = 0;
    team_gate(team);
    if (transport && transport->detach)
        transport->detach(&channel);
}

static void member(struct team *team, int who, void *what)
{
    struct run *run = what;
    if (run->channel.transport && who == 0)
        produce(team, run);
    else
        consume(team, run);
}

static double records_per_s(const struct transport *transport, size_t size)
{
    static struct run *run;
    if (!run)
        run = team_shared(sizeof *run);
    *run = (struct run){.channel = {.transport = transport, .size = size}};
    if (transport)
        transport->open(&run->channel);
    team_run(transport ? 2 : 1, member, run);
    if (transport)
        transport->close(&run->channel);
    return (double)run->records / run->seconds;
}

/* ---- all of them ---- */

static int wanted(const struct series *s, size_t size, size_t only_size, const char *only)
{
    if (s->transport && (!s->transport->open || (s->transport->fits && !s->transport->fits(size))))
        return 0;
    return (only_size == 0 || size == only_size) && strncmp(s->name, only, strlen(only)) == 0;
}

static void say_left_out(void)
{
    for (size_t i = 0; i < SERIES; i++) {
        const struct transport *transport = series[i].transport;
        if (transport && !transport->open)
            fprintf(stderr, "bench_stream: left out, not installed: %s\n", series[i].name);
        for (size_t j = 0; j < SIZES; j++)
            if (transport && transport->fits && !transport->fits(sizes[j]))
                fprintf(stderr,
                        "bench_stream: left out, larger than the system allows: %s, %zu B\n",
                        series[i].name, sizes[j]);
    }
}

int main(int argc, char **argv)
{
    static double rates[SERIES][SIZES][ROUNDS_MAX];
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 11;
    size_t only_size = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    const char *only = argc > 3 ? argv[3] : "";
    uint64_t since = bench_now_ns();
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    say_left_out();
    for (int r = 0; r < rounds; r++)
        for (size_t j = 0; j < SIZES; j++)
            for (size_t i = 0; i < SERIES; i++)
                if (wanted(&series[i], sizes[j], only_size, only))
                    rates[i][j][r] = records_per_s(series[i].transport, sizes[j]);
    for (size_t i = 0; i < SERIES; i++)
        for (size_t j = 0; j < SIZES; j++)
            if (wanted(&series[i], sizes[j], only_size, only))
                bench_emit("stream", series[i].name, (double)sizes[j], "records_per_s",
                           bench_median(rates[i][j], (size_t)rounds));
    fprintf(stderr, "bench_stream: %d rounds, %.0f s\n", rounds,
            (double)(bench_now_ns() - since) / 1e9);
    return 0;
}
