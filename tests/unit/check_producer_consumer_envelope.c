/* check_producer_consumer_envelope.c - what consumer -J writes and producer -J reads is the record
 * that it was, whatever its bytes; what is edited on the way counts; everything else is refused
 * with its place. */
#include "consumer/format/columns.h"
#include "consumer/format/format.h"
#include "producer/input/envelope.h"
#include "text/csv.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct format format;
static struct columns columns;
static struct js_writer line;
static struct envelope_columns known;
static struct arena arena;
static struct envelope got;
static struct envelope_fault fault;

static void setup(void)
{
    char wrong[160];
    ck_assert_int_eq(format_init(&format, NULL, wrong), 0);
    format.kind = FORMAT_ENVELOPE;
    columns = (struct columns){0};
    js_init(&line, NULL, 0);
}

static void teardown(void)
{
    format_free(&format);
    columns_free(&columns);
    js_free(&line);
    envelope_columns_free(&known);
    arena_free(&arena);
}

static int read_text(const char *text)
{
    arena_reset(&arena);
    return envelope_read(text, strlen(text), &known, &arena, &got, &fault);
}

static void is_value(const char *text)
{
    ck_assert_msg(got.value_len == strlen(text) && memcmp(got.value, text, got.value_len) == 0,
                  "\"%.*s\", not \"%s\"", (int)got.value_len, got.value, text);
}

/* ---- there and back ---- */

/* Returns the envelope as text, for messages. */
static const char *same_record(const struct mr_record *record)
{
    static char text[16384];
    line.len = 0;
    format_record(&format, &columns, "orders", record, 0, &line);
    ck_assert(!line.failed && line.len > 0 && line.text[line.len - 1] == '\n');
    snprintf(text, sizeof text, "%.*s", (int)line.len - 1, line.text);
    arena_reset(&arena);
    int result = envelope_read(line.text, line.len - 1, &known, &arena, &got, &fault);
    ck_assert_msg(result == 0, "%s: byte %zu: %s", text, fault.byte, fault.reason);
    ck_assert_msg(got.value_len == record->value_len &&
                      memcmp(got.value, record->value, got.value_len) == 0,
                  "value: %s", text);
    ck_assert_msg((got.key == NULL) == (record->key == NULL), "key: %s", text);
    ck_assert_msg(!got.key || (got.key_len == record->key_len &&
                               memcmp(got.key, record->key, got.key_len) == 0),
                  "key: %s", text);
    ck_assert_msg(
        got.headers_len == record->headers_len &&
            (!got.headers_len || memcmp(got.headers, record->headers, got.headers_len) == 0),
        "headers: %s", text);
    ck_assert_msg(got.flags == record->flags, "line end %u, not %u: %s", got.flags, record->flags,
                  text);
    ck_assert_uint_eq(got.ts_ns, record->ts_ns);
    ck_assert_uint_eq(got.partition, record->partition);
    if (columns.line) {
        ck_assert_msg(known.line && known.len == columns.len &&
                          memcmp(known.line, columns.line, known.len) == 0,
                      "columns: %s", text);
        ck_assert_msg(known.flags == (MR_SEPARATOR_OF(columns.flags) == ','
                                          ? columns.flags & (MR_EOL_MASK | MR_UNQUOTED)
                                          : columns.flags),
                      "columns' flags: %s", text);
    }
    return text;
}

static uint64_t state = 88172645463325252u;
static size_t below(size_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state >> 11) % limit;
}

static size_t random_bytes(char *to, size_t max, char sep)
{
    static const char *const parts[] = {"a",        "1",    "-2.5", "\"",       "\"\"", ",",
                                        ";",        "\r",   "\n",   "\r\n",     "\\",   "\t",
                                        "\xc3\xa4", "\xff", "\xc3", "\xe2\x82", "true", " "};
    size_t len = 0;
    for (size_t n = below(max / 4); n; n--) {
        size_t i = below(sizeof parts / sizeof *parts + 2);
        if (i >= sizeof parts / sizeof *parts) {
            to[len++] = i % 2 ? '\0' : sep;
        } else {
            memcpy(to + len, parts[i], strlen(parts[i]));
            len += strlen(parts[i]);
        }
    }
    return len;
}

