/* check_tx.c - locks whose holder dies, and changes that happen as a whole or not at all. Deaths
 * are real: a child arranges the segment as a kill at a certain instruction would leave it, holding
 * the lock, and kills itself. */
#include "core/group.h"
#include "tests/shared/support.h"

#include <time.h>

static struct mr_topic *topic;

static void setup(void)
{
    bus_setup();
    topic = topic_make("t", (struct mr_settings){.partitions = 2});
}

static void teardown(void)
{
    mr_topic_close(topic);
    bus_teardown();
}

/* Two words that nothing else uses while no producer is attached. */
#define FIRST(t)       (&(t)->producers[200].bytes)
#define SECOND_WORD(t) (&(t)->producers[200].blocked_ns)

enum stage { UNARMED, ARMED, HALF_APPLIED, APPLIED, TOO_MANY, OUTSIDE, CROOKED };

static void die(void)
{
    kill(getpid(), SIGKILL);
}

static int dies_at(void *arg)
{
    enum stage stage = *(enum stage *)arg;
    struct mr_topic *t = topic_of_child("t");
    if (mr_lock(t, &t->shm->lock))
        return 1;
    struct mr_tx tx = mr_tx_begin(t, &t->shm->lock);
    mr_tx_set(&tx, FIRST(t), 111);
    mr_tx_set(&tx, SECOND_WORD(t), 222);
    if (stage >= HALF_APPLIED)
        atomic_store(FIRST(t), 111);
    if (stage >= APPLIED)
        atomic_store(SECOND_WORD(t), 222);
    if (stage == OUTSIDE)
        atomic_store(&tx.redo->entries[1].word, t->control_bytes);
    if (stage == CROOKED)
        atomic_store(&tx.redo->entries[1].word, 12);
    if (stage != UNARMED)
        atomic_store(&tx.redo->armed, stage == TOO_MANY ? MR_REDO_MAX + 1 : tx.n);
    die();
    return 1;
}

START_TEST(commit_changes_all_words_and_disarms)
{
    ck_assert_int_eq(mr_lock(topic, &topic->shm->lock), 0);
    struct mr_tx tx = mr_tx_begin(topic, &topic->shm->lock);
    mr_tx_set(&tx, FIRST(topic), 1);
    mr_tx_set(&tx, SECOND_WORD(topic), 2);
    ck_assert_uint_eq(word(FIRST(topic)), 0); /* not before commit */
    mr_tx_commit(&tx);
    ck_assert_uint_eq(word(FIRST(topic)), 1);
    ck_assert_uint_eq(word(SECOND_WORD(topic)), 2);
    ck_assert_uint_eq(word(&topic->shm->lock.redo.armed), 0);
    ck_assert_uint_eq(tx.n, 0);
    mr_unlock(&topic->shm->lock);
}
END_TEST

START_TEST(armed_log_of_a_dead_owner_is_replayed)
{
    enum stage stage = (enum stage)_i;
    ck_assert_int_eq(ended(child(dies_at, &stage)), -SIGKILL);
    ck_assert_int_eq(mr_lock(topic, &topic->shm->lock), 1);
    ck_assert_uint_eq(word(FIRST(topic)), 111);
    ck_assert_uint_eq(word(SECOND_WORD(topic)), 222);
    ck_assert_uint_eq(word(&topic->shm->lock.redo.armed), 0);
    mr_unlock(&topic->shm->lock);
    /* once repaired, an ordinary lock again */
    ck_assert_int_eq(mr_lock(topic, &topic->shm->lock), 0);
    mr_unlock(&topic->shm->lock);
}
END_TEST

START_TEST(unarmed_log_of_a_dead_owner_is_dropped)
{
    enum stage stage = UNARMED;
    ck_assert_int_eq(ended(child(dies_at, &stage)), -SIGKILL);
    ck_assert_int_eq(mr_lock(topic, &topic->shm->lock), 1);
    ck_assert_uint_eq(word(FIRST(topic)), 0);
    ck_assert_uint_eq(word(SECOND_WORD(topic)), 0);
    mr_unlock(&topic->shm->lock);
}
END_TEST

START_TEST(damaged_log_of_a_dead_owner_makes_the_lock_an_error_for_ever)
{
    enum stage stage = (enum stage)_i;
    ck_assert_int_eq(ended(child(dies_at, &stage)), -SIGKILL);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(mr_lock(topic, &topic->shm->lock), -EBADMSG);
    struct mr_producer *producer;
    ck_assert_int_eq(mr_producer_open(topic, NULL, &producer), -EBADMSG);
}
END_TEST

/* Holds a lock, does what the repair does, and dies before the mutex is made consistent. */
static int repairs_and_dies(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_lock_shm *lock = &t->shm->lock;
    if (pthread_mutex_lock(&lock->mutex) != EOWNERDEAD)
        return 1;
    atomic_store(FIRST(t), 111);
    die();
    return 1;
}

