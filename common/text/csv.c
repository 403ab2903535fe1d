/* csv.c - the row framing goes from one line feed or quote to the next: the bytes between are
 * looked at 64 at a time. */
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

#define BLOCK 64

/* Line feeds and quotes are taken one after the other; separators are counted on the way. */
struct marks {
    const char *block, *next, *end; /* next: where the block behind begins */
    uint64_t found;                 /* a bit for each mark of the block that was not given yet */
    uint64_t seps;                  /* a bit for each separator that was not counted yet */
    size_t sep_cnt;
};

/* Of a block: a bit for each byte that is a mark, or a separator. */
struct bits {
    uint64_t marks, seps;
};

#ifdef __SSE2__

static inline uint64_t equal_in(const __m128i part[4], __m128i byte)
{
    uint32_t low = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(part[0], byte)) |
                   (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(part[1], byte)) << 16;
    uint32_t high = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(part[2], byte)) |
                    (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(part[3], byte)) << 16;

    return low | (uint64_t)high << 32;
}

static inline struct bits look_at(const char *block, char sep)
{
    const __m128i *from = (const __m128i *)(const void *)block;
    const __m128i part[4] = {_mm_loadu_si128(from), _mm_loadu_si128(from + 1),
                             _mm_loadu_si128(from + 2), _mm_loadu_si128(from + 3)};

    return (struct bits){
        .marks = equal_in(part, _mm_set1_epi8('\n')) | equal_in(part, _mm_set1_epi8('"')),
        .seps = equal_in(part, _mm_set1_epi8(sep)),
    };
}

#else

static inline struct bits look_at(const char *block, char sep)
{
    struct bits bits = {0};

    for (int i = 0; i < BLOCK; i++) {
        bits.marks |= (uint64_t)(block[i] == '\n' || block[i] == '"') << i;
        bits.seps |= (uint64_t)(block[i] == sep) << i;
    }
    return bits;
}

#endif

/* The same for the last bytes of the buffer, fewer than a block. Not inline: it would cost every
 * block its zeros. */
__attribute__((noinline)) static struct bits look_at_rest(const char *rest, size_t len, char sep)
{
    char block[BLOCK] = {0};
    uint64_t bytes = ((uint64_t)1 << len) - 1;
    struct bits bits;

    memcpy(block, rest, len);
    bits = look_at(block, sep);
    return (struct bits){.marks = bits.marks & bytes, .seps = bits.seps & bytes};
}

