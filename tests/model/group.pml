/* group.pml - a group's members share out the records of one partition (common/core/group.c, member.c, consume.c, deliver.c): claims
 * taken and orphans taken over in transactions, acknowledged by one store without a lock, given back, and made orphans when
 * their owner dies, the record in hand blamed and given out alone. A transaction is filled and armed in one step here, and
 * applied in another (with PIECES word by word; tx.pml has all of it in pieces). Records are one unit
 * long. A dead letter is one step (move.pml has it in pieces).
 *
 * Who finds nothing waits until there is something to do for it (cond.pml says how), so that an end with records left is an
 * invalid end state: I8. */

#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef RECORDS
#define RECORDS 3
#endif
#ifndef SHARE
#define SHARE 2 /* records in a claim, at most */
#endif
#ifndef TRIES
#define TRIES 2
#endif
#ifndef GIVE_BACKS
#define GIVE_BACKS 1 /* in one run */
#endif
#define SLOTS (CONSUMERS + 1)
#define NONE 255

/* The words that transactions change. A member's slot: */
#define PER_SLOT 7
#define SLOT(m, field) w[2 + (m) * PER_SLOT + (field)]
#define USED 0   /* its group: 0 free */
#define OWNER 1  /* client; 0 an orphan */
#define CURSOR 2
#define END 3
#define IN_HAND 4
#define BLAMED 5
#define TRIED 6
#define NEXT w[0]
#define ORPHANS w[1]
#define NUMBER(m, field) (2 + (m) * PER_SLOT + (field))

#define WORDS (2 + SLOTS * PER_SLOT)
#define REDO_MAX 12
#define wake_all() skip
#include "robust.pml"

robust topic, group;
byte head, committed;
byte dead;        /* clients whose OFD lock the kernel has dropped: a bit each */
byte give_backs = GIVE_BACKS;

/* Ghosts, by position */
bool worked[RECORDS], acked[RECORDS];
byte deaths_of[RECORDS]; /* owners that died with it in hand */

#define HOLDS(m, pos) (SLOT(m, USED) && SLOT(m, CURSOR) <= (pos) && (pos) < SLOT(m, END))
#define CLIENT _pid /* init is 0 */

/* For the holder of the repaired lock. */
inline check()
{
    d_step {
        assert(committed <= NEXT && NEXT <= head); /* I1 */
        at = 0;
        do
        :: at < RECORDS ->
            found = 0;
            seen = 0;
            do
            :: seen < SLOTS -> found = found + (HOLDS(seen, at) -> 1 : 0); seen++
            :: else -> break
            od;
            assert(at >= NEXT || (acked[at] -> found == 0 : found == 1)); /* I4, I5 */
            assert(at < NEXT || (found == 0 && !acked[at]));              /* I4 */
            assert(acked[at] || committed <= at);                         /* I1, I6: nobody overwrites what is not acknowledged */
            assert(!acked[at] || worked[at]);                             /* I6 */
            at++
        :: else -> break
        od;
        at = 0;
        found = 0;
        seen = 0;
        do
        :: seen < SLOTS -> found = found + (SLOT(seen, USED) && !SLOT(seen, OWNER) -> 1 : 0); seen++
        :: else -> break
        od;
        assert(found == ORPHANS); /* I5: who waits is told of them by this number */
        found = 0;
        seen = 0
    }
}

#define SET(number, new_value) group.word[at] = number; group.value[at] = new_value; at++
#define ARM() group.armed = at; at = 0

/* Everything between arming and disarming is what others may see, or find: in pieces only with PIECES, it makes many states. */
inline finish()
{
#ifdef BROKEN_no_redo
    at = 0;
    do
    :: at < group.armed -> /* armed by none: a dead one's words stay as they are */
        if
        :: w[group.word[at]] = group.value[at]
        :: d_step { crashes > 0 -> crashes--; group.armed = 0; forget_log(group) }; goto died
        fi;
        at++
    :: else -> break
    od;
    at = 0;
    disarm(group)
#else
#ifdef PIECES
    apply(group);
    disarm(group)
#else
    if
    :: d_step {
           at = 0;
           do
           :: at < group.armed -> w[group.word[at]] = group.value[at]; at++
           :: else -> break
           od;
           group.armed = 0;
           forget_log(group)
       }
    :: DYING
    fi
#endif
#endif
}

inline set_left(m, died)
{
    if
    :: SLOT(m, CURSOR) >= SLOT(m, END) -> SET(NUMBER(m, USED), 0)
    :: else ->
#ifdef BROKEN_dead_claim_forgotten
        SET(NUMBER(m, USED), 0);
#else
        SET(NUMBER(m, OWNER), 0);
#ifndef BROKEN_in_hand_stays
        SET(NUMBER(m, IN_HAND), NONE);
#endif
        SET(1, ORPHANS + 1);
        if
        :: died && SLOT(m, IN_HAND) != NONE && SLOT(m, IN_HAND) >= SLOT(m, CURSOR) && SLOT(m, IN_HAND) < SLOT(m, END) ->
            SET(NUMBER(m, TRIED), (SLOT(m, BLAMED) == SLOT(m, IN_HAND) -> SLOT(m, TRIED) + 1 : 1));
            SET(NUMBER(m, BLAMED), SLOT(m, IN_HAND))
        :: else
        fi
#endif
    fi
}

