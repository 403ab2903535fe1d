/* geometry.h - where things lie in a topic's segment, computed from the counts alone, so that
 * attach can check what the header says. */
#ifndef COMMON_CORE_GEOMETRY_H
#define COMMON_CORE_GEOMETRY_H

#include "layout.h"

struct mr_geometry {
    uint64_t producers, members, groups, parts, logs, index, sources, control_bytes, ring_bytes,
        total_bytes;
    uint32_t index_cnt;
};

/* mr_round_up returns the lowest multiple of `to` that is not below n. */
uint64_t mr_round_up(uint64_t n, uint64_t to);
/* mr_geometry_of computes the geometry of a topic with these settings, whose partitions have
 * ring_bytes each, a multiple of the page size `page`. Pure. */
struct mr_geometry mr_geometry_of(uint32_t partition_cnt, uint64_t ring_bytes, uint64_t page);
/* mr_settings_bad: 1 if a topic cannot have these settings, all of which are filled in; else 0. */
int mr_settings_bad(const struct mr_settings *settings);
/* mr_records_per_partition: how many records may wait in each partition, rounded down; 0 no
 * bound. */
uint64_t mr_records_per_partition(const struct mr_settings *settings, uint32_t partition_cnt);

#endif
