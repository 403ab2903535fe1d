/* check_csv.c - row framing and fields: the rules one by one, then random input against a plain
 * state machine, whole and cut at every byte. */
#include "millrace.h"
#include "tests/shared/csv_reference.h"
#include "text/csv.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS_MAX 256

static void same_row(const char *buf, size_t len, const struct csv_row *found,
                     const struct csv_row *wanted)
{
    int same = found->start == wanted->start && found->len == wanted->len &&
               found->next == wanted->next && found->eol == wanted->eol &&
               found->fault == wanted->fault && found->fault_at == wanted->fault_at &&
               found->lines == wanted->lines;

    if (same)
        return;
    for (size_t i = 0; i < len; i++)
        fprintf(stderr, buf[i] == '\n' ? "\\n" : buf[i] == '\r' ? "\\r" : "%c", buf[i]);
    fprintf(stderr, "\n");
    ck_abort_msg("row at %zu: len %zu next %zu eol %u fault %u at %zu lines %zu, wanted len %zu "
                 "next %zu eol %u fault %u at %zu lines %zu",
                 found->start, found->len, found->next, (unsigned)found->eol,
                 (unsigned)found->fault, found->fault_at, found->lines, wanted->len, wanted->next,
                 (unsigned)wanted->eol, (unsigned)wanted->fault, wanted->fault_at, wanted->lines);
}

/* ---- helpers ---- */

/* The text in memory that ends where it ends, so that a sanitizer sees every byte read past it. */
static char *exact(const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    return copy;
}

static struct csv_row only_row(const char *text)
{
    size_t len = strlen(text);
    char *buf = exact(text, len);
    struct csv_row row;

    ck_assert_int_eq(csv_row(buf, len, 0, ',', 1, &row), 1);
    free(buf);
    return row;
}

static void expect(const char *text, size_t len, unsigned eol, size_t next, size_t lines)
{
    struct csv_row row = only_row(text);

    ck_assert_uint_eq(row.fault, CSV_OK);
    ck_assert_uint_eq(row.start, 0);
    ck_assert_uint_eq(row.len, len);
    ck_assert_uint_eq(row.eol, eol);
    ck_assert_uint_eq(row.next, next);
    ck_assert_uint_eq(row.lines, lines);
}

static void expect_fault(const char *text, enum csv_fault fault, size_t at, size_t len, size_t next)
{
    struct csv_row row = only_row(text);

    ck_assert_uint_eq(row.fault, fault);
    ck_assert_uint_eq(row.fault_at, at);
    ck_assert_uint_eq(row.len, len);
    ck_assert_uint_eq(row.next, next);
}

/* ---- rows ---- */

START_TEST(rows_end_at_lf_crlf_or_the_end)
{
    expect("a,b\nc\n", 3, MR_EOL_LF, 4, 0);
    expect("a,b\r\nc\n", 3, MR_EOL_CRLF, 5, 0);
    expect("a,b", 3, MR_EOL_NONE, 3, 0);
    expect("\n", 0, MR_EOL_LF, 1, 0);
    expect("\r\n", 0, MR_EOL_CRLF, 2, 0);
    expect("\"a\"", 3, MR_EOL_NONE, 3, 0);
    expect("\"a\"\r\nb", 3, MR_EOL_CRLF, 5, 0);
}
END_TEST

START_TEST(a_lone_cr_is_data)
{
    expect("a\rb\n", 3, MR_EOL_LF, 4, 0);
    expect("a\r", 2, MR_EOL_NONE, 2, 0);
    expect("a\r\r\n", 2, MR_EOL_CRLF, 4, 0);
    expect("\"\r\"\n", 3, MR_EOL_LF, 4, 0);
}
END_TEST

START_TEST(quoted_line_ends_separators_and_quotes_belong_to_the_row)
{
    expect("\"a\nb\",c\nd\n", 7, MR_EOL_LF, 8, 1);
    expect("x,\"a\r\n\r\nb\"\r\n", 10, MR_EOL_CRLF, 12, 2);
    expect("\"a,b\",\"say \"\"hi\"\"\"\n", 18, MR_EOL_LF, 19, 0);
    expect("\"\"\"\n\"\"\"\nx", 7, MR_EOL_LF, 8, 1);
    expect("\"\",\"\"\n", 5, MR_EOL_LF, 6, 0);
    expect("\"a\n\"", 4, MR_EOL_NONE, 4, 1);
}
END_TEST

