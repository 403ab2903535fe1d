/* pipe.c - pipe(2), with as much room as any user may give it (1 MiB as a rule): a write and a read
 * for each record, or 64 KiB at a time. */
#include "bench.h"
#include "transports.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BATCH_BYTES 65536u

struct ends {
    int fds[2];
    size_t at, have; /* of what a reader of batches has in buf */
    unsigned char buf[2 * BATCH_BYTES];
};

static void pipe_open(struct channel *channel)
{
    struct ends *ends = channel_allocate(channel, sizeof *ends);
    long most = bench_kernel_limit("fs/pipe-max-size");
    if (pipe(ends->fds) < 0 ||
        (most && fcntl(ends->fds[1], F_SETPIPE_SZ,
                       (int)(most < TRANSPORT_ROOM ? most : TRANSPORT_ROOM)) < 0))
        bench_fail("pipe");
}

static void pipe_close(struct channel *channel)
{
    struct ends *ends = channel->state;
    close(ends->fds[0]);
    close(ends->fds[1]);
    channel_free(channel);
}

static void write_all(int fd, const unsigned char *at, size_t len)
{
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n < 0)
            bench_fail("write");
        at += n;
        len -= (size_t)n;
    }
}

static void read_all(int fd, unsigned char *at, size_t len)
{
    while (len) {
        ssize_t n = read(fd, at, len);
        if (n <= 0)
            bench_fail("read");
        at += n;
        len -= (size_t)n;
    }
}

static void send_each(struct channel *channel, uint64_t n)
{
    struct ends *ends = channel->state;
    while (n--) {
        work_fill(ends->buf, channel->size, channel->number++);
        write_all(ends->fds[1], ends->buf, channel->size);
    }
}

static void receive_each(struct channel *channel, uint64_t n)
{
    struct ends *ends = channel->state;
    while (n--) {
        read_all(ends->fds[0], ends->buf, channel->size);
        channel_check(channel, ends->buf);
    }
}

static void send_batches(struct channel *channel, uint64_t n)
{
    struct ends *ends = channel->state;
    size_t used = 0;
    while (n--) {
        work_fill(ends->buf + used, channel->size, channel->number++);
        used += channel->size;
        if (used + channel->size > BATCH_BYTES || n == 0) {
            write_all(ends->fds[1], ends->buf, used);
            used = 0;
        }
    }
}

static void receive_batches(struct channel *channel, uint64_t n)
{
    struct ends *ends = channel->state;
    while (n--) {
        while (ends->have - ends->at < channel->size) {
            memmove(ends->buf, ends->buf + ends->at, ends->have - ends->at);
            ends->have -= ends->at;
            ends->at = 0;
            ssize_t got = read(ends->fds[0], ends->buf + ends->have, BATCH_BYTES);
            if (got <= 0)
                bench_fail("read");
            ends->have += (size_t)got;
        }
        channel_check(channel, ends->buf + ends->at);
        ends->at += channel->size;
    }
}

const struct transport transport_pipe = {
    .open = pipe_open, .send = send_each, .receive = receive_each, .close = pipe_close};
const struct transport transport_pipe_batches = {
    .open = pipe_open, .send = send_batches, .receive = receive_batches, .close = pipe_close};
