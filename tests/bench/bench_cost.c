/* bench_cost.c - what one record costs when everything around it grows: group "cost", ns_per_record
 * of 64 B in batches of 32.
 *
 *   topic size      at = MiB groups, partitions, topics (on the bus) at = their number
 *   idle clients    at = processes attached to the topic, of which none does anything: producers
 *                   and, as many, consumers of the group; a topic takes 250 of each, those past
 *                   that have nothing but the topic open
 *   idle producers  the same without the consumers, whom the group would leave their share of the
 *                   records, so that each claim is smaller
 *
 * One thread appends a batch, claims, reads and acknowledges it, so the backlog is one batch, and
 * what is measured is the bookkeeping and not the scheduler. Each record is numbered, read and
 * checked. The position walks through the whole topic, which has been full before: no page is
 * touched for the first time. Of several groups one is timed, as the others read untimed what keeps
 * them up to date. A round passes a part of the records through every place, so that the machine's
 * moods hit all alike; medians are emitted. */
#include "bench.h"
#include "core/client.h"
#include "core/lifecycle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE         64u
#define BATCH        32u
#define LOT          (SIZE + MR_RECORD_OVERHEAD) /* what a record takes */
#define ROUNDS       9
#define TURNS        8000u /* batches a round */
#define GROUPS_MAX   32
#define IDLE_MAX     2000
#define PLACES_MAX   40
#define MIB          (1u << 20)
#define COUNT(array) (sizeof(array) / sizeof *(array))
/* producers, and consumers, that sit idle on one topic: 256 is the limit */
#define SIDE_MAX 250u

struct place {
    const char *series;
    double at;
    struct mr_bus *bus; /* each place has its own */
    struct mr_topic *topic;
    struct mr_producer *producer;
    struct mr_consumer *consumers[GROUPS_MAX];
    unsigned groups, topics; /* made so far */
    uint64_t sent;
    double ns[ROUNDS];
};

static struct place places[PLACES_MAX];
static unsigned place_cnt;
static pid_t idle[IDLE_MAX];
static unsigned idle_cnt;
static pid_t owner;

static void must(int ok, const char *what)
{
    if (!ok)
        bench_fail(what);
}

static void bus_name(char *name, size_t cap, const struct place *place)
{
    snprintf(name, cap, "bench-%d-%u", (int)owner, (unsigned)(place - places));
}

/* ---- the work on a record ---- */

static void fill(unsigned char *value, uint64_t number)
{
    memset(value, (int)(number & 0xff), SIZE);
    memcpy(value, &number, sizeof number);
}

static uint64_t look(const unsigned char *value)
{
    uint64_t number, word, sum = 0;
    memcpy(&number, value, sizeof number);
    for (size_t i = 0; i < SIZE; i += 8) {
        memcpy(&word, value + i, 8);
        sum += word;
    }
    __asm__ volatile("" : : "r"(sum)); /* or the compiler would not read */
    return number;
}

/* One batch through place, timed but for what the groups past the first do. Records of several
 * partitions come in another order than they were sent, but each comes once: their numbers add
 * up. */
static uint64_t pass_on(struct place *place)
{
    static unsigned char values[BATCH][SIZE];
    static struct mr_message msgs[BATCH];
    struct mr_record record;
    uint64_t took = 0, wanted = 0, sum = 0, since = bench_now_ns();
    for (unsigned i = 0; i < BATCH; i++) {
        wanted += place->sent;
        fill(values[i], place->sent++);
        msgs[i] = (struct mr_message){.value = values[i], .value_len = SIZE};
    }
    must(mr_producer_append(place->producer, msgs, BATCH, -1) == BATCH, "append");
    for (unsigned g = 0; g < place->groups; g++) {
        unsigned got = 0;
        for (sum = 0; got < BATCH; mr_consumer_ack(place->consumers[g])) {
            must(mr_consumer_claim(place->consumers[g], BATCH, -1) > 0, "claim");
            for (; mr_consumer_next(place->consumers[g], &record) == 1; got++)
                sum += look(record.value);
        }
        if (g == 0)
            took = bench_now_ns() - since;
        if (sum != wanted || got != BATCH) {
            fprintf(stderr, "bench_cost: %s at %g: other records come than were sent\n",
                    place->series, place->at);
            exit(1);
        }
    }
    return took;
}

static double round_through(struct place *place, unsigned turns)
{
    uint64_t ns = 0;
    for (unsigned i = 0; i < turns; i++)
        ns += pass_on(place);
    return (double)ns / turns / BATCH;
}

/* ---- places ---- */

static void remove_place(const struct place *place)
{
    char name[MR_BUS_NAME_MAX + 1], topic[16];
    bus_name(name, sizeof name, place);
    for (unsigned t = 0; t < place->topics; t++) {
        snprintf(topic, sizeof topic, "t%u", t);
        mr_topic_unlink(name, topic);
    }
    if (place->topics)
        mr_bus_remove(name);
}

/* Takes away whatever is there, also after a failure half-way; children that fail leave it to their
 * parent. */
static void leave(void)
{
    if (getpid() != owner)
        return;
    for (unsigned i = 0; i < idle_cnt; i++)
        kill(idle[i], SIGKILL);
    for (unsigned i = 0; i < idle_cnt; i++)
        waitpid(idle[i], NULL, 0);
    for (unsigned i = 0; i < place_cnt; i++)
        remove_place(&places[i]);
}

