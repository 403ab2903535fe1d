/* check_json.c - JSON text: what is written is what RFC 8259 allows, whatever the bytes, and a full
 * buffer is never written past.
 */
#include "tests/shared/json_reference.h"
#include "text/json.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct js_writer json;

static void setup(void)
{
    js_init(&json, NULL, 0);
}
static void teardown(void)
{
    js_free(&json);
}

static const char *text(void)
{
    static char copy[4096];
    ck_assert(!json.failed);
    ck_assert_uint_lt(json.len, sizeof copy);
    memcpy(copy, json.text, json.len);
    copy[json.len] = '\0';
    return copy;
}

static const char *string_of(const char *bytes, size_t len)
{
    json.len = 0;
    json.comma = 0;
    js_string(&json, bytes, len);
    return text();
}

START_TEST(commas_stand_between_values_and_nowhere_else)
{
    js_begin(&json, '{');
    js_key(&json, "a");
    js_uint(&json, UINT64_MAX);
    js_key(&json, "b");
    js_begin(&json, '[');
    js_int(&json, INT64_MIN);
    js_bool(&json, 1);
    js_null(&json);
    js_begin(&json, '{');
    js_end(&json, '}');
    js_text(&json, NULL);
    js_end(&json, ']');
    js_key(&json, "c");
    js_real(&json, 0.5, 3);
    js_end(&json, '}');
    js_line(&json);
    js_uint(&json, 0);
    ck_assert_str_eq(text(), "{\"a\":18446744073709551615,\"b\":[-9223372036854775808,true,null,{},"
                             "null],\"c\":0.500}\n0");
}
END_TEST

START_TEST(control_characters_quotes_and_backslashes_are_escaped)
{
    ck_assert_str_eq(string_of("a\"b\\c/d\b\f\n\r\t\x01\x1f\x7f", 15),
                     "\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    ck_assert_str_eq(string_of("\0", 1), "\"\\u0000\"");
    ck_assert_str_eq(string_of("", 0), "\"\"");
}
END_TEST

START_TEST(well_formed_utf8_passes_unchanged)
{
    static const char good[] = "\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 "
                               "\xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf";
    char quoted[sizeof good + 2] = "\"";
    strcat(strcat(quoted, good), "\"");
    ck_assert(js_is_utf8(good, sizeof good - 1));
    ck_assert_str_eq(string_of(good, sizeof good - 1), quoted);
}
END_TEST

