/* clock.h - clocks, and texts stored as words. */
#ifndef COMMON_CORE_CLOCK_H
#define COMMON_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Names are stored as words, so that reading one while it changes is no data race. */
void mr_words_store(_Atomic uint64_t *words, size_t word_cnt, const char *text);

/* text: 8 * word_cnt bytes, terminated */
void mr_words_load(const _Atomic uint64_t *words, size_t word_cnt, char *text);

uint64_t mr_now_ns(void); /* CLOCK_MONOTONIC */

/* the same clock as it was at the last tick, at most 10 ms ago: 5 ns instead of 22 */
uint64_t mr_about_ns(void);

uint64_t mr_wall_ns(void); /* CLOCK_REALTIME */

#endif
