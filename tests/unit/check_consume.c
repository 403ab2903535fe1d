/* check_consume.c - the consumer's side: claims, reading, acknowledging, failing, giving back,
 * death.
 * Where it ends and how it waits: check_consume_wait.c. */
#include "core/group.h"
#include "tests/shared/topic.h"

static struct mr_record record;

static struct mr_consumer *consumer(void)
{
    return consumer_with(topic, (struct mr_consumer_options){0});
}

/* ---- claim, next, acknowledge ---- */

START_TEST(records_come_in_order_and_once)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 5);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 5);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 5); /* what is left of the present claim */
    next_is(c, "0");
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 3);
    next_is(c, "2");
    next_is(c, "3");
    next_is(c, "4");
    ck_assert_int_eq(mr_consumer_next(c, &record), 0);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT);
    mr_consumer_close(c);
    c = consumer();
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT);
    mr_consumer_close(c);
}
END_TEST

START_TEST(claim_is_bounded_by_max_and_window)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){.window = 3});
    put_numbers(producer, 0, 0, 9);
    ck_assert_int_eq(mr_consumer_claim(c, 2, 0), 2);
    ck_assert_uint_eq(take_all(c), 9);
    put_numbers(producer, 0, 9, 9);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 3);
    next_is(c, "9");
    mr_consumer_close(c);
    c = consumer();
    ck_assert_uint_eq(take_all(c), 9); /* nothing was acknowledged */
    mr_consumer_close(c);
}
END_TEST

START_TEST(part_of_a_claim_can_be_acknowledged)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 5);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 5);
    next_is(c, "0");
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    next_is(c, "2"); /* given, not acknowledged */
    mr_consumer_close(c);
    c = consumer();
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 3);
    ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_uint_eq(record.offset, 2);
    ck_assert_uint_eq(record.try_number, 1); /* who closes is not to blame */
    mr_consumer_close(c);
}
END_TEST

START_TEST(next_claim_is_refused_while_something_is_unacknowledged)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(mr_consumer_claim(c, 1, 0), 1);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_claim(c, 1, 0), -EBUSY);
    /* each of the three ways on */
    ck_assert_int_eq(mr_consumer_rewind(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 1, 0), 1);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_claim(c, 1, -1), -EBUSY);
    ck_assert_int_eq(mr_consumer_give_back(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 1, 0), 1);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 1, 0), 1);
    next_is(c, "1");
    mr_consumer_close(c);
    struct mr_consumer *peeking =
        consumer_with(topic, (struct mr_consumer_options){.flags = MR_PEEK});
    ck_assert_int_eq(mr_consumer_claim(peeking, 0, 0), 2);
    next_is(peeking, "0");
    next_is(peeking, "1");
    ck_assert_int_eq(mr_consumer_claim(peeking, 0, 0), -ETIMEDOUT);
    mr_consumer_close(peeking);
}
END_TEST

START_TEST(given_back_records_come_again_without_blame)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_consumer_give_back(c), 0); /* nothing to give back */
    for (int i = 0; i < 10; i++) {                 /* as often as you like */
        ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 4);
        ck_assert_int_eq(mr_consumer_next(c, &record), 1);
        ck_assert_uint_eq(record.offset, 0);
        ck_assert_uint_eq(record.try_number, 1);
        ck_assert_int_eq(mr_consumer_give_back(c), 0);
        ck_assert_int_eq(mr_consumer_next(c, &record), 0);
        ck_assert_int_eq(mr_consumer_ack(c), 0); /* acknowledges nothing */
        check_invariants(topic);
    }
    ck_assert_uint_eq(take_all(c), 4);
    mr_consumer_close(c);
}
END_TEST

START_TEST(given_back_records_go_to_whoever_claims)
{
    use((struct mr_settings){0});
    struct mr_consumer *a = consumer(), *b = consumer();
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_consumer_claim(a, 0, 0), 2);
    next_is(a, "0");
    ck_assert_int_eq(mr_consumer_ack(a), 0);
    ck_assert_int_eq(mr_consumer_give_back(a), 0);
    ck_assert_int_eq(mr_consumer_claim(b, 0, 0), 1);
    next_is(b, "1");
    ck_assert_int_eq(mr_consumer_ack(b), 0);
    ck_assert_uint_eq(take_all(a), 2);
    mr_consumer_close(a);
    mr_consumer_close(b);
}
END_TEST

