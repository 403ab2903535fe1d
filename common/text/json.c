#include "json.h"
#include "json_pass.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void js_init(struct js_writer *json, void *buf, size_t cap)
{
    *json = (struct js_writer){.text = buf, .cap = buf ? cap : 0, .grows = !buf};
}

void js_free(struct js_writer *json)
{
    if (json->grows)
        free(json->text);
    *json = (struct js_writer){.grows = json->grows};
}

static int grow(struct js_writer *json, size_t n)
{
    if (!json->grows || n > SIZE_MAX / 4 || json->len > SIZE_MAX / 4)
        return -1;
    size_t cap = json->cap < 256 ? 256 : json->cap;
    while (cap - json->len < n)
        cap *= 2;
    char *text = realloc(json->text, cap);
    if (!text)
        return -1;
    json->text = text;
    json->cap = cap;
    return 0;
}

char *js_room(struct js_writer *json, size_t n)
{
    if (json->failed)
        return NULL;
    if ((!json->text || json->cap - json->len < n) && grow(json, n) < 0) {
        json->failed = 1;
        return NULL;
    }
    return json->text + json->len;
}

void js_add(struct js_writer *json, const void *bytes, size_t len)
{
    char *to = js_room(json, len);
    if (to && len > 0) {
        memcpy(to, bytes, len);
        json->len += len;
    }
}

static void put(struct js_writer *json, char byte)
{
    js_add(json, &byte, 1);
}

/* Before each value or key: the comma, if one is due; after it, another will be. */
static void next(struct js_writer *json)
{
    if (json->comma)
        put(json, ',');
    json->comma = 1;
}

void js_begin(struct js_writer *json, char bracket)
{
    next(json);
    put(json, bracket);
    json->comma = 0;
}

void js_end(struct js_writer *json, char bracket)
{
    put(json, bracket);
    json->comma = 1;
}

void js_line(struct js_writer *json)
{
    put(json, '\n');
    json->comma = 0;
}

/* Where to cut bytes so that no sequence lies across: at wanted, or up to three bytes before. */
static size_t cut(const unsigned char *s, size_t wanted)
{
    for (size_t back = 0; back < 4; back++)
        if ((s[wanted - back] & 0xc0) != 0x80)
            return wanted - back;
    return wanted; /* no sequence is that long */
}

void js_escape(struct js_writer *json, const void *bytes, size_t len)
{
    enum { CHUNK = 1024, WORST = CHUNK * JS_WORST + JS_SLACK };
    const unsigned char *s = bytes;
    char text[CHUNK + JS_BEHIND];
    for (size_t at = 0, n; at < len; at += n) {
        n = len - at > CHUNK ? cut(s + at, CHUNK) : len - at;
        memcpy(text, s + at, n);
        memset(text + n, 0, JS_BEHIND);
        /* a fixed buffer is filled to its last byte, so it is js_add that writes there */
        char room[WORST];
        char *start = json->grows ? js_room(json, n * JS_WORST + JS_SLACK) : room;
        if (!start)
            return;
        struct js_pass pass = {.from = text, .to = start, .next = text, .sep = '"'};
        for (;; js_pass_to(&pass, pass.from + 1)) {
            js_pass_until(&pass, text + n, '"');
            if (pass.from == text + n)
                break;
            memcpy(pass.to, "\\\"", 2);
            pass.to += 2;
        }
        if (json->grows)
            json->len += (size_t)(pass.to - start);
        else
            js_add(json, start, (size_t)(pass.to - start));
    }
}

void js_string(struct js_writer *json, const void *bytes, size_t len)
{
    next(json);
    put(json, '"');
    js_escape(json, bytes, len);
    put(json, '"');
}

void js_text(struct js_writer *json, const char *text)
{
    if (text)
        js_string(json, text, strlen(text));
    else
        js_null(json);
}

void js_key_bytes(struct js_writer *json, const void *name, size_t len)
{
    js_string(json, name, len);
    put(json, ':');
    json->comma = 0;
}

void js_key(struct js_writer *json, const char *name)
{
    size_t len = strlen(name);
    char *to = js_room(json, len + 3 + (json->comma != 0));
    if (!to)
        return;
    if (json->comma)
        *to++ = ',';
    *to++ = '"';
    memcpy(to, name, len);
    memcpy(to + len, "\":", 2);
    json->len = (size_t)(to + len + 2 - json->text);
    json->comma = 0;
}

void js_base64(struct js_writer *json, const void *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = bytes;
    next(json);
    put(json, '"');
    for (size_t at = 0; at < len; at += 3) {
        size_t left = len - at;
        uint32_t three = (uint32_t)s[at] << 16 | (left > 1 ? (uint32_t)s[at + 1] << 8 : 0) |
                         (left > 2 ? s[at + 2] : 0);
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63],
                        left > 1 ? digits[three >> 6 & 63] : '=',
                        left > 2 ? digits[three & 63] : '='};
        js_add(json, four, sizeof four);
    }
    put(json, '"');
}

void js_verbatim(struct js_writer *json, const char *text, size_t len)
{
    next(json);
    js_add(json, text, len);
}

void js_uint(struct js_writer *json, uint64_t number)
{
    char text[24], *from = text + sizeof text;
    do {
        *--from = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    js_verbatim(json, from, (size_t)(text + sizeof text - from));
}

void js_int(struct js_writer *json, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRId64, number);
    js_verbatim(json, text, (size_t)len);
}

void js_real(struct js_writer *json, double number, int decimals)
{
    char text[400]; /* DBL_MAX has 309 digits before the point */
    if (!isfinite(number)) {
        js_null(json);
        return;
    }
    int len = snprintf(text, sizeof text, "%.*f",
                       decimals < 0    ? 0
                       : decimals > 20 ? 20
                                       : decimals,
                       number);
    js_verbatim(json, text, (size_t)len);
}

void js_bool(struct js_writer *json, int truth)
{
    js_verbatim(json, truth ? "true" : "false", truth ? 4 : 5);
}

void js_null(struct js_writer *json)
{
    js_verbatim(json, "null", 4);
}

static size_t digits_at(const char *text, size_t len, size_t at)
{
    size_t from = at;
    while (at < len && text[at] >= '0' && text[at] <= '9')
        at++;
    return at - from;
}

int js_is_number(const char *text, size_t len)
{
    size_t at = len > 0 && text[0] == '-';
    size_t whole = digits_at(text, len, at);
    if (whole == 0 || (whole > 1 && text[at] == '0'))
        return 0;
    at += whole;
    if (at < len && text[at] == '.') {
        size_t part = digits_at(text, len, ++at);
        if (part == 0)
            return 0;
        at += part;
    }
    if (at < len && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < len && (text[at] == '+' || text[at] == '-'))
            at++;
        size_t exponent = digits_at(text, len, at);
        if (exponent == 0)
            return 0;
        at += exponent;
    }
    return at == len;
}
