/* tx.pml - the robust lock and its redo log, word by word (common/core/tx.{h,c}): a transaction happens as a whole or not at all,
 * whoever dies, the repairers too. The other models take this as proved, and write a whole log in one step.
 *
 * PROCESSES each take a lock and change all words of w[] in ROUNDS transactions, under the lock of another kind too (NESTED:
 * the order topic, group). No process loops, so a process that waits for ever is an invalid end state. */

#ifndef PROCESSES
#define PROCESSES 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define PER_LOCK 3
#define WORDS (2 * PER_LOCK)
#define REDO_MAX PER_LOCK

#define wake_all() skip
#include "robust.pml"

robust locks[2];  /* the topic's, the group's: words [0, 3) belong to the first, [3, 6) to the second */
byte commits[2];  /* ghost: transactions that have passed their commit point */

/* Atomic for a look under the lock: all words are of one transaction, the last that was committed. */
inline check_whole(n)
{
    d_step {
        assert(w[n * PER_LOCK] == commits[n]);     /* I4, I5 rest on it: a claim is whole, */
        assert(w[n * PER_LOCK + 1] == commits[n]); /* I4, I5 to its middle */
        assert(w[n * PER_LOCK + 2] == commits[n]); /* I4, I5 and its end, or not there at all */
        assert(locks[n].armed == 0)                /* I7 */
    }
}

inline fill(L, n)
{
    do
    :: at < PER_LOCK ->
        STORE(L.word[at], n * PER_LOCK + at);
        STORE(L.value[at], w[n * PER_LOCK + at] + 1);
        at++
    :: else -> break
    od;
    at = 0
}

inline transaction(n)
{
#ifdef BROKEN_no_redo
    STORE(w[n * PER_LOCK], w[n * PER_LOCK] + 1);
    STORE(w[n * PER_LOCK + 1], w[n * PER_LOCK + 1] + 1);
    if
    :: d_step { w[n * PER_LOCK + 2] = w[n * PER_LOCK + 2] + 1; commits[n]++ }
    :: DYING
    fi;
#else
#ifdef BROKEN_armed_before_entries
    if :: d_step { locks[n].armed = PER_LOCK; commits[n]++ } :: DYING fi;
    fill(locks[n], n);
#else
    fill(locks[n], n);
    if :: d_step { locks[n].armed = PER_LOCK; commits[n]++ } :: DYING fi; /* the commit point */
#endif
#ifdef BROKEN_disarmed_before_applied
    STORE(locks[n].armed, 0);
    STORE(w[n * PER_LOCK], locks[n].value[0]);
    STORE(w[n * PER_LOCK + 1], locks[n].value[1]);
    STORE(w[n * PER_LOCK + 2], locks[n].value[2])
#else
    apply(locks[n]);
    disarm(locks[n])
#endif
#endif
}

active [PROCESSES] proctype process()
{
    byte at, round;
    do
    :: round < ROUNDS ->
        lock(locks[0]);
        check_whole(0);
#ifdef NESTED
        if
        :: transaction(0)
        :: skip
        fi;
        lock(locks[1]);
        check_whole(1);
        transaction(1);
        check_whole(1);
        unlock(locks[1]);
#else
        transaction(0);
        check_whole(0);
#endif
        unlock(locks[0]);
        round++
    :: else -> break
    od;
    goto end;
died: skip;
    died_holding(locks[0]);
    died_holding(locks[1]);
end:
    skip
}
