/* proc_weather.c - rough weather, through the library: no descriptors left; a process that is stopped, alone or inside a lock; fork, exec and
 * threads that end while handles are open; a clock that is set. With a serving broker: proc_crowd.c; with all programs: e2e_weather.sh.
 * Elsewhere: a full /dev/shm (check_topic.c, e2e_wrong.sh), handles in a forked child (check_client.c). */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

static struct mr_topic *topic;

static void setup(void)
{
    topic = topic_make("t", (struct mr_settings){.size_bytes = 8192, .partitions = 2});
}

/* What on_wait is told last; `resume` is sent SIGCONT at the second word. */
struct heard {
    struct mr_wait wait;
    char group[MR_GROUP_NAME_MAX + 1], name[MR_CLIENT_NAME_MAX + 1];
    int times;
    uint64_t first_ns;
    pid_t resume;
};

static int hear(const struct mr_wait *wait, void *arg)
{
    struct heard *heard = arg;
    heard->wait = *wait;
    strcpy(heard->group, wait->group);
    strcpy(heard->name, wait->name);
    if (heard->times++ == 0)
        heard->first_ns = mr_now_ns();
    if (heard->times == 2 && heard->resume)
        kill(heard->resume, SIGCONT);
    return 0;
}

/* One more client of this process, whose waits are heard. Its topic; the bus is topic->bus. */
static struct mr_topic *listening(struct heard *heard)
{
    struct mr_bus *mine;
    struct mr_topic *found;
    struct mr_connect_options options = {.name = "listening", .on_wait = hear, .on_wait_arg = heard};
    ck_assert_int_eq(mr_connect(mr_bus_name(bus), &options, &mine), 0);
    ck_assert_int_eq(mr_topic_open(mine, "t", &found), 0);
    return found;
}

static void leave(struct mr_topic *t)
{
    struct mr_bus *its = t->bus;
    mr_topic_close(t);
    mr_disconnect(its);
}

/* A child has none of our handles. */
static struct mr_topic *join(void)
{
    struct mr_bus *mine;
    struct mr_topic *found;
    if (mr_connect(mr_bus_name(bus), &(struct mr_connect_options){.name = "child"}, &mine) < 0 ||
        mr_topic_open(mine, "t", &found) < 0)
        _exit(99);
    return found;
}

static void stopped(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert_msg(WIFSTOPPED(status), "child ended with status %x", (unsigned)status);
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
        error = mr_connect(mr_bus_name(bus), NULL, &client);
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

    /* One that comes back each time is enough for all of it, and with rings in place none is needed. */
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
    leave(t);
}
END_TEST

/* ---- a stopped consumer ---- */

struct stopping {
    uint32_t flags;
    size_t claim; /* 0: waits for records, else takes so many, one in hand, and stops itself */
};

/* Goes on after SIGCONT, and takes what else is there. */
static int stops(void *arg)
{
    const struct stopping *how = arg;
    struct mr_topic *t = join();
    struct mr_consumer *consumer;
    struct mr_record r;
    struct mr_consumer_options options = {.flags = how->flags};
    if (mr_consumer_open(t, &options, &consumer))
        return 1;
    if (mr_claim(consumer, how->claim, -1) <= 0 || mr_next(consumer, &r) != 1)
        return 2;
    if (how->claim)
        raise(SIGSTOP);
    do {
        while (mr_next(consumer, &r) > 0)
            ;
        if (mr_ack(consumer))
            return 3;
    } while (mr_claim(consumer, 0, 0) > 0);
    mr_consumer_close(consumer);
    leave(t);
    return 0;
}

START_TEST(stopped_idle_consumer_is_in_nobodys_way)
{
    struct mr_producer *producer = producer_on(topic);
    pid_t pid = child(stops, &(struct stopping){0});
    /* It has flagged itself as a sleeper. */
    wait_until(word(&topic->groups[0].serial) && (atomic_load((_Atomic uint32_t *)&topic->groups[0].data.word) & 1));
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    stopped(pid);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    for (int round = 0; round < 5; round++) {
        put_numbers(producer, round % 2, 0, 20);
        uint64_t since = mr_now_ns();
        ck_assert_int_gt(mr_claim(consumer, 0, 2 * (int64_t)SECOND), 0);
        ck_assert_uint_eq(take_all(consumer), 20);
        ck_assert_uint_lt(mr_now_ns() - since, SECOND);
    }
    struct mr_topic_info info;
    ck_assert_int_eq(mr_topic_info(topic, &info), 0);
    ck_assert_uint_eq(info.members, 2);
    ck_assert_int_eq(kill(pid, SIGCONT), 0);
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(ended(pid), 0);
    ck_assert_uint_eq(take_all(consumer), 0);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    check_invariants(topic);
}
END_TEST

