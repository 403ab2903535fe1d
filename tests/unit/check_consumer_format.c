/* check_consumer_format.c - what the consumer prints for a record, byte for byte; positions; the
 * histogram of ages. */
#include "consumer/format/columns.h"
#include "consumer/format/format.h"
#include "consumer/histogram.h"
#include "consumer/output.h"
#include "consumer/position.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct format format;
static struct columns columns;
static struct js_writer out;

static void setup(void)
{
    columns = (struct columns){0};
    js_init(&out, NULL, 0);
}

static void teardown(void)
{
    format_free(&format);
    columns_free(&columns);
    js_free(&out);
}

static void use(const char *spec, const char *header, uint32_t flags)
{
    char wrong[160];
    ck_assert_int_eq(format_init(&format, spec, wrong), 0);
    if (header)
        ck_assert_int_eq(columns_set(&columns, header, strlen(header), flags), 0);
}

static struct mr_record record_of(const char *value)
{
    return (struct mr_record){.value = value,
                              .value_len = (uint32_t)strlen(value),
                              .try_number = 1,
                              .offset = 7,
                              .partition = 2,
                              .ts_ns = 1763696191123456789};
}

static void put_flagged(const char *value, uint16_t flags)
{
    struct mr_record record = record_of(value);
    record.flags = flags;
    format_record(&format, &columns, "orders", &record, record.ts_ns + 1500000, &out);
}

static void put(const char *value)
{
    put_flagged(value, MR_EOL_LF);
}

static const char *printed(void)
{
    static char copy[8192];
    ck_assert(!out.failed);
    ck_assert_uint_lt(out.len, sizeof copy);
    memcpy(copy, out.text, out.len);
    copy[out.len] = '\0';
    out.len = 0;
    return copy;
}

static const char *value_part(void)
{
    const char *found = strstr(printed(), "\"value\":");
    ck_assert_ptr_nonnull(found);
    return found;
}

/* ---- raw, csv ---- */

START_TEST(raw_ends_every_value_with_the_delimiter_whatever_its_line_end_was)
{
    use("raw", NULL, 0);
    put_flagged("a", MR_EOL_CRLF);
    put_flagged("", MR_EOL_NONE);
    put("b,\"c\"");
    ck_assert_str_eq(printed(), "a\n\nb,\"c\"\n");
    format.delimiter = "--";
    format.delimiter_len = 2;
    put("x");
    ck_assert_str_eq(printed(), "x--");
}
END_TEST

START_TEST(csv_gives_back_header_rows_and_line_ends)
{
    use("csv",
        "\xef\xbb\xbf"
        "id,note",
        MR_EOL_CRLF);
    format_header(&format, &columns, &out);
    format_header(&format, &columns, &out); /* once is enough */
    put_flagged("1,x", MR_EOL_CRLF);
    put_flagged("2,\"a\nb\"", MR_EOL_LF);
    put_flagged("", MR_EOL_LF);
    put_flagged("3,y", MR_EOL_NONE);
    ck_assert_str_eq(printed(), "\xef\xbb\xbf"
                                "id,note\r\n1,x\r\n2,\"a\nb\"\n\n3,y");
}
END_TEST

START_TEST(csv_row_without_line_end_gets_one_only_when_another_follows)
{
    use("csv", "id", MR_EOL_LF);
    format_header(&format, &columns, &out);
    put_flagged("1", MR_EOL_NONE);
    ck_assert_str_eq(printed(), "id\n1");
    put_flagged("2", MR_EOL_NONE);
    ck_assert_str_eq(printed(), "\n2");
}
END_TEST

START_TEST(csv_header_without_line_end_stays_without)
{
    use("csv", "id,note", MR_EOL_NONE);
    format_header(&format, &columns, &out);
    ck_assert_str_eq(printed(), "id,note");
}
END_TEST

START_TEST(csv_line_ends_that_are_owed_are_those_of_the_header)
{
    use("csv", "id", MR_EOL_CRLF);
    format_header(&format, &columns, &out);
    put_flagged("1", MR_EOL_NONE);
    put_flagged("2", MR_EOL_CRLF);
    ck_assert_str_eq(printed(), "id\r\n1\r\n2\r\n");
}
END_TEST

/* ---- json ---- */

