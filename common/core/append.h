/* append.h - what move.c appends. */
#ifndef COMMON_CORE_APPEND_H
#define COMMON_CORE_APPEND_H

#include "millrace.h"

/* mr_append_assign assigns all messages the partition of the first. n >= 1. Returns 0; or why they
 * cannot be appended at once: -EMSGSIZE too many or too long, or errors of mr_producer_append. */
int mr_append_assign(struct mr_producer *producer, struct mr_message *msgs, size_t n);
/* mr_producer_append_whole appends what mr_append_assign has prepared, in one publication.
 *   timeout_ns  how long to wait for room; 0: not; < 0: without end
 * Returns  0; -EAGAIN, -ETIMEDOUT no room; or errors of mr_producer_append. On error nothing was
 *          appended.
 * Killed   as in mr_log_append: all of them or none. */
int mr_producer_append_whole(struct mr_producer *producer, struct mr_message *msgs, size_t n,
                             int64_t timeout_ns);

#endif
