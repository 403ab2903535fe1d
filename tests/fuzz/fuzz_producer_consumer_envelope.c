/* fuzz_producer_consumer_envelope.c - any record of any topic through consumer -J and back is the
 * same; any bytes as an envelope are read or refused, and what was read can be written and read
 * again. */
#include "consumer/format/columns.h"
#include "consumer/format/format.h"
#include "fuzz.h"
#include "producer/input/envelope.h"
#include "text/json_read.h"

#include <string.h>

static struct format format;

static int same(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static int has_one_meaning(const struct mr_record *record)
{
    struct mr_header header;
    size_t at = 0, seen = 0;
    while (mr_header_next(record->headers, record->headers_len, &at, &header) > 0)
        if (!js_is_utf8(header.name, header.name_len) || memchr(header.name, 0, header.name_len) ||
            seen++)
            return 0; /* names are text; two of one name may be taken for each other */
    return 1;
}

/* Writes the record and reads it again. */
static void there_and_back(struct columns *columns, const struct mr_record *record)
{
    struct envelope_columns known = {0};
    struct arena arena = {0};
    struct envelope got;
    struct envelope_fault fault;
    struct js_writer line;
    js_init(&line, NULL, 0);
    format_record(&format, columns, "orders", record, 0, &line);
    MUST(!line.failed && line.len && line.text[line.len - 1] == '\n');
    MUST(!memchr(line.text, '\n', line.len - 1));
    MUST(envelope_read(line.text, line.len - 1, &known, &arena, &got, &fault) == 0);
    MUST(same(got.value, got.value_len, record->value, record->value_len));
    MUST((got.key != NULL) == (record->key != NULL));
    MUST(!got.key || same(got.key, got.key_len, record->key, record->key_len));
    MUST(!has_one_meaning(record) ||
         same(got.headers, got.headers_len, record->headers, record->headers_len));
    MUST(got.flags == record->flags && got.ts_ns == record->ts_ns &&
         got.partition == record->partition);
    if (columns->line) {
        MUST(known.line && same(known.line, known.len, columns->line, columns->len));
        MUST(known.flags == columns->flags);
    }
    envelope_columns_free(&known);
    arena_free(&arena);
    js_free(&line);
}

static void from_record(struct fuzz_input *in)
{
    static const char seps[] = ",,,,;\t.1a\xa7\xff|";
    uint64_t how = fuzz_take(in, 2);
    size_t header_len = fuzz_take(in, 1), key_len = fuzz_take(in, 1),
           headers_len = fuzz_take(in, 1);
    char sep = seps[how % (sizeof seps - 1)];
    char *header = fuzz_string(in, header_len), *key = fuzz_string(in, key_len);
    char headers[1200];
    struct columns columns = {0};
    struct mr_record record = {.flags = (uint16_t)(how >> 8 & 3) % 3,
                               .ts_ns = how * UINT64_C(0x123456789abcdef),
                               .partition = (uint32_t)how % 7};
    header_len = strlen(header);
    while (header_len && (header[header_len - 1] == '\r' || header[header_len - 1] == '\n'))
        header_len--; /* no reader of files makes such a header */
    if (how & 0x1000)
        MUST(columns_set(&columns, header, header_len,
                         (uint32_t)((how >> 10 & 3) % 3) | (sep == ',' ? 0 : MR_SEPARATOR(sep)) |
                             (how & 0x8000 ? MR_UNQUOTED : 0)) == 0);
    if (how & 0x2000) {
        record.key = key;
        record.key_len = (uint32_t)(how & 0x4000 ? strlen(key) : strnlen(key, 3));
    }
    if (headers_len) {
        char *text = fuzz_string(in, headers_len);
        /* the name and a value, then the other way round */
        size_t cut = strnlen(text, (size_t)(how >> 16 & 15));
        char name[17];
        snprintf(name, sizeof name, "%.*s", cut ? (int)cut : 4, cut ? text : "name");
        ssize_t used =
            mr_header_add(headers, 0, sizeof headers, name, text + cut, strlen(text + cut));
        MUST(used > 0);
        if (cut && text[cut] && strlen(text + cut) <= 255)
            used = mr_header_add(headers, (size_t)used, sizeof headers, text + cut, name,
                                 strlen(name));
        MUST(used > 0);
        record.headers = headers;
        record.headers_len = (uint16_t)used;
        free(text);
    }
    record.value = in->at;
    record.value_len = (uint32_t)in->left;
    there_and_back(&columns, &record);
    columns_free(&columns);
    free(header);
    free(key);
}

/* Bytes that claim to be envelopes, line by line; the columns are those of the first. */
static void from_text(struct fuzz_input *in)
{
    struct envelope_columns known = {0};
    struct arena arena = {0};
    while (in->left) {
        const uint8_t *end = memchr(in->at, '\n', in->left);
        size_t len = end ? (size_t)(end - in->at) : in->left;
        char *line = malloc(len ? len : 1); /* ends where the line ends */
        struct envelope got;
        struct envelope_fault fault;
        MUST(line);
        memcpy(line, in->at, len);
        int result = envelope_read(line, len, &known, &arena, &got, &fault);
        MUST(result == 0 || result == 1);
        if (result) {
            MUST(fault.byte >= 1 && fault.byte <= len + 1 && fault.reason[0] &&
                 strlen(fault.reason) < sizeof fault.reason);
        } else if (got.value_len < UINT32_MAX && got.partition < UINT32_MAX) {
            struct columns columns = {0};
            struct mr_record record = {.value = got.value,
                                       .value_len = (uint32_t)got.value_len,
                                       .key = got.key,
                                       .key_len = (uint32_t)got.key_len,
                                       .headers = got.headers,
                                       .headers_len = (uint16_t)got.headers_len,
                                       .flags = got.flags,
                                       .ts_ns = got.ts_ns,
                                       .partition = (uint32_t)got.partition};
            MUST(got.value_len <= 2 * len && got.key_len <= len && got.headers_len <= len);
            if (known.line && (!known.len || (known.line[known.len - 1] != '\r' &&
                                              known.line[known.len - 1] != '\n')))
                MUST(columns_set(&columns, known.line, known.len, known.flags) == 0);
            there_and_back(&columns, &record);
            columns_free(&columns);
        }
        free(line);
        in->at += len + (end != NULL);
        in->left -= len + (end != NULL);
    }
    envelope_columns_free(&known);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    char wrong[160];
    MUST(format_init(&format, NULL, wrong) == 0);
    format.kind = FORMAT_ENVELOPE;
    if (fuzz_take(&in, 1) & 1)
        from_text(&in);
    else
        from_record(&in);
    format_free(&format);
    return 0;
}
