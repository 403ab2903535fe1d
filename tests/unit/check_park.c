/* check_park.c - a record that the dead-letter topic does not take waits, and is tried again. */
#include "tests/shared/topic.h"

static struct mr_topic *dead;
static void use_sealed(struct mr_settings settings)
{
    use(settings);
    dead = topic_make("t.dead", (struct mr_settings){0});
    ck_assert_int_eq(mr_topic_seal(dead), 0);
}

START_TEST(records_that_wait_take_no_more_slots_than_they_must)
{
    struct mr_record r;
    unsigned used = 0;
    use_sealed((struct mr_settings){.tries = 1, .size_bytes = 65536});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){.group = "bad"});
    put_numbers(producer, 0, 0, 300);
    for (int i = 0; i < 300; i++) {
        ck_assert_int_ge(mr_consumer_claim(c, 1, 0), 1);
        ck_assert_int_eq(mr_consumer_next(c, &r), 1);
        ck_assert_int_eq(mr_consumer_fail(c, "bad"), 2);
    }
    for (uint32_t i = 0; i < topic->member_cnt; i++)
        used += word(&topic->members[i].group) != 0;
    ck_assert_uint_eq(used, 2);
    struct mr_consumer_stats stats = {0};
    mr_consumer_stats(c, &stats);
    ck_assert_uint_eq(stats.parked, 300);
    check_invariants(topic);
    /* may try them at once */
    struct mr_consumer *heir = consumer_with(topic, (struct mr_consumer_options){.group = "bad"});
    /* the first one's tries are used up; the others have lost their counts */
    ck_assert_uint_eq(take_all(heir), 299);
    mr_consumer_close(heir);
    mr_consumer_close(c);
}
END_TEST

static int gives_up(const struct mr_wait *wait, void *arg)
{
    (void)arg;
    return wait->what == MR_WAIT_DEAD;
}

static struct mr_bus *own;
static struct mr_topic *own_topic;

static struct mr_consumer *consumer_that_gives_up(uint32_t flags)
{
    ck_assert_int_eq(
        mr_bus_connect(mr_bus_name(bus), &(struct mr_connect_options){.on_wait = gives_up}, &own),
        0);
    ck_assert_int_eq(mr_topic_open(own, "t", &own_topic), 0);
    return consumer_with(own_topic, (struct mr_consumer_options){.flags = flags});
}

static void close_it(struct mr_consumer *c)
{
    mr_consumer_close(c);
    mr_topic_close(own_topic);
    mr_bus_disconnect(own);
}

START_TEST(who_gives_up_when_told_of_a_waiting_record_can_go_on)
{
    struct mr_record r;
    use_sealed((struct mr_settings){.tries = 1});
    struct mr_consumer *c = consumer_that_gives_up(0);
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(c, &r), 1);
    ck_assert_int_eq(mr_consumer_fail(c, "bad"), -EINTR);
    put_numbers(producer, 0, 1, 1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    close_it(c);
}
END_TEST

START_TEST(nothing_passes_a_record_of_an_ordered_group_that_cannot_be_buried)
{
    struct mr_record r;
    use_sealed((struct mr_settings){.tries = 1});
    struct mr_consumer *c = consumer_that_gives_up(MR_ORDERED | MR_UNTIL_END);
    close_it(c);
    put_numbers(producer, 0, 0, 2);
    c = consumer_that_gives_up(MR_ORDERED | MR_UNTIL_END);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    ck_assert_int_eq(mr_consumer_next(c, &r), 1);
    /* it waits for the dead-letter topic, until told to give up */
    ck_assert_int_eq(mr_consumer_fail(c, "bad"), -EINTR);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -EINTR);
    ck_assert_int_eq(mr_consumer_lag(c), 2);
    atomic_store(&dead->shm->sealed, 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ENODATA);
    close_it(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("park");
    TCase *tcase = tcase_create("park");
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, records_that_wait_take_no_more_slots_than_they_must);
    tcase_add_test(tcase, who_gives_up_when_told_of_a_waiting_record_can_go_on);
    tcase_add_test(tcase, nothing_passes_a_record_of_an_ordered_group_that_cannot_be_buried);
    return test_main(suite);
}
