#include "position.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t second_ns = 1000000000;

/* Digits only, all of text. */
static int parse_number(const char *text, int64_t *out)
{
    char *end;
    if (!*text || strspn(text, "0123456789") != strlen(text))
        return -EINVAL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno)
        return -ERANGE;
    *out = number;
    return 0;
}

/* ".123" as nanoseconds, further digits cut off. Returns past the last digit, or NULL when there is none. */
static const char *parse_fraction(const char *text, int64_t *ns)
{
    int64_t unit = second_ns;
    const char *at = text + 1;
    *ns = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        unit /= 10;
        *ns += (*at - '0') * unit;
    }
    return at == text + 1 ? NULL : at;
}

/* "Z", "+01:00", "+0100", "+01" or nothing. *zone: seconds east of Greenwich; *local: no zone was given. */
static int parse_zone(const char *text, long *zone, int *local)
{
    *zone = 0;
    *local = *text == '\0';
    if (*local || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return 0;
    int hours = 0, minutes = 0, used = 0;
    if (*text != '+' && *text != '-')
        return -EINVAL;
    if (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) < 2 && sscanf(text + 1, "%2d%2d%n", &hours, &minutes, &used) < 2) {
        minutes = 0;
        if (sscanf(text + 1, "%2d%n", &hours, &used) < 1)
            return -EINVAL;
    }
    if (text[1 + used] || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return -EINVAL;
    *zone = (hours * 60L + minutes) * 60 * (*text == '-' ? -1 : 1);
    return 0;
}

static int parse_iso(const char *text, int64_t *ns)
{
    struct tm tm = {.tm_isdst = -1};
    int64_t fraction = 0;
    long zone;
    int local;
    const char *at = strptime(text, "%Y-%m-%d", &tm);
    if (!at)
        return -EINVAL;
    if (*at == 'T' || *at == 't' || *at == ' ') {
        at = strptime(at + 1, "%H:%M", &tm);
        if (at && *at == ':')
            at = strptime(at + 1, "%S", &tm);
        if (at && *at == '.')
            at = parse_fraction(at, &fraction);
        if (!at)
            return -EINVAL;
    }
    if (parse_zone(at, &zone, &local) < 0)
        return -EINVAL;
    time_t seconds = local ? mktime(&tm) : timegm(&tm) - zone;
    if (seconds < 0 || seconds > INT64_MAX / second_ns - 1)
        return -ERANGE;
    *ns = seconds * second_ns + fraction;
    return 0;
}

static int parse_time(const char *text, int64_t *ns)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || (text[digits] != '\0' && text[digits] != '.'))
        return parse_iso(text, ns);
    char *end;
    int64_t fraction = 0;
    errno = 0;
    long long seconds = strtoll(text, &end, 10);
    if (errno || seconds > INT64_MAX / second_ns - 1)
        return -ERANGE;
    if (*end == '.') {
        const char *after = parse_fraction(end, &fraction);
        if (!after || *after)
            return -EINVAL;
    }
    *ns = seconds * second_ns + fraction;
    return 0;
}

int mr_position_parse(const char *text, struct mr_position *position)
{
    static const struct {
        const char *word;
        enum mr_start start;
    } words[] = {
        {"stored", MR_START_STORED},
        {"beginning", MR_START_BEGINNING},
        {"earliest", MR_START_BEGINNING},
        {"TRIM_HORIZON", MR_START_BEGINNING},
        {"end", MR_START_END},
        {"latest", MR_START_END},
        {"LATEST", MR_START_END},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].word) == 0) {
            *position = (struct mr_position){.start = words[i].start};
            return 0;
        }
    }
    struct mr_position new = {.start = MR_START_OFFSET};
    int error;
    switch (*text) {
    case '@':
        new.start = MR_START_TIME;
        error = parse_time(text + 1, &new.arg);
        break;
    case '-':
        new.start = MR_START_LAST;
        error = parse_number(text + 1, &new.arg);
        break;
    case '+':
        new.skip = 1;
        error = parse_number(text + 1, &new.arg);
        break;
    default:
        error = parse_number(text, &new.arg);
        break;
    }
    if (error == 0)
        *position = new;
    return error;
}
