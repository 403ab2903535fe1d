/* text.c - numbers are read exactly, in integers: "0.1s" is 100,000,000 ns, not the nearest
 * double. */
#include "text.h"
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX            ((uint64_t)1 << 62)
#define FRACTION_DIGITS_MAX 18 /* 10^18 fits into 64 bits */
#define WORD_MAX            255

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},           {"B", 1},          {"k", 1ull << 10}, {"M", 1ull << 20},
    {"G", 1ull << 30}, {"T", 1ull << 40}, {NULL, 0},
};
static const struct unit count_units[] = {
    {"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0}};
static const struct unit duration_units[] = {
    {"", 1000000000},  {"ns", 1},          {"us", 1000},         {"ms", 1000000},
    {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}, {"d", 86400000000000},
    {NULL, 0},
};

struct decimal {
    uint64_t whole;
    uint64_t fraction; /* of scale */
    uint64_t scale;    /* a power of ten; 1: no fraction was written */
};

/* Reads digits with an optional fraction. Returns the first byte after them, or NULL (with *error
 * set). */
static const char *read_decimal(const char *text, struct decimal *out, int *error)
{
    const char *at = text;

    *out = (struct decimal){.scale = 1};
    *error = -EINVAL;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (out->whole > TEXT_MAX / 10) {
            *error = -ERANGE;
            return NULL;
        }
        out->whole = out->whole * 10 + (uint64_t)(*at - '0');
    }
    if (*at == '.') {
        const char *first = ++at;

        for (; *at >= '0' && *at <= '9'; at++) {
            if (at - first == FRACTION_DIGITS_MAX)
                return NULL;
            out->fraction = out->fraction * 10 + (uint64_t)(*at - '0');
            out->scale *= 10;
        }
        if (at == first)
            return NULL;
    }
    return at == text ? NULL : at;
}

static int scale_decimal(const struct decimal *number, uint64_t factor, uint64_t *out)
{
    if (number->scale > 1 && factor == 1) /* half a byte, half a record */
        return -EINVAL;
    if (number->whole > TEXT_MAX / factor)
        return -ERANGE;
    uint64_t value = number->whole * factor +
                     (uint64_t)((unsigned __int128)number->fraction * factor / number->scale);
    if (value > TEXT_MAX)
        return -ERANGE;
    *out = value;
    return 0;
}

static const struct unit *find_unit(const struct unit *units, const char *name, size_t len,
                                    int any_case)
{
    for (; units->name; units++)
        if (strlen(units->name) == len &&
            (any_case ? strncasecmp(units->name, name, len) : strncmp(units->name, name, len)) == 0)
            return units;
    return NULL;
}

int text_size(const char *text, uint64_t *bytes)
{
    struct decimal number;
    int error;
    const char *name = read_decimal(text, &number, &error);

    if (!name)
        return error;
    size_t len = strlen(name);
    if (len == 3 && strcmp(name + 1, "iB") == 0 && name[0] != 'B')
        len = 1;
    else if (len == 2 && name[1] == 'B' && name[0] != 'B')
        len = 1;
    const struct unit *unit = find_unit(size_units, name, len, 1);
    return unit ? scale_decimal(&number, unit->factor, bytes) : -EINVAL;
}

int text_count(const char *text, uint64_t *count)
{
    struct decimal number;
    int error;
    const char *name = read_decimal(text, &number, &error);

    if (!name)
        return error;
    const struct unit *unit = find_unit(count_units, name, strlen(name), 1);
    return unit ? scale_decimal(&number, unit->factor, count) : -EINVAL;
}

int text_duration(const char *text, int64_t *ns)
{
    struct decimal number;
    uint64_t value;
    int error;
    const char *name = read_decimal(text, &number, &error);

    if (!name)
        return error;
    const struct unit *unit = find_unit(duration_units, name, strlen(name), 0);
    if (!unit)
        return -EINVAL;
    error = scale_decimal(&number, unit->factor, &value);
    if (error)
        return error;
    *ns = (int64_t)value;
    return 0;
}

/* Writes value / unit with one decimal, left out where it is 0 or the number has three digits
 * already. */
static void write_scaled(char buf[static 32], uint64_t value, uint64_t unit, const char *name)
{
    uint64_t tenths = (uint64_t)(((unsigned __int128)value * 10 + unit / 2) / unit);

    if (tenths >= 1000)
        snprintf(buf, 32, "%" PRIu64 " %s", (value + unit / 2) / unit, name);
    else if (tenths % 10 == 0)
        snprintf(buf, 32, "%" PRIu64 " %s", tenths / 10, name);
    else
        snprintf(buf, 32, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, name);
}

const char *text_bytes(char buf[static 32], uint64_t bytes)
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t i = 0;
    uint64_t unit = 1024;

    if (bytes < 1024) {
        snprintf(buf, 32, "%" PRIu64 " B", bytes);
        return buf;
    }
    while (i + 1 < sizeof(names) / sizeof(names[0]) && bytes / unit >= 1023 &&
           bytes >= unit * 1024 - unit / 2) {
        unit *= 1024; /* also what would be rounded to "1024 KiB" */
        i++;
    }
    write_scaled(buf, bytes, unit, names[i]);
    return buf;
}