inline set_empty(m)
{
    SET(NUMBER(m, CURSOR), 0);
    SET(NUMBER(m, END), 0);
    SET(NUMBER(m, IN_HAND), NONE);
    SET(NUMBER(m, BLAMED), NONE);
    SET(NUMBER(m, TRIED), 0);
    SET(NUMBER(m, OWNER), CLIENT);
    SET(NUMBER(m, USED), 1)
}

/* mr_group_commit */
inline commit()
{
    if
    :: d_step {
           low = NEXT;
#ifndef BROKEN_committed_is_next
           seen = 0;
           do
           :: seen < SLOTS ->
               if
               :: SLOT(seen, USED) && SLOT(seen, CURSOR) < SLOT(seen, END) && SLOT(seen, CURSOR) < low -> low = SLOT(seen, CURSOR)
               :: else
               fi;
               seen++
           :: else -> break
           od;
           seen = 0;
#endif
           committed = (low > committed -> low : committed);
           low = 0
       }
    :: DYING
    fi
}

/* The first slot that is an orphan, or is free; SLOTS: none */
inline find_orphan()
{
    do
    :: found < SLOTS && SLOT(found, USED) && !SLOT(found, OWNER) && SLOT(found, CURSOR) < SLOT(found, END) -> break
    :: found == SLOTS -> break
    :: else -> found++
    od
}
inline find_free()
{
    do
    :: found == SLOTS -> break
    :: found < SLOTS && !SLOT(found, USED) -> break
    :: else -> found++
    od
}

/* mr_group_claim: got something or not */
inline claim()
{
    lock(group);
    check();
    if
    :: d_step {
           find_orphan();
           if
           :: found < SLOTS -> /* adopt */
               SET(NUMBER(found, OWNER), CLIENT);
               SET(1, ORPHANS - 1);
               SET(NUMBER(slot, USED), 0);
               next_slot = found
           :: found == SLOTS && NEXT < head -> /* take */
               low = (head - NEXT < SHARE -> head : NEXT + SHARE);
#ifdef BROKEN_acknowledged_when_claimed
               SET(NUMBER(slot, CURSOR), low);
#else
               SET(NUMBER(slot, CURSOR), NEXT);
#endif
               SET(NUMBER(slot, END), low);
               SET(NUMBER(slot, IN_HAND), NONE);
               SET(NUMBER(slot, BLAMED), NONE);
               SET(NUMBER(slot, TRIED), 0);
               SET(0, low);
               next_slot = slot;
#ifdef BROKEN_next_before_claim
               NEXT = low
#endif
           :: else -> next_slot = NONE
           fi;
           low = 0;
           found = 0;
#ifdef BROKEN_next_before_claim
           group.armed = 0
#else
           ARM()
#endif
       }
    :: DYING
    fi;
#ifdef BROKEN_next_before_claim
    if :: d_step { ARM() } :: DYING fi;
#endif
    if
    :: next_slot != NONE -> finish(); slot = next_slot; got = 1
    :: else
    fi;
    next_slot = 0;
    check();
    commit();
    check();
    unlock(group)
}

/* mr_group_give_back: an orphan of what it holds, and an empty slot for itself */
inline give_back()
{
    lock(topic);
    lock(group); /* with one group, free_slot's look at armed logs comes to this */
    check();
    if
    :: d_step {
           find_free();
           if
           :: found < SLOTS -> set_left(slot, 0); set_empty(found); next_slot = found
           :: else -> next_slot = slot
           fi;
           found = 0;
           ARM()
       }
    :: DYING
    fi;
    finish();
    slot = next_slot;
    next_slot = 0;
    check();
    unlock(group);
    unlock(topic)
}

/* mr_topic_reap of one dead client: each of its slots is a transaction */
inline reap(client)
{
    lock(topic);
    lock(group);
    check();
    do
    :: low < SLOTS && SLOT(low, USED) && SLOT(low, OWNER) == client ->
        if
        :: d_step { set_left(low, 1); ARM() }
        :: DYING
        fi;
        finish();
        low++
    :: low < SLOTS && !(SLOT(low, USED) && SLOT(low, OWNER) == client) -> low++
    :: low == SLOTS -> break
    od;
    low = 0;
    check();
    unlock(group);
    unlock(topic)
}

