#include "columns.h"
#include "text/csv.h"
#include "text/json_pass.h"
#include "text/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUFFIX_MAX = 12, SUGGESTED_MAX = 10000 }; /* bytes of "_4294967295" and its NUL */
static const char extra[] = "_extra";

/* A table of column indices + 1 by name, 0 being free. It lives only while names are made unique: a
 * header can hold MR_COLUMNS_MAX columns, all of one name. */
struct table {
    uint32_t *slot;
    size_t mask;
};

/* The slot that holds the name, or the free one where it belongs. */
static uint32_t *table_at(const struct table *table, const struct columns *columns,
                          const char *name, size_t len)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * UINT64_C(1099511628211);
    for (size_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        uint32_t idx = table->slot[at];
        if (idx == 0)
            return &table->slot[at];
        const struct column *column = &columns->column[idx - 1];
        if (column->name_len == len && memcmp(column->name, name, len) == 0)
            return &table->slot[at];
    }
}

/* Gives the second and later columns of a name "_2", "_3", ..., leaving out what another column is
 * called. */
static int make_unique(struct columns *columns)
{
    size_t cnt = columns->cnt + 1, size = 4;
    while (size < cnt * 2)
        size *= 2;
    struct table table = {.slot = calloc(size, sizeof *table.slot), .mask = size - 1};
    /* per column: the last number given to its name; 1 marks one to be renamed */
    uint32_t *number = calloc(cnt, sizeof *number);
    if (!table.slot || !number) {
        free(table.slot);
        free(number);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        uint32_t *slot =
            table_at(&table, columns, columns->column[i].name, columns->column[i].name_len);
        if (*slot == 0)
            *slot = i + 1;
        else
            number[i] = 1;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        struct column *column = &columns->column[i];
        if (number[i] != 1)
            continue;
        uint32_t *last = &number[*table_at(&table, columns, column->name, column->name_len) - 1],
                 *slot;
        /* room for the suffix was left there */
        char *end = (char *)column->name + column->name_len;
        size_t len;
        do {
            *last = *last < 2 ? 2 : *last + 1;
            len = column->name_len + (size_t)snprintf(end, SUFFIX_MAX, "_%u", *last);
            slot = table_at(&table, columns, column->name, len);
        } while (*slot != 0);
        column->name_len = len;
        *slot = i + 1;
    }
    free(table.slot);
    free(number);
    return 0;
}

/* Joins the names as a row of CSV and compares as it goes, so nothing is written anywhere. */
static int is_plain(const struct columns *columns)
{
    const char *at = columns->line, *end = at + columns->len;
    if (MR_SEPARATOR_OF(columns->flags) != ',' ||
        (columns->flags & (MR_EOL_MASK | MR_UNQUOTED)) != MR_EOL_LF)
        return 0;
    for (size_t i = 0; i < columns->cnt; i++) {
        const char *name = columns->column[i].name, *name_end = name + columns->column[i].name_len;
        int quote = 0;
        for (const char *c = name; c < name_end; c++)
            quote |= *c == '"' || *c == ',' || *c == '\n' || *c == '\r';
        if (i > 0 && (at == end || *at++ != ','))
            return 0;
        if (quote && (at == end || *at++ != '"'))
            return 0;
        for (; name < name_end; name++)
            if (at == end || *at++ != *name || (*name == '"' && (at == end || *at++ != '"')))
                return 0;
        if (quote && (at == end || *at++ != '"'))
            return 0;
    }
    return at == end && js_is_utf8(columns->line, columns->len);
}

static void put_key(struct columns *columns, struct column *column, const char *text, size_t len,
                    int escaped)
{
    size_t before = columns->keys.len;
    columns->keys.comma = 1;
    if (escaped) {
        js_add(&columns->keys, ",\"", 2);
        js_add(&columns->keys, text, len);
        js_add(&columns->keys, "\":", 2);
    } else {
        js_key_bytes(&columns->keys, text, len);
    }
    column->key_len = columns->keys.len - before;
}

