/* check_text.c - words to numbers and back. */
#include "text/text.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEEP 77 /* what the output holds before, and must after a refusal */

static void size_is(const char *text, uint64_t wanted)
{
    uint64_t bytes = KEEP;

    ck_assert_msg(text_size(text, &bytes) == 0, "\"%s\" was refused", text);
    ck_assert_msg(bytes == wanted, "\"%s\" is %llu", text, (unsigned long long)bytes);
}

static void size_fails(const char *text, int error)
{
    uint64_t bytes = KEEP;
    int result = text_size(text, &bytes);

    ck_assert_msg(result == error, "\"%s\" gives %d", text, result);
    ck_assert_uint_eq(bytes, KEEP);
}

START_TEST(sizes_count_in_1024)
{
    size_is("0", 0);
    size_is("4096", 4096);
    size_is("100B", 100);
    size_is("64k", 64 << 10);
    size_is("64K", 64 << 10);
    size_is("64kB", 64 << 10);
    size_is("64KiB", 64 << 10);
    size_is("16M", 16 << 20);
    size_is("1.5G", UINT64_C(3) << 29);
    size_is(".5k", 512);
    size_is("1T", UINT64_C(1) << 40);
    size_is("4194304T", UINT64_C(1) << 62);
    size_is("0.1k", 102);
}
END_TEST

START_TEST(what_is_no_size_is_refused)
{
    static const char *const wrong[] = {"",    " ",    "k",   "-1",    "+1",   "1 k",  " 1",  "1x",
                                        "1kk", "1.5",  "1.",  ".",     "1.k",  "0x10", "1e3", "1BB",
                                        "1Bi", "1BiB", "1iB", "1..5k", "1,5k", "1Ki"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        size_fails(wrong[i], -EINVAL);
    size_fails("4194305T", -ERANGE);
    size_fails("4611686018427387905", -ERANGE);
    size_fails("18446744073709551616", -ERANGE);
    size_fails("99999999999999999999999999", -ERANGE);
    size_fails("4194304.5T", -ERANGE);
}
END_TEST

START_TEST(counts_count_in_1000)
{
    uint64_t count = KEEP;

    ck_assert_int_eq(text_count("1000", &count), 0);
    ck_assert_uint_eq(count, 1000);
    ck_assert_int_eq(text_count("10k", &count), 0);
    ck_assert_uint_eq(count, 10000);
    ck_assert_int_eq(text_count("2.5M", &count), 0);
    ck_assert_uint_eq(count, 2500000);
    ck_assert_int_eq(text_count("1G", &count), 0);
    ck_assert_uint_eq(count, 1000000000);
    count = KEEP;
    ck_assert_int_eq(text_count("2.5", &count), -EINVAL);
    ck_assert_int_eq(text_count("1T", &count), -EINVAL);
    ck_assert_int_eq(text_count("1kB", &count), -EINVAL);
    ck_assert_int_eq(text_count("-1", &count), -EINVAL);
    ck_assert_int_eq(text_count("", &count), -EINVAL);
    ck_assert_int_eq(text_count("9999999999G", &count), -ERANGE);
    ck_assert_uint_eq(count, KEEP);
}
END_TEST

static void duration_is(const char *text, int64_t wanted)
{
    int64_t ns = KEEP;

    ck_assert_msg(text_duration(text, &ns) == 0, "\"%s\" was refused", text);
    ck_assert_msg(ns == wanted, "\"%s\" is %lld", text, (long long)ns);
}

START_TEST(durations_are_exact)
{
    duration_is("250ms", 250000000);
    duration_is("10us", 10000);
    duration_is("7ns", 7);
    duration_is("5s", 5000000000);
    duration_is("5", 5000000000);
    duration_is("0.1", 100000000);
    duration_is("0.000000001s", 1);
    duration_is("1.5m", 90000000000);
    duration_is("2h", 7200000000000);
    duration_is("3d", 259200000000000);
    duration_is("0", 0);
}
END_TEST

START_TEST(what_is_no_duration_is_refused)
{
    static const char *const wrong[] = {"",     "s",     "-1s",  "1 s", "1S",  "1M",
                                        "1sec", "1.5ns", "1e3s", "inf", "nan", "5s "};
    int64_t ns = KEEP;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(text_duration(wrong[i], &ns) == -EINVAL, "\"%s\"", wrong[i]);
    ck_assert_int_eq(text_duration("999999d", &ns), -ERANGE);
    ck_assert_int_eq(ns, KEEP);
}
END_TEST

START_TEST(bytes_for_people)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1 KiB"},
        {1536, "1.5 KiB"},
        {16 << 20, "16 MiB"},
        {97517568, "93 MiB"},
        {1048575, "1 MiB"},
        {1047552, "1023 KiB"},
        {UINT64_C(3) << 29, "1.5 GiB"},
        {UINT64_C(1) << 40, "1 TiB"},
        {UINT64_MAX, "16 EiB"},
    };
    char buf[32];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_str_eq(text_bytes(buf, cases[i].bytes), cases[i].text);
}
END_TEST

START_TEST(durations_for_people)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0 ns"},
        {999, "999 ns"},
        {1000, "1 us"},
        {1200000, "1.2 ms"},
        {12000, "12 us"},
        {999499, "999 us"},
        {999500, "1 ms"},
        {999600000, "1 s"},
        {1500000000, "1.5 s"},
        {119000000000, "119 s"},
        {125000000000, "2m 05s"},
        {7320000000000, "2h 02m"},
        {180000000000000, "2d 02h"},
    };
    char buf[32];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_str_eq(text_ns(buf, cases[i].ns), cases[i].text);
    ck_assert_ptr_nonnull(text_ns(buf, UINT64_MAX));
}
END_TEST

