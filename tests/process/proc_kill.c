/* proc_kill.c - one process dies or is stopped at a bad moment, the others go on. What the programs
 * show of it is in e2e_kill.sh; all at once and at random is proc_storm.c; after every single
 * instruction, tests/crash. */
#include "tests/shared/support.h"

#include <sys/mman.h>
#include <sys/resource.h>

static struct mr_topic *topic;

static void setup(void)
{
    topic = topic_make("t", (struct mr_settings){.size_bytes = 8192, .partitions = 2});
}

/* ---- a producer, at any moment ---- */

/* Record number n of a partition: its number, then a length and bytes that follow from it. */
static uint32_t build(unsigned char *value, uint32_t n)
{
    uint32_t len = 4 + n * 2654435761u % 300;
    memcpy(value, &n, 4);
    for (uint32_t i = 4; i < len; i++)
        value[i] = (unsigned char)(n + i);
    return len;
}

/* Appends batches of 1 to 8 records, in turn to one partition and to the other, until it is
 * killed. */
static int produce(void *arg)
{
    const uint32_t *first = arg;
    struct mr_producer *producer;
    unsigned char values[8][304];
    uint32_t next[2] = {first[0], first[1]};
    if (mr_producer_open(topic_of_child("t"), NULL, &producer) < 0)
        return 1;
    for (unsigned round = 0;; round++) {
        struct mr_message msgs[8];
        uint32_t cnt = 1 + round % 8;
        for (uint32_t i = 0; i < cnt; i++)
            msgs[i] = (struct mr_message){.value = values[i],
                                          .value_len = build(values[i], next[round % 2]++),
                                          .partition = MR_PARTITION(round % 2)};
        if (mr_producer_append(producer, msgs, cnt, -1) != (ssize_t)cnt)
            return 1;
    }
}

/* Takes what is there, at most until a time; counts[p]: how many of partition p have come so
 * far. */
static void take_checked(struct mr_consumer *consumer, uint32_t *counts, uint64_t until_ns)
{
    unsigned char expected[304];
    struct mr_record r;
    while (mr_now_ns() < until_ns && mr_consumer_claim(consumer, 0, 0) > 0) {
        while (mr_consumer_next(consumer, &r) > 0) {
            ck_assert_uint_eq(r.value_len, build(expected, counts[r.partition]));
            ck_assert_mem_eq(r.value, expected, r.value_len);
            ck_assert_uint_eq(r.offset, counts[r.partition]++);
        }
        ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    }
}

START_TEST(producer_killed_anywhere_leaves_whole_records_and_a_usable_topic)
{
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    uint32_t counts[2] = {0};
    unsigned seed = (unsigned)getpid();
    printf("seed %u\n", seed);
    /* On a slow or busy machine, until enough has happened: then each producer is left alive for
     * longer and longer. */
    for (int round = 0; round < 200 || (counts[0] + counts[1] <= 1000 && round < 2000); round++) {
        /* From before it has attached until it has filled the topic many times over. */
        uint64_t until = mr_now_ns() +
                         (uint64_t)(rand_r(&seed) % (3000 + (round < 200 ? 0 : round * 10))) * 1000;
        pid_t pid = child(produce, counts);
        while (mr_now_ns() < until)
            take_checked(consumer, counts, until);
        killed(pid);
        take_checked(consumer, counts, UINT64_MAX); /* no lock is left, nothing hides */
        check_invariants(topic);
    }
    ck_assert_uint_gt(counts[0] + counts[1], 1000);
    mr_topic_reap_dead(topic);
    struct mr_topic_info info = {0};
    ck_assert_int_eq(mr_topic_info(topic, &info), 0);
    ck_assert_uint_eq(info.producers, 0);
    ck_assert_uint_eq(info.records_in, counts[0] + counts[1]);
    mr_consumer_close(consumer);
}
END_TEST

/* ---- a consumer with records ---- */

struct holder {
    int pipe[2];
    uint32_t flags;
    uint32_t claim;
};

/* Claims, takes one in hand, says so, and stays. */
static int hold(void *arg)
{
    const struct holder *holder = arg;
    struct mr_consumer *consumer;
    struct mr_record r;
    struct mr_consumer_options options = {.flags = holder->flags};
    if (mr_consumer_open(topic_of_child("t"), &options, &consumer) < 0 ||
        mr_consumer_claim(consumer, holder->claim, 0) <= 0 || mr_consumer_next(consumer, &r) != 1)
        return 1;
    if (write(holder->pipe[1], "h", 1) != 1)
        return 1;
    for (;;)
        pause();
}

static pid_t start_holder(struct holder *holder)
{
    ck_assert_int_eq(pipe(holder->pipe), 0);
    pid_t pid = child(hold, holder);
    ck_assert_int_eq(said(holder->pipe[0]), 'h');
    return pid;
}

/* What is there for the consumer are records first to end, without blame. */
static void gives(struct mr_consumer *consumer, uint64_t first, uint64_t end)
{
    struct mr_record r;
    while (mr_consumer_claim(consumer, 0, 0) > 0) {
        while (mr_consumer_next(consumer, &r) > 0) {
            ck_assert_uint_eq(r.offset, first++);
            ck_assert_uint_eq(r.try_number, 1);
        }
        ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    }
    ck_assert_uint_eq(first, end);
}

