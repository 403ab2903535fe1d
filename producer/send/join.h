/* join.h - --join after --resume: the wait until every group has acknowledged what was sent, also
 * by processes that were killed. */
#ifndef PRODUCER_SEND_JOIN_H
#define PRODUCER_SEND_JOIN_H

#include "millrace.h"
#include <stdint.h>

/* join_all waits for all that the topic has when it is called, and while no group exists, for one.
 * mr_producer_join waits for what one handle has sent; with --resume that is not enough: what an
 * earlier process has sent before it was killed counts too, and no handle knows where it is.
 * Returns 0; -ETIMEDOUT; -EINTR when a signal has asked to stop; -EIDRM, -EIO. Says after half a
 * second what it waits for. */
int join_all(const struct mr_topic *topic, int64_t timeout_ns);

#endif
