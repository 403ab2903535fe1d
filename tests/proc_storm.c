/* proc_storm.c - a small storm: producers, consumers of two groups, a private one, and the broker itself are killed and replaced
 * at random for some seconds, at full speed through a small topic. Every process notes what it did in memory that all share, so
 * that at the end, and at each step, it can be said of every record whether it may be there:
 *
 *   each record that was accepted was delivered to each group                                                          (I6,
 * nothing lost) none came again after its acknowledgement, and none was taken from a consumer that was not killed and had not
 * given it back    (I6, I4) records are whole, offsets grow within each partition and claim, and the topic is in order when the
 * storm is over             (I1-I7) everyone ends within a bounded time once told to (I8)
 *
 * STORM_SECONDS and STORM_SEED in the environment make it longer, and repeat it (as far as the kernel's scheduling repeats
 * itself). */
#include "support.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define GROUPS       2
#define PRODUCERS    3
#define CONSUMERS    6    /* three a group */
#define LIVES_MAX    4000 /* processes in the course of the storm; a life's number names it */
#define RECORDS_EACH 8000 /* that one producer sends in its life */
#define BATCH_MAX    20
#define TEXT_MAX     200

enum { PRODUCER, CONSUMER, PRIVATE };

/* What is known of a record in a group: who had it last (life + 1, 0 nobody or given back), whether it was delivered and
 * acknowledged. */
#define DELIVERED 0x10000u
#define NOTED     0x20000u /* as acknowledged; missing when its consumer was killed between acknowledging and noting */
#define OWNER(n)  ((uint32_t)(n)&0xffffu)

struct chronicle {
    _Atomic uint32_t over; /* producers end after the batch at hand */
    _Atomic uint32_t killed[LIVES_MAX];
    _Atomic uint8_t accepted[LIVES_MAX * RECORDS_EACH];
    _Atomic uint32_t state[GROUPS][LIVES_MAX * RECORDS_EACH];
    _Atomic uint64_t deliveries, again; /* in both groups; those of records that a dead consumer had */
    char complaint[256];
};

struct life {
    int kind, group;
    uint32_t number;
    unsigned seed;
};

static struct chronicle *chronicle;
static char bus_name[MR_BUS_NAME_MAX + 1];

/* In a child: notes what is wrong and ends. */
#define insist(condition, ...)                                                                                                   \
    do {                                                                                                                         \
        if (!(condition)) {                                                                                                      \
            snprintf(chronicle->complaint, sizeof chronicle->complaint, __VA_ARGS__);                                            \
            _exit(1);                                                                                                            \
        }                                                                                                                        \
    } while (0)

/* ---- records ---- */

struct payload {
    uint32_t id, text_len; /* id: life * RECORDS_EACH + n */
    unsigned char text[TEXT_MAX];
};

static uint32_t build(struct payload *payload, uint32_t id)
{
    *payload = (struct payload){.id = id, .text_len = id * 2654435761u % TEXT_MAX};
    for (uint32_t i = 0; i < payload->text_len; i++)
        payload->text[i] = (unsigned char)(id >> i % 8);
    return (uint32_t)offsetof(struct payload, text) + payload->text_len;
}

static uint32_t id_of(const struct mr_record *r)
{
    struct payload payload;
    uint32_t id;
    insist(r->value_len >= 8, "a record of %u bytes", r->value_len);
    memcpy(&id, r->value, sizeof id);
    insist(id < LIVES_MAX * RECORDS_EACH && build(&payload, id) == r->value_len && memcmp(&payload, r->value, r->value_len) == 0,
           "record %u at offset %llu is not whole", id, (unsigned long long)r->offset);
    return id;
}

/* ---- what children do ---- */

static struct mr_topic *attach(void)
{
    struct mr_bus *mine;
    struct mr_topic *found;
    int error = mr_connect(bus_name, &(struct mr_connect_options){.name = "storm"}, &mine);
    insist(error == 0, "connect: %s", strerror(-error));
    error = mr_topic_open(mine, "t", &found);
    insist(error == 0, "open: %s", strerror(-error));
    return found;
}

