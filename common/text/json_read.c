/* json_read.c - one pass checks everything; the functions that look at parts afterwards trust it
 * and only find their ends. */
#include "json_read.h"
#include "json.h"
#include <errno.h>
#include <string.h>

struct reader {
    const char *text;
    size_t len, at;
    size_t depth;
    uint64_t objects[JS_DEPTH_MAX / 64]; /* one bit a level: it is an object, not an array */
    struct js_fault *fault;
};

static int wrong(struct reader *r, size_t at, const char *reason)
{
    *r->fault = (struct js_fault){.at = at, .reason = reason};
    return -EINVAL;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->len && (r->text[r->at] == ' ' || r->text[r->at] == '\t' ||
                              r->text[r->at] == '\n' || r->text[r->at] == '\r'))
        r->at++;
}

/* The byte at hand, or -1 at the end. */
static int peek(const struct reader *r)
{
    return r->at < r->len ? (unsigned char)r->text[r->at] : -1;
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

/* The number that four hexadecimal digits stand for, or -1. */
static int32_t hex_number(const char *digits)
{
    int32_t number = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(digits[i]);

        if (digit < 0)
            return -1;
        number = number << 4 | digit;
    }
    return number;
}

/* r->at is on a backslash; steps past what it begins. */
static int check_escape(struct reader *r)
{
    size_t left = r->len - r->at;
    const char *from = r->text + r->at;
    int32_t unit;

    if (left < 2)
        return wrong(r, r->len, "the string does not end");
    if (from[1] != 'u') {
        if (!from[1] || !strchr("\"\\/bfnrt", from[1]))
            return wrong(r, r->at, "an unknown escape");
        r->at += 2;
        return 0;
    }
    unit = left < 6 ? -1 : hex_number(from + 2);
    if (unit < 0)
        return wrong(r, r->at, "\\u wants four hexadecimal digits");
    r->at += 6;
    if (unit < 0xd800 || unit > 0xdfff)
        return 0;
    if (unit <= 0xdbff && left >= 12 && from[6] == '\\' && from[7] == 'u') {
        int32_t low = hex_number(from + 8);

        r->at += 6;
        if (low >= 0xdc00 && low <= 0xdfff)
            return 0;
    }
    return wrong(r, (size_t)(from - r->text), "half of a surrogate pair");
}

/* r->at is on the opening quote; steps past the closing one. */
static int check_string(struct reader *r)
{
    size_t from = ++r->at;

    for (;;) {
        const char *at = r->text + r->at, *end = r->text + r->len;

        while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
            at++;
        r->at = (size_t)(at - r->text);
        if (at == end)
            return wrong(r, r->len, "the string does not end");
        if (*at == '"')
            break;
        if (*at != '\\')
            return wrong(r, r->at, "a control character in a string is written \\u00XX");
        if (check_escape(r))
            return -EINVAL;
    }
    if (!js_is_utf8(r->text + from, r->at - from))
        return wrong(r, from, "the string is not UTF-8");
    r->at++;
    return 0;
}

/* ---- values ---- */

static int check_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);

    if (r->len - r->at < n || memcmp(r->text + r->at, word, n) != 0)
        return wrong(r, r->at, "neither true, false nor null");
    r->at += n;
    return 0;
}

static int check_number(struct reader *r)
{
    size_t from = r->at;

    while (r->at < r->len && r->text[r->at] && strchr("+-.0123456789eE", r->text[r->at]))
        r->at++;
    return js_is_number(r->text + from, r->at - from)
               ? 0
               : wrong(r, from, "not a number as JSON has them");
}

/* A value that has no parts. */
static int check_plain(struct reader *r)
{
    switch (peek(r)) {
    case '"':
        return check_string(r);
    case 't':
        return check_word(r, "true");
    case 'f':
        return check_word(r, "false");
    case 'n':
        return check_word(r, "null");
    case -1:
        return wrong(r, r->len, "it ends too early");
    default:
        return peek(r) == '-' || (peek(r) >= '0' && peek(r) <= '9')
                   ? check_number(r)
                   : wrong(r, r->at, "a value is missing");
    }
}

