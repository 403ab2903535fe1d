/* check_edge.c - the CSV parser against data/edge: every NAME.csv is read in one piece and byte by
 * byte, and must give what NAME.expected says (data/edge/README has the format). */
#include "millrace.h"
#include "text/csv.h"
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static glob_t cases;

static char *slurp(const char *path, size_t *len)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: cannot be opened", path);
    size_t cap = 0, used = 0;
    char *text = NULL;
    do {
        if (used == cap) {
            char *larger = realloc(text, cap = cap ? 2 * cap : 4096);
            ck_assert_ptr_nonnull(larger);
            text = larger;
        }
        used += fread(text + used, 1, cap - used, file);
    } while (!feof(file) && !ferror(file));
    ck_assert(!ferror(file));
    fclose(file);
    *len = used;
    return text;
}

static void put_escaped(FILE *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '\t' || byte == '\n' || byte == '\r' || byte == '\\')
            fprintf(out, "\\%c",
                    byte == '\t'   ? 't'
                    : byte == '\n' ? 'n'
                    : byte == '\r' ? 'r'
                                   : '\\');
        else if (byte < 0x20 || byte > 0x7e)
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
}

static void put_row(FILE *out, const char *text, const struct csv_row *row, size_t base,
                    size_t line)
{
    static const char *const eol[] = {
        [MR_EOL_LF] = "lf", [MR_EOL_CRLF] = "crlf", [MR_EOL_NONE] = "none"};
    static const char *const fault[] = {[CSV_QUOTE_IN_FIELD] = "quote in field",
                                        [CSV_TEXT_AFTER_QUOTE] = "text after quote",
                                        [CSV_OPEN_QUOTE] = "open quote"};
    if (row->fault) {
        fprintf(out, "error\t%s\tline %zu\tbyte %zu\n", fault[row->fault], line,
                base + row->fault_at);
        return;
    }
    fprintf(out, "%zu\t%s", row->len, eol[row->eol]);
    size_t at = 0;
    struct csv_field field;
    char *plain = malloc(row->len + 1);
    while (csv_field(text + row->start, row->len, ',', &at, &field) > 0) {
        if (field.quoted) {
            field.len = csv_unquote(field.text, field.len, plain);
            field.text = plain;
        }
        fputc('\t', out);
        put_escaped(out, field.text, field.len);
    }
    free(plain);
    fputc('\n', out);
}

/* Writes the rows of text in the form of NAME.expected; the parser sees `step` bytes more whenever
 * it asks for more. */
static char *describe(const char *text, size_t len, size_t step)
{
    char *result;
    size_t result_len;
    FILE *out = open_memstream(&result, &result_len);
    size_t base = csv_bom(text, len), at = 0, line = 1;
    if (base)
        fputs("bom\n", out);
    text += base;
    len -= base;
    size_t seen = step < len ? step : len;
    for (;;) {
        struct csv_row row;
        if (csv_row(text, seen, at, ',', seen == len, &row)) {
            put_row(out, text, &row, base, line);
            line += row.lines + (row.eol != MR_EOL_NONE);
            at = row.next;
        } else if (seen < len) {
            seen = len - seen < step ? len : seen + step;
        } else {
            break;
        }
    }
    fclose(out);
    return result;
}

static void compare(const char *path, size_t step)
{
    size_t len, expected_len;
    char *text = slurp(path, &len);
    char expected_path[4096];
    snprintf(expected_path, sizeof expected_path, "%.*s.expected",
             (int)(strlen(path) - strlen(".csv")), path);
    char *expected = slurp(expected_path, &expected_len);
    char *found = describe(text, len, step ? step : len);
    size_t found_len = strlen(found), same = 0;
    while (same < found_len && same < expected_len && found[same] == expected[same])
        same++;
    ck_assert_msg(same == found_len && same == expected_len,
                  "%s: differs at byte %zu of the description: \"%.60s\" instead of \"%.*s\"", path,
                  same, found + same, (int)(expected_len - same < 60 ? expected_len - same : 60),
                  expected + same);
    free(found);
    free(expected);
    free(text);
}

START_TEST(every_case_in_one_piece)
{
    compare(cases.gl_pathv[_i], 0);
}
END_TEST

START_TEST(every_case_byte_by_byte)
{
    /* The parser starts again at the row's start with every call, so long files take bigger
     * steps. */
    size_t len;
    free(slurp(cases.gl_pathv[_i], &len));
    compare(cases.gl_pathv[_i], len > 2000 ? 997 : 1);
}
END_TEST

int main(void)
{
    if (glob("data/edge/*.csv", 0, NULL, &cases)) {
        fputs("check_edge: no data/edge/*.csv here; run it in the top folder\n", stderr);
        return 1;
    }
    Suite *suite = suite_create("edge");
    TCase *tcase = tcase_create("edge");
    tcase_add_loop_test(tcase, every_case_in_one_piece, 0, (int)cases.gl_pathc);
    tcase_add_loop_test(tcase, every_case_byte_by_byte, 0, (int)cases.gl_pathc);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    globfree(&cases);
    return failed ? 1 : 0;
}
