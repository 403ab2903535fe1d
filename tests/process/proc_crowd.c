/* proc_crowd.c - a serving broker and many processes: a thousand attach, the table of clients is
 * filled to its last place, and all die at once. And what a consumer prints of a record whose time
 * is yet to come. */
#include "tests/shared/support.h"

static void program(char path[static 512], const char *name)
{
    const char *bin = getenv("MILLRACE_BIN");
    snprintf(path, 512, "%s/%s", bin ? bin : "bin", name);
}

static pid_t start_broker(const char *name)
{
    int ready[2];
    char path[512], fd[16];
    program(path, "broker");
    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        snprintf(fd, sizeof fd, "%d", ready[1]);
        close(ready[0]);
        execl(path, "broker", "-q", "-b", name, "-t", "t,size=64k", "--ready-fd", fd, (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    ck_assert_int_eq(said(ready[0]), 'R');
    close(ready[0]);
    return pid;
}

START_TEST(record_from_the_future_has_no_negative_age)
{
    char path[512], command[800], line[64];
    struct mr_bus *mine;
    struct mr_topic *t;
    const char *name = bus_new_name();
    pid_t broker = start_broker(name);
    ck_assert_int_eq(mr_bus_connect(name, NULL, &mine), 0);
    ck_assert_int_eq(mr_topic_open(mine, "t", &t), 0);
    struct mr_producer *producer = producer_on(t);
    struct mr_message msg = {.value = "x",
                             .value_len = 1,
                             .partition = MR_PARTITION(0),
                             .ts_ns = mr_wall_ns() + (uint64_t)365 * 24 * 3600 * SECOND};
    ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
    mr_producer_close(producer);
    mr_topic_close(t);
    mr_bus_disconnect(mine);
    program(path, "consumer");
    snprintf(command, sizeof command, "%s -b %s -e -f '%%a\\n' t 2>&1", path, name);
    FILE *said_by = popen(command, "r"); /* NOLINT(cert-env33-c) */
    ck_assert_ptr_nonnull(fgets(line, sizeof line, said_by));
    ck_assert_str_eq(line, "0.000000\n");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, said_by));
    ck_assert_ptr_nonnull(strstr(line, "consumer: 1 record"));
    ck_assert_int_eq(pclose(said_by), 0);
    ck_assert_int_eq(kill(broker, SIGTERM), 0);
    ck_assert_int_eq(ended(broker), 0);
}
END_TEST

/* ---- a thousand processes ---- */

#ifdef MR_TSAN
#define CROWD 200
#else
#define CROWD 1000
#endif
#define ATTACHED 200 /* of them a producer each, and as many a consumer */

struct member {
    const char *bus;
    int number, fd;
};

/* One of the crowd: two connections, and something on the topic. */
static int is_there(void *arg)
{
    const struct member *me = arg;
    struct mr_bus *mine, *more;
    struct mr_topic *t;
    struct mr_producer *producer;
    struct mr_consumer *consumer;
    char ok = mr_bus_connect(me->bus, NULL, &mine) == 0 &&
              mr_bus_connect(me->bus, NULL, &more) == 0 && mr_topic_open(mine, "t", &t) == 0;
    if (ok && me->number < ATTACHED)
        ok = mr_producer_open(t, NULL, &producer) == 0;
    else if (ok && me->number < 2 * ATTACHED)
        ok = mr_consumer_open(t, NULL, &consumer) == 0;
    if (write(me->fd, ok ? "y" : "n", 1) != 1)
        return 1;
    for (;;)
        pause();
}

static uint32_t slots_taken(const struct mr_bus *of)
{
    uint32_t n = 0;
    for (uint32_t slot = 0; slot < mr_bus_slots(of); slot++)
        n += mr_client_id(of, slot, NULL) != 0;
    return n;
}

START_TEST(thousand_processes_attach_and_the_broker_notices_when_all_die_at_once)
{
    static pid_t pids[CROWD];
    static struct mr_bus *mine[MR_CLIENTS_MAX];
    char name[MR_BUS_NAME_MAX + 1];
    int fds[2];
    strcpy(name, bus_new_name());
    pid_t broker = start_broker(name);
    struct mr_bus *observer, *refused = NULL;
    struct mr_topic *t;
    struct mr_topic_info info = {0};
    ck_assert_int_eq(
        mr_bus_connect(name, &(struct mr_connect_options){.flags = MR_OBSERVER}, &observer), 0);
    ck_assert_int_eq(mr_topic_open(observer, "t", &t), 0);
    ck_assert_int_eq(pipe(fds), 0);
    for (int i = 0; i < CROWD; i++)
        pids[i] = child(is_there, &(struct member){.bus = name, .number = i, .fd = fds[1]});
    int answers = 0;
    for (int i = 0; i < CROWD; i++)
        answers += said(fds[0]) == 'y';

    /* What is left of the table, by ourselves: the 2,047th is in, the broker among them; the next
     * is refused. */
    uint32_t n = 0;
    int error;
    while (n < MR_CLIENTS_MAX && !(error = mr_bus_connect(name, NULL, &mine[n])))
        n++;
    uint32_t taken = slots_taken(observer), producers, members;
    int info_error = mr_topic_info(t, &info);
    producers = info.producers;
    members = info.members;
    while (n--)
        mr_bus_disconnect(mine[n]);
    int there = mr_bus_connect(name, NULL, &refused); /* one place is free again */
    mr_bus_disconnect(refused);

    for (int i = 0; i < CROWD; i++)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < CROWD; i++)
        ended(pids[i]);
    for (int looks = 0; slots_taken(observer) > 1 && looks < LOOKS; looks++)
        look_pause();

    ck_assert_int_eq(answers, CROWD);
    ck_assert_uint_eq(taken, MR_CLIENTS_MAX);
    ck_assert_int_eq(error, -EUSERS);
    ck_assert_int_eq(there, 0);
    ck_assert_int_eq(info_error, 0);
    ck_assert_uint_eq(producers, CROWD < ATTACHED ? CROWD : ATTACHED);
    ck_assert_uint_eq(members, CROWD < 2 * ATTACHED ? 0 : ATTACHED);
    ck_assert_uint_eq(slots_taken(observer), 1);
    ck_assert_int_eq(mr_topic_info(t, &info), 0);
    ck_assert_uint_eq(info.producers, 0);
    ck_assert_uint_eq(info.producers_died, producers);
    ck_assert_uint_eq(info.members, 0);
    mr_topic_close(t);
    mr_bus_disconnect(observer);
    ck_assert_int_eq(kill(broker, SIGTERM), 0);
    ck_assert_int_eq(ended(broker), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crowd");
    TCase *tcase = tcase_create("crowd"); /* without the bus of the fixture: there is a broker */
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, record_from_the_future_has_no_negative_age);
    tcase_add_test(tcase, thousand_processes_attach_and_the_broker_notices_when_all_die_at_once);
    return test_main(suite);
}
