/* check_consumer_where.c - the expressions of --where: what passes, what is refused and where;
 * numbers exactly. */
#include "consumer/where/decimal.h"
#include "consumer/where/where.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct where *where;
static struct where_bound *bound;
static struct columns columns;
static struct where_fault fault;
static unsigned char headers[128];
static size_t headers_len;

static void setup(void)
{
    columns = (struct columns){0};
    where = NULL;
    bound = NULL;
    headers_len = 0;
}

static void teardown(void)
{
    where_unbind(bound);
    where_free(where);
    columns_free(&columns);
}

static void header(const char *line)
{
    columns_free(&columns);
    ck_assert_int_eq(columns_set(&columns, line, strlen(line), 0), 0);
}

static int passes_record(const char *expression, const struct mr_record *record)
{
    ck_assert_msg(where_compile(expression, &where, &fault) == 0, "%s: %s at %zu", expression,
                  fault.reason, fault.at);
    ck_assert_msg(where_bind(where, &columns, &bound, &fault) == 0, "%s: %s", expression,
                  fault.reason);
    int passes = where_match(where, bound, "orders", record);
    /* nothing is left of the first time */
    ck_assert_int_eq(where_match(where, bound, "orders", record), passes);
    where_unbind(bound);
    where_free(where);
    bound = NULL;
    where = NULL;
    return passes;
}

/* The value lies in memory of its own length, so that a byte too many is seen. */
static int passes_bytes(const char *expression, const char *value, size_t len)
{
    char *copy = malloc(len + !len);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, value, len);
    struct mr_record record = {.value = copy,
                               .value_len = (uint32_t)len,
                               .key = "k1",
                               .key_len = 2,
                               .headers = headers,
                               .headers_len = (uint16_t)headers_len,
                               .partition = 3,
                               .offset = UINT64_C(9223372036854775807),
                               .ts_ns = UINT64_C(1763696191123456789),
                               .try_number = 2};
    int passes = passes_record(expression, &record);
    free(copy);
    return passes;
}

static int passes(const char *expression, const char *value)
{
    return passes_bytes(expression, value, strlen(value));
}

static void add_header(const char *name, const char *value)
{
    ssize_t used = mr_header_add(headers, headers_len, sizeof headers, name, value, strlen(value));
    ck_assert_int_gt(used, 0);
    headers_len = (size_t)used;
}

/* ---- numbers ---- */

static int sign_of(const char *a, const char *b)
{
    struct decimal x, y;
    ck_assert_msg(decimal_parse(a, strlen(a), &x), "%s", a);
    ck_assert_msg(decimal_parse(b, strlen(b), &y), "%s", b);
    int sign = decimal_compare(&x, &y), back = decimal_compare(&y, &x);
    ck_assert_msg((sign < 0 && back > 0) || (sign > 0 && back < 0) || (sign == 0 && back == 0),
                  "%s %s", a, b);
    return sign;
}

START_TEST(numbers_are_compared_exactly)
{
    /* in order, with those that are equal in one line */
    static const char *const lines[][6] = {
        {"-1e400", "-10e399"},
        {"-9223372036854775809"},
        {"-9223372036854775808", "-9223372036854775808.000"},
        {"-1.0000000000000000000001"},
        {"-1", "-1.0", "-01e0", "-.1e1", "-0.01e+2"},
        {"-0.3"},
        {"0", "-0", "+0", "0.0", ".0", "0e999"},
        {"1e-400"},
        {"0.05", ".05", "5e-2", "00.0500"},
        {"0.1"},
        {"0.10000000000000000001"},
        {"2", "2.", "+2", "002", "20e-1", "0.2e1"},
        {"10", "1e1", "10.00"},
        {"100", "1E2", "100e0"},
        {"9007199254740992"}, /* the first that double cannot tell from the next */
        {"9007199254740993"},
        {"9223372036854775807"},
        {"9223372036854775808", "9.223372036854775808e18"},
        {"1e19"},
        {"18446744073709551615"},
        {"1e400"},
        {"123456789012345678901234567890123456789012345678901e999999999"},
    };
    const size_t cnt = sizeof lines / sizeof lines[0];
    for (size_t i = 0; i < cnt; i++)
        for (size_t k = 0; k < 6 && lines[i][k]; k++) {
            ck_assert_msg(sign_of(lines[i][0], lines[i][k]) == 0, "%s == %s", lines[i][0],
                          lines[i][k]);
            for (size_t j = i + 1; j < cnt; j++)
                ck_assert_msg(sign_of(lines[i][k], lines[j][0]) < 0, "%s < %s", lines[i][k],
                              lines[j][0]);
        }
}
END_TEST