static int produce(struct life *life)
{
    struct payload payloads[BATCH_MAX];
    struct mr_producer *producer;
    struct mr_topic *topic = attach();
    int error = mr_producer_open(topic, NULL, &producer);
    insist(error == 0, "producer: %s", strerror(-error));
    for (uint32_t n = 0; n < RECORDS_EACH && !chronicle->over;) {
        struct mr_message msgs[BATCH_MAX];
        uint32_t cnt = 1 + (uint32_t)rand_r(&life->seed) % BATCH_MAX, first = life->number * RECORDS_EACH + n;
        if (cnt > RECORDS_EACH - n)
            cnt = RECORDS_EACH - n;
        int32_t partition = rand_r(&life->seed) % 3 - 1; /* MR_ANY among them */
        for (uint32_t i = 0; i < cnt; i++)
            msgs[i] =
                (struct mr_message){.value = &payloads[i], .value_len = build(&payloads[i], first + i), .partition = partition};
        ssize_t sent = mr_append(producer, msgs, cnt, -1);
        insist(sent == (ssize_t)cnt, "append: %zd of %u", sent, cnt);
        for (uint32_t i = 0; i < cnt; i++)
            chronicle->accepted[first + i] = 1;
        n += cnt;
    }
    mr_producer_close(producer);
    return 0;
}

static void note_delivery(const struct life *life, uint32_t id)
{
    uint32_t before = atomic_exchange(&chronicle->state[life->group][id], DELIVERED | OWNER(life->number + 1));
    uint32_t owner = OWNER(before);
    insist(!(before & NOTED), "group %d: record %u came again after it was acknowledged", life->group, id);
    insist(!owner || chronicle->killed[owner - 1], "group %d: record %u was taken from one that lives", life->group, id);
    atomic_fetch_add(&chronicle->deliveries, 1);
    if (owner)
        atomic_fetch_add(&chronicle->again, 1);
}

/* One claim, acknowledged in one or several steps, and now and then given back in between. */
static void take_claim(struct life *life, struct mr_consumer *consumer, uint64_t *last)
{
    uint32_t ids[1000], n = 0;
    struct mr_record r;
    int got, give_back = rand_r(&life->seed) % 10 == 0;
    while ((got = mr_next(consumer, &r)) > 0) {
        ids[n++] = id_of(&r);
        insist(last[0] != r.partition || last[1] == UINT64_MAX || r.offset == last[1] + 1, "offset %llu after %llu in one claim",
               (unsigned long long)r.offset, (unsigned long long)last[1]);
        last[0] = r.partition;
        last[1] = r.offset;
        if (life->kind == CONSUMER)
            note_delivery(life, ids[n - 1]);
        if (rand_r(&life->seed) % 50 == 0) {
            if (give_back)
                break;
            int error = mr_ack(consumer);
            insist(error == 0, "acknowledge: %s", strerror(-error));
            for (uint32_t i = 0; i < n && life->kind == CONSUMER; i++)
                atomic_fetch_or(&chronicle->state[life->group][ids[i]], NOTED);
            n = 0;
        }
    }
    insist(got >= 0, "next: %s", strerror(-got));
    for (uint32_t i = 0; i < n && life->kind == CONSUMER; i++)
        atomic_fetch_and(&chronicle->state[life->group][ids[i]], ~(give_back ? OWNER(~0u) : 0));
    int error = give_back ? mr_give_back(consumer) : mr_ack(consumer);
    insist(error == 0, "%s: %s", give_back ? "give back" : "acknowledge", strerror(-error));
    for (uint32_t i = 0; i < n && life->kind == CONSUMER && !give_back; i++)
        atomic_fetch_or(&chronicle->state[life->group][ids[i]], NOTED);
}

