/* supervise.h - what a serving broker looks after: the topics of its bus, held open, and the clients, watched for their death.
 * It keeps no state that the segments do not have: kill it, and the next one finds everything there. */
#ifndef MR_BROKER_KEEP_H
#define MR_BROKER_KEEP_H

#include "core/client.h"
#include "core/topic.h"

struct mr_keep;

/* mr_keep_open adopts a bus: opens every topic, hands on what dead clients held, watches the live ones.
 *   bus      served by this process
 *   epoll    gets one pidfd per live client; its events carry tag + slot in data.u64
 *   spare_fds  descriptors, out of the process's limit, that are not for pidfds
 *   held_up  the bus's on_wait sets it when it gives up on a lock whose holder is stopped: the tick then tries again
 * Returns  0 or a negative errno. */
int mr_keep_open(struct mr_bus *bus, int epoll, uint64_t tag, int spare_fds, int *held_up, struct mr_keep **out);

/* mr_keep_topics opens topics that have appeared and closes those that are gone: it looks at every topic's file. mr_keep_topic looks at one that
 * has just been made. */
void mr_keep_topics(struct mr_keep *keep);
void mr_keep_topic(struct mr_keep *keep, const char *name);

/* mr_keep_client looks at one client slot: starts to watch a new client, and buries a dead one, whose claims go on to others.
 *   ended    its pidfd has fired */
void mr_keep_client(struct mr_keep *keep, uint32_t slot, int ended);

/* mr_keep_linger is to be called at mr_keep_due_ns (CLOCK_MONOTONIC; UINT64_MAX: not at all): a process has ended, but not its
 * lock. */
uint64_t mr_keep_due_ns(const struct mr_keep *keep);
void mr_keep_linger(struct mr_keep *keep);

/* mr_keep_tick is the backstop, once a second: topics that others created or deleted, or whose file is gone, all client slots. */
void mr_keep_tick(struct mr_keep *keep);

/* mr_keep_waited_for: 1 while attached consumers still have to take records, or that cannot be
 * told; else 0. records: as many as are known. */
int mr_keep_waited_for(const struct mr_keep *keep, uint64_t *records);

/* mr_keep_empty: 1 when the bus has neither topics nor clients (but this one). */
int mr_keep_empty(const struct mr_keep *keep);

/* mr_keep_finish removes the topics that owe nothing, and says which it keeps and why. Returns how many it keeps. */
size_t mr_keep_finish(struct mr_keep *keep);

void mr_keep_close(struct mr_keep *keep); /* NULL is allowed */

#endif