START_TEST(give_back_without_a_free_slot_keeps_the_claim_and_gives_it_again)
{
    static struct mr_seat seats[MR_MEMBERS];
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    for (unsigned i = 1; i < MR_MEMBERS; i++)
        ck_assert_int_eq(mr_group_join(topic, "other", 0, MR_START_STORED, 0, &seats[i]), 0);
    put_numbers(producer, 0, 0, 3);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 3);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_give_back(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    next_is(c, "1");
    mr_consumer_close(c);
    for (unsigned i = 1; i < MR_MEMBERS; i++)
        mr_group_leave(topic, &seats[i]);
}
END_TEST

/* ---- how much is left to the others of the group ---- */

/* As if what was given out last had taken our user no time, or very long: the clock is not
 * asked. */
static void took_no_time(struct mr_consumer *c)
{
    ck_assert_uint_ne(c->claimed_ns, 0);
    c->claimed = UINT64_MAX;
}

static void took_ages(struct mr_consumer *c)
{
    ck_assert_uint_ne(c->claimed_ns, 0);
    c->claimed_ns = 1; /* since the machine was started */
}

/* Claims n records and acknowledges them. */
static void claim_of(struct mr_consumer *c, ssize_t n)
{
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), n);
    while (mr_consumer_next(c, &record) > 0)
        ;
    ck_assert_int_eq(mr_consumer_ack(c), 0);
}

START_TEST(who_is_fast_takes_more_than_a_share_and_who_is_slow_does_not)
{
    use((struct mr_settings){0});
    struct mr_consumer *a = consumer(), *b = consumer();
    put_numbers(producer, 0, 0, 80);
    claim_of(a, 40); /* nothing is known yet: half of it */
    ck_assert_uint_eq(a->claimed, 40);
    put_numbers(producer, 0, 80, 60);
    took_no_time(a);
    claim_of(a, 64); /* more than half of 100, and no more than so many */
    took_ages(a);
    claim_of(a, 18); /* half of 36 */
    took_no_time(a); /* once: what it took before still counts */
    claim_of(a, 9);
    claim_of(b, 5); /* each for itself */
    mr_consumer_close(a);
    mr_consumer_close(b);
}
END_TEST

START_TEST(what_a_record_takes_is_known_from_the_last_ones_too)
{
    use((struct mr_settings){0});
    struct mr_consumer *a = consumer(), *b = consumer();
    put_numbers(producer, 0, 0, 20);
    claim_of(a, 10);
    took_no_time(a);
    /* of these three quarters are 15000: three of them are less than the 50000 that a wakeup
     * costs */
    a->record_ns = 20000;
    claim_of(a, 5);
    ck_assert_uint_eq(a->seat.least, 3);
    claim_of(b, 3); /* half of 5 */
    took_no_time(a);
    a->record_ns = 20000;
    claim_of(a, 2); /* all that is there, in place of one */
    ck_assert_int_eq(mr_consumer_claim(a, 0, 0), -ETIMEDOUT);
    ck_assert_uint_eq(a->claimed_ns, 0); /* the time without records is not our user's */
    mr_consumer_close(a);
    mr_consumer_close(b);
}
END_TEST

START_TEST(what_was_given_back_or_failed_tells_nothing_of_how_long_a_record_takes)
{
    use((struct mr_settings){0});
    struct mr_consumer *a = consumer(), *b = consumer();
    put_numbers(producer, 0, 0, 20);
    ck_assert_int_eq(mr_consumer_claim(a, 0, 0), 10);
    next_is(a, "0");
    took_no_time(a);
    if (_i)
        ck_assert_int_eq(mr_consumer_fail(a, "bad"), 0);
    else
        ck_assert_int_eq(mr_consumer_give_back(a), 0);
    ck_assert_int_eq(mr_consumer_claim(a, 0, 0), _i ? 1 : 10);
    ck_assert_uint_eq(a->record_ns, 0);
    mr_consumer_close(a);
    mr_consumer_close(b);
}
END_TEST

START_TEST(alone_in_its_group_nobody_measures)
{
    use((struct mr_settings){0});
    struct mr_consumer *a = consumer();
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_consumer_claim(a, 0, 0), 4);
    ck_assert_uint_eq(a->claimed_ns, 0);
    mr_consumer_close(a);
}
END_TEST

/* ---- who waits for room ---- */

/* A producer waits until all is acknowledged up to here. */
static uint32_t wants(uint64_t pos)
{
    atomic_store(&topic->logs[0].want, pos);
    return mr_cond_prepare(&topic->shm->space);
}

