/* values.c - see values.h. */
#include "values.h"
#include "cli/options.h"
#include "cli/program.h"
#include "millrace.h"
#include "text/text.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_IN_HEADER_MAX 255

/* Decimal numbers such as "0.5" or "2.5k": digits, one point, and an optional unit. */
static int parse_real(const char *value, const char *units, double *out)
{
    static const double factors[] = {1e3, 1e6, 1e9};
    char *end;
    double number;

    if (value[strspn(value, "0123456789.")] && !strchr(units, value[strspn(value, "0123456789.")]))
        return -EINVAL; /* excludes what strtod also accepts: signs, hexadecimal, nan */
    number = strtod(value, &end);
    if (end == value)
        return -EINVAL;
    if (*end) {
        const char *unit = strchr(units, *end);

        if (!unit || end[1])
            return -EINVAL;
        number *= factors[(unit - units) % 3];
    }
    *out = number;
    return isfinite(number) ? 0 : -ERANGE;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

static int parse_bytes(const struct cli_option *option, const char *value, struct option_bytes *out)
{
    static const char names[] = "ntr0\\", bytes[] = "\n\t\r\0\\";
    char *to = malloc(strlen(value) + 1), shown[CLI_SHOWN];
    size_t n = 0;

    if (!to)
        return CLI_END((program_fail(-ENOMEM, "%s", cli_shown(shown, option)), EXIT_FAILED));
    for (const char *at = value; *at; at++) {
        const char *name = at[0] == '\\' && at[1] ? strchr(names, at[1]) : NULL;

        if (name) {
            to[n++] = bytes[name - names];
            at++;
        } else if (at[0] == '\\' && at[1] == 'x' && hex_digit(at[2]) >= 0 &&
                   hex_digit(at[3]) >= 0) {
            to[n++] = (char)(hex_digit(at[2]) * 16 + hex_digit(at[3]));
            at += 3;
        } else {
            to[n++] = *at;
        }
    }
    to[n] = '\0';
    free(out->text);
    *out = (struct option_bytes){to, n};
    return n ? 0 : cli_usage("%s: its value is empty", cli_shown(shown, option));
}

int value_bytes(const struct cli_option *option, const char *value)
{
    return parse_bytes(option, value, option->target);
}

int value_sep(const struct cli_option *option, const char *value)
{
    struct option_bytes sep = {0};
    int end = parse_bytes(option, value, &sep);

    if (!end && (sep.len != 1 || strchr("\"\r\n", sep.text[0])))
        end = cli_wrong(option, value,
                        "not a separator; use one byte that is neither a quote nor a line end");
    if (!end)
        *(char *)option->target = sep.text[0];
    free(sep.text);
    return end;
}

int value_header(const struct cli_option *option, const char *value)
{
    struct options *options = option->target;
    const char *equals = strchr(value, '=');
    char name[NAME_IN_HEADER_MAX + 1];
    ssize_t used;

    if (!equals || equals == value || (size_t)(equals - value) > NAME_IN_HEADER_MAX)
        return cli_wrong(option, value, "not NAME=VALUE with a NAME of 1 to %d bytes",
                         NAME_IN_HEADER_MAX);
    if (!options->headers && !(options->headers = malloc(MR_HEADERS_MAX)))
        return CLI_END((program_fail(-ENOMEM, "-H"), EXIT_FAILED));
    memcpy(name, value, (size_t)(equals - value));
    name[equals - value] = '\0';
    used = mr_header_add(options->headers, options->headers_len, MR_HEADERS_MAX, name, equals + 1,
                         strlen(equals + 1));
    if (used < 0)
        return cli_usage("-H: the headers are more than %u bytes together", MR_HEADERS_MAX);
    options->headers_len = (size_t)used;
    return 0;
}

int value_rate(const struct cli_option *option, const char *value)
{
    double rate = 0;

    if (parse_real(value, "kMGKmg", &rate) || !(rate > 1e-9))
        return cli_wrong(option, value, "not a rate; write records per second as 0.5, 200 or 10k");
    *(double *)option->target = 1e9 / rate;
    return 0;
}

int value_jitter(const struct cli_option *option, const char *value)
{
    char digits[32];
    size_t len = strlen(value);
    double percent = 0;

    if (len > 1 && len < sizeof(digits) && value[len - 1] == '%')
        len--;
    snprintf(digits, sizeof(digits), "%.*s", (int)(len < sizeof(digits) ? len : sizeof(digits) - 1),
             value);
    if (len >= sizeof(digits) || parse_real(digits, "", &percent) || percent > 100)
        return cli_wrong(option, value, "not a percentage from 0 to 100");
    *(double *)option->target = percent / 100;
    return 0;
}

int value_factor(const char *value, double *out)
{
    double factor = 0;

    if (parse_real(value, "", &factor) || !(factor >= 1e-6) || factor > 1e9)
        return -EINVAL;
    *out = factor;
    return 0;
}
