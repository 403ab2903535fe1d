/* object.c - one pass over a row writes its object: it finds the ends of fields and what needs
 * escaping at the same time. The room for the longest possible result is reserved before. */
#include "object.h"
#include "text/csv.h"
#include "text/json_pass.h"

#include <string.h>

#define LONG_ROW 65536u

/* A copy of the row with the zeros behind it that a pass needs. The row itself lies in shared
 * memory, which could change between two looks. NULL: no memory. */
static const char *copy_row(struct js_writer *scratch, const struct mr_record *record)
{
    const size_t len = record->value_len;
    scratch->len = 0;
    char *row = js_room(scratch, len + JS_BEHIND);
    if (!row)
        return NULL;
    if (len > 0)
        memcpy(row, record->value, len);
    memset(row + len, 0, JS_BEHIND);
    return row;
}

/* The longest result that text of a row can have. Counts for a long text, which would otherwise
 * reserve six times its length. */
static size_t worst(const char *text, size_t len, char sep)
{
    size_t marks = 0;
    if (len <= LONG_ROW)
        return len * JS_WORST;
    for (size_t at = 0; at < len; at += 16) /* what is behind counts, too */
        for (uint64_t found = js_marks16(text + at, sep); found; found &= found - 1)
            marks++;
    return len + marks * (JS_WORST - 1);
}

/* The comma, the name and the colon. */
static inline char *put_key(char *to, const struct column *column)
{
    /* a copy, because the compiler assumes that writing the text may change it */
    const size_t len = column->key_len;
    js_copy(to, column->key, len);
    return to + len;
}

/* Calls js_is_number, which is slow, only if the first bytes do not decide. */
JS_INLINE int is_number(const char *text, size_t len)
{
    size_t sure = js_digits(text);
    if (sure == len && len > 0)
        return 1;
    if (sure > 0 && sure < 16 && sure < len && (text[sure] | 0x20) != 'e')
        return 0;
    return js_is_number(text, len);
}

/* Writes the quoted field that begins here, and goes to the separator behind it, or to the end. */
JS_INLINE void put_quoted(struct js_pass *pass, const char *end)
{
    const char *after;
    js_pass_to(pass, pass->from + 1);
    for (;;) {
        js_pass_until(pass, end, '"');
        if (pass->from == end)
            return;
        after = pass->from + 1;
        if (*after != '"')
            break;
        memcpy(pass->to, "\\\"", 2); /* a doubled quote means one */
        pass->to += 2;
        js_pass_to(pass, after + 1);
    }
    if (after != end && *after != pass->sep) { /* malformed; its producer did not check it */
        after = memchr(after, pass->sep, (size_t)(end - after));
        after = after ? after : end;
    }
    js_pass_to(pass, after);
}

/* Writes the field that begins here, and goes to the separator behind it, or to the end.
 *   quotes   mean something      numbers   are not strings */
JS_INLINE void put_field(struct js_pass *pass, const char *end, int quotes, int numbers)
{
    const char *from = pass->from;
    char *start = pass->to;
    *pass->to++ = '"';
    if (*from == '"' && quotes) {
        put_quoted(pass, end);
    } else {
        js_pass_until(pass, end, pass->sep);
        size_t len = (size_t)(pass->from - from);
        if ((unsigned char)(*from - '-') <= '9' - '-' && numbers && is_number(from, len)) {
            js_copy(start, from, len);
            pass->to = start + len;
            return;
        }
    }
    *pass->to++ = '"';
}

/* The key of the first field has put a comma where the bracket belongs. */
static void put_brackets(struct js_writer *out, char *start, char *to)
{
    to += to == start;
    *start = '{';
    *to++ = '}';
    out->len += (size_t)(to - start);
    out->comma = 1;
}

size_t object_put(struct format *format, const struct columns *columns,
                  const struct mr_record *record, struct js_writer *out)
{
    const struct column *column = columns->column, *extra = column + columns->cnt;
    const int sep = csv_sep(columns->flags), quotes = !(sep & CSV_UNQUOTED);
    int numbers = !format->strings;
    size_t too_many = 0;
    const char *row = copy_row(&format->scratch, record);
    /* A field has two quotes and a comma or a key; all but the last take a byte of the row for
     * their separator. */
    char *start = row ? js_room(out, columns->keys.len + worst(row, record->value_len, (char)sep) +
                                         8 + JS_SLACK)
                      : NULL;
    if (!start) {
        out->failed = 1;
        return 0;
    }
    const char *end = row + record->value_len;
    const char *first = row + csv_row_bom(row, record->value_len, sep);
    struct js_pass pass = {.from = first, .to = start, .next = first, .sep = (char)sep};
    for (;; js_pass_to(&pass, pass.from + 1)) {
        if (column < extra) {
            pass.to = put_key(pass.to, column++);
        } else {
            numbers = 0;
            if (too_many++ == 0)
                pass.to = put_key(pass.to, extra);
            *pass.to++ = too_many == 1 ? '[' : ',';
        }
        put_field(&pass, end, quotes, numbers);
        if (pass.from == end)
            break;
    }
    if (too_many)
        *pass.to++ = ']';
    put_brackets(out, start, pass.to);
    return (size_t)(column - columns->column) + too_many;
}

void object_put_selected(struct format *format, struct columns *columns,
                         const struct mr_record *record, struct js_writer *out)
{
    struct field_picker *selected = &columns->selected;
    const char *row = copy_row(&format->scratch, record);
    size_t room = 8 + JS_SLACK;
    if (row) {
        field_picker_take(selected, row, record->value_len);
        for (size_t i = 0; i < selected->cnt; i++)
            room += columns->column[selected->column[i]].key_len +
                    worst(selected->field[i].text, selected->field[i].len, (char)selected->sep) + 2;
    }
    char *start = row ? js_room(out, room) : NULL, *to = start;
    if (!start) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < selected->cnt; i++) {
        const struct csv_field *field = &selected->field[i];
        if (!field->text)
            continue;
        const char *from = field->text - (field->quoted != 0);
        struct js_pass pass = {.from = from,
                               .to = put_key(to, &columns->column[selected->column[i]]),
                               .next = from,
                               .sep = (char)selected->sep};
        put_field(&pass, row + record->value_len, !(selected->sep & CSV_UNQUOTED),
                  !format->strings);
        to = pass.to;
    }
    put_brackets(out, start, to);
}
