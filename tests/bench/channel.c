/* channel.c - what the transports share; see transports.h. */
#include "bench.h"
#include "transports.h"

#include <stdio.h>
#include <stdlib.h>

void *channel_allocate(struct channel *channel, size_t size)
{
    channel->state = calloc(1, size);
    if (!channel->state)
        bench_fail("calloc");
    return channel->state;
}

void channel_free(struct channel *channel)
{
    free(channel->state);
    channel->state = NULL;
}

_Noreturn void channel_wrong(const struct channel *channel, uint64_t number)
{
    fprintf(stderr, "bench: record %llu came instead of %llu\n", (unsigned long long)number,
            (unsigned long long)channel->number);
    exit(1);
}
