/* envelope.c - the members are found first, then each part of the record is made of those that speak of it. */
#include "envelope.h"
#include "csv.h"
#include "json.h"
#include "json_read.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum member {
    VALUE,
    VALUE_BASE64,
    RAW,
    KEY,
    KEY_BASE64,
    HEADERS,
    HEADERS_BASE64,
    TS,
    PARTITION,
    COLUMNS,
    COLUMNS_BASE64,
    SEP,
    MEMBER_CNT,
};

static const char *const member_names[MEMBER_CNT] = {
    [VALUE] = "value",
    [VALUE_BASE64] = "value_base64",
    [RAW] = "raw",
    [KEY] = "key",
    [KEY_BASE64] = "key_base64",
    [HEADERS] = "headers",
    [HEADERS_BASE64] = "headers_base64",
    [TS] = "ts",
    [PARTITION] = "partition",
    [COLUMNS] = "columns",
    [COLUMNS_BASE64] = "columns_base64",
    [SEP] = "sep",
};

/* Bytes that a string of JSON stands for, or that lie in the line as they are. */
struct bytes {
    const char *text; /* NULL: there are none */
    size_t len;
};

struct reading {
    const char *line;
    struct mr_json_value member[MEMBER_CNT]; /* text NULL: not there, or null */
    struct arena *arena;
    struct envelope_columns *columns; /* those known so far */
    struct envelope_columns found;    /* what this one says, if none were known */
    struct envelope *out;
    struct envelope_fault *fault;
};

__attribute__((format(printf, 3, 4))) static void note(const struct reading *r, const char *at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->fault->reason, sizeof(r->fault->reason), format, args);
    va_end(args);
    r->fault->byte = (size_t)(at - r->line) + 1;
}
#define REFUSE(...) (note(__VA_ARGS__), 1) /* 1 in plain sight, for whoever analyses the callers */

static int has(const struct reading *r, enum member what)
{
    return r->member[what].text != NULL;
}

static int want(struct reading *r, enum member what, enum mr_json_kind kind, const char *kind_name)
{
    if (!has(r, what) || r->member[what].kind == kind)
        return 0;
    return REFUSE(r, r->member[what].text, "\"%s\" is not %s", member_names[what], kind_name);
}

static int find_members(struct reading *r, const struct mr_json_value *object)
{
    struct mr_json_value name, value;
    size_t at = 0;

    while (mr_json_next(object, &at, &name, &value)) {
        for (int i = 0; i < MEMBER_CNT; i++) {
            if (!mr_json_is(&name, member_names[i]))
                    continue;
            if (has(r, (enum member)i))
                return REFUSE(r, name.text, "\"%s\" is there twice", member_names[i]);
            if (value.kind != MR_JSON_NULL)
                r->member[i] = value;
            break;
        }
    }
    return 0;
}

/* ---- strings --------------------------------------------------------------------------------------------------------- */

static int decode(struct reading *r, const struct mr_json_value *string, struct bytes *out)
{
    char *to = arena_take(r->arena, string->len + 1);

    if (!to)
        return -ENOMEM;
    *out = (struct bytes){to, mr_json_unescape(string, to)};
    return 0;
}

static int decode_base64(struct reading *r, const struct mr_json_value *string, struct bytes *out)
{
    char *to = arena_take(r->arena, string->len + 1);
    size_t len;

    if (!to)
        return -ENOMEM;
    len = mr_json_unescape(string, to);
    if (mr_json_unbase64(to, len, &len))
        return REFUSE(r, string->text, "not base64");
    *out = (struct bytes){to, len};
    return 0;
}

/* Whether the string that bytes become in JSON, U+FFFD for what is not UTF-8, is plain. Returns 0, 1 or -ENOMEM. */
static int says(struct bytes bytes, struct bytes plain)
{
    struct mr_json json;
    struct mr_json_value string = {.kind = MR_JSON_STRING};
    char *text;
    int same;

    if (mr_json_is_utf8(bytes.text, bytes.len))
        return bytes.len == plain.len && memcmp(bytes.text, plain.text, plain.len) == 0;
    mr_json_init(&json, NULL, 0);
    mr_json_escape(&json, bytes.text, bytes.len);
    string.text = json.text;
    string.len = json.len;
    text = json.failed ? NULL : malloc(json.len);
    same = text ? mr_json_unescape(&string, text) == plain.len && memcmp(text, plain.text, plain.len) == 0 : -ENOMEM;
    free(text);
    mr_json_free(&json);
    return same;
}

