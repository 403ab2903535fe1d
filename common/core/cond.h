/* cond.h - a process-shared condition variable on one futex word, for waiters that can be killed at
 * any instruction.
 *
 * glibc's process-shared pthread_cond_t keeps waiter groups in shared memory and waits for killed
 * waiters to confirm: one kill -9 can hang all others for ever. Here the only state is a counter
 * whose lowest bit says "a waiter may sleep"; the queue of sleepers is the kernel's, which forgets
 * the dead. (The idea is the eventcount of Reed and Kanodia, 1979, with a sleepers' flag.)
 *
 *     waiter                                        signaller
 *     ticket = mr_cond_prepare(c)   flags itself    change the condition
 *     check the condition; true: go on              mr_cond_signal(c, 1)
 *     mr_cond_wait(c, ticket, timeout_ns)
 *
 * A signal after prepare makes wait return at once, so no wakeup is lost while all live. A waiter
 * that was woken and dies passes nothing on. Therefore every wait is bounded, and the process that
 * notices a death wakes all (the broker, or the next to find EOWNERDEAD). */
#ifndef COMMON_CORE_COND_H
#define COMMON_CORE_COND_H

#include <stddef.h>
#include <stdint.h>

struct mr_cond {
    /* bit 0: a waiter may sleep; the rest counts signals. A kill between any two stores leaves at
     * worst a set flag */
    _Atomic uint32_t word;
};

/* mr_cond_prepare flags a waiter and returns the ticket for wait. Order: seq_cst; what is checked
 * next is not older than the flag. Killed: the flag stays, and costs one futile FUTEX_WAKE. */
uint32_t mr_cond_prepare(struct mr_cond *cond);

/* mr_cond_wait sleeps until a signal since `ticket`, at most timeout_ns >= 0. Returns 0, also
 * without a signal now and then; -ETIMEDOUT; -EINTR by a signal handler. */
int mr_cond_wait(struct mr_cond *cond, uint32_t ticket, int64_t timeout_ns);

/* mr_cond_wait_many is the same for n <= 64 condition variables: until any is signalled. */
int mr_cond_wait_many(struct mr_cond *const *conds, const uint32_t *tickets, size_t n,
                      int64_t timeout_ns);

/* mr_cond_signal wakes at most `wake` sleepers, mr_cond_broadcast all: one fence and one load when
 * none sleeps. Order: seq_cst fence first; pairs with prepare: either the signaller sees the flag,
 * or the waiter what was changed before. Killed before FUTEX_WAKE: sleepers wake at their bound. */
void mr_cond_signal(struct mr_cond *cond, int wake);
void mr_cond_broadcast(struct mr_cond *cond);
/* mr_cond_wake_all is mr_cond_broadcast after a death: it does not believe the flag, which a
 * signaller that died may have cleared without a wake. */
void mr_cond_wake_all(struct mr_cond *cond);
/* mr_cond_signal_fenced is mr_cond_signal for a caller that has issued a seq_cst fence since it
 * changed the condition (one fence, many conds). */
void mr_cond_signal_fenced(struct mr_cond *cond, int wake);

#endif
