/* proc_into.c - consumer --into, killed at the very moment when a result has become visible: it is
 * there once.
 *
 * Both run on one CPU, so that the process that waits for results is woken inside the call that
 * appends them, before what they were made of is acknowledged. Kills at random moments, which
 * hardly ever hit that one, are in e2e_into.sh; after every instruction, in tests/crash. */
#include "tests/shared/support.h"

#include <sched.h>

#define RECORDS 400u
#define KILLS   60u

static struct mr_topic *work, *results;

static void setup(void)
{
    work = topic_make("work", (struct mr_settings){.size_bytes = 65536, .tries = 1000});
    results = topic_make("results", (struct mr_settings){.size_bytes = 65536});
}

static pid_t start_consumer(void)
{
    const char *bin = getenv("MILLRACE_BIN");
    char path[4096];
    snprintf(path, sizeof path, "%s/consumer", bin ? bin : "bin");
    pid_t pid = fork();
    if (pid == 0) {
        execl(path, "consumer", "-q", "-e", "-b", mr_bus_name(bus), "--into", "results", "work",
              "--", "cat", (char *)NULL);
        _exit(127);
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

/* Takes what has come, waiting for the first. Returns how many. */
static unsigned take_results(struct mr_consumer *reader, unsigned char *seen, int64_t timeout_ns)
{
    struct mr_record record;
    unsigned cnt = 0;
    if (mr_consumer_claim(reader, 0, timeout_ns) <= 0)
        return 0;
    for (; mr_consumer_next(reader, &record) > 0; cnt++) {
        char text[16] = "";
        ck_assert_uint_lt(record.value_len, sizeof text);
        memcpy(text, record.value, record.value_len);
        unsigned long number = strtoul(text, NULL, 10);
        ck_assert_uint_lt(number, RECORDS);
        seen[number]++;
    }
    ck_assert_int_eq(mr_consumer_ack(reader), 0);
    return cnt;
}

START_TEST(result_of_a_killed_consumer_is_there_once)
{
    cpu_set_t all, one;
    static unsigned char seen[RECORDS];
    struct mr_producer *producer = producer_on(work);
    struct mr_consumer *reader = consumer_with(results, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, RECORDS);
    mr_producer_close(producer);
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    for (unsigned i = 0; i < KILLS; i++) {
        pid_t pid = start_consumer();
        mr_consumer_claim(reader, 0, HUNG_NS); /* the first result of this one is visible: */
        kill(pid, SIGKILL);
        ended(pid);
        ck_assert_uint_gt(take_results(reader, seen, 0), 0);
        take_results(reader, seen, 0);
    }
    sched_setaffinity(0, sizeof all, &all);
    ck_assert_int_eq(ended(start_consumer()), 0);
    while (take_results(reader, seen, 0) > 0)
        ;
    for (unsigned i = 0; i < RECORDS; i++)
        ck_assert_msg(seen[i] == 1, "the result of record %u is there %u times", i,
                      (unsigned)seen[i]);
    mr_consumer_close(reader);
    check_invariants(work);
    check_invariants(results);
    mr_topic_close(work);
    mr_topic_close(results);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("into");
    TCase *tests = test_case(suite, "into");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, result_of_a_killed_consumer_is_there_once);
    return test_main(suite);
}
