/* envelope_row.c - an object is a row of CSV: its names are the columns, its members the fields. */
#include "envelope_parts.h"
#include "text/csv.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns ---- */

static int separator(const struct envelope_columns *columns)
{
    return csv_sep(columns->flags);
}

/* Removes the line end. */
uint16_t envelope_cut_line_end(struct bytes *line)
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
    size_t bom = csv_bom(line.text, line.len), at = 0, cnt = 0;
    struct csv_field field;
    char *to;

    *columns = (struct envelope_columns){.len = line.len, .flags = flags};
    while (csv_field(line.text + bom, line.len - bom, separator(columns), &at, &field))
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
    while (csv_field(line.text + bom, line.len - bom, separator(columns), &at, &field)) {
        if (field.quoted)
            field.len = csv_unquote(field.text, field.len, to);
        else
            memcpy(to, field.text, field.len);
        columns->name[columns->cnt++] = (struct envelope_name){to, field.len};
        to += field.len;
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

/* A byte, written as the character with its number: bytes from 0x80 are not UTF-8 by themselves. */
static int read_separator(struct reading *r, char *sep)
{
    struct bytes text;
    int status = envelope_want(r, SEP, JS_STRING, "a string");

    *sep = ',';
    if (status || !envelope_has(r, SEP))
        return status;
    if ((status = envelope_decode(r, &r->member[SEP], &text)))
        return status;
    if (text.len == 2 && ((unsigned char)text.text[0] & 0xfe) == 0xc2)
        *sep = (char)((text.text[0] & 3) << 6 | (text.text[1] & 63));
    else if (text.len == 1 && !strchr("\"\r\n", text.text[0]))
        *sep = text.text[0];
    else
        return REFUSE(r, r->member[SEP].text, "\"sep\" is not one byte that can separate fields");
    return 0;
}

/* The columns from their own member. */
static int read_columns(struct reading *r)
{
    struct bytes line;
    uint32_t flags;
    char sep;
    int status = envelope_want(r, COLUMNS, JS_STRING, "a string");

    if (!status)
        status = envelope_want(r, COLUMNS_BASE64, JS_STRING, "a string");
    if (!status)
        status = read_separator(r, &sep);
    if (!status && envelope_has(r, QUOTES) && r->member[QUOTES].kind != JS_TRUE)
        status = envelope_want(r, QUOTES, JS_FALSE, "true or false");
    if (!status)
        status = envelope_decode_exact(r, &r->member[COLUMNS], &r->member[COLUMNS_BASE64], &line);
    if (status)
        return status;
    flags = envelope_cut_line_end(&line) | (sep == ',' ? 0 : MR_SEPARATOR(sep)) |
            (envelope_has(r, QUOTES) && r->member[QUOTES].kind == JS_FALSE ? MR_UNQUOTED : 0);
    if (!r->columns->line)
        return set_columns(&r->found, line, flags);
    if (line.len == r->columns->len && memcmp(line.text, r->columns->line, line.len) == 0 &&
        csv_sep(flags) == separator(r->columns))
        return 0;
    return REFUSE(r, r->member[COLUMNS].text, "its columns differ from those of the topic");
}

/* ---- rows ---- */

/* A row is an object with a member for each field; a member that is an array has the fields
 * beyond the columns. */
struct fields {
    const struct js_value *object;
    size_t at, extra_at;
    /* extra.text NULL: not there yet; name of the last field; its text NULL: it has none */
    struct js_value name, extra;
};

/* The number of columns with this name: of the known columns, else of the members before the
 * array. */
static size_t columns_named(const struct reading *r, const struct js_value *object,
                            const char *text)
{
    const struct envelope_columns *columns = r->found.line ? &r->found : r->columns;
    struct js_value name, value;
    size_t at = 0, cnt = 0;

    if (!columns->line) {
        while (js_next(object, &at, &name, &value) && value.kind != JS_ARRAY)
            cnt += js_is(&name, text) != 0;
        return cnt;
    }
    for (size_t i = 0; i < columns->cnt; i++)
        cnt += columns->name[i].len == strlen(text) &&
               memcmp(columns->name[i].text, text, columns->name[i].len) == 0;
    return cnt;
}

/* The name under which consumers write the fields beyond the columns: "_extra", or, if columns
 * have that name, the first of "_extra_2", "_extra_3", ... that no column has. */
static const char *extra_name(const struct reading *r, const struct js_value *object,
                              char buf[static 32])
{
    size_t taken = columns_named(r, object, "_extra"), number = 1;

    for (snprintf(buf, 32, "_extra"); taken; taken--)
        do
            snprintf(buf, 32, "_extra_%zu", ++number);
        while (columns_named(r, object, buf));
    return buf;
}

/* Returns 1 the next field as it stands; 0 no more; -EINVAL refused. */
static int next_field(struct reading *r, struct fields *fields, struct js_value *field)
{
    char name[32];

    if (!fields->extra.text) {
        if (!js_next(fields->object, &fields->at, &fields->name, field))
            return 0;
        if (field->kind == JS_ARRAY) {
            const char *extra = extra_name(r, fields->object, name);

            if (!js_is(&fields->name, extra)) {
                envelope_note(
                    r, fields->name.text,
                    "\"%.*s\" is an array: a column is a string, a number, true, false or null "
                    "(only \"%s\" has the fields beyond the header)",
                    fields->name.len > 40 ? 40 : (int)fields->name.len, fields->name.text, extra);
                return -EINVAL;
            }
            fields->extra = *field;
            fields->name.text = NULL;
        }
    }
    if (fields->extra.text) {
        struct js_value behind, value;

        if (!js_next(&fields->extra, &fields->extra_at, NULL, field)) {
            if (!js_next(fields->object, &fields->at, &behind, &value))
                return 0;
            envelope_note(r, behind.text, "a column after the fields beyond the header");
            return -EINVAL;
        }
    }
    if (field->kind != JS_ARRAY && field->kind != JS_OBJECT)
        return 1;
    envelope_note(r, field->text, "a column is a string, a number, true, false or null");
    return -EINVAL;
}

/* The text of a field, decoded into room, which has at least field->len bytes. */
static struct bytes field_text(const struct js_value *field, char *room)
{
    if (field->kind == JS_NULL)
        return (struct bytes){room, 0};
    if (field->kind != JS_STRING)
        return (struct bytes){field->text, field->len};
    return (struct bytes){room, js_unescape(field, room)};
}

static char *put_field(char *to, struct bytes field, int sep)
{
    int quote = 0;

    for (size_t i = 0; i < field.len && !quote && !(sep & CSV_UNQUOTED); i++)
        quote = field.text[i] == (char)sep || field.text[i] == '"' || field.text[i] == '\n' ||
                field.text[i] == '\r';
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

/* Joins the fields (or, for a header, the names) of the row with sep, quoted where necessary. A
 * string takes no more room than its JSON, which has quotes around it and two bytes for a quote
 * inside; a number that needs quotes because of sep takes at most twice as much. */
static int join(struct reading *r, int sep, int names, struct bytes *out)
{
    struct fields fields = {.object = &r->member[VALUE]};
    struct js_value field;
    struct bytes part;
    char *room = arena_take(r->arena, fields.object->len),
         *row = arena_take(r->arena, 2 * fields.object->len), *to = row;
    int more, first = 1;

    if (!room || !row)
        return -ENOMEM;
    while ((more = next_field(r, &fields, &field)) > 0) {
        if (names && !fields.name.text)
            continue;
        if (!first)
            *to++ = (char)sep;
        first = 0;
        part = field_text(names ? &fields.name : &field, room);
        if (sep & CSV_UNQUOTED &&
            (memchr(part.text, sep & 0xff, part.len) || memchr(part.text, '\n', part.len)))
            return REFUSE(r, field.text,
                          "a field without quotes cannot hold its separator or a line end");
        to = put_field(to, part, sep);
    }
    *out = (struct bytes){row, (size_t)(to - row)};
    return more < 0 ? 1 : 0;
}

/* Whether the bytes, as a row, have the same fields as value. Returns 0, 1 or -ENOMEM. */
static int is_this_row(struct reading *r, struct bytes bytes, int sep)
{
    struct fields fields = {.object = &r->member[VALUE]};
    struct js_value field;
    struct csv_field from;
    struct bytes part;
    size_t at = 0;
    int more, same;
    char *room = arena_take(r->arena, fields.object->len),
         *plain = arena_take(r->arena, bytes.len + 1);

    if (!room || !plain)
        return -ENOMEM;
    while ((more = next_field(r, &fields, &field)) > 0) {
        if (!csv_field(bytes.text, bytes.len, sep, &at, &from))
            return 0;
        part = (struct bytes){from.text, from.len};
        if (from.quoted)
            part = (struct bytes){plain, csv_unquote(from.text, from.len, plain)};
        if ((same = envelope_says(part, field_text(&field, room))) <= 0)
            return same;
    }
    return more == 0 && !csv_field(bytes.text, bytes.len, sep, &at, &from);
}

/* The columns from the names of the fields. */
static int check_names(struct reading *r)
{
    struct fields fields = {.object = &r->member[VALUE]};
    struct js_value field;
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

            if (name.len == r->columns->name[i].len &&
                memcmp(name.text, r->columns->name[i].text, name.len) == 0) {
                i++;
                continue;
            }
        } else if (!fields.name.text && i == r->columns->cnt) {
            continue;
        }
        return REFUSE(r, fields.name.text ? fields.name.text : field.text,
                      "column %zu differs from that of the topic", i + 1);
    }
    return more < 0 ? 1 : 0;
}

int envelope_row(struct reading *r, const struct bytes *exact)
{
    struct js_value name, first = {.kind = JS_ARRAY};
    struct bytes row = *exact;
    size_t at = 0;
    int status, same, sep;

    (void)js_next(&r->member[VALUE], &at, &name, &first);
    if (first.kind == JS_ARRAY)
        return REFUSE(r, r->member[VALUE].text, "\"value\" has no columns");
    if ((status = envelope_has(r, COLUMNS) ? read_columns(r) : check_names(r)))
        return status;
    sep = separator(r->found.line ? &r->found : r->columns);
    same = exact->text ? is_this_row(r, *exact, sep) : 0;
    if (same < 0)
        return same;
    if (!same && (status = join(r, sep, 0, &row)))
        return status;
    r->out->value = row.text;
    r->out->value_len = row.len;
    return 0;
}
