/* proc_blind.c - a process that cannot look decides nothing (I13): system calls that fail, or kill,
 * by a seccomp filter in a child. What such a child finds must be an error, never "dead", "none",
 * "empty" or "done". */
#include "tests/shared/support.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* From now on system call nr, if its second argument is `second` (-1: whatever it is), ends as
 * SECCOMP_RET_... says. */
static int refuse(long nr, int second, uint32_t how)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)second, 0, second == -1 ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, how),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

/* In a child: what is not as it should be becomes its exit status, by line. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static struct mr_topic *topic;
static struct mr_producer *producer;
static struct mr_consumer *consumer;
static uint32_t member_partition; /* of its claim */

static void setup(void)
{
    bus_setup();
    topic = topic_make("t", (struct mr_settings){.partitions = 2});
    producer = producer_on(topic);
    consumer = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 5);
    put_numbers(producer, 1, 0, 5);
    ck_assert_int_eq(mr_consumer_claim(consumer, 2, 0), 2);
    member_partition = (uint32_t)word(&topic->members[0].partition);
}

static void teardown(void)
{
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    mr_topic_close(topic);
    bus_teardown();
}

/* ---- locks that cannot be asked about ---- */

static int cannot_ask_for_locks(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    struct mr_bus *own = t->bus, *other;
    struct mr_topic_info info = {0};
    struct mr_group_info group = {0};
    struct mr_producer_info who = {0};
    struct mr_client_info client = {0};
    (void)arg;
    uint64_t parent = mr_client_id(own, 0, NULL);
    MUST(mr_client_alive(own, parent) == 1 && mr_broker_pid(own) == getppid());
    MUST(refuse(SYS_fcntl, F_OFD_GETLK, SECCOMP_RET_ERRNO | ENOMEM) == 0);
    MUST(mr_client_alive(own, parent) == -ENOMEM);
    MUST(mr_broker_pid(own) == -ENOMEM);
    MUST(mr_bus_holder(mr_bus_name(bus)) == -ENOMEM);
    MUST(mr_client_info(own, 0, &client) == -ENOMEM);
    MUST(mr_producer_info(t, 0, &who) == -ENOMEM);
    MUST(mr_group_info(t, 0, &group) == -ENOMEM);
    MUST(mr_topic_info(t, &info) == -ENOMEM);
    mr_topic_reap_dead(t); /* none is */
    MUST(word(&t->producers[0].state) == 'a' && word(&t->members[0].owner) == parent);
    mr_bus_forget(own, parent);
    MUST(mr_client_id(own, 0, NULL) == parent);
    MUST(mr_topic_delete(t, MR_DELETE_UNUSED) == -ENOMEM);
    MUST(!word(&t->shm->deleted));
    MUST(refuse(SYS_fcntl, F_OFD_SETLK, SECCOMP_RET_ERRNO | ENOLCK) == 0);
    MUST(mr_bus_connect(mr_bus_name(bus), NULL, &other) == -ENOLCK);
    MUST(mr_bus_serve(mr_bus_name(bus), 0, (gid_t)-1, NULL, &other) == -ENOLCK);
    topic_leave(t);
    return 0;
}

START_TEST(who_cannot_ask_for_a_lock_takes_nobody_for_dead)
{
    ck_assert_int_eq(ended(child(cannot_ask_for_locks, NULL)), 0);
}
END_TEST

/* ---- rings that cannot be mapped ---- */

static int cannot_look(const struct mr_topic *t, int why)
{
    struct mr_topic_info info = {0};
    struct mr_partition_info partition = {0};
    struct mr_group_info group = {0};
    struct mr_group_partition_info part = {0};
    struct mr_member_info member = {0};
    MUST(mr_topic_info(t, &info) == why);
    MUST(mr_partition_info(t, 0, &partition) == why && mr_partition_info(t, 1, &partition) == why);
    MUST(mr_group_info(t, 0, &group) == why);
    MUST(mr_group_partition_info(t, 0, member_partition, &part) == why);
    MUST(mr_member_info(t, 0, &member) == why);
    return 0;
}

static int cannot_map(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    (void)arg;
    MUST(refuse(SYS_openat, -1, SECCOMP_RET_ERRNO | EMFILE) == 0);
    MUST(cannot_look(t, -EMFILE) == 0);
    topic_leave(t);
    return 0;
}

static int has_no_memory(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    (void)arg;
    MUST(refuse(SYS_mmap, -1, SECCOMP_RET_ERRNO | ENOMEM) == 0);
    MUST(cannot_look(t, -ENOMEM) == 0);
    topic_leave(t);
    return 0;
}

START_TEST(topic_whose_rings_cannot_be_mapped_is_not_empty)
{
#ifdef MR_TSAN /* it needs memory of its own then */
    if (_i)
        return;
#endif
    ck_assert_int_eq(ended(child(_i ? has_no_memory : cannot_map, NULL)), 0);
}
END_TEST

/* ---- a folder that cannot be read to its end ---- */

static int cannot_list(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    char **names;
    (void)arg;
    MUST(refuse(SYS_getdents64, -1, SECCOMP_RET_ERRNO | ENOMEM) == 0);
    MUST(mr_bus_topics(t->bus, &names) == -ENOMEM);
    MUST(mr_bus_list(&names) == -ENOMEM);
    topic_leave(t);
    return 0;
}

START_TEST(folder_that_cannot_be_read_is_not_empty)
{
    ck_assert_int_eq(ended(child(cannot_list, NULL)), 0);
}
END_TEST

/* ---- a bus that is being removed ---- */

static int is_killed_before_it_unlinks(void *arg)
{
    (void)arg;
    MUST(refuse(SYS_unlink, -1, SECCOMP_RET_KILL_PROCESS) == 0);
    mr_bus_remove(mr_bus_name(bus));
    return 1;
}

START_TEST(bus_whose_removal_was_killed_is_not_removed)
{
    struct mr_bus *client, *next;
    uint32_t seen = 0;
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), NULL, &client), 0);
    mr_bus_wait_change(client, &seen, 0);
    ck_assert_int_eq(ended(child(is_killed_before_it_unlinks, NULL)), -SIGSYS);
    ck_assert_uint_eq(bus->shm->removed, 1); /* there it was killed */
    ck_assert_int_eq(mr_bus_wait_change(client, &seen, 0), -ETIMEDOUT);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    mr_topic_close(topic);
    consumer = NULL;
    producer = NULL;
    topic = NULL;
    char name[MR_BUS_NAME_MAX + 1];
    strcpy(name, mr_bus_name(bus));
    mr_bus_disconnect(bus);
    ck_assert_int_eq(mr_bus_serve(name, 0, (gid_t)-1, NULL, &next), 0);
    bus = next;
    ck_assert_uint_eq(bus->shm->removed, 0);
    ck_assert_int_eq(mr_bus_wait_change(client, &seen, 0), -ETIMEDOUT);
    ck_assert_int_eq(mr_bus_remove(name), 0);
    ck_assert_int_eq(mr_bus_wait_change(client, &seen, 0), -EIDRM);
    mr_bus_disconnect(client);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("blind");
    TCase *tcase = tcase_create("blind");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, who_cannot_ask_for_a_lock_takes_nobody_for_dead);
    tcase_add_loop_test(tcase, topic_whose_rings_cannot_be_mapped_is_not_empty, 0, 2);
    tcase_add_test(tcase, folder_that_cannot_be_read_is_not_empty);
    tcase_add_test(tcase, bus_whose_removal_was_killed_is_not_removed);
    return test_main(suite);
}
