/* proc_storm.c - a small storm: producers, consumers of several groups, and the broker itself are
 * killed and replaced at random for some seconds, at full speed through a small topic, often a tiny
 * one, in more lives than a topic has slots. Others join private groups and leave them, all the
 * time; move a group to somewhere else; make dead letters, which `broker redrive` sends back; and
 * `broker clean` runs while no broker does. Every process notes what it did in memory that all
 * share, so that at the end, and at each step, it can be said of every record whether it may be
 * there:
 *
 *   each record that was accepted was delivered to each group                       (I6, nothing
 * lost) none came again after its acknowledgement, and none was taken from a consumer that was not
 * killed and had not given it back                                                           (I6,
 * I4) a group that was moved goes on where it was moved to, and skips nothing         (I6) a record
 * that failed is acknowledged once in the end, after it was sent back    (I9) records are whole,
 * offsets grow within each partition and claim, and the topic is in order when the storm is over
 * (I1-I7) everyone ends within a bounded time once told to; no private group is left      (I8, I10)
 *
 * STORM_SECONDS and STORM_SEED in the environment make it longer, and repeat it (as far as the
 * kernel's scheduling repeats itself). */
#include "storm_lives.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* Who is there all the time: replaced when it was killed, or has ended. */
static const struct {
    enum kind kind;
    int group;
} parts[] = {{PRODUCER, 0}, {PRODUCER, 0}, {PRODUCER, 0}, {CONSUMER, 0},
             {CONSUMER, 1}, {CONSUMER, 0}, {CONSUMER, 1}, {CONSUMER, 0},
             {CONSUMER, 1}, {PRIVATE, 0},  {JOINER, 0},   {JOINER, 0},
             {MOVER, 0},    {SENDER, 2},   {FAILER, 2},   {FAILER, 2}};
#define PARTS (sizeof parts / sizeof parts[0])

/* ---- the storm ---- */

struct process {
    pid_t pid; /* 0: ended, and not replaced */
    struct life life;
};

static struct process processes[PARTS];
static uint8_t kinds[LIVES_MAX];
static uint32_t lives, kills, brokers, cleans, redrives;
static unsigned seed;
static pid_t broker;
static struct mr_topic *topic, *failing, *letters;
/* one a topic: while all others are dead, it is still in use */
static struct mr_producer *keepers[3];

static void start(struct process *process)
{
    ck_assert_uint_lt(lives, LIVES_MAX);
    kinds[lives] = (uint8_t)process->life.kind;
    process->life.number = lives++;
    process->life.seed = (unsigned)rand_r(&seed);
    process->pid = child(storm_live, &process->life);
}

static pid_t run_broker(const char *a, const char *b)
{
    const char *bin = getenv("MILLRACE_BIN");
    char path[4096];
    snprintf(path, sizeof path, "%s/broker", bin ? bin : "bin");
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (strcmp(a, "clean") == 0)
            dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO); /* its table */
        execl(path, path, "-q", "-b", storm_bus_name, a, b, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void start_broker(void)
{
    int ready[2];
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    ck_assert_int_eq(dup3(ready[1], 100, 0),
                     100); /* also in those that are started meanwhile: none is */
    broker = run_broker("--ready-fd", "100");
    close(100);
    close(ready[1]);
    ck_assert_msg(said(ready[0]) == 'R', "the broker did not start");
    close(ready[0]);
    brokers++;
}

/* A command of the broker, as it is run by the way: to its end, or until it is killed. */
static void run_command(const char *name, const char *operand)
{
    pid_t pid = run_broker(name, operand);
    if (rand_r(&seed) % 2) {
        usleep((useconds_t)(rand_r(&seed) % 5000)); /* sleep:ok it dies at any moment */
        kill(pid, SIGKILL);
    }
    int status = ended(pid);
    ck_assert_msg(status == 0 || status == -SIGKILL, "broker %s ended with %d", name, status);
}

static void kill_broker(void)
{
    killed(broker);
    if (rand_r(&seed) % 2) {
        run_command("clean", NULL); /* all is in use: nothing may go */
        cleans++;
    } else {
        usleep((useconds_t)(rand_r(&seed) % 50000)); /* sleep:ok so long there is none */
    }
    start_broker();
}

static void kill_process(struct process *process)
{
    chronicle->killed[process->life.number] = 1;
    ck_assert_int_eq(kill(process->pid, SIGKILL), 0);
    int status = ended(process->pid);
    /* One that sends, or moves a group, may just have ended by itself. */
    ck_assert_msg(status == -SIGKILL || status == 0, "exit status %d: %s", status,
                  chronicle->complaint);
    kills++;
}

/* Replaces a process that sends, or moves a group, if it has ended by itself. Returns 1 if it has
 * ended. */
static int replace_ended(struct process *process, int replace)
{
    int status;
    if (process->pid == 0 || waitpid(process->pid, &status, WNOHANG) != process->pid)
        return process->pid == 0;
    process->pid = 0;
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x: %s", (unsigned)status,
                  chronicle->complaint);
    ck_assert(SENDS(process->life.kind) || process->life.kind == MOVER || chronicle->over);
    if (replace)
        start(process);
    return !replace;
}