START_TEST(json_has_columns_as_names_and_numbers_as_written)
{
    use("json",
        "\xef\xbb\xbf"
        "id,\"the \"\"name\"\"\",price",
        0);
    put("007,Ann,1.50");
    ck_assert_str_eq(printed(), "{\"id\":\"007\",\"the \\\"name\\\"\":\"Ann\",\"price\":1.50}\n");
    put("12,\"say \"\"hi\"\", you\",\"3\"");
    ck_assert_str_eq(printed(),
                     "{\"id\":12,\"the \\\"name\\\"\":\"say \\\"hi\\\", you\",\"price\":\"3\"}\n");
    format.strings = 1;
    put("12,,-1e5");
    ck_assert_str_eq(printed(), "{\"id\":\"12\",\"the \\\"name\\\"\":\"\",\"price\":\"-1e5\"}\n");
}
END_TEST

START_TEST(json_leaves_out_missing_fields_and_collects_extra_ones)
{
    use("json", "a,b", 0);
    put("1");
    ck_assert_str_eq(printed(), "{\"a\":1}\n");
    put("1,2,3,\"x\"\"y\"");
    ck_assert_str_eq(printed(), "{\"a\":1,\"b\":2,\"_extra\":[\"3\",\"x\\\"y\"]}\n");
    put("");
    ck_assert_str_eq(printed(), "{\"a\":\"\"}\n");
}
END_TEST

START_TEST(json_of_a_topic_without_columns_is_a_value)
{
    use("json", NULL, 0);
    put("12");
    put("tab\t \xff");
    ck_assert_str_eq(printed(), "{\"value\":\"12\"}\n{\"value\":\"tab\\t \xef\xbf\xbd\"}\n");
}
END_TEST

START_TEST(duplicate_columns_are_numbered_around_names_that_exist)
{
    use("json", "a,a,a_2,_extra,a", 0);
    put("1,2,3,4,5,6");
    ck_assert_str_eq(printed(),
                     "{\"a\":1,\"a_3\":2,\"a_2\":3,\"_extra\":4,\"a_4\":5,\"_extra_2\":[\"6\"]}\n");
}
END_TEST

START_TEST(columns_that_are_not_utf8_have_keys_of_their_own)
{
    use("json", "\xff,a,\xfe,\xef\xbf\xbd_2,\"\xfd\"\"\",\"\xfc\"\"\"", 0);
    put("1,2,3,4,5,6");
    ck_assert_str_eq(printed(),
                     "{\"\xef\xbf\xbd\":1,\"a\":2,\"\xef\xbf\xbd_3\":3,\"\xef\xbf\xbd_2\":4,"
                     "\"\xef\xbf\xbd\\\"\":5,\"\xef\xbf\xbd\\\"_2\":6}\n");
    ck_assert_int_eq((int)columns_find(&columns, "\xfe", 1), 2);
}
END_TEST

START_TEST(header_of_the_greatest_length_and_one_name_is_named_at_once)
{
    static char line[MR_COLUMNS_MAX + 1];
    memset(line, ',', MR_COLUMNS_MAX);
    ck_assert_int_eq(columns_set(&columns, line, MR_COLUMNS_MAX, 0), 0);
    ck_assert_uint_eq(columns.cnt, MR_COLUMNS_MAX + 1);
    char name[16];
    int len = snprintf(name, sizeof name, "_%u", MR_COLUMNS_MAX + 1);
    ck_assert_int_eq(columns_find(&columns, name, (size_t)len), MR_COLUMNS_MAX);
}
END_TEST

/* ---- envelopes ---- */

START_TEST(envelope_carries_everything)
{
    unsigned char headers[64];
    ssize_t used = mr_header_add(headers, 0, sizeof headers, "trace", "ab", 2);
    used = mr_header_add(headers, (size_t)used, sizeof headers, "bin", "\xff", 1);
    use(NULL, "id,n", 0);
    format.kind = FORMAT_ENVELOPE;
    struct mr_record record = record_of("x,5");
    record.key = "k\xff";
    record.key_len = 2;
    record.headers = headers;
    record.headers_len = (uint16_t)used;
    format_record(&format, &columns, "orders", &record, 0, &out);
    ck_assert_str_eq(
        printed(),
        "{\"topic\":\"orders\",\"partition\":2,\"offset\":7,\"ts\":1763696191123456789,\"key\":"
        "\"k\xef\xbf\xbd\","
        "\"key_base64\":\"a/8=\",\"headers\":{\"trace\":\"ab\",\"bin\":\"\xef\xbf\xbd\"},"
        "\"headers_base64\":[[\"dHJhY2U=\",\"YWI=\"],[\"Ymlu\",\"/"
        "w==\"]],\"try\":1,\"value\":{\"id\":\"x\",\"n\":5}}\n");
    put("y,6");
    ck_assert_ptr_nonnull(strstr(printed(), "\"key\":null,\"headers\":{},\"try\":1,"));
}
END_TEST

