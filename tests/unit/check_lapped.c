/* check_lapped.c - reading what is not kept for the reader: peeking, and groups of a topic that
 * drops its oldest records. */
#include "core/group.h"
#include "tests/shared/topic.h"

static struct mr_record record;

static struct mr_consumer *consumer(void)
{
    return consumer_with(topic, (struct mr_consumer_options){0});
}

static struct mr_consumer_stats stats_of(const struct mr_consumer *c)
{
    struct mr_consumer_stats stats = {0};
    mr_consumer_stats(c, &stats);
    return stats;
}

/* ---- peeking ---- */

START_TEST(peeking_takes_nothing_and_holds_nobody_back)
{
    use((struct mr_settings){.records_max = 4});
    struct mr_consumer *peek = consumer_with(topic, (struct mr_consumer_options){.flags = MR_PEEK}),
                       *c = consumer();
    put_numbers(producer, 0, 0, 4);
    /* max bounds claims; a peek takes what it finds */
    ck_assert_int_eq(mr_consumer_claim(peek, 2, 0), 4);
    next_is(peek, "0");
    ck_assert_int_eq(mr_consumer_ack(peek), 0);
    ck_assert_int_eq(mr_consumer_fail(peek, "x"), -EINVAL);
    ck_assert_int_eq(mr_consumer_drained(peek), -EINVAL);
    ck_assert_uint_eq(take_all(c), 4);
    put_numbers(producer, 0, 4, 4);
    ck_assert_uint_eq(take_all(peek), 7);
    ck_assert_uint_eq(stats_of(peek).lost, 0);
    ck_assert_int_eq(mr_consumer_lag(peek), 0);
    mr_consumer_close(peek);
    mr_consumer_close(c);
}
END_TEST

START_TEST(lapped_peek_counts_what_it_missed)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST, .records_max = 4});
    put_numbers(producer, 0, 0, 2);
    struct mr_consumer *peek = consumer_with(topic, (struct mr_consumer_options){.flags = MR_PEEK});
    ck_assert_uint_eq(take_all(peek), 2);
    put_numbers(producer, 0, 2, 20);
    ck_assert_int_eq(mr_consumer_claim(peek, 0, 0), 4);
    next_is(peek, "18");
    ck_assert_uint_eq(stats_of(peek).lost, 16);
    mr_consumer_close(peek);
}
END_TEST

START_TEST(peek_reads_a_record_longer_than_its_step)
{
    use((struct mr_settings){.size_bytes = 1 << 20});
    char *value = malloc(300000);
    memset(value, 'v', 300000);
    struct mr_message msgs[2] = {{.value = "s", .value_len = 1},
                                 {.value = value, .value_len = 300000}};
    ck_assert_int_eq(mr_producer_append(producer, msgs, 2, 0), 2);
    struct mr_consumer *peek = consumer_with(topic, (struct mr_consumer_options){.flags = MR_PEEK});
    ck_assert_int_eq(mr_consumer_claim(peek, 0, 0), 1);
    next_is(peek, "s");
    ck_assert_int_eq(mr_consumer_claim(peek, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(peek, &record), 1);
    ck_assert_uint_eq(record.value_len, 300000);
    ck_assert_mem_eq(record.value, value, 300000);
    mr_consumer_close(peek);
    free(value);
}
END_TEST

START_TEST(observer_peeks)
{
    struct mr_connect_options options = {.flags = MR_OBSERVER};
    struct mr_bus *observer;
    struct mr_topic *t;
    struct mr_consumer *peek;
    struct mr_consumer_options peeks = {.flags = MR_PEEK, .start = MR_START_LAST, .start_arg = 2};
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 5);
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &options, &observer), 0);
    ck_assert_int_eq(mr_topic_open(observer, "t", &t), 0);
    ck_assert_int_eq(mr_consumer_open(t, &peeks, &peek), 0);
    ck_assert_int_eq(mr_consumer_claim(peek, 0, 0), 2);
    next_is(peek, "3");
    next_is(peek, "4");
    ck_assert_int_eq(mr_consumer_claim(peek, 0, 1000000), -ETIMEDOUT);
    mr_consumer_close(peek);
    mr_topic_close(t);
    mr_bus_disconnect(observer);
}
END_TEST

START_TEST(peek_survives_any_tail)
{
    static const uint64_t tails[] = {8, 4096, 1 << 20, (uint64_t)1 << 60, UINT64_MAX};
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 5);
    struct mr_consumer *peek = consumer_with(topic, (struct mr_consumer_options){.flags = MR_PEEK});
    topic->logs[0].tail = tails[_i];
    ck_assert_int_lt(mr_consumer_claim(peek, 0, 1000000), 0);
    mr_consumer_close(peek);
}
END_TEST

/* ---- drop-oldest ---- */

START_TEST(lapped_group_counts_what_it_lost_and_goes_on)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST, .records_max = 4});
    struct mr_consumer *c = consumer();
    struct mr_group_info info = {0};
    put_numbers(producer, 0, 0, 20);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 4);
    next_is(c, "16");
    ck_assert_uint_eq(stats_of(c).lost, 16);
    put_numbers(producer, 0, 20, 20); /* what was claimed is a copy: nothing happens to it */
    next_is(c, "17");
    next_is(c, "18");
    next_is(c, "19");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 4);
    next_is(c, "36");
    ck_assert_uint_eq(stats_of(c).lost, 32);
    ck_assert_int_eq(mr_group_info(topic, 0, &info), 1);
    ck_assert_uint_eq(info.lost, 32);
    check_invariants(topic);
    mr_consumer_close(c);
}
END_TEST

