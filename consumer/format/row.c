#include "row.h"
#include "text/csv.h"

#include <string.h>

void row_unquote(struct js_writer *scratch, struct csv_field *field)
{
    if (!field->quoted || !memchr(field->text, '"', field->len))
        return;
    scratch->len = 0;
    char *to = js_room(scratch, field->len);
    if (!to)
        return;
    field->len = csv_unquote(field->text, field->len, to);
    field->text = to;
}

void row_put(struct format *format, const void *value, size_t len, unsigned flags,
             struct js_writer *out)
{
    char *to = js_room(out, len + 4);
    if (!to)
        return;
    char *from = to;
    if (format->owes_line_end) {
        for (const char *end = format->line_end; *end; end++)
            *to++ = *end;
        format->owes_line_end = 0;
    }
    if (len > 0)
        memcpy(to, value, len);
    to += len;
    switch (flags & MR_EOL_MASK) {
    case MR_EOL_LF:
        *to++ = '\n';
        break;
    case MR_EOL_CRLF:
        *to++ = '\r';
        *to++ = '\n';
        break;
    default:
        format->owes_line_end = 1;
        break;
    }
    out->len += (size_t)(to - from);
}

/* ---- columns ---- */

void row_select(struct format *format, struct columns *columns, struct mr_record *record)
{
    struct field_picker *selected = &columns->selected;
    struct js_writer *row = &format->row;
    char sep = MR_SEPARATOR_OF(columns->flags);
    field_picker_take(selected, record->value, record->value_len);
    row->len = 0;
    (void)js_room(row, 1); /* so that an empty row is somewhere, too */
    for (size_t i = 0; i < selected->cnt; i++) {
        const struct csv_field *field = &selected->field[i];
        if (i > 0)
            js_add(row, &sep, 1);
        if (field->quoted)
            js_add(row, "\"", 1);
        if (field->len > 0)
            js_add(row, field->text, field->len);
        if (field->quoted)
            js_add(row, "\"", 1);
    }
    row->failed |= row->len > UINT32_MAX; /* one column, selected often */
    record->value = row->failed ? "" : row->text;
    record->value_len = row->failed ? 0 : (uint32_t)row->len;
}

/* The letter after a backslash that a byte is written as; 0: it is written as it is. */
static char tsv_letter(char byte)
{
    switch (byte) {
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

static void add_tsv_field(struct js_writer *row, const struct csv_field *field)
{
    const char *from = field->text, *end = from + field->len;
    for (const char *at = from; at < end; at++) {
        const char letter = tsv_letter(*at);
        if (!letter)
            continue;
        js_add(row, from, (size_t)(at - from));
        js_add(row, "\\", 1);
        js_add(row, &letter, 1);
        from = at + 1;
    }
    js_add(row, from, (size_t)(end - from));
}

void row_put_tsv(struct format *format, const struct columns *columns,
                 const struct mr_record *record, struct js_writer *out)
{
    int sep = csv_sep(columns->flags);
    struct js_writer *tsv = &format->tsv;
    struct csv_field field;
    size_t at = 0;
    if (!columns->line || (char)sep == '\t') {
        row_put(format, record->value, record->value_len, record->flags, out);
        return;
    }
    tsv->len = 0;
    for (int i = 0; csv_field(record->value, record->value_len, sep, &at, &field); i++) {
        if (i > 0)
            js_add(tsv, "\t", 1);
        row_unquote(&format->scratch, &field);
        add_tsv_field(tsv, &field);
    }
    if (tsv->failed || format->scratch.failed)
        out->failed = 1;
    row_put(format, tsv->text, tsv->len, record->flags, out);
}

/* ---- header ---- */

int format_has_header(const struct format *format)
{
    return format->kind == FORMAT_CSV || format->kind == FORMAT_TSV;
}

int format_alike(const struct format *format, const struct columns *a, const struct columns *b)
{
    if (format->select.cnt > 0) /* they all have these columns */
        return format->kind == FORMAT_TSV || MR_SAME_FIELDS(a->flags, b->flags);
    return columns_same(a, b);
}

void format_header(struct format *format, struct columns *columns, struct js_writer *out)
{
    if (!format_has_header(format) || format->header_done || !columns->line)
        return;
    struct mr_record line = {.value = columns->line,
                             .value_len = (uint32_t)columns->len,
                             .flags = (uint16_t)(columns->flags & MR_EOL_MASK)};
    int as_sent = format->select.cnt == 0 &&
                  (format->kind == FORMAT_CSV || MR_SEPARATOR_OF(columns->flags) == '\t');
    format->header_done = 1;
    if ((columns->flags & MR_EOL_MASK) == MR_EOL_CRLF)
        format->line_end = "\r\n";
    if (!as_sent) { /* a byte order mark is not part of the first column */
        size_t bom = csv_bom(columns->line, columns->len);
        line.value = columns->line + bom;
        line.value_len -= (uint32_t)bom;
    }
    if (format->select.cnt > 0)
        row_select(format, columns, &line);
    if (format->kind == FORMAT_TSV)
        row_put_tsv(format, columns, &line, out);
    else
        row_put(format, line.value, line.value_len, line.flags, out);
}
