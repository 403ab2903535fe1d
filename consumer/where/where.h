/* where.h - the expressions of --where: compiled once, bound to the columns of each topic, then
 * evaluated for each record.
 *
 *     expression = term { "||" term }
 *     term = factor { "&&" factor }
 *     factor = "!" factor | "(" expression ")" | test
 *     test = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=") operand | "~" string ]
 *     operand = number | "@" time | string | null | true | false | name { "." name }
 *
 * A name is a column, or a member of a value that is a JSON object, or what an envelope of -J
 * has: topic, partition, offset, ts, key, headers.NAME, try, value; behind "value." or in
 * backticks it is a column or member whatever it is called. Two operands that both look like
 * numbers, and are not strings of the expression, are compared as numbers, exactly; all others
 * byte by byte. A field, member, header or key that does not exist is null, as JSON's null is:
 * equal to null, and to nothing else; all other comparisons with it are false. */
#ifndef CONSUMER_WHERE_WHERE_H
#define CONSUMER_WHERE_WHERE_H

#include "consumer/format/columns.h"
#include "millrace.h"

struct where;
struct where_bound;

struct where_fault {
    size_t at; /* byte of the expression; its length: more was expected */
    char reason[COLUMNS_MISSING];
};

/* where_compile. Returns 0 with *out (where_free frees it); -EINVAL with *fault; -ENOMEM. */
int where_compile(const char *text, struct where **out, struct where_fault *fault);
void where_free(struct where *where); /* NULL is allowed, here and in where_unbind */

/* where_names: 1 if it names a column or member, so that the columns must be looked for before it
 * is bound. */
int where_names(const struct where *where);

/* where_bind finds the columns that it names. columns->line NULL: the topic has none, and names are
 * members of JSON objects.
 * Returns  0 with *out; -ENOENT no such column, with *fault (what was meant included); -ENOMEM.
 * Owns     nothing of columns afterwards. */
int where_bind(const struct where *where, const struct columns *columns, struct where_bound **out,
               struct where_fault *fault);
void where_unbind(struct where_bound *bound);

/* where_match: 1 the record passes; 0 it does not; -ENOMEM; -EOVERFLOW that depends on a member
 * of a value that is JSON nested deeper than JS_DEPTH_MAX, which is not looked into.
 *   topic  its name
 * Memory  is taken only for a field or string with quotes or escapes in it that is longer than all
 *         before.
 * Safe    one thread at a time for each bound. */
int where_match(const struct where *where, struct where_bound *bound, const char *topic,
                const struct mr_record *record);

/* where_strangers: how many records so far had no JSON object as their value, though the expression
 * names members and there are no columns. */
uint64_t where_strangers(const struct where_bound *bound);

/* where_point writes the part of the expression around fault->at, and below it a caret, as two
 * indented lines. Returns buf. */
const char *where_point(char buf[static 256], const char *text, const struct where_fault *fault);

#endif
