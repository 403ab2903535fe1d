/* sized.c - see sized.h. */
#include "sized.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define SIZE_LIMIT 4096u /* no struct of ours comes near it; an address or a time is larger */

/* A gap at the end would be taken for a member that comes to lie there. */
#define NO_GAP(type, last)                                                                         \
    static_assert(sizeof(struct type) == MR_SIZED(struct type, last), "a gap after its last "      \
                                                                      "member")
NO_GAP(mr_connect_options, stop);
NO_GAP(mr_broker_options, args);
NO_GAP(mr_client_info, since_ns);
NO_GAP(mr_settings, mode);
NO_GAP(mr_topic_info, damaged);
NO_GAP(mr_partition_info, last_ts_ns);
NO_GAP(mr_group_info, lost);
NO_GAP(mr_group_partition_info, lag);
NO_GAP(mr_member_info, acked);
NO_GAP(mr_producer_info, blocked_ns);
NO_GAP(mr_producer_options, source);
NO_GAP(mr_producer_stats, blocked_ns);
NO_GAP(mr_consumer_options, tries);
NO_GAP(mr_consumer_stats, parked);

static size_t size_of(const void *its, size_t first)
{
    size_t size;
    memcpy(&size, its, sizeof size);
    return size ? size : first;
}

int mr_sized_check(const void *its, size_t first)
{
    size_t size = size_of(its, first);
    return size < first || size > SIZE_LIMIT ? -EINVAL : 0;
}

int mr_sized_read(void *own, size_t own_size, const void *its, size_t first)
{
    memset(own, 0, own_size);
    if (!its)
        return 0;
    int error = mr_sized_check(its, first);
    if (error)
        return error;
    size_t size = size_of(its, first);
    for (size_t i = own_size; i < size; i++)
        if (((const unsigned char *)its)[i])
            return -EINVAL;
    memcpy(own, its, size < own_size ? size : own_size);
    return 0;
}

void mr_sized_write(void *its, const void *own, size_t own_size, size_t first)
{
    size_t size = size_of(its, first), known = size < own_size ? size : own_size;
    unsigned char *to = its;
    memcpy(to + sizeof(size_t), (const unsigned char *)own + sizeof(size_t),
           known - sizeof(size_t));
    memset(to + known, 0, size - known);
}
