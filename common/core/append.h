/* append.h - a producer's handle from inside, for move.c. */
#ifndef COMMON_CORE_APPEND_H
#define COMMON_CORE_APPEND_H

#include "millrace.h"

/* mr_producer_slot: the index of the producer's slot in its topic. mr_producer_serial: the number
 * that no other handle of the topic ever has. */
uint32_t mr_producer_slot(const struct mr_producer *producer);
uint64_t mr_producer_serial(const struct mr_producer *producer);
struct mr_topic *mr_producer_topic(const struct mr_producer *producer);

/* mr_append_place gives all messages the partition of the first. Returns 0, or why they cannot be
 * appended at once: errors of mr_producer_append. */
int mr_append_place(struct mr_producer *producer, struct mr_message *msgs, size_t n);
/* mr_producer_append_whole appends what mr_append_place has placed, in one publication. Returns 0;
 * or errors of mr_producer_append, and then nothing was appended. */
int mr_producer_append_whole(struct mr_producer *producer, struct mr_message *msgs, size_t n,
                             int64_t timeout_ns);

#endif