START_TEST(envelope_carries_raw_where_fields_do_not_tell_the_bytes)
{
    use(NULL, "a,b", 0);
    format.kind = FORMAT_ENVELOPE;
    put("1,\"x,y\"");
    ck_assert_str_eq(value_part(), "\"value\":{\"a\":1,\"b\":\"x,y\"}}\n");
    put("\"say \"\"hi\"\"\",\"two\nlines\",,more");
    ck_assert_str_eq(
        value_part(),
        "\"value\":{\"a\":\"say \\\"hi\\\"\",\"b\":\"two\\nlines\",\"_extra\":[\"\",\"more\"]}}\n");
    put("\"1\",2"); /* quoted for no reason */
    ck_assert_str_eq(value_part(), "\"value\":{\"a\":\"1\",\"b\":2},\"raw\":\"\\\"1\\\",2\\n\"}\n");
    put_flagged("1,2", MR_EOL_CRLF);
    ck_assert_str_eq(value_part(), "\"value\":{\"a\":1,\"b\":2},\"raw\":\"1,2\\r\\n\"}\n");
    put_flagged("1,2", MR_EOL_NONE);
    ck_assert_str_eq(value_part(), "\"value\":{\"a\":1,\"b\":2},\"raw\":\"1,2\"}\n");
    put("1,a\"b"); /* malformed, from a program that checks nothing */
    ck_assert_ptr_nonnull(strstr(value_part(), "\"raw\":\"1,a\\\"b\\n\""));
    put("1,\"open");
    ck_assert_ptr_nonnull(strstr(value_part(), "\"raw\":\"1,\\\"open\\n\""));
}
END_TEST

START_TEST(envelope_carries_base64_where_text_does_not_tell_the_bytes)
{
    use(NULL, "a", 0);
    format.kind = FORMAT_ENVELOPE;
    put("\xff");
    ck_assert_str_eq(value_part(),
                     "\"value\":{\"a\":\"\xef\xbf\xbd\"},\"value_base64\":\"/w==\"}\n");
    put_flagged("x\n", MR_EOL_NONE); /* or is it "x" with a line end? */
    ck_assert_str_eq(value_part(),
                     "\"value\":{\"a\":\"x\\n\"},\"value_base64\":\"eAo=\",\"raw\":\"x\\n\"}\n");
}
END_TEST

/* ---- text ---- */

START_TEST(text_resolves_conversions_columns_and_escapes)
{
    const char *missing;
    use("%t/%p/%o %T %n %a [%k] %{b}:%{a}%% \\\\\\t%s\\0\\n", "a,b", 0);
    ck_assert_int_eq(format_bind(&format, &columns, &missing), 0);
    put("1,\"x\"\"y\"");
    const char expected[] = "orders/2/7 1763696191123 1 0.001500 [] x\"y:1% \\\t1,\"x\"\"y\"\0\n";
    ck_assert_uint_eq(out.len, sizeof expected - 1);
    ck_assert_mem_eq(out.text, expected, sizeof expected - 1);
}
END_TEST

START_TEST(text_with_an_unknown_column_is_refused_by_name)
{
    const char *missing = NULL;
    use("%{b} %{total}\\n", "a,b", 0);
    ck_assert_int_eq(format_bind(&format, &columns, &missing), -ENOENT);
    ck_assert_str_eq(missing, "total");
}
END_TEST

START_TEST(text_prints_headers_and_key)
{
    unsigned char headers[64];
    ssize_t used = mr_header_add(headers, 0, sizeof headers, "a", "1", 1);
    used = mr_header_add(headers, (size_t)used, sizeof headers, "b", "", 0);
    use("%h|%k", NULL, 0);
    struct mr_record record = record_of("v");
    record.headers = headers;
    record.headers_len = (uint16_t)used;
    record.key = "key";
    record.key_len = 3;
    format_record(&format, &columns, "t", &record, 0, &out);
    ck_assert_str_eq(printed(), "a=1,b=|key");
}
END_TEST

