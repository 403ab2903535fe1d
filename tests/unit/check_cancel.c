/* check_cancel.c - a wait is ended from another thread or a signal handler: that wait, no call that
 * has something to give, and not the next one. */
#include "tests/shared/support.h"

#include <pthread.h>

static struct mr_topic *topic;
static struct mr_producer *producer;
static struct mr_consumer *consumer;

static void use(struct mr_settings settings, uint32_t flags)
{
    topic = topic_make("t", settings);
    producer = producer_on(topic);
    consumer = consumer_with(topic, (struct mr_consumer_options){.flags = flags});
}

static void teardown(void)
{
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    mr_topic_close(topic);
    bus_teardown();
}

static void *claims(void *arg)
{
    *(ssize_t *)arg = mr_consumer_claim(consumer, 0, -1);
    return NULL;
}

static void *waits_for_any(void *arg)
{
    *(ssize_t *)arg = mr_consumer_wait_any(&consumer, 1, -1);
    return NULL;
}

static void *appends(void *arg)
{
    *(ssize_t *)arg =
        mr_producer_append(producer, &(struct mr_message){.value = "x", .value_len = 1}, 1, -1);
    return NULL;
}

static void *joins(void *arg)
{
    *(ssize_t *)arg = mr_producer_join(producer, -1);
    return NULL;
}

/* Runs the call in a thread, cancels once it sleeps there, and returns what it answers. */
static ssize_t cancelled(void *(*call)(void *), const struct mr_cond *where, int of_producer)
{
    pthread_t thread;
    ssize_t result = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, call, &result), 0);
    wait_until(atomic_load(&where->word) & 1); /* it is about to sleep, or sleeps */
    uint64_t since = mr_now_ns();
    if (of_producer)
        mr_producer_cancel(producer);
    else
        mr_consumer_cancel(consumer);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_lt(mr_now_ns() - since, HUNG_NS);
    return result;
}

START_TEST(claim_is_ended_once)
{
    use((struct mr_settings){0}, 0);
    ck_assert_int_eq(cancelled(claims, &topic->groups[consumer->seat.group].data, 0), -ECANCELED);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 1000000), -ETIMEDOUT);
    put_numbers(producer, 0, 0, 1);
    ck_assert_uint_eq(take_all(consumer), 1);
}
END_TEST

START_TEST(peeking_claim_is_ended)
{
    use((struct mr_settings){0}, MR_PEEK);
    ck_assert_int_eq(cancelled(claims, &consumer->peek_cond, 0), -ECANCELED);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 1000000), -ETIMEDOUT);
}
END_TEST

START_TEST(wait_for_any_is_ended)
{
    use((struct mr_settings){0}, 0);
    ck_assert_int_eq(cancelled(waits_for_any, &topic->groups[consumer->seat.group].data, 0),
                     -ECANCELED);
    ck_assert_int_eq(mr_consumer_wait_any(&consumer, 1, 1000000), -ETIMEDOUT);
}
END_TEST

START_TEST(records_for_one_handle_come_before_the_cancel_of_another)
{
    use((struct mr_settings){0}, 0);
    struct mr_topic *full = topic_make("full", (struct mr_settings){0});
    struct mr_producer *feeder = producer_on(full);
    struct mr_consumer *all[2] = {consumer, consumer_with(full, (struct mr_consumer_options){0})};
    put_numbers(feeder, 0, 0, 1);
    mr_consumer_cancel(consumer);
    ck_assert_int_eq(mr_consumer_wait_any(all, 2, -1), 0);
    ck_assert_uint_eq(take_all(all[1]), 1);
    ck_assert_int_eq(mr_consumer_wait_any(all, 2, -1), -ECANCELED);
    mr_consumer_close(all[1]);
    mr_producer_close(feeder);
    mr_topic_close(full);
}
END_TEST

START_TEST(wait_for_room_is_ended_and_nothing_is_appended)
{
    use((struct mr_settings){.records_max = 1}, 0);
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(cancelled(appends, &topic->shm->space, 1), -ECANCELED);
    ck_assert_uint_eq(take_all(consumer), 1);
    ck_assert_int_eq(put(producer, 0, "y"), 1);
}
END_TEST

START_TEST(join_is_ended)
{
    use((struct mr_settings){0}, 0);
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(cancelled(joins, &topic->shm->space, 1), -ECANCELED);
    ck_assert_uint_eq(take_all(consumer), 1);
    ck_assert_int_eq(mr_producer_join(producer, -1), 0);
}
END_TEST