START_TEST(what_is_no_number_is_told_apart)
{
    static const char *const bad[] = {"",      "-",   "+",     ".",    "-.", "1.2.3",
                                      "1e",    "1e+", "1e1.5", "0x10", " 1", "1 ",
                                      "1,000", "inf", "nan",   "--1",  "1-", "e5"};
    struct decimal number;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!decimal_parse(bad[i], strlen(bad[i]), &number), "%s", bad[i]);
    ck_assert_int_eq(decimal_parse("12\0003", 4, &number), 0);
}
END_TEST

START_TEST(numbers_agree_with_integers_at_random)
{
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        int64_t pair[2];
        char text[2][40];
        for (int k = 0; k < 2; k++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            pair[k] = (int64_t)(seed >> (seed & 63)) * (seed & 64 ? -1 : 1);
            snprintf(text[k], sizeof text[k], "%lld%s", (long long)pair[k], seed & 128 ? ".0" : "");
        }
        ck_assert_msg(sign_of(text[0], text[1]) == (pair[0] > pair[1]) - (pair[0] < pair[1]) ||
                          (sign_of(text[0], text[1]) < 0) == (pair[0] < pair[1]),
                      "%s %s", text[0], text[1]);
        ck_assert_int_eq(sign_of(text[0], text[1]) == 0, pair[0] == pair[1]);
    }
}
END_TEST

/* ---- what passes ---- */

static const struct {
    const char *expression;
    int passes;
} of_row[] = {
    /* comparisons, as numbers */
    {"total > 9", 1},
    {"total > 12.50", 0},
    {"total >= 12.50", 1},
    {"12.5 == total", 1},
    {"total < 100", 1},
    {"total <= -3", 0},
    {"total != 12.5", 0},
    {"zip == 1234", 1},
    {"id < total", 1},
    /* as bytes: strings of the expression, and what is no number */
    {"zip == \"1234\"", 0},
    {"zip == \"01234\"", 1},
    {"total < \"9\"", 1},
    {"country == \"DE\"", 1},
    {"country == 'DE'", 1},
    {"country != \"D\"", 1},
    {"country > \"D\"", 1},
    {"country > \"DEU\"", 0},
    {"country > 5", 1},
    {"empty == \"\"", 1},
    {"empty < 0", 1},
    {"name == \"Bob \\\"B\\\", Jr\"", 1},
    {"name == 'Bob \"B\", Jr'", 1},
    {"name < country", 1},
    /* regular expressions */
    {"country ~ \"^D\"", 1},
    {"country ~ \"e\"", 0},
    {"name ~ 'B.*(Jr|Sr)$'", 1},
    {"name ~ '^$'", 0},
    {"empty ~ '^$'", 1},
    {"total ~ \"\\.50$\"", 1},
    {"total ~ \"^12\\\\.\"", 1},
    {"total ~ \"1\\.2\"", 0},
    {"gone ~ \"\"", 0},
    {"offset ~ '7$'", 1},
    /* what is not there */
    {"gone == null", 1},
    {"gone != null", 0},
    {"gone == \"\"", 0},
    {"gone != \"x\"", 1},
    {"gone < 5", 0},
    {"gone >= 5", 0},
    {"empty == null", 0},
    {"null == null", 1},
    {"headers.none == null", 1},
    /* alone */
    {"country", 1},
    {"empty", 0},
    {"gone", 0},
    {"!empty", 1},
    {"flag", 0},
    {"zero", 0},
    {"zip", 1},
    {"true", 1},
    {"false", 0},
    {"flag == false", 1},
    {"flag == true", 0},
    {"1", 1},
    {"0", 0},
    {"\"0\"", 1},
    /* together */
    {"total > 9 && country == \"DE\"", 1},
    {"total > 99 && country == \"DE\"", 0},
    {"total > 99 || country == \"DE\"", 1},
    {"total > 9 || nothing", 1},
    {"id == 1 || id == 2 && country == \"FR\"", 1},
    {"(id == 1 || id == 2) && country == \"FR\"", 0},
    {"!(id == 1) || !(country ~ 'x')", 1},
    {"!!(id == 1)", 1},
    {"!id == 2", 1}, /* not: (not id) is 2 */
    {"id == 2 && id == 3 || id == 4 || (id == 1 && !(id == 5 || id == 6))", 1},
    {"id==1&&!(id!=1)&&id<2&&id>-1", 1},
    {" \t\n( ( id == 1 ) ) ", 1},
    /* names */
    {"`unit price` == 3", 1},
    {"`a``b` == 4", 1},
    {"unit-cost == 5", 1},
    {"gr\xc3\xb6\xc3\x9f"
     "e == 6",
     1},
    {"a.b == 7", 1},
    {"a.`b` == 7", 1},
    {"`2024` == 8", 1},
    {"value.key == \"col\"", 1},
    {"`key` == \"col\"", 1},
    {"key == \"k1\"", 1},
    {"`null` == 9", 1},
    {"value.`unit price` == 3", 1},
    {"dup == 10 && dup_2 == 11", 1},
    /* the record's own */
    {"offset == 9223372036854775807", 1},
    {"offset < 9223372036854775807", 0},
    {"offset > 9223372036854775806", 1},
    {"partition == 3", 1},
    {"try == 2 && try > 1", 1},
    {"topic == \"orders\"", 1},
    {"ts == 1763696191123456789", 1},
    {"ts > 1763696191123456788", 1},
    {"ts >= @1763696191.123456789", 1},
    {"ts > @1763696191.123456789", 0},
    {"ts < @2025-11-21T03:36:31.2Z", 1},
    {"ts < @2025-11-21T04:36:31.1+01:00", 0},
    {"value ~ '^1,'", 1},
    {"headers.trace == \"last\"", 1},
    {"headers.a.b == 1", 1},
    {"headers.`x y` == ''", 1},
};

