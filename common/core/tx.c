/* tx.c - see tx.h. */
#include "tx.h"

#include <errno.h>
#include <time.h>

/* tries before sleeping in the kernel: a lock is held for well under a microsecond, a futex costs
 * several */
#define SPINS       100
#define PATIENCE_NS 500000000u

int mr_lock_init(struct mr_lock_shm *lock)
{
    pthread_mutexattr_t attr;
    int error = pthread_mutexattr_init(&attr);
    if (error)
        return -error;
    error = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    if (!error)
        error = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (!error)
        error = pthread_mutex_init(&lock->mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    return -error;
}

/* The armed entries again, absolute values: harmless however often. A log that names words outside
 * the control area is damage. */
static int replay(struct mr_topic *topic, struct mr_redo_shm *redo)
{
    uint64_t n = atomic_load_explicit(&redo->armed, memory_order_acquire);
    if (n > MR_REDO_MAX)
        return -EBADMSG;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t word = atomic_load_explicit(&redo->entries[i].word, memory_order_relaxed);
        if (word % sizeof(uint64_t) != 0 || word > topic->control_bytes - sizeof(uint64_t))
            return -EBADMSG;
        atomic_store_explicit((_Atomic uint64_t *)(void *)(topic->base + word),
                              atomic_load_explicit(&redo->entries[i].value, memory_order_relaxed),
                              memory_order_release);
    }
    atomic_store_explicit(&redo->armed, 0, memory_order_release);
    return 0;
}

static int repair(struct mr_topic *topic, struct mr_lock_shm *lock)
{
    atomic_fetch_add_explicit(&topic->shm->repairs, 1, memory_order_relaxed);
    if (atomic_load_explicit(&lock->redo.armed, memory_order_relaxed))
        atomic_fetch_add_explicit(&topic->shm->replays, 1, memory_order_relaxed);
    int error = replay(topic, &lock->redo);
    if (error) {
        /* The log stays armed, which tells the next process that this lock cannot be trusted. (Left
         * inconsistent, the mutex would say so itself, but glibc's trylock then takes it for
         * good.) */
        pthread_mutex_consistent(&lock->mutex);
        pthread_mutex_unlock(&lock->mutex);
        return error;
    }
    mr_topic_wake(topic);
    pthread_mutex_consistent(&lock->mutex);
    return 1;
}

static int try_lock_for_a_while(struct mr_lock_shm *lock)
{
    for (int i = 0; i < SPINS; i++) {
        int error = pthread_mutex_trylock(&lock->mutex);
        if (error != EBUSY)
            return error;
        mr_pause_cpu();
    }
#ifdef MR_TSAN /* the sanitizer does not know clocklock */
    return pthread_mutex_lock(&lock->mutex);
#else
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PATIENCE_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &until);
#endif
}

/* The lock is taken: waits for it. Returns what pthread_mutex_lock would; or -EINTR: the wait was
 * given up. Not inlined: mr_lock is every append's. */
__attribute__((noinline)) static int wait_for(struct mr_topic *topic, struct mr_lock_shm *lock)
{
    uint64_t since = 0, said = 0;
    for (;;) {
        int error = try_lock_for_a_while(lock);
        if (error != ETIMEDOUT)
            return error;
        if (!since)
            since = mr_now_ns() - PATIENCE_NS;
        char name[MR_CLIENT_NAME_MAX + 1];
        struct mr_wait wait = {
            .what = MR_WAIT_LOCK, .topic = topic->name, .group = "", .name = name};
        mr_client_about(topic->bus, atomic_load_explicit(&lock->holder, memory_order_relaxed),
                        &wait.pid, name);
        wait.held_ns = mr_now_ns() - since;
        error = mr_bus_notice(topic->bus, &wait, since, &said);
        if (error)
            return error;
    }
}

/* What comes of it that the mutex, asked for, has answered `error`. Inlined, because mr_lock is
 * every append's. */
__attribute__((always_inline)) static inline int answered(struct mr_topic *topic,
                                                          struct mr_lock_shm *lock, int error)
{
    int repaired = 0;
    if (error == EOWNERDEAD) {
        repaired = repair(topic, lock);
        if (repaired < 0)
            return repaired;
    } else if (error) {
        /* ENOTRECOVERABLE, EINVAL: not a mutex any more */
        return error < 0 ? error : mr_topic_error(topic, -EBADMSG);
    } else if (atomic_load_explicit(&lock->redo.armed, memory_order_relaxed)) { /* I7 broken */
        pthread_mutex_unlock(&lock->mutex);
        return -EBADMSG;
    }
    if (mr_intact(topic) < 0) {
        mr_unlock(lock);
        return -EIO;
    }
    atomic_store_explicit(&lock->holder, topic->bus->self, memory_order_relaxed);
    return repaired;
}

int mr_lock(struct mr_topic *topic, struct mr_lock_shm *lock)
{
    int error = pthread_mutex_trylock(&lock->mutex);
    if (error == EBUSY)
        error = wait_for(topic, lock);
    return answered(topic, lock, error);
}

int mr_lock_try(struct mr_topic *topic, struct mr_lock_shm *lock)
{
    int error = pthread_mutex_trylock(&lock->mutex);
    return error == EBUSY ? -EBUSY : answered(topic, lock, error);
}

void mr_unlock(struct mr_lock_shm *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

void mr_tx_apply(const struct mr_tx *tx)
{
    struct mr_redo_shm *redo = tx->redo;
    unsigned char *base = tx->topic->base;
    uint64_t n = tx->n;
    atomic_store_explicit(&redo->armed, tx->n, memory_order_release); /* the commit point */
    for (uint64_t i = 0; i < n; i++)
        atomic_store_explicit(
            (_Atomic uint64_t *)(void *)(base + atomic_load_explicit(&redo->entries[i].word,
                                                                     memory_order_relaxed)),
            atomic_load_explicit(&redo->entries[i].value, memory_order_relaxed),
            memory_order_release);
    atomic_store_explicit(&redo->armed, 0, memory_order_release);
    /* the next transaction's entries must not be stored before this one is disarmed */
    atomic_signal_fence(memory_order_seq_cst);
}
