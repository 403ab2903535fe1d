/* check_producer_pace.c - when the next record is due, by a clock that the test moves: to the
 * nanosecond, however many records. */
#include "producer/send/pace.h"

#include <check.h>
#include <stdlib.h>

#define S  INT64_C(1000000000)
#define MS INT64_C(1000000)

static int64_t now_ns;
static int clock_reads;

static int64_t test_clock(void)
{
    clock_reads++;
    return now_ns;
}

static struct pace pace;

static void start(struct options options)
{
    now_ns = 123456789 * S; /* a machine that has been up for years */
    pace_start(&pace, &options, test_clock);
}

/* One record: waits as long as it is told to, and how much later than told. Returns the wait. */
static int64_t send_late(int64_t late_ns)
{
    int64_t wait = pace_wait_ns(&pace);
    if (wait > 0)
        now_ns += wait + late_ns;
    pace_sent(&pace);
    return wait;
}

START_TEST(a_rate_is_kept_to_the_microsecond_whatever_each_wait_costs)
{
    static const double rates[] = {1, 3, 100, 7777, 1e6, 1e7};
    double rate = rates[_i];
    int64_t from, n = rate < 1000 ? 1000 : 1000000;
    start((struct options){.interval_ns = 1e9 / rate, .steady = 1});
    from = now_ns;
    for (int64_t i = 0; i < n; i++)
        send_late(60000); /* what a sleep takes longer on a common machine */
    double seconds = (double)(now_ns - from) / 1e9, want = (double)(n - 1) / rate;
    ck_assert_msg(seconds >= want - 1e-6 && seconds <= want + 1.2e-4,
                  "%g a second: %.6f s, not %.6f", rate, seconds, want);
}
END_TEST

START_TEST(the_clock_is_not_read_for_each_record_of_a_high_rate)
{
    start((struct options){.interval_ns = 1000, .steady = 1});
    clock_reads = 0;
    for (int i = 0; i < 100000; i++)
        send_late(60000);
    ck_assert_int_lt(clock_reads, 100000 / 20);
}
END_TEST

START_TEST(what_was_late_is_made_up_for_but_not_more_than_a_tenth_of_a_second)
{
    start((struct options){.interval_ns = 1e7, .steady = 1});
    send_late(0);
    ck_assert_int_eq(pace_wait_ns(&pace), 10 * MS);
    now_ns += 50 * MS; /* four of them are due by then, and the next in 10 ms */
    for (int i = 0; i < 5; i++)
        ck_assert_int_le(send_late(0), 0);
    ck_assert_int_eq(pace_wait_ns(&pace), 10 * MS);
    now_ns += 3600 * S; /* an hour's are not sent at once */
    int at_once = 0;
    while (pace_wait_ns(&pace) <= 0) {
        pace_sent(&pace);
        at_once++;
    }
    ck_assert_int_ge(at_once, 10);
    ck_assert_int_le(at_once, 12);
}
END_TEST

START_TEST(a_delay_is_a_whole_pause_after_each_record)
{
    start((struct options){.interval_ns = 20e6});
    ck_assert_int_le(pace_wait_ns(&pace), 0);
    for (int i = 0; i < 100; i++) {
        pace_sent(&pace);
        ck_assert_int_eq(pace_wait_ns(&pace), 20 * MS);
        now_ns += 25 * MS;
        ck_assert_int_le(pace_wait_ns(&pace), 0);
    }
}
END_TEST

START_TEST(jitter_stays_within_its_bounds_and_does_not_change_the_rate)
{
    int64_t least = INT64_MAX, most = 0, all = 0;
    start((struct options){.interval_ns = 1e7, .steady = 1, .jitter = 0.3});
    send_late(0);
    for (int i = 0; i < 20000; i++) {
        int64_t wait = send_late(0);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
        all += wait;
    }
    ck_assert_int_ge(least, 7 * MS - 1);
    ck_assert_int_lt(least, 7 * MS + MS / 10);
    ck_assert_int_le(most, 13 * MS + 1);
    ck_assert_int_gt(most, 13 * MS - MS / 10);
    ck_assert_int_gt(all, 20000 * (10 * MS - MS / 20));
    ck_assert_int_lt(all, 20000 * (10 * MS + MS / 20));
}
END_TEST

START_TEST(without_a_pace_nothing_waits_and_no_clock_is_read)
{
    start((struct options){0});
    clock_reads = 0;
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(send_late(0), 0);
    ck_assert_int_eq(clock_reads, 0);
}
END_TEST

/* ---- the file's own times ---- */

static int64_t row(int64_t ts_ns)
{
    pace_row(&pace, ts_ns);
    return send_late(0);
}

START_TEST(the_gaps_are_those_of_the_file)
{
    static const double factors[] = {1, 10, 0.5, 3};
    double factor = factors[_i];
    start((struct options){0});
    pace.factor = factor;
    int64_t ts = 1795256130 * S, from = now_ns, first = ts;
    ck_assert_int_le(row(ts), 0); /* the first starts the clock */
    for (int i = 0; i < 10000; i++) {
        ts += 1 + i * INT64_C(100003) % (5 * S);
        row(ts);
        double due = (double)(ts - first) / factor;
        ck_assert_msg((double)(now_ns - from) - due > -2 && (double)(now_ns - from) - due < 2,
                      "%g: %f", factor, (double)(now_ns - from) - due);
    }
}
END_TEST

START_TEST(times_that_go_back_or_stand_mean_no_wait)
{
    start((struct options){0});
    row(100 * S);
    ck_assert_int_eq(row(101 * S), S);
    ck_assert_int_le(row(50 * S), 0);
    ck_assert_int_le(row(50 * S), 0);
    ck_assert_int_eq(row(52 * S), 2 * S); /* and the gap counts from there */
    ck_assert_int_le(row(INT64_MIN), 0);
    /* the longest gap there is overflows nothing */
    ck_assert_int_gt(row(INT64_MAX), INT64_C(3000000000000000000));
}
END_TEST

START_TEST(a_stall_is_not_followed_by_all_that_it_held_up)
{
    start((struct options){0});
    row(0);
    now_ns += 60 * S; /* the topic was full */
    int at_once = 0;
    for (int i = 1; i <= 60; i++)
        if (row(i * S) <= 0)
            at_once++;
    ck_assert_int_le(at_once, 1); /* the one that was due meanwhile */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("producer_pace");
    TCase *tcase = tcase_create("pace");
    tcase_add_loop_test(tcase, a_rate_is_kept_to_the_microsecond_whatever_each_wait_costs, 0, 6);
    tcase_add_test(tcase, the_clock_is_not_read_for_each_record_of_a_high_rate);
    tcase_add_test(tcase, what_was_late_is_made_up_for_but_not_more_than_a_tenth_of_a_second);
    tcase_add_test(tcase, a_delay_is_a_whole_pause_after_each_record);
    tcase_add_test(tcase, jitter_stays_within_its_bounds_and_does_not_change_the_rate);
    tcase_add_test(tcase, without_a_pace_nothing_waits_and_no_clock_is_read);
    tcase_add_loop_test(tcase, the_gaps_are_those_of_the_file, 0, 4);
    tcase_add_test(tcase, times_that_go_back_or_stand_mean_no_wait);
    tcase_add_test(tcase, a_stall_is_not_followed_by_all_that_it_held_up);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