START_TEST(of_a_row_passes_what_should)
{
    setenv("TZ", "UTC0", 1);
    header("id,total,zip,country,empty,name,flag,zero,unit price,a`b,unit-cost,gr\xc3\xb6\xc3\x9f"
           "e,a.b,2024,key,null,dup,dup,nothing,gone");
    add_header("trace", "first");
    add_header("a.b", "1");
    add_header("trace", "last");
    add_header("x y", "");
    int got =
        passes(of_row[_i].expression,
               "1,\"12.50\",01234,DE,,\"Bob \"\"B\"\", Jr\",false,0.0,3,4,5,6,7,8,col,9,10,11,0");
    ck_assert_msg(got == of_row[_i].passes, "%s: %d", of_row[_i].expression, got);
}
END_TEST

static const struct {
    const char *expression;
    int passes;
} of_object[] = {
    {"a == 1", 1},
    {"a.b == 1", 0},
    {"o.p.q == \"deep\"", 1},
    {"o.p.q.r == null", 1},
    {"o.p == '{\"q\":\"deep\"}'", 1},
    {"list.1 == 20", 1},
    {"list.3 == null", 1},
    {"list.x == null", 1},
    {"list.2.z == true", 1},
    {"text == \"a\\\"b \xc3\xa9 / \xf0\x9f\x98\x80\"", 1},
    {"text < other", 1},
    {"other > text", 1},
    {"other == \"b\\\\c\"", 1},
    {"nothing == null", 1},
    {"missing == null", 1},
    {"big == 9007199254740993", 1},
    {"big == 9007199254740992", 0},
    {"num > 9", 1}, /* a string that looks like a number */
    {"yes", 1},
    {"no", 0},
    {"yes == true && no == false", 1},
    {"dup == 2", 1}, /* the last one, as everywhere */
    {"value.key == \"member\" && key == \"k1\"", 1},
    {"value.value == 7", 1},
    {"`sp ace`.`in ner` == 8", 1},
};

