/* json_reference.h - what becomes of bytes and rows in JSON, one byte at a time, as the rules read:
 * for tests to compare with. */
#ifndef TESTS_SHARED_JSON_REFERENCE_H
#define TESTS_SHARED_JSON_REFERENCE_H

#include <stddef.h>

/* json_reference_escape writes what js_escape does, at most six bytes for each. Returns the
 * length. */
size_t json_reference_escape(char *to, const char *bytes, size_t len);

/* json_reference_object writes the row as an object, its columns being called by one letter each,
 * from "a" on; what are too many
 * are "_extra". quotes   mean something      numbers   are not strings Returns the length. */
size_t json_reference_object(char *to, size_t columns, const char *row, size_t len, char sep,
                             int quotes, int numbers);

#endif