/* The builtin is a call where the processor's own instruction cannot be taken for granted. */
static inline uint32_t bits_in(uint64_t word)
{
    word -= word >> 1 & 0x5555555555555555;
    word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
    return (uint32_t)(((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101 >> 56);
}

/* Passes over the separators of the block that stand before the mark (NULL: all); quoted: they are
 * not counted. */
static inline void count_to(struct marks *marks, const char *mark, int quoted)
{
    uint64_t before = mark ? ((uint64_t)1 << (mark - marks->block)) - 1 : UINT64_MAX;

    if (!quoted)
        marks->sep_cnt += bits_in(marks->seps & before);
    marks->seps &= ~before;
}

/* NULL: there is none before the end. quoted: what lies before it is in quotes. */
static inline const char *next_mark(struct marks *marks, char sep, int quoted)
{
    const char *mark;
    struct bits bits;

    while (!marks->found) {
        size_t left = (size_t)(marks->end - marks->next);

        if (left == 0)
            return NULL;
        count_to(marks, NULL, quoted);
        marks->block = marks->next;
        marks->next += left < BLOCK ? left : BLOCK;
        bits = left < BLOCK ? look_at_rest(marks->block, left, sep) : look_at(marks->block, sep);
        marks->found = bits.marks;
        marks->seps = bits.seps;
    }
    mark = marks->block + __builtin_ctzll(marks->found);
    marks->found &= marks->found - 1;
    return mark;
}

/* Fills in the row that begins at window->at and whose line end is the LF at lf, or the end of
 * input when lf is NULL. */
static inline size_t end_row(const struct csv_window *window, const char *lf, size_t lines,
                             size_t fields, struct csv_row *row)
{
    size_t start = window->at, end = lf ? (size_t)(lf - window->buf) : window->len;
    int crlf = lf && end > start && window->buf[end - 1] == '\r';

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
static size_t bad_row(const struct csv_window *window, const char *first_lf, struct csv_row *row,
                      enum csv_fault fault, const char *where)
{
    if (!first_lf)
        first_lf = find(where, window->buf + window->len, '\n');
    if (!first_lf && !window->last)
        return 0;
    end_row(window, first_lf, 0, 0, row);
    row->fault = (uint16_t)fault;
    row->fault_at = (size_t)(where - window->buf);
    return 1;
}

size_t csv_rows(struct csv_window window, struct csv_row *rows, size_t max)
{
    const char *begin = window.buf + window.at, *end = window.buf + window.len, *mark;
    const char *first_lf = NULL;
    const char sep = window.sep;
    const int last = window.last;
    /* the quote of the field that we are in; the second one of a pair in there */
    const char *opening = NULL, *second = NULL;
    struct marks marks = {.block = begin, .next = begin, .end = end};
    size_t lines = 0, cnt = 0;

    while (cnt < max && (mark = next_mark(&marks, sep, opening != NULL))) {
        if (*mark == '\n') {
            if (!opening) {
                count_to(&marks, mark, 0);
                end_row(&window, mark, lines, marks.sep_cnt + 1, &rows[cnt++]);
                begin = mark + 1;
                window.at = (size_t)(begin - window.buf);
                first_lf = NULL;
                lines = marks.sep_cnt = 0;
                continue;
            }
            first_lf = first_lf ? first_lf : mark;
            lines++;
        } else if (!opening) {
            if (mark != begin && mark[-1] != sep)
                return cnt + bad_row(&window, first_lf, &rows[cnt], CSV_QUOTE_IN_FIELD, mark);
            opening = mark;
            count_to(&marks, mark, 0);
        } else if (mark != second) {
            const char *after = mark + 1;

            if (after < end && *after == '"') {
                second = after;
                continue;
            }
            opening = NULL;
            count_to(&marks, mark, 1);
            if (after == end || *after == sep || *after == '\n')
                continue;
            if (*after == '\r' && (after + 1 < end ? after[1] == '\n' : !last))
                continue;
            return cnt + bad_row(&window, first_lf, &rows[cnt], CSV_TEXT_AFTER_QUOTE, after);
        }
    }
    if (cnt == max || window.at >= window.len || !last)
        return cnt;
    if (opening)
        return cnt + bad_row(&window, first_lf, &rows[cnt], CSV_OPEN_QUOTE, opening);
    count_to(&marks, NULL, 0);
    return cnt + end_row(&window, NULL, lines, marks.sep_cnt + 1, &rows[cnt]);
}

int csv_row(const char *buf, size_t len, size_t at, char sep, int last, struct csv_row *row)
{
    return (int)csv_rows(
        (struct csv_window){.buf = buf, .len = len, .at = at, .sep = sep, .last = last}, row, 1);
}

/* ---- fields ---- */

int csv_field(const char *row, size_t row_len, int sep, size_t *at, struct csv_field *field)
{
    const char *end = row + row_len, *from, *stop;

    if (*at > row_len)
        return 0;
    if (*at == 0)
        *at = csv_row_bom(row, row_len, sep);
    from = row + *at;
    field->quoted = (sep & ~0xff) != CSV_UNQUOTED && from < end && *from == '"';
    if (field->quoted) {
        const char *after = skip_quoted(from, end);

        field->text = from + 1;
        field->len = (size_t)((after ? after - 1 : end) - field->text);
        stop = after ? find(after, end, (char)sep) : NULL;
    } else {
        stop = find(from, end, (char)sep);
        field->text = from;
        field->len = (size_t)((stop ? stop : end) - from);
    }
    *at = stop ? (size_t)(stop - row) + 1 : row_len + 1;
    return 1;
}

size_t csv_count(const char *row, size_t row_len, int sep)
{
    struct csv_field field;
    size_t at = 0, cnt = 0;

    while (csv_field(row, row_len, sep, &at, &field))
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