const char *text_ns(char buf[static 32], uint64_t ns)
{
    uint64_t s = (ns + 500000000) / 1000000000;

    if (ns < 1000)
        snprintf(buf, 32, "%" PRIu64 " ns", ns);
    else if (ns < 999500)
        write_scaled(buf, ns, 1000, "us");
    else if (ns < 999500000)
        write_scaled(buf, ns, 1000000, "ms");
    else if (s < 120)
        write_scaled(buf, ns, 1000000000, "s");
    else if (s < 7200)
        snprintf(buf, 32, "%" PRIu64 "m %02" PRIu64 "s", s / 60, s % 60);
    else if (s < 172800)
        snprintf(buf, 32, "%" PRIu64 "h %02" PRIu64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(buf, 32, "%" PRIu64 "d %02" PRIu64 "h", s / 86400, s / 3600 % 24);
    return buf;
}

const char *text_grouped(char buf[static 32], uint64_t number)
{
    char digits[24], *to = buf;
    int n = snprintf(digits, sizeof digits, "%" PRIu64, number);
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return buf;
}

const char *text_time(char buf[static 32], uint64_t ts_ns)
{
    time_t seconds = (time_t)(ts_ns / 1000000000);
    struct tm tm;
    size_t n;

    gmtime_r(&seconds, &tm);
    n = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + n, 32 - n, ".%03uZ", (unsigned)(ts_ns / 1000000 % 1000));
    return buf;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insert, delete, replace, or swap two neighbours, each costs 1. Both at
 * most WORD_MAX long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] =
                min_size(min_size(row[j - 1], above[j]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min_size(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_len];
}

const char *text_suggest(const char *word, const char *const *candidates)
{
    size_t len = strlen(word), best = len / 3 > 1 ? len / 3 : 1;
    const char *found = NULL;

    if (len == 0 || len > WORD_MAX)
        return NULL;
    if (len == 1) /* every other letter is one step away */
        best = 0;
    for (; *candidates; candidates++) {
        size_t candidate_len = strlen(*candidates);

        if (candidate_len > WORD_MAX)
            continue;
        size_t d = distance(word, len, *candidates, candidate_len);
        if (d < best || (d == best && !found)) {
            best = d;
            found = *candidates;
        }
    }
    return found;
}

/* ---- hashes ---- */

uint64_t text_hash(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint64_t word;

    for (size_t left = len; left; left -= left < 8 ? left : 8, at += 8) {
        word = 0;
        memcpy(&word, at, left < 8 ? left : 8);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    h = (h ^ len) * UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

/* ---- for a terminal ---- */

/* The length of the UTF-8 character at s, 0 if it is none. Overlong forms, surrogates and what lies
 * past U+10FFFF count as none, because terminals treat them differently. */
static size_t character(const unsigned char *s, size_t left)
{
    size_t len = s[0] < 0x80   ? 1
                 : s[0] < 0xc2 ? 0
                 : s[0] < 0xe0 ? 2
                 : s[0] < 0xf0 ? 3
                 : s[0] < 0xf5 ? 4
                               : 0;

    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

size_t text_printable(char *out, size_t cap, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *s = (const unsigned char *)text;
    size_t used = 0, step, n;

    for (size_t i = 0; i < len; i += step) {
        const char *letter = s[i] == '\n' ? "n" : s[i] == '\r' ? "r" : s[i] == '\t' ? "t" : NULL;
        int control = s[i] < 0x20 || s[i] == 0x7f;
        char escape[4];

        step = character(s + i, len - i);
        control |= step == 0 || (s[i] == 0xc2 && s[i + 1] < 0xa0); /* C1 */
        if (step == 0 || control)
            step = 1; /* the second byte of a C1 alone is not UTF-8, so it is escaped next */
        n = letter ? 2 : control ? 4 : step;
        if (cap - used <= n)
            break;
        if (control) {
            escape[0] = '\\';
            escape[1] = letter ? *letter : 'x';
            escape[2] = hex[s[i] >> 4];
            escape[3] = hex[s[i] & 15];
        }
        memcpy(out + used, control ? escape : text + i, n);
        used += n;
    }
    out[used] = '\0';
    return used;
}
