/* check_timestamp.c - the times of files: every form that is promised, to the nanosecond, and
 * nothing else. */
#include "text/timestamp.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define S INT64_C(1000000000)

static const struct {
    const char *text;
    int64_t ns;
} good[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"2026-11-21T10:15:30Z", 1795256130 * S},
    {"2026-11-21 10:15:30", 1795256130 * S},
    {"2026-11-21t10:15:30z", 1795256130 * S},
    {"  2026-11-21T10:15:30Z\t", 1795256130 * S},
    {"2026-11-21T11:15:30+01:00", 1795256130 * S},
    {"2026-11-21T11:15:30+0100", 1795256130 * S},
    {"2026-11-21T11:15:30+01", 1795256130 * S},
    {"2026-11-21 04:45:30 -0530", 1795256130 * S},
    {"2026-11-21 10:15:30 UTC", 1795256130 * S},
    {"2026-11-21 10:15:30 gmt", 1795256130 * S},
    {"20261121T101530Z", 1795256130 * S},
    {"20261121T101530,25Z", 1795256130 * S + 250000000},
    {"2026-11-21T10:15Z", 1795256100 * S},
    {"2026-11-21", 1795219200 * S},
    {"2026-11-20T24:00:00Z", 1795219200 * S},
    {"2026-11-21T10:15:30.123456789Z", 1795256130 * S + 123456789},
    {"2026-11-21T10:15:30.1234567899999Z", 1795256130 * S + 123456789},
    {"2026-11-21T10:15:30.5+01:00", 1795252530 * S + 500000000},
    {"2016-12-31T23:59:60Z", 1483228800 * S},
    {"2024-02-29", 1709164800 * S},
    {"1969-12-31T23:59:59.5Z", -500000000},
    {"1900-03-01", -2203891200 * S},
    {"0", 0},
    {"1795256130", 1795256130 * S},
    {"1795256130.5", 1795256130 * S + 500000000},
    {"1795256130.1234567891", 1795256130 * S + 123456789},
    {"-1.5", -1500000000},
    {"1795256130123", 1795256130 * S + 123000000},
    {"1795256130123.25", 1795256130 * S + 123250000},
    {"1795256130123456", 1795256130 * S + 123456000},
    {"1795256130123456.5", 1795256130 * S + 123456500},
    {"1795256130123456789", 1795256130 * S + 123456789},
    {"-1795256130123", -(1795256130 * S + 123000000)},
    {"9223372036", 9223372036 * S},  /* seconds as far as they go */
    {"100000000000", 100000000 * S}, /* from 10^11 on milliseconds, */
    {"9223372036854", 9223372036 * S + 854000000},
    {"100000000000000", 100000000 * S}, /* from 10^14 on microseconds, */
    {"9223372036854775", 9223372036 * S + 854775000},
    {"100000000000000000", 100000000 * S}, /* from 10^17 on nanoseconds */
    {"9223372036854775807", INT64_MAX},
};
START_TEST(every_form_is_read_to_the_nanosecond)
{
    int64_t ns = 7;
    size_t len = strlen(good[_i].text);
    char *exact = malloc(len);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, good[_i].text, len);
    int error = timestamp_parse(exact, len, &ns);
    free(exact);
    ck_assert_msg(error == 0, "%s: %d", good[_i].text, error);
    ck_assert_msg(ns == good[_i].ns, "%s: %lld", good[_i].text, (long long)ns);
}
END_TEST

static const struct {
    const char *text;
    int error;
} bad[] = {
    {"", -EINVAL},
    {" ", -EINVAL},
    {"-", -EINVAL},
    {"now", -EINVAL},
    {"2026-13-01", -EINVAL},
    {"2026-00-01", -EINVAL},
    {"2026-02-29", -EINVAL},
    {"2100-02-29", -EINVAL},
    {"2026-11-31", -EINVAL},
    {"2026-11-21T", -EINVAL},
    {"2026-11-21T10", -EINVAL},
    {"2026-11-21T25:00", -EINVAL},
    {"2026-11-21T24:00:01", -EINVAL},
    {"2026-11-21T10:60", -EINVAL},
    {"2026-11-21T10:15:61", -EINVAL},
    {"2026-11-21T10:15:30.", -EINVAL},
    {"2026-11-21T10:15:30.5x", -EINVAL},
    {"2026-11-21T10:15:30+1", -EINVAL},
    {"2026-11-21T10:15:30+24:00", -EINVAL},
    {"2026-11-21T10:15:30+01:60", -EINVAL},
    {"2026-11-21T10:15:30+01:", -EINVAL},
    {"2026-11-21T10:15:30 CET", -EINVAL},
    {"2026-1121", -EINVAL},
    {"2026/11/21", -EINVAL},
    {"21.11.2026", -EINVAL},
    {"10:15:30", -EINVAL},
    {"+5", -EINVAL},
    {"1e9", -EINVAL},
    {"1.", -EINVAL},
    {".5", -EINVAL},
    {"1_000", -EINVAL},
    {"1600-01-01", -ERANGE},
    {"9999-12-31", -ERANGE},
    {"9223372037", -ERANGE}, /* seconds that nanoseconds cannot count */
    {"99999999999", -ERANGE},
    {"99999999999999", -ERANGE},
    {"99999999999999999", -ERANGE},
    {"9223372036854775808", -ERANGE},
    {"99999999999999999999999999", -ERANGE},
};
START_TEST(nothing_else_is_taken_for_a_time)
{
    int64_t ns = 7;
    int error = timestamp_parse(bad[_i].text, strlen(bad[_i].text), &ns);
    ck_assert_msg(error == bad[_i].error, "%s: %d", bad[_i].text, error);
    ck_assert_int_eq(ns, 7);
}
END_TEST

