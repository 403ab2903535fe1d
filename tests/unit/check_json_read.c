/* check_json_read.c - JSON is read by the letter of RFC 8259: what it allows is found as it stands,
 * everything else is refused at the right byte. */
#include "text/json.h"
#include "text/json_read.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct js_value value;
static struct js_fault fault;

static int parse(const char *text)
{
    /* A copy that ends where the text ends: a sanitizer sees every byte that is read beyond. */
    static char *copy;
    size_t len = strlen(text);
    free(copy);
    copy = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    return js_parse(copy, len, &value, &fault);
}

static const char *string_of(const struct js_value *string)
{
    static char text[256];
    ck_assert_uint_lt(string->len, sizeof text);
    size_t len = js_unescape(string, text);
    ck_assert_uint_le(len, string->len);
    text[len] = '\0';
    return text;
}

static const char *const good[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1.5e+3",
    "\"\"",
    "\"a\\u0000b\"",
    "[]",
    "{}",
    " [ 1 , [ ] , { } ] ",
    "{\"a\":{\"b\":[null,true]},\"a\":2}",
    "\t\r\n\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\xf0\x9f\x9a\xb2\"",
    "\"\\ud83d\\udeb2\"",
    "[[[[[[[[\"x\"]]]]]]]]",
    "{\"\":0}",
    "[\"]\",\"}\",{\"{\":\"[\"}]",
};
START_TEST(what_the_grammar_allows_is_read)
{
    ck_assert_msg(parse(good[_i]) == 0, "%s: byte %zu: %s", good[_i], fault.at, fault.reason);
}
END_TEST

static const struct {
    const char *text;
    size_t at;
} bad[] = {
    {"", 0},
    {" ", 1},
    {"nul", 0},
    {"True", 0},
    {"01", 0},
    {"+1", 0},
    {".5", 0},
    {"1.", 0},
    {"1e", 0},
    {"-", 0},
    {"NaN", 0},
    {"0x1", 1},
    {"1 2", 2},
    {"[1,]", 3},
    {"[1 2]", 3},
    {"[", 1},
    {"[1", 2},
    {"]", 0},
    {"[}", 1},
    {"{]", 1},
    {"{\"a\"}", 4},
    {"{\"a\":}", 5},
    {"{\"a\":1,}", 7},
    {"{a:1}", 1},
    {"{1:1}", 1},
    {"{\"a\":1]", 6},
    {"\"a", 2},
    {"\"a\\", 3},
    {"\"\\x\"", 1},
    {"\"\\u12\"", 1},
    {"\"\\u12g4\"", 1},
    {"\"\n\"", 1},
    {"\"\t\"", 1},
    {"\"\x1f\"", 1},
    {"\"\xff\"", 1},
    {"\"\xc0\x80\"", 1},
    {"\"\\ud83d\"", 1},
    {"\"\\udeb2\"", 1},
    {"\"\\ud83dx\"", 1},
    {"\"\\ud83d\\u0041\"", 1},
    {"'a'", 0},
    {"{} {}", 3},
    {"\xef\xbb\xbf{}", 0},
    {"/**/1", 0},
    {"[1]]", 3},
    {"\"a\"b", 3},
    {"tru", 0},
    {"{\"a\" 1}", 5},
};
START_TEST(everything_else_is_refused_where_it_is_wrong)
{
    ck_assert_int_eq(parse(bad[_i].text), -EINVAL);
    ck_assert_msg(fault.at == bad[_i].at, "%s: byte %zu, not %zu: %s", bad[_i].text, bad[_i].at,
                  fault.at, fault.reason);
    ck_assert_ptr_nonnull(fault.reason);
}
END_TEST

START_TEST(every_beginning_of_a_text_is_refused)
{
    const char *text =
        "{\"a\":[1,-2.5e-3,\"\\ud83d\\udeb2\\n\xc3\xa4\",true,null],\"b\":{\"c\":false}}";
    for (size_t len = 0; len < strlen(text); len++) {
        char *exact = malloc(len ? len : 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, text, len);
        ck_assert_int_eq(js_parse(exact, len, &value, &fault), -EINVAL);
        ck_assert_uint_le(fault.at, len);
        free(exact);
    }
    ck_assert_int_eq(parse(text), 0);
}
END_TEST