static int in_object(const struct reader *r)
{
    return (int)(r->objects[(r->depth - 1) / 64] >> (r->depth - 1) % 64 & 1);
}

static int enter(struct reader *r)
{
    size_t level = r->depth;

    if (level == JS_DEPTH_MAX) {
        wrong(r, r->at, "too many brackets inside each other");
        return -EOVERFLOW;
    }
    r->objects[level / 64] &= ~(UINT64_C(1) << level % 64);
    r->objects[level / 64] |= (uint64_t)(r->text[r->at] == '{') << level % 64;
    r->depth++;
    r->at++;
    return 0;
}

/* A name and its colon. */
static int check_name(struct reader *r)
{
    skip_space(r);
    if (peek(r) != '"')
        return wrong(r, r->at, "a name in quotes is missing");
    if (check_string(r))
        return -EINVAL;
    skip_space(r);
    if (peek(r) != ':')
        return wrong(r, r->at, "a ':' is missing");
    r->at++;
    return 0;
}

/* After a value: closes brackets, up to the comma before the next value (or its name). Returns 1 if
 * all are closed. */
static int leave(struct reader *r)
{
    while (r->depth) {
        skip_space(r);
        if (peek(r) == ',') {
            r->at++;
            return in_object(r) ? check_name(r) : 0;
        }
        if (peek(r) != (in_object(r) ? '}' : ']'))
            return wrong(r, r->at,
                         in_object(r) ? "a ',' or '}' is missing" : "a ',' or ']' is missing");
        r->at++;
        r->depth--;
    }
    return 1;
}

static int check_value(struct reader *r)
{
    int done;

    do {
        skip_space(r);
        if (peek(r) == '{' || peek(r) == '[') {
            int close = peek(r) == '{' ? '}' : ']';

            if ((done = enter(r)))
                return done;
            skip_space(r);
            if (peek(r) != close) { /* its first value is next */
                done = close == '}' ? check_name(r) : 0;
                continue;
            }
        } else if (check_plain(r)) {
            return -EINVAL;
        }
        done = leave(r);
    } while (done == 0);
    return done < 0 ? done : 0;
}

static enum js_kind kind_of(char first)
{
    switch (first) {
    case '{':
        return JS_OBJECT;
    case '[':
        return JS_ARRAY;
    case '"':
        return JS_STRING;
    case 't':
        return JS_TRUE;
    case 'f':
        return JS_FALSE;
    case 'n':
        return JS_NULL;
    default:
        return JS_NUMBER;
    }
}

static void set_value(struct js_value *value, const char *text, size_t len)
{
    int quotes = *text == '"';

    *value = (struct js_value){
        .kind = kind_of(*text), .text = text + quotes, .len = len - 2 * (size_t)quotes};
}

int js_parse(const char *text, size_t len, struct js_value *out, struct js_fault *fault)
{
    struct reader r = {.text = text, .len = len, .fault = fault};
    size_t from;
    int error;

    skip_space(&r);
    from = r.at;
    if ((error = check_value(&r)))
        return error;
    len = r.at - from;
    skip_space(&r);
    if (r.at < r.len)
        return wrong(&r, r.at, "text after the end of the value");
    set_value(out, text + from, len);
    return 0;
}

/* ---- what was checked ---- */

/* Past the closing quote of a string that begins at from. */
static const char *string_end(const char *from)
{
    for (from++; *from != '"'; from++)
        if (*from == '\\')
            from++;
    return from + 1;
}

