/* table.h - rows for people (aligned columns) or for programs (NDJSON), from the same calls. */
#ifndef MR_BROKER_TABLE_H
#define MR_BROKER_TABLE_H

#include "text/json.h"

struct mr_column {
    const char *title; /* NULL: not shown to people */
    const char *key;   /* of the JSON object; NULL: only for people */
    int right;         /* aligned to the right */
};

struct mr_table {
    const struct mr_column *columns;
    size_t column_cnt, at;
    const char *kind; /* "kind" of every JSON object; NULL: none */
    struct mr_json json;
    int as_json, bold;
    char **cells; /* of those columns that have a title */
    size_t cell_cnt, cell_cap;
    int failed; /* no memory */
};

/* mr_table_begin starts a table; bold: the titles. Then come the cells, row by row, one call each; then mr_table_end writes it
 * all to stdout. */
void mr_table_begin(struct mr_table *table, const struct mr_column *columns, size_t column_cnt, const char *kind, int as_json,
                    int bold);

void mr_table_text(
    struct mr_table *table,
    const char *text); /* control characters are escaped (mr_shown); NULL: "-", null */
void mr_table_count(struct mr_table *table, uint64_t number);
void mr_table_bytes(struct mr_table *table, uint64_t bytes); /* people: "16 MiB" */
void mr_table_ns(struct mr_table *table, uint64_t ns);       /* people: "1.2 ms" */
void mr_table_percent(struct mr_table *table, uint64_t percent); /* people: "98 %" */
void mr_table_time(struct mr_table *table, uint64_t ts_ns);  /* people: ISO 8601; programs: ns since 1970; 0: "-", null */
void mr_table_bool(struct mr_table *table, int truth);

/* mr_table_clear drops the rows that people would see. */
void mr_table_clear(struct mr_table *table);
/* mr_table_end writes the table, without titles when it has no rows, and frees it. Returns the number of rows, or -ENOMEM. */
int mr_table_end(struct mr_table *table);

#endif
