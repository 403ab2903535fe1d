/* murmur2.h - MurmurHash2 (Austin Appleby, public domain), 32 bits, with the seed and the byte
 * order of Kafka's Java client. */
#ifndef COMMON_CORE_MURMUR2_H
#define COMMON_CORE_MURMUR2_H

#include <stddef.h>
#include <stdint.h>

/* mr_murmur2 returns the hash of len bytes. Pure. */
uint32_t mr_murmur2(const void *data, size_t len);

#endif
