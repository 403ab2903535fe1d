/* check_rewind.c - reading a claim once more (mr_consumer_rewind), and whether there is one
 * (mr_consumer_holds). */
#include "core/group.h"
#include "tests/shared/topic.h"

static void gives(struct mr_consumer *c, unsigned first, unsigned n)
{
    char value[16];
    for (unsigned i = first; i < first + n; i++) {
        snprintf(value, sizeof value, "%u", i);
        next_is(c, value);
    }
}

START_TEST(what_was_given_is_given_again)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 5);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 5);
    ck_assert_int_eq(mr_consumer_rewind(c), 0); /* nothing was given yet */
    gives(c, 0, 3);
    ck_assert_int_eq(mr_consumer_rewind(c), 0);
    /* who dies now dies of none of them */
    ck_assert_uint_eq(word(&mr_consumer_slot(c)->in_hand), MR_NONE);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 5);
    gives(c, 0, 2);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    gives(c, 2, 3);
    ck_assert_int_eq(mr_consumer_rewind(c), 0); /* not behind what is acknowledged */
    gives(c, 2, 3);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_rewind(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT);
    mr_consumer_close(c);
    check_invariants(topic);
}
END_TEST

/* The claim lies around the end of the ring: 4 KiB, and each turn of the loop begins elsewhere in
 * it. */
START_TEST(across_the_end_of_the_ring)
{
    use((struct mr_settings){.full = (uint32_t)(_i ? MR_FULL_DROP_OLDEST : MR_FULL_BLOCK)});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    unsigned next = 0;
    for (unsigned turn = 0; turn < 60; turn++) {
        put_numbers(producer, 0, next, 23);
        ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 23);
        gives(c, next, 1 + turn % 22);
        ck_assert_int_eq(mr_consumer_ack(c), 0);
        gives(c, next + 1 + turn % 22, 22 - turn % 22);
        ck_assert_int_eq(mr_consumer_rewind(c), 0);
        gives(c, next + 1 + turn % 22, 22 - turn % 22);
        ck_assert_int_eq(mr_consumer_ack(c), 0);
        next += 23;
    }
    mr_consumer_close(c);
    check_invariants(topic);
}
END_TEST

START_TEST(a_failed_record_stays_alone)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    struct mr_record record;
    put_numbers(producer, 0, 0, 3);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 3);
    gives(c, 0, 1);
    ck_assert_int_eq(mr_consumer_fail(c, "no"), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    gives(c, 0, 1);
    ck_assert_int_eq(mr_consumer_rewind(c), 0);
    ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_uint_eq(record.try_number, 2); /* neither more nor less */
    ck_assert_int_eq(mr_consumer_next(c, &record), 0);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    mr_consumer_close(c);
}
END_TEST

START_TEST(holds_says_whether_there_is_a_claim)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){.tries = 2});
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_consumer_holds(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 2, 0), 2);
    ck_assert_int_eq(mr_consumer_holds(c), 1);
    gives(c, 0, 2);
    ck_assert_int_eq(mr_consumer_holds(c), 1);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_holds(c), 0); /* though there are more to claim */
    ck_assert_int_eq(mr_consumer_claim(c, 2, 0), 2);
    gives(c, 2, 1);
    ck_assert_int_eq(mr_consumer_fail(c, "no"), 0);
    ck_assert_int_eq(mr_consumer_holds(c), 1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    gives(c, 2, 1);
    /* gone to the dead letters; the one behind it is still ours */
    ck_assert_int_eq(mr_consumer_fail(c, "no"), 1);
    ck_assert_int_eq(mr_consumer_holds(c), 1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    gives(c, 3, 1);
    ck_assert_int_eq(mr_consumer_give_back(c), 0);
    ck_assert_int_eq(mr_consumer_holds(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1); /* the orphan */
    ck_assert_int_eq(mr_consumer_holds(c), 1);
    mr_consumer_close(c);

    c = consumer_with(topic, (struct mr_consumer_options){.flags = MR_PEEK});
    ck_assert_int_eq(mr_consumer_rewind(c), -EINVAL);
    ck_assert_int_eq(mr_consumer_holds(c), 0);
    mr_consumer_close(c);
    struct mr_topic *dead;
    ck_assert_int_eq(mr_topic_open(bus, "t.dead", &dead), 0);
    ck_assert_int_eq(mr_topic_delete(dead, MR_DELETE_ANYWAY), 0);
    mr_topic_close(dead);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rewind");
    TCase *tests = tcase_create("rewind");
    tcase_add_checked_fixture(tests, bus_setup, topic_teardown);
    tcase_add_test(tests, what_was_given_is_given_again);
    tcase_add_loop_test(tests, across_the_end_of_the_ring, 0, 2);
    tcase_add_test(tests, a_failed_record_stays_alone);
    tcase_add_test(tests, holds_says_whether_there_is_a_claim);
    suite_add_tcase(suite, tests);
    return test_main(suite);
}
