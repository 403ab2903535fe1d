/* bare.c - the ceiling: a ring in shared memory for one producer and one consumer, which spin. No
 * groups, no acknowledgement, no recovery, no sleep; a record is written where it is read. It is
 * published one by one, or every 32. The room is a whole number of records, so that none wraps. */
#include "bench.h"
#include "transports.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <sys/mman.h>

struct ring_shm {
    alignas(64) _Atomic uint64_t head; /* the producer's */
    alignas(64) _Atomic uint64_t tail; /* the consumer's */
    alignas(64) unsigned char bytes[TRANSPORT_ROOM];
};

struct ring {
    struct ring_shm *shm;
    uint64_t head, tail; /* what this end knows */
};

static void bare_open(struct channel *channel)
{
    struct ring *ring = channel_allocate(channel, sizeof *ring);
    ring->shm = mmap(NULL, sizeof *ring->shm, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (ring->shm == MAP_FAILED)
        bench_fail("mmap");
}

static void bare_close(struct channel *channel)
{
    struct ring *ring = channel->state;
    munmap(ring->shm, sizeof *ring->shm);
    channel_free(channel);
}

static uint64_t bare_lap(size_t size)
{
    return TRANSPORT_ROOM / size;
}

static inline void send_every(struct channel *channel, uint64_t n, uint64_t every)
{
    struct ring *ring = channel->state;
    struct ring_shm *shm = ring->shm;
    uint64_t size = channel->size, room = TRANSPORT_ROOM / size * size, head = ring->head,
             tail = ring->tail, number = channel->number;
    for (uint64_t i = 1; i <= n; i++) {
        while (head + size - tail > room)
            tail = atomic_load_explicit(&shm->tail, memory_order_acquire);
        work_fill(shm->bytes + head % room, size, number++);
        head += size;
        if (i % every == 0 || i == n)
            atomic_store_explicit(&shm->head, head, memory_order_release);
    }
    ring->head = head;
    ring->tail = tail;
    channel->number = number;
}

static void send_each(struct channel *channel, uint64_t n)
{
    send_every(channel, n, 1);
}

static void send_batches(struct channel *channel, uint64_t n)
{
    send_every(channel, n, TRANSPORT_BATCH);
}

static void bare_receive(struct channel *channel, uint64_t n)
{
    struct ring *ring = channel->state;
    struct ring_shm *shm = ring->shm;
    uint64_t size = channel->size, room = TRANSPORT_ROOM / size * size, head = ring->head,
             tail = ring->tail;
    for (uint64_t i = 1; i <= n; i++) {
        while (head == tail) {
            atomic_store_explicit(&shm->tail, tail, memory_order_release);
            head = atomic_load_explicit(&shm->head, memory_order_acquire);
        }
        channel_check(channel, shm->bytes + tail % room);
        tail += size;
        if (i % TRANSPORT_BATCH == 0 || i == n)
            atomic_store_explicit(&shm->tail, tail, memory_order_release);
    }
    ring->head = head;
    ring->tail = tail;
}

const struct transport transport_bare = {.open = bare_open,
                                         .send = send_each,
                                         .receive = bare_receive,
                                         .close = bare_close,
                                         .lap = bare_lap};
const struct transport transport_bare_batches = {.open = bare_open,
                                                 .send = send_batches,
                                                 .receive = bare_receive,
                                                 .close = bare_close,
                                                 .lap = bare_lap};
