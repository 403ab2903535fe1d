#include "row.h"
#include "text/csv.h"

#include <string.h>

void mr_row_unquote(struct mr_json *scratch, struct mr_field *field)
{
    if (!field->quoted || !memchr(field->text, '"', field->len))
        return;
    scratch->len = 0;
    char *to = mr_json_room(scratch, field->len);
    if (!to)
        return;
    field->len = mr_csv_unquote(field->text, field->len, to);
    field->text = to;
}

void mr_row_put(struct mr_format *format, const void *value, size_t len, unsigned flags, struct mr_json *out)
{
    char *to = mr_json_room(out, len + 4);
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

/* ---- columns --------------------------------------------------------------------------------------------------------- */

void mr_row_select(struct mr_format *format, struct mr_columns *columns, struct mr_record *record)
{
    struct mr_pick *selected = &columns->selected;
    struct mr_json *row = &format->row;
    char sep = MR_SEPARATOR_OF(columns->flags);
    mr_pick_take(selected, record->value, record->value_len);
    row->len = 0;
    (void)mr_json_room(row, 1); /* so that an empty row is somewhere, too */
    for (size_t i = 0; i < selected->cnt; i++) {
        const struct mr_field *field = &selected->field[i];
        if (i > 0)
            mr_json_add(row, &sep, 1);
        if (field->quoted)
            mr_json_add(row, "\"", 1);
        if (field->len > 0)
            mr_json_add(row, field->text, field->len);
        if (field->quoted)
            mr_json_add(row, "\"", 1);
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

static void add_tsv_field(struct mr_json *row, const struct mr_field *field)
{
    const char *from = field->text, *end = from + field->len;
    for (const char *at = from; at < end; at++) {
        const char letter = tsv_letter(*at);
        if (!letter)
            continue;
        mr_json_add(row, from, (size_t)(at - from));
        mr_json_add(row, "\\", 1);
        mr_json_add(row, &letter, 1);
        from = at + 1;
    }
    mr_json_add(row, from, (size_t)(end - from));
}

void mr_row_put_tsv(struct mr_format *format, const struct mr_columns *columns, const struct mr_record *record, struct mr_json *out)
{
    int sep = mr_csv_sep(columns->flags);
    struct mr_json *tsv = &format->tsv;
    struct mr_field field;
    size_t at = 0;
    if (!columns->line || (char)sep == '\t') {
        mr_row_put(format, record->value, record->value_len, record->flags, out);
        return;
    }
    tsv->len = 0;
    for (int i = 0; mr_csv_field(record->value, record->value_len, sep, &at, &field.text, &field.len, &field.quoted); i++) {
        if (i > 0)
            mr_json_add(tsv, "\t", 1);
        mr_row_unquote(&format->scratch, &field);
        add_tsv_field(tsv, &field);
    }
    if (tsv->failed || format->scratch.failed)
        out->failed = 1;
    mr_row_put(format, tsv->text, tsv->len, record->flags, out);
}

/* ---- header ---------------------------------------------------------------------------------------------------------- */

int mr_format_has_header(const struct mr_format *format)
{
    return format->kind == MR_FORMAT_CSV || format->kind == MR_FORMAT_TSV;
}

int mr_format_alike(const struct mr_format *format, const struct mr_columns *a, const struct mr_columns *b)
{
    if (format->select.cnt > 0) /* they all have these columns */
        return format->kind == MR_FORMAT_TSV || MR_SAME_FIELDS(a->flags, b->flags);
    return mr_columns_same(a, b);
}

void mr_format_header(struct mr_format *format, struct mr_columns *columns, struct mr_json *out)
{
    if (!mr_format_has_header(format) || format->header_done || !columns->line)
        return;
    struct mr_record line = {.value = columns->line, .value_len = (uint32_t)columns->len, .flags = (uint16_t)(columns->flags & MR_EOL_MASK)};
    int as_sent = format->select.cnt == 0 && (format->kind == MR_FORMAT_CSV || MR_SEPARATOR_OF(columns->flags) == '\t');
    format->header_done = 1;
    if ((columns->flags & MR_EOL_MASK) == MR_EOL_CRLF)
        format->line_end = "\r\n";
    if (!as_sent) { /* a byte order mark is not part of the first column */
        size_t bom = mr_csv_bom(columns->line, columns->len);
        line.value = columns->line + bom;
        line.value_len -= (uint32_t)bom;
    }
    if (format->select.cnt > 0)
        mr_row_select(format, columns, &line);
    if (format->kind == MR_FORMAT_TSV)
        mr_row_put_tsv(format, columns, &line, out);
    else
        mr_row_put(format, line.value, line.value_len, line.flags, out);
}
