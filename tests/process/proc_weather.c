/* proc_weather.c - rough weather, through the library: a process that is stopped, alone or inside a
 * lock; a clock that is set.
 * What a process does to itself: proc_process.c. With a serving broker: proc_crowd.c; with all
 * programs: e2e_weather.sh. */
#include "tests/clock/clock.h"
#include "tests/shared/support.h"

#include <pthread.h>

static struct mr_topic *topic;

/* The clock stands still while the children work; a wait that is to time out asks for
 * CLOCK_ALONE. */
static void setup(void)
{
    clock_begin(CLOCK_TURNED);
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
    if (heard->times == 2 && heard->resume) {
        clock_go(CLOCK_TURNED);
        kill(heard->resume, SIGCONT);
    }
    return 0;
}

/* One more client of this process, whose waits are heard. Its topic; the bus is topic->bus. */
static struct mr_topic *listening(struct heard *heard)
{
    struct mr_bus *mine;
    struct mr_topic *found;
    struct mr_connect_options options = {
        .name = "listening", .on_wait = hear, .on_wait_arg = heard};
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &options, &mine), 0);
    ck_assert_int_eq(mr_topic_open(mine, "t", &found), 0);
    return found;
}

static void stopped(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert_msg(WIFSTOPPED(status), "child ended with status %x", (unsigned)status);
}

/* ---- a stopped consumer ---- */

struct stopping {
    uint32_t flags;
    size_t claim; /* 0: waits for records, else takes so many, one in hand, and stops itself */
};

/* Goes on after SIGCONT, and takes what else is there. */
static int stops(void *arg)
{
    const struct stopping *how = arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *consumer;
    struct mr_record r;
    struct mr_consumer_options options = {.flags = how->flags};
    if (mr_consumer_open(t, &options, &consumer))
        return 1;
    if (mr_consumer_claim(consumer, how->claim, -1) <= 0 || mr_consumer_next(consumer, &r) != 1)
        return 2;
    if (how->claim)
        raise(SIGSTOP);
    do {
        while (mr_consumer_next(consumer, &r) > 0)
            ;
        if (mr_consumer_ack(consumer))
            return 3;
    } while (mr_consumer_claim(consumer, 0, 0) > 0);
    mr_consumer_close(consumer);
    topic_leave(t);
    return 0;
}

START_TEST(stopped_idle_consumer_is_in_nobodys_way)
{
    struct mr_producer *producer = producer_on(topic);
    pid_t pid = child(stops, &(struct stopping){0});
    /* It has flagged itself as a sleeper. */
    wait_until(word(&topic->groups[0].serial) &&
               (atomic_load((_Atomic uint32_t *)&topic->groups[0].data.word) & 1));
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    stopped(pid);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    for (int round = 0; round < 5; round++) {
        put_numbers(producer, round % 2, 0, 20);
        /* The clock stands still: there is no other way to get them. */
        ck_assert_int_gt(mr_consumer_claim(consumer, 0, -1), 0);
        ck_assert_uint_eq(take_all(consumer), 20);
    }
    struct mr_topic_info info = {0};
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
    struct mr_message msg = {
        .value = large, .value_len = sizeof large, .partition = MR_PARTITION(0)};
    struct mr_topic *t = listening(heard);
    struct mr_producer *producer;
    ck_assert_int_eq(mr_producer_open(t, NULL, &producer), 0);
    heard->resume = pid;
    uint64_t since = mr_now_ns();
    clock_go(CLOCK_ALONE);
    ck_assert_int_eq(mr_producer_append(producer, &msg, 1, HUNG_NS), 1);
    clock_go(CLOCK_TURNED);
    ck_assert_int_eq(heard->times, 2);
    ck_assert_uint_eq(heard->first_ns - since, SECOND / 2);
    ck_assert_uint_eq(mr_now_ns() - since, SECOND);
    ck_assert_int_eq(heard->wait.what, MR_WAIT_ROOM);
    ck_assert_uint_eq(heard->wait.partition, 0);
    ck_assert_str_eq(heard->group, "default");
    ck_assert_int_eq(heard->wait.pid, pid);
    ck_assert_str_eq(heard->name, "child");
    ck_assert_uint_ge(heard->wait.held_ns, heard->wait.waited_ns);
    mr_producer_close(producer);
    topic_leave(t);
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
    struct mr_group_info group = {0};
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
    struct mr_consumer *consumer =
        consumer_with(topic, (struct mr_consumer_options){.flags = MR_ORDERED});
    ck_assert_uint_eq(take_all(consumer), 20);
    clock_go(CLOCK_ALONE);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, SECOND / 5), -ETIMEDOUT);
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

#ifndef MR_TSAN /* there the wait is a plain lock, which has no notice */
static struct mr_lock_shm *lock_of(struct mr_topic *t, int which)
{
    return which == 0 ? &t->shm->lock : which == 1 ? &t->groups[0].lock : &t->logs[0].lock;
}

