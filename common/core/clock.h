/* clock.h - clocks, and texts stored as words. */
#ifndef COMMON_CORE_CLOCK_H
#define COMMON_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* mr_words_store stores a text as word_cnt words, cut to 8 * word_cnt - 1 bytes: so that reading a
 * name while it changes is no data race. Order: relaxed. */
void mr_words_store(_Atomic uint64_t *words, size_t word_cnt, const char *text);

/* mr_words_load reads it: text has room for 8 * word_cnt bytes, and is terminated. */
void mr_words_load(const _Atomic uint64_t *words, size_t word_cnt, char *text);

/* mr_now_ns: CLOCK_MONOTONIC, in ns. */
uint64_t mr_now_ns(void);

/* mr_about_ns: the same clock as it was at the last tick, at most 10 ms ago: 5 ns instead of 22. */
uint64_t mr_about_ns(void);

/* mr_wall_ns: CLOCK_REALTIME, in ns; it may jump. */
uint64_t mr_wall_ns(void);

#endif