/* Waits with a record that does not fit, until it is accepted; SIGCONT comes at the second word. */
static void waits_for(struct heard *heard, pid_t pid)
{
    static char large[3000];
    struct mr_message msg = {.value = large, .value_len = sizeof large, .partition = 0};
    struct mr_topic *t = listening(heard);
    struct mr_producer *producer;
    ck_assert_int_eq(mr_producer_open(t, NULL, &producer), 0);
    heard->resume = pid;
    uint64_t since = mr_now_ns();
    ck_assert_int_eq(mr_append(producer, &msg, 1, 20 * (int64_t)SECOND), 1);
    ck_assert_int_ge(heard->times, 2);
    ck_assert_uint_lt(heard->first_ns - since, 2 * (uint64_t)SECOND);
    ck_assert_int_eq(heard->wait.what, MR_WAIT_ROOM);
    ck_assert_uint_eq(heard->wait.partition, 0);
    ck_assert_str_eq(heard->group, "default");
    ck_assert_int_eq(heard->wait.pid, pid);
    ck_assert_str_eq(heard->name, "child");
    ck_assert_uint_ge(heard->wait.held_ns, heard->wait.waited_ns);
    mr_producer_close(producer);
    leave(t);
}

/* Partition 0 gets records until it is full. Returns how many. */
static uint64_t fill(struct mr_producer *producer)
{
    uint64_t n = 0;
    while (put(producer, 0, "something") == 1)
        n++;
    return n;
}

static void all_acknowledged(uint64_t records)
{
    struct mr_group_info group;
    ck_assert_int_eq(mr_group_info(topic, 0, &group), 1);
    ck_assert_uint_eq(group.lag, 0);
    ck_assert_uint_eq(group.acked, records);
    ck_assert_uint_eq(group.redelivered, 0);
}

START_TEST(stopped_holder_is_named_and_others_go_on_with_the_rest)
{
    struct mr_producer *producer = producer_on(topic);
    struct heard heard = {0};
    uint64_t n = fill(producer);
    pid_t pid = child(stops, &(struct stopping){.claim = 5});
    stopped(pid);
    put_numbers(producer, 1, 0, 20);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_uint_eq(take_all(consumer), n - 5 + 20);
    waits_for(&heard, pid);
    ck_assert_int_eq(ended(pid), 0);
    take_all(consumer);
    all_acknowledged(n + 20 + 1);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    check_invariants(topic);
}
END_TEST

START_TEST(stopped_holder_of_an_ordered_partition_holds_up_that_partition_only)
{
    struct mr_producer *producer = producer_on(topic);
    struct heard heard = {0};
    uint64_t n = fill(producer);
    pid_t pid = child(stops, &(struct stopping){.flags = MR_ORDERED, .claim = 5});
    stopped(pid);
    put_numbers(producer, 1, 0, 20);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){.flags = MR_ORDERED});
    ck_assert_uint_eq(take_all(consumer), 20);
    ck_assert_int_eq(mr_claim(consumer, 0, SECOND / 5), -ETIMEDOUT);
    waits_for(&heard, pid);
    ck_assert_int_eq(ended(pid), 0);
    take_all(consumer);
    all_acknowledged(n + 20 + 1);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    check_invariants(topic);
}
END_TEST

/* ---- stopped inside a lock ---- */

#ifndef MR_TSAN /* there the wait is a plain lock, which tells nobody */
static struct mr_lock_shm *lock_of(struct mr_topic *t, int which)
{
    return which == 0 ? &t->shm->lock : which == 1 ? &t->groups[0].lock : &t->logs[0].lock;
}

static int stops_inside(void *arg)
{
    struct mr_topic *t = join();
    struct mr_lock_shm *lock = lock_of(t, *(int *)arg);
    if (mr_lock(t, lock))
        return 1;
    raise(SIGSTOP);
    mr_unlock(lock);
    leave(t);
    return 0;
}