/* The bytes of a string that may have its exact form in another member. */
static int decode_exact(struct reading *r, const struct mr_json_value *plain, const struct mr_json_value *base64, struct bytes *out)
{
    struct bytes exact = {0};
    int status = decode(r, plain, out), same;

    if (status || !base64->text)
        return status;
    if ((status = decode_base64(r, base64, &exact)))
        return status;
    same = says(exact, *out);
    if (same > 0)
        *out = exact;
    return same < 0 ? same : 0;
}

/* ---- key, headers, time ---------------------------------------------------------------------------------------------- */

static int read_key(struct reading *r)
{
    struct bytes key;
    int status = want(r, KEY, MR_JSON_STRING, "a string or null");

    if (!status)
        status = want(r, KEY_BASE64, MR_JSON_STRING, "a string");
    if (status || !has(r, KEY))
        return status;
    status = decode_exact(r, &r->member[KEY], &r->member[KEY_BASE64], &key);
    if (status)
        return status;
    r->out->key = key.text;
    r->out->key_len = key.len;
    return 0;
}

/* The exact forms come in the order of the headers, but only for those that need one. */
struct exact_headers {
    const struct mr_json_value *object;
    size_t at;
    struct mr_json_value name, value; /* the next one; name.text NULL: no more */
};

static void next_exact(struct exact_headers *exact)
{
    if (!exact->object->text || !mr_json_next(exact->object, &exact->at, &exact->name, &exact->value))
        exact->name.text = NULL;
}

