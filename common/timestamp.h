/* timestamp.h - points in time as files write them, into nanoseconds since 1970. Pure; no time zone data, no locale. */
#ifndef MR_TIMESTAMP_H
#define MR_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

/* mr_timestamp_parse reads all of text, blanks around it aside.
 *   ISO 8601  2026-11-21T10:15:30.123456789+01:00, also with a blank for the T, without seconds, without the time (midnight), without the
 *             separators (20261121T101530Z), a comma before the fraction. Zones: Z, UTC, GMT, +HH, +HHMM, +HH:MM; none is UTC. A leap second
 *             (:60) is the one after it. Digits past the ninth of a fraction are cut off.
 *   epoch     a number: seconds below 10^11, milliseconds below 10^14, microseconds below 10^17, else nanoseconds; a sign and a fraction may be.
 * Returns 0; -EINVAL not a time; -ERANGE before 1678 or after 2262. *ns is untouched on failure. */
int mr_timestamp_parse(const char *text, size_t len, int64_t *ns);

#endif