START_TEST(depth_is_bounded)
{
    char text[2 * JS_DEPTH_MAX + 3];
    memset(text, '[', JS_DEPTH_MAX);
    memset(text + JS_DEPTH_MAX, ']', JS_DEPTH_MAX);
    text[2 * JS_DEPTH_MAX] = '\0';
    ck_assert_int_eq(parse(text), 0);
    memset(text, '[', JS_DEPTH_MAX + 1);
    memset(text + JS_DEPTH_MAX + 1, ']', JS_DEPTH_MAX + 1);
    text[2 * JS_DEPTH_MAX + 2] = '\0';
    ck_assert_int_eq(parse(text), -EOVERFLOW);
    ck_assert_uint_eq(fault.at, JS_DEPTH_MAX);
}
END_TEST

START_TEST(members_are_stepped_through_in_order)
{
    static const struct {
        const char *name, *text;
        enum js_kind kind;
    } want[] = {{"a", "-1.5", JS_NUMBER},
                {"b,:}", "x]", JS_STRING},
                {"c", "[1,{\"}\":2}]", JS_ARRAY},
                {"d\n", "{\"x\":[]}", JS_OBJECT},
                {"", "", JS_STRING},
                {"t", "true", JS_TRUE},
                {"f", "false", JS_FALSE},
                {"n", "null", JS_NULL}};
    struct js_value name, member;
    size_t at = 0, n = 0;
    ck_assert_int_eq(parse(" { \"a\" : -1.5,\"b,:}\":\"x]\" "
                           ",\"c\":[1,{\"}\":2}],\"d\\n\":{\"x\":[]},\"\":\"\",\"t\":true,\"f\":"
                           "false,\"n\":null } "),
                     0);
    ck_assert_int_eq(value.kind, JS_OBJECT);
    while (js_next(&value, &at, &name, &member)) {
        ck_assert_uint_lt(n, sizeof want / sizeof *want);
        ck_assert_str_eq(string_of(&name), want[n].name);
        ck_assert(js_is(&name, want[n].name));
        ck_assert_int_eq(member.kind, want[n].kind);
        ck_assert_uint_eq(member.len, strlen(want[n].text));
        ck_assert_mem_eq(member.text, want[n].text, member.len);
        n++;
    }
    ck_assert_uint_eq(n, sizeof want / sizeof *want);
    at = n = 0;
    ck_assert_int_eq(parse("[1 ,\"2\",[3] , {}]"), 0);
    while (js_next(&value, &at, NULL, &member))
        n++;
    ck_assert_uint_eq(n, 4);
    at = 0;
    ck_assert_int_eq(parse("{ }"), 0);
    ck_assert(!js_next(&value, &at, &name, &member));
}
END_TEST

START_TEST(escapes_become_the_bytes_they_stand_for)
{
    char out[32];
    ck_assert_int_eq(parse("\"a\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20AC\\ud83d\\udeb2z\""),
                     0);
    static const char want[] = "a\0\"\\/\b\f\n\r\t\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\xb2z";
    ck_assert_uint_eq(js_unescape(&value, out), sizeof want - 1);
    ck_assert_mem_eq(out, want, sizeof want - 1);
    ck_assert_int_eq(parse("\"v\\u0061lue\""), 0);
    ck_assert(js_is(&value, "value"));
    ck_assert(!js_is(&value, "valu"));
    ck_assert(!js_is(&value, "value2"));
}
END_TEST

