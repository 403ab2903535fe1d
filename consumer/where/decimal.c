#include "decimal.h"

#define EXPONENT_MAX INT64_C(1000000000000000)

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The exponent behind an 'e': all of [at, end). Returns 1, or 0 when it is none. */
static int parse_exponent(const char *at, const char *end, int64_t *out)
{
    int negative = at < end && *at == '-';
    int64_t number = 0;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end)
        return 0;
    for (; at < end; at++) {
        if (!is_digit(*at))
            return 0;
        number = number < EXPONENT_MAX ? number * 10 + (*at - '0') : number;
    }
    number = number < EXPONENT_MAX ? number : EXPONENT_MAX;
    *out = negative ? -number : number;
    return 1;
}

int decimal_parse(const char *text, size_t len, struct decimal *out)
{
    const char *at = text, *end = text + len, *point = NULL, *first = NULL, *last = NULL;
    struct decimal number = {0};
    /* digits before the point; zeros before the first other digit */
    int64_t exponent = 0, whole = 0, zeros = 0;
    size_t digits = 0;
    if (at < end && (*at == '-' || *at == '+'))
        number.negative = *at++ == '-';
    for (; at < end && (is_digit(*at) || (*at == '.' && !point)); at++) {
        if (*at == '.') {
            point = at;
            continue;
        }
        digits++;
        whole += !point;
        if (*at != '0')
            last = at;
        if (!first && *at != '0')
            first = at;
        zeros += !first;
    }
    if (digits == 0)
        return 0;
    if (at < end && ((*at != 'e' && *at != 'E') || !parse_exponent(at + 1, end, &exponent)))
        return 0;
    number.digits = first ? first : text;
    number.end = first ? last + 1 : text;
    number.exponent = whole - zeros + exponent;
    *out = number;
    return 1;
}

static int is_zero(const struct decimal *number)
{
    return number->digits == number->end;
}

/* Of two numbers that are not zero, regardless of their signs. */
static int compare_sizes(const struct decimal *a, const struct decimal *b)
{
    const char *x = a->digits, *y = b->digits;
    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -1 : 1;
    for (; x < a->end && y < b->end; x++, y++) {
        x += *x == '.';
        y += *y == '.';
        if (*x != *y)
            return *x < *y ? -1 : 1;
    }
    return (x < a->end) - (y < b->end); /* none ends in zeros */
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
    int a_sign = is_zero(a)    ? 0
                 : a->negative ? -1
                               : 1,
        b_sign = is_zero(b)    ? 0
                 : b->negative ? -1
                               : 1;
    if (a_sign != b_sign)
        return a_sign < b_sign ? -1 : 1;
    if (a_sign == 0)
        return 0;
    return a_sign > 0 ? compare_sizes(a, b) : compare_sizes(b, a);
}