/* Names that are not UTF-8 can be the same where U+FFFD stands for what is wrong in them. */
static int make_keys_unique(struct columns *columns)
{
    const size_t around = 4; /* the comma, two quotes, and the colon */
    struct columns shown = {.cnt = columns->cnt};
    char *names = malloc(columns->keys.len + (columns->cnt + 1) * SUFFIX_MAX), *to = names;
    const char *from = columns->keys.text;
    shown.column = calloc(columns->cnt + 1, sizeof *shown.column);
    int error = names && shown.column && !columns->keys.failed ? 0 : -ENOMEM;
    for (size_t i = 0; i <= columns->cnt && !error; i++) {
        shown.column[i].name = to;
        shown.column[i].name_len = columns->column[i].key_len - around;
        memcpy(to, from + 2, shown.column[i].name_len);
        to += shown.column[i].name_len + SUFFIX_MAX;
        from += columns->column[i].key_len;
    }
    if (!error)
        error = make_unique(&shown);
    if (!error)
        columns->keys.len = 0;
    for (size_t i = 0; i <= columns->cnt && !error; i++)
        put_key(columns, &columns->column[i], shown.column[i].name, shown.column[i].name_len, 1);
    free(shown.column);
    free(names);
    return error;
}

int columns_set(struct columns *columns, const char *line, size_t len, uint32_t flags)
{
    struct columns new = {.len = len, .flags = flags};
    size_t bom = csv_bom(line, len), at = 0, i = 0;
    struct csv_field field;
    int sep = csv_sep(flags);

    new.cnt = csv_count(line + bom, len - bom, sep);
    new.line = malloc(len + 1);
    new.column = calloc(new.cnt + 1, sizeof *new.column);
    new.names = malloc(len + sizeof extra + (new.cnt + 1) * SUFFIX_MAX);
    js_init(&new.keys, NULL, 0);
    if (!new.line || !new.column || !new.names)
        goto no_memory;
    memcpy(new.line, line, len);

    char *to = new.names;
    while (csv_field(line + bom, len - bom, sep, &at, &field)) {
        new.column[i].name = to;
        if (field.quoted)
            field.len = csv_unquote(field.text, field.len, to);
        else
            memcpy(to, field.text, field.len);
        new.column[i++].name_len = field.len;
        to += field.len + SUFFIX_MAX;
    }
    memcpy(to, extra, sizeof extra - 1);
    new.column[i].name = to;
    new.column[i].name_len = sizeof extra - 1;
    if (make_unique(&new) < 0)
        goto no_memory;

    for (i = 0; i <= new.cnt; i++) {
        struct column *column = &new.column[i];
        /* where room for a suffix was left */
        new.names[column->name + column->name_len - new.names] = '\0';
        put_key(&new, column, column->name, column->name_len, 0);
    }
    if (!js_is_utf8(line, len) && make_keys_unique(&new) < 0)
        goto no_memory;
    char *slack = js_room(&new.keys, JS_SLACK);
    if (!slack)
        goto no_memory;
    memset(slack, 0, JS_SLACK);
    const char *key = new.keys.text;
    for (i = 0; i <= new.cnt; key += new.column[i++].key_len)
        new.column[i].key = key;
    new.plain = is_plain(&new);
    *columns = new;
    return 0;

no_memory:
    columns_free(&new);
    return -ENOMEM;
}

void columns_free(struct columns *columns)
{
    js_free(&columns->keys);
    free(columns->line);
    free(columns->column);
    free(columns->names);
    free(columns->bound);
    field_picker_free(&columns->selected);
    *columns = (struct columns){0};
}

ssize_t columns_find(const struct columns *columns, const char *name, size_t len)
{
    for (size_t i = 0; i < columns->cnt; i++)
        if (columns->column[i].name_len == len && memcmp(columns->column[i].name, name, len) == 0)
            return (ssize_t)i;
    return -1;
}

const char *columns_missing(const struct columns *columns, const char *name,
                            char buf[static COLUMNS_MISSING])
{
    size_t cnt = columns->cnt < SUGGESTED_MAX ? columns->cnt : SUGGESTED_MAX,
           bom = csv_bom(columns->line, columns->len);
    const char *near = NULL, **names = calloc(cnt + 1, sizeof *names);
    int shown = columns->len - bom < 200 ? (int)(columns->len - bom) : 200;
    for (size_t i = 0; names && i < cnt; i++)
        names[i] = columns->column[i].name;
    if (names)
        near = text_suggest(name, names);
    snprintf(buf, COLUMNS_MISSING, "no column \"%.60s\"%s%.60s%s; its columns: %.*s%s", name,
             near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "", shown,
             columns->line + bom, columns->len - bom > 200 ? "..." : "");
    free((void *)names);
    return buf;
}

int columns_same(const struct columns *a, const struct columns *b)
{
    size_t a_bom = csv_bom(a->line, a->len), b_bom = csv_bom(b->line, b->len);
    return MR_SAME_FIELDS(a->flags, b->flags) && a->len - a_bom == b->len - b_bom &&
           memcmp(a->line + a_bom, b->line + b_bom, a->len - a_bom) == 0;
}
