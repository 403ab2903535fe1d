#include "histogram.h"

/* The middle of a bucket's range. */
static uint64_t value_of(unsigned idx)
{
    if (idx < 2 * HISTOGRAM_PARTS)
        return idx; /* buckets as narrow as the numbers */
    unsigned shift = (idx >> HISTOGRAM_PARTS_LOG2) - 1;
    uint64_t low = (uint64_t)(idx - (shift << HISTOGRAM_PARTS_LOG2)) << shift;
    return low + ((uint64_t)1 << shift) / 2;
}

uint64_t histogram_quantile(const struct histogram *histogram, double q)
{
    if (histogram->cnt == 0)
        return 0;
    uint64_t rank = (uint64_t)(q * (double)histogram->cnt + 0.5), seen = 0;
    if (rank < 1)
        rank = 1;
    for (unsigned idx = 0; idx < HISTOGRAM_BUCKETS; idx++) {
        seen += histogram->bucket[idx];
        if (seen >= rank) {
            uint64_t value = value_of(idx);
            return value < histogram->max ? value : histogram->max;
        }
    }
    return histogram->max;
}