static struct mr_topic *create(const char *name, uint64_t bytes)
{
    struct mr_settings settings = {.size_bytes = bytes, .partitions = PARTITIONS, .tries = 1000};
    struct mr_topic *made;
    ck_assert_int_eq(mr_topic_create(bus, name, &settings, 0), 0);
    ck_assert_int_eq(mr_topic_open(bus, name, &made), 0);
    return made;
}

static void begin(void)
{
    const char *wanted = getenv("STORM_SEED");
    seed = wanted ? (unsigned)atoi(wanted) : (unsigned)getpid();
    printf("STORM_SEED=%u\n", seed);
    void *at = mmap(NULL, sizeof *chronicle, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    chronicle = at;
    snprintf(storm_bus_name, sizeof storm_bus_name, "%s", bus_new_name());
    start_broker();
    ck_assert_int_eq(mr_bus_connect(storm_bus_name, NULL, &bus), 0);
    topic = create("t", rand_r(&seed) % 2 ? PARTITIONS * 4096 : 65536);
    failing = create("d", PARTITIONS * 4096);
    letters = create(
        "d.dead",
        4 << 20); /* never full: who fails would wait for who sends back, and that for who fails */
    /* The groups are there before the first record: what is acknowledged by all is not kept for
     * latecomers. */
    mr_consumer_close(consumer_with(topic, (struct mr_consumer_options){.group = "a"}));
    mr_consumer_close(consumer_with(topic, (struct mr_consumer_options){.group = "b"}));
    mr_consumer_close(consumer_with(topic, (struct mr_consumer_options){.group = "r"}));
    mr_consumer_close(consumer_with(failing, (struct mr_consumer_options){.group = "f"}));
    mr_consumer_close(consumer_with(letters, (struct mr_consumer_options){.group = "redrive"}));
    ck_assert_int_eq(mr_producer_open(topic, NULL, &keepers[0]), 0);
    ck_assert_int_eq(mr_producer_open(failing, NULL, &keepers[1]), 0);
    ck_assert_int_eq(mr_producer_open(letters, NULL, &keepers[2]), 0);
    for (size_t i = 0; i < PARTS; i++) {
        processes[i].life = (struct life){.kind = parts[i].kind, .group = parts[i].group};
        start(&processes[i]);
    }
}

static void rage(uint64_t until)
{
    while (mr_now_ns() < until && lives < LIVES_MAX - 200) {
        usleep((useconds_t)(rand_r(&seed) % 16000)); /* sleep:ok the next blow falls at any time */
        for (size_t i = 0; i < PARTS; i++)
            replace_ended(&processes[i], 1);
        size_t victim = (size_t)rand_r(&seed) % (PARTS + 2);
        if (victim == PARTS) {
            kill_broker();
        } else if (victim == PARTS + 1) {
            run_command("redrive", "d");
            redrives++;
        } else {
            kill_process(&processes[victim]);
            start(&processes[victim]);
        }
    }
}

/* So many records of a group of a topic have not been acknowledged. */
static uint64_t lag_of(const struct mr_topic *of, const char *name)
{
    struct mr_group_info group = {0};
    int found;
    for (uint32_t g = 0; (found = mr_group_info(of, g, &group)) >= 0; g++)
        if (found && strcmp(group.name, name) == 0)
            return group.lag;
    ck_abort_msg("group %s is gone", name);
}

/* Those who send end, all letters go back, and the others get the rest. A mover goes on to the end
 * now. */
static void calm_down(void)
{
    chronicle->over = 1;
    for (size_t left = 1; left > 0; usleep(1000)) { /* sleep:ok it looks again */
        left = 0;
        for (size_t i = 0; i < PARTS; i++)
            if (SENDS(processes[i].life.kind))
                left += !replace_ended(&processes[i], 0);
            else if (processes[i].life.kind == MOVER)
                replace_ended(&processes[i], 1);
    }
    do {
        ck_assert_int_eq(ended(run_broker("redrive", "d")), 0);
        while (lag_of(failing, "f"))
            usleep(1000); /* sleep:ok it looks again */
    } while (lag_of(letters, "redrive"));
    ck_assert_int_eq(mr_topic_seal(topic), 0);
    ck_assert_int_eq(mr_topic_seal(failing), 0);
    for (size_t i = 0; i < PARTS; i++) {
        int status = processes[i].pid ? ended(processes[i].pid) : 0;
        ck_assert_msg(status == 0, "one of kind %d ended with %d: %s", (int)processes[i].life.kind,
                      status, chronicle->complaint);
    }
}

/* Every record that was accepted, in every group of its topic. Returns how many. */
static uint64_t settle_accounts(uint64_t *unnoted)
{
    uint64_t accepted = 0, lost = 0;
    for (uint32_t life = 0; life < lives; life++)
        for (uint32_t i = 0; SENDS(kinds[life]) && i < RECORDS_EACH; i++) {
            uint32_t id = life * RECORDS_EACH + i;
            int failable = kinds[life] == SENDER;
            accepted += chronicle->accepted[id] != 0;
            for (int g = failable ? 2 : 0; g < (failable ? 3 : 2); g++) {
                uint32_t state = chronicle->state[g][id];
                lost += chronicle->accepted[id] && !(state & DELIVERED);
                if (!(state & DELIVERED) || (state & NOTED))
                    continue;
                /* Not noted as acknowledged: only what a killed consumer had. */
                ck_assert_msg(OWNER(state) && chronicle->killed[OWNER(state) - 1],
                              "group %d: record %u was not acknowledged", g, id);
                ++*unnoted;
            }
        }
    ck_assert_uint_eq(lost, 0);
    return accepted;
}

static void check_rest(struct mr_topic *of, uint32_t groups)
{
    struct mr_topic_info info = {0};
    struct mr_group_info group = {0};
    mr_topic_reap_dead(of);
    check_invariants(of);
    ck_assert_int_eq(mr_topic_info(of, &info), 0);
    ck_assert_uint_eq(info.producers + info.members, 0);
    ck_assert_uint_eq(info.groups, groups); /* no private one is left */
    for (uint32_t g = 0; mr_group_info(of, g, &group) >= 0; g++)
        if (*group.name)
            ck_assert_uint_eq(group.lag, 0);
}

START_TEST(killed_at_random_nothing_is_lost_and_nothing_comes_twice_that_need_not)
{
    const char *length = getenv("STORM_SECONDS");
    struct mr_topic_info info = {0};
    uint64_t unnoted = 0;
    begin();
    rage(mr_now_ns() + (uint64_t)(length ? atoi(length) : 8) * SECOND);
    calm_down();
    uint64_t accepted = settle_accounts(&unnoted);
    ck_assert_int_eq(mr_topic_info(topic, &info), 0);
    printf("%llu records accepted, %llu deliveries, %llu of them again; %u kills of %u processes, "
           "%u brokers, %u cleans, "
           "%u redrives of %llu letters; %llu private groups, %llu moves; %llu not noted; %llu "
           "locks repaired, %llu changes "
           "completed\n",
           (unsigned long long)accepted, (unsigned long long)chronicle->deliveries,
           (unsigned long long)chronicle->again, kills, lives, brokers, cleans, redrives,
           (unsigned long long)chronicle->letters, (unsigned long long)chronicle->joins,
           (unsigned long long)chronicle->moves, (unsigned long long)unnoted,
           (unsigned long long)info.repairs, (unsigned long long)info.replays);
    ck_assert_uint_gt(accepted, 1000);
    ck_assert_uint_gt(chronicle->joins, MR_PRODUCERS); /* more lives than slots, of every kind */
    for (int i = 0; i < 3; i++)
        mr_producer_close(keepers[i]);
    check_rest(topic, 3);
    check_rest(failing, 1);
    check_rest(letters, 1);

    ck_assert_int_eq(kill(broker, SIGTERM), 0);
    mr_topic_close(topic);
    mr_topic_close(failing);
    mr_topic_close(letters);
    ck_assert_int_eq(ended(broker), 0);
    mr_bus_disconnect(bus);
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
