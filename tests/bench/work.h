/* work.h - what is done with every record of a measurement, whatever carries it: its producer
 * writes all of its bytes, with a number in front; its consumer reads all of them and is given the
 * number, to check it. */
#ifndef TESTS_BENCH_WORK_H
#define TESTS_BENCH_WORK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void work_fill(void *record, size_t size, uint64_t number)
{
    memset(record, (int)(number & 0xff), size);
    memcpy(record, &number, sizeof number);
}

static inline uint64_t work_read(const void *record, size_t size)
{
    const char *bytes = (const char *)record;
    uint64_t number, word, sum = 0;
    memcpy(&number, bytes, sizeof number);
    for (size_t i = 0; i + sizeof word <= size; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        sum += word;
    }
    __asm__ volatile("" : : "r"(sum)); /* or the compiler would not read */
    return number;
}

#endif