static int same_text(const struct mr_json_value *a, const struct mr_json_value *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static int read_header_value(struct reading *r, const struct mr_json_value *name, const struct mr_json_value *value,
                             struct exact_headers *exact, struct bytes *out)
{
    static const struct mr_json_value none = {0};
    struct bytes plain;
    int status, mine = exact->name.text && same_text(&exact->name, name);

    if (value->kind != MR_JSON_STRING)
        return REFUSE(r, value->text, "a header's value is not a string");
    if (mine && exact->value.kind != MR_JSON_STRING)
        return REFUSE(r, exact->value.text, "not base64");
    status = decode_exact(r, value, mine ? &exact->value : &none, out);
    if (status || !mine)
        return status;
    if ((status = decode(r, value, &plain)))
        return status;
    if (out->len != plain.len || memcmp(out->text, plain.text, plain.len) != 0)
        next_exact(exact);
    return 0;
}

static int read_headers(struct reading *r)
{
    struct mr_json_value name, value, *object = &r->member[HEADERS];
    struct exact_headers exact = {.object = &r->member[HEADERS_BASE64]};
    struct bytes name_text, text;
    size_t at = 0, cap = object->len + r->member[HEADERS_BASE64].len; /* a header takes no more than its JSON */
    char *block;
    int status = want(r, HEADERS, MR_JSON_OBJECT, "an object");

    if (!status)
        status = want(r, HEADERS_BASE64, MR_JSON_OBJECT, "an object");
    if (status || !has(r, HEADERS))
        return status;
    if (!(block = arena_take(r->arena, cap)))
        return -ENOMEM;
    r->out->headers = block;
    next_exact(&exact);
    while (!status && mr_json_next(object, &at, &name, &value)) {
        ssize_t used;

        if ((status = decode(r, &name, &name_text)) || (status = read_header_value(r, &name, &value, &exact, &text)))
            break;
        if (name_text.len < 1 || name_text.len > 255 || memchr(name_text.text, '\0', name_text.len))
            return REFUSE(r, name.text, "a header's name has 1 to 255 bytes, none of them NUL");
        ((char *)name_text.text)[name_text.len] = '\0'; /* decode leaves room */
        used = mr_header_add(block, r->out->headers_len, cap, name_text.text, text.text, text.len);
        if (used < 0)
            return REFUSE(r, name.text, "the headers are more than %u bytes", MR_HEADERS_MAX);
        r->out->headers_len = (size_t)used;
    }
    return status;
}

static int read_number(struct reading *r, enum member what, uint64_t *out)
{
    if (!has(r, what) || mr_json_to_uint(&r->member[what], out) == 0)
        return 0;
    return REFUSE(r, r->member[what].text, "\"%s\" is not a whole number from 0", member_names[what]);
}

/* ---- columns --------------------------------------------------------------------------------------------------------- */

static char separator(const struct envelope_columns *columns)
{
    return MR_SEPARATOR_OF(columns->flags);
}

/* Takes the line end off. */
static uint16_t cut_line_end(struct bytes *line)
{
    if (!line->len || line->text[line->len - 1] != '\n')
        return MR_EOL_NONE;
    line->len--;
    if (!line->len || line->text[line->len - 1] != '\r')
        return MR_EOL_LF;
    line->len--;
    return MR_EOL_CRLF;
}

static int set_columns(struct envelope_columns *columns, struct bytes line, uint32_t flags)
{
    size_t bom = mr_csv_bom(line.text, line.len), at = 0, cnt = 0, len;
    const char *field;
    char *to;
    int quoted;

    *columns = (struct envelope_columns){.len = line.len, .flags = flags};
    while (mr_csv_field(line.text + bom, line.len - bom, separator(columns), &at, &field, &len, &quoted))
        cnt++;
    columns->line = malloc(line.len + 1);
    columns->names = malloc(line.len + 1);
    columns->name = calloc(cnt, sizeof(*columns->name));
    if (!columns->line || !columns->names || !columns->name) {
        envelope_columns_free(columns);
        return -ENOMEM;
    }
    memcpy(columns->line, line.text, line.len);
    columns->line[line.len] = '\0';
    to = columns->names;
    at = 0;
    while (mr_csv_field(line.text + bom, line.len - bom, separator(columns), &at, &field, &len, &quoted)) {
        if (quoted)
            len = mr_csv_unquote(field, len, to);
        else
            memcpy(to, field, len);
        columns->name[columns->cnt++] = (struct envelope_name){to, len};
        to += len;
    }
    return 0;
}

void envelope_columns_free(struct envelope_columns *columns)
{
    free(columns->line);
    free(columns->names);
    free(columns->name);
    *columns = (struct envelope_columns){0};
}

/* A byte, written as the character of that number: those from 0x80 are no UTF-8 by themselves. */
static int read_separator(struct reading *r, char *sep)
{
    struct bytes text;
    int status = want(r, SEP, MR_JSON_STRING, "a string");

    *sep = ',';
    if (status || !has(r, SEP))
        return status;
    if ((status = decode(r, &r->member[SEP], &text)))
        return status;
    if (text.len == 2 && ((unsigned char)text.text[0] & 0xfe) == 0xc2)
        *sep = (char)((text.text[0] & 3) << 6 | (text.text[1] & 63));
    else if (text.len == 1 && !strchr("\"\r\n", text.text[0]))
        *sep = text.text[0];
    else
        return REFUSE(r, r->member[SEP].text, "\"sep\" is not one byte that can separate fields");
    return 0;
}

/* The columns as their own member has them. */
static int read_columns(struct reading *r)
{
    struct bytes line;
    uint32_t flags;
    char sep;
    int status = want(r, COLUMNS, MR_JSON_STRING, "a string");

    if (!status)
        status = want(r, COLUMNS_BASE64, MR_JSON_STRING, "a string");
    if (!status)
        status = read_separator(r, &sep);
    if (!status)
        status = decode_exact(r, &r->member[COLUMNS], &r->member[COLUMNS_BASE64], &line);
    if (status)
        return status;
    flags = cut_line_end(&line) | (sep == ',' ? 0 : MR_SEPARATOR(sep));
    if (!r->columns->line)
        return set_columns(&r->found, line, flags);
    if (line.len == r->columns->len && memcmp(line.text, r->columns->line, line.len) == 0 && sep == separator(r->columns))
        return 0;
    return REFUSE(r, r->member[COLUMNS].text, "its columns are not those of the topic");
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

/* A row is an object, a member for each field; one that is an array has the fields beyond the columns. */
struct fields {
    const struct mr_json_value *object;
    size_t at, extra_at;
    struct mr_json_value name, extra; /* extra.text NULL: not there yet; name of the last field; its text NULL: it has none */
};

/* Returns 1 the next field as it stands; 0 no more; -EINVAL refused. */
static int next_field(struct reading *r, struct fields *fields, struct mr_json_value *field)
{
    if (!fields->extra.text) {
        if (!mr_json_next(fields->object, &fields->at, &fields->name, field))
            return 0;
        if (field->kind == MR_JSON_ARRAY) {
            fields->extra = *field;
            fields->name.text = NULL;
        }
    }
    if (fields->extra.text) {
        struct mr_json_value name, value;

        if (!mr_json_next(&fields->extra, &fields->extra_at, NULL, field)) {
            if (!mr_json_next(fields->object, &fields->at, &name, &value))
                return 0;
            note(r, name.text, "a column after those beyond the header");
            return -EINVAL;
        }
    }
    if (field->kind != MR_JSON_ARRAY && field->kind != MR_JSON_OBJECT)
        return 1;
    note(r, field->text, "a column is a string, a number, true, false or null");
    return -EINVAL;
}

/* The text of a field, decoded to where at least field->len bytes are. */
static struct bytes field_text(const struct mr_json_value *field, char *room)
{
    if (field->kind == MR_JSON_NULL)
        return (struct bytes){room, 0};
    if (field->kind != MR_JSON_STRING)
        return (struct bytes){field->text, field->len};
    return (struct bytes){room, mr_json_unescape(field, room)};
}

static char *put_field(char *to, struct bytes field, char sep)
{
    int quote = 0;

    for (size_t i = 0; i < field.len && !quote; i++)
        quote = field.text[i] == sep || field.text[i] == '"' || field.text[i] == '\n' || field.text[i] == '\r';
    if (!quote) {
        memcpy(to, field.text, field.len);
        return to + field.len;
    }
    *to++ = '"';
    for (size_t i = 0; i < field.len; i++) {
        if (field.text[i] == '"')
            *to++ = '"';
        *to++ = field.text[i];
    }
    *to++ = '"';
    return to;
}

/* Joins the fields (or, for a header, the names) of the row with sep, quoted where they must be. A string takes no more room than its JSON, which
 * has quotes around it and two bytes for a quote inside; a number that sep makes quotes necessary for takes at most twice as much. */
static int join(struct reading *r, char sep, int names, struct bytes *out)
{
    struct fields fields = {.object = &r->member[VALUE]};
    struct mr_json_value field;
    char *room = arena_take(r->arena, fields.object->len), *row = arena_take(r->arena, 2 * fields.object->len), *to = row;
    int more, first = 1;

    if (!room || !row)
        return -ENOMEM;
    while ((more = next_field(r, &fields, &field)) > 0) {
        if (names && !fields.name.text)
            continue;
        if (!first)
            *to++ = sep;
        first = 0;
        to = put_field(to, field_text(names ? &fields.name : &field, room), sep);
    }
    *out = (struct bytes){row, (size_t)(to - row)};
    return more < 0 ? 1 : 0;
}

/* Whether the bytes, as a row, have the fields that value has. Returns 0, 1 or -ENOMEM. */
static int is_this_row(struct reading *r, struct bytes bytes, char sep)
{
    struct fields fields = {.object = &r->member[VALUE]};
    struct mr_json_value field;
    struct bytes part;
    size_t at = 0;
    int more, quoted, same;
    char *room = arena_take(r->arena, fields.object->len), *plain = arena_take(r->arena, bytes.len + 1);

    if (!room || !plain)
        return -ENOMEM;
    while ((more = next_field(r, &fields, &field)) > 0) {
        if (!mr_csv_field(bytes.text, bytes.len, sep, &at, &part.text, &part.len, &quoted))
            return 0;
        if (quoted)
            part = (struct bytes){plain, mr_csv_unquote(part.text, part.len, plain)};
        if ((same = says(part, field_text(&field, room))) <= 0)
            return same;
    }
    return more == 0 && !mr_csv_field(bytes.text, bytes.len, sep, &at, &part.text, &part.len, &quoted);
}

/* The columns as the names of the fields tell them. */
static int check_names(struct reading *r)
{
    struct fields fields = {.object = &r->member[VALUE]};
    struct mr_json_value field;
    struct bytes line;
    size_t i = 0;
    int more, status;
    char *room;

    if (!r->columns->line) {
        if ((status = join(r, ',', 1, &line)))
            return status;
        return set_columns(&r->found, line, MR_EOL_LF);
    }
    if (!(room = arena_take(r->arena, fields.object->len)))
        return -ENOMEM;
    while ((more = next_field(r, &fields, &field)) > 0) {
        if (fields.name.text && i < r->columns->cnt) {
            struct bytes name = field_text(&fields.name, room);

            if (name.len == r->columns->name[i].len && memcmp(name.text, r->columns->name[i].text, name.len) == 0) {
                i++;
                continue;
            }
        } else if (!fields.name.text && i == r->columns->cnt) {
            continue;
        }
        return REFUSE(r, fields.name.text ? fields.name.text : field.text, "column %zu is not that of the topic", i + 1);
    }
    return more < 0 ? 1 : 0;
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

static size_t line_ends_behind(struct bytes text)
{
    size_t n = 0;

    while (n < text.len && (text.text[text.len - 1 - n] == '\n' || text.text[text.len - 1 - n] == '\r'))
        n++;
    return n;
}

/* What raw has behind the value. Its last line ends are those of the value and then its own; what is before may be written otherwise there. */
static uint16_t line_end(struct bytes raw, struct bytes value)
{
    size_t of_raw = line_ends_behind(raw), of_value = line_ends_behind(value);

    if (of_raw == of_value)
        return MR_EOL_NONE;
    if (of_raw == of_value + 1 && raw.text[raw.len - 1] == '\n')
        return MR_EOL_LF;
    return cut_line_end(&raw); /* two bytes more, or the value was edited */
}

static int read_text(struct reading *r, const struct bytes *raw)
{
    struct bytes value;
    int status = decode_exact(r, &r->member[VALUE], &r->member[VALUE_BASE64], &value);

    if (status)
        return status;
    r->out->value = value.text;
    r->out->value_len = value.len;
    if (raw->text)
        r->out->flags = line_end(*raw, value);
    return 0;
}

static int read_row(struct reading *r, const struct bytes *raw)
{
    struct bytes row = {0}, exact = {0};
    struct mr_json_value name, first = {.kind = MR_JSON_ARRAY};
    size_t at = 0;
    int status, same;
    char sep;

    (void)mr_json_next(&r->member[VALUE], &at, &name, &first);
    if (first.kind == MR_JSON_ARRAY)
        return REFUSE(r, r->member[VALUE].text, "\"value\" has no columns");
    if ((status = has(r, COLUMNS) ? read_columns(r) : check_names(r)))
        return status;
    sep = separator(r->found.line ? &r->found : r->columns);
    if (has(r, VALUE_BASE64)) {
        if ((status = decode_base64(r, &r->member[VALUE_BASE64], &exact)))
            return status;
        if (raw->text)
            r->out->flags = line_end(*raw, exact);
    } else if (raw->text) {
        exact = *raw;
        r->out->flags = cut_line_end(&exact);
    }
    same = exact.text ? is_this_row(r, exact, sep) : 0;
    if (same < 0)
        return same;
    if (same)
        row = exact;
    else if ((status = join(r, sep, 0, &row)))
        return status;
    r->out->value = row.text;
    r->out->value_len = row.len;
    return 0;
}

static int read_value(struct reading *r)
{
    const struct mr_json_value *value = &r->member[VALUE];
    struct bytes raw = {0};
    int status = want(r, RAW, MR_JSON_STRING, "a string");

    if (!status)
        status = want(r, VALUE_BASE64, MR_JSON_STRING, "a string");
    if (!status && has(r, RAW))
        status = decode(r, &r->member[RAW], &raw);
    if (status)
        return status;
    switch (has(r, VALUE) ? value->kind : MR_JSON_NULL) {
    case MR_JSON_STRING:
        return read_text(r, &raw);
    case MR_JSON_OBJECT:
        return read_row(r, &raw);
    case MR_JSON_NUMBER:
    case MR_JSON_TRUE:
    case MR_JSON_FALSE:
        r->out->value = value->text;
        r->out->value_len = value->len;
        return 0;
    default:
        return REFUSE(r, has(r, VALUE) ? value->text : r->line, "an envelope has a \"value\": a string, or an object for a row of CSV");
    }
}

/* ---------------------------------------------------------------------------------------------------------------------- */

int envelope_read(const char *line, size_t len, struct envelope_columns *columns, struct arena *arena, struct envelope *out,
                  struct envelope_fault *fault)
{
    struct reading r = {.line = line, .arena = arena, .columns = columns, .out = out, .fault = fault};
    struct mr_json_value object;
    struct mr_json_fault wrong;
    int status;

    *out = (struct envelope){.partition = ENVELOPE_PARTITION_NONE};
    if (mr_json_parse(line, len, &object, &wrong))
        return REFUSE(&r, line + wrong.at, "not JSON: %s", wrong.reason);
    if (object.kind != MR_JSON_OBJECT)
        return REFUSE(&r, object.text, "not an envelope: it is no JSON object");
    status = find_members(&r, &object);
    if (!status)
        status = read_key(&r);
    if (!status)
        status = read_headers(&r);
    if (!status)
        status = read_number(&r, TS, &out->ts_ns);
    if (!status)
        status = read_number(&r, PARTITION, &out->partition);
    if (!status)
        status = read_value(&r);
    if (status)
        envelope_columns_free(&r.found);
    else if (r.found.line)
        *columns = r.found;
    return status;
}
