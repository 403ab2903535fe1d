#include "format.h"
#include "object.h"
#include "row.h"
#include "text/csv.h"
#include "text/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the user wrote ---- */

static int unescape_letter(char letter)
{
    switch (letter) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '0':
        return '\0';
    case '\\':
        return '\\';
    default:
        return -1;
    }
}

ssize_t format_unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        int byte = (unsigned char)*from;
        if (*from == '\\') {
            byte = unescape_letter(*++from);
            if (byte < 0)
                return -EINVAL;
        }
        *to++ = (char)byte;
    }
    return to - text;
}

/* Cuts a text format into pieces. The texts of the pieces go to format->store, which is as long as
 * spec. */
static int parse_text(struct format *format, const char *spec, char wrong[static 160])
{
    size_t cap = strlen(spec) + 1;
    format->store = malloc(cap);
    format->piece = calloc(cap, sizeof *format->piece);
    if (!format->store || !format->piece)
        return -ENOMEM;

    char *to = format->store;
    struct format_piece *text = NULL; /* the text piece that is being written, if any */
    for (const char *at = spec; *at; at++) {
        int byte = (unsigned char)*at;
        if (*at == '\\') {
            byte = unescape_letter(*++at);
            if (byte < 0) {
                snprintf(wrong, 160, "unknown escape \"\\%.1s\"; use \\n, \\r, \\t, \\0 or \\\\",
                         at);
                return -EINVAL;
            }
        } else if (*at == '%' && *++at != '%') {
            struct format_piece *piece = &format->piece[format->piece_cnt++];
            text = NULL;
            *piece = (struct format_piece){.what = *at, .text = to};
            if (*at == '{') {
                const char *end = strchr(at, '}');
                if (!end || end == at + 1) {
                    snprintf(wrong, 160, "\"%%{\" needs the name of a column and \"}\"");
                    return -EINVAL;
                }
                piece->len = (size_t)(end - at - 1);
                memcpy(to, at + 1, piece->len);
                to[piece->len] = '\0';
                to += piece->len + 1;
                at = end;
            } else if (*at == '\0' || !strchr("skoptThna", *at)) {
                snprintf(wrong, 160,
                         "unknown \"%%%.1s\"; use %%s %%k %%o %%p %%t %%T %%h %%n %%a %%{COLUMN} "
                         "or %%%%",
                         at);
                return -EINVAL;
            }
            continue;
        }
        if (!text) {
            text = &format->piece[format->piece_cnt++];
            text->text = to;
        }
        *to++ = (char)byte;
        text->len++;
    }
    return 0;
}

