/* murmur2.c - see murmur2.h. */
#include "murmur2.h"
#include "millrace.h"

uint32_t mr_murmur2(const void *data, size_t len)
{
    const unsigned char *at = data;
    const uint32_t m = 0x5bd1e995;
    uint32_t h = 0x9747b28cu ^ (uint32_t)len;
    for (; len >= 4; at += 4, len -= 4) {
        uint32_t k =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        k *= m;
        k ^= k >> 24;
        k *= m;
        h = h * m ^ k;
    }
    if (len >= 3)
        h ^= (uint32_t)at[2] << 16;
    if (len >= 2)
        h ^= (uint32_t)at[1] << 8;
    if (len >= 1)
        h = (h ^ at[0]) * m;
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}

uint32_t mr_partition_for(const void *key, size_t key_len, uint32_t partitions)
{
    /* Kafka clears the sign bit, it does not negate */
    return partitions > 1 ? (mr_murmur2(key, key_len) & 0x7fffffffu) % partitions : 0;
}