START_TEST(repairer_that_dies_leaves_the_repair_to_the_next)
{
    enum stage stage = ARMED;
    ck_assert_int_eq(ended(child(dies_at, &stage)), -SIGKILL);
    ck_assert_int_eq(ended(child(repairs_and_dies, NULL)), -SIGKILL);
    ck_assert_int_eq(mr_lock(topic, &topic->shm->lock), 1);
    ck_assert_uint_eq(word(FIRST(topic)), 111);
    ck_assert_uint_eq(word(SECOND_WORD(topic)), 222);
    mr_unlock(&topic->shm->lock);
}
END_TEST

START_TEST(repair_wakes_whoever_waits)
{
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    enum stage stage = ARMED;
    ck_assert_int_eq(ended(child(dies_at, &stage)), -SIGKILL);
    uint32_t data = mr_cond_prepare(&topic->groups[0].data),
             space = mr_cond_prepare(&topic->shm->space);
    ck_assert_int_eq(mr_lock(topic, &topic->shm->lock), 1);
    mr_unlock(&topic->shm->lock);
    ck_assert_int_eq(mr_cond_wait(&topic->groups[0].data, data, 0), 0);
    ck_assert_int_eq(mr_cond_wait(&topic->shm->space, space, 0), 0);
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(mutex_that_is_none_is_an_error_and_no_hang)
{
    memset(&topic->shm->lock.mutex, 0x5a, sizeof topic->shm->lock.mutex);
    ck_assert_int_eq(mr_lock(topic, &topic->shm->lock), -EBADMSG);
}
END_TEST

#ifndef MR_TSAN /* there the wait is a plain lock, which cannot be given up */
static int holds(void *arg)
{
    int *fds = arg;
    struct mr_topic *t = topic_of_child("t");
    if (mr_lock(t, &t->shm->lock) || write(fds[1], "h", 1) != 1)
        return 1;
    raise(SIGSTOP);
    mr_unlock(&t->shm->lock);
    return 0;
}

static int32_t named;
static int times;

static int names(const struct mr_wait *wait, void *arg)
{
    (void)arg;
    named = wait->what == MR_WAIT_LOCK ? wait->pid : -1;
    return ++times == 2;
}

START_TEST(stopped_holder_is_named_and_the_wait_can_be_given_up)
{
    int fds[2];
    struct mr_bus *other;
    struct mr_topic *t;
    struct mr_connect_options options = {.on_wait = names};
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = child(holds, fds);
    ck_assert_int_eq(said(fds[0]), 'h');
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &options, &other), 0);
    ck_assert_int_eq(mr_topic_open(other, "t", &t), 0);
    ck_assert_int_eq(mr_lock(t, &t->shm->lock), -EINTR);
    ck_assert_int_eq(named, pid);
    ck_assert_int_eq(kill(pid, SIGCONT), 0);
    ck_assert_int_eq(ended(pid), 0);
    ck_assert_int_eq(mr_lock(t, &t->shm->lock), 0);
    mr_unlock(&t->shm->lock);
    mr_topic_close(t);
    mr_bus_disconnect(other);
    close(fds[0]);
    close(fds[1]);
}
END_TEST
#endif

/* ---- transactions under two locks: the redo log must belong to the lock that others take to look
 * ---- */

static uint32_t group_named(const char *name)
{
    struct mr_group_info info = {0};
    for (uint32_t g = 0; g < topic->group_cnt; g++)
        if (mr_group_info(topic, g, &info) == 1 && strcmp(info.name, name) == 0)
            return g;
    ck_abort_msg("no group %s", name);
}

static uint32_t group_a;

/* Killed in adopt: its own slot is free again, the transaction still armed. */
static int dies_freeing_its_slot(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *consumer;
    struct mr_consumer_options options = {.group = "a"};
    if (mr_consumer_open(t, &options, &consumer) || mr_lock(t, &t->groups[group_a].lock))
        return 1;
    struct mr_member_shm *own = &t->members[consumer->seat.member];
    struct mr_tx tx = mr_tx_begin(t, &t->groups[group_a].lock);
    mr_tx_set(&tx, &own->group, 0);
    atomic_store(&tx.redo->armed, tx.n);
    atomic_store(&own->group, 0);
    die();
    return 1;
}

START_TEST(slot_freed_by_an_armed_transaction_is_not_freed_twice)
{
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){.group = "a"});
    group_a = group_named("a");
    ck_assert_int_eq(ended(child(dies_freeing_its_slot, NULL)), -SIGKILL);
    struct mr_consumer *b = consumer_with(topic, (struct mr_consumer_options){.group = "b"});
    struct mr_producer *producer = producer_on(topic);
    put_numbers(producer, 0, 0, 3);
    ck_assert_int_eq(mr_consumer_claim(b, 0, 0), 3);
    ck_assert_uint_eq(take_all(a), 3); /* takes the lock of group a, and with it its redo log */
    next_is(b, "0");
    ck_assert_int_eq(mr_consumer_ack(b), 0);
    check_invariants(topic);
    mr_producer_close(producer);
    mr_consumer_close(a);
    mr_consumer_close(b);
}
END_TEST

