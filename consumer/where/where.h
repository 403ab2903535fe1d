/* where.h - the expressions of --where: compiled once, bound to the columns of each topic, then asked for each record.
 *
 *     expression = term { "||" term }      term = factor { "&&" factor }      factor = "!" factor | "(" expression ")" | test
 *     test = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=") operand | "~" string ]
 *     operand = number | "@" time | string | null | true | false | name { "." name }
 *
 * A name is a column, or a member of a value that is a JSON object, or what an envelope of -J has: topic, partition, offset, ts, key,
 * headers.NAME, try, value; behind "value." or in backticks it is a column or member whatever it is called. Two operands that both look like
 * numbers, and are not strings of the expression, are compared as numbers, exactly; all others byte by byte. What is not there (a field that a
 * short row lacks, a member, a key) and JSON's null are equal to null, and to nothing else; all other comparisons with it are false. */
#ifndef CONSUMER_WHERE_H
#define CONSUMER_WHERE_H

#include "consumer/format/columns.h"
#include "millrace.h"

struct mr_where;
struct mr_where_bound;

struct mr_where_fault {
    size_t at; /* byte of the expression; its length: more was expected */
    char reason[MR_COLUMNS_MISSING];
};

/* mr_where_compile. Returns 0 with *out (mr_where_free frees it); -EINVAL with *fault; -ENOMEM. */
int mr_where_compile(const char *text, struct mr_where **out, struct mr_where_fault *fault);
void mr_where_free(struct mr_where *where); /* NULL is allowed, here and in mr_where_unbind */

/* mr_where_names: 1 if it names a column or member, so that the columns must be looked for before it is bound. */
int mr_where_names(const struct mr_where *where);

/* mr_where_bind finds the columns that it names. columns->line NULL: the topic has none, and names are members of JSON objects.
 * Returns  0 with *out; -ENOENT no such column, with *fault (what was meant included); -ENOMEM.
 * Owns     nothing of columns afterwards. */
int mr_where_bind(const struct mr_where *where, const struct mr_columns *columns, struct mr_where_bound **out,
                  struct mr_where_fault *fault);
void mr_where_unbind(struct mr_where_bound *bound);

/* mr_where_match: 1 the record passes; 0 it does not; -ENOMEM; -EOVERFLOW that depends on a member
 * of a value that is JSON nested deeper than MR_JSON_DEPTH_MAX, which is not looked into.
 *   topic  its name
 * Memory  is taken only for a field or string with quotes or escapes in it that is longer than all
 *         before.
 * Safe    one thread at a time for each bound. */
int mr_where_match(const struct mr_where *where, struct mr_where_bound *bound, const char *topic, const struct mr_record *record);

/* mr_where_strangers: how many records so far had no JSON object as their value, though the expression names members and there are no columns. */
uint64_t mr_where_strangers(const struct mr_where_bound *bound);

/* mr_where_point writes the part of the expression around fault->at, and below it a caret, as two indented lines. Returns buf. */
const char *mr_where_point(char buf[static 256], const char *text, const struct mr_where_fault *fault);

#endif
