/* check_consume_wait.c - the consumer's side: when there is nothing to claim. Where it ends, how
 * long it waits, what wakes it. */
#include "core/group.h"
#include "tests/clock/clock.h"
#include "tests/shared/topic.h"

#include <pthread.h>

static struct mr_consumer *consumer(void)
{
    return consumer_with(topic, (struct mr_consumer_options){0});
}

/* ---- ending ---- */

START_TEST(until_end_stops_where_the_end_was)
{
    use((struct mr_settings){.partitions = 2});
    put_numbers(producer, 0, 0, 3);
    struct mr_consumer *c = consumer_with(
        topic, (struct mr_consumer_options){.flags = MR_UNTIL_END | (_i ? MR_PEEK : 0)});
    put_numbers(producer, 0, 3, 2);
    put_numbers(producer, 1, 0, 2);
    ck_assert_uint_eq(take_all(c), 3);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ENODATA);
    ck_assert_int_eq(mr_consumer_claim(c, 0, -1), -ENODATA);
    mr_consumer_close(c);
}
END_TEST

START_TEST(until_end_of_an_empty_topic_is_at_once)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer_with(
        topic, (struct mr_consumer_options){.flags = MR_UNTIL_END | (_i ? MR_PEEK : 0)});
    ck_assert_int_eq(mr_consumer_claim(c, 0, -1), -ENODATA);
    mr_consumer_close(c);
}
END_TEST

START_TEST(sealed_topic_ends_only_when_all_is_acknowledged)
{
    use((struct mr_settings){.partitions = 2});
    struct mr_consumer *a = consumer(), *b = consumer();
    put_numbers(producer, 0, 0, 2);
    put_numbers(producer, 1, 0, 2);
    ck_assert_int_eq(mr_topic_seal(topic), 0);
    ck_assert_int_eq(mr_consumer_claim(a, 0, 0), 1);
    next_is(a, "0");
    ck_assert_uint_eq(take_all(b), 3);
    ck_assert_int_eq(mr_consumer_claim(b, 0, 0), -ETIMEDOUT); /* a's record could still come */
    ck_assert_int_eq(mr_consumer_ack(a), 0);
    ck_assert_int_eq(mr_consumer_claim(b, 0, 0), -ENODATA);
    ck_assert_int_eq(mr_consumer_claim(a, 0, -1), -ENODATA);
    mr_consumer_close(a);
    mr_consumer_close(b);
}
END_TEST

START_TEST(deleted_topic_is_eidrm)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer(), *late;
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_ANYWAY), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, -1), -EIDRM);
    ck_assert_int_eq(mr_consumer_open(topic, NULL, &late), -EIDRM);
    mr_consumer_close(c);
}
END_TEST

START_TEST(drained_says_when_producers_are_gone_and_all_is_acknowledged)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    ck_assert_int_eq(mr_consumer_drained(c), 0); /* a producer is attached */
    put_numbers(producer, 0, 0, 2);
    mr_producer_close(producer);
    producer = NULL;
    ck_assert_int_eq(mr_consumer_drained(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    next_is(c, "0");
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_drained(c), 0);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_drained(c), 1);
    mr_consumer_close(c);
}
END_TEST

/* The end of what producers send ends the claims too, and who sleeps is told: not by the clock, so
 * the sleepers' word has moved. */
START_TEST(until_drained_ends_when_the_last_producer_is_done)
{
    use((struct mr_settings){0});
    struct mr_consumer *c =
        consumer_with(topic, (struct mr_consumer_options){.flags = MR_UNTIL_DRAINED});
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    next_is(c, "0");
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT); /* a producer is attached */
    struct mr_cond *data = &topic->groups[0].data;            /* the only group */
    uint32_t ticket = mr_cond_prepare(data);
    mr_producer_close(producer);
    producer = NULL;
    ck_assert(told(data, ticket));
    ck_assert_int_eq(mr_consumer_claim(c, 0, -1), -ENODATA);
    mr_consumer_close(c);
}
END_TEST

/* The last acknowledgement is another's: who finds the end first tells those of the group who
 * sleep. */
