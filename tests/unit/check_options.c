/* check_options.c - the programs' one parser of command lines: what each kind of option takes, and
 * what is said of one that is wrong. */
#include "cli/options.h"
#include "cli/program.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ONE = 1, OTHER = 2 };

static struct {
    int flag, choice;
    uint32_t bits, number;
    const char *text, *word, *name;
    uint64_t count;
    int64_t duration;
    char called[64];
} got;

static int call(const struct cli_option *option, const char *value)
{
    if (strcmp(value, "bad") == 0)
        return cli_wrong(option, value, "not %s", "good");
    strcat(strcat(got.called, value), ".");
    return 0;
}

static int call_now(const struct cli_option *option, const char *value)
{
    ck_assert_ptr_null(value);
    ck_assert_str_eq(option->name, "now");
    return CLI_END(7);
}

static const char *const words[] = {"one", "two", "three", NULL};
static const struct cli_option options[] = {
    {'f', "flag", CLI_FLAG, .target = &got.flag},
    {'b', NULL, CLI_BITS, .target = &got.bits, .max = 4},
    {0, "bits", CLI_BITS, .target = &got.bits, .max = 8},
    {'t', "text", CLI_TEXT, .target = &got.text, .with = ONE},
    {0, "word", CLI_WORD, .target = &got.word, .once = "join them"},
    {0, "name", CLI_NAME, .target = &got.name, .min = MR_NAME_TOPIC},
    {'c', "count", CLI_COUNT, .target = &got.count, .min = 2, .max = 10, .hint = "or so"},
    {0, "number", CLI_COUNT_32, .target = &got.number},
    {0, "duration", CLI_DURATION, .target = &got.duration, .min = 1, .max = 60000000000},
    {0, "choice", CLI_CHOICE, .target = &got.choice, .words = words, .with = OTHER},
    {0, "call", CLI_CALL, .call = call},
    {0, "now", CLI_CALL_NOW, .call = call_now},
};

static struct cli_line line;
static char *args[32];
static char said[1024]; /* what the last parse wrote to standard error, without its last line */

/* Parses a copy of words that are separated by blanks; a "_" is an empty one. */
static int parse(const char *text)
{
    static char store[256];
    int argc = 0, fd = memfd_create("said", 0), old = dup(STDERR_FILENO), end;

    memset(&got, 0, sizeof got);
    memset(args, 0, sizeof args);
    snprintf(store, sizeof store, "program %s", text);
    for (char *word = strtok(store, " "); word; word = strtok(NULL, " "))
        args[argc++] = strcmp(word, "_") == 0 ? word + 1 : word;
    line.options = options;
    line.option_cnt = sizeof options / sizeof *options;
    line.given = 0;
    line.operand_cnt = 0;
    line.command = NULL;
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    end = cli_parse(&line, argc, args);
    ck_assert_int_ge(dup2(old, STDERR_FILENO), 0);
    ssize_t len = pread(fd, said, sizeof said - 1, 0);
    said[len > 0 ? len : 0] = '\0';
    said[strcspn(said, "\n")] = '\0';
    close(fd);
    close(old);
    return end;
}

static void is_wrong(const char *text, const char *wanted)
{
    ck_assert_msg(parse(text) == CLI_END(EXIT_USAGE), "%s: accepted", text);
    ck_assert_str_eq(said, wanted);
}

static void is_right(const char *text)
{
    ck_assert_msg(parse(text) == 0, "%s: %s", text, said);
    ck_assert_str_eq(said, "");
}

START_TEST(each_kind_stores_what_it_takes)
{
    is_right("-f -b --bits -t _ --word w --name a.b -c 3 --number 4000M "
             "--duration 250ms");
    ck_assert_int_eq(got.flag, 1);
    ck_assert_uint_eq(got.bits, 12);
    ck_assert_str_eq(got.text, "");
    ck_assert_str_eq(got.word, "w");
    ck_assert_str_eq(got.name, "a.b");
    ck_assert_uint_eq(got.count, 3);
    ck_assert_uint_eq(got.number, 4000000000);
    ck_assert_int_eq(got.duration, 250000000);
    is_right("--choice three --call a --call b");
    ck_assert_int_eq(got.choice, 2);
    ck_assert_str_eq(got.called, "a.b.");
    ck_assert_int_eq(parse("--now --nonsense"), CLI_END(7));
}
END_TEST

