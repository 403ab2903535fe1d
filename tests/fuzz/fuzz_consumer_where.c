/* fuzz_consumer_where.c - expressions of any bytes, on records of any bytes: what is refused says
 * where; what passes does so again, and its opposite does not; numbers are in one order. */
#include "consumer/where/decimal.h"
#include "consumer/where/where.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

static void check_fault(const char *text, const struct where_fault *fault)
{
    char lines[256];
    MUST(fault->at <= strlen(text) && *fault->reason &&
         memchr(fault->reason, '\0', sizeof fault->reason));
    MUST(strlen(where_point(lines, text, fault)) < sizeof lines);
}

/* Returns 1 passes, 0 does not, -1 there is no such column. */
static int ask(const char *text, const struct columns *columns, const struct mr_record *record)
{
    struct where *where;
    struct where_bound *bound;
    struct where_fault fault = {0};
    int passes = -1, error = where_compile(text, &where, &fault);
    MUST(error == 0 || error == -EINVAL);
    if (error) {
        check_fault(text, &fault);
        return -1;
    }
    error = where_bind(where, columns, &bound, &fault);
    MUST(error == 0 || (error == -ENOENT && columns->line && where_names(where)));
    if (error) {
        check_fault(text, &fault);
    } else {
        passes = where_match(where, bound, "orders", record);
        MUST((passes == 0 || passes == 1) && where_match(where, bound, "orders", record) == passes);
        where_unbind(bound);
    }
    where_free(where);
    return passes;
}

static void check_opposite(const char *text, const struct columns *columns,
                           const struct mr_record *record)
{
    int passes = ask(text, columns, record);
    if (passes < 0)
        return;
    size_t cap = strlen(text) + 8;
    char *opposite = malloc(cap);
    MUST(opposite);
    snprintf(opposite, cap, "!(%s)", text);
    int other = ask(opposite, columns, record);
    MUST(other == !passes || other < 0); /* < 0: one bracket too deep */
    free(opposite);
}

static void check_numbers(const char *a, size_t a_len, const char *b, size_t b_len)
{
    struct decimal x, y;
    if (!decimal_parse(a, a_len, &x))
        return;
    MUST(decimal_compare(&x, &x) == 0 && x.digits >= a && x.end <= a + a_len && x.digits <= x.end);
    if (!decimal_parse(b, b_len, &y))
        return;
    int sign = decimal_compare(&x, &y), back = decimal_compare(&y, &x);
    MUST((sign > 0) == (back < 0) && (sign == 0) == (back == 0));
}

/* How the rest is used; then lines: the expression, a header line, and the record: key, headers,
 * value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint64_t how = fuzz_take(&in, 4);
    size_t len = in.left;
    char *text = fuzz_string(&in, SIZE_MAX), *line = strchr(text, '\n');
    struct columns columns = {0};
    size_t at = line ? (size_t)(line - text) + 1 : len;
    if (line)
        *line = '\0';
    char *header = text + at, *end = memchr(header, '\n', len - at);
    size_t header_len = end ? (size_t)(end - header) : len - at;
    if (how & 1)
        MUST(columns_set(&columns, header, header_len, (uint32_t)(how >> 16)) == 0);
    at += header_len + (end != NULL);
    size_t left = len - at, key_len = (how >> 1 & 7) < left ? (size_t)(how >> 1 & 7) : left;
    size_t headers_len =
        (how >> 4 & 63) < left - key_len ? (size_t)(how >> 4 & 63) : left - key_len;
    char *copy = malloc(left ? left : 1);
    MUST(copy);
    memcpy(copy, text + at, left);
    struct mr_record record = {.key = how & 1024 ? copy : NULL,
                               .key_len = how & 1024 ? (uint32_t)key_len : 0,
                               .headers = copy + key_len,
                               .headers_len = (uint16_t)headers_len,
                               .value = copy + key_len + headers_len,
                               .value_len = (uint32_t)(left - key_len - headers_len),
                               .partition = (uint32_t)how,
                               .try_number = 1,
                               .ts_ns = how * 7,
                               .offset = how};
    /* A regular expression may take long by its nature: that is its author's affair. */
    if (!strchr(text, '~'))
        check_opposite(text, &columns, &record);
    else if (strlen(text) < 40 && record.value_len < 40)
        check_opposite(text, &columns, &record);
    check_numbers(text, strlen(text), header, header_len);
    columns_free(&columns);
    free(copy);
    free(text);
    return 0;
}