START_TEST(stopped_holder_of_a_lock_is_named_within_2_s)
{
    struct heard heard = {0};
    int which = _i;
    struct mr_topic *t = listening(&heard);
    struct mr_producer *producer, *second;
    struct mr_consumer *consumer;
    ck_assert_int_eq(mr_producer_open(t, NULL, &producer), 0);
    ck_assert_int_eq(mr_consumer_open(t, NULL, &consumer), 0);
    put_numbers(producer, 0, 0, 1);
    pid_t pid = child(stops_inside, &which);
    stopped(pid);
    heard.resume = pid;
    uint64_t since = mr_now_ns();
    if (which == 0) {
        ck_assert_int_eq(mr_producer_open(t, NULL, &second), 0);
        mr_producer_close(second);
    } else if (which == 1) {
        ck_assert_int_eq(mr_claim(consumer, 0, SECOND), 1);
    } else {
        ck_assert_int_eq(put(producer, 0, "on"), 1);
    }
    ck_assert_uint_lt(heard.first_ns - since, 2 * (uint64_t)SECOND);
    ck_assert_int_eq(heard.wait.what, MR_WAIT_LOCK);
    ck_assert_int_eq(heard.wait.pid, pid);
    ck_assert_str_eq(heard.name, "child");
    ck_assert_int_eq(ended(pid), 0);
    ck_assert_uint_eq(take_all(consumer), which == 2 ? 2 : 1);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    leave(t);
    check_invariants(topic);
}
END_TEST
#endif

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
    if (mr_producer_open(join(), NULL, &producer) || write(fds[1], "r", 1) != 1)
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
    ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0); /* no zombie either: it lives, as something else */
    for (int fd = 3; fd < 64; fd++) {
        char path[64], target[256] = "";
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        ck_assert_msg(readlink(path, target, sizeof target - 1) < 0 || !strstr(target, "millrace"), "%s is open: %s", path, target);
    }
    mr_topic_reap_dead(topic);
    struct mr_topic_info info;
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
    join();
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
    uint64_t give_up = mr_now_ns() + 10 * (uint64_t)SECOND;
    while (slot_of(pids[1]) >= 0 && mr_now_ns() < give_up)
        usleep(1000);
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
    if (mr_connect(mr_bus_name(bus), NULL, &mine) || mr_topic_open(mine, "t", &handles->topic) ||
        mr_producer_open(handles->topic, NULL, &handles->producer) || mr_consumer_open(handles->topic, NULL, &handles->consumer) ||
        put(handles->producer, 0, "from the thread") != 1 || mr_claim(handles->consumer, 0, 0) != 1)
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
    ck_assert_int_eq(mr_ack(handles.consumer), 0);
    ck_assert_int_eq(put(handles.producer, 1, "from here"), 1);
    ck_assert_uint_eq(take_all(handles.consumer), 1);
    mr_consumer_close(handles.consumer);
    mr_producer_close(handles.producer);
    leave(handles.topic);
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

/* ---- a clock that is set ---- */

static _Atomic int64_t shift_s; /* what is added to CLOCK_REALTIME, in this process */

/* In place of the C library's, for all of this program. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int error = (int)syscall(SYS_clock_gettime, clock, now);
    if (error == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += atomic_load_explicit(&shift_s, memory_order_relaxed);
    return error;
}

#define YEAR ((int64_t)365 * 24 * 3600)

/* Sets the clock to and fro, until told to end. */
static void *sets_the_clock(void *arg)
{
    static const int64_t shifts[] = {YEAR, -YEAR, 0, 3600, -40 * YEAR, 1, 100 * YEAR, -1};
    const _Atomic int *end = arg;
    for (unsigned i = 0; !atomic_load(end); i++) {
        atomic_store(&shift_s, shifts[i % 8]);
        usleep(1000);
    }
    return NULL;
}

static void took(uint64_t since, uint64_t at_least)
{
    uint64_t ns = mr_now_ns() - since;
    ck_assert_uint_ge(ns, at_least);
    ck_assert_uint_lt(ns, at_least + 3 * (uint64_t)SECOND);
}