static int producers_told(uint32_t ticket)
{
    /* told once */
    ck_assert_int_eq(word(&topic->logs[0].want) == MR_NONE, told(&topic->shm->space, ticket));
    return told(&topic->shm->space, ticket);
}

START_TEST(acknowledging_what_a_producer_wants_tells_it_in_the_middle_of_a_claim)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 4);
    uint32_t ticket = wants(2 * mr_record_bytes(1, 0, 0));
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert(!producers_told(ticket));
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert(producers_told(ticket));
    mr_consumer_close(c);
}
END_TEST

/* The end of a claim may be all that held back what others have acknowledged behind it. */
START_TEST(acknowledging_a_whole_claim_tells_whoever_wants_more)
{
    use((struct mr_settings){0});
    struct mr_consumer *a = consumer(), *b = consumer();
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_consumer_claim(a, 1, 0), 1);
    next_is(a, "0");
    claim_of(b, 2);
    uint32_t ticket = wants(b->end);
    ck_assert_int_eq(mr_consumer_ack(a), 0);
    ck_assert(producers_told(ticket));
    mr_consumer_close(a);
    mr_consumer_close(b);
}
END_TEST

/* ---- failing ---- */

START_TEST(failed_record_comes_again_alone_and_all_before_it_are_acknowledged)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 4);
    next_is(c, "0");
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_fail(c, "bad"), 0);
    ck_assert_int_eq(mr_consumer_next(c, &record), 0);
    ck_assert_int_eq(mr_consumer_lag(c), 3);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_uint_eq(record.offset, 1);
    ck_assert_uint_eq(record.try_number, 2);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    next_is(c, "2");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    mr_consumer_close(c);
}
END_TEST

START_TEST(without_a_record_in_hand_nothing_can_fail)
{
    use((struct mr_settings){.tries = 1});
    struct mr_consumer *c = consumer();
    ck_assert_int_eq(mr_consumer_fail(c, "x"), -EINVAL);
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_fail(c, "x"), -EINVAL);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_fail(c, "x"), -EINVAL); /* it is acknowledged */
    mr_consumer_close(c);
}
END_TEST

/* ---- death ---- */

static int claims_and_dies(void *arg)
{
    int reads = *(int *)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    if (mr_consumer_open(t, NULL, &c) || mr_consumer_claim(c, 0, 0) < 1)
        return 1;
    for (int i = 0; i < reads; i++)
        if (mr_consumer_next(c, &record) != 1)
            return 2;
    kill(getpid(), SIGKILL);
    return 3;
}

START_TEST(record_in_hand_of_a_dead_consumer_comes_alone_and_only_it_is_blamed)
{
    use((struct mr_settings){0});
    int reads = 2;
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(ended(child(claims_and_dies, &reads)), -SIGKILL);
    struct mr_consumer *c = consumer(); /* finds out by itself: joining looks for the dead */
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_uint_eq(record.offset, 0);
    ck_assert_uint_eq(record.try_number, 1);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_uint_eq(record.offset, 1);
    ck_assert_uint_eq(record.try_number, 2);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_uint_eq(record.try_number, 1);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    struct mr_consumer_stats stats = {0};
    mr_consumer_stats(c, &stats);
    ck_assert_uint_eq(stats.redelivered, 4); /* the whole claim */
    mr_consumer_close(c);
}
END_TEST

START_TEST(waiting_consumer_gets_what_a_dead_one_held)
{
    use((struct mr_settings){0});
    int reads = 0;
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(ended(child(claims_and_dies, &reads)), -SIGKILL);
    ck_assert_int_eq(mr_consumer_claim(c, 0, HUNG_NS), 1); /* it is not told */
    ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_uint_eq(record.try_number, 1); /* it had nothing in hand */
    mr_consumer_close(c);
}
END_TEST

/* Gives its claim back, and dies when that is decided and nothing of it is done: no word of the
 * group says so. */
static int dies_giving_back(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    if (mr_consumer_open(t, NULL, &c) || mr_consumer_claim(c, 0, 0) < 1 ||
        mr_group_lock(t, c->seat.group))
        return 1;
    struct mr_group_shm *group = &t->groups[c->seat.group];
    struct mr_member_shm *member = &t->members[c->seat.member];
    struct mr_tx tx = mr_tx_begin(t, &group->lock);
    mr_tx_set(&tx, &member->owner, 0);
    mr_tx_set(&tx, &group->orphans, word(&group->orphans) + 1);
    atomic_store(&tx.redo->armed, tx.n);
    kill(getpid(), SIGKILL);
    return 2;
}