START_TEST(until_drained_is_told_to_the_others_of_the_group)
{
    use((struct mr_settings){0});
    struct mr_consumer *a =
        consumer_with(topic, (struct mr_consumer_options){.flags = MR_UNTIL_DRAINED});
    struct mr_consumer *b =
        consumer_with(topic, (struct mr_consumer_options){.flags = MR_UNTIL_DRAINED});
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(mr_consumer_claim(b, 0, 0), 1);
    mr_producer_close(producer);
    producer = NULL;
    ck_assert_int_eq(mr_consumer_claim(a, 0, 0), -ETIMEDOUT); /* b has a record in hand */
    struct mr_cond *data = &topic->groups[0].data;            /* the only group */
    next_is(b, "0");
    ck_assert_int_eq(mr_consumer_ack(b), 0);
    uint32_t ticket = mr_cond_prepare(data);
    ck_assert_int_eq(mr_consumer_claim(b, 0, 0), -ENODATA);
    ck_assert(told(data, ticket));
    ck_assert_int_eq(mr_consumer_claim(a, 0, -1), -ENODATA);
    mr_consumer_close(a);
    mr_consumer_close(b);
}
END_TEST

START_TEST(topic_that_no_producer_has_come_to_is_not_drained)
{
    topic = topic_make("t", (struct mr_settings){0});
    producer = NULL;
    struct mr_consumer *c = consumer();
    ck_assert_int_eq(mr_consumer_drained(c), 0);
    ck_assert_int_eq(mr_topic_seal(topic), 0);
    ck_assert_int_eq(mr_consumer_drained(c), 1); /* and none will */
    mr_consumer_close(c);
}
END_TEST

static int produces_and_dies(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_producer *p;
    if (mr_producer_open(t, NULL, &p) || put(p, 0, "x") != 1)
        return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(drained_after_a_producer_died_says_so)
{
    topic = topic_make("t", (struct mr_settings){0});
    producer = NULL;
    struct mr_consumer *c = consumer();
    ck_assert_int_eq(ended(child(produces_and_dies, NULL)), -SIGKILL);
    ck_assert_int_eq(mr_consumer_drained(c), 0);
    ck_assert_uint_eq(take_all(c), 1);
    ck_assert_int_eq(mr_consumer_drained(c), 2);
    mr_consumer_close(c);
}
END_TEST

/* ---- waiting ---- */

START_TEST(claim_waits_as_long_as_told)
{
    clock_begin(CLOCK_ALONE);
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer();
    ck_assert_int_eq(mr_consumer_claim(c, 0, 20000000), -ETIMEDOUT);
    ck_assert_int_eq(clock_now_ns(), 20000000);
    struct mr_consumer_stats stats = {0};
    mr_consumer_stats(c, &stats);
    ck_assert_uint_eq(stats.starved_ns, 20000000);
    mr_consumer_close(c);
}
END_TEST

static volatile sig_atomic_t stop;

START_TEST(stop_ends_a_wait_with_eintr)
{
    struct mr_connect_options options = {.stop = &stop};
    struct mr_bus *other;
    struct mr_topic *t;
    struct mr_consumer *c;
    use((struct mr_settings){0});
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &options, &other), 0);
    ck_assert_int_eq(mr_topic_open(other, "t", &t), 0);
    ck_assert_int_eq(mr_consumer_open(t, NULL, &c), 0);
    stop = 1;
    ck_assert_int_eq(mr_consumer_claim(c, 0, -1), -EINTR);
    ck_assert_int_eq(mr_consumer_wait_any(&c, 1, -1), -EINTR);
    mr_consumer_close(c);
    mr_topic_close(t);
    mr_bus_disconnect(other);
}
END_TEST

/* A little that is there is left alone to grow, by one that waits: where it did not, it is not left
 * alone again. (That it is where it did grow cannot be tested without time.) What is no little: 32
 * KiB, or a quarter of the ring. */
static void a_little(uint64_t size_bytes, unsigned much)
{
    use((struct mr_settings){.size_bytes = size_bytes});
    struct mr_consumer *c = consumer();
    const unsigned n[] = {much / 40 + 1, much / 40}; /* records of 40 bytes, header included */
    c->coalesce_pauses = 1;                          /* as if it had grown last time */
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1); /* who polls takes what there is */
    ck_assert_uint_eq(c->coalesce_pauses, 1);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    for (int i = 0; i < 2; i++) {
        put_numbers(producer, 0, 0, n[i]);
        ck_assert_int_eq(mr_consumer_claim(c, 0, -1), (int)n[i]);
        ck_assert_uint_eq(c->coalesce_pauses, i == 0); /* what is much is worth it at once */
        while (mr_consumer_next(c, &(struct mr_record){0}) > 0)
            ;
        ck_assert_int_eq(mr_consumer_ack(c), 0);
    }
    mr_consumer_close(c);
}