/* A producer moves the tail before it writes and publishes: for a while all that there was is gone,
 * and nothing new there. */
START_TEST(group_is_told_of_no_claim_while_a_producer_has_made_room_for_all_that_there_is)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST});
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 4);
    atomic_store(&topic->logs[0].tail, word(&topic->logs[0].head));
    ck_assert_int_eq(mr_consumer_claim(c, 3, 0), -ETIMEDOUT);
    ck_assert_uint_eq(stats_of(c).lost, 4);
    put_numbers(producer, 0, 4, 1);
    ck_assert_uint_eq(take_all(c), 1);
    ck_assert_uint_eq(stats_of(c).lost, 4);
    check_invariants(topic);
    mr_consumer_close(c);
}
END_TEST

START_TEST(records_overwritten_after_they_were_given_back_are_lost_once)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST, .records_max = 8});
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 8);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 8);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_int_eq(mr_consumer_fail(c, "x"), 0); /* 0 to 3 are acknowledged by it */
    put_numbers(producer, 0, 8, 8);                /* and 4 to 7 overwritten */
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 8);
    next_is(c, "8");
    ck_assert_uint_eq(stats_of(c).lost, 4);
    mr_consumer_close(c);
}
END_TEST

#ifndef MR_TSAN /* there the wait is a plain lock, which cannot be given up */
static int gives_up(const struct mr_wait *wait, void *arg)
{
    (void)wait;
    (void)arg;
    return 1;
}

/* Another member is about to store what it found lost, when we find the rest of our claim
 * overwritten. */
START_TEST(two_who_lose_records_at_once_are_both_counted)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST, .records_max = 8});
    struct mr_consumer *c = consumer();
    struct mr_group_shm *group = &topic->groups[0];
    struct mr_group_info info = {0};
    put_numbers(producer, 0, 0, 8);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 8);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_int_eq(mr_consumer_fail(c, "x"), 0);
    put_numbers(producer, 0, 8, 8);
    bus->options.on_wait = gives_up;
    ck_assert_int_eq(mr_group_lock(topic, 0), 0);
    struct mr_tx tx = mr_tx_begin(topic, &group->lock);
    mr_tx_set(&tx, &group->lost, word(&group->lost) + 3);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -EINTR);
    mr_tx_commit(&tx);
    mr_group_unlock(topic, 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 8);
    next_is(c, "8");
    ck_assert_uint_eq(stats_of(c).lost, 4);
    ck_assert_int_eq(mr_group_info(topic, 0, &info), 1);
    ck_assert_uint_eq(info.lost, 7);
    mr_consumer_close(c);
}
END_TEST
#endif

START_TEST(failed_record_of_a_dropping_topic_comes_again_alone_too)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST});
    struct mr_consumer *c = consumer();
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 4);
    next_is(c, "0");
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_fail(c, "x"), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_uint_eq(record.offset, 1);
    ck_assert_uint_eq(record.try_number, 2);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_uint_eq(record.try_number, 1);
    mr_consumer_close(c);
}
END_TEST

START_TEST(until_end_also_ends_when_all_below_it_was_overwritten)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST, .records_max = 4});
    put_numbers(producer, 0, 0, 3);
    struct mr_consumer *c = consumer_with(
        topic, (struct mr_consumer_options){.flags = MR_UNTIL_END | (_i ? MR_PEEK : 0)});
    put_numbers(producer, 0, 3, 20);
    ck_assert_int_eq(mr_consumer_claim(c, 0, HUNG_NS), -ENODATA);
    /* up to what is there now: that much is not read any more either */
    ck_assert_uint_ge(stats_of(c).lost, 3);
    check_invariants(topic);
    mr_consumer_close(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lapped");
    TCase *tcase = tcase_create("lapped");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    tcase_add_loop_test(tcase, until_end_also_ends_when_all_below_it_was_overwritten, 0, 2);
    tcase_add_test(tcase, peeking_takes_nothing_and_holds_nobody_back);
    tcase_add_test(tcase, lapped_peek_counts_what_it_missed);
    tcase_add_test(tcase, peek_reads_a_record_longer_than_its_step);
    tcase_add_test(tcase, observer_peeks);
    tcase_add_loop_test(tcase, peek_survives_any_tail, 0, 5);
    tcase_add_test(tcase, lapped_group_counts_what_it_lost_and_goes_on);
    tcase_add_test(tcase,
                   group_is_told_of_no_claim_while_a_producer_has_made_room_for_all_that_there_is);
#ifndef MR_TSAN
    tcase_add_test(tcase, two_who_lose_records_at_once_are_both_counted);
#endif
    tcase_add_test(tcase, records_overwritten_after_they_were_given_back_are_lost_once);
    tcase_add_test(tcase, failed_record_of_a_dropping_topic_comes_again_alone_too);
    return test_main(suite);
}
