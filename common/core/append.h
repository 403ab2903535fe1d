/* append.h - what move.c appends. */
#ifndef COMMON_CORE_APPEND_H
#define COMMON_CORE_APPEND_H

#include "millrace.h"

/* mr_append_assign gives all messages the partition of the first. Returns 0, or why they cannot be
 * appended at once: errors of mr_producer_append. */
int mr_append_assign(struct mr_producer *producer, struct mr_message *msgs, size_t n);
/* mr_producer_append_whole appends what mr_append_assign has placed, in one publication. Returns 0;
 * or errors of mr_producer_append, and then nothing was appended. */
int mr_producer_append_whole(struct mr_producer *producer, struct mr_message *msgs, size_t n,
                             int64_t timeout_ns);

#endif
