/* mqueue.c - a POSIX message queue, as deep as this user may make it, up to DEPTH; records larger
 * than the system allows are left out. */
#include "bench.h"
#include "transports.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <unistd.h>

#define DEPTH 256

struct queue {
    mqd_t fd;
    char record[];
};

static int mqueue_fits(size_t size)
{
    return (long)size <= bench_kernel_limit("fs/mqueue/msgsize_max");
}

/* Only its descriptor is used, so its name goes at once. Without the right to exceed
 * msg_max it holds that many. */
static void mqueue_open(struct channel *channel)
{
    struct queue *queue = channel_allocate(channel, sizeof *queue + channel->size);
    struct mq_attr attr = {.mq_maxmsg = DEPTH, .mq_msgsize = (long)channel->size};
    char name[64];
    snprintf(name, sizeof name, "/bench-%ld-%u", (long)getpid(), channel->id);
    queue->fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (queue->fd < 0 && (errno == EINVAL || errno == EMFILE)) {
        attr.mq_maxmsg = bench_kernel_limit("fs/mqueue/msg_max");
        queue->fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    }
    if (queue->fd < 0)
        bench_fail("mq_open");
    mq_unlink(name);
}

static void mqueue_close(struct channel *channel)
{
    struct queue *queue = channel->state;
    mq_close(queue->fd);
    channel_free(channel);
}

static void mqueue_send(struct channel *channel, uint64_t n)
{
    struct queue *queue = channel->state;
    while (n--) {
        work_fill(queue->record, channel->size, channel->number++);
        if (mq_send(queue->fd, queue->record, channel->size, 0) < 0)
            bench_fail("mq_send");
    }
}

static void mqueue_receive(struct channel *channel, uint64_t n)
{
    struct queue *queue = channel->state;
    while (n--) {
        if (mq_receive(queue->fd, queue->record, channel->size, NULL) != (ssize_t)channel->size)
            bench_fail("mq_receive");
        channel_check(channel, queue->record);
    }
}

const struct transport transport_mqueue = {.open = mqueue_open,
                                           .send = mqueue_send,
                                           .receive = mqueue_receive,
                                           .close = mqueue_close,
                                           .fits = mqueue_fits};
