/* fuzz.h - what all fuzzers share: the entry point of libFuzzer, and how they say that a promise
 * was broken. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input, taken apart from its front; what is missing at its end is 0. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint64_t fuzz_take(struct fuzz_input *in, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes && in->left; i++, in->left--)
        value |= (uint64_t)*in->at++ << 8 * i;
    return value;
}

/* fuzz_string copies what is left of the input, at most max bytes, into a string of its own that
 * ends where it ends (free it). */
static inline char *fuzz_string(struct fuzz_input *in, size_t max)
{
    size_t len = in->left < max ? in->left : max;
    MUST(len < SIZE_MAX);
    char *text = malloc(len + 1);
    MUST(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)in->at[i];
    text[len] = '\0';
    in->at += len;
    in->left -= len;
    return text;
}

#endif