START_TEST(of_a_json_object_passes_what_should)
{
    int got = passes(of_object[_i].expression,
                     " {\"a\":1,\"o\":{\"p\":{\"q\":\"deep\"}},\"list\":[10,20,{\"z\":true}],"
                     "\"text\":\"a\\\"b \\u00e9 \\/ \\ud83d\\ude00\","
                     "\"other\":\"b\\\\c\",\"nothing\":null,\"big\":9007199254740993,\"num\":\"9."
                     "5\",\"yes\":true,\"no\":false,\"dup\":1,"
                     "\"dup\":2,\"key\":\"member\",\"value\":7,\"sp ace\":{\"in ner\":8}}\r");
    ck_assert_msg(got == of_object[_i].passes, "%s: %d", of_object[_i].expression, got);
}
END_TEST

START_TEST(a_member_whose_name_has_a_dot_is_written_in_backticks)
{
    ck_assert_int_eq(passes("`with.dot` == 5", "{\"with.dot\":5}"), 1);
    ck_assert_int_eq(passes("with.dot == 5", "{\"with.dot\":5}"), 0);
    ck_assert_int_eq(passes("with.dot == 5", "{\"with\":{\"dot\":5}}"), 1);
}
END_TEST

START_TEST(values_that_are_no_objects_have_no_members_and_are_counted)
{
    static const char *const others[] = {"",      "12",   "[1]",         "{", "{\"a\":1} x",
                                         "\"a\"", "null", "{\"a\":\xff}"};
    ck_assert_int_eq(where_compile("a == 1", &where, &fault), 0);
    ck_assert_int_eq(where_bind(where, &columns, &bound, &fault), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct mr_record record = {.value = others[i], .value_len = (uint32_t)strlen(others[i])};
        ck_assert_int_eq(where_match(where, bound, "t", &record), 0);
        ck_assert_uint_eq(where_strangers(bound), i + 1);
    }
    struct mr_record record = {.value = "{\"a\":1}", .value_len = 7};
    ck_assert_int_eq(where_match(where, bound, "t", &record), 1);
    ck_assert_uint_eq(where_strangers(bound), sizeof others / sizeof *others);
}
END_TEST

/* {"a":1,"d": in which n - 1 more brackets are inside each other. */
static int passes_nested(const char *expression, const char *begin, size_t n)
{
    static char text[4096];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", begin);
    memset(text + used, '[', n - 1);
    memset(text + used + n - 1, ']', n - 1);
    text[used + 2 * (n - 1)] = *begin == '[' ? ']' : '}';
    return passes_bytes(expression, text, used + 2 * (n - 1) + 1);
}

START_TEST(an_object_that_is_too_deep_is_not_decided_upon)
{
    ck_assert_int_eq(passes_nested("a == 1", "{\"a\":1,\"d\":", 256), 1);
    ck_assert_int_eq(passes_nested("a == 2", "{\"a\":1,\"d\":", 256), 0);
    ck_assert_int_eq(passes_nested("a == 1", "{\"a\":1,\"d\":", 257), -EOVERFLOW);
    ck_assert_int_eq(passes_nested("!(a == 1)", " \t\r\n{\"a\":1,\"d\":", 257), -EOVERFLOW);
    ck_assert_int_eq(passes_nested("2 == a", "{\"a\":1,\"d\":", 300), -EOVERFLOW);
    ck_assert_int_eq(passes_nested("a == null", "[1,", 257), 1); /* no object, however deep */
    ck_assert_int_eq(passes_nested("offset >= 0 || a == 1", "{\"a\":1,\"d\":", 257), 1);
    ck_assert_int_eq(passes_nested("offset < 0 && a == 1", "{\"a\":1,\"d\":", 257), 0);
    ck_assert_int_eq(passes_nested("value ~ \"a\"", "{\"a\":1,\"d\":", 257), 1);
}
END_TEST

START_TEST(bytes_of_every_kind_are_matched_as_they_are)
{
    header("a,b");
    ck_assert_int_eq(passes_bytes("a ~ 'x[^y]y$'", "x\0y,1", 5), 1);
    ck_assert_int_eq(passes_bytes("b ~ '^.$'", "x\0y,\xff", 5), 1);
    /* ^ is the start of the value, not of a line in it */
    ck_assert_int_eq(passes_bytes("a ~ '^y'", "x\ny,1", 5), 0);
    ck_assert_int_eq(passes_bytes("a == \"x\"", "x\0,1", 4), 0);
    ck_assert_int_eq(passes("a == \"tab\\there\"", "tab\there,"), 1);
}
END_TEST

