/* futex.c - the least that can wake another process: a record, a word that counts them, FUTEX_WAKE
 * after each and FUTEX_WAIT before each. It is the floor of a round trip between sleepers; for
 * streams it is nothing, since it holds one record. */
#include "bench.h"
#include "transports.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct word {
    _Atomic uint32_t sent;
    unsigned char record[];
};

static void futex_open(struct channel *channel)
{
    channel->state = mmap(NULL, sizeof(struct word) + channel->size, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (channel->state == MAP_FAILED)
        bench_fail("mmap");
}

static void futex_close(struct channel *channel)
{
    munmap(channel->state, sizeof(struct word) + channel->size);
}

static void futex_send(struct channel *channel, uint64_t n)
{
    struct word *word = channel->state;
    while (n--) {
        work_fill(word->record, channel->size, channel->number++);
        atomic_store_explicit(&word->sent, (uint32_t)channel->number, memory_order_release);
        if (syscall(SYS_futex, &word->sent, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) < 0)
            bench_fail("FUTEX_WAKE");
    }
}

static void futex_receive(struct channel *channel, uint64_t n)
{
    struct word *word = channel->state;
    while (n--) {
        uint32_t before = (uint32_t)channel->number;
        while (atomic_load_explicit(&word->sent, memory_order_acquire) == before)
            if (syscall(SYS_futex, &word->sent, FUTEX_WAIT, before, NULL, NULL, 0) < 0 &&
                errno != EAGAIN && errno != EINTR)
                bench_fail("FUTEX_WAIT");
        channel_check(channel, word->record);
    }
}

const struct transport transport_futex = {
    .open = futex_open, .send = futex_send, .receive = futex_receive, .close = futex_close};
