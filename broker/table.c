/* table.c - see table.h. */
#include "table.h"
#include "text/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void table_begin(struct table *table, const struct column *columns, size_t column_cnt,
                 const char *kind, int as_json, int bold)
{
    *table = (struct table){.columns = columns,
                            .column_cnt = column_cnt,
                            .kind = kind,
                            .as_json = as_json,
                            .bold = bold};
    js_init(&table->json, NULL, 0);
}

/* Whether the current cell is written as JSON; if so, its key is written. */
static int json_cell(struct table *table)
{
    const struct column *column = &table->columns[table->at];
    if (!table->as_json)
        return 0;
    if (table->at == 0) {
        js_begin(&table->json, '{');
        if (table->kind) {
            js_key(&table->json, "kind");
            js_text(&table->json, table->kind);
        }
    }
    if (column->key)
        js_key(&table->json, column->key);
    return column->key != NULL;
}

static void cell(struct table *table, const char *text)
{
    if (table->as_json || !table->columns[table->at].title)
        return;
    if (table->cell_cnt == table->cell_cap) {
        size_t cap = 2 * table->cell_cap + 64;
        char **more = realloc(table->cells, cap * sizeof *more);
        if (!more) {
            table->failed = 1;
            return;
        }
        table->cells = more;
        table->cell_cap = cap;
    }
    size_t len = strlen(text);
    char *copy = malloc(4 * len + 1);
    if (!copy) {
        table->failed = 1;
        return;
    }
    text_printable(copy, 4 * len + 1, text, len);
    table->cells[table->cell_cnt++] = copy;
}

static void next(struct table *table)
{
    if (++table->at < table->column_cnt)
        return;
    table->at = 0;
    if (table->as_json) {
        js_end(&table->json, '}');
        js_line(&table->json);
    }
}

void table_text(struct table *table, const char *text)
{
    if (json_cell(table))
        js_text(&table->json, text);
    cell(table, text && *text ? text : "-");
    next(table);
}

static void number(struct table *table, uint64_t value, const char *text)
{
    if (json_cell(table))
        js_uint(&table->json, value);
    cell(table, text);
    next(table);
}

void table_count(struct table *table, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, value);
    number(table, value, text);
}

void table_bytes(struct table *table, uint64_t bytes)
{
    char text[32];
    number(table, bytes, text_bytes(text, bytes));
}

void table_ns(struct table *table, uint64_t ns)
{
    char text[32];
    number(table, ns, text_ns(text, ns));
}

void table_percent(struct table *table, uint64_t percent)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64 " %%", percent);
    number(table, percent, text);
}

void table_time(struct table *table, uint64_t ts_ns)
{
    char text[32];
    if (ts_ns)
        number(table, ts_ns, text_time(text, ts_ns));
    else
        table_text(table, NULL);
}

void table_bool(struct table *table, int truth)
{
    if (json_cell(table))
        js_bool(&table->json, truth);
    cell(table, truth ? "yes" : "no");
    next(table);
}

/* Characters, not bytes: everything but the continuation bytes of UTF-8. */
static int width(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void write_row(const struct table *table, const char *const *row, const int *widths,
                      size_t shown)
{
    size_t at = 0;
    for (size_t i = 0; i < table->column_cnt; i++) {
        if (!table->columns[i].title)
            continue;
        const char *text = row ? row[at] : table->columns[i].title;
        int pad = widths[at] - width(text), last = at + 1 == shown;
        if (table->columns[i].right)
            printf("%*s%s%s", pad, "", text, last ? "\n" : "  ");
        else
            printf("%s%*s%s", text, last ? 0 : pad, "", last ? "\n" : "  ");
        at++;
    }
}

static int write_aligned(const struct table *table)
{
    int widths[32] = {0};
    size_t shown = 0;
    for (size_t i = 0; i < table->column_cnt; i++)
        if (table->columns[i].title)
            widths[shown++] = width(table->columns[i].title);
    size_t rows = shown ? table->cell_cnt / shown : 0;
    for (size_t i = 0; i < rows * shown; i++)
        if (width(table->cells[i]) > widths[i % shown])
            widths[i % shown] = width(table->cells[i]);
    if (rows) {
        fputs(table->bold ? "\033[1m" : "", stdout);
        write_row(table, NULL, widths, shown);
        fputs(table->bold ? "\033[0m" : "", stdout);
    }
    for (size_t i = 0; i < rows; i++)
        write_row(table, (const char *const *)table->cells + i * shown, widths, shown);
    return (int)rows;
}

void table_clear(struct table *table)
{
    for (size_t i = 0; i < table->cell_cnt; i++)
        free(table->cells[i]);
    table->cell_cnt = 0;
}

int table_end(struct table *table)
{
    int rows = 0;
    int failed = table->failed || table->json.failed;
    if (!failed && table->as_json) {
        if (table->json.len)
            fwrite(table->json.text, 1, table->json.len, stdout);
        for (size_t i = 0; i < table->json.len; i++)
            rows += table->json.text[i] == '\n';
    } else if (!failed) {
        rows = write_aligned(table);
    }
    table_clear(table);
    free(table->cells);
    js_free(&table->json);
    return failed ? -ENOMEM : rows;
}
