/* histogram.h - how often which duration occurred, in constant memory, with a relative error of at
 * most 1/32 (about 3 %).
 *
 * Log-linear buckets: each power of two is cut into 32 equal parts, as in Gil Tene's HdrHistogram
 * (http://hdrhistogram.org). */
#ifndef CONSUMER_HISTOGRAM_H
#define CONSUMER_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_PARTS_LOG2 = 5,
    HISTOGRAM_PARTS = 1 << HISTOGRAM_PARTS_LOG2,
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_PARTS_LOG2 + 1) * HISTOGRAM_PARTS,
};

struct histogram {
    uint64_t cnt; /* values added */
    uint64_t max;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* Values below 32 have a bucket each; above, the index is the power of two and the five bits below
 * the leading one. */
static inline unsigned histogram_idx(uint64_t value)
{
    if (value < HISTOGRAM_PARTS)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_PARTS_LOG2;
    return (shift << HISTOGRAM_PARTS_LOG2) + (unsigned)(value >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->bucket[histogram_idx(value)]++;
    histogram->cnt++;
    if (value > histogram->max)
        histogram->max = value;
}

/* histogram_quantile returns a value that the fraction q, in [0, 1], of all values does not exceed
 * (up to the error above, and never more than the largest value added); 0 when there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double q);

#endif
