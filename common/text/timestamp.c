/* timestamp.c - reads digit by digit, in integers: it never rounds, and takes some tens of
 * nanoseconds a row. */
#include "timestamp.h"
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)

struct cursor {
    const char *at, *end;
};

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_ahead(const struct cursor *c)
{
    size_t n = 0;

    while (c->at + n < c->end && is_digit(c->at[n]))
        n++;
    return n;
}

static int next_is(const struct cursor *c, char byte)
{
    return c->at < c->end && *c->at == byte;
}

static int skip(struct cursor *c, char byte)
{
    int is = next_is(c, byte);

    c->at += is;
    return is;
}

/* Exactly n digits, as a number in [min, max]; or -1. */
static int number(struct cursor *c, size_t n, int min, int max)
{
    int value = 0;

    if (digits_ahead(c) < n)
        return -1;
    while (n--)
        value = value * 10 + (*c->at++ - '0');
    return value < min || value > max ? -1 : value;
}

/* The digits after a point, as parts of a unit that has unit_ns nanoseconds. There is at least one,
 * or -EINVAL. */
static int fraction(struct cursor *c, int64_t unit_ns, int64_t *ns)
{
    if (c->at == c->end || !is_digit(*c->at))
        return -EINVAL;
    for (*ns = 0; c->at < c->end && is_digit(*c->at); c->at++) {
        unit_ns /= 10;
        *ns += unit_ns * (*c->at - '0');
    }
    return 0;
}

static int in_nanoseconds(__int128 all, int64_t *out)
{
    if (all > INT64_MAX || all < INT64_MIN)
        return -ERANGE;
    *out = (int64_t)all;
    return 0;
}

/* ---- epoch ---- */

static int parse_epoch(struct cursor *c, int64_t *out)
{
    int negative = skip(c, '-');
    int64_t unit_ns = SECOND_NS, part = 0;
    uint64_t whole = 0;

    for (size_t n = digits_ahead(c); n; n--) {
        if (whole > (uint64_t)INT64_MAX / 10)
            return -ERANGE;
        whole = whole * 10 + (uint64_t)(*c->at++ - '0');
    }
    for (uint64_t limit = 100000000000; whole >= limit && unit_ns > 1; limit *= 1000)
        unit_ns /= 1000;
    if (skip(c, '.') && fraction(c, unit_ns, &part))
        return -EINVAL;
    if (c->at != c->end)
        return -EINVAL;
    __int128 all = (__int128)whole * unit_ns + part;
    return in_nanoseconds(negative ? -all : all, out);
}

/* ---- ISO 8601 ---- */

/* Days since 1970 of a date of the Gregorian calendar, also before its time. Years are counted from
 * March, so that a leap day is their last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static int parse_date(struct cursor *c, int64_t *days)
{
    int year = number(c, 4, 0, 9999), dashes = skip(c, '-');
    int month = number(c, 2, 1, 12);

    if (year < 0 || month < 0 || (dashes && !skip(c, '-')))
        return -EINVAL;
    int day = number(c, 2, 1, days_in(year, month));
    if (day < 0)
        return -EINVAL;
    *days = days_of(year, month, day);
    return 0;
}

/* HH:MM[:SS[.fraction]] or without the colons. */
static int parse_clock(struct cursor *c, int64_t *seconds, int64_t *ns)
{
    int hour = number(c, 2, 0, 24), colons = skip(c, ':'), minute = number(c, 2, 0, 59), second = 0;

    if (hour < 0 || minute < 0)
        return -EINVAL;
    if (colons ? skip(c, ':') : digits_ahead(c) > 0) {
        if ((second = number(c, 2, 0, 60)) < 0)
            return -EINVAL;
        if ((skip(c, '.') || skip(c, ',')) && fraction(c, SECOND_NS, ns))
            return -EINVAL;
    }
    if (hour == 24 && (minute || second || *ns))
        return -EINVAL;
    *seconds = hour * 3600 + minute * 60 + second;
    return 0;
}

/* Seconds east of Greenwich; *zoned: it says so. */
static int parse_zone(struct cursor *c, int64_t *east, int *zoned)
{
    size_t left = (size_t)(c->end - c->at);
    int west, hours, minutes = 0;

    *east = 0;
    *zoned = left > 0;
    if (left == 0)
        return 0;
    if ((left == 1 && (*c->at | 32) == 'z') ||
        (left == 3 && (strncasecmp(c->at, "UTC", 3) == 0 || strncasecmp(c->at, "GMT", 3) == 0)))
        return 0;
    if (*c->at != '+' && *c->at != '-')
        return -EINVAL;
    west = *c->at++ == '-';
    hours = number(c, 2, 0, 23);
    if (c->at < c->end) {
        skip(c, ':');
        minutes = number(c, 2, 0, 59);
    }
    if (hours < 0 || minutes < 0 || c->at != c->end)
        return -EINVAL;
    *east = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return 0;
}

static int parse_iso(struct cursor *c, int64_t *out, int *zoned)
{
    int64_t days, seconds = 0, ns = 0, east = 0;

    *zoned = 0;
    if (parse_date(c, &days))
        return -EINVAL;
    if (c->at < c->end) {
        if (!skip(c, 'T') && !skip(c, 't') && !skip(c, ' '))
            return -EINVAL;
        if (parse_clock(c, &seconds, &ns))
            return -EINVAL;
        skip(c, ' ');
        if (parse_zone(c, &east, zoned))
            return -EINVAL;
    }
    return in_nanoseconds(((__int128)days * 86400 + seconds - east) * SECOND_NS + ns, out);
}

int timestamp_read(const char *text, size_t len, int64_t *ns, int *zoned)
{
    struct cursor c = {text, text + len}, ahead;

    *zoned = 1;
    while (c.at < c.end && (*c.at == ' ' || *c.at == '\t'))
        c.at++;
    while (c.end > c.at && (c.end[-1] == ' ' || c.end[-1] == '\t'))
        c.end--;
    ahead = c;
    skip(&ahead, '-');
    ahead.at += digits_ahead(&ahead);
    if (ahead.at == c.at || !is_digit(ahead.at[-1]))
        return -EINVAL;
    return ahead.at == c.end || *ahead.at == '.' ? parse_epoch(&c, ns) : parse_iso(&c, ns, zoned);
}

int timestamp_parse(const char *text, size_t len, int64_t *ns)
{
    int zoned;

    return timestamp_read(text, len, ns, &zoned);
}

/* What a clock on the wall shows at a time, as if that were UTC; all in seconds. */
static int64_t wall_at(int64_t at)
{
    struct tm tm;
    time_t time = (time_t)at;

    return localtime_r(&time, &tm) ? at + tm.tm_gmtoff : at;
}

int timestamp_parse_local(const char *text, size_t len, int64_t *ns)
{
    int64_t read = 0, found = INT64_MAX;
    int zoned, error = timestamp_read(text, len, &read, &zoned);

    if (error)
        return error;
    if (zoned) {
        *ns = read;
        return 0;
    }
    int64_t wall = read / SECOND_NS - (read % SECOND_NS < 0);

    tzset();
    /* Clocks may be set then, so there are two ways to be off UTC: that of the day before, and
     * after. */
    for (int day = -86400; day <= 86400; day += 2 * 86400) {
        int64_t near = wall + day, at = wall - (wall_at(near) - near);

        if (wall_at(at) == wall && at < found)
            found = at;
    }
    if (found == INT64_MAX)
        return -EINVAL;
    return in_nanoseconds((__int128)found * SECOND_NS + (read - wall * SECOND_NS), ns);
}