START_TEST(what_the_writer_writes_comes_back)
{
    for (unsigned first = 0; first < 0x110000; first += first < 0x300 ? 1 : 977) {
        char bytes[8], out[64];
        struct js_writer json;
        struct js_value string = {.kind = JS_STRING};
        size_t n = 0;
        if (first >= 0xd800 && first < 0xe000)
            continue;
        if (first < 0x80) {
            bytes[n++] = (char)first;
        } else if (first < 0x800) {
            bytes[n++] = (char)(0xc0 | first >> 6);
            bytes[n++] = (char)(0x80 | (first & 63));
        } else if (first < 0x10000) {
            bytes[n++] = (char)(0xe0 | first >> 12);
            bytes[n++] = (char)(0x80 | (first >> 6 & 63));
            bytes[n++] = (char)(0x80 | (first & 63));
        } else {
            bytes[n++] = (char)(0xf0 | first >> 18);
            bytes[n++] = (char)(0x80 | (first >> 12 & 63));
            bytes[n++] = (char)(0x80 | (first >> 6 & 63));
            bytes[n++] = (char)(0x80 | (first & 63));
        }
        js_init(&json, NULL, 0);
        js_string(&json, bytes, n);
        ck_assert_int_eq(js_parse(json.text, json.len, &string, &fault), 0);
        ck_assert_uint_eq(js_unescape(&string, out), n);
        ck_assert_mem_eq(out, bytes, n);
        js_free(&json);
    }
}
END_TEST

START_TEST(base64_comes_back_and_nothing_else_is_taken_for_it)
{
    static const char *const wrong[] = {
        "a",    "ab",       "abc",  "=",    "====", "a===", "ab=c",
        "a=bc", "ab==ab==", "ab c", "ab-_", "YR==", "YWJ=", "YQ=\n"};
    for (size_t len = 0; len < 40; len++) {
        char bytes[40], text[80];
        struct js_writer json;
        size_t got = 99;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(i * 71 + len * 13 + 200);
        js_init(&json, NULL, 0);
        js_base64(&json, bytes, len);
        ck_assert_int_eq(js_parse(json.text, json.len, &value, &fault), 0);
        size_t text_len = js_unescape(&value, text);
        ck_assert_int_eq(js_unbase64(text, text_len, &got), 0);
        ck_assert_uint_eq(got, len);
        ck_assert_int_eq(memcmp(text, bytes, len), 0);
        js_free(&json);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[16];
        size_t got = 99;
        strcpy(text, wrong[i]);
        ck_assert_msg(js_unbase64(text, strlen(text), &got) == -EINVAL, "%s", wrong[i]);
        ck_assert_uint_eq(got, 99);
    }
}
END_TEST

START_TEST(whole_numbers_up_to_the_largest)
{
    uint64_t number = 1;
    ck_assert_int_eq(parse("18446744073709551615"), 0);
    ck_assert_int_eq(js_to_uint(&value, &number), 0);
    ck_assert_uint_eq(number, UINT64_MAX);
    ck_assert_int_eq(parse("18446744073709551616"), 0);
    ck_assert_int_eq(js_to_uint(&value, &number), -ERANGE);
    for (size_t i = 0; i < 5; i++) {
        static const char *const wrong[] = {"-1", "1.0", "1e3", "\"1\"", "null"};
        ck_assert_int_eq(parse(wrong[i]), 0);
        ck_assert_int_eq(js_to_uint(&value, &number), -EINVAL);
    }
    ck_assert_uint_eq(number, UINT64_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_read");
    TCase *tcase = tcase_create("json_read");
    tcase_add_loop_test(tcase, what_the_grammar_allows_is_read, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, everything_else_is_refused_where_it_is_wrong, 0,
                        sizeof bad / sizeof *bad);
    tcase_add_test(tcase, every_beginning_of_a_text_is_refused);
    tcase_add_test(tcase, depth_is_bounded);
    tcase_add_test(tcase, members_are_stepped_through_in_order);
    tcase_add_test(tcase, escapes_become_the_bytes_they_stand_for);
    tcase_add_test(tcase, what_the_writer_writes_comes_back);
    tcase_add_test(tcase, base64_comes_back_and_nothing_else_is_taken_for_it);
    tcase_add_test(tcase, whole_numbers_up_to_the_largest);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