START_TEST(wait_that_begins_later_is_ended_and_no_call_that_has_something_to_give)
{
    use((struct mr_settings){.records_max = 2}, 0);
    mr_consumer_cancel(consumer);
    mr_consumer_cancel(consumer);                                    /* twice is once */
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), -ETIMEDOUT); /* does not wait */
    ck_assert_int_eq(mr_consumer_wait_any(&consumer, 1, 0), -ETIMEDOUT);
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, -1), 1);
    next_is(consumer, "0");
    ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, -1), -ECANCELED);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 1000000), -ETIMEDOUT);
    mr_producer_cancel(producer);
    ck_assert_int_eq(put(producer, 0, "x"), 1);
    struct mr_message msgs[2] = {{.value = "y", .value_len = 1}, {.value = "z", .value_len = 1}};
    ck_assert_int_eq(mr_producer_append(producer, msgs, 2, -1), 1); /* some were accepted: */
    ck_assert_uint_eq(msgs[1].offset, MR_OFFSET_NONE);
    ck_assert_int_eq(mr_producer_append(producer, msgs + 1, 1, -1), -ECANCELED); /* said now */
    ck_assert_int_eq(mr_producer_append(producer, msgs + 1, 1, 1000000), -ETIMEDOUT);
}
END_TEST

START_TEST(moving_to_a_full_topic_is_ended_and_the_claim_stays)
{
    use((struct mr_settings){0}, 0);
    struct mr_topic *to = topic_make("to", (struct mr_settings){.records_max = 1});
    struct mr_producer *other = producer_on(to);
    put_numbers(other, 0, 0, 1);
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 1);
    next_is(consumer, "0");
    mr_producer_cancel(other);
    struct mr_message msg = {.value = "m", .value_len = 1};
    ck_assert_int_eq(mr_consumer_ack_with(consumer, other, &msg, 1, -1), -ECANCELED);
    check_invariants(topic);
    ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    ck_assert_int_eq(mr_consumer_lag(consumer), 0);
    mr_producer_close(other);
    mr_topic_close(to);
}
END_TEST

START_TEST(who_sleeps_is_woken)
{
    use((struct mr_settings){0}, 0);
    struct mr_consumer *peeking =
        consumer_with(topic, (struct mr_consumer_options){.flags = MR_PEEK});
    struct mr_cond *data = &topic->groups[consumer->seat.group].data, *space = &topic->shm->space;
    uint32_t ticket = mr_cond_prepare(data);
    mr_consumer_cancel(consumer);
    ck_assert(told(data, ticket));
    ticket = mr_cond_prepare(&peeking->peek_cond);
    mr_consumer_cancel(peeking);
    ck_assert(told(&peeking->peek_cond, ticket));
    ticket = mr_cond_prepare(space);
    mr_producer_cancel(producer);
    ck_assert(told(space, ticket));
    mr_consumer_close(peeking);
}
END_TEST

static void on_signal(int number)
{
    (void)number;
    mr_consumer_cancel(consumer);
}

START_TEST(signal_handler_may_cancel)
{
    use((struct mr_settings){0}, 0);
    const struct mr_cond *where = &topic->groups[consumer->seat.group].data;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    pthread_t thread;
    ssize_t result = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, claims, &result), 0);
    wait_until(atomic_load(&where->word) & 1);
    ck_assert_int_eq(pthread_kill(thread, SIGUSR1), 0); /* in the thread that waits */
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(result, -ECANCELED);
    errno = 77;
    ck_assert_int_eq(raise(SIGUSR1), 0);
    ck_assert_int_eq(errno, 77);
}
END_TEST

static _Atomic int over;

static void *cancels(void *arg)
{
    (void)arg;
    while (!over) {
        mr_consumer_cancel(consumer);
        sched_yield();
    }
    return NULL;
}

START_TEST(records_are_not_lost_however_often_it_is_cancelled)
{
    use((struct mr_settings){0}, 0);
    pthread_t thread;
    unsigned got = 0, sent = 0, ended_cnt = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, cancels, NULL), 0);
    while (got < 2000 || !ended_cnt) {
        if (sent == got)
            put_numbers(producer, 0, sent++, 1);
        ssize_t n = mr_consumer_claim(consumer, 0, got % 2 ? -1 : 0);
        if (n == 1) {
            char wanted[16];
            snprintf(wanted, sizeof wanted, "%u", got);
            next_is(consumer, wanted);
            ck_assert_int_eq(mr_consumer_ack(consumer), 0);
            got++;
            n = mr_consumer_claim(consumer, 0, 100000);
        }
        ck_assert_msg(n == -ECANCELED || n == -ETIMEDOUT, "%zd", n);
        ended_cnt += n == -ECANCELED;
    }
    over = 1;
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    check_invariants(topic);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cancel");
    TCase *tcase = tcase_create("cancel");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, teardown);
    tcase_add_test(tcase, claim_is_ended_once);
    tcase_add_test(tcase, peeking_claim_is_ended);
    tcase_add_test(tcase, wait_for_any_is_ended);
    tcase_add_test(tcase, records_for_one_handle_come_before_the_cancel_of_another);
    tcase_add_test(tcase, wait_for_room_is_ended_and_nothing_is_appended);
    tcase_add_test(tcase, join_is_ended);
    tcase_add_test(tcase, wait_that_begins_later_is_ended_and_no_call_that_has_something_to_give);
    tcase_add_test(tcase, moving_to_a_full_topic_is_ended_and_the_claim_stays);
    tcase_add_test(tcase, who_sleeps_is_woken);
    tcase_add_test(tcase, signal_handler_may_cancel);
    tcase_add_test(tcase, records_are_not_lost_however_often_it_is_cancelled);
    return test_main(suite);
}