START_TEST(stopped_consumer_keeps_what_it_holds)
{
    struct mr_producer *producer = producer_on(topic);
    put_numbers(producer, 0, 0, 20);
    pid_t pid = start_holder(&(struct holder){.claim = 10});
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    gives(consumer, 10, 20);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, SECOND / 5), -ETIMEDOUT);

    killed(pid);
    struct mr_record r;
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, HUNG_NS), 1); /* the one in hand, alone */
    ck_assert_int_eq(mr_consumer_next(consumer, &r), 1);
    ck_assert_uint_eq(r.offset, 0);
    ck_assert_uint_eq(r.try_number, 2);
    ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    gives(consumer, 1, 10); /* the rest, without blame */
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    check_invariants(topic);
}
END_TEST

START_TEST(killed_private_consumer_holds_no_producer_up)
{
    struct mr_producer *producer = producer_on(topic);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    char value[1000];
    struct mr_message msg = {
        .value = value, .value_len = sizeof value, .partition = MR_PARTITION(0)};
    memset(value, 'v', sizeof value);
    ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
    pid_t pid = start_holder(&(struct holder){.flags = MR_PRIVATE, .claim = 1});
    ssize_t n;
    while ((n = mr_producer_append(producer, &msg, 1, 0)) == 1)
        take_all(consumer);
    ck_assert_int_eq(n, -EAGAIN);
    ck_assert_int_eq(mr_producer_append(producer, &msg, 1, SECOND / 10), -ETIMEDOUT);
    killed(pid);
    ck_assert_int_eq(mr_producer_append(producer, &msg, 1, HUNG_NS), 1);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    check_invariants(topic);
}
END_TEST

/* ---- a record that kills ---- */

struct seen {
    _Atomic uint32_t times[40];
};

/* Dies of "17". Ends when everything is taken. */
static int take_until_poisoned(void *arg)
{
    struct seen *seen = arg;
    struct mr_consumer *consumer;
    struct mr_record r;
    struct mr_consumer_options options = {.flags = MR_UNTIL_END, .window = 10};
    ssize_t n;
    if (mr_consumer_open(topic_of_child("t"), &options, &consumer) < 0)
        return 1;
    while ((n = mr_consumer_claim(consumer, 0, HUNG_NS)) > 0) {
        while (mr_consumer_next(consumer, &r) > 0) {
            if (r.value_len == 2 && memcmp(r.value, "17", 2) == 0) {
                signal(SIGABRT, SIG_DFL);
                abort();
            }
            /* Each by itself, so that what is not the poison comes once. */
            if (mr_consumer_ack(consumer) < 0)
                return 1;
            atomic_fetch_add(&seen->times[r.offset], 1);
        }
    }
    return n == -ENODATA ? 0 : 1;
}

START_TEST(record_that_kills_three_times_is_put_aside_and_the_rest_goes_on)
{
    struct seen *seen =
        mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(seen, MAP_FAILED);
    struct mr_settings settings = {
        .size_bytes = 4096, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    ck_assert_int_eq(mr_topic_create_segment(bus, "t.dead", &settings), 0);
    struct mr_producer *producer = producer_on(topic);
    put_numbers(producer, 0, 0, 40);
    for (int death = 0; death < 3; death++)
        ck_assert_int_eq(ended(child(take_until_poisoned, seen)), -SIGABRT);
    ck_assert_int_eq(ended(child(take_until_poisoned, seen)), 0);
    for (unsigned n = 0; n < 40; n++)
        ck_assert_uint_eq(seen->times[n], n != 17);

    struct mr_topic *letters;
    ck_assert_int_eq(mr_topic_open(bus, "t.dead", &letters), 0);
    struct mr_consumer *consumer = consumer_with(letters, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 1);
    next_is(consumer, "17");
    ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), -ETIMEDOUT);
    struct mr_group_info group = {0};
    ck_assert_int_eq(mr_group_info(topic, 0, &group), 1);
    ck_assert_uint_eq(group.dead_lettered, 1);
    ck_assert_uint_eq(group.lag, 0);
    check_invariants(topic);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    mr_topic_close(letters);
    munmap(seen, sizeof *seen);
}
END_TEST

/* ---- attaching ---- */

/* How long it takes is measured by bench_start; here, that it does not grow with the topic: few of
 * 4,096 pages are touched. */
START_TEST(attaching_touches_few_pages)
{
    struct mr_settings settings = {
        .size_bytes = 16 << 20, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    ck_assert_int_eq(mr_topic_create_segment(bus, "large", &settings), 0);
    for (int i = 0; i < 5; i++) {
        struct mr_bus *mine;
        struct mr_topic *large;
        struct rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), NULL, &mine), 0);
        ck_assert_int_eq(mr_topic_open(mine, "large", &large), 0);
        struct mr_consumer *consumer = consumer_with(large, (struct mr_consumer_options){0});
        getrusage(RUSAGE_SELF, &after);
        ck_assert_int_lt(after.ru_minflt - before.ru_minflt, 1000);
        mr_consumer_close(consumer);
        mr_topic_close(large);
        mr_bus_disconnect(mine);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kill");
    TCase *tcase = test_case(suite, "kill");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, producer_killed_anywhere_leaves_whole_records_and_a_usable_topic);
    tcase_add_test(tcase, stopped_consumer_keeps_what_it_holds);
    tcase_add_test(tcase, killed_private_consumer_holds_no_producer_up);
    tcase_add_test(tcase, record_that_kills_three_times_is_put_aside_and_the_rest_goes_on);
    tcase_add_test(tcase, attaching_touches_few_pages);
    return test_main(suite);
}