START_TEST(a_nul_byte_is_no_end)
{
    int64_t ns = 7;
    ck_assert_int_eq(timestamp_parse("12\0003", 4, &ns), -EINVAL);
    ck_assert_int_eq(timestamp_parse("2026-11-21\000", 11, &ns), -EINVAL);
}
END_TEST

START_TEST(every_day_is_the_one_of_the_c_library)
{
    for (time_t day = -100000; day < 100000; day += 37) {
        time_t seconds = day * 86400 + 12345;
        struct tm tm;
        char text[64];
        int64_t ns = 0;
        gmtime_r(&seconds, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
        ck_assert_int_eq(timestamp_parse(text, strlen(text), &ns), 0);
        ck_assert_int_eq(ns, (int64_t)seconds * S);
    }
}
END_TEST

/* ---- local time ---- */

static const struct {
    const char *zone, *text, *utc; /* utc NULL: there is no such time */
} local[] = {
    {"UTC0", "2026-11-21T10:15:30.25", "2026-11-21T10:15:30.25Z"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-11-21T10:15", "2026-11-21T09:15Z"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-01", "2026-06-30T22:00Z"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-01T00:00Z", "2026-07-01T00:00Z"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-01T00:00+05", "2026-06-30T19:00Z"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "1795256130", "2026-11-21T10:15:30Z"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:59:59.999999999",
     "2026-03-29T00:59:59.999999999Z"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T02:00", NULL}, /* put forward */
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T02:59:59.5", NULL},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T03:00", "2026-03-29T01:00Z"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:59:59", "2026-10-24T23:59:59Z"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T02:30",
     "2026-10-25T00:30Z"}, /* put back: the first */
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T03:00", "2026-10-25T02:00Z"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-02-30", NULL},
    {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T02:30", NULL},
    {"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T01:30", "2026-11-01T05:30Z"},
    {"<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", "2026-11-21T10:15:30.5",
     "2026-11-20T20:30:30.5Z"},
    {"CET-1", "1969-12-31T23:59:59.75", "1969-12-31T22:59:59.75Z"},
    {"CET-1", "1970-01-01T00:30", "1969-12-31T23:30Z"},
    {"CET-1", "2016-12-31T23:59:60", "2016-12-31T23:00Z"},
};
START_TEST(local_time_is_what_the_clock_on_the_wall_shows)
{
    int64_t ns = 7, wanted = 7;
    setenv("TZ", local[_i].zone, 1);
    int error = timestamp_parse_local(local[_i].text, strlen(local[_i].text), &ns);
    ck_assert_int_eq(error, local[_i].utc ? 0 : -EINVAL);
    if (local[_i].utc)
        ck_assert_int_eq(timestamp_parse(local[_i].utc, strlen(local[_i].utc), &wanted), 0);
    ck_assert_msg(ns == wanted, "%s: %lld", local[_i].text, (long long)ns);
}
END_TEST

START_TEST(every_local_time_that_is_shown_once_is_read_back)
{
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    for (time_t at = 0, twice = 0; at < 86400 * 400; at += 1800) {
        struct tm tm;
        char text[64];
        int64_t ns = 0;
        localtime_r(&at, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        ck_assert_int_eq(timestamp_parse_local(text, strlen(text), &ns), 0);
        if (ns != (int64_t)at * S) {
            ck_assert_int_eq(ns, (int64_t)(at - 3600) * S);
            ck_assert_int_le(++twice, 4);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timestamp");
    TCase *tcase = tcase_create("timestamp");
    tcase_add_loop_test(tcase, every_form_is_read_to_the_nanosecond, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, nothing_else_is_taken_for_a_time, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, a_nul_byte_is_no_end);
    tcase_add_test(tcase, every_day_is_the_one_of_the_c_library);
    tcase_add_loop_test(tcase, local_time_is_what_the_clock_on_the_wall_shows, 0,
                        sizeof local / sizeof *local);
    tcase_add_test(tcase, every_local_time_that_is_shown_once_is_read_back);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