static void sit_idle(const char *bus, int consumes, int produces, int ready)
{
    struct mr_bus *own;
    struct mr_topic *topic;
    struct mr_producer *producer;
    struct mr_consumer *consumer;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int ok = mr_bus_connect(bus, NULL, &own) == 0 && mr_topic_open(own, "t0", &topic) == 0;
    if (ok && produces)
        ok = mr_producer_open(topic, NULL, &producer) == 0;
    if (ok && consumes)
        ok = mr_consumer_open(topic, &(struct mr_consumer_options){.group = "g0"}, &consumer) == 0;
    if (write(ready, ok ? "y" : "n", 1) != 1 || !ok)
        _exit(1);
    for (;;)
        pause();
}

/* n processes, every second one a consumer unless all are to be producers. */
static void seat(const char *bus, unsigned n, int consumers)
{
    int ready[2];
    char answer;
    must(pipe(ready) == 0, "pipe");
    for (unsigned i = 0; i < n; i++) {
        pid_t pid = fork();
        must(pid >= 0, "fork an idle client");
        if (pid == 0)
            sit_idle(bus, consumers && i % 2 && i < 2 * SIDE_MAX,
                     consumers ? i % 2 == 0 && i < 2 * SIDE_MAX : i < SIDE_MAX, ready[1]);
        idle[idle_cnt++] = pid;
        must(read(ready[0], &answer, 1) == 1 && answer == 'y', "attach an idle client");
    }
    close(ready[0]);
    close(ready[1]);
}

/* A bus with that many topics, of which the first is the one that is used; a place for which
 * /dev/shm is too small is left out. */
static void add_place(const char *series, double at, uint64_t bytes, unsigned partitions,
                      unsigned groups, unsigned topics)
{
    char name[MR_BUS_NAME_MAX + 1], topic[16];
    /* all series of idle clients count them */
    unsigned clients = strncmp(series, "idle ", 5) == 0 ? (unsigned)at : 0;
    struct place *place = &places[place_cnt++];
    struct mr_settings settings = {.size_bytes = bytes,
                                   .partitions = partitions,
                                   .full = MR_FULL_BLOCK,
                                   .tries = 3,
                                   .mode = 0600};
    *place = (struct place){.series = series, .at = at, .groups = groups};
    bus_name(name, sizeof name, place);
    must(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &place->bus) == 0, "make a bus");
    for (int error = 0; place->topics < topics && error == 0;) {
        snprintf(topic, sizeof topic, "t%u", place->topics++);
        error = mr_topic_create_segment(place->bus, topic, &settings);
        settings.size_bytes = MR_SIZE_MIN; /* of all but the first */
        if (error) {
            fprintf(stderr, "bench_cost: %s at %g: not measured: %s\n", series, at,
                    strerror(-error));
            mr_bus_disconnect(place->bus);
            remove_place(place);
            place_cnt--;
            return;
        }
    }
    must(mr_topic_open(place->bus, "t0", &place->topic) == 0, "open the topic");
    must(mr_producer_open(place->topic, NULL, &place->producer) == 0, "open a producer");
    for (unsigned g = 0; g < groups; g++) {
        char group[16];
        snprintf(group, sizeof group, "g%u", g);
        must(mr_consumer_open(place->topic, &(struct mr_consumer_options){.group = group},
                              &place->consumers[g]) == 0,
             "open a consumer");
    }
    seat(name, clients, strcmp(series, "idle producers") != 0);
    round_through(place, (unsigned)(bytes / (BATCH * LOT)) + 1);
}

int main(void)
{
    static const unsigned sizes[] = {1, 4, 16, 64, 256, 1024}, clients[] = {1, 8, 64, 256, 1000},
                          producers[] = {1, 8, 64, 250};
    static const unsigned numbers[] = {1, 2, 4, 8, 16, 32, 64}, topics[] = {1, 10, 100, 1000};
    owner = getpid();
    atexit(leave);
    bench_pin(0);
    for (unsigned i = 0; i < COUNT(clients); i++)
        add_place("idle clients", clients[i], MIB, 1, 1, 1);
    for (unsigned i = 0; i < COUNT(producers); i++)
        add_place("idle producers", producers[i], MIB, 1, 1, 1);
    for (unsigned i = 0; i < COUNT(numbers) && numbers[i] <= GROUPS_MAX; i++)
        add_place("groups", numbers[i], MIB, 1, numbers[i], 1);
    for (unsigned i = 0; i < COUNT(numbers); i++)
        add_place("partitions", numbers[i], MIB, numbers[i], 1, 1);
    for (unsigned i = 0; i < COUNT(topics); i++)
        add_place("topics", topics[i], MIB, 1, 1, topics[i]);
    for (unsigned i = 0; i < COUNT(sizes); i++)
        add_place("topic size", sizes[i], (uint64_t)sizes[i] * MIB, 1, 1, 1);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < place_cnt; i++)
            places[i].ns[round] = round_through(&places[i], TURNS);
    for (unsigned i = 0; i < place_cnt; i++)
        bench_emit("cost", places[i].series, places[i].at, "ns_per_record",
                   bench_median(places[i].ns, ROUNDS));
    return 0;
}