static int consume(struct life *life)
{
    static const char *const groups[GROUPS] = {"a", "b"};
    struct mr_consumer_options options = {.group = groups[life->group], .flags = life->kind == PRIVATE ? MR_PRIVATE : 0};
    struct mr_consumer *consumer;
    struct mr_topic *topic = attach();
    int error = mr_consumer_open(topic, &options, &consumer);
    insist(error == 0, "consumer: %s", strerror(-error));
    for (;;) {
        uint64_t last[2] = {0, UINT64_MAX}; /* partition and offset within the claim */
        ssize_t n = mr_claim(consumer, 1 + (size_t)rand_r(&life->seed) % 300, -1);
        if (n == -ENODATA)
            break;
        insist(n > 0, "claim: %s", strerror((int)-n));
        take_claim(life, consumer, last);
    }
    mr_consumer_close(consumer);
    return 0;
}

static int live(void *arg)
{
    struct life *life = arg;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever becomes of the test */
    return life->kind == PRODUCER ? produce(life) : consume(life);
}

/* ---- the storm ---- */

struct process {
    pid_t pid;
    struct life life;
};

static uint32_t lives;
static unsigned seed;
static pid_t broker;

static void start(struct process *process)
{
    ck_assert_uint_lt(lives, LIVES_MAX);
    process->life.number = lives++;
    process->life.seed = (unsigned)rand_r(&seed);
    process->pid = child(live, &process->life);
}