START_TEST(nul_and_high_bytes_pass)
{
    static const char text[] = "a\0b,\xff\xfe\nrest";
    struct csv_row row;

    ck_assert_int_eq(csv_row(text, sizeof(text) - 1, 0, ',', 0, &row), 1);
    ck_assert_uint_eq(row.len, 6);
    ck_assert_uint_eq(row.fault, CSV_OK);
}
END_TEST

START_TEST(a_quote_inside_a_plain_field_is_malformed)
{
    expect_fault("a\"b,c\nd\n", CSV_QUOTE_IN_FIELD, 1, 5, 6);
    expect_fault("a, \"b\"\n", CSV_QUOTE_IN_FIELD, 3, 6, 7);
    expect_fault("\"a\",b\"\r\n", CSV_QUOTE_IN_FIELD, 5, 6, 8);
}
END_TEST

START_TEST(text_after_a_closing_quote_is_malformed)
{
    expect_fault("\"a\"b,c\nd\n", CSV_TEXT_AFTER_QUOTE, 3, 6, 7);
    expect_fault("\"a\" ,c\n", CSV_TEXT_AFTER_QUOTE, 3, 6, 7);
    expect_fault("\"a\"\r", CSV_TEXT_AFTER_QUOTE, 3, 4, 4);
    expect_fault("\"a\"\rb\n", CSV_TEXT_AFTER_QUOTE, 3, 5, 6);
}
END_TEST

START_TEST(a_malformed_row_ends_at_its_first_line_end)
{
    expect_fault("x,\"a\n1,2\n3,4\n", CSV_OPEN_QUOTE, 2, 4, 5);
    expect_fault("x,\"a\n1,\"2\"\n", CSV_TEXT_AFTER_QUOTE, 8, 4, 5);
    expect_fault("x,\"a", CSV_OPEN_QUOTE, 2, 4, 4);
    expect_fault("\"a\"\"", CSV_OPEN_QUOTE, 0, 4, 4);
}
END_TEST

START_TEST(nothing_is_decided_before_it_is_certain)
{
    static const char *const unfinished[] = {
        "", "a", "a\r", "\"a\n", "\"a\"", "\"a\"\r", "\"a\n\"\r", "a\"b", "\"a\n\",b", "\"a\n\"\""};
    struct csv_row row;

    for (size_t i = 0; i < sizeof(unfinished) / sizeof(unfinished[0]); i++)
        ck_assert_msg(csv_row(unfinished[i], strlen(unfinished[i]), 0, ',', 0, &row) == 0,
                      "case %zu", i);
    ck_assert_int_eq(csv_row("a\n", 2, 2, ',', 1, &row), 0);
    ck_assert_int_eq(csv_row("", 0, 0, ',', 1, &row), 0);
}
END_TEST

START_TEST(other_separators)
{
    struct csv_row row;

    ck_assert_int_eq(csv_row("a;\"b;\n\"\n", 8, 0, ';', 1, &row), 1);
    ck_assert_uint_eq(row.fault, CSV_OK);
    ck_assert_uint_eq(row.len, 7);
    ck_assert_int_eq(csv_row("a,\"b\"\n", 6, 0, ';', 1, &row), 1);
    ck_assert_uint_eq(row.fault, CSV_QUOTE_IN_FIELD);
}
END_TEST

/* ---- random input ---- */

static unsigned seed;
static int rounds = 200000; /* a fiftieth in valgrind */

static size_t random_text(char *buf, size_t cap)
{
    static const char *const pieces[] = {"a",      "bc",      ",",        ",",    "\"",
                                         "\"",     "\"\"",    "\n",       "\r\n", "\r",
                                         "\"x\"",  "\",\"",   "\n\"",     ",\"",  "\"\n",
                                         "\"\r\n", "\"a,b\"", "\"p\nq\"", "7",    "\xc3\xa9"};
    size_t len = 0, n = (size_t)rand() % 24;

    for (size_t i = 0; i < n; i++) {
        const char *piece = pieces[(size_t)rand() % (sizeof(pieces) / sizeof(pieces[0]))];

        if (len + strlen(piece) <= cap) {
            memcpy(buf + len, piece, strlen(piece));
            len += strlen(piece);
        }
    }
    return len;
}

