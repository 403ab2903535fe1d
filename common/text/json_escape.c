/* json_escape.c - what is UTF-8, and how JSON escapes the bytes that a string cannot hold as they
 * are. json_pass.h finds them fast. */
#include "json.h"
#include "json_pass.h"

#include <stdlib.h>
#include <string.h>

/* The length of the well-formed sequence at s, or, when it is not one, minus the length of its
 * maximal part (at least 1). */
static int sequence(const unsigned char *s, size_t left)
{
    unsigned char lead = s[0], low = 0x80, high = 0xbf; /* of the second byte */
    int len;
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return -1;
    if (lead < 0xe0) {
        len = 2;
    } else if (lead < 0xf0) {
        len = 3;
        if (lead == 0xe0)
            low = 0xa0; /* overlong below */
        else if (lead == 0xed)
            high = 0x9f; /* surrogates above */
    } else {
        len = 4;
        if (lead == 0xf0)
            low = 0x90;
        else if (lead == 0xf4)
            high = 0x8f; /* past U+10FFFF above */
    }
    for (int i = 1; i < len; i++) {
        if ((size_t)i >= left || s[i] < low || s[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return len;
}

int js_is_utf8(const void *bytes, size_t len)
{
    const unsigned char *s = bytes;
    for (size_t at = 0; at < len;) {
        uint64_t eight;
        if (len - at >= sizeof eight) { /* most text is ASCII: eight at a time */
            memcpy(&eight, s + at, sizeof eight);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                at += sizeof eight;
                continue;
            }
        }
        int step = sequence(s + at, len - at);
        if (step < 0)
            return 0;
        at += (size_t)step;
    }
    return 1;
}

/* Writes one byte below 0x20, quote or backslash. Returns past the last byte written, at most 6. */
static char *escaped(char *to, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char letter = 0;
    switch (byte) {
    case '"':
    case '\\':
        letter = (char)byte;
        break;
    case '\b':
        letter = 'b';
        break;
    case '\f':
        letter = 'f';
        break;
    case '\n':
        letter = 'n';
        break;
    case '\r':
        letter = 'r';
        break;
    case '\t':
        letter = 't';
        break;
    default:
        break;
    }
    *to++ = '\\';
    if (letter) {
        *to++ = letter;
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = hex[byte >> 4];
    to[4] = hex[byte & 15];
    return to + 5;
}

struct js_escaped js_escape_some(const char *from, char *to, char stop)
{
    const unsigned char *s = (const unsigned char *)from;
    if (*s < 0x20 || *s == '"' || *s == '\\')
        return (struct js_escaped){from + 1, escaped(to, *s)};
    if (*s < 0x80) { /* a separator that has no meaning here */
        *to = *from;
        return (struct js_escaped){from + 1, to + 1};
    }
    do {                           /* most that is not ASCII is followed by more of it */
        int step = sequence(s, 4); /* zeros follow the text and end a sequence, too */
        for (int i = 1; (stop & 0x80) && i < abs(step); i++)
            if ((char)s[i] == stop)
                step = -i;
        memcpy(to, step < 0 ? "\xef\xbf\xbd" : (const char *)s, 4);
        to += step < 0 ? 3 : step;
        s += abs(step);
    } while (*s >= 0x80 && (char)*s != stop);
    return (struct js_escaped){(const char *)s, to};
}