START_TEST(forms_of_an_option)
{
    is_right("--count=3 --text=");
    ck_assert_uint_eq(got.count, 3);
    ck_assert_str_eq(got.text, "");
    is_right("-fbc3");
    ck_assert(got.flag == 1 && got.bits == 4 && got.count == 3);
    is_right("-fc 3 -t -c");
    ck_assert_uint_eq(got.count, 3);
    ck_assert_str_eq(got.text, "-c");
    is_right("--cou 3 --d 1s");
    ck_assert_uint_eq(got.count, 3);
    ck_assert_int_eq(got.duration, 1000000000);
}
END_TEST

START_TEST(operands_and_a_command)
{
    is_right("a -f b -t c - -c 3 d -- -e f");
    const char *const wanted[] = {"a", "b", "-", "d", "-e", "f"};
    ck_assert_int_eq(line.operand_cnt, 6);
    for (int i = 0; i < 6; i++)
        ck_assert_str_eq(line.operand[i], wanted[i]);
    ck_assert_ptr_null(line.command);

    line.takes_command = 1;
    is_right("a -t -- -f b -- -c x");
    ck_assert_int_eq(line.operand_cnt, 2);
    ck_assert_str_eq(line.operand[1], "b");
    ck_assert_str_eq(got.text, "--");
    ck_assert_str_eq(line.command[0], "-c");
    ck_assert_str_eq(line.command[1], "x");
    ck_assert_ptr_null(line.command[2]);
    is_right("a --");
    ck_assert_ptr_nonnull(line.command);
    ck_assert_ptr_null(line.command[0]);
    line.takes_command = 0;
}
END_TEST

START_TEST(wrong_options)
{
    is_wrong("-x", "millrace: unknown option -x");
    is_wrong("-fx", "millrace: unknown option -x");
    is_wrong("--zzz", "millrace: unknown option --zzz");
    is_wrong("--cuont=3", "millrace: unknown option --cuont (did you mean --count?)");
    is_wrong("--c 3", "millrace: option --c can mean several; write it in full");
    is_wrong("--flag=1", "millrace: option --flag takes no value");
    is_wrong("--fla=1", "millrace: option --flag takes no value");
    is_wrong("-c", "millrace: option -c needs a value");
    is_wrong("--coun", "millrace: option --count needs a value");
    is_wrong("--word a --word b", "millrace: --word is given twice; join them");
}
END_TEST

START_TEST(wrong_values)
{
    is_wrong("-c x", "millrace: -c x: not a whole number; write it as 100 or 10k");
    is_wrong("--count 1", "millrace: -c 1: too small; at least 2");
    is_wrong("-c 11", "millrace: -c 11: too large; at most 10; or so");
    is_wrong("-c 99999999999999999999",
             "millrace: -c 99999999999999999999: too large; at most 10; or so");
    is_wrong("--number 5G", "millrace: --number 5G: too large; at most 4294967295");
    is_wrong("--duration x", "millrace: --duration x: not a duration; write it as 250ms, 5s or 2m");
    is_wrong("--duration 0", "millrace: --duration 0: too short");
    is_wrong("--duration 2m", "millrace: --duration 2m: too large; at most 60 s");
    is_wrong("--choice four", "millrace: --choice four: unknown value; use one, two or three");
    is_wrong("--choice thre",
             "millrace: --choice thre: unknown value (did you mean three?); use one, two or three");
    is_wrong("--word _", "millrace: --word: its value is empty");
    is_wrong("--name a/b", "millrace: --name a/b: bad name of a topic: contains '/'");
    is_wrong("--call bad", "millrace: --call bad: not good");
}
END_TEST

START_TEST(what_was_given)
{
    is_right("-f --choice one");
    ck_assert(cli_given(&line, "flag") && cli_given(&line, "choice"));
    ck_assert(!cli_given(&line, "count"));
    ck_assert_str_eq(cli_given_other(&line, ONE)->name, "choice");
    ck_assert_ptr_null(cli_given_other(&line, OTHER));
    is_right("-f");
    ck_assert_ptr_null(cli_given_other(&line, 0));
    char shown[CLI_SHOWN];
    ck_assert_str_eq(cli_shown(shown, &options[0]), "-f");
    ck_assert_str_eq(cli_shown(shown, &options[2]), "--bits");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *test = tcase_create("options");
    suite_add_tcase(suite, test);
    tcase_add_test(test, each_kind_stores_what_it_takes);
    tcase_add_test(test, forms_of_an_option);
    tcase_add_test(test, operands_and_a_command);
    tcase_add_test(test, wrong_options);
    tcase_add_test(test, wrong_values);
    tcase_add_test(test, what_was_given);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