START_TEST(any_record_of_any_topic_comes_back)
{
    static const char seps[] = {',', ',', ',', ';', '\t', '.', '1', '\xa7', '\xff', 'a'};
    char header[256], value[256], key[64], headers[512], part[64];
    for (int topic = 0; topic < 4000; topic++) {
        char sep = seps[below(sizeof seps)];
        uint32_t flags = (uint32_t)below(3) | (sep == ',' ? 0 : MR_SEPARATOR(sep)) |
                         (below(3) ? 0 : MR_UNQUOTED);
        size_t len = below(4) ? random_bytes(header, 60, sep)
                              : (size_t)sprintf(header, "a,%s,c", topic % 2 ? "b" : "\"x,\"");
        /* no reader of files makes such a header */
        while (len && (header[len - 1] == '\r' || header[len - 1] == '\n'))
            len--;
        if (below(4)) {
            columns_set(&columns, header, len, flags);
        }
        for (int i = 0; i < 8; i++) {
            struct mr_record record = {.value = value,
                                       .value_len = (uint32_t)random_bytes(value, 80, sep),
                                       .flags = (uint16_t)below(3)};
            record.partition = (uint32_t)below(5);
            record.ts_ns = below(2) ? UINT64_MAX : below(1000000);
            record.try_number = 1;
            if (below(3)) {
                record.key = key;
                record.key_len = (uint32_t)random_bytes(key, 20, sep);
            }
            record.headers = headers;
            for (size_t n = below(4), used = 0; n; n--) {
                static const char *const names[] = {"a", "b\"", "\xff", "\xfe", "a"};
                const char *name = names[below(sizeof names / sizeof *names)];
                used = (size_t)mr_header_add(headers, used, sizeof headers, name, part,
                                             random_bytes(part, 24, sep));
                record.headers_len = (uint16_t)used;
            }
            same_record(&record);
        }
        columns_free(&columns);
        envelope_columns_free(&known);
    }
}
END_TEST

START_TEST(each_byte_comes_back_as_value_key_and_header)
{
    char byte[1], headers[16];
    for (int i = 0; i < 256; i++) {
        byte[0] = (char)i;
        ssize_t used = mr_header_add(headers, 0, sizeof headers, "h", byte, 1);
        struct mr_record record = {.value = byte,
                                   .value_len = 1,
                                   .key = byte,
                                   .key_len = 1,
                                   .headers = headers,
                                   .headers_len = (uint16_t)used};
        same_record(&record);
    }
}
END_TEST

START_TEST(headers_of_one_name_or_of_names_that_are_no_text_are_told_apart)
{
    static const struct {
        const char *name, *value;
    } pairs[][2] = {
        {{"a", "\xff"}, {"a", "\xef\xbf\xbd"}}, /* U+FFFD itself, and what becomes it */
        {{"a", "\xef\xbf\xbd"}, {"a", "\xff"}},
        {{"a", "\xfe"}, {"a", "\xff"}},
        {{"\xff", "1"}, {"\xfe", "2"}},
        {{"\xef\xbf\xbd", "1"}, {"\xff", "1"}},
        {{"a", "1"}, {"a", "1"}},
    };
    char headers[64];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t used = 0;
        for (int k = 0; k < 2; k++)
            used = (size_t)mr_header_add(headers, used, sizeof headers, pairs[i][k].name,
                                         pairs[i][k].value, strlen(pairs[i][k].value));
        struct mr_record record = {
            .value = "v", .value_len = 1, .headers = headers, .headers_len = (uint16_t)used};
        same_record(&record);
    }
}
END_TEST

START_TEST(what_consumers_always_wrote_is_as_short_as_before)
{
    columns_set(&columns, "id,\"a,b\",c", 10, MR_EOL_LF);
    struct mr_record record = {.value = "1,\"x,y\",", .value_len = 8};
    ck_assert_ptr_null(strstr(same_record(&record), "columns"));
    record.value_len = 1; /* too short to tell the columns */
    ck_assert_ptr_nonnull(strstr(same_record(&record), "\"columns\":\"id,\\\"a,b\\\",c\\n\"}"));
}
END_TEST

