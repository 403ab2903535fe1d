/* check_consumer_object.c - rows as JSON objects: random ones against json_reference.c, and what
 * only the whole format does. */
#include "consumer/format/columns.h"
#include "consumer/format/format.h"
#include "tests/shared/json_reference.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_MAX 4096

static uint32_t state = 1;

static uint32_t any(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)state * below >> 32);
}

static size_t piece(char *to, char sep)
{
    static const char *const texts[] = {"\"",
                                        "\"\"",
                                        "\n",
                                        "\r\n",
                                        "\\",
                                        "\x01",
                                        "\x7f",
                                        "\xc3\xa9",
                                        "\xe9\x85\x8d",
                                        "\xf0\x9f\x98\x80",
                                        "\xe2\x82",
                                        "\xed\xa0",
                                        "\xf4\x90",
                                        "\xc0\xaf",
                                        "\x80",
                                        "\xff",
                                        "0",
                                        "-0",
                                        "01",
                                        "1e5",
                                        "1.",
                                        ".5",
                                        "+1",
                                        "1e",
                                        "-",
                                        "-1.5E-3",
                                        "113.40",
                                        "12345678901234",
                                        "1234567890.12345",
                                        "12345678901234567",
                                        "2026-03-01T00:03:45.839Z",
                                        "x"};
    uint32_t what = any(sizeof texts / sizeof *texts + 16);
    if (what < sizeof texts / sizeof *texts) {
        size_t len = strlen(texts[what]);
        memcpy(to, texts[what], len);
        return len;
    }
    /* so that what matters lies at every place of the 64 bytes that are looked at together */
    if (what % 4 == 0) {
        size_t len = any(any(20) ? 80 : 1000);
        memset(to, 'a', len);
        return len;
    }
    *to = what % 16 == 1 ? '\0' : sep;
    return 1;
}

/* Half of the rows are well-formed. */
static size_t random_row(char *row, char sep)
{
    char part[1100];
    size_t len = 0;
    int decent = (int)any(2);
    for (uint32_t pieces = any(14); pieces > 0 && len < ROW_MAX / 2; pieces--) {
        size_t n = piece(part, sep);
        int quoted = decent && any(3) == 0;
        if (quoted)
            row[len++] = '"';
        for (size_t i = 0; i < n; i++) {
            row[len++] = part[i];
            if (quoted && part[i] == '"')
                row[len++] = '"';
        }
        if (quoted) {
            row[len++] = '"';
            row[len++] = sep;
        }
    }
    return len;
}

static void same(const char *found, size_t found_len, const char *wanted, size_t wanted_len,
                 const char *row, size_t len)
{
    if (found_len == wanted_len && memcmp(found, wanted, wanted_len) == 0)
        return;
    fprintf(stderr, "row ");
    for (size_t i = 0; i < len; i++)
        fprintf(stderr, row[i] >= ' ' && row[i] < 0x7f ? "%c" : "\\x%02x", (unsigned char)row[i]);
    ck_abort_msg("is %.*s, wanted %.*s", (int)found_len, found, (int)wanted_len, wanted);
}

START_TEST(rows_are_what_the_plain_rules_make_of_them)
{
    static const char seps[] = {',', ',', ',', ';', '\t', '\x82', '\xa0', '\0', '5', '\\', '.'};
    static char row[2 * ROW_MAX], wanted[8 * ROW_MAX];
    const char sep = seps[_i];
    char header[32], name[160];
    for (int round = 0; round < 3000; round++) {
        struct columns columns = {0};
        struct format format;
        struct js_writer out;
        size_t cnt = 1 + any(9), len = 0;
        int quotes = any(5) > 0;
        for (size_t i = 0; i < cnt; i++) {
            header[len++] = (char)('a' + i);
            header[len++] = sep;
        }
        ck_assert_int_eq(columns_set(&columns, header, len - 1,
                                     (sep ? (uint32_t)(unsigned char)sep : 0x100) << 8 |
                                         (quotes ? 0 : MR_UNQUOTED)),
                         0);
        ck_assert_int_eq(format_init(&format, "json", name), 0);
        format.strings = any(4) == 0;
        js_init(&out, NULL, 0);
        len = random_row(row, sep);
        char *exact = malloc(len ? len : 1); /* so that a sanitizer sees every byte read past it */
        memcpy(exact, row, len);
        struct mr_record record = {.value = exact, .value_len = (uint32_t)len};
        format_record(&format, &columns, "t", &record, 0, &out);
        size_t wanted_len = json_reference_object(
            wanted, cnt, row, len, sep,
            (quotes ? JSON_REFERENCE_QUOTES : 0) | (format.strings ? 0 : JSON_REFERENCE_NUMBERS));
        wanted[wanted_len++] = '\n';
        ck_assert(!out.failed);
        same(out.text, out.len, wanted, wanted_len, row, len);
        free(exact);
        js_free(&out);
        format_free(&format);
        columns_free(&columns);
    }
}
END_TEST