START_TEST(formats_that_mean_nothing_are_refused_with_a_reason)
{
    static const char *const bad[] = {"jsno", "xml", "",    "%x",    "%s %",
                                      "%{",   "%{}", "%{a", "%s\\q", "%s\\"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char wrong[160] = "";
        ck_assert_int_eq(format_init(&format, bad[i], wrong), -EINVAL);
        ck_assert_msg(*wrong, "%s", bad[i]);
    }
}
END_TEST

/* ---- positions ---- */

static const struct {
    const char *text;
    enum mr_start start;
    int64_t arg;
    int skip;
} positions[] = {
    {"stored", MR_START_STORED, 0, 0},
    {"earliest", MR_START_BEGINNING, 0, 0},
    {"TRIM_HORIZON", MR_START_BEGINNING, 0, 0},
    {"LATEST", MR_START_END, 0, 0},
    {"0", MR_START_OFFSET, 0, 0},
    {"12", MR_START_OFFSET, 12, 0},
    {"+12", MR_START_OFFSET, 12, 1},
    {"-12", MR_START_LAST, 12, 0},
    {"@1763696191", MR_START_TIME, 1763696191000000000, 0},
    {"@1763696191.25", MR_START_TIME, 1763696191250000000, 0},
    {"@2025-11-21T03:36:31Z", MR_START_TIME, 1763696191000000000, 0},
    {"@2025-11-21 03:36:31.123456789Z", MR_START_TIME, 1763696191123456789, 0},
    {"@2025-11-21T04:36:31+01:00", MR_START_TIME, 1763696191000000000, 0},
    {"@2025-11-20T22:06:31-0530", MR_START_TIME, 1763696191000000000, 0},
    {"@2025-11-21T04:36+01", MR_START_TIME, 1763696160000000000, 0},
    {"@2025-11-21T03:36:31", MR_START_TIME, 1763696191000000000, 0}, /* local: the test sets TZ */
    {"@2025-11-21", MR_START_TIME, 1763683200000000000, 0},
    /* as --timing of the producer has it */
    {"@1763696191123", MR_START_TIME, 1763696191123000000, 0},
    {"@1763696191123456789", MR_START_TIME, 1763696191123456789, 0},
    {"@20251121T033631Z", MR_START_TIME, 1763696191000000000, 0},
    {"@2024-02-29", MR_START_TIME, 1709164800000000000, 0},
};

START_TEST(positions_are_understood)
{
    struct position position;
    setenv("TZ", "UTC0", 1);
    ck_assert_int_eq(position_parse(positions[_i].text, &position), 0);
    ck_assert_int_eq(position.start, positions[_i].start);
    ck_assert_int_eq(position.arg, positions[_i].arg);
    ck_assert_int_eq(position.skip, positions[_i].skip);
}
END_TEST

START_TEST(positions_that_mean_nothing_are_refused)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "--1",
                                      "1x",
                                      "0x10",
                                      "first",
                                      "@",
                                      "@x",
                                      "@1.",
                                      "@1.5x",
                                      "@2025-13-01",
                                      "@2026-02-29",
                                      "@2026-02-30",
                                      "@2026-04-31T10:00Z",
                                      "@2026-11-21T24:01",
                                      "@2026-11-21T10:00:61",
                                      "@2025-11-21T",
                                      "@2025-11-21T03:36:31+",
                                      "@2025-11-21T03:36:31+25:00",
                                      "@2025-11-21T03:36:31Zx",
                                      "1.5"};
    struct position position;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(position_parse(bad[i], &position) == -EINVAL, "%s", bad[i]);
    ck_assert_int_eq(position_parse("99999999999999999999", &position), -ERANGE);
    ck_assert_int_eq(position_parse("@9999-12-31", &position), -ERANGE);
    ck_assert_int_eq(position_parse("@1969-12-31T23:59:59Z", &position), -ERANGE);
}
END_TEST

/* ---- histogram ---- */

START_TEST(quantiles_are_right_within_the_promised_error)
{
    static struct histogram histogram;
    for (uint64_t value = 1; value <= 1000000; value++)
        histogram_add(&histogram, value);
    for (int percent = 1; percent <= 100; percent++) {
        double exact = percent * 10000.0,
               got = (double)histogram_quantile(&histogram, percent / 100.0);
        ck_assert_msg(got >= exact * 31 / 32 && got <= exact * 33 / 32, "p%d: %f", percent, got);
    }
}
END_TEST