START_TEST(a_short_row_first_does_not_shorten_the_columns)
{
    columns_set(&columns, "a;b;a", 5, MR_EOL_CRLF | MR_SEPARATOR(';'));
    struct mr_record record = {.value = "1", .value_len = 1};
    ck_assert_ptr_nonnull(
        strstr(same_record(&record), "\"columns\":\"a;b;a\\r\\n\",\"sep\":\";\"}"));
    record.value = "1;2;3;4";
    record.value_len = 7;
    same_record(&record);
}
END_TEST

/* Text behind a closing quote, and a quote that never closes: together as long as the row that the
 * fields would make. */
START_TEST(faults_that_make_up_for_each_other_are_no_canonical_row)
{
    static const char row[] = "\"a,\"x,\",";
    columns_set(&columns, "a,b", 3, 0);
    struct mr_record record = {.value = row, .value_len = sizeof row - 1};
    ck_assert_ptr_nonnull(strstr(same_record(&record), "\"raw\":"));
}
END_TEST

/* ---- by hand ---- */

START_TEST(the_smallest_envelopes)
{
    ck_assert_int_eq(read_text("{\"value\":\"\"}"), 0);
    is_value("");
    ck_assert_ptr_null(got.key);
    ck_assert_uint_eq(got.ts_ns, 0);
    ck_assert_uint_eq(got.headers_len, 0);
    ck_assert_uint_eq(got.flags, MR_EOL_LF);
    ck_assert_uint_eq(got.partition, ENVELOPE_PARTITION_NONE);
    ck_assert_int_eq(read_text(" { \"key\" : \"\" , \"value\" : 1.50 , \"more\" : [1] } "), 0);
    is_value("1.50");
    ck_assert_ptr_nonnull(got.key);
    ck_assert_uint_eq(got.key_len, 0);
    ck_assert_int_eq(
        read_text("{\"v\\u0061lue\":\"x\",\"key\":null,\"headers\":null,\"ts\":null,\"raw\":null}"),
        0);
    is_value("x");
    ck_assert_int_eq(read_text("{\"value\":{\"a\":1,\"b\":\"x,\\\"y\\\"\",\"c\":null,\"d\":true,"
                               "\"e\":\"\",\"_extra\":[\"p\",2]}}"),
                     0);
    is_value("1,\"x,\"\"y\"\"\",,true,,p,2");
    ck_assert_str_eq(known.line, "a,b,c,d,e");
    /* a short row of the same columns */
    ck_assert_int_eq(read_text("{\"value\":{\"a\":2,\"b\":3}}"), 0);
    is_value("2,3");
}
END_TEST

START_TEST(who_edits_a_member_means_it)
{
    ck_assert_int_eq(read_text("{\"value\":{\"a\":\"1\",\"b\":3},\"raw\":\"\\\"1\\\",2\\r\\n\"}"),
                     0);
    is_value("1,3");
    ck_assert_uint_eq(got.flags, MR_EOL_CRLF);
    ck_assert_int_eq(read_text("{\"value\":{\"a\":\"1\",\"b\":2},\"raw\":\"\\\"1\\\",2\\r\\n\"}"),
                     0);
    is_value("\"1\",2");
    ck_assert_int_eq(read_text("{\"value\":\"new\",\"value_base64\":\"/w==\"}"), 0);
    is_value("new");
    ck_assert_int_eq(read_text("{\"value\":\"\\ufffd\",\"value_base64\":\"/w==\"}"), 0);
    is_value("\xff");
    ck_assert_int_eq(read_text("{\"value\":\"\",\"key\":\"k2\",\"key_base64\":\"/w==\"}"), 0);
    ck_assert_mem_eq(got.key, "k2", 2);
    ck_assert_int_eq(read_text("{\"value\":\"\",\"headers\":{\"a\":\"x\",\"b\":\"\\ufffd\"},"
                               "\"headers_base64\":[[\"YQ==\",\"/w==\"],[\"Yg==\",\"/g==\"]]}"),
                     0);
    ck_assert_mem_eq(got.headers, "\1\1\0\0\0ax", 7);
    ck_assert_int_eq(read_text("{\"value\":\"a\",\"raw\":\"b\"}"), 0);
    is_value("a");
    ck_assert_uint_eq(got.flags, MR_EOL_NONE);
}
END_TEST