START_TEST(clock_set_to_and_fro_changes_nothing_but_timestamps)
{
    _Atomic int end = 0;
    pthread_t thread;
    struct heard heard = {0};
    struct mr_topic *t = listening(&heard);
    struct mr_producer *producer;
    struct mr_consumer *consumer;
    uint32_t seen = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, sets_the_clock, &end), 0);
    ck_assert_int_eq(mr_producer_open(t, NULL, &producer), 0);
    ck_assert_int_eq(mr_consumer_open(t, NULL, &consumer), 0);

    /* Waits take as long as they should. */
    uint64_t since = mr_now_ns();
    ck_assert_int_eq(mr_claim(consumer, 0, 3 * (int64_t)SECOND / 10), -ETIMEDOUT);
    took(since, 3 * (uint64_t)SECOND / 10);
    ck_assert_int_eq(mr_bus_wait_change(t->bus, &seen, 0), 0); /* the topic's creation */
    since = mr_now_ns();
    ck_assert_int_eq(mr_bus_wait_change(t->bus, &seen, SECOND / 10), -ETIMEDOUT);
    took(since, SECOND / 10);

    /* Order and offsets are those of arrival, whatever the clock says. */
    struct mr_record r;
    uint64_t taken = 0, back = 0, last_ts = 0;
    for (int round = 0; round < 200; round++) {
        put_numbers(producer, 0, 0, 5);
        usleep(200);
        ck_assert_int_eq(mr_claim(consumer, 0, 0), 5);
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(mr_next(consumer, &r), 1);
            ck_assert_uint_eq(r.offset, taken++);
            back += r.ts_ns < last_ts;
            last_ts = r.ts_ns;
        }
        ck_assert_int_eq(mr_ack(consumer), 0);
    }
    ck_assert_uint_gt(back, 5); /* it was set indeed */

    /* Nobody is taken for dead, and who is dead is; ages are those of the monotonic clock. */
    put_numbers(producer, 0, 0, 10);
    pid_t pid = child(stops, &(struct stopping){.claim = 10});
    stopped(pid);
    uint64_t owed = 10 + fill(producer);
    ck_assert_int_eq(mr_append(producer, &(struct mr_message){.value = "x", .value_len = 1}, 1, SECOND), -ETIMEDOUT);
    ck_assert_int_ge(heard.times, 1);
    ck_assert_int_eq(heard.wait.pid, pid);
    ck_assert_uint_gt(heard.wait.held_ns, 0);
    ck_assert_uint_lt(heard.wait.held_ns, 60 * (uint64_t)SECOND);
    ck_assert_uint_lt(heard.wait.waited_ns, 60 * (uint64_t)SECOND);
    struct mr_member_info member;
    int members = 0;
    for (uint32_t i = 0; i < t->member_cnt; i++)
        if (mr_member_info(topic, i, &member) == 1) {
            members += member.pid != 0;
            ck_assert_uint_lt(member.held_ns, 60 * (uint64_t)SECOND);
        }
    ck_assert_int_eq(members, 2);
    killed(pid);
    while (owed > 0) {
        ck_assert_int_gt(mr_claim(consumer, 0, 5 * (int64_t)SECOND), 0);
        owed -= take_all(consumer);
    }
    atomic_store(&end, 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    leave(t);
    check_invariants(topic);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("weather");
    TCase *tcase = test_case(suite, "weather");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_set_timeout(tcase, 15);
    tcase_add_test(tcase, without_descriptors_everything_is_emfile_and_nothing_is_left);
    tcase_add_test(tcase, stopped_idle_consumer_is_in_nobodys_way);
    tcase_add_test(tcase, stopped_holder_is_named_and_others_go_on_with_the_rest);
    tcase_add_test(tcase, stopped_holder_of_an_ordered_partition_holds_up_that_partition_only);
#ifndef MR_TSAN
    tcase_add_loop_test(tcase, stopped_holder_of_a_lock_is_named_within_2_s, 0, 3);
#endif
    tcase_add_test(tcase, exec_closes_everything_and_frees_the_slot);
    tcase_add_test(tcase, spawned_program_does_not_keep_its_dead_parent_alive);
    tcase_add_test(tcase, child_that_ends_takes_neither_lock_nor_slot_from_its_parent);
    tcase_add_test(tcase, handles_outlive_the_thread_that_made_them);
    tcase_add_test(tcase, lock_of_a_thread_that_ended_is_repaired_in_the_same_process);
    tcase_add_test(tcase, clock_set_to_and_fro_changes_nothing_but_timestamps);
    return test_main(suite);
}
