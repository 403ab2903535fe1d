/* csv.c - the row framing goes from one line feed or quote to the next: the bytes between are
 * looked at 32 at a time. */
#include "csv.h"
#include "millrace.h"
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const char *find(const char *from, const char *end, int byte)
{
    return from < end ? memchr(from, byte, (size_t)(end - from)) : NULL;
}

/* Steps over a quoted field whose opening quote is at quote. Returns the byte after the closing
 * quote, or NULL if none closes it. */
static const char *skip_quoted(const char *quote, const char *end)
{
    const char *at = quote + 1;

    for (;;) {
        const char *close = find(at, end, '"');

        if (!close)
            return NULL;
        if (close + 1 == end || close[1] != '"')
            return close + 1;
        at = close + 2;
    }
}

/* ---- rows ---- */

#define BLOCK 32

/* Separators are counted, too. A constant at each call, so that what it does not need costs
 * nothing. */
#define SPLIT 1

/* Line feeds and quotes, one after the other. */
struct marks {
    const char *block, *next, *end; /* next: where the block behind begins */
    uint32_t found;                 /* a bit for each mark of the block that was not given yet */
    uint32_t seps; /* SPLIT: a bit for each separator of the block that is not counted yet */
    size_t sep_cnt;
};

/* The marks of a block; SPLIT: in the upper half, the separators. */
static inline uint64_t marks_in(const char *block, char sep, int split)
{
#ifdef __SSE2__
    const __m128i lf = _mm_set1_epi8('\n'), quote = _mm_set1_epi8('"'),
                  separator = _mm_set1_epi8(sep);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)block);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(block + 16));
    uint32_t seps = 0;

    if (split)
        seps = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(low, separator)) |
               (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(high, separator)) << 16;
    low = _mm_or_si128(_mm_cmpeq_epi8(low, lf), _mm_cmpeq_epi8(low, quote));
    high = _mm_or_si128(_mm_cmpeq_epi8(high, lf), _mm_cmpeq_epi8(high, quote));
    return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16 |
           (uint64_t)seps << 32;
#else
    uint64_t found = 0;

    for (int i = 0; i < BLOCK; i++) {
        found |= (uint64_t)(block[i] == '\n' || block[i] == '"') << i;
        found |= (uint64_t)(split && block[i] == sep) << (BLOCK + i);
    }
    return found;
#endif
}

/* The same for the last bytes of the buffer, fewer than a block. Not inline: it would cost every
 * block its zeros. */
__attribute__((noinline)) static uint64_t marks_in_rest(const char *rest, size_t len, char sep)
{
    char block[BLOCK] = {0};
    uint64_t bytes = ((uint64_t)1 << len) - 1;

    memcpy(block, rest, len);
    return marks_in(block, sep, SPLIT) & (bytes | bytes << BLOCK);
}