START_TEST(times_are_utc_whatever_the_time_zone)
{
    char buf[32];

    setenv("TZ", "Asia/Kolkata", 1);
    ck_assert_str_eq(text_time(buf, 0), "1970-01-01T00:00:00.000Z");
    ck_assert_str_eq(text_time(buf, UINT64_C(1795232191123456789)), "2026-11-21T03:36:31.123Z");
    ck_assert_uint_lt(strlen(text_time(buf, UINT64_MAX)), sizeof(buf));
}
END_TEST

START_TEST(the_nearest_word_is_suggested)
{
    static const char *const topics[] = {"order", "orders.dead", "payments", "x", NULL};
    static const char *const none[] = {NULL};

    ck_assert_str_eq(text_suggest("orders", topics), "order");
    ck_assert_str_eq(text_suggest("order", topics), "order");
    ck_assert_str_eq(text_suggest("odrer", topics), "order"); /* two neighbours swapped: 1 */
    ck_assert_str_eq(text_suggest("paymnet", topics), "payments");
    ck_assert_str_eq(text_suggest("orders.daed", topics), "orders.dead");
    ck_assert_ptr_null(text_suggest("y", topics)); /* one letter is like no other */
    ck_assert_str_eq(text_suggest("x", topics), "x");
    ck_assert_ptr_null(text_suggest("invoices", topics));
    ck_assert_ptr_null(text_suggest("", topics));
    ck_assert_ptr_null(text_suggest("order", none));
}
END_TEST

START_TEST(long_words_are_compared_or_left)
{
    char word[400], near[400];
    const char *candidates[] = {near, NULL};

    memset(word, 'a', sizeof(word));
    memset(near, 'a', sizeof(near));
    word[255] = near[254] = '\0';
    ck_assert_ptr_eq(text_suggest(word, candidates), near);
    word[255] = 'a';
    word[256] = '\0';
    ck_assert_ptr_null(text_suggest(word, candidates));
}
END_TEST

static void shown_is(const char *text, size_t len, const char *wanted)
{
    char out[4 * 64 + 1];
    size_t n = text_printable(out, sizeof(out), text, len);

    ck_assert_str_eq(out, wanted);
    ck_assert_uint_eq(n, strlen(wanted));
}

START_TEST(what_moves_a_terminal_is_escaped)
{
#define SHOWN(text, wanted) shown_is(text, sizeof(text) - 1, wanted)
    SHOWN("", "");
    SHOWN("orders_2 \"x\" \\", "orders_2 \"x\" \\");
    SHOWN("a\033[31mb\007", "a\\x1b[31mb\\x07");
    SHOWN("a\nb\rc\td", "a\\nb\\rc\\td");
    SHOWN("\0\177", "\\x00\\x7f");
    SHOWN("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    SHOWN("\xc2\x9b"
          "31m \xc2\x80\xc2\xa0",
          "\\xc2\\x9b31m \\xc2\\x80\xc2\xa0"); /* CSI, PAD; a no-break space */
    SHOWN("\x9b"
          "31m",
          "\\x9b31m");                                            /* CSI of an 8-bit terminal */
    SHOWN("\xc0\x9b \xe0\x80\x9b", "\\xc0\\x9b \\xe0\\x80\\x9b"); /* overlong: ESC to some */
    SHOWN("\xed\xa0\x80 \xf4\x90\x80\x80", "\\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80");
    SHOWN("\xc3", "\\xc3");
    SHOWN("\xe2\x82", "\\xe2\\x82");
}
END_TEST

START_TEST(what_is_shown_is_cut_between_characters)
{
    static const char text[] = "a\033\xe2\x82\xac"
                               "b",
                      whole[] = "a\\x1b\xe2\x82\xac"
                                "b";
    static const size_t stops[] = {0, 1, 1, 1, 1, 5, 5, 5, 8, 9, 9};

    for (size_t cap = 1; cap <= 11; cap++) {
        char out[12];

        memset(out, 'X', sizeof(out));
        ck_assert_uint_eq(text_printable(out, cap, text, sizeof(text) - 1), stops[cap - 1]);
        ck_assert_mem_eq(out, whole, stops[cap - 1]);
        ck_assert_int_eq(out[stops[cap - 1]], '\0');
        ck_assert_int_eq(out[cap], 'X');
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");

    tcase_add_test(tcase, sizes_count_in_1024);
    tcase_add_test(tcase, what_is_no_size_is_refused);
    tcase_add_test(tcase, counts_count_in_1000);
    tcase_add_test(tcase, durations_are_exact);
    tcase_add_test(tcase, what_is_no_duration_is_refused);
    tcase_add_test(tcase, bytes_for_people);
    tcase_add_test(tcase, durations_for_people);
    tcase_add_test(tcase, times_are_utc_whatever_the_time_zone);
    tcase_add_test(tcase, the_nearest_word_is_suggested);
    tcase_add_test(tcase, long_words_are_compared_or_left);
    tcase_add_test(tcase, what_moves_a_terminal_is_escaped);
    tcase_add_test(tcase, what_is_shown_is_cut_between_characters);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