static size_t reference_rows(const char *buf, size_t len, struct csv_row *rows)
{
    size_t n = 0;

    for (size_t at = 0; at < len; at = rows[n++].next)
        csv_reference_row(buf, len, at, ',', &rows[n]);
    return n;
}

START_TEST(random_input_gives_the_rows_of_the_reference)
{
    struct csv_row wanted[ROWS_MAX], row;
    char text[128];

    for (int round = 0; round < rounds; round++) {
        size_t len = random_text(text, sizeof(text)), rows = reference_rows(text, len, wanted),
               at = 0;

        for (size_t i = 0; i < rows; i++, at = row.next) {
            ck_assert_msg(csv_row(text, len, at, ',', 1, &row) == 1, "seed %u, round %d", seed,
                          round);
            same_row(text, len, &row, &wanted[i]);
        }
        ck_assert_int_eq(csv_row(text, len, at, ',', 1, &row), 0);
    }
}
END_TEST

/* Rows of all kinds behind each other, so that they begin and end anywhere in a block: found many
 * at a time they are as one by one, with as many fields as one takes one by one. */
START_TEST(many_rows_at_a_time_are_the_same_with_their_fields)
{
    char text[512];
    struct csv_row row, rows[7];

    for (int round = 0; round < rounds / 10; round++) {
        size_t len = random_text(text, 200), max = 1 + (size_t)round % 7, at = 0, cnt = 0, i = 0;
        int last = round / 7 % 2;

        len += random_text(text + len, 200);
        for (; csv_row(text, len, at, ',', last, &row); at = row.next) {
            if (i == cnt) {
                cnt = csv_rows(
                    (struct csv_window){
                        .buf = text, .len = len, .at = at, .sep = ',', .last = last},
                    rows, max);
                ck_assert_uint_ge(cnt, 1);
                ck_assert_uint_le(cnt, max);
                i = 0;
            }
            same_row(text, len, &rows[i], &row);
            ck_assert_uint_eq(rows[i].fields, row.fields);
            ck_assert(row.fault || row.fields == csv_count(text + row.start, row.len, ','));
            if (row.fault)
                ck_assert_uint_eq(i + 1, cnt);
            i++;
        }
        ck_assert_uint_eq(i, cnt);
        ck_assert_uint_eq(
            csv_rows(
                (struct csv_window){.buf = text, .len = len, .at = at, .sep = ',', .last = last},
                rows, max),
            0);
    }
}
END_TEST

/* What is seen of the input grows at one cut, or byte by byte: each row must come out once, the
 * same, and never before its end is known. */
START_TEST(random_input_cut_at_every_byte_gives_the_same_rows)
{
    struct csv_row wanted[ROWS_MAX], row;
    char text[96];

    for (int round = 0; round < rounds / 50; round++) {
        size_t len = random_text(text, sizeof(text)), rows = reference_rows(text, len, wanted);

        for (size_t cut = 0; cut <= len + 1; cut++) {
            size_t seen = cut <= len ? cut : 0, at = 0, i = 0;

            for (;;) {
                char *buf = exact(text, seen);
                int result = csv_row(buf, seen, at, ',', seen == len, &row);

                free(buf);
                if (result) {
                    ck_assert_msg(i < rows, "seed %u, round %d: too many rows", seed, round);
                    same_row(text, len, &row, &wanted[i++]);
                    at = row.next;
                } else if (seen < len) {
                    seen = cut <= len ? len : seen + 1;
                } else {
                    break;
                }
            }
            ck_assert_msg(i == rows && at == len, "seed %u, round %d, cut %zu: %zu rows of %zu",
                          seed, round, cut, i, rows);
        }
    }
}
END_TEST

/* ---- fields ---- */

