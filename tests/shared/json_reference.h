/* json_reference.h - what becomes of bytes and rows in JSON, one byte at a time, as the rules read:
 * for tests to compare with. */
#ifndef TESTS_SHARED_JSON_REFERENCE_H
#define TESTS_SHARED_JSON_REFERENCE_H

#include <stddef.h>

/* json_reference_escape writes what js_escape does, at most six bytes for each. Returns the
 * length. */
size_t json_reference_escape(char *to, const char *bytes, size_t len);

/* json_reference_object writes the row as an object. Its columns are called by one letter each,
 * from "a" on; fields beyond them are in "_extra". Returns the length. */
enum {
    JSON_REFERENCE_QUOTES = 1,  /* quotes mean something */
    JSON_REFERENCE_NUMBERS = 2, /* numbers are not strings */
};
size_t json_reference_object(char *to, size_t columns, const char *row, size_t len, char sep,
                             unsigned flags);

#endif
