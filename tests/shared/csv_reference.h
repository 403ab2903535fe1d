/* csv_reference.h - what csv_row has to find, one byte at a time, as the rules read: for tests to
 * compare with. */
#ifndef TESTS_SHARED_CSV_REFERENCE_H
#define TESTS_SHARED_CSV_REFERENCE_H

#include "text/csv.h"

/* csv_reference_row is csv_row for at < len with last set: there is always a row. */
void csv_reference_row(const char *buf, size_t len, size_t at, char sep, struct csv_row *row);

#endif