START_TEST(records_without_key_or_value_are_no_trouble)
{
    struct mr_record record = {.value = NULL};
    ck_assert_int_eq(passes_record("key == null", &record), 1);
    ck_assert_int_eq(passes_record("key == \"\"", &record), 0);
    ck_assert_int_eq(passes_record("value == \"\"", &record), 1);
    ck_assert_int_eq(passes_record("a == null", &record), 1);
    record.key = "";
    ck_assert_int_eq(passes_record("key == null", &record), 0);
    ck_assert_int_eq(passes_record("key == \"\"", &record), 1);
}
END_TEST

START_TEST(both_sides_may_need_room_and_it_grows_with_the_rows)
{
    static char row[4096];
    header("a,b");
    ck_assert_int_eq(where_compile("a == b", &where, &fault), 0);
    ck_assert_int_eq(where_bind(where, &columns, &bound, &fault), 0);
    /* a: few quotes; b: the same; only the last byte of b tells them apart, at times */
    for (int i = 1; i < 2000; i = i * 3 / 2 + 1) {
        for (int same = 0; same < 2; same++) {
            int len = snprintf(row, sizeof row, "\"\"\"%0*d\",\"\"\"%0*d\"", i, 7, i, same ? 7 : 8);
            struct mr_record record = {.value = row, .value_len = (uint32_t)len};
            ck_assert_int_eq(where_match(where, bound, "t", &record), same);
        }
    }
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *expression;
    size_t at;
    const char *says;
} refused[] = {
    {"", 0, "empty"},
    {"  ", 2, "empty"},
    {"total >", 7, "missing"},
    {"total > ", 8, "missing"},
    {"> 5", 0, "missing"},
    {"total > && 3", 8, "missing"},
    {"total = 3", 6, "did you mean =="},
    {"total <> 3", 6, "did you mean !="},
    {"total =~ 'x'", 6, "did you mean ~"},
    {"a & b", 2, "did you mean &&"},
    {"a | b", 2, "did you mean ||"},
    {"a !~ 'b'", 2, "did you mean !("},
    {"a and b", 2, "did you mean &&"},
    {"a == 1 or b", 7, "did you mean ||"},
    {"a b", 2, "operator"},
    {"a == 1 2", 7, "operator"},
    {"(a == 1", 0, "never closes"},
    {"a == 1)", 6, "never opened"},
    {"(a) == 1", 4, "brackets"},
    {"()", 1, "missing"},
    {"1 < a < 3", 6, "one comparison"},
    {"a == \"x", 5, "never closes"},
    {"a == 'x\\", 5, "never closes"},
    {"`a == 1", 0, "never closes"},
    {"a. == 1", 2, "name is missing"},
    {"`` == 1", 0, "name is missing"},
    {"a ~ b", 4, "quotes"},
    {"a ~ 5", 4, "quotes"},
    {"a ~ '('", 4, "regular expression"},
    {"a ~ '[b'", 4, "regular expression"},
    {"a == 5x", 5, "not a number"},
    {"a == 1.2.3", 5, "not a number"},
    {"a == -", 5, "not understood"},
    {"a + 1 == 2", 2, "not understood"},
    {"a == $b", 5, "not understood"},
    {"key.x == 1", 0, "value.key"},
    {"null.x", 0, "no parts"},
    {"headers == 1", 7, "headers.NAME"},
    {"ts > @yesterday", 5, "not a time"},
    {"ts < @2026-02-31", 5, "not a time that exists"},
    {"ts < @2027-02-29T00:00Z", 5, "not a time that exists"},
    {"ts < @2026-11-21T25:00", 5, "not a time that exists"},
    {"ts > @", 5, "not a time"},
    {"!", 1, "missing"},
};

