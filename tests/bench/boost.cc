/* boost.cc - Boost.Interprocess's message_queue, of 16 MiB but at most DEPTH messages. Compiled as
 * C++ where a compiler for that finds Boost, and else as C: then all it says is that this transport
 * is not there. */
#include "transports.h"

#if defined __cplusplus && __has_include(<boost/interprocess/ipc/message_queue.hpp>)
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <unistd.h>
#include <vector>

namespace ipc = boost::interprocess;

static const size_t DEPTH = 4096;

struct queue {
    ipc::message_queue messages;
    std::vector<char> record;
    queue(const char *name, size_t depth, size_t size)
        : messages(ipc::create_only, name, depth, size, ipc::permissions(0600)), record(size)
    {
    }
};

static size_t depth(size_t size)
{
    return TRANSPORT_ROOM / size < DEPTH ? TRANSPORT_ROOM / size : DEPTH;
}

/* What goes wrong ends the process with what Boost says, by std::terminate. Both ends inherit the
 * mapping, so the name goes at once. */
static void boost_open(struct channel *channel)
{
    char name[64];
    std::snprintf(name, sizeof name, "bench-%ld-%u", (long)getpid(), channel->id);
    channel->state = new queue(name, depth(channel->size), channel->size);
    ipc::message_queue::remove(name);
}

static void boost_close(struct channel *channel)
{
    delete static_cast<queue *>(channel->state);
}

static void boost_send(struct channel *channel, uint64_t n)
{
    queue *q = static_cast<queue *>(channel->state);
    while (n--) {
        work_fill(q->record.data(), channel->size, channel->number++);
        q->messages.send(q->record.data(), channel->size, 0);
    }
}

static void boost_receive(struct channel *channel, uint64_t n)
{
    queue *q = static_cast<queue *>(channel->state);
    while (n--) {
        ipc::message_queue::size_type got;
        unsigned priority;
        q->messages.receive(q->record.data(), channel->size, got, priority);
        channel_check(channel, q->record.data());
    }
}

static uint64_t boost_lap(size_t size)
{
    return depth(size);
}

extern "C" const struct transport transport_boost = {
    boost_open, nullptr, boost_send, boost_receive, nullptr, boost_close, boost_lap, nullptr};
#else
const struct transport transport_boost = {0};
#endif
