/* bench_pattern.c - deliveries per second with several producers and consumers of one topic: 64 B,
 * 32 for each append, all acknowledged; and of a topic in which only so many records may wait, so
 * that each side waits for the other.
 * Usage: bench_pattern [ROUNDS]        9 rounds of all patterns; the medians
 *
 * The k-th process, the producers first, is pinned to CPU k modulo their number: every CPU has
 * about as many processes, and if there are enough each has its own. With two CPUs, one for all
 * producers and one for all consumers would leave one of them idle in 4x1 and 1x4.
 *
 * Each consumer checks that what it gets of each producer has rising numbers, without a gap if
 * no other process shares its group; at the end each group has to have had every record once, by
 * count and by the sum of the numbers. As in bench_stream, memory has been touched and the rate is
 * known before the clock runs. */
#include "bench.h"
#include "bus.h"
#include "team.h"
#include "work.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE        64u
#define BATCH       32u
#define ROOM        (16u << 20)
#define MEMBERS_MAX 4 /* on each side */
#define ROUNDS_MAX  31
#define RUN_S       0.15
/* of each producer: once round the topic */
#define WARM_RECORDS ((uint64_t)(ROOM / (SIZE + MR_RECORD_OVERHEAD)))
#define NUMBER_BITS  48 /* of a record's number; above them is its producer's */

static const struct pattern {
    const char *name;
    int producers, consumers, groups; /* groups: each consumer has one of its own */
    uint64_t records;                 /* that may wait; 0: as many as fit */
} patterns[] = {
    {"1x1", 1, 1, 0, 0},        {"2x2", 2, 2, 0, 0},
    {"4x1", 4, 1, 0, 0},        {"1x4 shared", 1, 4, 0, 0},
    {"1x4 groups", 1, 4, 1, 0}, {"1x1, 100 records at most", 1, 1, 0, 100},
};
#define PATTERNS (sizeof patterns / sizeof patterns[0])

struct run {
    struct pattern pattern;
    _Atomic uint64_t warm;       /* deliveries of the warm-up */
    _Atomic double warm_s;       /* the longest that a consumer took for it */
    _Atomic int producing;       /* producers that are not done */
    _Atomic uint64_t count, sum; /* of what was delivered, all in all */
    _Atomic double seconds;      /* until the last consumer was done */
};

static void at_least(_Atomic double *value, double seen)
{
    double now = atomic_load(value);
    while (now < seen && !atomic_compare_exchange_weak(value, &now, seen))
        ;
}

/* How many records each producer sends after the warm-up, known to all. */
static uint64_t share(struct run *run)
{
    return (uint64_t)(RUN_S * (double)WARM_RECORDS / run->warm_s) + 1;
}

static void send(struct mr_producer *producer, int who, uint64_t from, uint64_t until)
{
    unsigned char records[BATCH][SIZE];
    struct mr_message msgs[BATCH];
    while (from < until) {
        uint64_t k = until - from < BATCH ? until - from : BATCH;
        for (uint64_t i = 0; i < k; i++) {
            work_fill(records[i], SIZE, (uint64_t)who << NUMBER_BITS | (from + i));
            msgs[i] = (struct mr_message){.value = records[i], .value_len = SIZE};
        }
        if (mr_producer_append(producer, msgs, k, -1) != (ssize_t)k)
            bench_fail("append");
        from += k;
    }
}

static void produce(struct team *team, struct run *run, int who)
{
    struct mr_topic *topic = bench_topic_open("pattern");
    struct mr_producer *producer;
    if (mr_producer_open(topic, NULL, &producer))
        bench_fail("producer");
    team_gate(team); /* all groups are there: nothing is missed */
    send(producer, who, 0, WARM_RECORDS);
    team_gate(team);
    send(producer, who, WARM_RECORDS, WARM_RECORDS + share(run));
    if (atomic_fetch_sub(&run->producing, 1) == 1 && mr_topic_seal(topic))
        bench_fail("seal");
    mr_producer_close(producer);
    mr_topic_close(topic);
}

struct tally {
    int alone;                  /* no other process takes records of this group */
    uint64_t next[MEMBERS_MAX]; /* the lowest number that may come, of each producer */
    uint64_t count, sum;
};