int format_init(struct format *format, const char *spec, char wrong[static 160])
{
    static const char *const names[] = {"raw", "csv", "tsv", "json", NULL};
    *format = (struct format){
        .kind = FORMAT_RAW, .delimiter = "\n", .delimiter_len = 1, .line_end = "\n"};
    js_init(&format->scratch, NULL, 0);
    js_init(&format->row, NULL, 0);
    js_init(&format->tsv, NULL, 0);
    if (!spec || strcmp(spec, "raw") == 0)
        return 0;
    if (strcmp(spec, "csv") == 0) {
        format->kind = FORMAT_CSV;
    } else if (strcmp(spec, "tsv") == 0) {
        format->kind = FORMAT_TSV;
    } else if (strcmp(spec, "json") == 0) {
        format->kind = FORMAT_JSON;
    } else if (strchr(spec, '%')) {
        format->kind = FORMAT_TEXT;
        int error = parse_text(format, spec, wrong);
        if (error < 0)
            format_free(format);
        return error;
    } else {
        const char *near = text_suggest(spec, names);
        snprintf(wrong, 160, "unknown format%s%s%s; use raw, csv, tsv, json or a text with %%",
                 near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
        return -EINVAL;
    }
    return 0;
}

void format_free(struct format *format)
{
    js_free(&format->scratch);
    js_free(&format->row);
    js_free(&format->tsv);
    select_free(&format->select);
    free(format->piece);
    free(format->store);
    format->piece = NULL;
    format->store = NULL;
    format->piece_cnt = 0;
}

int format_needs_columns(const struct format *format)
{
    return format->kind != FORMAT_RAW || format->select.cnt > 0;
}

int format_bind(const struct format *format, struct columns *columns, const char **missing)
{
    int error = format->select.cnt > 0 ? select_bind(&format->select, columns, missing) : 0;
    if (error || format->kind != FORMAT_TEXT)
        return error;
    ssize_t *bound = calloc(format->piece_cnt, sizeof *bound);
    if (!bound)
        return -ENOMEM;
    for (size_t i = 0; i < format->piece_cnt; i++) {
        const struct format_piece *piece = &format->piece[i];
        if (piece->what != '{')
            continue;
        bound[i] = columns_find(columns, piece->text, piece->len);
        if (bound[i] < 0) {
            *missing = piece->text;
            free(bound);
            return -ENOENT;
        }
    }
    free(columns->bound);
    columns->bound = bound;
    return 0;
}

/* ---- json ---- */

static int needs_quotes(const struct csv_field *field)
{
    for (size_t i = 0; i < field->len; i++)
        if (field->text[i] == '"' || field->text[i] == ',' || field->text[i] == '\n' ||
            field->text[i] == '\r')
            return 1;
    return 0;
}

/* 1 if quoting the fields where RFC 4180 demands it, and joining them with commas, gives this
 * row. */
static int is_canonical(const struct mr_record *record)
{
    struct csv_field field;
    const char *end = (const char *)record->value + record->value_len;
    size_t at = 0, len = record->value_len;
    if (csv_bom(record->value, len))
        return 0;
    if (len == 0 || (!memchr(record->value, '"', len) && !memchr(record->value, '\n', len) &&
                     !memchr(record->value, '\r', len)))
        return 1;
    while (csv_field(record->value, record->value_len, ',', &at, &field)) {
        if (needs_quotes(&field) != field.quoted)
            return 0;
        /* the closing quote may be missing, or have text behind it */
        const char *after = field.text + field.len;
        if (field.quoted &&
            (after == end || *after != '"' || (after + 1 != end && after[1] != ',')))
            return 0;
        for (size_t i = 0; i < field.len; i++)
            if (field.text[i] == '"' && (++i == field.len || field.text[i] != '"'))
                return 0;
    }
    return 1;
}

static void put_headers(const struct mr_record *record, struct js_writer *out)
{
    struct mr_header header;
    size_t at = 0;
    int exact = 1;
    js_key(out, "headers");
    js_begin(out, '{');
    while (mr_header_next(record->headers, record->headers_len, &at, &header) > 0) {
        js_key_bytes(out, header.name, header.name_len);
        js_string(out, header.value, header.value_len);
        exact &=
            js_is_utf8(header.name, header.name_len) && js_is_utf8(header.value, header.value_len);
    }
    js_end(out, '}');
    if (exact)
        return;
    /* All of them, in pairs: names may be there twice, or become the same in UTF-8. */
    js_key(out, "headers_base64");
    js_begin(out, '[');
    at = 0;
    while (mr_header_next(record->headers, record->headers_len, &at, &header) > 0) {
        js_begin(out, '[');
        js_base64(out, header.name, header.name_len);
        js_base64(out, header.value, header.value_len);
        js_end(out, ']');
    }
    js_end(out, ']');
}

/* The row with its line end, as a JSON string. */
static void put_raw(const struct mr_record *record, struct js_writer *out)
{
    static const char *const ends[] = {[MR_EOL_LF] = "\\n\"",
                                       [MR_EOL_CRLF] = "\\r\\n\"",
                                       [MR_EOL_NONE] = "\"",
                                       [MR_EOL_MASK] = "\""};
    const char *end = ends[record->flags & MR_EOL_MASK];
    js_key(out, "raw");
    js_add(out, "\"", 1);
    js_escape(out, record->value, record->value_len);
    js_add(out, end, strlen(end));
    out->comma = 1;
}

/* The header line with its line end, as a JSON string, and what separates its fields: a byte, as
 * the character of that number. */
static void put_columns(const struct columns *columns, struct js_writer *out)
{
    static const char *const ends[] = {[MR_EOL_LF] = "\\n\"",
                                       [MR_EOL_CRLF] = "\\r\\n\"",
                                       [MR_EOL_NONE] = "\"",
                                       [MR_EOL_MASK] = "\""};
    static const char *const line_ends[] = {
        [MR_EOL_LF] = "\n", [MR_EOL_CRLF] = "\r\n", [MR_EOL_NONE] = "", [MR_EOL_MASK] = ""};
    unsigned eol = columns->flags & MR_EOL_MASK,
             sep = (unsigned char)MR_SEPARATOR_OF(columns->flags);
    js_key(out, "columns");
    js_add(out, "\"", 1);
    js_escape(out, columns->line, columns->len);
    js_add(out, ends[eol], strlen(ends[eol]));
    out->comma = 1;
    if (!js_is_utf8(columns->line, columns->len)) {
        struct js_writer whole;
        js_init(&whole, NULL, 0);
        js_add(&whole, columns->line, columns->len);
        js_add(&whole, line_ends[eol], strlen(line_ends[eol]));
        js_key(out, "columns_base64");
        js_base64(out, whole.text, whole.len);
        out->failed |= whole.failed;
        js_free(&whole);
    }
    if (sep != ',') {
        char text[2] = {(char)(sep < 0x80 ? sep : 0xc0 | sep >> 6), (char)(0x80 | (sep & 63))};
        js_key(out, "sep");
        js_string(out, text, sep < 0x80 ? 1 : 2);
    }
    if (columns->flags & MR_UNQUOTED) {
        js_key(out, "quotes");
        js_bool(out, 0);
    }
}

static void put_envelope(struct format *format, const struct columns *columns, const char *topic,
                         const struct mr_record *record, struct js_writer *out)
{
    const char *value = record->value;
    size_t len = record->value_len, fields = 0;
    js_begin(out, '{');
    js_key(out, "topic");
    js_text(out, topic);
    js_key(out, "partition");
    js_uint(out, record->partition);
    js_key(out, "offset");
    js_uint(out, record->offset);
    js_key(out, "ts");
    js_uint(out, record->ts_ns);
    js_key(out, "key");
    if (record->key) {
        js_string(out, record->key, record->key_len);
        if (!js_is_utf8(record->key, record->key_len)) {
            js_key(out, "key_base64");
            js_base64(out, record->key, record->key_len);
        }
    } else {
        js_null(out);
    }
    put_headers(record, out);
    js_key(out, "try");
    js_uint(out, record->try_number);
    js_key(out, "value");
    if (columns->line)
        fields = object_put(format, columns, record, out);
    else
        js_string(out, value, len);

    int raw = (record->flags & MR_EOL_MASK) != MR_EOL_LF ||
              (columns->line && (MR_SEPARATOR_OF(columns->flags) != ',' || !is_canonical(record)));
    /* "raw" cannot tell the row from its line end if the row itself ends in one. */
    int ambiguous =
        raw && columns->line && len > 0 && (value[len - 1] == '\n' || value[len - 1] == '\r');
    if (ambiguous || !js_is_utf8(value, len)) {
        js_key(out, "value_base64");
        js_base64(out, value, len);
    }
    if (raw)
        put_raw(record, out);
    if (columns->line && (!columns->plain || fields < columns->cnt))
        put_columns(columns, out);
    js_end(out, '}');
    js_line(out);
}

/* ---- text ---- */

static void put_uint(struct js_writer *out, uint64_t number)
{
    js_uint(out, number);
    out->comma = 0;
}

static void put_column(struct format *format, const struct columns *columns, ssize_t idx,
                       const struct mr_record *record, struct js_writer *out)
{
    struct csv_field field;
    size_t at = 0;
    int sep = csv_sep(columns->flags);
    for (ssize_t i = 0; csv_field(record->value, record->value_len, sep, &at, &field); i++) {
        if (i < idx)
            continue;
        row_unquote(&format->scratch, &field);
        js_add(out, field.text, field.len);
        break;
    }
    if (format->scratch.failed)
        out->failed = 1;
}

/* name=value, joined by commas: as kcat prints them. */
static void put_header_list(const struct mr_record *record, struct js_writer *out)
{
    const char *comma = "";
    struct mr_header header;
    size_t at = 0;
    while (mr_header_next(record->headers, record->headers_len, &at, &header) > 0) {
        js_add(out, comma, strlen(comma));
        js_add(out, header.name, header.name_len);
        js_add(out, "=", 1);
        js_add(out, header.value, header.value_len);
        comma = ",";
    }
}

/* What the conversions of a text are about. */
struct subject {
    const char *topic;
    const struct mr_record *record;
    const struct mr_record *shown; /* with the selected columns as its value */
    uint64_t now_ns;
};

static void put_text(struct format *format, const struct columns *columns,
                     const struct subject *subject, struct js_writer *out)
{
    const struct mr_record *record = subject->record, *shown = subject->shown;
    char text[32];
    uint64_t age_ns = subject->now_ns > record->ts_ns ? subject->now_ns - record->ts_ns : 0;
    for (size_t i = 0; i < format->piece_cnt; i++) {
        const struct format_piece *piece = &format->piece[i];
        switch (piece->what) {
        case 0:
            js_add(out, piece->text, piece->len);
            break;
        case 's':
            js_add(out, shown->value, shown->value_len);
            break;
        case 'k':
            js_add(out, record->key, record->key ? record->key_len : 0);
            break;
        case 'o':
            put_uint(out, record->offset);
            break;
        case 'p':
            put_uint(out, record->partition);
            break;
        case 't':
            js_add(out, subject->topic, strlen(subject->topic));
            break;
        case 'T':
            put_uint(out, record->ts_ns / 1000000);
            break;
        case 'h':
            put_header_list(record, out);
            break;
        case 'n':
            put_uint(out, record->try_number);
            break;
        case 'a':
            snprintf(text, sizeof text, "%" PRIu64 ".%06u", age_ns / 1000000000,
                     (unsigned)(age_ns % 1000000000 / 1000));
            js_add(out, text, strlen(text));
            break;
        default:
            put_column(format, columns, columns->bound[i], record, out);
            break;
        }
    }
}

/* ---- */

void format_record(struct format *format, struct columns *columns, const char *topic,
                   const struct mr_record *record, uint64_t now_ns, struct js_writer *out)
{
    const struct mr_record *shown = record;
    struct mr_record selected;
    char *to;
    if (format->select.cnt > 0 && format->kind != FORMAT_JSON) {
        selected = *record;
        row_select(format, columns, &selected);
        shown = &selected;
    }
    switch (format->kind) {
    case FORMAT_RAW:
        to = js_room(out, shown->value_len + format->delimiter_len);
        if (!to)
            break;
        if (shown->value_len > 0)
            memcpy(to, shown->value, shown->value_len);
        memcpy(to + shown->value_len, format->delimiter, format->delimiter_len);
        out->len += shown->value_len + format->delimiter_len;
        break;
    case FORMAT_CSV:
        row_put(format, shown->value, shown->value_len, shown->flags, out);
        break;
    case FORMAT_TSV:
        row_put_tsv(format, columns, shown, out);
        break;
    case FORMAT_JSON:
        if (format->select.cnt > 0) {
            object_put_selected(format, columns, record, out);
        } else if (columns->line) {
            object_put(format, columns, record, out);
        } else {
            js_begin(out, '{');
            js_key(out, "value");
            js_string(out, record->value, record->value_len);
            js_end(out, '}');
        }
        js_line(out);
        break;
    case FORMAT_ENVELOPE:
        put_envelope(format, columns, topic, record, out);
        break;
    case FORMAT_TEXT:
        put_text(format, columns, &(struct subject){topic, record, shown, now_ns}, out);
        break;
    }
    if (format->row.failed)
        out->failed = 1;
}
