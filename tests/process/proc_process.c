/* proc_process.c - what a process does to itself while handles are open: it runs out of
 * descriptors, forks, executes another program, ends the thread that made them. Handles in a forked
 * child: check_client.c. A full /dev/shm: check_topic.c, e2e_wrong.sh. */
#include "tests/shared/support.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/resource.h>

static struct mr_topic *topic;

static void setup(void)
{
    topic = topic_make("t", (struct mr_settings){.size_bytes = 8192, .partitions = 2});
}

/* ---- no descriptors left ---- */

static rlim_t usual_limit;

/* From now on so many descriptors can be opened, and no more. */
static void allow(int more)
{
    int fds[16], last = -1;
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    usual_limit = usual_limit ? usual_limit : limit.rlim_cur;
    limit.rlim_cur = usual_limit;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i <= more; i++)
        last = fds[i] = dup(2);
    ck_assert_int_ge(last, 0);
    for (int i = 0; i <= more; i++)
        close(fds[i]);
    limit.rlim_cur = (rlim_t)last;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(without_descriptors_everything_is_emfile_and_nothing_is_left)
{
    struct mr_bus *client = NULL;
    struct mr_topic *other = topic_make("other", (struct mr_settings){0}), *t = NULL;
    struct mr_producer *producer = NULL;
    struct mr_consumer *consumer = NULL;
    char **names, line[8];
    /* Each stage of connecting: first to none, at last to all it needs. */
    int needs = 0, error;
    do {
        allow(needs);
        int fd = dup(2);
        close(fd);
        error = mr_bus_connect(mr_bus_name(bus), NULL, &client);
        if (error) {
            ck_assert_int_eq(error, -EMFILE);
            int again = dup(2); /* -1 both times if there was none at all */
            close(again);
            ck_assert_int_eq(again, fd);
            ck_assert_uint_eq(mr_client_id(bus, 1, NULL), 0);
        }
    } while (error && ++needs < 8);
    ck_assert_int_eq(error, 0);
    printf("connecting takes %d descriptors\n", needs);

    allow(0);
    ck_assert_int_eq(mr_topic_open(client, "t", &t), -EMFILE);
    ck_assert_int_eq(mr_producer_open(other, NULL, &producer), -EMFILE);
    ck_assert_int_eq(mr_consumer_open(other, NULL, &consumer), -EMFILE);
    ck_assert_int_eq(mr_topic_set_columns(topic, "a,b", 3, 0), -EMFILE);
    ck_assert_int_eq(mr_topic_columns(topic, line, sizeof line, NULL), -ENODATA);
    ck_assert_int_eq(mr_topic_delete(other, MR_DELETE_ANYWAY), -EMFILE);
    ck_assert_int_eq(mr_topic_create(client, "new", NULL, 0), -EMFILE);
    ck_assert_int_eq(mr_bus_topics(client, &names), -EMFILE);
    ck_assert_ptr_null(t);
    ck_assert_ptr_null(producer);
    ck_assert_ptr_null(consumer);

    /* One that comes back each time is enough for all of it, and with rings in place none is
     * needed. */
    allow(1);
    ck_assert_int_eq(mr_topic_open(client, "t", &t), 0);
    ck_assert_int_eq(mr_topic_set_columns(t, "a,b", 3, 0), 0);
    ck_assert_int_eq(mr_producer_open(t, NULL, &producer), 0);
    ck_assert_int_eq(mr_consumer_open(t, NULL, &consumer), 0);
    allow(0);
    ck_assert_int_eq(mr_topic_columns(t, line, sizeof line, NULL), -EMFILE);
    put_numbers(producer, 0, 0, 10);
    ck_assert_uint_eq(take_all(consumer), 10);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    allow(1);
    ck_assert_int_eq(mr_topic_columns(t, line, sizeof line, NULL), 3);
    ck_assert_int_eq(mr_topic_delete(other, MR_DELETE_ANYWAY), 0);
    allow(15);
    check_invariants(topic);
    mr_topic_close(other);
    topic_leave(t);
}
END_TEST

/* ---- fork and exec ---- */

static struct mr_client_info found;

/* The client that is process pid: its slot, or -1. */
static int slot_of(pid_t pid)
{
    for (uint32_t slot = 0; slot < mr_bus_slots(bus); slot++)
        if (mr_client_info(bus, slot, &found) == 1 && found.pid == pid)
            return (int)slot;
    return -1;
}

static int becomes_sleep(void *arg)
{
    int *fds = arg;
    struct mr_producer *producer;
    if (mr_producer_open(topic_of_child("t"), NULL, &producer) || write(fds[1], "r", 1) != 1)
        return 1;
    char byte;
    if (read(fds[2], &byte, 1) != 1)
        return 2;
    execlp("sleep", "sleep", "60", (char *)NULL);
    return 3;
}

START_TEST(exec_closes_everything_and_frees_the_slot)
{
    int fds[4];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(fds + 2, O_CLOEXEC), 0);
    pid_t pid = child(becomes_sleep, fds);
    ck_assert_int_eq(said(fds[0]), 'r');
    int slot = slot_of(pid);
    ck_assert_int_ge(slot, 0);
    uint64_t id = mr_client_id(bus, (uint32_t)slot, NULL);
    ck_assert_int_eq(write(fds[3], "x", 1), 1);
    wait_until(!mr_client_alive(bus, id));
    ck_assert_int_eq(kill(pid, 0), 0);
    int status;
    /* no zombie either: it lives, as something else */
    ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
    for (int fd = 3; fd < 64; fd++) {
        char path[64], target[256] = "";
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        ck_assert_msg(readlink(path, target, sizeof target - 1) < 0 || !strstr(target, "millrace"),
                      "%s is open: %s", path, target);
    }
    mr_topic_reap_dead(topic);
    struct mr_topic_info info = {0};
    ck_assert_int_eq(mr_topic_info(topic, &info), 0);
    ck_assert_uint_eq(info.producers_died, 1);
    killed(pid);
}
END_TEST

