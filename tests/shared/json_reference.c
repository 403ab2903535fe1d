/* json_reference.c - see json_reference.h. */
#include "json_reference.h"

#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* 1 if some well-formed sequence of `total` bytes begins with these: by the code points that it
 * could still become. */
static int may_begin(const unsigned char *s, size_t have, size_t total)
{
    static const uint32_t first[] = {0, 0, 0x80, 0x800, 0x10000},
                          last[] = {0, 0, 0x7ff, 0xffff, 0x10ffff};
    uint32_t low = s[0] & (0x7fu >> total);
    for (size_t i = 1; i < have; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        low = low << 6 | (s[i] & 0x3f);
    }
    unsigned shift = 6 * (unsigned)(total - have);
    uint32_t high = (low << shift) | ((1u << shift) - 1);
    low <<= shift;
    return low <= last[total] && high >= first[total] && !(low >= 0xd800 && high <= 0xdfff);
}

size_t json_reference_escape(char *to, const char *bytes, size_t len)
{
    const unsigned char *s = (const unsigned char *)bytes;
    char *begin = to;
    for (size_t at = 0; at < len;) {
        size_t total = s[at] < 0x80   ? 1
                       : s[at] < 0xc0 ? 0
                       : s[at] < 0xe0 ? 2
                       : s[at] < 0xf0 ? 3
                       : s[at] < 0xf8 ? 4
                                      : 0,
               have = 1;
        const char *named = s[at] && (s[at] < ' ' || s[at] == '"' || s[at] == '\\')
                                ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", s[at])
                                : NULL;
        if (named) {
            to += sprintf(to, "\\%c", named[1]);
            at++;
        } else if (total == 1 && s[at] < 0x20) {
            to += sprintf(to, "\\u%04x", s[at++]);
        } else if (total == 1) {
            *to++ = bytes[at++];
        } else {
            while (have < total && at + have < len && may_begin(s + at, have + 1, total))
                have++;
            int whole = total > 0 && have == total && may_begin(s + at, have, total);
            memcpy(to, whole ? bytes + at : "\xef\xbf\xbd", whole ? total : 3);
            to += whole ? total : 3;
            at += have;
        }
    }
    return (size_t)(to - begin);
}

static int is_number(const char *text, size_t len)
{
    static regex_t number;
    static int compiled;
    char copy[64];
    if (!compiled)
        compiled = regcomp(&number, "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?$",
                           REG_EXTENDED | REG_NOSUB) == 0;
    if (!compiled || len >= sizeof copy || memchr(text, '\0', len) || memchr(text, '\n', len))
        return 0;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return regexec(&number, copy, 0, NULL, 0) == 0;
}

size_t json_reference_object(char *to, size_t columns, const char *row, size_t len, char sep,
                             unsigned flags)
{
    static char field[1 << 17];
    char *begin = to;
    int quotes = (flags & JSON_REFERENCE_QUOTES) != 0,
        numbers = (flags & JSON_REFERENCE_NUMBERS) != 0;
    size_t at = 0, i = 0;
    *to++ = '{';
    for (;; i++, at++) {
        size_t n = 0;
        int quoted = quotes && at < len && row[at] == '"';
        if (quoted) {
            for (at++; at < len && (row[at] != '"' || (at + 1 < len && row[at + 1] == '"')); at++) {
                at += row[at] == '"';
                field[n++] = row[at];
            }
            at += at < len;
        }
        for (; at < len && row[at] != sep; at++)
            if (!quoted)
                field[n++] = row[at];
        if (i < columns)
            to += sprintf(to, "%s\"%c\":", i > 0 ? "," : "", (int)('a' + i));
        else
            to += sprintf(to, i > columns ? "," : ",\"_extra\":[");
        int plain = numbers && !quoted && i < columns && is_number(field, n);
        if (!plain)
            *to++ = '"';
        to += json_reference_escape(to, field, n);
        if (!plain)
            *to++ = '"';
        if (at == len)
            break;
    }
    to += sprintf(to, i >= columns ? "]}" : "}");
    return (size_t)(to - begin);
}
