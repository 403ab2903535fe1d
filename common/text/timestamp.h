/* timestamp.h - points in time as files and users write them, into nanoseconds since 1970. There is
 * one parser, so that a date that does not exist (30 February) is refused everywhere. Pure but for
 * timestamp_parse_local; no locale. */
#ifndef COMMON_TEXT_TIMESTAMP_H
#define COMMON_TEXT_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

/* timestamp_parse reads all of text, blanks around it aside.
 *   ISO 8601  2026-11-21T10:15:30.123456789+01:00, also with a blank for the T, without seconds,
 *             without the time (midnight), without the separators (20261121T101530Z), a comma
 *             before the fraction. Zones: Z, UTC, GMT, +HH, +HHMM, +HH:MM; none is UTC. A leap
 *             second (:60) is the one after it. Digits past the ninth of a fraction are cut off.
 *   epoch     a number: seconds below 10^11, milliseconds below 10^14, microseconds below 10^17,
 *             else nanoseconds; a sign and a fraction may be.
 * Returns 0; -EINVAL not a time; -ERANGE before 1678 or after 2262. *ns is untouched on failure. */
int timestamp_parse(const char *text, size_t len, int64_t *ns);
/* timestamp_read is the same and says how it is meant: *zoned is 1 for a number or with a zone,
 * else 0. */
int timestamp_read(const char *text, size_t len, int64_t *ns, int *zoned);
/* timestamp_parse_local is the same, but without a zone it is local time (TZ). A time that
 * clocks show twice, when they are put back, is the first of the two; one that they never show,
 * when they are put forward, does not exist: -EINVAL. */
int timestamp_parse_local(const char *text, size_t len, int64_t *ns);

#endif
