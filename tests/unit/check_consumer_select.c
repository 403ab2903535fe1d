/* check_consumer_select.c - the columns of --select: picked out of a row, in every format, refused
 * when not there; -f tsv. */
#include "consumer/format/fields.h"
#include "consumer/format/format.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct columns columns;

static void setup(void)
{
    columns = (struct columns){0};
}

static void teardown(void)
{
    columns_free(&columns);
}

START_TEST(fields_are_picked_in_any_order_and_more_than_once)
{
    struct field_picker pick;
    static const size_t wanted[] = {3, 0, 3, 5, 1};
    static const char *const is[] = {"d", "a", "d", NULL, "b \"\"c"};
    ck_assert_int_eq(field_picker_init(&pick, 5, ';'), 0);
    memcpy(pick.column, wanted, sizeof wanted);
    field_picker_ready(&pick);
    field_picker_take(&pick, "a;\"b \"\"c\";,;d;e", 15);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(pick.field[i].text != NULL, is[i] != NULL);
        if (is[i])
            ck_assert_mem_eq(pick.field[i].text, is[i], strlen(is[i]));
    }
    ck_assert_int_eq(pick.field[4].quoted, 1);
    field_picker_take(&pick, "", 0);
    ck_assert_ptr_null(pick.field[0].text);
    ck_assert_ptr_nonnull(pick.field[1].text);
    ck_assert_uint_eq(pick.field[1].len, 0);
    field_picker_free(&pick);
}
END_TEST

/* What a format makes of a header line and two rows when these columns are selected. */
static void shows(const char *spec, const char *select, const char *line, uint32_t flags,
                  const char *expected)
{
    struct format format;
    struct js_writer out;
    const char *missing;
    char wrong[160];
    static const struct mr_record rows[] = {
        {.value = "1,\"x, \"\"y\"\"\",3\t4", .value_len = 16},
        {.value = "2", .value_len = 1, .flags = MR_EOL_CRLF},
        {.value = "3,\\n,\"two\r\nlines\",extra", .value_len = 23, .flags = MR_EOL_NONE}};
    columns_free(&columns);
    if (line)
        ck_assert_int_eq(columns_set(&columns, line, strlen(line), flags), 0);
    ck_assert_int_eq(format_init(&format, spec, wrong), 0);
    if (select)
        ck_assert_int_eq(select_parse(select, &format.select, wrong), 0);
    ck_assert_int_eq(format_bind(&format, &columns, &missing), 0);
    js_init(&out, NULL, 0);
    format_header(&format, &columns, &out);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        format_record(&format, &columns, "t", &rows[i], 0, &out);
    ck_assert(!out.failed);
    js_add(&out, "", 1);
    ck_assert_str_eq(out.text, expected);
    js_free(&out);
    format_free(&format);
}

START_TEST(selected_columns_in_every_format)
{
    const char *line = "\xef\xbb\xbf"
                       "a,\"the b\",c";
    shows("csv", "c,a", line, MR_EOL_CRLF, "c,a\r\n3\t4,1\n,2\r\n\"two\r\nlines\",3");
    shows("csv", "the b", line, MR_EOL_LF, "\"the b\"\n\"x, \"\"y\"\"\"\n\r\n\\n");
    shows("csv", "a,a", line, MR_EOL_LF, "a,a\n1,1\n2,2\r\n3,3");
    shows("tsv", "c,the b", line, MR_EOL_LF,
          "c\tthe b\n3\\t4\tx, \"y\"\n\t\r\ntwo\\r\\nlines\t\\\\n");
    shows("json", "c,a", line, 0,
          "{\"c\":\"3\\t4\",\"a\":1}\n{\"a\":2}\n{\"c\":\"two\\r\\nlines\",\"a\":3}\n");
    shows("raw", "c,a", line, 0, "3\t4,1\n,2\n\"two\r\nlines\",3\n");
    shows("%s|%{the b};", "a", line, 0, "1|x, \"y\";2|;3|\\n;");
}
END_TEST

START_TEST(tsv_of_all_columns)
{
    shows("tsv", NULL,
          "\xef\xbb\xbf"
          "a,\"the b\",c",
          MR_EOL_CRLF, "a\tthe b\tc\r\n1\tx, \"y\"\t3\\t4\n2\r\n3\t\\\\n\ttwo\\r\\nlines\textra");
    /* rows with tabs already, or without columns, stay what they are */
    shows("tsv", NULL, "a,b\tc", MR_SEPARATOR('\t'),
          "a,b\tc\n1,\"x, \"\"y\"\"\",3\t4\n2\r\n3,\\n,\"two\r\nlines\",extra");
    shows("tsv", NULL, NULL, 0, "1,\"x, \"\"y\"\"\",3\t4\n2\r\n3,\\n,\"two\r\nlines\",extra");
}
END_TEST

START_TEST(lists_of_columns_are_read_as_csv)
{
    struct select_list select;
    char wrong[160];
    ck_assert_int_eq(select_parse("a,\"b,\"\"c\"\"\", d,", &select, wrong), 0);
    ck_assert_uint_eq(select.cnt, 4);
    ck_assert_str_eq(select.name[1], "b,\"c\"");
    ck_assert_str_eq(select.name[2], " d");
    ck_assert_str_eq(select.name[3], "");
    select_free(&select);
    static const char *const bad[] = {"", "a,\"b", "a\nb", "a\"b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(select_parse(bad[i], &select, wrong), -EINVAL);
}
END_TEST

START_TEST(a_selected_column_that_is_not_there_is_named)
{
    struct format format;
    const char *missing = NULL;
    char wrong[160];
    ck_assert_int_eq(format_init(&format, "csv", wrong), 0);
    ck_assert_int_eq(select_parse("a,x", &format.select, wrong), 0);
    ck_assert_int_eq(format_bind(&format, &columns, &missing), -ENOENT); /* no columns at all */
    ck_assert_str_eq(missing, "a");
    ck_assert_int_eq(columns_set(&columns, "a,b", 3, 0), 0);
    ck_assert_int_eq(format_bind(&format, &columns, &missing), -ENOENT);
    ck_assert_str_eq(missing, "x");
    format_free(&format);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consumer_select");
    TCase *tcase = tcase_create("consumer_select");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, fields_are_picked_in_any_order_and_more_than_once);
    tcase_add_test(tcase, selected_columns_in_every_format);
    tcase_add_test(tcase, tsv_of_all_columns);
    tcase_add_test(tcase, lists_of_columns_are_read_as_csv);
    tcase_add_test(tcase, a_selected_column_that_is_not_there_is_named);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