#define OWNED(m, c) (SLOT(m, USED) && SLOT(m, OWNER) == c)
#define HAS_SLOT(client) (dead & (1 << (client)) && HAS_ANY(client))
#if CONSUMERS == 2
#define HAS_ANY(c) (OWNED(0, c) || OWNED(1, c) || OWNED(2, c))
#define TO_REAP (HAS_SLOT(1) || HAS_SLOT(2))
#else
#define HAS_ANY(c) (OWNED(0, c) || OWNED(1, c) || OWNED(2, c) || OWNED(3, c))
#define TO_REAP (HAS_SLOT(1) || HAS_SLOT(2) || HAS_SLOT(3))
#endif
#if RECORDS == 2
#define ALL_DONE (acked[0] && acked[1])
#else
#define ALL_DONE (acked[0] && acked[1] && acked[2])
#endif

proctype consumer()
{
    byte at, seen, found, low, slot = _pid - 1, next_slot, pos, stop;
    bool got;
    do
    :: ALL_DONE -> break
    :: !ALL_DONE && (NEXT != head || ORPHANS > 0 || group.owner == OWNERDEAD) -> /* inviting, or woken for a death */
        claim();
        do
        :: got ->
            /* mr_deliver: up to a blamed record, or it alone */
            d_step {
                pos = SLOT(slot, CURSOR);
                stop = SLOT(slot, END);
                if
                :: SLOT(slot, BLAMED) == pos -> stop = pos + 1
                :: SLOT(slot, BLAMED) > pos && SLOT(slot, BLAMED) < stop -> stop = SLOT(slot, BLAMED)
                :: else
                fi
            }
            if
            :: SLOT(slot, BLAMED) == pos && SLOT(slot, TRIED) >= TRIES ->
                assert(deaths_of[pos] >= TRIES); /* I6: only what killed so often is moved away */
                worked[pos] = 1;
                pos++
            :: else ->
                do
                :: pos < stop ->
                    assert(!acked[pos]);                                                  /* I6 */
                    assert(SLOT(slot, BLAMED) != pos || SLOT(slot, TRIED) <= deaths_of[pos]); /* I6: blamed for what it did, */
                    assert(SLOT(slot, BLAMED) != pos || SLOT(slot, CURSOR) == pos && stop == pos + 1); /* I6: and alone */
#ifdef BROKEN_acknowledged_before_given
                    if :: d_step { SLOT(slot, CURSOR) = pos + 1; acked[pos] = 1 } :: DYING fi;
#endif
                    if :: d_step { SLOT(slot, IN_HAND) = pos; worked[pos] = 1 } :: DYING fi; /* mr_consumer_next */
                    pos++
                :: pos == stop -> break
                :: pos < stop && pos > SLOT(slot, CURSOR) -> break /* acknowledges what it has so far */
                :: d_step { give_backs > 0 -> give_backs-- }       /* mr_consumer_give_back */
                    give_back();
                    pos = SLOT(slot, CURSOR);                      /* if there was no slot for that, it goes on */
                    break
                od
            fi;
#ifndef BROKEN_acknowledged_before_given
            /* mr_consumer_ack: one store */
            if
            :: d_step {
                   at = SLOT(slot, CURSOR);
                   SLOT(slot, CURSOR) = pos;
                   do
                   :: at < pos -> assert(!acked[at]); acked[at] = 1; at++ /* I6 */
                   :: else -> break
                   od;
                   at = 0
               }
            :: DYING
            fi;
#endif
            got = SLOT(slot, CURSOR) < SLOT(slot, END);
            pos = 0;
            stop = 0
        :: !got -> break
        od
    :: !ALL_DONE && TO_REAP -> /* the bound of a wait is over: mr_topic_reap_dead */
        if
        :: HAS_SLOT(1) -> reap(1)
        :: HAS_SLOT(2) -> reap(2)
#if CONSUMERS > 2
        :: HAS_SLOT(3) -> reap(3)
#endif
        :: else /* another was faster */
        fi
    od;
    goto end;
died: skip;
    d_step {
        at = 0;
        do
        :: at < SLOTS ->
            if
            :: SLOT(at, USED) && SLOT(at, OWNER) == CLIENT && HOLDS(at, SLOT(at, IN_HAND)) ->
                deaths_of[SLOT(at, IN_HAND)] = deaths_of[SLOT(at, IN_HAND)] + 1
            :: else
            fi;
            at++
        :: else -> break
        od;
        dead = dead | (1 << CLIENT)
    }
    died_holding(group);
    died_holding(topic);
end:
    skip
}

proctype producer() /* log.pml has it in pieces */
{
    do
    :: head < RECORDS -> head++
    :: else -> break
    od
}

/* The members have joined. */
init
{
    byte m;
    atomic {
        do
        :: m < CONSUMERS -> SLOT(m, USED) = 1; SLOT(m, OWNER) = m + 1; SLOT(m, IN_HAND) = NONE; SLOT(m, BLAMED) = NONE; m++
        :: else -> break
        od;
        m = 0;
        do
        :: m < CONSUMERS -> run consumer(); m++
        :: else -> break
        od;
        run producer()
    }
}

#ifdef PROGRESS
ltl i8 { <> ALL_DONE } /* I6, I8: under weak fairness every record is acknowledged, whoever died */
#endif
