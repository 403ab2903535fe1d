/* clock.c - see clock.h. */
#include "clock.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

uint64_t mr_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t mr_about_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t mr_wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void mr_words_store(_Atomic uint64_t *words, size_t word_cnt, const char *text)
{
    size_t len = strnlen(text, 8 * word_cnt - 1);
    for (size_t i = 0; i < word_cnt; i++) {
        uint64_t word = 0;
        if (8 * i < len)
            memcpy(&word, text + 8 * i, len - 8 * i < 8 ? len - 8 * i : 8);
        atomic_store_explicit(&words[i], word, memory_order_relaxed);
    }
}

void mr_words_load(const _Atomic uint64_t *words, size_t word_cnt, char *text)
{
    for (size_t i = 0; i < word_cnt; i++) {
        uint64_t word = atomic_load_explicit(&words[i], memory_order_relaxed);
        memcpy(text + 8 * i, &word, 8);
    }
    text[8 * word_cnt - 1] = '\0';
}