static void expect_fields(const char *text, const char *const *wanted)
{
    size_t len = strlen(text), at = 0, i = 0;
    char *row = exact(text, len), out[64];
    struct csv_field field;

    while (csv_field(row, len, ',', &at, &field)) {
        size_t n = field.len;

        ck_assert_msg(wanted[i] != NULL, "%s: too many fields", text);
        if (field.quoted)
            n = csv_unquote(field.text, field.len, out);
        else
            memcpy(out, field.text, n);
        out[n] = '\0';
        ck_assert_str_eq(out, wanted[i]);
        i++;
    }
    ck_assert_msg(wanted[i] == NULL, "%s: too few fields", text);
    ck_assert_uint_gt(at, len);
    free(row);
}

START_TEST(fields_are_split_and_unquoted)
{
    expect_fields("a,b,c", (const char *const[]){"a", "b", "c", NULL});
    expect_fields("", (const char *const[]){"", NULL});
    expect_fields(",", (const char *const[]){"", "", NULL});
    expect_fields("\"\"", (const char *const[]){"", NULL});
    expect_fields("\"a,b\",\"c\nd\",", (const char *const[]){"a,b", "c\nd", "", NULL});
    expect_fields("\"say \"\"hi\"\"\",x", (const char *const[]){"say \"hi\"", "x", NULL});
    expect_fields("\"\"\"\"", (const char *const[]){"\"", NULL});
    expect_fields("\"\"\"\"\"\",y", (const char *const[]){"\"\"", "y", NULL});
}
END_TEST

START_TEST(fields_of_a_malformed_row_stay_inside_it)
{
    expect_fields("\"open,b", (const char *const[]){"open,b", NULL});
    expect_fields("\"", (const char *const[]){"", NULL});
    expect_fields("\"a\"x,b", (const char *const[]){"a", "b", NULL});
    expect_fields("a\"b,c", (const char *const[]){"a\"b", "c", NULL});
}
END_TEST

/* As many fields as one takes one by one. */
static void count_is_right(const char *row, size_t len, int sep)
{
    struct csv_field field;
    size_t at = 0, cnt = 0;

    while (csv_field(row, len, sep, &at, &field))
        cnt++;
    ck_assert_msg(csv_count(row, len, sep) == cnt, "%zu fields, not %zu, in \"%.*s\"",
                  csv_count(row, len, sep), cnt, (int)len, row);
    if (sep & CSV_UNQUOTED || !memchr(row, '"', len))
        ck_assert_msg(csv_separators(row, len, (char)sep) == cnt - 1,
                      "%zu separators, not %zu, in \"%.*s\"", csv_separators(row, len, (char)sep),
                      cnt - 1, (int)len, row);
}

START_TEST(fields_are_counted_as_they_are_split)
{
    static const char alphabet[] = "abcdefg,,;\t\r\n\"";
    char row[10000];
    /* In a buffer of its own of just this length, so that a look too far behind its end is seen. */
    for (int round = 0; round < 4000; round++) {
        size_t len = round < 2000 ? (size_t)round % 100 : (size_t)rand() % 300;
        size_t letters = round % 3 ? sizeof(alphabet) - 2 : sizeof(alphabet) - 1;
        char *exact = malloc(len + CSV_BEHIND);

        ck_assert_ptr_nonnull(exact);
        memset(exact + len, ',', CSV_BEHIND);
        for (size_t i = 0; i < len; i++)
            exact[i] = alphabet[(size_t)rand() % letters];
        count_is_right(exact, len, ',');
        count_is_right(exact, len, ';');
        count_is_right(exact, len, '\t' | CSV_UNQUOTED);
        free(exact);
    }
    memset(row, ',', sizeof(row)); /* behind each row there are more of them */
    for (size_t len = 0; len < sizeof(row) - CSV_BEHIND; len += len < 200 ? 1 : 37)
        count_is_right(row, len, ',');
    memset(row, '\xa7', sizeof(row)); /* a byte above 127 */
    ck_assert_uint_eq(csv_count(row, 5000, 0xa7), 5001);
    ck_assert_uint_eq(csv_separators(row, 5000, '\xa7'), 5000);
    ck_assert_uint_eq(csv_count("", 0, ','), 1);
    ck_assert_uint_eq(csv_count("\xef\xbb\xbf\"a,b\"", 8, ','), 1);
}
END_TEST

