/* zeromq.c - ZeroMQ, PUSH to PULL over ipc, a message for each record, queues as deep as they are
 * by default. Written and read in place. */
#include "transports.h"

#if __has_include(<zmq.h>)
#include "bench.h"

#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

struct end {
    char address[64];
    void *context, *socket;
};

/* The name begins with '@', so that no file is left. */
static void zeromq_open(struct channel *channel)
{
    struct end *end = channel_allocate(channel, sizeof *end);
    snprintf(end->address, sizeof end->address, "ipc://@bench-%ld-%u", (long)getpid(), channel->id);
}

static void zeromq_attach(struct channel *channel, enum channel_end which)
{
    struct end *end = channel->state;
    end->context = zmq_ctx_new();
    end->socket = end->context
                      ? zmq_socket(end->context, which == CHANNEL_SENDS ? ZMQ_PUSH : ZMQ_PULL)
                      : NULL;
    if (!end->socket || (which == CHANNEL_SENDS ? zmq_connect(end->socket, end->address)
                                                : zmq_bind(end->socket, end->address)) < 0)
        bench_fail("ZeroMQ");
}

static void zeromq_detach(struct channel *channel)
{
    struct end *end = channel->state;
    zmq_close(end->socket);
    zmq_ctx_term(end->context);
}

static void zeromq_send(struct channel *channel, uint64_t n)
{
    struct end *end = channel->state;
    while (n--) {
        zmq_msg_t msg;
        if (zmq_msg_init_size(&msg, channel->size) < 0)
            bench_fail("zmq_msg_init_size");
        work_fill(zmq_msg_data(&msg), channel->size, channel->number++);
        if (zmq_msg_send(&msg, end->socket, 0) < 0)
            bench_fail("zmq_msg_send");
    }
}

static void zeromq_receive(struct channel *channel, uint64_t n)
{
    struct end *end = channel->state;
    while (n--) {
        zmq_msg_t msg;
        zmq_msg_init(&msg);
        if (zmq_msg_recv(&msg, end->socket, 0) != (int)channel->size)
            bench_fail("zmq_msg_recv");
        channel_check(channel, zmq_msg_data(&msg));
        zmq_msg_close(&msg);
    }
}

const struct transport transport_zeromq = {.open = zeromq_open,
                                           .attach = zeromq_attach,
                                           .send = zeromq_send,
                                           .receive = zeromq_receive,
                                           .detach = zeromq_detach,
                                           .close = channel_free};
#else
const struct transport transport_zeromq = {0};
#endif
