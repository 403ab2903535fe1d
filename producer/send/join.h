/* join.h - --join after --resume: waits until every group has acknowledged what was sent, also
 * by killed processes. */
#ifndef PRODUCER_SEND_JOIN_H
#define PRODUCER_SEND_JOIN_H

#include "millrace.h"
#include <stdint.h>

/* join_all waits for all records that the topic has when it is called, and for a group if there
 * is none. mr_producer_join waits for the records of one handle; with --resume the records that
 * an earlier process sent before it was killed count too, and no handle knows them. Returns 0;
 * -ETIMEDOUT; -EINTR when a signal has asked to stop; -EIDRM, -EIO. After half a second it
 * reports what it waits for. */
int join_all(const struct mr_topic *topic, int64_t timeout_ns);

#endif
