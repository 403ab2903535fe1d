/* geometry.c - see geometry.h. */
#include "geometry.h"

uint64_t mr_round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

struct mr_geometry mr_geometry_of(uint32_t partition_cnt, uint64_t ring_bytes, uint64_t page)
{
    struct mr_geometry g = {.ring_bytes = ring_bytes,
                            .index_cnt =
                                (uint32_t)((ring_bytes + MR_INDEX_STEP - 1) / MR_INDEX_STEP + 1)};
    g.producers = mr_round_up(sizeof(struct mr_topic_shm), 64);
    g.members = g.producers + (uint64_t)MR_PRODUCERS * sizeof(struct mr_producer_shm);
    g.groups = g.members + (uint64_t)MR_MEMBERS * sizeof(struct mr_member_shm);
    g.logs = g.groups + (uint64_t)MR_GROUP_SLOTS * sizeof(struct mr_group_shm);
    g.parts = g.logs + (uint64_t)partition_cnt * sizeof(struct mr_log_shm);
    g.index = g.parts + (uint64_t)MR_GROUP_SLOTS * partition_cnt * sizeof(struct mr_group_part_shm);
    g.sources = g.index + (uint64_t)partition_cnt * g.index_cnt * sizeof(struct mr_index_shm);
    g.control_bytes = mr_round_up(
        g.sources + (uint64_t)partition_cnt * MR_SOURCES * sizeof(struct mr_source_shm), page);
    /* the columns' room is a hole until used */
    g.total_bytes = g.control_bytes + (uint64_t)partition_cnt * ring_bytes + MR_COLUMNS_MAX;
    return g;
}

int mr_settings_bad(const struct mr_settings *s)
{
    return s->size_bytes < MR_SIZE_MIN || s->size_bytes > MR_SIZE_MAX || s->partitions < 1 ||
           s->partitions > MR_PARTITIONS_MAX || s->full < MR_FULL_BLOCK || s->full > MR_FULL_FAIL ||
           s->tries < 1 || s->tries > 1000 || s->records_max > (uint64_t)1 << 48 ||
           (s->records_max && s->records_max < s->partitions) ||
           (s->record_max_bytes && s->record_max_bytes < MR_RECORD_OVERHEAD) ||
           (s->mode & ~0777u) || (s->mode & 0600) != 0600;
}

uint64_t mr_records_per_partition(const struct mr_settings *s, uint32_t partition_cnt)
{
    return s->records_max / partition_cnt;
}
