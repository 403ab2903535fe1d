/* into.h - --into: the output of a command becomes records of another topic, in one step with the
 * acknowledgement of its input. */
#ifndef CONSUMER_COMMAND_INTO_H
#define CONSUMER_COMMAND_INTO_H

#include "workers.h"

/* into_open opens the topic, which the broker creates if it does not exist, and attaches the first
 * worker to it. Returns 0, else an exit status, with a message. */
int into_open(struct workers *workers, struct worker *first);

/* into_append appends the worker's output, a record a line, and acknowledges the consumer's
 * records, or does neither. Without output it only acknowledges.
 *   like     whose key and headers the records get; NULL: none
 * Returns  0; a negative errno, with reason filled in: -EMSGSIZE one line, or all together, is too
 *          large for the topic; -EINTR; -EPIPE sealed; -EIDRM; -EAGAIN full, and full=fail;
 *          -ENOMEM; errors of mr_consumer_ack.
 * Blocks   while the topic is full. */
int into_append(struct worker *worker, struct mr_consumer *consumer, const struct mr_record *like,
                char *reason, size_t cap);

#endif
