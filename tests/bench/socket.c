/* socket.c - a pair of Unix sockets that keep records apart (SOCK_SEQPACKET), with the buffers that
 * the kernel gives (larger ones make them no faster): a send and a receive for each. */
#include "bench.h"
#include "transports.h"

#include <sys/socket.h>
#include <unistd.h>

struct ends {
    int fds[2];
    unsigned char record[];
};

static void socket_open(struct channel *channel)
{
    struct ends *ends = channel_allocate(channel, sizeof *ends + channel->size);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends->fds) < 0)
        bench_fail("socketpair");
}

static void socket_close(struct channel *channel)
{
    struct ends *ends = channel->state;
    close(ends->fds[0]);
    close(ends->fds[1]);
    channel_free(channel);
}

static void socket_send(struct channel *channel, uint64_t n)
{
    struct ends *ends = channel->state;
    while (n--) {
        work_fill(ends->record, channel->size, channel->number++);
        if (send(ends->fds[1], ends->record, channel->size, 0) != (ssize_t)channel->size)
            bench_fail("send");
    }
}

static void socket_receive(struct channel *channel, uint64_t n)
{
    struct ends *ends = channel->state;
    while (n--) {
        if (recv(ends->fds[0], ends->record, channel->size, 0) != (ssize_t)channel->size)
            bench_fail("recv");
        channel_check(channel, ends->record);
    }
}

const struct transport transport_socket = {
    .open = socket_open, .send = socket_send, .receive = socket_receive, .close = socket_close};
