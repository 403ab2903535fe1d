/* robust.pml - what all models here stand on: words in shared memory, processes that are killed, the robust lock and its redo
 * log (common/core/tx.{h,c}).
 *
 * Memory     One transition is one store (or one atomic read-modify-write, or one system call), interleaved with everybody
 *            else's: what kill -9 leaves is a prefix of the dead process's stores (common/core/tx.h), and stores reach
 *            others in order, for release stores, acquire loads and the seq_cst fences stand where the code has them.
 * A kill     DYING is possible before every store, before taking a lock, before falling asleep and after being woken; CRASHES
 *            bounds their number in one run. (Between two loads it would leave the same memory as before the next store. While
 *            a process waits it would do so too, and here it would hide a wait without end.) The process goes to its label
 *            `died`, where the kernel makes the locks that it held owner-dead: died_holding(L).
 * A lock     FREE, an owner's number, OWNERDEAD, or UNRECOVERABLE: unlocked without having been made consistent.
 * Switches   BROKEN_x breaks the protocol on purpose, and run.sh demands that this is found out.
 *
 * What is asserted, each with its number:
 *   I1  tail <= committed <= next <= head of every group that holds the tail
 *   I2  head - tail <= the ring
 *   I3  [tail, head) are whole records with consecutive offsets, and what belongs to head is known
 *   I4  every record below next is acknowledged or in exactly one claim
 *   I5  claims are disjoint, each in one slot that has an owner or is an orphan
 *   I6  what is acknowledged is never given again, what is not always is
 *   I7  a redo log is unarmed whenever its lock is free
 *   I8  nobody waits for ever while what it waits for is there, whoever died
 *   I9  what was accepted = acknowledged + dead letters + waiting + in hand: the counts that say so are right
 *   I10 nothing holds a producer back but a group with a name, or a private one with a live member; nothing half made stays
 *   I11 an identity is never used again with a count that starts anew
 *   I12 a call that is given up leaves only what a kill there would leave */

#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef after_repair
#define after_repair() skip
#endif

#define FREE 0
#define OWNERDEAD 254
#define UNRECOVERABLE 255
#define ME (_pid + 1)

byte crashes = CRASHES;

#define DYING d_step { crashes > 0 -> crashes-- }; goto died
#define MAY_DIE if :: skip :: DYING fi
#define STORE(word_, value_) if :: word_ = value_ :: DYING fi

#ifndef REDO_MAX
#define REDO_MAX 1
#endif
#ifndef WORDS
#define WORDS 1
#endif

typedef robust {
    byte owner;
    bit inconsistent;    /* in the owner's hands: taken from a dead one, not made consistent yet */
    byte armed;          /* the redo log: number of valid entries, */
    byte word[REDO_MAX]; /* which word of w[], */
    byte value[REDO_MAX] /* and its new value */
}

byte w[WORDS]; /* the words that transactions change */

/* mr_lock: I7 is looked at by every taker, as the code does (-EBADMSG). wake_all is what the model says of mr_topic_wake,
 * after_repair what it does besides. A lock that cannot be recovered blocks all, which is an invalid end state. */
inline lock(L)
{
    if
    :: atomic { L.owner == FREE -> L.owner = ME; assert(L.armed == 0) /* I7 */ }
    :: atomic { L.owner == OWNERDEAD -> L.owner = ME; L.inconsistent = 1 } -> repair(L); after_repair()
    :: atomic { crashes > 0 && (L.owner == FREE || L.owner == OWNERDEAD) -> crashes--; goto died }
    fi
}

inline repair(L)
{
#ifndef BROKEN_armed_log_dropped
    apply(L); /* again: the values are absolute */
#endif
    disarm(L);
    wake_all();
#ifdef BROKEN_never_consistent
    skip
#else
    STORE(L.inconsistent, 0)
#endif
}

inline apply(L)
{
#ifdef TOGETHER
    /* Words that no process acts on before the next one is there (TOGETHER(word)) are stored in one step with it. */
    do
    :: d_step {
           at < L.armed ->
           do
           :: at + 1 < L.armed && TOGETHER(L.word[at]) -> w[L.word[at]] = L.value[at]; at++
           :: else -> break
           od;
           w[L.word[at]] = L.value[at];
           at++
       }
    :: DYING
    :: at >= L.armed -> break
    od;
    at = 0
#else
    at = 0;
    do
    :: at < L.armed ->
#ifdef BROKEN_redo_not_absolute
        STORE(w[L.word[at]], w[L.word[at]] + 1);
#else
        STORE(w[L.word[at]], L.value[at]);
#endif
        at++
    :: else -> break
    od;
    at = 0
#endif
}

/* What lies in a log that is not armed means nothing: forgotten, so that it makes no states of its own. */
inline forget_log(L)
{
    do
    :: at < REDO_MAX -> L.word[at] = 0; L.value[at] = 0; at++
    :: else -> break
    od;
    at = 0
}

inline disarm(L)
{
    if
    :: d_step { L.armed = 0; forget_log(L) }
    :: DYING
    fi
}

inline unlock(L)
{
    if
    :: L.owner = (L.inconsistent -> UNRECOVERABLE : FREE)
    :: DYING
    fi
}

/* What the kernel does with a lock of one that died. */
inline died_holding(L)
{
    d_step {
        if
        :: L.owner == ME -> L.owner = OWNERDEAD; L.inconsistent = 0
        :: else
        fi
    }
}