/* Killed in give_back once its claim is an orphan: find out which lock's log it used by letting it
 * run up to there. */
static int dies_giving_back(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *consumer;
    struct mr_consumer_options options = {.group = "a"};
    if (mr_consumer_open(t, &options, &consumer) || mr_consumer_claim(consumer, 0, 0) != 2 ||
        mr_consumer_give_back(consumer))
        return 1;
    /* All is done and disarmed; arm again what lies in the log it used, as if killed just before
     * the end. */
    struct mr_lock_shm *locks[2] = {&t->shm->lock, &t->groups[group_a].lock};
    if (mr_lock(t, locks[0]) || mr_lock(t, locks[1]))
        return 1;
    uint64_t owner = (uint64_t)((unsigned char *)&t->members[0].owner - t->base);
    for (int i = 0; i < 2; i++)
        for (uint64_t n = 0; n < MR_REDO_MAX; n++)
            if ((word(&locks[i]->redo.entries[n].word) - owner) % sizeof(struct mr_member_shm) ==
                    0 &&
                word(&locks[i]->redo.entries[n].word) >= owner &&
                word(&locks[i]->redo.entries[n].value) == 0) {
                atomic_store(&locks[i]->redo.armed, n + 1);
                die();
            }
    return 2;
}

START_TEST(claim_given_back_by_an_armed_transaction_is_not_taken_from_its_next_owner)
{
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){.group = "a"});
    struct mr_producer *producer = producer_on(topic);
    group_a = group_named("a");
    put_numbers(producer, 0, 0, 6);
    ck_assert_int_eq(mr_consumer_claim(a, 3, 0), 3); /* the child's share is two of the others */
    ck_assert_int_eq(ended(child(dies_giving_back, NULL)), -SIGKILL);
    while (mr_consumer_next(a, &(struct mr_record){0}) > 0)
        ;
    ck_assert_int_eq(mr_consumer_ack(a), 0);
    /* the orphan; taken under the group's lock alone */
    ck_assert_int_eq(mr_consumer_claim(a, 0, 0), 2);
    next_is(a, "3");
    mr_topic_reap_dead(topic);
    ck_assert_int_eq(mr_topic_lock(topic), 0); /* mends what the dead one left */
    mr_unlock(&topic->shm->lock);
    ck_assert_int_eq(mr_consumer_ack(a), 0);
    check_invariants(topic);
    mr_producer_close(producer);
    mr_consumer_close(a);
}
END_TEST

/* Killed in the middle of moving a group to its beginning: a log's transaction is applied and still
 * armed. */
static int dies_moving(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    uint32_t group;
    if (mr_topic_lock(t) ||
        mr_group_make(t,
                      &(struct mr_new_group){.name = "a", .start = MR_START_BEGINNING, .moved = 1},
                      &group) ||
        mr_log_lock(t, 0))
        return 1;
    atomic_store(&t->logs[0].lock.redo.armed, 4);
    die();
    return 1;
}

START_TEST(group_whose_mover_died_stays_where_it_was)
{
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){.group = "a"});
    struct mr_producer *producer = producer_on(topic);
    put_numbers(producer, 0, 0, 3);
    ck_assert_uint_eq(take_all(a), 3);
    mr_consumer_close(a);
    ck_assert_int_eq(ended(child(dies_moving, NULL)), -SIGKILL);
    a = consumer_with(topic, (struct mr_consumer_options){.group = "a"});
    ck_assert_uint_eq(take_all(a), 0);
    put_numbers(producer, 0, 3, 1); /* takes the log's lock */
    ck_assert_uint_eq(take_all(a), 1);
    check_invariants(topic);
    mr_producer_close(producer);
    mr_consumer_close(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tx");
    TCase *tcase = tcase_create("tx");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, commit_changes_all_words_and_disarms);
    tcase_add_loop_test(tcase, armed_log_of_a_dead_owner_is_replayed, ARMED, APPLIED + 1);
    tcase_add_test(tcase, unarmed_log_of_a_dead_owner_is_dropped);
    tcase_add_loop_test(tcase, damaged_log_of_a_dead_owner_makes_the_lock_an_error_for_ever,
                        TOO_MANY, CROOKED + 1);
    tcase_add_test(tcase, repairer_that_dies_leaves_the_repair_to_the_next);
    tcase_add_test(tcase, repair_wakes_whoever_waits);
    tcase_add_test(tcase, mutex_that_is_none_is_an_error_and_no_hang);
#ifndef MR_TSAN
    tcase_add_test(tcase, stopped_holder_is_named_and_the_wait_can_be_given_up);
#endif
    tcase_add_test(tcase, slot_freed_by_an_armed_transaction_is_not_freed_twice);
    tcase_add_test(tcase,
                   claim_given_back_by_an_armed_transaction_is_not_taken_from_its_next_owner);
    tcase_add_test(tcase, group_whose_mover_died_stays_where_it_was);
    return test_main(suite);
}
