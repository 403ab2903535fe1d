/* supervise.h - what a serving broker looks after: the topics of its bus, held open, and the
 * clients, watched for their death.
 * It keeps no state that the segments do not have: kill it, and the next one finds everything
 * there. */
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

/* supervise_topics opens topics that have appeared and closes those that are gone: it looks at
 * every topic's file. supervise_topic looks at one that has just been made. */
void supervise_topics(struct supervision *keep);
void supervise_topic(struct supervision *keep, const char *name);

/* supervise_client looks at one client slot: starts to watch a new client, and buries a dead one,
 * whose claims go on to others.
 *   ended    its pidfd has fired */
void supervise_client(struct supervision *keep, uint32_t slot, int ended);

/* supervise_linger is to be called at supervise_due_ns (CLOCK_MONOTONIC; UINT64_MAX: not at all): a
 * process has ended, but not its lock. */
uint64_t supervise_due_ns(const struct supervision *keep);
void supervise_linger(struct supervision *keep);

/* supervise_tick is the backstop, once a second: topics that others created or deleted, or whose
 * file is gone, all client slots. */
void supervise_tick(struct supervision *keep);

/* supervise_waited_for: 1 while attached consumers still have to take records, or that cannot be
 * told; else 0. records: as many as are known. */
int supervise_waited_for(const struct supervision *keep, uint64_t *records);

/* supervise_empty: 1 when the bus has neither topics nor clients (but this one). */
int supervise_empty(const struct supervision *keep);

/* supervise_finish removes the topics that owe nothing, and says which it keeps and why. Returns
 * how many it keeps. */
size_t supervise_finish(struct supervision *keep);

void supervise_close(struct supervision *keep); /* NULL is allowed */

#endif