START_TEST(a_little_that_does_not_grow_is_not_left_alone_again)
{
    a_little(1 << 20, 32768);
}
END_TEST

START_TEST(in_a_small_ring_less_is_much)
{
    a_little(65536, 16384);
}
END_TEST

START_TEST(who_takes_few_at_a_time_leaves_none_to_grow)
{
    use((struct mr_settings){.records_max = _i ? 63 : 0});
    struct mr_consumer *c = consumer();
    c->coalesce_pauses = 1; /* as if it had grown last time */
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(mr_consumer_claim(c, _i ? 0 : 63, -1), 2);
    ck_assert_uint_eq(c->coalesce_pauses, 1);
    mr_consumer_close(c);
}
END_TEST

/* A thread that claims without end of patience. */
struct claimer {
    pthread_t thread;
    struct mr_consumer *consumer;
    struct mr_cond *data;
    uint32_t ticket;
    ssize_t result;
};

static void *claims(void *arg)
{
    struct claimer *claimer = arg;
    claimer->result = mr_consumer_claim(claimer->consumer, 0, -1);
    return NULL;
}

static void start(struct claimer *claimer)
{
    claimer->data = &topic->groups[claimer->consumer->seat.group].data;
    ck_assert_int_eq(pthread_create(&claimer->thread, NULL, claims, claimer), 0);
    /* flagged itself: about to sleep */
    wait_until((claimer->ticket = atomic_load(&claimer->data->word)) & 1);
}

static ssize_t result(struct claimer *claimer)
{
    ck_assert(told(claimer->data, claimer->ticket)); /* by what has just happened */
    ck_assert_int_eq(pthread_join(claimer->thread, NULL), 0);
    return claimer->result;
}

START_TEST(append_wakes_a_waiting_consumer)
{
    use((struct mr_settings){0});
    struct claimer claimer = {.consumer = consumer()};
    start(&claimer);
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(result(&claimer), 1);
    mr_consumer_close(claimer.consumer);
}
END_TEST

START_TEST(seal_and_delete_wake_a_waiting_consumer)
{
    use((struct mr_settings){0});
    struct claimer claimer = {.consumer = consumer()};
    start(&claimer);
    ck_assert_int_eq(_i ? mr_topic_delete(topic, MR_DELETE_ANYWAY) : mr_topic_seal(topic), 0);
    ck_assert_int_eq(result(&claimer), _i ? -EIDRM : -ENODATA);
    mr_consumer_close(claimer.consumer);
}
END_TEST

START_TEST(last_acknowledgement_of_a_sealed_topic_wakes_who_waits_for_the_end)
{
    use((struct mr_settings){0});
    struct mr_consumer *a = consumer();
    struct claimer claimer = {.consumer = consumer()};
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(mr_consumer_claim(a, 0, 0), 1);
    ck_assert_int_eq(mr_topic_seal(topic), 0);
    start(&claimer);
    next_is(a, "0");
    ck_assert_int_eq(mr_consumer_ack(a), 0);
    ck_assert_int_eq(result(&claimer), -ENODATA);
    mr_consumer_close(a);
    mr_consumer_close(claimer.consumer);
}
END_TEST

START_TEST(ordered_partition_that_is_free_again_wakes_who_waits_for_it)
{
    use((struct mr_settings){0});
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){.flags = MR_ORDERED});
    struct claimer claimer = {.consumer = consumer()};
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_consumer_claim(a, 1, 0), 1);
    ck_assert_int_eq(mr_consumer_claim(claimer.consumer, 0, 0), -ETIMEDOUT);
    start(&claimer);
    next_is(a, "0");
    ck_assert_int_eq(mr_consumer_ack(a), 0);
    ck_assert_int_gt(result(&claimer), 0);
    next_is(claimer.consumer, "1");
    mr_consumer_close(a);
    mr_consumer_close(claimer.consumer);
}
END_TEST