/* Has a child by posix_spawn, for which no handler of fork runs, and ends before it. */
static int spawns(void *arg)
{
    int *fds = arg;
    char *const argv[] = {"sleep", "60", NULL};
    pid_t pids[2] = {0, getpid()};
    topic_of_child("t");
    if (posix_spawnp(&pids[0], "sleep", NULL, NULL, argv, environ))
        return 1;
    return write(fds[1], pids, sizeof pids) == sizeof pids ? 0 : 2;
}

START_TEST(spawned_program_does_not_keep_its_dead_parent_alive)
{
    int fds[2];
    pid_t pids[2] = {0};
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(ended(child(spawns, fds)), 0);
    ck_assert_int_eq(read(fds[0], pids, sizeof pids), sizeof pids);
    for (int looks = 0; slot_of(pids[1]) >= 0 && looks < LOOKS; looks++)
        look_pause();
    int slot = slot_of(pids[1]), there = kill(pids[0], 0);
    kill(pids[0], SIGKILL);
    ck_assert_int_eq(there, 0);
    ck_assert_int_eq(slot, -1);
}
END_TEST

static int does_nothing(void *arg)
{
    (void)arg;
    return 0;
}

START_TEST(child_that_ends_takes_neither_lock_nor_slot_from_its_parent)
{
    struct mr_producer *producer = producer_on(topic);
    ck_assert_int_eq(mr_lock(topic, &topic->logs[0].lock), 0);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(ended(child(does_nothing, NULL)), 0);
    ck_assert_int_eq(pthread_mutex_trylock(&topic->logs[0].lock.mutex), EBUSY);
    mr_unlock(&topic->logs[0].lock);
    ck_assert_int_eq(put(producer, 0, "still here"), 1);
    ck_assert_int_ge(slot_of(getpid()), 0);
    mr_topic_reap_dead(topic);
    ck_assert_int_eq(put(producer, 0, "and here"), 1);
    mr_producer_close(producer);
    check_invariants(topic);
}
END_TEST

/* ---- threads that end ---- */

struct handles {
    struct mr_topic *topic;
    struct mr_producer *producer;
    struct mr_consumer *consumer;
};

static void *opens_all(void *arg)
{
    struct handles *handles = arg;
    struct mr_bus *mine;
    if (mr_bus_connect(mr_bus_name(bus), NULL, &mine) ||
        mr_topic_open(mine, "t", &handles->topic) ||
        mr_producer_open(handles->topic, NULL, &handles->producer) ||
        mr_consumer_open(handles->topic, NULL, &handles->consumer) ||
        put(handles->producer, 0, "from the thread") != 1 ||
        mr_consumer_claim(handles->consumer, 0, 0) != 1)
        return handles;
    return NULL;
}

static void *locks(void *arg)
{
    (void)arg;
    struct mr_tx tx = mr_tx_begin(topic, &topic->shm->lock);
    if (mr_lock(topic, &topic->shm->lock))
        return topic;
    mr_tx_set(&tx, &topic->shm->producers_done, 42);
    atomic_store(&tx.redo->armed, tx.n); /* and ends here, before it has applied it */
    return NULL;
}

static void *in_thread(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;
    void *result;
    ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    return result;
}

START_TEST(handles_outlive_the_thread_that_made_them)
{
    struct handles handles = {0};
    ck_assert_ptr_null(in_thread(opens_all, &handles));
    ck_assert_int_eq(mr_client_alive(bus, mr_bus_self(handles.topic->bus)), 1);
    mr_topic_reap_dead(topic);
    next_is(handles.consumer, "from the thread");
    ck_assert_int_eq(mr_consumer_ack(handles.consumer), 0);
    ck_assert_int_eq(put(handles.producer, 1, "from here"), 1);
    ck_assert_uint_eq(take_all(handles.consumer), 1);
    mr_consumer_close(handles.consumer);
    mr_producer_close(handles.producer);
    topic_leave(handles.topic);
    check_invariants(topic);
}
END_TEST

START_TEST(lock_of_a_thread_that_ended_is_repaired_in_the_same_process)
{
    ck_assert_ptr_null(in_thread(locks, NULL));
    ck_assert_int_eq(mr_lock(topic, &topic->shm->lock), 1);
    ck_assert_uint_eq(word(&topic->shm->producers_done), 42);
    mr_unlock(&topic->shm->lock);
    check_invariants(topic);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = test_case(suite, "process");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, without_descriptors_everything_is_emfile_and_nothing_is_left);
    tcase_add_test(tcase, exec_closes_everything_and_frees_the_slot);
    tcase_add_test(tcase, spawned_program_does_not_keep_its_dead_parent_alive);
    tcase_add_test(tcase, child_that_ends_takes_neither_lock_nor_slot_from_its_parent);
    tcase_add_test(tcase, handles_outlive_the_thread_that_made_them);
    tcase_add_test(tcase, lock_of_a_thread_that_ended_is_repaired_in_the_same_process);
    return test_main(suite);
}
