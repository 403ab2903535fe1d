/* json_pass.h - a pass over a text that becomes JSON strings. Nearly all bytes stay as they are. It
 * finds the others 64 bytes at a time and copies what lies between sixteen bytes at a time. Callers
 * provide the room on both sides, so the loop does not check for it. */
#ifndef COMMON_TEXT_JSON_PASS_H
#define COMMON_TEXT_JSON_PASS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    JS_WORST = 6,   /* a byte becomes at most so many: \u0000 */
    JS_BEHIND = 64, /* bytes behind the text, all zero */
    JS_SLACK = 16,  /* bytes that may be written behind what becomes of it */
};

/* A pass is fast because it lives in registers, so only inline functions may take its address; gcc
 * does not always inline them by itself. */
#define JS_INLINE static inline __attribute__((always_inline))

/* Marked are the bytes that need a look: separators, and what cannot stand in a JSON string as it
 * is (quotes, backslashes, control characters, and all that is not ASCII). So the end of the text
 * is marked, too. It starts with from and next at the text and no marks. */
struct js_pass {
    const char *from; /* what comes next */
    char *to;         /* where it goes */
    const char *next; /* the 64 bytes before were looked at last */
    uint64_t marks;   /* those of them that are marked, from `from` on */
    char sep;
};

JS_INLINE uint64_t js_marks16(const char *text, char sep)
{
#ifdef __SSE2__
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
    /* signed: what is not ASCII is negative */
    const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
    const __m128i quote = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                       _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(low, quote), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(sep))));
#else
    unsigned marks = 0;
    for (unsigned i = 0; i < 16; i++) {
        unsigned char byte = (unsigned char)text[i];
        marks |=
            (unsigned)(byte < ' ' || byte >= 0x80 || byte == '"' || byte == '\\' || text[i] == sep)
            << i;
    }
    return marks;
#endif
}

/* js_copy copies len bytes, and up to sixteen behind them: most copies are short, and a call would
 * take longer. */
JS_INLINE void js_copy(char *to, const char *from, size_t len)
{
    memcpy(to, from, 16);
    for (size_t n = 16; n < len; n += 16)
        memcpy(to + n, from + n, 16);
}

/* js_pass_plain copies what comes before the next mark. */
JS_INLINE void js_pass_plain(struct js_pass *pass)
{
    while (!pass->marks) {
        pass->marks = js_marks16(pass->next, pass->sep) |
                      js_marks16(pass->next + 16, pass->sep) << 16 |
                      js_marks16(pass->next + 32, pass->sep) << 32 |
                      js_marks16(pass->next + 48, pass->sep) << 48;
        pass->next += 64;
    }
    const char *mark = pass->next - 64 + (unsigned)__builtin_ctzll(pass->marks);
    size_t len = (size_t)(mark - pass->from);
    js_copy(pass->to, pass->from, len);
    pass->to += len;
    pass->from = mark;
}

/* js_pass_to goes on at a byte ahead, or at the end. */
JS_INLINE void js_pass_to(struct js_pass *pass, const char *from)
{
    if (from < pass->next) {
        pass->marks &= UINT64_MAX << (64 - (pass->next - from));
    } else {
        pass->marks = 0;
        pass->next = from;
    }
    pass->from = from;
}

/* js_escape_some writes what is marked at from, and what follows it if that is not ASCII either, up
 * to stop. */
struct js_escaped {
    const char *from; /* what comes next */
    char *to;
};
struct js_escaped js_escape_some(const char *from, char *to, char stop);

/* js_pass_until writes what comes before the next stop, which is a quote or the separator, or
 * before the end. */
JS_INLINE void js_pass_until(struct js_pass *pass, const char *end, char stop)
{
    for (;;) {
        js_pass_plain(pass);
        if (*pass->from == stop || pass->from == end)
            return;
        struct js_escaped escaped = js_escape_some(pass->from, pass->to, stop);
        pass->to = escaped.to;
        js_pass_to(pass, escaped.from);
    }
}

/* js_digits returns how long the number at text is that consists of digits, and perhaps a point
 * between them. 16: it may be longer; 0: the text does not begin with such a number, or this CPU
 * has no fast way to tell. */
JS_INLINE size_t js_digits(const char *text)
{
#ifdef __SSE2__
    const __m128i bytes =
        _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)text), _mm_set1_epi8('0'));
    unsigned others =
        (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(9)), bytes)) ^
        0x1ffff;
    size_t whole = (size_t)__builtin_ctz(others), len = whole;
    if (text[len] == '.') {
        others &= others - 1;
        len = (size_t)__builtin_ctz(others | 0x10000);
        if (len == whole + 1)
            return 0;
    }
    return whole == 0 || (text[0] == '0' && whole > 1) ? 0 : len;
#else
    (void)text;
    return 0;
#endif
}

#endif