START_TEST(any_of_several_topics_ends_the_wait)
{
    use((struct mr_settings){0});
    struct mr_topic *second = topic_make("u", (struct mr_settings){0});
    struct mr_producer *p = producer_on(second);
    struct mr_consumer *both[2] = {consumer(),
                                   consumer_with(second, (struct mr_consumer_options){0})};
    ck_assert_int_eq(mr_consumer_wait_any(both, 2, 1000000), -ETIMEDOUT);
    ck_assert_int_eq(mr_consumer_wait_any(both, 2, 0), -ETIMEDOUT);
    ck_assert_int_eq(mr_consumer_wait_any(both, 0, 0), -EINVAL);
    put_numbers(p, 0, 0, 1);
    ck_assert_int_eq(mr_consumer_wait_any(both, 2, -1), 0);
    ck_assert_int_eq(mr_consumer_claim(both[0], 0, 0), -ETIMEDOUT);
    ck_assert_int_eq(mr_consumer_claim(both[1], 0, 0), 1);
    next_is(both[1], "0");
    ck_assert_int_eq(mr_consumer_ack(both[1]), 0);
    ck_assert_int_eq(mr_topic_seal(topic), 0);
    ck_assert_int_eq(mr_consumer_wait_any(both, 2, -1), 0); /* an end is something too */
    ck_assert_int_eq(mr_consumer_claim(both[0], 0, 0), -ENODATA);
    mr_consumer_close(both[0]);
    mr_consumer_close(both[1]);
    mr_producer_close(p);
    mr_topic_close(second);
}
END_TEST

static void *waits_for_any(void *arg)
{
    struct mr_consumer **both = arg;
    return (void *)(intptr_t)mr_consumer_wait_any(both, 2, -1);
}

START_TEST(wait_for_any_is_woken_by_each)
{
    use((struct mr_settings){0});
    struct mr_topic *topics[2] = {topic, topic_make("u", (struct mr_settings){0})};
    struct mr_producer *producers[2] = {producer, producer_on(topics[1])};
    struct mr_consumer *both[2] = {consumer(),
                                   consumer_with(topics[1], (struct mr_consumer_options){0})};
    for (int round = 0; round < 20; round++) {
        struct mr_cond *data = &topics[round % 2]->groups[0].data; /* the only group */
        uint32_t ticket;
        pthread_t thread;
        void *got;
        ck_assert_int_eq(pthread_create(&thread, NULL, waits_for_any, both), 0);
        wait_until((ticket = atomic_load(&data->word)) & 1);
        ck_assert_int_eq(put(producers[round % 2], 0, "x"), 1);
        ck_assert(told(data, ticket));
        ck_assert_int_eq(pthread_join(thread, &got), 0);
        ck_assert_ptr_null(got);
        ck_assert_uint_eq(take_all(both[round % 2]), 1);
    }
    mr_consumer_close(both[0]);
    mr_consumer_close(both[1]);
    mr_producer_close(producers[1]);
    mr_topic_close(topics[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consume_wait");
    TCase *tcase = tcase_create("consume_wait");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    tcase_add_loop_test(tcase, until_end_stops_where_the_end_was, 0, 2);
    tcase_add_loop_test(tcase, until_end_of_an_empty_topic_is_at_once, 0, 2);
    tcase_add_test(tcase, sealed_topic_ends_only_when_all_is_acknowledged);
    tcase_add_test(tcase, deleted_topic_is_eidrm);
    tcase_add_test(tcase, drained_says_when_producers_are_gone_and_all_is_acknowledged);
    tcase_add_test(tcase, until_drained_ends_when_the_last_producer_is_done);
    tcase_add_test(tcase, until_drained_is_told_to_the_others_of_the_group);
    tcase_add_test(tcase, topic_that_no_producer_has_come_to_is_not_drained);
    tcase_add_test(tcase, drained_after_a_producer_died_says_so);
    tcase_add_test(tcase, claim_waits_as_long_as_told);
    tcase_add_test(tcase, stop_ends_a_wait_with_eintr);
    tcase_add_test(tcase, a_little_that_does_not_grow_is_not_left_alone_again);
    tcase_add_test(tcase, in_a_small_ring_less_is_much);
    tcase_add_loop_test(tcase, who_takes_few_at_a_time_leaves_none_to_grow, 0, 2);
    tcase_add_test(tcase, append_wakes_a_waiting_consumer);
    tcase_add_loop_test(tcase, seal_and_delete_wake_a_waiting_consumer, 0, 2);
    tcase_add_test(tcase, last_acknowledgement_of_a_sealed_topic_wakes_who_waits_for_the_end);
    tcase_add_test(tcase, ordered_partition_that_is_free_again_wakes_who_waits_for_it);
    tcase_add_test(tcase, any_of_several_topics_ends_the_wait);
    tcase_add_test(tcase, wait_for_any_is_woken_by_each);
    return test_main(suite);
}