static const char *value_end(const char *from)
{
    size_t depth = 0;

    do {
        if (*from == '"') {
            from = string_end(from);
            continue;
        }
        if (*from == '{' || *from == '[')
            depth++;
        else if (*from == '}' || *from == ']')
            depth--;
        from++;
        /* a word or number inside an array or object, so something follows it */
        if (depth == 0 && from[-1] != '}' && from[-1] != ']')
            while (!strchr(",]} \t\r\n", *from))
                from++;
    } while (depth);
    return from;
}

int js_next(const struct js_value *container, size_t *at, struct js_value *name,
            struct js_value *value)
{
    static const char between[] = " \t\r\n,:";
    const char *from = container->text + (*at ? *at : 1), *end;

    from += strspn(from, between);
    if (*from == '}' || *from == ']')
        return 0;
    if (container->kind == JS_OBJECT) {
        end = string_end(from);
        set_value(name, from, (size_t)(end - from));
        from = end + strspn(end, between);
    }
    end = value_end(from);
    set_value(value, from, (size_t)(end - from));
    *at = (size_t)(end - container->text);
    return 1;
}

static char *put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 63));
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    }
    return to;
}

/* One escape, which begins after the backslash at *from; steps past it. Returns past what it stands
 * for. */
static char *put_escape(char *to, const char **from)
{
    static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    const char *at = *from;
    const char *letter = strchr(letters, *at);
    uint32_t code;

    *from = at + 1;
    if (*at != 'u') {
        *to = letter ? bytes[letter - letters] : *at;
        return to + 1;
    }
    code = (uint32_t)hex_number(at + 1);
    *from = at + 5;
    if (code >= 0xd800 && code <= 0xdbff) {
        code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)hex_number(at + 7) - 0xdc00);
        *from = at + 11;
    }
    return put_utf8(to, code);
}

size_t js_unescape(const struct js_value *string, char *out)
{
    const char *from = string->text, *end = from + string->len;
    char *to = out;

    while (from < end) {
        const char *escape = memchr(from, '\\', (size_t)(end - from));
        size_t n = (size_t)((escape ? escape : end) - from);

        memcpy(to, from, n);
        to += n;
        from += n;
        if (escape) {
            from++;
            to = put_escape(to, &from);
        }
    }
    return (size_t)(to - out);
}

int js_is(const struct js_value *string, const char *text)
{
    const char *from = string->text, *end = from + string->len;
    size_t left = strlen(text);

    if (string->kind != JS_STRING)
        return 0;
    while (from < end) {
        const char *escape = memchr(from, '\\', (size_t)(end - from));
        size_t n = (size_t)((escape ? escape : end) - from);
        char code[4];

        if (n > left || memcmp(from, text, n) != 0)
            return 0;
        from += n;
        text += n;
        left -= n;
        if (!escape)
            break;
        from++;
        n = (size_t)(put_escape(code, &from) - code);
        if (n > left || memcmp(code, text, n) != 0)
            return 0;
        text += n;
        left -= n;
    }
    return left == 0;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int js_unbase64(char *text, size_t len, size_t *out_len)
{
    size_t padding = len && text[len - 1] == '=' ? (len > 1 && text[len - 2] == '=' ? 2 : 1) : 0,
           used = 0;
    uint32_t bits = 0;

    if (len % 4)
        return -EINVAL;
    for (size_t i = 0; i < len - padding; i++) {
        int digit = base64_digit(text[i]);

        if (digit < 0)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4)
            text[used++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    /* left-over bits that are not zero: no encoder writes them */
    if (padding && (bits & (padding == 1 ? 3u : 15u)))
        return -EINVAL;
    *out_len = used;
    return 0;
}

int js_to_uint(const struct js_value *value, uint64_t *out)
{
    uint64_t number = 0;

    if (value->kind != JS_NUMBER)
        return -EINVAL;
    for (size_t i = 0; i < value->len; i++) {
        uint64_t digit = (uint64_t)(value->text[i] - '0');

        if (digit > 9)
            return -EINVAL;
        if (number > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        number = number * 10 + digit;
    }
    *out = number;
    return 0;
}