START_TEST(histogram_takes_every_value)
{
    static struct histogram histogram;
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 0);
    histogram_add(&histogram, 0);
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.99), 0);
    histogram_add(&histogram, UINT64_MAX);
    ck_assert_uint_eq(histogram_idx(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    ck_assert_uint_ge(histogram_quantile(&histogram, 1), UINT64_MAX / 32 * 31);
    /* no gap and no overlap where powers of two meet */
    for (unsigned shift = 5; shift < 64; shift++) {
        uint64_t power = (uint64_t)1 << shift;
        ck_assert_uint_eq(histogram_idx(power), histogram_idx(power - 1) + 1);
    }
}
END_TEST

/* ---- output ---- */

START_TEST(output_waits_for_a_reader_in_non_blocking_mode_and_writes_everything)
{
    struct output output;
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    ck_assert_int_eq(output_init(&output, ends[1]), 0);
    size_t len = 1 << 20;
    char *to = js_room(&output.text, len);
    memset(to, 'x', len);
    output.text.len = len;
    pid_t reader = fork();
    if (reader == 0) {
        char buf[1000];
        size_t seen = 0;
        close(ends[1]);
        for (ssize_t n; (n = read(ends[0], buf, sizeof buf)) != 0;) {
            seen += n > 0 ? (size_t)n : 0;
            usleep(n > 0 ? 0 : 1000); /* sleep:ok between two tries to read */
        }
        _exit(seen == len ? 0 : 1);
    }
    int error = output_flush(&output), status;
    uint64_t written = output.written;
    close(ends[0]);
    close(ends[1]);
    output_free(&output);
    ck_assert_int_eq(waitpid(reader, &status, 0), reader);
    ck_assert_int_eq(error, 0);
    ck_assert_uint_eq(written, len);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(output_tells_a_reader_that_went_away_from_a_full_disk)
{
    struct output output;
    int ends[2], full = open("/dev/full", O_WRONLY);
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(output_init(&output, ends[1]), 0);
    js_add(&output.text, "x", 1);
    ck_assert_int_eq(output_reader_gone(&output), 0);
    close(ends[0]);
    ck_assert_int_eq(output_reader_gone(&output), 1);
    ck_assert_int_eq(output_flush(&output), -EPIPE);
    output.fd = full;
    ck_assert_int_eq(output_flush(&output), -ENOSPC);
    output_free(&output);
    close(ends[1]);
    close(full);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consumer_format");
    TCase *tcase = tcase_create("consumer_format");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, raw_ends_every_value_with_the_delimiter_whatever_its_line_end_was);
    tcase_add_test(tcase, csv_gives_back_header_rows_and_line_ends);
    tcase_add_test(tcase, csv_row_without_line_end_gets_one_only_when_another_follows);
    tcase_add_test(tcase, csv_header_without_line_end_stays_without);
    tcase_add_test(tcase, csv_line_ends_that_are_owed_are_those_of_the_header);
    tcase_add_test(tcase, json_has_columns_as_names_and_numbers_as_written);
    tcase_add_test(tcase, json_leaves_out_missing_fields_and_collects_extra_ones);
    tcase_add_test(tcase, json_of_a_topic_without_columns_is_a_value);
    tcase_add_test(tcase, duplicate_columns_are_numbered_around_names_that_exist);
    tcase_add_test(tcase, columns_that_are_not_utf8_have_keys_of_their_own);
    tcase_add_test(tcase, header_of_the_greatest_length_and_one_name_is_named_at_once);
    tcase_add_test(tcase, envelope_carries_everything);
    tcase_add_test(tcase, envelope_carries_raw_where_fields_do_not_tell_the_bytes);
    tcase_add_test(tcase, envelope_carries_base64_where_text_does_not_tell_the_bytes);
    tcase_add_test(tcase, text_resolves_conversions_columns_and_escapes);
    tcase_add_test(tcase, text_with_an_unknown_column_is_refused_by_name);
    tcase_add_test(tcase, text_prints_headers_and_key);
    tcase_add_test(tcase, formats_that_mean_nothing_are_refused_with_a_reason);
    tcase_add_loop_test(tcase, positions_are_understood, 0, sizeof positions / sizeof *positions);
    tcase_add_test(tcase, positions_that_mean_nothing_are_refused);
    tcase_add_test(tcase, quantiles_are_right_within_the_promised_error);
    tcase_add_test(tcase, histogram_takes_every_value);
    tcase_add_test(tcase, output_waits_for_a_reader_in_non_blocking_mode_and_writes_everything);
    tcase_add_test(tcase, output_tells_a_reader_that_went_away_from_a_full_disk);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