static const struct {
    const char *text, *reason;
    size_t byte;
} bad[] = {
    {"", "not JSON", 1},
    {"{\"value\":\"x\"", "not JSON: a ',' or '}' is missing", 13},
    {"[]", "not a JSON object", 1},
    {"17", "not a JSON object", 1},
    {"{}", "has a \"value\"", 1},
    {"{\"value\":null}", "has a \"value\"", 1},
    {"{\"value\":[1]}", "has a \"value\"", 10},
    {"{\"value\":{}}", "has no columns", 10},
    {"{\"value\":{\"_extra\":[1]}}", "has no columns", 10},
    {"{\"value\":{\"a\":{}}}", "a column is a string", 15},
    {"{\"value\":{\"a\":1,\"_extra\":[[]]}}", "a column is a string", 27},
    {"{\"value\":{\"a\":1,\"_extra\":[],\"b\":2}}", "a column after the fields", 30},
    {"{\"value\":{\"a\":1,\"tags\":[\"x\"]}}", "\"tags\" is an array: a column is", 18},
    {"{\"value\":{\"a\":1,\"tags\":[]}}", "\"tags\" is an array", 18},
    {"{\"value\":{\"a\":1,\"_extra_2\":[1]}}", "(only \"_extra\" has", 18},
    {"{\"value\":{\"_extra\":1,\"_extra\":[1]}}", "(only \"_extra_2\" has", 23},
    {"{\"value\":{\"a\":1,\"_extra\":[1]},\"columns\":\"_extra_2,_extra\"}",
     "(only \"_extra_3\" has", 18},
    {"{\"value\":{\"a\":1,\"_extra_2\":[1]},\"columns\":\"_extra,_extra\"}",
     "(only \"_extra_3\" has", 18},
    {"{\"value\":\"x\",\"value\":\"y\"}", "occurs twice", 15},
    {"{\"value\":\"x\",\"key\":1}", "\"key\" is not a string or null", 20},
    {"{\"value\":\"x\",\"raw\":1}", "\"raw\" is not a string", 20},
    {"{\"value\":\"x\",\"value_base64\":\"/w=\"}", "not base64", 30},
    {"{\"value\":\"x\",\"key\":\"k\",\"key_base64\":\"*\"}", "not base64", 38},
    {"{\"value\":\"x\",\"headers\":[]}", "\"headers\" is not an object", 24},
    {"{\"value\":\"x\",\"headers\":{\"a\":1}}", "a header's value is not a string", 29},
    {"{\"value\":\"x\",\"headers\":{\"\":\"1\"}}", "a header's name has 1 to 255 bytes", 26},
    {"{\"value\":\"x\",\"headers\":{\"a\\u0000\":\"1\"}}", "a header's name has 1 to 255 bytes",
     26},
    {"{\"value\":\"x\",\"ts\":-1}", "\"ts\" is not a whole number", 19},
    {"{\"value\":\"x\",\"ts\":18446744073709551616}", "\"ts\" is not a whole number", 19},
    {"{\"value\":\"x\",\"ts\":\"1\"}", "\"ts\" is not a whole number", 20},
    {"{\"value\":\"x\",\"partition\":0.5}", "\"partition\" is not a whole number", 26},
    {"{\"value\":{\"a\":1},\"columns\":1}", "\"columns\" is not a string", 28},
    {"{\"value\":{\"a\":1},\"columns\":\"a\",\"sep\":\"ab\"}", "\"sep\" is not one byte", 39},
    {"{\"value\":{\"a\":1},\"columns\":\"a\",\"sep\":\"\\\"\"}", "\"sep\" is not one byte", 39},
    {"\xef\xbb\xbf{\"value\":1}", "not JSON", 1},
};
START_TEST(what_is_no_envelope_is_refused_with_its_place)
{
    ck_assert_int_eq(read_text(bad[_i].text), 1);
    ck_assert_msg(strstr(fault.reason, bad[_i].reason) != NULL, "%s: %s", bad[_i].text,
                  fault.reason);
    ck_assert_msg(fault.byte == bad[_i].byte, "%s: byte %zu, not %zu: %s", bad[_i].text, fault.byte,
                  bad[_i].byte, fault.reason);
    ck_assert_ptr_null(known.line);
}
END_TEST

