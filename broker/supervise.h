/* supervise.h - a serving broker keeps the topics of its bus open and watches its clients for
 * their death. It has no state beyond the segments: if it is killed, the next broker finds
 * everything there. */
#ifndef BROKER_SUPERVISE_H
#define BROKER_SUPERVISE_H

#include "core/client.h"
#include "core/lifecycle.h"
#include "core/reap.h"

struct supervision;

/* supervise_open adopts a bus: opens every topic, hands on what dead clients held, watches the live
 * ones.
 *   bus      served by this process
 *   epoll    gets one pidfd per live client; its events carry tag + slot in data.u64
 *   spare_fds  descriptors, out of the process's limit, that are not for pidfds
 *   held_up  the bus's on_wait sets it when it gives up on a lock whose holder is stopped: the tick
 *            then tries again
 * Returns  0 or a negative errno. */
int supervise_open(struct mr_bus *bus, int epoll, uint64_t tag, int spare_fds, int *held_up,
                   struct supervision **out);

/* supervise_topics opens new topics and closes removed ones, by the file of every topic.
 * supervise_topic does so for one that was just created. */
void supervise_topics(struct supervision *keep);
void supervise_topic(struct supervision *keep, const char *name);

/* supervise_client inspects one client slot: starts to watch a new client, and reaps a dead one,
 * whose claims go to others.
 *   ended    its pidfd has fired */
void supervise_client(struct supervision *keep, uint32_t slot, int ended);

/* Call supervise_linger at supervise_due_ns (CLOCK_MONOTONIC; UINT64_MAX: never): a process has
 * ended, but its lock is still held. */
uint64_t supervise_due_ns(const struct supervision *keep);
void supervise_linger(struct supervision *keep);

/* supervise_tick, once a second, finds what was not reported: topics that others created or
 * deleted, or whose file is gone, and changes in all client slots. */
void supervise_tick(struct supervision *keep);

/* supervise_waited_for: 1 while attached consumers have unacknowledged records, or if that is
 * unknown; else 0. records: the number known. */
int supervise_waited_for(const struct supervision *keep, uint64_t *records);

/* supervise_empty: 1 if the bus has no topics and no clients except this one. */
int supervise_empty(const struct supervision *keep);

/* supervise_finish removes finished topics, and reports which it keeps and why. Returns the
 * number kept. */
size_t supervise_finish(struct supervision *keep);

void supervise_close(struct supervision *keep); /* NULL is allowed */

#endif