START_TEST(a_byte_order_mark_is_three_bytes)
{
    ck_assert_uint_eq(csv_bom("\xEF\xBB\xBFid", 5), 3);
    ck_assert_uint_eq(csv_bom("\xEF\xBB\xBF", 3), 3);
    ck_assert_uint_eq(csv_bom("\xEF\xBB", 2), 0);
    ck_assert_uint_eq(csv_bom("id,", 3), 0);
}
END_TEST

START_TEST(a_byte_order_mark_is_in_no_field)
{
    const char *row = "\xef\xbb\xbf\"a,b\",\xef\xbb\xbf";
    struct csv_field field;
    size_t at = 0;

    ck_assert_int_eq(csv_field(row, 12, ',', &at, &field), 1);
    ck_assert(field.quoted && field.len == 3 && memcmp(field.text, "a,b", 3) == 0);
    ck_assert_int_eq(csv_field(row, 12, ',', &at, &field), 1);
    ck_assert(!field.quoted && field.len == 3 && memcmp(field.text, "\xef\xbb\xbf", 3) == 0);
    ck_assert_int_eq(csv_field(row, 12, ',', &at, &field), 0);
    at = 0; /* the mark alone is an empty field; the separator comes before it */
    ck_assert_int_eq(csv_field(row, 3, ',', &at, &field), 1);
    ck_assert_uint_eq(field.len, 0);
    ck_assert_int_eq(csv_field(row, 3, ',', &at, &field), 0);
    at = 0;
    ck_assert_int_eq(csv_field(row, 3, 0xbb, &at, &field), 1);
    ck_assert_uint_eq(field.len, 1);
}
END_TEST

START_TEST(every_fault_has_a_text_of_its_own)
{
    for (int a = CSV_OK; a <= CSV_OPEN_QUOTE; a++)
        for (int b = CSV_OK; b < a; b++)
            ck_assert_str_ne(csv_fault_text((enum csv_fault)a), csv_fault_text((enum csv_fault)b));
}
END_TEST

int main(void)
{
    const char *given = getenv("MR_TEST_SEED");
    Suite *suite = suite_create("csv");
    TCase *tcase = tcase_create("csv");

    seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    srand(seed);
    const char *san = getenv("MILLRACE_SAN");
    if (san && strcmp(san, "valgrind") == 0)
        rounds /= 50;
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, rows_end_at_lf_crlf_or_the_end);
    tcase_add_test(tcase, a_lone_cr_is_data);
    tcase_add_test(tcase, quoted_line_ends_separators_and_quotes_belong_to_the_row);
    tcase_add_test(tcase, nul_and_high_bytes_pass);
    tcase_add_test(tcase, a_quote_inside_a_plain_field_is_malformed);
    tcase_add_test(tcase, text_after_a_closing_quote_is_malformed);
    tcase_add_test(tcase, a_malformed_row_ends_at_its_first_line_end);
    tcase_add_test(tcase, nothing_is_decided_before_it_is_certain);
    tcase_add_test(tcase, other_separators);
    tcase_add_test(tcase, fields_are_counted_as_they_are_split);
    tcase_add_test(tcase, random_input_gives_the_rows_of_the_reference);
    tcase_add_test(tcase, many_rows_at_a_time_are_the_same_with_their_fields);
    tcase_add_test(tcase, random_input_cut_at_every_byte_gives_the_same_rows);
    tcase_add_test(tcase, fields_are_split_and_unquoted);
    tcase_add_test(tcase, fields_of_a_malformed_row_stay_inside_it);
    tcase_add_test(tcase, a_byte_order_mark_is_three_bytes);
    tcase_add_test(tcase, a_byte_order_mark_is_in_no_field);
    tcase_add_test(tcase, every_fault_has_a_text_of_its_own);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    if (failed)
        fprintf(stderr, "check_csv: MR_TEST_SEED=%u repeats the random tests\n", seed);
    srunner_free(runner);
    return failed ? 1 : 0;
}
