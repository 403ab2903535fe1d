/* values.c - what stands behind an option, read strictly. */
#include "values.h"
#include "cli/program.h"
#include "millrace.h"
#include "text/text.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_IN_HEADER_MAX 255

int value_choose(const char *option, const char *value, const char *const *names, int *out)
{
    const char *near = text_suggest(value, names);
    char list[128];
    size_t n = 0;

    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], value) == 0) {
            *out = i;
            return 0;
        }
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", names[i]);
    }
    if (near)
        return END(
            program_usage("%s: unknown value \"%s\" (did you mean \"%s\"?)", option, value, near));
    return END(program_usage("%s: unknown value \"%s\" (one of %s)", option, value, list));
}

int value_duration(const char *option, const char *value, int64_t *out)
{
    int error = text_duration(value, out);

    if (error == -ERANGE)
        return END(program_usage("%s: \"%s\" is too long", option, value));
    return error ? END(program_usage("%s: \"%s\" is not a duration (like 250ms, 5s, 2m)", option,
                                     value))
                 : 0;
}

int value_count(const char *option, const char *value, uint64_t min, uint64_t *out)
{
    uint64_t count;

    if (text_count(value, &count) || count < min)
        return END(program_usage("%s: \"%s\" is not a number of at least %llu (like 1000, 10k)",
                                 option, value, (unsigned long long)min));
    *out = count;
    return 0;
}

/* Numbers of people, "0.5" or "2.5k": digits, one point, and perhaps a unit of thousands. */
static int parse_real(const char *value, const char *units, double *out)
{
    static const double factors[] = {1e3, 1e6, 1e9};
    char *end;
    double number;

    if (value[strspn(value, "0123456789.")] && !strchr(units, value[strspn(value, "0123456789.")]))
        return -EINVAL; /* keeps out what strtod knows besides: signs, hexadecimal, nan */
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

int value_bytes(const char *option, const char *value, char **out, size_t *len)
{
    static const char names[] = "ntr0\\", bytes[] = "\n\t\r\0\\";
    char *to = malloc(strlen(value) + 1);
    size_t n = 0;

    if (!to)
        return END((program_fail(-ENOMEM, "%s", option), EXIT_FAILED));
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
    free(*out);
    *out = to;
    *len = n;
    return n ? 0 : END(program_usage("%s: must not be empty", option));
}

int value_sep(const char *value, char *out)
{
    char *bytes = NULL;
    size_t len = 0;
    int end = value_bytes("--sep", value, &bytes, &len);

    if (!end && (len != 1 || strchr("\"\r\n", bytes[0])))
        end =
            END(program_usage("--sep: \"%s\" is not one byte, or is a quote or a line end", value));
    if (!end)
        *out = bytes[0];
    free(bytes);
    return end;
}

int value_header(const char *value, struct options *options)
{
    const char *equals = strchr(value, '=');
    char name[NAME_IN_HEADER_MAX + 1];
    ssize_t used;

    if (!equals || equals == value || (size_t)(equals - value) > NAME_IN_HEADER_MAX)
        return END(program_usage("-H: \"%s\" is not NAME=VALUE (NAME of 1 to %d bytes)", value,
                                 NAME_IN_HEADER_MAX));
    if (!options->headers && !(options->headers = malloc(MR_HEADERS_MAX)))
        return END((program_fail(-ENOMEM, "-H"), EXIT_FAILED));
    memcpy(name, value, (size_t)(equals - value));
    name[equals - value] = '\0';
    used = mr_header_add(options->headers, options->headers_len, MR_HEADERS_MAX, name, equals + 1,
                         strlen(equals + 1));
    if (used < 0)
        return END(program_usage("-H: all headers together have at most %u bytes", MR_HEADERS_MAX));
    options->headers_len = (size_t)used;
    return 0;
}

int value_rate(const char *value, double *interval_ns)
{
    double rate = 0;

    if (parse_real(value, "kMGKmg", &rate) || !(rate > 1e-9))
        return END(program_usage(
            "-r: \"%s\" is not a rate in records per second (like 0.5, 200, 10k)", value));
    *interval_ns = 1e9 / rate;
    return 0;
}

int value_jitter(const char *value, double *out)
{
    char digits[32];
    size_t len = strlen(value);
    double percent = 0;

    if (len > 1 && len < sizeof(digits) && value[len - 1] == '%')
        len--;
    snprintf(digits, sizeof(digits), "%.*s", (int)(len < sizeof(digits) ? len : sizeof(digits) - 1),
             value);
    if (len >= sizeof(digits) || parse_real(digits, "", &percent) || percent > 100)
        return END(program_usage("--jitter: \"%s\" is not a percentage from 0 to 100", value));
    *out = percent / 100;
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