START_TEST(mistakes_are_pointed_at)
{
    int error = where_compile(refused[_i].expression, &where, &fault);
    ck_assert_msg(error == -EINVAL, "%s: %d", refused[_i].expression, error);
    ck_assert_msg(fault.at == refused[_i].at, "%s: at %zu: %s", refused[_i].expression, fault.at,
                  fault.reason);
    ck_assert_msg(strstr(fault.reason, refused[_i].says), "%s: %s", refused[_i].expression,
                  fault.reason);
}
END_TEST

START_TEST(brackets_are_as_deep_as_is_sane)
{
    char deep[600];
    memset(deep, '(', 200);
    memcpy(deep + 200, "1", 1);
    memset(deep + 201, ')', 200);
    deep[401] = '\0';
    ck_assert_int_eq(where_compile(deep, &where, &fault), 0);
    where_free(where);
    where = NULL;
    memset(deep, '(', 500);
    deep[500] = '\0';
    ck_assert_int_eq(where_compile(deep, &where, &fault), -EINVAL);
    ck_assert_uint_eq(fault.at, 200);
}
END_TEST

START_TEST(columns_that_are_not_there_are_refused_with_what_was_meant)
{
    header("id,total,unit price");
    ck_assert_int_eq(where_compile("id == 1 && totl > 3", &where, &fault), 0);
    ck_assert_int_eq(where_bind(where, &columns, &bound, &fault), -ENOENT);
    ck_assert_ptr_null(bound);
    ck_assert_uint_eq(fault.at, 11);
    ck_assert_str_eq(
        fault.reason,
        "no column \"totl\" (did you mean \"total\"?); its columns: id,total,unit price");
}
END_TEST

START_TEST(the_caret_stands_below_the_fault)
{
    char lines[256];
    fault.at = 6;
    ck_assert_str_eq(where_point(lines, "total = 3", &fault), "  total = 3\n        ^");
    fault.at = 5; /* what a message would escape is a blank for each byte */
    ck_assert_str_eq(where_point(lines,
                                 "a\xc2\x9b"
                                 "b\x9b= 1",
                                 &fault),
                     "  a    = 1\n       ^");
    fault.at = 11; /* letters of two bytes, a tab */
    ck_assert_str_eq(where_point(lines,
                                 "gr\xc3\xb6\xc3\x9f"
                                 "e\t== = 3",
                                 &fault),
                     "  gr\xc3\xb6\xc3\x9f"
                     "e == = 3\n           ^");
    char text[600];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (fault.at = 0; fault.at < sizeof text; fault.at++) {
        where_point(lines, text, &fault);
        const char *caret = strchr(lines, '\n');
        ck_assert_ptr_nonnull(caret);
        size_t shown = (size_t)(caret - lines), place = strlen(caret + 1);
        ck_assert_uint_le(shown, 80);
        ck_assert_uint_le(place, shown + 1);
        ck_assert_uint_eq(place, 3 + (fault.at < 48 ? fault.at : 48));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consumer_where");
    TCase *tcase = tcase_create("consumer_where");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, numbers_are_compared_exactly);
    tcase_add_test(tcase, what_is_no_number_is_told_apart);
    tcase_add_test(tcase, numbers_agree_with_integers_at_random);
    tcase_add_loop_test(tcase, of_a_row_passes_what_should, 0, sizeof of_row / sizeof *of_row);
    tcase_add_loop_test(tcase, of_a_json_object_passes_what_should, 0,
                        sizeof of_object / sizeof *of_object);
    tcase_add_test(tcase, a_member_whose_name_has_a_dot_is_written_in_backticks);
    tcase_add_test(tcase, values_that_are_no_objects_have_no_members_and_are_counted);
    tcase_add_test(tcase, bytes_of_every_kind_are_matched_as_they_are);
    tcase_add_test(tcase, records_without_key_or_value_are_no_trouble);
    tcase_add_test(tcase, both_sides_may_need_room_and_it_grows_with_the_rows);
    tcase_add_loop_test(tcase, mistakes_are_pointed_at, 0, sizeof refused / sizeof *refused);
    tcase_add_test(tcase, brackets_are_as_deep_as_is_sane);
    tcase_add_test(tcase, an_object_that_is_too_deep_is_not_decided_upon);
    tcase_add_test(tcase, columns_that_are_not_there_are_refused_with_what_was_meant);
    tcase_add_test(tcase, the_caret_stands_below_the_fault);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
