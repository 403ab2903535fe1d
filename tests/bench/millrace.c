/* millrace.c - Millrace with all that it has: a group, acknowledgements, back-pressure, crash
 * safety. One record for each append, or 32; the consumer takes what there is, reads it where it
 * lies and acknowledges it. */
#include "bench.h"
#include "bus.h"
#include "transports.h"

#include <stdio.h>

struct end {
    char name[32];
    struct mr_topic *topic;
    struct mr_producer *producer;
    struct mr_consumer *consumer;
    unsigned char records[]; /* of a producer: a batch of them */
};

static void millrace_open(struct channel *channel)
{
    struct end *end = channel_allocate(channel, sizeof *end + TRANSPORT_BATCH * channel->size);
    snprintf(end->name, sizeof end->name, "channel-%u", channel->id);
    bench_topic_make(end->name, TRANSPORT_ROOM, 0);
}

static void millrace_close(struct channel *channel)
{
    struct end *end = channel->state;
    bench_topic_remove(end->name);
    channel_free(channel);
}

static void millrace_attach(struct channel *channel, enum channel_end which)
{
    struct end *end = channel->state;
    end->topic = bench_topic_open(end->name);
    if (which == CHANNEL_SENDS ? mr_producer_open(end->topic, NULL, &end->producer)
                               : mr_consumer_open(end->topic, NULL, &end->consumer))
        bench_fail("attach");
}

static void millrace_detach(struct channel *channel)
{
    struct end *end = channel->state;
    mr_producer_close(end->producer);
    mr_consumer_close(end->consumer);
    mr_topic_close(end->topic);
}

static uint64_t millrace_lap(size_t size)
{
    return TRANSPORT_ROOM / ((size + MR_RECORD_OVERHEAD + 7) / 8 * 8);
}

static inline void send_by(struct channel *channel, uint64_t n, uint64_t batch)
{
    struct end *end = channel->state;
    struct mr_message msgs[TRANSPORT_BATCH];
    size_t size = channel->size;
    while (n) {
        uint64_t k = n < batch ? n : batch;
        for (uint64_t i = 0; i < k; i++) {
            work_fill(end->records + i * size, size, channel->number++);
            msgs[i] =
                (struct mr_message){.value = end->records + i * size, .value_len = (uint32_t)size};
        }
        if (mr_producer_append(end->producer, msgs, k, -1) != (ssize_t)k)
            bench_fail("append");
        n -= k;
    }
}

static void send_each(struct channel *channel, uint64_t n)
{
    send_by(channel, n, 1);
}

static void send_batches(struct channel *channel, uint64_t n)
{
    send_by(channel, n, TRANSPORT_BATCH);
}

static void millrace_receive(struct channel *channel, uint64_t n)
{
    struct end *end = channel->state;
    for (uint64_t until = channel->number + n; channel->number < until;) {
        struct mr_record record;
        if (mr_consumer_claim(end->consumer, 0, -1) < 0)
            bench_fail("claim");
        while (mr_consumer_next(end->consumer, &record) == 1)
            channel_check(channel, record.value);
        if (mr_consumer_ack(end->consumer) < 0)
            bench_fail("acknowledge");
    }
}

const struct transport transport_millrace = {.open = millrace_open,
                                             .attach = millrace_attach,
                                             .send = send_each,
                                             .receive = millrace_receive,
                                             .detach = millrace_detach,
                                             .close = millrace_close,
                                             .lap = millrace_lap};
const struct transport transport_millrace_batches = {.open = millrace_open,
                                                     .attach = millrace_attach,
                                                     .send = send_batches,
                                                     .receive = millrace_receive,
                                                     .detach = millrace_detach,
                                                     .close = millrace_close,
                                                     .lap = millrace_lap};