START_TEST(who_polls_gets_what_a_dead_one_was_giving_back)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(ended(child(dies_giving_back, NULL)), -SIGKILL);
    ck_assert_uint_eq(word(&topic->groups[0].orphans), 0); /* nothing is to be seen ... */
    ck_assert_uint_eq(take_all(c), 1);                     /* ... but by who takes the lock */
    mr_consumer_close(c);
    check_invariants(topic);
}
END_TEST

/* Also where nothing is there to claim, and without waiting: who polls would never learn it. */
START_TEST(claim_of_a_fenced_consumer_is_estale)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT);
    ck_assert_int_eq(mr_topic_lock(topic), 0);
    ck_assert_int_eq(mr_groups_orphan(topic, mr_bus_self(bus), 1), 0);
    mr_unlock(&topic->shm->lock);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ESTALE);
    ck_assert_int_eq(mr_consumer_claim(c, 0, -1), -ESTALE);
    mr_consumer_close(c);
}
END_TEST

START_TEST(late_acknowledgement_of_a_fenced_consumer_is_estale)
{
    use((struct mr_settings){0});
    struct mr_consumer *a = consumer();
    put_numbers(producer, 0, 0, 3);
    ck_assert_int_eq(mr_consumer_claim(a, 0, 0), 3);
    next_is(a, "0");
    /* As if it had been taken for dead: its slot is an orphan, which another client takes over. */
    struct mr_bus *other;
    struct mr_topic *t;
    struct mr_consumer *b;
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), NULL, &other), 0);
    ck_assert_int_eq(mr_topic_open(other, "t", &t), 0);
    ck_assert_int_eq(mr_consumer_open(t, NULL, &b), 0);
    ck_assert_int_eq(mr_topic_lock(topic), 0);
    ck_assert_int_eq(mr_groups_orphan(topic, mr_bus_self(bus), 1), 0);
    mr_unlock(&topic->shm->lock);
    ck_assert_int_eq(mr_consumer_claim(b, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_ack(a), -ESTALE);
    ck_assert_int_eq(mr_consumer_fail(a, "late"), -ESTALE);
    ck_assert_int_eq(mr_consumer_give_back(a), -ESTALE);
    ck_assert_uint_eq(take_all(b), 3);
    mr_consumer_close(a);
    mr_consumer_close(b);
    mr_topic_close(t);
    mr_bus_disconnect(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consume");
    TCase *tcase = tcase_create("consume");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    tcase_add_test(tcase, records_come_in_order_and_once);
    tcase_add_test(tcase, claim_is_bounded_by_max_and_window);
    tcase_add_test(tcase, part_of_a_claim_can_be_acknowledged);
    tcase_add_test(tcase, next_claim_is_refused_while_something_is_unacknowledged);
    tcase_add_test(tcase, given_back_records_come_again_without_blame);
    tcase_add_test(tcase, given_back_records_go_to_whoever_claims);
    tcase_add_test(tcase, give_back_without_a_free_slot_keeps_the_claim_and_gives_it_again);
    tcase_add_test(tcase, who_is_fast_takes_more_than_a_share_and_who_is_slow_does_not);
    tcase_add_test(tcase, what_a_record_takes_is_known_from_the_last_ones_too);
    tcase_add_loop_test(
        tcase, what_was_given_back_or_failed_tells_nothing_of_how_long_a_record_takes, 0, 2);
    tcase_add_test(tcase, alone_in_its_group_nobody_measures);
    tcase_add_test(tcase, acknowledging_what_a_producer_wants_tells_it_in_the_middle_of_a_claim);
    tcase_add_test(tcase, acknowledging_a_whole_claim_tells_whoever_wants_more);
    tcase_add_test(tcase, failed_record_comes_again_alone_and_all_before_it_are_acknowledged);
    tcase_add_test(tcase, without_a_record_in_hand_nothing_can_fail);
    tcase_add_test(tcase, record_in_hand_of_a_dead_consumer_comes_alone_and_only_it_is_blamed);
    tcase_add_test(tcase, waiting_consumer_gets_what_a_dead_one_held);
    tcase_add_test(tcase, who_polls_gets_what_a_dead_one_was_giving_back);
    tcase_add_test(tcase, claim_of_a_fenced_consumer_is_estale);
    tcase_add_test(tcase, late_acknowledgement_of_a_fenced_consumer_is_estale);
    return test_main(suite);
}