/* The builtin is a call where the processor's own instruction cannot be taken for granted. */
static inline uint32_t bits_in(uint32_t word)
{
    word -= word >> 1 & 0x55555555;
    word = (word & 0x33333333) + (word >> 2 & 0x33333333);
    return ((word + (word >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

/* Counts the separators of the block before the mark (NULL: all of them), and passes over them. */
static inline void count_to(struct marks *marks, const char *mark)
{
    uint32_t before = mark ? ((uint32_t)1 << (mark - marks->block)) - 1 : UINT32_MAX;

    marks->sep_cnt += bits_in(marks->seps & before);
    marks->seps &= ~before;
}

/* NULL: there is none before the end. quoted: what lies before it is in quotes. */
static inline const char *next_mark(struct marks *marks, char sep, int split, int quoted)
{
    const char *mark;
    uint64_t found;

    while (!marks->found) {
        size_t left = (size_t)(marks->end - marks->next);

        if (left == 0)
            return NULL;
        if (split && !quoted)
            count_to(marks, NULL);
        marks->block = marks->next;
        marks->next += left < BLOCK ? left : BLOCK;
        found = left < BLOCK ? marks_in_rest(marks->block, left, sep)
                             : marks_in(marks->block, sep, split);
        marks->found = (uint32_t)found;
        marks->seps = (uint32_t)(found >> 32);
    }
    mark = marks->block + __builtin_ctz(marks->found);
    marks->found &= marks->found - 1;
    return mark;
}

/* Fills in a row that begins at start and whose line end is the LF at lf, or the end of input when
 * lf is NULL. */
static inline int end_row(const char *buf, size_t len, size_t start, const char *lf, size_t lines,
                          size_t fields, struct csv_row *row)
{
    size_t end = lf ? (size_t)(lf - buf) : len;
    int crlf = lf && end > start && buf[end - 1] == '\r';

    *row = (struct csv_row){.start = start,
                            .len = end - (size_t)crlf - start,
                            .next = lf ? end + 1 : end,
                            .eol = crlf ? MR_EOL_CRLF
                                   : lf ? MR_EOL_LF
                                        : MR_EOL_NONE,
                            .fields = fields,
                            .lines = lines};
    return 1;
}

/* A row that is malformed ends at its first line end: what follows an opening quote by mistake is
 * not lost with it. */
static int bad_row(const char *buf, size_t len, size_t start, const char *first_lf, int last,
                   struct csv_row *row, enum csv_fault fault, const char *where)
{
    if (!first_lf)
        first_lf = find(where, buf + len, '\n');
    if (!first_lf && !last)
        return 0;
    end_row(buf, len, start, first_lf, 0, 0, row);
    row->fault = (uint16_t)fault;
    row->fault_at = (size_t)(where - buf);
    return 1;
}

__attribute__((always_inline)) static inline int
frame(const char *buf, size_t len, size_t at, char sep, int last, int split, struct csv_row *row)
{
    const char *begin = buf + at, *end = buf + len, *mark, *first_lf = NULL;
    /* the quote of the field that we are in; the second one of a pair in there */
    const char *opening = NULL, *second = NULL;
    struct marks marks = {.block = begin, .next = begin, .end = end};
    size_t lines = 0;

    if (at >= len)
        return 0;
    while ((mark = next_mark(&marks, sep, split, opening != NULL))) {
        if (*mark == '\n') {
            if (!opening) {
                if (split)
                    count_to(&marks, mark);
                return end_row(buf, len, at, mark, lines, split ? marks.sep_cnt + 1 : 0, row);
            }
            first_lf = first_lf ? first_lf : mark;
            lines++;
        } else if (!opening) {
            if (mark != begin && mark[-1] != sep)
                return bad_row(buf, len, at, first_lf, last, row, CSV_QUOTE_IN_FIELD, mark);
            opening = mark;
            if (split)
                count_to(&marks, mark);
        } else if (mark != second) {
            const char *after = mark + 1;

            if (after < end && *after == '"') {
                second = after;
                continue;
            }
            opening = NULL;
            if (split) /* those before it were in the quotes */
                marks.seps &= ~(((uint32_t)1 << (mark - marks.block)) - 1);
            if (after == end || *after == sep || *after == '\n')
                continue;
            if (*after == '\r' && (after + 1 < end ? after[1] == '\n' : !last))
                continue;
            return bad_row(buf, len, at, first_lf, last, row, CSV_TEXT_AFTER_QUOTE, after);
        }
    }
    if (!last)
        return 0;
    if (opening)
        return bad_row(buf, len, at, first_lf, last, row, CSV_OPEN_QUOTE, opening);
    if (split)
        count_to(&marks, NULL);
    return end_row(buf, len, at, NULL, lines, split ? marks.sep_cnt + 1 : 0, row);
}

int csv_row(const char *buf, size_t len, size_t at, char sep, int last, struct csv_row *row)
{
    return frame(buf, len, at, sep, last, 0, row);
}

int csv_row_split(const char *buf, size_t len, size_t at, char sep, int last, struct csv_row *row)
{
    return frame(buf, len, at, sep, last, SPLIT, row);
}

/* ---- fields ---- */

int csv_field(const char *row, size_t row_len, int sep, size_t *at, const char **field,
              size_t *field_len, int *quoted)
{
    const char *end = row + row_len, *from, *stop;

    if (*at > row_len)
        return 0;
    if (*at == 0)
        *at = csv_row_bom(row, row_len, sep);
    from = row + *at;
    *quoted = (sep & ~0xff) != CSV_UNQUOTED && from < end && *from == '"';
    if (*quoted) {
        const char *after = skip_quoted(from, end);

        *field = from + 1;
        *field_len = (size_t)((after ? after - 1 : end) - *field);
        stop = after ? find(after, end, (char)sep) : NULL;
    } else {
        stop = find(from, end, (char)sep);
        *field = from;
        *field_len = (size_t)((stop ? stop : end) - from);
    }
    *at = stop ? (size_t)(stop - row) + 1 : row_len + 1;
    return 1;
}

size_t csv_count(const char *row, size_t row_len, int sep)
{
    const char *field;
    size_t at = 0, field_len, cnt = 0;
    int quoted;

    while (csv_field(row, row_len, sep, &at, &field, &field_len, &quoted))
        cnt++;
    return cnt;
}

#ifdef __SSE2__

/* Minus one in each byte that is sep and counts. */
static inline __m128i separators_in(const char *block, __m128i sep, const signed char *counts)
{
    __m128i found = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)block), sep);

    return _mm_and_si128(found, _mm_loadu_si128((const __m128i *)(const void *)counts));
}

size_t csv_separators(const char *row, size_t row_len, char sep)
{
#define COUNTS -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
    /* From byte 64 - n on: the first n bytes of 64 count. */
    static const signed char bytes[128] = {COUNTS, COUNTS, COUNTS, COUNTS};
#undef COUNTS
    const __m128i wanted = _mm_set1_epi8(sep), zero = _mm_setzero_si128();
    size_t cnt = 0;

    for (;; row += 64, row_len -= 64) {
        const signed char *counts = bytes + (row_len < 64 ? 64 - row_len : 0);
        __m128i sums = _mm_sub_epi8(zero, separators_in(row, wanted, counts));

        sums = _mm_sub_epi8(sums, separators_in(row + 16, wanted, counts + 16));
        sums = _mm_sub_epi8(sums, separators_in(row + 32, wanted, counts + 32));
        sums = _mm_sub_epi8(sums, separators_in(row + 48, wanted, counts + 48));
        sums = _mm_sad_epu8(sums, zero);
        sums = _mm_add_epi64(sums, _mm_srli_si128(sums, 8));
        cnt += (size_t)(uint32_t)_mm_cvtsi128_si32(sums);
        if (row_len <= 64)
            return cnt;
    }
}

#else

size_t csv_separators(const char *row, size_t row_len, char sep)
{
    size_t cnt = 0;

    for (size_t i = 0; i < row_len; i++)
        cnt += row[i] == sep;
    return cnt;
}

#endif

size_t csv_unquote(const char *field, size_t field_len, char *out)
{
    const char *end = field + field_len;
    char *to = out;

    while (field < end) {
        const char *quote = find(field, end, '"');
        size_t n = (size_t)((quote ? quote + 1 : end) - field);

        memcpy(to, field, n);
        to += n;
        field += n;
        if (quote && field < end && *field == '"')
            field++;
    }
    return (size_t)(to - out);
}

const char *csv_fault_text(enum csv_fault fault)
{
    switch (fault) {
    case CSV_QUOTE_IN_FIELD:
        return "a quote inside a field that does not begin with one (write the field in quotes, "
               "and each quote in it twice)";
    case CSV_TEXT_AFTER_QUOTE:
        return "text after the closing quote (a quote inside a quoted field is written twice)";
    case CSV_OPEN_QUOTE:
        return "the quote never closes";
    case CSV_OK:
        break;
    }
    return "well-formed";
}
