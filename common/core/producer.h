/* producer.h - a producer's handle from inside. */
#ifndef COMMON_CORE_PRODUCER_H
#define COMMON_CORE_PRODUCER_H

#include "cancel.h"
#include "log_append.h"

struct mr_producer {
    struct mr_topic *topic;
    uint32_t slot;
    uint64_t serial; /* our slot's serial: tells whether it is still ours */
    uint64_t source;
    struct mr_append_cursor *cursors; /* per partition */
    uint32_t run_partition;           /* where keyless records go now, */
    uint64_t run_bytes;               /* and how many bytes went there in this run */
    uint32_t *order;                  /* indices of a batch sorted by partition */
    size_t order_cap;
    _Atomic int cancelled; /* by mr_producer_cancel, until a wait has ended by it */
    struct mr_producer_stats stats;
};

/* mr_producer_slot returns the index of the producer's slot in its topic; mr_producer_serial the
 * number that no other handle of the topic ever has; mr_producer_topic its topic. */
uint32_t mr_producer_slot(const struct mr_producer *producer);
uint64_t mr_producer_serial(const struct mr_producer *producer);
struct mr_topic *mr_producer_topic(const struct mr_producer *producer);

#endif
