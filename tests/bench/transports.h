/* transports.h - what the measurements of streams and round trips are made of: ways to bring
 * numbered records from one process to another, all used alike. A channel goes one way. One process
 * opens it and forks the two ends; each attaches, sends or receives, and detaches; the opener
 * closes it. */
#ifndef TESTS_BENCH_TRANSPORTS_H
#define TESTS_BENCH_TRANSPORTS_H

#include "work.h"

#ifdef __cplusplus
#define _Noreturn [[noreturn]]
extern "C" {
#endif

#define TRANSPORT_ROOM  (16u << 20) /* bytes that a ring or queue holds, if one may choose */
#define TRANSPORT_BATCH 32u         /* records */

struct channel {
    const struct transport *transport;
    unsigned id;     /* tells those that are open at the same time apart */
    size_t size;     /* of each record */
    uint64_t number; /* of the next record that this end sends or receives */
    void *state;     /* the transport's */
};

enum channel_end { CHANNEL_SENDS, CHANNEL_RECEIVES };

struct transport {
    void (*open)(struct channel *channel); /* NULL: it is not installed */
    /* NULL: nothing to do; so for detach */
    void (*attach)(struct channel *channel, enum channel_end end);
    /* the next n records; all are on their way when it returns */
    void (*send)(struct channel *channel, uint64_t n);
    /* the next n, each read and its number checked */
    void (*receive)(struct channel *channel, uint64_t n);
    void (*detach)(struct channel *channel);
    void (*close)(struct channel *channel);
    /* records that touch all of its memory once; NULL: it keeps nothing between records */
    uint64_t (*lap)(size_t size);
    int (*fits)(size_t size); /* NULL: any size */
};

extern const struct transport transport_pipe, transport_pipe_batches, transport_socket,
    transport_mqueue, transport_boost, transport_zeromq;
extern const struct transport transport_millrace, transport_millrace_batches, transport_bare,
    transport_bare_batches;
extern const struct transport transport_futex; /* holds one record: for round trips */

/* channel_allocate gives the transport zeroed private memory for its state; channel_free takes it
 * back. */
void *channel_allocate(struct channel *channel, size_t size);
void channel_free(struct channel *channel);

/* channel_check reads all of a record and ends the process if it is not the next one. */
_Noreturn void channel_wrong(const struct channel *channel, uint64_t number);
static inline void channel_check(struct channel *channel, const void *record)
{
    uint64_t number = work_read(record, channel->size);
    if (number != channel->number)
        channel_wrong(channel, number);
    channel->number++;
}

#ifdef __cplusplus
}
#endif
#endif