static void check(struct tally *tally, const void *record)
{
    uint64_t number = work_read(record, SIZE), who = number >> NUMBER_BITS;
    number &= ((uint64_t)1 << NUMBER_BITS) - 1;
    if (who >= MEMBERS_MAX || number < tally->next[who] ||
        (tally->alone && number != tally->next[who])) {
        fprintf(stderr, "bench_pattern: record %llu of producer %llu came out of order\n",
                (unsigned long long)number, (unsigned long long)who);
        exit(1);
    }
    tally->next[who] = number + 1;
    tally->count++;
    tally->sum += number;
}

/* One claim of what is there; returns how many records that were, 0 at the end or when the time is
 * over. */
static uint64_t take(struct mr_consumer *consumer, struct tally *tally, int64_t timeout_ns)
{
    struct mr_record record;
    uint64_t before = tally->count;
    ssize_t n = mr_consumer_claim(consumer, 0, timeout_ns);
    if (n == -ENODATA || n == -ETIMEDOUT)
        return 0;
    if (n < 0)
        bench_fail("claim");
    while (mr_consumer_next(consumer, &record) == 1)
        check(tally, record.value);
    if (mr_consumer_ack(consumer))
        bench_fail("acknowledge");
    return tally->count - before;
}

static void consume(struct team *team, struct run *run, int who)
{
    const struct pattern *pattern = &run->pattern;
    struct mr_topic *topic = bench_topic_open("pattern");
    struct mr_consumer *consumer;
    struct tally tally = {.alone = pattern->groups || pattern->consumers == 1};
    uint64_t all = (uint64_t)pattern->producers * WARM_RECORDS *
                   (pattern->groups ? (uint64_t)pattern->consumers : 1);
    char group[32];
    snprintf(group, sizeof group, "group-%d", pattern->groups ? who : 0);
    if (mr_consumer_open(topic, &(struct mr_consumer_options){.group = group}, &consumer))
        bench_fail("consumer");
    team_gate(team);
    while (run->warm < all)
        run->warm += take(consumer, &tally, 1000000);
    at_least(&run->warm_s, team_gate_s(team));
    team_gate(team);
    while (take(consumer, &tally, -1) > 0)
        ;
    at_least(&run->seconds, team_gate_s(team));
    run->count += tally.count;
    run->sum += tally.sum;
    mr_consumer_close(consumer);
    mr_topic_close(topic);
}

static void member(struct team *team, int who, void *what)
{
    struct run *run = what;
    int producers = run->pattern.producers;
    bench_pin(who);
    if (who < producers)
        produce(team, run, who);
    else
        consume(team, run, who - producers);
}

static double deliveries_per_s(const struct pattern *pattern)
{
    static struct run *run;
    if (!run)
        run = team_shared(sizeof *run);
    *run = (struct run){.pattern = *pattern, .producing = pattern->producers};
    bench_topic_make("pattern", ROOM, pattern->records);
    team_run(pattern->producers + pattern->consumers, member, run);
    bench_topic_remove("pattern");

    uint64_t each = WARM_RECORDS + share(run),
             groups = pattern->groups ? (uint64_t)pattern->consumers : 1;
    uint64_t copies = (uint64_t)pattern->producers * groups;
    if (run->count != each * copies || run->sum != each * (each - 1) / 2 * copies) {
        fprintf(stderr, "bench_pattern: %s: not every record came once\n", pattern->name);
        exit(1);
    }
    return (double)(share(run) * copies) / run->seconds;
}

int main(int argc, char **argv)
{
    static double rates[PATTERNS][ROUNDS_MAX];
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 9;
    uint64_t since = bench_now_ns();
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < PATTERNS; i++)
            rates[i][r] = deliveries_per_s(&patterns[i]);
    for (size_t i = 0; i < PATTERNS; i++)
        bench_emit("pattern", patterns[i].name, SIZE, "deliveries_per_s",
                   bench_median(rates[i], (size_t)rounds));
    fprintf(stderr, "bench_pattern: %d rounds, %.0f s\n", rounds,
            (double)(bench_now_ns() - since) / 1e9);
    return 0;
}
