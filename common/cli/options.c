#include "options.h"
#include "millrace.h"
#include "program.h"
#include "text/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int takes_value(const struct cli_option *option)
{
    return option->kind != CLI_FLAG && option->kind != CLI_BITS && option->kind != CLI_CALL_NOW;
}

const char *cli_shown(char buf[static CLI_SHOWN], const struct cli_option *option)
{
    if (option->letter)
        snprintf(buf, CLI_SHOWN, "-%c", option->letter);
    else
        snprintf(buf, CLI_SHOWN, "--%s", option->name);
    return buf;
}

int cli_wrong(const struct cli_option *option, const char *value, const char *format, ...)
{
    char shown[CLI_SHOWN], text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cli_usage("%s %s: %s", cli_shown(shown, option), value, text);
}

int cli_version(const struct cli_option *option, const char *value)
{
    (void)option;
    (void)value;
    printf("%s (Millrace) " MR_VERSION "\n", program_name);
    return CLI_END(program_flush());
}

/* ---- values ---- */

/* Writes a number as the options of its kind are written. */
static const char *shown_number(char buf[static 32], enum cli_kind kind, uint64_t number)
{
    if (kind == CLI_DURATION)
        return text_ns(buf, number);
    snprintf(buf, 32, "%" PRIu64, number);
    return buf;
}

static int parse_number(const struct cli_option *option, const char *value, uint64_t *out)
{
    int64_t ns = 0;
    int error;

    if (option->kind != CLI_DURATION)
        return text_count(value, out);
    error = text_duration(value, &ns);
    *out = (uint64_t)ns;
    return error;
}

static int take_number(const struct cli_option *option, const char *value)
{
    const char *forms = option->kind == CLI_DURATION ? "not a duration; write it as 250ms, 5s or 2m"
                                                     : "not a whole number; write it as 100 or 10k";
    const char *also = option->hint ? "; " : "", *hint = option->hint ? option->hint : "";
    uint64_t number = 0, max = option->max;
    char bound[32];
    int error = parse_number(option, value, &number);

    if (error == -EINVAL && option->kind == CLI_COUNT_32 && max)
        return cli_wrong(option, value, "not a number from %" PRIu64 " to %" PRIu64,
                         (uint64_t)option->min, max);
    if (error == -EINVAL)
        return cli_wrong(option, value, "%s", forms);
    if (option->kind == CLI_COUNT_32 && max == 0)
        max = UINT32_MAX;
    if (max && (error || number > max))
        return cli_wrong(option, value, "too large; at most %s%s%s",
                         shown_number(bound, option->kind, max), also, hint);
    if (error)
        return cli_wrong(option, value, "too large");
    if (number < option->min && option->kind == CLI_DURATION)
        return cli_wrong(option, value, "too short%s%s", also, hint);
    if (number < option->min)
        return cli_wrong(option, value, "too small; at least %s",
                         shown_number(bound, option->kind, option->min));
    if (option->kind == CLI_COUNT_32)
        *(uint32_t *)option->target = (uint32_t)number;
    else if (option->kind == CLI_DURATION)
        *(int64_t *)option->target = (int64_t)number;
    else
        *(uint64_t *)option->target = number;
    return 0;
}

static int take_choice(const struct cli_option *option, const char *value)
{
    const char *const *words = option->words;
    const char *near = text_suggest(value, words);
    char list[256] = "";
    size_t used = 0;

    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0) {
            *(int *)option->target = i;
            return 0;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     i == 0         ? ""
                                     : words[i + 1] ? ", "
                                                    : " or ",
                                     words[i]);
    }
    if (near)
        return cli_wrong(option, value, "unknown value (did you mean %s?); use %s", near, list);
    return cli_wrong(option, value, "unknown value; use %s", list);
}

static int take_name(const struct cli_option *option, const char *value)
{
    const char *wrong = mr_name_check((enum mr_name_kind)option->min, value);

    if (wrong)
        return cli_wrong(option, value, "bad name of a %s: %s",
                         option->min == MR_NAME_TOPIC   ? "topic"
                         : option->min == MR_NAME_GROUP ? "group"
                                                        : "bus",
                         wrong);
    *(const char **)option->target = value;
    return 0;
}

/* value: NULL if the option takes none. */
static int take(const struct cli_option *option, const char *value)
{
    char shown[CLI_SHOWN];

    switch (option->kind) {
    case CLI_FLAG:
        *(int *)option->target = 1;
        return 0;
    case CLI_BITS:
        *(uint32_t *)option->target |= (uint32_t)option->max;
        return 0;
    case CLI_WORD:
        if (!*value)
            return cli_usage("%s: its value is empty", cli_shown(shown, option));
        *(const char **)option->target = value;
        return 0;
    case CLI_TEXT:
        *(const char **)option->target = value;
        return 0;
    case CLI_NAME:
        return take_name(option, value);
    case CLI_COUNT:
    case CLI_COUNT_32:
    case CLI_DURATION:
        return take_number(option, value);
    case CLI_CHOICE:
        return take_choice(option, value);
    case CLI_CALL:
    case CLI_CALL_NOW:
        return option->call(option, value);
    }
    return 0;
}

