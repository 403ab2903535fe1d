/* bench_trip.c - how long a record of 64 B takes to another process and back: p50, p99 and p99.9 of
 * all trips of all rounds.
 * Usage: bench_trip [ROUNDS]         5 rounds
 *
 * Two processes pinned apart, one channel each way. There are two kinds of trips, and what is
 * compared has to be of one kind:
 *   awake    both ends spin, and a trip follows the other; for what can spin
 *   asleep   before each way the sender pauses for longer than anything here spins, so that the
 *            receiver has to be woken; the pauses are not part of the trip. Whether both
 *            really slept is counted by the kernel and said if not. */
#include "bench.h"
#include "team.h"
#include "transports.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SIZE         64
#define ROUNDS_MAX   31
#define AWAKE_TRIPS  20000 /* in each round */
#define ASLEEP_TRIPS 1000
#define WARM_TRIPS   50
#define PAUSE_US     100 /* a consumer of Millrace spins for 50 */

static const struct series {
    const char *name;
    const struct transport *transport;
    int awake;
} series[] = {
    {"pipe", &transport_pipe, 0},
    {"futex", &transport_futex, 0},
    {"unix socket", &transport_socket, 0},
    {"mqueue", &transport_mqueue, 0},
    {"boost", &transport_boost, 0},
    {"zeromq", &transport_zeromq, 0},
    {"bare ring", &transport_bare, 1},
    {"millrace, spinning", &transport_millrace, 1},
    {"millrace, asleep", &transport_millrace, 0},
};
#define SERIES (sizeof series / sizeof series[0])

struct trips {
    struct channel there, back; /* each end has a copy */
    int awake, n;
    /* when the echo had the record, and when it sent it back */
    _Atomic uint64_t arrived_ns, returned_ns;
    double sleeps[2]; /* a trip, of each end */
    double us[AWAKE_TRIPS];
};

static void attach(struct channel *channel, enum channel_end end)
{
    if (channel->transport->attach)
        channel->transport->attach(channel, end);
}

static void detach(struct channel *channel)
{
    if (channel->transport->detach)
        channel->transport->detach(channel);
}

static long sleeps_so_far(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
}

/* The end that sends first and takes the time: from here to there, and back, without what the echo
 * paused between. */
static double travel(struct trips *trips, struct channel *there, struct channel *back)
{
    if (!trips->awake)
        usleep(PAUSE_US);
    uint64_t left = bench_now_ns();
    there->transport->send(there, 1);
    back->transport->receive(back, 1);
    uint64_t home = bench_now_ns();
    return (double)(home - left - (trips->awake ? 0 : trips->returned_ns - trips->arrived_ns)) /
           1e3;
}

static void echo(struct trips *trips, struct channel *there, struct channel *back)
{
    there->transport->receive(there, 1);
    if (!trips->awake) {
        trips->arrived_ns = bench_now_ns();
        usleep(PAUSE_US);
        trips->returned_ns = bench_now_ns();
    }
    back->transport->send(back, 1);
}

static void member(struct team *team, int who, void *what)
{
    struct trips *trips = what;
    struct channel there = trips->there, back = trips->back;
    bench_pin(who);
    attach(who == 0 ? &there : &back, CHANNEL_SENDS);
    attach(who == 0 ? &back : &there, CHANNEL_RECEIVES);
    team_gate(team);
    long before = 0;
    for (int i = -WARM_TRIPS; i < trips->n; i++) {
        if (i == 0)
            before = sleeps_so_far();
        if (who == 0) {
            double us = travel(trips, &there, &back);
            if (i >= 0)
                trips->us[i] = us;
        } else {
            echo(trips, &there, &back);
        }
    }
    trips->sleeps[who] = (double)(sleeps_so_far() - before) / trips->n;
    team_gate(team); /* neither detaches what the other still uses */
    detach(&there);
    detach(&back);
}

/* One round of one series, added to the n values in all; returns how many there are now. */
static size_t measure(const struct series *s, double *all, size_t n)
{
    static struct trips *trips;
    if (!trips)
        trips = team_shared(sizeof *trips);
    trips->there = (struct channel){.transport = s->transport, .id = 0, .size = SIZE};
    trips->back = (struct channel){.transport = s->transport, .id = 1, .size = SIZE};
    trips->awake = s->awake;
    trips->n = s->awake ? AWAKE_TRIPS : ASLEEP_TRIPS;
    s->transport->open(&trips->there);
    s->transport->open(&trips->back);
    team_run(2, member, trips);
    s->transport->close(&trips->there);
    s->transport->close(&trips->back);
    for (int i = 0; i < 2; i++)
        if (!s->awake && trips->sleeps[i] < 1.95) /* the pause, and the wait for the record */
            fprintf(stderr, "bench_trip: %s: one end slept only %.2f times a trip instead of 2\n",
                    s->name, trips->sleeps[i]);
    for (int i = 0; i < trips->n; i++)
        all[n++] = trips->us[i];
    return n;
}

int main(int argc, char **argv)
{
    static double us[SERIES][ROUNDS_MAX * AWAKE_TRIPS];
    size_t n[SERIES] = {0};
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
    uint64_t since = bench_now_ns();
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < SERIES; i++)
            if (series[i].transport->open)
                n[i] = measure(&series[i], us[i], n[i]);
            else if (r == 0)
                fprintf(stderr, "bench_trip: left out, not installed: %s\n", series[i].name);
    for (size_t i = 0; i < SERIES; i++)
        if (n[i]) {
            bench_emit("trip", series[i].name, SIZE, "p50_us", bench_quantile(us[i], n[i], 0.5));
            bench_emit("trip", series[i].name, SIZE, "p99_us", bench_quantile(us[i], n[i], 0.99));
            bench_emit("trip", series[i].name, SIZE, "p999_us", bench_quantile(us[i], n[i], 0.999));
        }
    fprintf(stderr, "bench_trip: %d rounds, %.0f s\n", rounds,
            (double)(bench_now_ns() - since) / 1e9);
    return 0;
}