static int stops_inside(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    struct mr_lock_shm *lock = lock_of(t, *(int *)arg);
    if (mr_lock(t, lock))
        return 1;
    raise(SIGSTOP);
    mr_unlock(lock);
    topic_leave(t);
    return 0;
}

START_TEST(stopped_holder_of_a_lock_is_named_after_half_a_second)
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
    clock_go(CLOCK_ALONE);
    if (which == 0) {
        ck_assert_int_eq(mr_producer_open(t, NULL, &second), 0);
        mr_producer_close(second);
    } else if (which == 1) {
        ck_assert_int_eq(mr_consumer_claim(consumer, 0, HUNG_NS), 1);
    } else {
        ck_assert_int_eq(put(producer, 0, "on"), 1);
    }
    ck_assert_uint_eq(heard.first_ns - since, SECOND / 2);
    ck_assert_int_eq(heard.wait.what, MR_WAIT_LOCK);
    ck_assert_int_eq(heard.wait.pid, pid);
    ck_assert_str_eq(heard.name, "child");
    ck_assert_int_eq(ended(pid), 0);
    ck_assert_uint_eq(take_all(consumer), which == 2 ? 2 : 1);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    topic_leave(t);
    check_invariants(topic);
}
END_TEST
#endif

/* ---- a clock that is set ---- */

#define YEAR ((int64_t)365 * 24 * 3600)

/* Sets the clock to and fro, until told to end. */
static void *sets_the_clock(void *arg)
{
    static const int64_t shifts[] = {YEAR, -YEAR, 0, 3600, -40 * YEAR, 1, 100 * YEAR, -1};
    const _Atomic int *end = arg;
    for (unsigned i = 0; !atomic_load(end); i++) {
        clock_set(shifts[i % 8] * SECOND);
        look_pause();
    }
    return NULL;
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
    clock_go(CLOCK_ALONE);
    uint64_t since = mr_now_ns();
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 3 * (int64_t)SECOND / 10), -ETIMEDOUT);
    ck_assert_uint_eq(mr_now_ns() - since, 3 * (uint64_t)SECOND / 10);
    ck_assert_int_eq(mr_bus_wait_change(t->bus, &seen, 0), 0); /* the topic's creation */
    since = mr_now_ns();
    ck_assert_int_eq(mr_bus_wait_change(t->bus, &seen, SECOND / 10), -ETIMEDOUT);
    ck_assert_uint_eq(mr_now_ns() - since, SECOND / 10);

    /* Order and offsets are those of arrival, whatever the clock says. */
    struct mr_record r;
    uint64_t taken = 0, back = 0, last_ts = 0;
    for (int round = 0; round < 200; round++) {
        put_numbers(producer, 0, 0, 5);
        look_pause();
        ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 5);
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(mr_consumer_next(consumer, &r), 1);
            ck_assert_uint_eq(r.offset, taken++);
            back += r.ts_ns < last_ts;
            last_ts = r.ts_ns;
        }
        ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    }
    ck_assert_uint_gt(back, 5); /* it was set indeed */

    /* The dead are found, and only they; ages are those of the monotonic clock. */
    put_numbers(producer, 0, 0, 10);
    clock_go(CLOCK_TURNED);
    pid_t pid = child(stops, &(struct stopping){.claim = 10});
    stopped(pid);
    clock_go(CLOCK_ALONE);
    uint64_t owed = 10 + fill(producer);
    ck_assert_int_eq(
        mr_producer_append(
            producer,
            &(struct mr_message){.value = "x", .value_len = 1, .partition = MR_PARTITION(0)}, 1,
            SECOND),
        -ETIMEDOUT);
    ck_assert_int_eq(heard.times, 1);
    ck_assert_int_eq(heard.wait.pid, pid);
    ck_assert_uint_eq(heard.wait.held_ns, SECOND / 2);
    ck_assert_uint_eq(heard.wait.waited_ns, SECOND / 2);
    struct mr_member_info member = {0};
    int members = 0;
    for (uint32_t i = 0; i < t->member_cnt; i++)
        if (mr_member_info(topic, i, &member) == 1) {
            members += member.pid != 0;
            ck_assert_uint_eq(member.held_ns, member.pid == pid ? SECOND : 0);
        }
    ck_assert_int_eq(members, 2);
    killed(pid);
    while (owed > 0) {
        ck_assert_int_gt(mr_consumer_claim(consumer, 0, HUNG_NS), 0);
        owed -= take_all(consumer);
    }
    atomic_store(&end, 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    topic_leave(t);
    check_invariants(topic);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("weather");
    TCase *tcase = test_case(suite, "weather");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, stopped_idle_consumer_is_in_nobodys_way);
    tcase_add_test(tcase, stopped_holder_is_named_and_others_go_on_with_the_rest);
    tcase_add_test(tcase, stopped_holder_of_an_ordered_partition_holds_up_that_partition_only);
#ifndef MR_TSAN
    tcase_add_loop_test(tcase, stopped_holder_of_a_lock_is_named_after_half_a_second, 0, 3);
#endif
    tcase_add_test(tcase, clock_set_to_and_fro_changes_nothing_but_timestamps);
    return test_main(suite);
}
