/* dead.pml - a record that kills goes to the dead-letter topic exactly once, and is acknowledged exactly once, whoever dies in
 * between (common/dead.c): noted in the member's slot, appended there, acknowledged here; whoever takes the slot over looks
 * whether the letter has arrived.
 *
 * All RECORDS of one claim are to be moved. CONSUMERS take the claim over from each other when they die (group.pml has that in
 * pieces, and tx.pml the transactions that open and close a producer in the dead-letter topic, which has PRODUCER_SLOTS). */

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

/* The dead-letter topic: its producers (state 0 never used, 1 attached, 2 done, 3 died) and its log */
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

/* mr_append of one letter; log.pml has the same */
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

/* mr_dead_settle */
inline settle()
{
    if
    :: moving == cursor && cursor < RECORDS ->
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

inline letter()
{
    open_producer();
#ifdef BROKEN_acknowledged_before_letter
    pos = cursor;
    acknowledge();
#else
    pos = cursor;
#endif
#if !defined(BROKEN_letter_not_noted) && !defined(BROKEN_noted_after_letter)
    STORE(moving_client, _pid);
    STORE(moving_producer, mine);
    STORE(moving_count, 1);
    STORE(moving, pos);
#endif
    append(pos);
#ifdef BROKEN_noted_after_letter
    STORE(moving_client, _pid);
    STORE(moving_producer, mine);
    STORE(moving_count, 1);
    STORE(moving, pos);
#endif
#ifndef BROKEN_acknowledged_before_letter
    acknowledge();
#endif
    STORE(moving, NONE);
    if :: slots[mine].state = 2 :: DYING fi; /* mr_producer_close */
    mine = 0;
    pos = 0
}

active [CONSUMERS] proctype consumer()
{
    byte at, mine, pos;
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