static void start_broker(void)
{
    const char *bin = getenv("MILLRACE_BIN");
    char path[4096];
    int ready[2];
    snprintf(path, sizeof path, "%s/broker", bin ? bin : "bin");
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    broker = fork();
    ck_assert_int_ge(broker, 0);
    if (broker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ready[1], 3);
        execl(path, path, "-q", "-b", bus_name, "--ready-fd", "3", (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    ck_assert_msg(said(ready[0]) == 'R', "%s did not start", path);
    close(ready[0]);
}

static void kill_process(struct process *process)
{
    chronicle->killed[process->life.number] = 1;
    ck_assert_int_eq(kill(process->pid, SIGKILL), 0);
    int status = ended(process->pid);
    /* A producer may just have ended by itself. */
    ck_assert_msg(status == -SIGKILL || status == 0, "exit status %d: %s", status, chronicle->complaint);
}

/* Whoever ended by itself: a producer, when it has sent everything. */
static void replace_ended(struct process *process)
{
    int status;
    if (waitpid(process->pid, &status, WNOHANG) != process->pid)
        return;
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x: %s", (unsigned)status, chronicle->complaint);
    ck_assert_int_eq(process->life.kind, PRODUCER);
    start(process);
}

START_TEST(killed_at_random_nothing_is_lost_and_nothing_comes_twice_that_need_not)
{
    const char *wanted = getenv("STORM_SEED"), *length = getenv("STORM_SECONDS");
    struct process processes[PRODUCERS + CONSUMERS + 1];
    const int cnt = PRODUCERS + CONSUMERS + 1;
    struct mr_topic *topic;
    uint32_t kills = 0, brokers = 1;
    seed = wanted ? (unsigned)atoi(wanted) : (unsigned)getpid();
    printf("STORM_SEED=%u\n", seed);
    void *at = mmap(NULL, sizeof *chronicle, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    chronicle = at;
    snprintf(bus_name, sizeof bus_name, "%s", bus_new_name());
    start_broker();
    ck_assert_int_eq(mr_connect(bus_name, NULL, &bus), 0);
    struct mr_settings settings = {.size_bytes = 65536, .partitions = 2, .tries = 1000};
    ck_assert_int_eq(mr_topic_create(bus, "t", &settings, 0), 0);
    ck_assert_int_eq(mr_topic_open(bus, "t", &topic), 0);
    /* Both groups are there before the first record: what is acknowledged by all is not kept for latecomers. */
    for (int i = 0; i < cnt; i++) {
        processes[i].life.kind = i < PRODUCERS ? PRODUCER : i < cnt - 1 ? CONSUMER : PRIVATE;
        processes[i].life.group = i < cnt - 1 ? i % GROUPS : 0;
    }
    mr_consumer_close(consumer_with(topic, (struct mr_consumer_options){.group = "a"}));
    mr_consumer_close(consumer_with(topic, (struct mr_consumer_options){.group = "b"}));
    for (int i = 0; i < cnt; i++)
        start(&processes[i]);

    uint64_t until = mr_now_ns() + (uint64_t)(length ? atoi(length) : 8) * SECOND;
    while (mr_now_ns() < until && lives < LIVES_MAX - 100) {
        usleep((useconds_t)(rand_r(&seed) % 20000)); /* sleep:ok the next blow falls at any time */
        for (int i = 0; i < cnt; i++)
            replace_ended(&processes[i]);
        int victim = rand_r(&seed) % (cnt + 1);
        if (victim == cnt) {
            killed(broker);
            brokers++;
            if (rand_r(&seed) % 2)
                usleep((useconds_t)(rand_r(&seed) % 100000)); /* sleep:ok so long there is none */
            start_broker();
            continue;
        }
        kill_process(&processes[victim]);
        start(&processes[victim]);
        kills++;
    }

    chronicle->over = 1;
    for (int i = 0; i < PRODUCERS; i++) {
        int status = ended(processes[i].pid);
        ck_assert_msg(status == 0, "a producer ended with %d: %s", status, chronicle->complaint);
    }
    ck_assert_int_eq(mr_topic_seal(topic), 0);
    for (int i = PRODUCERS; i < cnt; i++) {
        int status = ended(processes[i].pid);
        ck_assert_msg(status == 0, "a consumer ended with %d: %s", status, chronicle->complaint);
    }

    uint64_t accepted = 0, lost = 0, unnoted = 0;
    for (uint32_t id = 0; id < lives * RECORDS_EACH; id++) {
        accepted += chronicle->accepted[id];
        for (int g = 0; g < GROUPS; g++) {
            uint32_t state = chronicle->state[g][id];
            lost += chronicle->accepted[id] && !(state & DELIVERED);
            /* Not noted as acknowledged: only what a killed consumer had. */
            if ((state & DELIVERED) && !(state & NOTED)) {
                ck_assert_msg(OWNER(state) && chronicle->killed[OWNER(state) - 1], "group %d: record %u was not acknowledged", g,
                              id);
                unnoted++;
            }
        }
    }
    struct mr_topic_info info;
    ck_assert_int_eq(mr_topic_info(topic, &info), 0);
    printf("%llu records accepted, %llu deliveries, %llu of them again; %u kills of %u processes, %u brokers; %llu not noted; %llu locks repaired, "
           "%llu changes completed\n",
           (unsigned long long)accepted, (unsigned long long)chronicle->deliveries, (unsigned long long)chronicle->again, kills,
           lives, brokers, (unsigned long long)unnoted, (unsigned long long)info.repairs, (unsigned long long)info.replays);
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_gt(accepted, 1000);
    mr_topic_reap_dead(topic);
    check_invariants(topic);
    struct mr_group_info group;
    ck_assert_int_eq(mr_topic_info(topic, &info), 0);
    ck_assert_uint_eq(info.producers + info.members, 0);
    ck_assert_uint_eq(info.groups, GROUPS); /* no private one is left */
    ck_assert_uint_ge(info.records_in, accepted);
    for (uint32_t g = 0; mr_group_info(topic, g, &group) >= 0; g++)
        if (*group.name)
            ck_assert_uint_eq(group.lag, 0);

    ck_assert_int_eq(kill(broker, SIGTERM), 0);
    mr_topic_close(topic);
    ck_assert_int_eq(ended(broker), 0);
    mr_disconnect(bus);
    bus = NULL;
    munmap(chronicle, sizeof *chronicle);
}
END_TEST

int main(void)
{
    const char *length = getenv("STORM_SECONDS");
    Suite *suite = suite_create("storm");
    TCase *tcase = tcase_create("storm"); /* the bus is the broker's here, not the fixture's */
    tcase_set_timeout(tcase, 120 + (length ? atoi(length) : 0));
    tcase_add_test(tcase, killed_at_random_nothing_is_lost_and_nothing_comes_twice_that_need_not);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
