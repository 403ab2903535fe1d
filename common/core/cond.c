/* cond.c - see cond.h.
 *
 * The word's states: even = no waiter flagged, odd = flagged. prepare sets bit 0. signal adds 1 to
 * an odd word: the flag is cleared and the count goes on, in one step. Two signallers that both saw
 * the flag leave it set again: one futile FUTEX_WAKE later, nothing worse. A waiter that was woken
 * sets the flag again before it looks, for there may be more sleepers. (Not the signaller, after
 * its FUTEX_WAKE: the woken one may run first, take a part, and find no flag when it passes the
 * rest on. tests/model/cond.pml has the case.) */
#include "cond.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
struct futex_waitv {
    uint64_t val;
    uint64_t uaddr;
    uint32_t flags;
    uint32_t __reserved;
};
#define FUTEX_32 2
#endif

#define WAIT_MANY_MAX 64u
/* without futex_waitv (before Linux 5.16): how stale the other words may get */
#define NO_WAITV_STEP_NS 10000000

uint32_t mr_cond_prepare(struct mr_cond *cond)
{
    uint32_t ticket = atomic_fetch_or_explicit(&cond->word, 1u, memory_order_seq_cst) | 1u;
    /* what is looked at next may be looked at without a lock, by relaxed loads */
    atomic_thread_fence(memory_order_seq_cst);
    return ticket;
}

int mr_cond_wait(struct mr_cond *cond, uint32_t ticket, int64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000,
                               .tv_nsec = timeout_ns % 1000000000};
    if (syscall(SYS_futex, &cond->word, FUTEX_WAIT, ticket, &timeout, NULL, 0) == 0) {
        /* there may be more sleepers */
        atomic_fetch_or_explicit(&cond->word, 1u, memory_order_seq_cst);
        return 0;
    }
    if (errno == EAGAIN)
        return 0;
    return errno == ETIMEDOUT ? -ETIMEDOUT : -EINTR;
}

int mr_cond_wait_many(struct mr_cond *const *conds, const uint32_t *tickets, size_t n,
                      int64_t timeout_ns)
{
    if (n == 1)
        return mr_cond_wait(conds[0], tickets[0], timeout_ns);
    struct futex_waitv waits[WAIT_MANY_MAX];
    if (n > WAIT_MANY_MAX)
        n = WAIT_MANY_MAX;
    for (size_t i = 0; i < n; i++)
        waits[i] = (struct futex_waitv){
            .val = tickets[i], .uaddr = (uintptr_t)&conds[i]->word, .flags = FUTEX_32};
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ns / 1000000000;
    until.tv_nsec += timeout_ns % 1000000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (syscall(SYS_futex_waitv, waits, (unsigned)n, 0u, &until, CLOCK_MONOTONIC) >= 0) {
        for (size_t i = 0; i < n; i++) /* it tells one that was signalled, there may be others */
            atomic_fetch_or_explicit(&conds[i]->word, 1u, memory_order_seq_cst);
        return 0;
    }
    if (errno == EAGAIN)
        return 0;
    if (errno == ENOSYS)
        return mr_cond_wait(conds[0], tickets[0],
                            timeout_ns < NO_WAITV_STEP_NS ? timeout_ns : NO_WAITV_STEP_NS);
    return errno == ETIMEDOUT ? -ETIMEDOUT : -EINTR;
}

void mr_cond_signal_fenced(struct mr_cond *cond, int wake)
{
    if (!(atomic_load_explicit(&cond->word, memory_order_relaxed) & 1u))
        return;
    atomic_fetch_add_explicit(&cond->word, 1u, memory_order_seq_cst);
    syscall(SYS_futex, &cond->word, FUTEX_WAKE, wake, NULL, NULL, 0);
}

void mr_cond_signal(struct mr_cond *cond, int wake)
{
    /* pairs with prepare: either we see the flag, or the waiter sees what was changed before this
     * call. */
    atomic_thread_fence(memory_order_seq_cst);
    mr_cond_signal_fenced(cond, wake);
}

void mr_cond_broadcast(struct mr_cond *cond)
{
    mr_cond_signal(cond, INT_MAX);
}

void mr_cond_wake_all(struct mr_cond *cond)
{
    atomic_fetch_add_explicit(&cond->word, 2u, memory_order_seq_cst); /* the flag stays as it is */
    syscall(SYS_futex, &cond->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