START_TEST(selected_columns_come_in_their_order_and_those_that_are_missing_do_not)
{
    struct columns columns = {0};
    struct format format;
    struct js_writer out;
    char wrong[160];
    const char *missing;
    static const char *const rows[] = {"1,\"x\"\"y\",3", "1", "", "1,2,3,4"};
    ck_assert_int_eq(columns_set(&columns, "a,b,c", 5, 0), 0);
    ck_assert_int_eq(format_init(&format, "json", wrong), 0);
    ck_assert_int_eq(select_parse("c,b,c", &format.select, wrong), 0);
    ck_assert_int_eq(format_bind(&format, &columns, &missing), 0);
    js_init(&out, NULL, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mr_record record = {.value = rows[i], .value_len = (uint32_t)strlen(rows[i])};
        format_record(&format, &columns, "t", &record, 0, &out);
    }
    js_add(&out, "", 1);
    ck_assert_str_eq(out.text,
                     "{\"c\":3,\"b\":\"x\\\"y\",\"c\":3}\n{}\n{}\n{\"c\":3,\"b\":2,\"c\":3}\n");
    js_free(&out);
    format_free(&format);
    columns_free(&columns);
}
END_TEST

/* Rows so long that room for them is counted and not guessed. */
START_TEST(long_rows_of_one_byte)
{
    enum { LEN = 70001 };
    static const char bytes[] = {'a', ',', '\x01', '"', '\xff', '\\', '\n'};
    static char row[LEN], wanted[8 * LEN], wrong[160];
    const char *missing;
    memset(row, bytes[_i], LEN);
    for (int selecting = 0; selecting < 2; selecting++) {
        struct columns columns = {0};
        struct format format;
        struct js_writer out;
        struct mr_record record = {.value = row, .value_len = LEN};
        ck_assert_int_eq(columns_set(&columns, "a", 1, 0), 0);
        ck_assert_int_eq(format_init(&format, "json", wrong), 0);
        if (selecting) {
            ck_assert_int_eq(select_parse("a", &format.select, wrong), 0);
            ck_assert_int_eq(format_bind(&format, &columns, &missing), 0);
        }
        js_init(&out, NULL, 0);
        format_record(&format, &columns, "t", &record, 0, &out);
        size_t wanted_len =
            json_reference_object(wanted, 1, row, selecting && *row == ',' ? 0 : LEN, ',',
                                  JSON_REFERENCE_QUOTES | JSON_REFERENCE_NUMBERS);
        wanted[wanted_len++] = '\n';
        ck_assert(!out.failed);
        ck_assert_uint_eq(out.len, wanted_len);
        ck_assert(memcmp(out.text, wanted, wanted_len) == 0);
        if (*row == 'a')
            /* not six times the row where all of it stays as it is */
            ck_assert_uint_lt(out.cap, 4 * LEN);
        js_free(&out);
        format_free(&format);
        columns_free(&columns);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consumer_object");
    TCase *tcase = tcase_create("consumer_object");
    tcase_add_loop_test(tcase, rows_are_what_the_plain_rules_make_of_them, 0, 11);
    tcase_add_test(tcase, selected_columns_come_in_their_order_and_those_that_are_missing_do_not);
    tcase_add_loop_test(tcase, long_rows_of_one_byte, 0, 7);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
