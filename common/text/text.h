/* text.h - words to numbers and back, for options, specifications and messages. Pure functions;
 * nothing is printed or kept. */
#ifndef COMMON_TEXT_TEXT_H
#define COMMON_TEXT_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* All parsers take the whole string or refuse it: 0; -EINVAL not of the form; -ERANGE too large.
 * *out is untouched on failure. */

/* text_size: "4096", "64k", "16M", "1.5G", "1T" in steps of 1024 (an "iB" or "B" may follow).
 * Bytes, in [0, 2^62]. */
int text_size(const char *text, uint64_t *bytes);
/* text_count: "1000", "10k", "2.5M", "1G" in steps of 1000. */
int text_count(const char *text, uint64_t *count);
/* text_duration: "250ms", "10us", "5s", "1.5m", "2h", "3d"; a bare number is seconds. Nanoseconds,
 * in [0, 2^62]. */
int text_duration(const char *text, int64_t *ns);

/* text_bytes, text_ns write a short form for people ("16 MiB", "1.2 ms") into buf and return it. */
const char *text_bytes(char buf[static 32], uint64_t bytes);
const char *text_ns(char buf[static 32], uint64_t ns);
/* text_grouped writes a number with its thousands apart: "1,234,567". */
const char *text_grouped(char buf[static 32], uint64_t number);
/* text_time writes CLOCK_REALTIME nanoseconds as ISO 8601 UTC with milliseconds:
 * "2026-11-21T03:36:31.123Z". */
const char *text_time(char buf[static 32], uint64_t ts_ns);

/* text_hash mixes bytes into h. Each step is one to one, so a change of one byte always shows. */
uint64_t text_hash(uint64_t h, const void *bytes, size_t len);

/* text_printable writes text for a terminal: control characters (C0, DEL, C1) and bytes that are no
 * UTF-8 become \n, \r, \t or \xHH; everything else stays as it is. So a name, a key or a header can
 * neither move the cursor nor begin a line. The same without a terminal: a message reads alike
 * everywhere.
 *   out   gets at most cap bytes (cap >= 1), the NUL included; what does not fit is cut, never
 *         inside a character or an escape; 4 * len + 1 bytes are always enough
 * Returns how many bytes were written, without the NUL. */
size_t text_printable(char *out, size_t cap, const char *text, size_t len);

/* text_suggest finds the candidate (NULL-terminated array) nearest to word by optimal string
 * alignment distance, at most a third of the word's length away (at least 1, but nothing is near to
 * a single letter). Returns NULL when none is near. */
const char *text_suggest(const char *word, const char *const *candidates);

#endif
