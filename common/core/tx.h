/* tx.h - robust locks, and changes of several words that happen as a whole or not at all.
 *
 * A change of more than one word under a lock is a transaction: write (word, new value) pairs into
 * the lock's redo log, store their number (the commit point), apply, store 0. The process that
 * finds the owner dead replays an armed log, drops an unarmed one, wakes every waiter of the topic,
 * and only then makes the mutex consistent, so that a repairer that dies leaves the same work to
 * the next. Replaying is idempotent.
 *
 *     free --lock--> held --set*--> held, log filled --commit: arm--> armed --apply--> held
 *     held --unlock--> free          each state --death--> EOWNERDEAD: repaired by the next to lock
 *
 * A kill leaves a prefix of the program's stores (one process's stores reach memory in order on
 * x86; elsewhere the kernel's exit path is a full barrier before the lock is handed on), so only
 * the compiler's order has to be pinned: release stores. Lock order: topic, group, log. Never two
 * of one kind (except all logs, in rising order, under the topic's). No system call and no foreign
 * code under a lock. */
#ifndef COMMON_CORE_TX_H
#define COMMON_CORE_TX_H

#include "topic.h"

/* mr_pause_cpu tells the CPU that this is a loop that waits: 24 ns, and the other thread of its
 * core goes on. */
static inline void mr_pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* mr_lock_init makes a lock, in a segment that no other process knows yet. */
int mr_lock_init(struct mr_lock_shm *lock);

/* mr_lock takes a lock.
 * Returns  0; 1 taken from a dead owner, whose armed redo log has been replayed; -EINTR the wait
 *          was given up; -EBADMSG the lock's bytes are damaged; -EIO the file was cut short. With a
 *          negative errno the lock is not held.
 * Blocks   while a live process has the lock. on_wait is called every half second and names it.
 * Killed   before the mutex is made consistent: the next to lock repairs the same again. */
int mr_lock(struct mr_topic *topic, struct mr_lock_shm *lock);
/* mr_lock_try is the same, but never blocks: -EBUSY a live process has the lock. */
int mr_lock_try(struct mr_topic *topic, struct mr_lock_shm *lock);
void mr_unlock(struct mr_lock_shm *lock);

/* A transaction on a topic's words, under a lock that its maker holds. */
struct mr_tx {
    struct mr_topic *topic;
    struct mr_redo_shm *redo;
    uint64_t n;
};

/* mr_tx_begin begins a transaction in the redo log of a lock that the caller holds. Until commit
 * nothing has happened: a transaction may also be left. */
static inline struct mr_tx mr_tx_begin(struct mr_topic *topic, struct mr_lock_shm *lock)
{
    return (struct mr_tx){.topic = topic, .redo = &lock->redo};
}

/* mr_tx_set notes a word's new value. The word itself changes at commit.
 *   word     in the topic's control area; noted twice, the last value counts
 * At most MR_REDO_MAX words in a transaction (asserted). */
static inline void mr_tx_set(struct mr_tx *tx, _Atomic uint64_t *word, uint64_t value)
{
    assert(tx->n < MR_REDO_MAX);
    atomic_store_explicit(&tx->redo->entries[tx->n].word,
                          (uint64_t)((unsigned char *)word - tx->topic->base),
                          memory_order_relaxed);
    atomic_store_explicit(&tx->redo->entries[tx->n].value, value, memory_order_relaxed);
    tx->n++;
}

/* mr_tx_commit gives the words their noted values. A copy is applied, so that the transaction
 * itself can stay in registers.
 * Order    release: each word's store, and the store that arms the log before them.
 * Killed   after the log was armed: all words have their values once the lock is repaired, before:
 *          none. Between two words, a process that reads without the lock sees some of them. */
void mr_tx_apply(const struct mr_tx *tx);
static inline void mr_tx_commit(struct mr_tx *tx)
{
    const struct mr_tx noted = *tx;
    mr_tx_apply(&noted);
    tx->n = 0;
}

#endif