/* ---- finding the option ---- */

static int take_once(struct cli_line *line, size_t idx, const char *value)
{
    const struct cli_option *option = &line->options[idx];
    uint64_t bit = UINT64_C(1) << idx;
    char shown[CLI_SHOWN];

    if (option->once && (line->given & bit))
        return cli_usage("%s is given twice; %s", cli_shown(shown, option), option->once);
    line->given |= bit;
    return take(option, value);
}

static int unknown_long(const struct cli_line *line, const char *name)
{
    const char *names[CLI_OPTIONS_MAX + 1], *near;
    size_t cnt = 0;

    for (size_t i = 0; i < line->option_cnt; i++)
        if (line->options[i].name)
            names[cnt++] = line->options[i].name;
    names[cnt] = NULL;
    near = text_suggest(name, names);
    if (near)
        return cli_usage("unknown option --%s (did you mean --%s?)", name, near);
    return cli_usage("unknown option --%s", name);
}

/* A name may be shortened. Returns how many options it can mean, and the last of them; 1 if it is
 * a whole name. */
static size_t find_long(const struct cli_line *line, const char *name, size_t *idx)
{
    size_t cnt = 0, len = strlen(name);

    for (size_t i = 0; i < line->option_cnt; i++) {
        const char *whole = line->options[i].name;

        if (!whole || strncmp(whole, name, len) != 0)
            continue;
        *idx = i;
        if (!whole[len])
            return 1;
        cnt++;
    }
    return cnt;
}

/* word: "--name" or "--name=value". next: the argument after it, or NULL. *used: how many arguments
 * it has taken beside itself. */
static int take_long(struct cli_line *line, char *word, char *next, int *used)
{
    char name[64], *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2, idx = 0, cnt;

    snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), word + 2);
    cnt = find_long(line, name, &idx);
    if (cnt == 0)
        return unknown_long(line, name);
    if (cnt > 1)
        return cli_usage("option --%s can mean several; write it in full", name);
    if (!takes_value(&line->options[idx])) {
        if (equals)
            return cli_usage("option --%s takes no value", line->options[idx].name);
        return take_once(line, idx, NULL);
    }
    if (equals)
        return take_once(line, idx, equals + 1);
    if (!next)
        return cli_usage("option --%s needs a value", line->options[idx].name);
    *used = 1;
    return take_once(line, idx, next);
}

/* letters: what stands behind "-": several options, of which only the last can take a value, which
 * is the rest or the next argument. */
static int take_letters(struct cli_line *line, char *letters, char *next, int *used)
{
    for (char *at = letters; *at; at++) {
        size_t idx = 0;
        int end;

        while (idx < line->option_cnt && line->options[idx].letter != *at)
            idx++;
        if (idx == line->option_cnt)
            return cli_usage("unknown option -%c", *at);
        if (takes_value(&line->options[idx])) {
            if (at[1])
                return take_once(line, idx, at + 1);
            if (!next)
                return cli_usage("option -%c needs a value", *at);
            *used = 1;
            return take_once(line, idx, next);
        }
        end = take_once(line, idx, NULL);
        if (end)
            return end;
    }
    return 0;
}

int cli_parse(struct cli_line *line, int argc, char **argv)
{
    int i = 1;

    line->operand = argv + 1;
    while (i < argc) {
        char *word = argv[i++], *next = i < argc ? argv[i] : NULL;
        int used = 0, end = 0;

        if (strcmp(word, "--") == 0) {
            if (line->takes_command) {
                line->command = argv + i;
                return 0;
            }
            break;
        }
        if (word[0] != '-' || !word[1]) /* the room of what is read already will do */
            line->operand[line->operand_cnt++] = word;
        else if (word[1] == '-')
            end = take_long(line, word, next, &used);
        else
            end = take_letters(line, word + 1, next, &used);
        if (end)
            return end;
        i += used;
    }
    while (i < argc)
        line->operand[line->operand_cnt++] = argv[i++];
    return 0;
}

/* ---- what was given ---- */

int cli_given(const struct cli_line *line, const char *name)
{
    for (size_t i = 0; i < line->option_cnt; i++) {
        const struct cli_option *option = &line->options[i];
        if (option->name && strcmp(option->name, name) == 0)
            return (int)(line->given >> i & 1);
    }
    return 0;
}

const struct cli_option *cli_given_other(const struct cli_line *line, unsigned with)
{
    for (size_t i = 0; i < line->option_cnt; i++)
        if ((line->given >> i & 1) && line->options[i].with && !(line->options[i].with & with))
            return &line->options[i];
    return NULL;
}