START_TEST(surplus_fields_have_the_name_that_consumers_give_them)
{
    static const char *const headers[] = {"a", "_extra", "_extra,_extra_2", "_extra,_extra",
                                          "_extra_2,_extra,_extra,x"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct mr_record record = {.value = "1,2,3,4,5,6", .value_len = 11};
        size_t len = strlen(headers[i]);
        ck_assert_int_eq(columns_set(&columns, headers[i], len, MR_EOL_LF), 0);
        same_record(&record);
        columns_free(&columns);
        envelope_columns_free(&known);
    }
    ck_assert_int_eq(read_text("{\"value\":{\"a\":1,\"_extr\\u0061\":[\"x\"]}}"), 0);
    is_value("1,x");
}
END_TEST

START_TEST(rows_of_other_columns_are_refused)
{
    ck_assert_int_eq(read_text("{\"value\":{\"a\":1,\"b\":2}}"), 0);
    ck_assert_int_eq(read_text("{\"value\":{\"a\":1,\"c\":2}}"), 1);
    ck_assert_ptr_nonnull(strstr(fault.reason, "column 2 differs from that of the topic"));
    ck_assert_int_eq(read_text("{\"value\":{\"b\":1,\"a\":2}}"), 1);
    ck_assert_int_eq(read_text("{\"value\":{\"a\":1,\"b\":2,\"c\":3}}"), 1);
    ck_assert_int_eq(read_text("{\"value\":{\"a\":1,\"_extra\":[3]}}"), 1);
    ck_assert_int_eq(read_text("{\"value\":{\"a\":1},\"columns\":\"a,c\\n\"}"), 1);
    ck_assert_ptr_nonnull(strstr(fault.reason, "its columns differ from those of the topic"));
    ck_assert_int_eq(read_text("{\"value\":{\"a\":1,\"b\":2},\"columns\":\"a,b\"}"), 0);
    ck_assert_int_eq(read_text("{\"value\":\"a line\"}"), 0);
}
END_TEST

START_TEST(ten_thousand_columns)
{
    size_t len = 0, cnt = 10000;
    char *header = malloc(cnt * 8), *value = malloc(cnt * 8);
    ck_assert(header && value);
    for (size_t i = 0; i < cnt; i++)
        len += (size_t)sprintf(header + len, "%sc%zu", i ? "," : "", i);
    ck_assert_int_eq(columns_set(&columns, header, len, MR_EOL_LF), 0);
    len = 0;
    for (size_t i = 0; i < cnt; i++)
        len += (size_t)sprintf(value + len, "%s%zu", i ? "," : "", i % 1000);
    struct mr_record record = {.value = value, .value_len = (uint32_t)len};
    for (int i = 0; i < 3; i++)
        same_record(&record);
    free(header);
    free(value);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("producer_consumer_envelope");
    TCase *tcase = tcase_create("envelope");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, any_record_of_any_topic_comes_back);
    tcase_add_test(tcase, each_byte_comes_back_as_value_key_and_header);
    tcase_add_test(tcase, headers_of_one_name_or_of_names_that_are_no_text_are_told_apart);
    tcase_add_test(tcase, what_consumers_always_wrote_is_as_short_as_before);
    tcase_add_test(tcase, a_short_row_first_does_not_shorten_the_columns);
    tcase_add_test(tcase, faults_that_make_up_for_each_other_are_no_canonical_row);
    tcase_add_test(tcase, the_smallest_envelopes);
    tcase_add_test(tcase, who_edits_a_member_means_it);
    tcase_add_loop_test(tcase, what_is_no_envelope_is_refused_with_its_place, 0,
                        sizeof bad / sizeof *bad);
    tcase_add_test(tcase, surplus_fields_have_the_name_that_consumers_give_them);
    tcase_add_test(tcase, rows_of_other_columns_are_refused);
    tcase_add_test(tcase, ten_thousand_columns);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
