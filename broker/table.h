/* table.h - rows for people (aligned columns) or for programs (NDJSON), from the same calls. */
#ifndef BROKER_TABLE_H
#define BROKER_TABLE_H

#include "text/json.h"

struct column {
    const char *title; /* NULL: not shown to people */
    const char *key;   /* of the JSON object; NULL: only for people */
    int right;         /* aligned to the right */
};

struct table {
    const struct column *columns;
    size_t column_cnt, at;
    const char *kind; /* "kind" of every JSON object; NULL: none */
    struct js_writer json;
    int as_json, bold;
    char **cells; /* of those columns that have a title */
    size_t cell_cnt, cell_cap;
    int failed; /* no memory */
};

/* table_begin starts a table; bold is for the titles. Add the cells row by row, one call each;
 * table_end writes everything to stdout. */
void table_begin(struct table *table, const struct column *columns, size_t column_cnt,
                 const char *kind, int as_json, int bold);

void table_text(
    struct table *table,
    const char *text); /* control characters are escaped (text_printable); NULL: "-", null */
void table_count(struct table *table, uint64_t number);
void table_bytes(struct table *table, uint64_t bytes);     /* people: "16 MiB" */
void table_ns(struct table *table, uint64_t ns);           /* people: "1.2 ms" */
void table_percent(struct table *table, uint64_t percent); /* people: "98 %" */
/* people: ISO 8601; programs: ns since 1970; 0: "-", null */
void table_time(struct table *table, uint64_t ts_ns);
void table_bool(struct table *table, int truth);

/* table_clear drops the rows of the text form. */
void table_clear(struct table *table);
/* table_end writes the table, without titles when it has no rows, and frees it. Returns the number
 * of rows, or -ENOMEM. */
int table_end(struct table *table);

#endif
