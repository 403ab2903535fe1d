/* move.pml - a record goes to another topic and is acknowledged here as one step, whoever dies in between (common/core/move.c: dead
 * letters and mr_consumer_ack_with): noted in the member's slot, appended there, acknowledged here; whoever takes the slot over looks
 * whether it has arrived. "Letter" is said here for both.
 *
 * All RECORDS of one claim are to be moved, each by a producer of its own as dead letters are, or with ONE_PRODUCER by the one
 * that each consumer keeps. CONSUMERS take the claim over from each other when they die (group.pml has that in pieces, and tx.pml
 * the transactions that open and close a producer in the other topic, which has PRODUCER_SLOTS). */

#ifndef CONSUMERS
#define CONSUMERS 3
#endif
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef PRODUCER_SLOTS
#define PRODUCER_SLOTS 3
#endif
#define NONE 255

#define wake_all() skip
#define after_repair() mend()
#include "robust.pml"

/* The member's slot in the topic */
byte owner, cursor;
byte moving = NONE, moving_producer, moving_client, moving_count;

/* The other topic: its producers (state 0 never used, 1 attached, 2 done, 3 died) and its log */
typedef slot_t { byte state, client, since, records }
slot_t slots[PRODUCER_SLOTS];
byte clock;
robust log;
byte head;
typedef tip_t { byte head, slot, count }
tip_t tips[2];

byte dead;             /* clients that the kernel knows to be gone: a bit each */
byte letters[RECORDS]; /* ghost */

/* mr_log_lock after a death */
inline mend()
{
    at = 0;
    do
    :: at < 2 ->
        if
        :: head && tips[at].head == head && slots[tips[at].slot].records < tips[at].count ->
            STORE(slots[tips[at].slot].records, tips[at].count)
        :: else
        fi;
        at++
    :: else -> break
    od;
    at = 0
}

/* mr_producer_open: a slot never used, else the one that is done for longest, else the one that died longest ago */
inline open_producer()
{
    if
    :: d_step {
           mine = NONE;
           at = 0;
           do
           :: at < PRODUCER_SLOTS ->
               if
#ifdef BROKEN_newest_slot_used_again
               :: slots[at].state != 1 && (mine == NONE || slots[at].since > slots[mine].since) -> mine = at
#else
               :: slots[at].state != 1 && (mine == NONE || slots[at].state < slots[mine].state) -> mine = at
               :: mine != NONE && slots[at].state == slots[mine].state && slots[at].since < slots[mine].since -> mine = at
#endif
               :: else
               fi;
               at++
           :: else -> break
           od;
           at = 0;
           clock++;
           slots[mine].since = clock;
           slots[mine].records = 0;
           slots[mine].client = _pid;
           slots[mine].state = 1
       }
    :: DYING
    fi
}

/* mr_producer_append of one letter; log.pml has the same */
inline append(pos)
{
    lock(log);
    other = (tips[0].head == head -> 1 : 0);
    STORE(tips[other].head, NONE);
    if :: d_step { tips[other].slot = mine; tips[other].count = slots[mine].records + 1 } :: DYING fi;
    STORE(tips[other].head, head + 1);
    if
    :: d_step { head++; assert(letters[pos] == 0) /* I6: no second letter */; letters[pos] = 1 }
    :: DYING
    fi;
    STORE(slots[mine].records, slots[mine].records + 1);
    unlock(log);
    other = 0
}

inline acknowledge()
{
    if
    :: d_step {
#ifndef BROKEN_acknowledged_before_letter
           assert(letters[cursor] == 1); /* I6, I9: acknowledged only once the letter is there */
#endif
           cursor++
       }
    :: DYING
    fi
}

/* mr_move_settle */
inline settle()
{
    if
    :: moving != NONE && moving > cursor && moving <= RECORDS ->
#ifdef BROKEN_count_looked_up_without_lock
        MAY_DIE;
#else
        lock(log);
#endif
        arrived = slots[moving_producer].client == moving_client && slots[moving_producer].records >= moving_count;
#ifndef BROKEN_count_looked_up_without_lock
        unlock(log);
#endif
        if
        :: arrived -> acknowledge()
        :: else
        fi;
        arrived = 0
    :: else
    fi;
    if
    :: moving != NONE -> STORE(moving, NONE)
    :: else
    fi
}

inline note()
{
    STORE(moving_producer, mine);
    STORE(moving_client, _pid);
#ifdef BROKEN_count_of_a_fresh_producer
    STORE(moving_count, 1);
#else
    STORE(moving_count, slots[mine].records + 1);
#endif
    STORE(moving, pos + 1)
}

inline open_if_none()
{
    if
    :: mine == NONE -> open_producer()
    :: else
    fi
}

/* mr_move */
inline letter()
{
    open_if_none();
    pos = cursor;
#ifdef BROKEN_acknowledged_before_letter
    acknowledge();
#endif
#if !defined(BROKEN_letter_not_noted) && !defined(BROKEN_noted_after_letter)
    note();
#endif
    append(pos);
#ifdef BROKEN_noted_after_letter
    note();
#endif
#ifndef BROKEN_acknowledged_before_letter
    acknowledge();
#endif
    STORE(moving, NONE);
#ifndef ONE_PRODUCER
    if :: slots[mine].state = 2 :: DYING fi; /* mr_producer_close */
    mine = NONE;
#endif
    pos = 0
}

active [CONSUMERS] proctype consumer()
{
    byte at, mine = NONE, pos;
    bool other, arrived;
    do
    :: cursor == RECORDS -> assert(letters[0] == 1 && letters[RECORDS - 1] == 1); break /* I6, I9: none is lost */
    :: atomic { cursor < RECORDS && owner == 0 -> owner = ME } /* takes the claim over: mr_group_claim */
        settle();
        do
        :: cursor < RECORDS -> letter()
        :: else -> break
        od
    od;
    goto end;
died: skip;
    atomic {
        died_holding(log);
        dead = dead | (1 << _pid)
    }
end:
    skip
}

/* Whoever notices a death (mr_topic_reap), in both topics, sooner or later. */
active proctype reaper()
{
    byte at;
end:
    do
    :: d_step { dead && owner != 0 && (dead & (1 << (owner - 1))) -> owner = 0 }
    :: d_step {
           at < PRODUCER_SLOTS && slots[at].state == 1 && (dead & (1 << slots[at].client)) -> slots[at].state = 3
       }
    :: at = (at + 1) % PRODUCER_SLOTS
    od
}