#define FFFD "\xef\xbf\xbd"
static const struct {
    const char *bytes, *as;
} broken[] = {
    {"\x80", FFFD},                            /* a continuation alone */
    {"\xff", FFFD},                            /* never in UTF-8 */
    {"\xc0\xaf", FFFD FFFD},                   /* overlong */
    {"\xe0\x80\x80", FFFD FFFD FFFD},          /* overlong */
    {"\xed\xa0\x80", FFFD FFFD FFFD},          /* surrogate */
    {"\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD}, /* past U+10FFFF */
    {"\xe2\x82", FFFD},                        /* cut short at the end: one maximal part */
    {"\xe2\x82"
     "a",
     FFFD "a"}, /* cut short by another character */
    {"\xf0\x9f\x92"
     "\xc3\xa9",
     FFFD "\xc3\xa9"},
    {"a\xc3", "a" FFFD},
};

START_TEST(what_is_not_utf8_becomes_one_replacement_for_each_maximal_part)
{
    char quoted[64] = "\"";
    strcat(strcat(quoted, broken[_i].as), "\"");
    ck_assert(!js_is_utf8(broken[_i].bytes, strlen(broken[_i].bytes)));
    ck_assert_str_eq(string_of(broken[_i].bytes, strlen(broken[_i].bytes)), quoted);
}
END_TEST

START_TEST(utf8_is_judged_the_same_at_every_alignment_and_across_chunks)
{
    static char bytes[3000];
    for (size_t at = 0; at < 2100; at++) {
        memset(bytes, 'x', sizeof bytes);
        memcpy(bytes + at, "\xf0\x9f\x98\x80", 4);
        ck_assert(js_is_utf8(bytes, sizeof bytes));
        ck_assert(!js_is_utf8(bytes, at + 3));
        json.len = 0;
        json.comma = 0;
        js_string(&json, bytes, sizeof bytes);
        ck_assert_uint_eq(json.len, sizeof bytes + 2);
        ck_assert_mem_eq(json.text + 1, bytes, sizeof bytes);
    }
}
END_TEST

START_TEST(random_bytes_become_what_the_plain_rules_make_of_them)
{
    static const char alphabet[] =
        "aaaaaaaa\"\\\n\t\x01 \x7f\x80\x82\xac\xbf\xc2\xc3\xa9\xe0\xe2\xed\xef\xf0\xf4\xf5\xff";
    static char bytes[1200], wanted[6 * sizeof bytes];
    uint32_t random = 1;
    for (int round = 0; round < 3000; round++) {
        size_t len = round % 10 ? (size_t)round % 200 : 1000 + (size_t)round % 200;
        char *exact = malloc(len ? len : 1); /* so that a sanitizer sees every byte read past it */
        for (size_t i = 0; i < len; i++) {
            random = random * 1664525u + 1013904223u;
            /* with the NUL at its end */
            exact[i] = bytes[i] = alphabet[(random >> 16) % sizeof alphabet];
        }
        json.len = 0;
        js_escape(&json, exact, len);
        free(exact);
        size_t wanted_len = json_reference_escape(wanted, bytes, len);
        ck_assert_uint_eq(json.len, wanted_len);
        ck_assert_mem_eq(json.text ? json.text : "", wanted, wanted_len);
    }
}
END_TEST

START_TEST(base64_is_padded)
{
    js_begin(&json, '[');
    js_base64(&json, "", 0);
    js_base64(&json, "f", 1);
    js_base64(&json, "fo", 2);
    js_base64(&json, "foo", 3);
    js_base64(&json, "\xff\xfe\xfd\xfc", 4);
    js_end(&json, ']');
    ck_assert_str_eq(text(), "[\"\",\"Zg==\",\"Zm8=\",\"Zm9v\",\"//79/A==\"]");
}
END_TEST

START_TEST(numbers_that_json_has_no_word_for_are_null)
{
    js_begin(&json, '[');
    js_real(&json, NAN, 2);
    js_real(&json, INFINITY, 2);
    js_real(&json, -2.5, 0);
    js_end(&json, ']');
    ck_assert_str_eq(text(), "[null,null,-2]");
}
END_TEST

START_TEST(is_number_follows_the_grammar)
{
    static const char *const good[] = {
        "0",   "-0",     "1",    "10",   "1.0",
        "0.5", "-0.5e3", "1E+2", "1e-2", "123456789012345678901234567890"};
    static const char *const bad[] = {"",     "-",   "+1",       "01",  "-01",   ".5", "1.",
                                      "1.e2", "e2",  "1e",       "1e+", " 1",    "1 ", "0x1",
                                      "1_0",  "NaN", "Infinity", "--1", "1.2.3", "1,2"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(js_is_number(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!js_is_number(bad[i], strlen(bad[i])), "%s", bad[i]);
    ck_assert(js_is_number("12x", 2)); /* len bytes, no more */
}
END_TEST

START_TEST(fixed_buffer_is_filled_to_its_last_byte_and_not_further)
{
    char buf[16];
    memset(buf, '#', sizeof buf);
    js_init(&json, buf, 8);
    js_string(&json, "123456", 6);
    ck_assert(!json.failed);
    ck_assert_mem_eq(buf, "\"123456\"", 8);
    js_line(&json);
    ck_assert(json.failed);
    ck_assert_uint_eq(json.len, 8);

    js_init(&json, buf, 7);
    js_string(&json, "123456", 6);
    ck_assert(json.failed);
    js_begin(&json, '{');
    ck_assert_mem_eq(buf + 8, "########", 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, commas_stand_between_values_and_nowhere_else);
    tcase_add_test(tcase, control_characters_quotes_and_backslashes_are_escaped);
    tcase_add_test(tcase, well_formed_utf8_passes_unchanged);
    tcase_add_loop_test(tcase, what_is_not_utf8_becomes_one_replacement_for_each_maximal_part, 0,
                        sizeof broken / sizeof *broken);
    tcase_add_test(tcase, utf8_is_judged_the_same_at_every_alignment_and_across_chunks);
    tcase_add_test(tcase, random_bytes_become_what_the_plain_rules_make_of_them);
    tcase_add_test(tcase, base64_is_padded);
    tcase_add_test(tcase, numbers_that_json_has_no_word_for_are_null);
    tcase_add_test(tcase, is_number_follows_the_grammar);
    tcase_add_test(tcase, fixed_buffer_is_filled_to_its_last_byte_and_not_further);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
