/* proc_api.c - what the library does with a broker: it starts one, and has topics made. */
#include "tests/shared/support.h"

#include <fcntl.h>
#include <pthread.h>

static char name[MR_BUS_NAME_MAX + 1], program[4096];
static int lifeline[2]; /* its write end is not closed on exec: who has it, has our descriptors */

static struct mr_broker_options own(void)
{
    return (struct mr_broker_options){.program = program};
}

static void setup(void)
{
    const char *bin = getenv("MILLRACE_BIN");
    snprintf(program, sizeof program, "%s/broker", bin ? bin : "bin");
    snprintf(name, sizeof name, "%s", bus_new_name());
    ck_assert_int_eq(pipe(lifeline), 0);
    ck_assert_int_eq(fcntl(lifeline[0], F_SETFL, O_NONBLOCK), 0);
}

static int tool(const char *command)
{
    char line[8192];
    snprintf(line, sizeof line, "'%s' -q -b %s %s >/dev/null 2>&1", program, name, command);
    return system(line); /* NOLINT(cert-env33-c) */
}

static void teardown(void)
{
    tool("stop");
    tool("clean --all");
    bus = NULL;
    bus_teardown();
}

START_TEST(broker_is_started_once_and_outlives_who_started_it)
{
    struct mr_broker_options options = own();
    struct mr_bus *client;
    ck_assert_int_eq(mr_bus_connect(name, NULL, &client), -ENOENT);
    ck_assert_int_eq(mr_broker_start(name, &options, HUNG_NS), 1);
    ck_assert_int_eq(mr_broker_start(name, &options, HUNG_NS), 0);
    ck_assert_int_eq(mr_bus_connect(name, NULL, &client), 0);
    ck_assert_int_gt(mr_broker_pid(client), 0);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* it is no child of ours, and none is left */
    char byte;
    close(lifeline[1]);
    ck_assert_int_eq(read(lifeline[0], &byte, 1), 0); /* nor has it a descriptor of ours */
    mr_bus_disconnect(client);
}
END_TEST

static void *starts(void *arg)
{
    struct mr_broker_options options = own();
    *(int *)arg = mr_broker_start(name, &options, HUNG_NS);
    return NULL;
}

START_TEST(of_several_that_start_a_broker_one_does)
{
    enum { N = 8 };
    pthread_t threads[N];
    int results[N], started = 0;
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, starts, &results[i]), 0);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_ge(results[i], 0);
        started += results[i];
    }
    ck_assert_int_eq(started, 1);
}
END_TEST

START_TEST(program_that_ignores_its_children_can_start_a_broker)
{
    signal(SIGCHLD, SIG_IGN);
    setenv("MILLRACE_BROKER", program, 1);
    ck_assert_int_eq(mr_broker_start(name, NULL, HUNG_NS), 1);
    signal(SIGCHLD, SIG_DFL);
}
END_TEST

START_TEST(broker_that_does_not_come_is_an_error)
{
    static const char *const wrong[] = {"--no-such-option", NULL};
    struct mr_broker_options options = own();
    options.args = wrong;
    ck_assert_int_eq(mr_broker_start(name, &options, HUNG_NS), -ECONNREFUSED);
    options = (struct mr_broker_options){.program = "/nonexistent/broker"};
    ck_assert_int_eq(mr_broker_start(name, &options, HUNG_NS), -ENOENT);
    ck_assert_int_eq(mr_broker_start("a/b/c", &options, 0), -EINVAL);
    ck_assert_int_eq(mr_broker_start(geteuid() ? "root/x" : "1/x", &options, 0), -EPERM);
    char script[4096];
    const char *folder = getenv("TMPDIR");
    snprintf(script, sizeof script, "%s/%s", folder ? folder : "/tmp", name);
    int fd = open(script, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(dprintf(fd, "#!/bin/sh\nexec sleep 600\n"), 0);
    close(fd);
    options = (struct mr_broker_options){.program = script};
    ck_assert_int_eq(mr_broker_start(name, &options, 100000000), -ETIMEDOUT); /* it never serves */
    unlink(script);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(arguments_reach_the_broker_and_a_topic_is_made_once)
{
    static const char *const args[] = {"--size", "64K", NULL};
    struct mr_broker_options options = own();
    options.args = args;
    ck_assert_int_eq(mr_broker_start(name, &options, HUNG_NS), 1);
    struct mr_bus *client;
    struct mr_topic *topic, *again;
    struct mr_settings wanted = {.partitions = 3}, settings = {0};
    ck_assert_int_eq(mr_bus_connect(name, NULL, &client), 0);
    ck_assert_int_eq(mr_topic_ensure(client, "t", &wanted, &topic), 1);
    mr_topic_settings(topic, &settings);
    ck_assert_uint_eq(settings.partitions, 3);
    ck_assert_uint_eq(settings.size_bytes, 65536);
    ck_assert_int_eq(mr_topic_ensure(client, "t", NULL, &again), 0);
    ck_assert_ptr_eq(topic, again);
    mr_topic_close(again);
    mr_topic_close(topic);
    mr_bus_disconnect(client);
}
END_TEST

static struct mr_bus *shared;

static void *ensures(void *arg)
{
    struct mr_topic *topic;
    int *made = arg;
    for (int i = 0; i < 20; i++) {
        char text[16];
        snprintf(text, sizeof text, "t%d", i);
        int got = mr_topic_ensure(shared, text, NULL, &topic);
        if (got < 0) {
            *made = got;
            return NULL;
        }
        *made += got;
        mr_topic_close(topic);
    }
    return NULL;
}

START_TEST(of_several_that_ensure_a_topic_one_makes_it)
{
    enum { N = 4 };
    struct mr_broker_options options = own();
    pthread_t threads[N];
    int made[N] = {0}, sum = 0;
    ck_assert_int_eq(mr_broker_start(name, &options, HUNG_NS), 1);
    ck_assert_int_eq(mr_bus_connect(name, NULL, &shared), 0);
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ensures, &made[i]), 0);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_ge(made[i], 0);
        sum += made[i];
    }
    ck_assert_int_eq(sum, 20);
    mr_bus_disconnect(shared);
}
END_TEST

START_TEST(broker_that_makes_no_topics_by_itself_says_so)
{
    static const char *const args[] = {"--no-auto-create", NULL};
    struct mr_broker_options options = own();
    struct mr_bus *client;
    struct mr_topic *topic;
    options.args = args;
    ck_assert_int_eq(mr_broker_start(name, &options, HUNG_NS), 1);
    ck_assert_int_eq(mr_bus_connect(name, NULL, &client), 0);
    ck_assert_int_eq(mr_topic_ensure(client, "t", NULL, &topic), -EACCES);
    mr_bus_disconnect(client);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api with a broker");
    TCase *tcase = tcase_create("broker");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, broker_is_started_once_and_outlives_who_started_it);
    tcase_add_test(tcase, of_several_that_start_a_broker_one_does);
    tcase_add_test(tcase, program_that_ignores_its_children_can_start_a_broker);
    tcase_add_test(tcase, broker_that_does_not_come_is_an_error);
    tcase_add_test(tcase, arguments_reach_the_broker_and_a_topic_is_made_once);
    tcase_add_test(tcase, of_several_that_ensure_a_topic_one_makes_it);
    tcase_add_test(tcase, broker_that_makes_no_topics_by_itself_says_so);
    return test_main(suite);
}
