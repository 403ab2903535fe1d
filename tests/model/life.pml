/* life.pml - the life of groups (common/core/group_life.c, member.c, reap.c): made, joined, moved
 * to other positions, left, left without a lock when the wait for one is given up, buried, and
 * their slots used again; with one log whose producer reads their positions without any group's
 * lock. Consumers and the producer may be killed anywhere, those that mend what another has left
 * included. At the end a survivor does what a producer without room does, and no other process
 * comes.
 *
 * A group slot is free (serial 0), MAKING, live, or OVER. A transaction is filled and armed in one
 * step (tx.pml has it in pieces) and applied in pieces: words that no process acts on before the
 * next one is stored go with that one. Records are one unit long; a claim is one record (group.pml
 * has more of claims, space.pml how a producer sleeps). */

#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef START /* there is */
#define START NAMED
#endif
#ifndef KINDS
#define KINDS (STORED | MOVE | PRIVATE) /* what consumers may do */
#endif
#ifndef ACTS
#define ACTS 0 /* claims of one consumer */
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 0 /* waits for a lock that are given up, in one run */
#endif
#ifndef TRIES
#define TRIES 0 /* of the producer, before the survivor's */
#endif
#define NAMED 1 /* a group with a name, whose member died with a record */
#define ENDED 2 /* a private group that is over and has acknowledged all */
#define FRESH 3 /* no group, and there was none */
#define GROUPS 3 /* two, and the one more with which a group can always be moved */
#define SLOTS 2
#define RING 2
#define NONE 255
#define GONE 100 /* a client that is never alive */

/* What an operation under the topic's lock is about */
#define STORED 1
#define MOVE 2
#define PRIVATE 4 /* also a flag of a group */
#define LEAVE 8
#define REAP 16
#define MAKING 32 /* flags of a group */
#define OVER 64
#define FREE_SLOT 128 /* said of a slot without a group */

/* The words that transactions change */
#define PER_GROUP 4
#define G(g_, field) w[(g_) * PER_GROUP + (field)]
#define SERIAL 0
#define FLAGS 1
#define NEXT 2
#define COMMITTED 3
#define PER_SLOT 4
#define M(m_, field) w[GROUPS * PER_GROUP + (m_) * PER_SLOT + (field)]
#define GROUP 0
#define OWNER 1
#define CURSOR 2
#define END 3
#define LIMIT w[GROUPS * PER_GROUP + SLOTS * PER_SLOT]
#define TOPIC_SERIAL w[GROUPS * PER_GROUP + SLOTS * PER_SLOT + 1]
#define G_WORD(g_, field) ((g_) * PER_GROUP + (field))
#define M_WORD(m_, field) (GROUPS * PER_GROUP + (m_) * PER_SLOT + (field))
#define LIMIT_WORD (GROUPS * PER_GROUP + SLOTS * PER_SLOT)
#define TOPIC_SERIAL_WORD (LIMIT_WORD + 1)
#define WORDS (LIMIT_WORD + 2)
#define REDO_MAX 6
/* No process acts on a cursor or an end before the slot has its group, nor on an unclaimed position before committed is there. */
#define TOGETHER(word_)                                                                                                       \
    ((word_) == TOPIC_SERIAL_WORD || ((word_) < GROUPS * PER_GROUP && (word_) % PER_GROUP == NEXT) ||                                       \
     ((word_) >= GROUPS * PER_GROUP && (word_) < LIMIT_WORD && ((word_) - GROUPS * PER_GROUP) % PER_SLOT >= CURSOR))

#define wake_all() skip
#include "robust.pml"

robust topic, log, group[GROUPS];
byte head = RING, tail;
byte acked; /* the furthest that groups that are over have acknowledged; under the log's lock, only grows */
byte dead; /* clients that the kernel knows to be gone: a bit each */
byte give_ups = GIVE_UPS;

/* Ghosts */
byte acked_by[GROUPS]; /* records that the group has acknowledged, or that lay before its start: a bit each */
byte told;             /* the furthest that a group had acknowledged when it was over */
bool placed[GROUPS];   /* its position is set, or what a dead maker left armed in the log sets it */
byte ended;            /* processes */

#define THERE(g_) (G(g_, SERIAL) && !(G(g_, FLAGS) & (MAKING | OVER)))
#define ANY_THERE (THERE(0) || THERE(1) || THERE(2))
#define LEFT(g_) (G(g_, SERIAL) && (G(g_, FLAGS) & (MAKING | OVER)))
#define UNSETTLED (LEFT(0) || LEFT(1) || LEFT(2))
#define UNSWEPT (g <= 0 && LEFT(0) || g <= 1 && LEFT(1) || g <= 2 && LEFT(2))
#define OWNS(m_, c_) (M(m_, GROUP) && M(m_, OWNER) == (c_))
#define HAS(c_) (OWNS(0, c_) || OWNS(1, c_))
#define HAS_DEAD(c_) ((dead & (1 << (c_))) && HAS(c_))
#define MEMBER_OF(m_, g_) (M(m_, GROUP) == (g_) + 1)
#define FREE_GROUPS ((G(0, SERIAL) == 0) + (G(1, SERIAL) == 0) + (G(2, SERIAL) == 0))
#define CLIENT _pid /* init is 0 */
#define PRODUCER (_pid == CONSUMERS + 1)
#define SURVIVOR (_pid == CONSUMERS + 2)
#define CONSUMER (_pid <= CONSUMERS)

#if defined(BROKEN_limit_is_all_that_is_remembered) || \
    defined(BROKEN_limit_of_the_making_is_remembered)
#define LIMIT_IS_THE_MEMORY
#endif

#define SET(L, number, new_value) L.word[at] = number; L.value[at] = new_value; at++
#define ARM(L) L.armed = at; at = 0

/* A lock that is waited for, and the wait may be given up; or, with `wait` 0, only tried: got says whether we have it. */
inline lock_or(L, wait)
{
    if
    :: atomic { L.owner == FREE -> L.owner = ME; assert(L.armed == 0) /* I7 */; got = 1 }
    :: atomic { L.owner == OWNERDEAD -> L.owner = ME; L.inconsistent = 1 } -> repair(L); got = 1
    :: atomic { !(wait) && L.owner != FREE && L.owner != OWNERDEAD -> got = 0 }
    :: atomic { (wait) && L.owner != FREE && L.owner != OWNERDEAD && give_ups > 0 -> give_ups--; got = 0 }
    :: atomic { crashes > 0 && (L.owner == FREE || L.owner == OWNERDEAD) -> crashes--; goto died }
    fi
}

/* ---- looking ---- */

#define UNPLACED_PIN (serial == G(g, SERIAL) && (flags & MAKING) && found != NONE && !placed[g])

/* mr_groups_limit, with the log's lock: each group's words one after the other, without the group's lock. */
inline limit()
{
    d_step { low = NONE; pin = NONE; g = 0 }
#ifdef LIMIT_IS_THE_MEMORY
    otherwise = LIMIT;
#else
    otherwise = acked;
#endif
    do
    :: g < GROUPS ->
        d_step { serial = G(g, SERIAL); flags = (serial -> G(g, FLAGS) : FREE_SLOT) }
        d_step {
            found = G(g, COMMITTED);
#ifndef BROKEN_limit_of_the_making_is_remembered
            assert(!UNPLACED_PIN); /* I10: what is not placed yet holds no record back */
#endif
#ifdef BROKEN_making_counts_as_a_holder
            flags = flags & ~MAKING;
#endif
            if
#ifndef BROKEN_slot_used_again_between_two_looks
            :: serial != G(g, SERIAL) /* used again meanwhile: looked at once more */
#endif
            :: else ->
                if
                :: (flags & OVER) && found > otherwise -> otherwise = found
                :: (flags & MAKING) && found < pin -> pin = found /* only: it may never come to be */
                :: !(flags & (OVER | MAKING | FREE_SLOT)) && found < low -> low = found
                :: else
                fi;
                g++
            fi;
            serial = 0;
            flags = 0;
            found = 0
        }
    :: g == GROUPS -> break
    od;
    skip;
    d_step {
        low = (low == NONE -> otherwise : low);
        low = (pin < low -> pin : low);
        pin = 0;
        otherwise = 0;
        g = 0
    }
}

/* mr_group_commit, with the group's lock */
inline commit_now(g_)
{
    d_step {
        low = G(g_, NEXT);
        m = 0;
        do
        :: m < SLOTS ->
            low = (MEMBER_OF(m, g_) && M(m, CURSOR) < M(m, END) && M(m, CURSOR) < low -> M(m, CURSOR) : low);
            m++
        :: else -> break
        od;
        m = 0;
        G(g_, COMMITTED) = (low > G(g_, COMMITTED) -> low : G(g_, COMMITTED));
        low = 0
    }
}

inline commit(g_)
{
    MAY_DIE;
    commit_now(g_)
}

/* ---- what is mended by each who takes the topic's lock ---- */

/* mr_group_free */
inline free_group()
{
#ifndef BROKEN_over_not_under_its_lock
    lock_or(group[g], wait);
#else
    got = 1;
#endif
    if
    :: got ->
        do
        :: m < SLOTS && MEMBER_OF(m, g) -> STORE(M(m, GROUP), 0)
        :: m < SLOTS && !MEMBER_OF(m, g) -> m++
        :: m == SLOTS -> break
        od;
        m = 0;
#ifndef BROKEN_over_not_under_its_lock
        unlock(group[g]);
#endif
        lock_or(log, wait);
        if
        :: got ->
#ifdef LIMIT_IS_THE_MEMORY
            old = g;
            limit();
            STORE(LIMIT, low);
            d_step { g = old; low = 0; old = 0 }
#endif
#ifndef BROKEN_over_forgotten
            if
            :: G(g, COMMITTED) > acked -> STORE(acked, G(g, COMMITTED))
            :: else
            fi;
#endif
            unlock(log);
            STORE(G(g, SERIAL), 0)
        :: else
        fi
    :: else
    fi;
    got = 0
}

inline sweep()
{
    do
    :: d_step {
           UNSWEPT ->
           do
           :: !LEFT(g) -> g++
           :: else -> break
           od
       }
        if
        :: G(g, FLAGS) & MAKING -> STORE(G(g, SERIAL), 0) /* mr_group_abandon; the log may be armed */
        :: else
        fi;
        if
        :: LEFT(g) && (G(g, FLAGS) & OVER) -> free_group()
        :: else
        fi;
        g++
    :: !UNSWEPT -> break
    od;
    skip;
    d_step { g = 0; wait = 0 }
}

/* ---- leaving ---- */

/* What the slot becomes: no member's, or an orphan; a private group is over with it, and seen to be before its member is gone. */
inline left(g_, m_)
{
    if
    :: G(g_, FLAGS) & PRIVATE -> commit(g_)
    :: else
    fi;
    if
    :: d_step {
           if
           :: G(g_, FLAGS) & PRIVATE ->
#ifdef BROKEN_over_after_its_member_is_gone
               SET(group[g_], M_WORD(m_, GROUP), 0);
               SET(group[g_], G_WORD(g_, FLAGS), G(g_, FLAGS) | OVER);
#else
               SET(group[g_], G_WORD(g_, FLAGS), G(g_, FLAGS) | OVER); /* first: it shows */
               SET(group[g_], M_WORD(m_, GROUP), 0);
#endif
               told = (G(g_, COMMITTED) > told -> G(g_, COMMITTED) : told)
           :: !(G(g_, FLAGS) & PRIVATE) && M(m_, CURSOR) < M(m_, END) -> SET(group[g_], M_WORD(m_, OWNER), 0)
           :: else -> SET(group[g_], M_WORD(m_, GROUP), 0)
           fi;
           ARM(group[g_])
       }
    :: DYING
    fi;
    apply(group[g_]);
    disarm(group[g_])
}

#define LEFT_IN_TWO_STEPS(g_, m_)                                                                                              \
    if                                                                                                                         \
    :: G(g_, FLAGS) & PRIVATE -> STORE(M(m_, GROUP), 0); STORE(G(g_, FLAGS), G(g_, FLAGS) | OVER)                                \
    :: else -> left(g_, m_)                                                                                                    \
    fi

/* mr_groups_orphan without waiting: a group whose lock another has is left for the next time. */
#define CLIENT_IN(m_, g_) (MEMBER_OF(m_, g_) && M(m_, OWNER) == client)
#define HAS_SLOT(g_) (THERE(g_) && (CLIENT_IN(0, g_) || CLIENT_IN(1, g_)))
#define UNBURIED (g <= 0 && HAS_SLOT(0) || g <= 1 && HAS_SLOT(1) || g <= 2 && HAS_SLOT(2))
inline bury()
{
    do
    :: d_step {
           UNBURIED ->
           do
           :: !HAS_SLOT(g) -> g++
           :: else -> break
           od
       }
        lock_or(group[g], 0);
        if
        :: !got -> found = SLOTS
        :: got
        fi;
        do
        :: found < SLOTS && CLIENT_IN(found, g) ->
#ifdef BROKEN_buried_before_its_group_is_over
            LEFT_IN_TWO_STEPS(g, found);
#else
            left(g, found);
#endif
            found++
        :: found < SLOTS && !CLIENT_IN(found, g) -> found++
        :: found == SLOTS -> break
        od;
        found = 0;
        if
        :: got -> unlock(group[g])
        :: else
        fi;
        g++
    :: !UNBURIED -> break
    od;
    skip;
    d_step { g = 0; got = 0 }
}

/* mr_group_leave, with or without the topic's lock */
inline leave()
{
    if
    :: got ->
        lock_or(group[seat_group], 1);
        if
        :: got ->
            assert(MEMBER_OF(slot, seat_group) && M(slot, OWNER) == CLIENT); /* I5: a member that lives keeps its slot */
#ifdef BROKEN_left_before_its_group_is_over
            LEFT_IN_TWO_STEPS(seat_group, slot);
#else
            left(seat_group, slot);
#endif
            if
            :: THERE(seat_group) -> commit(seat_group)
            :: else
            fi;
            unlock(group[seat_group])
        :: else
        fi
    :: else
    fi;
    if
#ifndef BROKEN_given_up_leaving_does_nothing
    :: !got -> STORE(M(slot, OWNER), GONE) /* leave_unlocked */
#endif
    :: else
    fi;
    d_step { got = 0; slot = NONE; seat_group = 0 }
}

/* ---- joining ---- */

/* What is armed in a group's log, its owner dead, is finished. */
inline finish_armed()
{
    do
    :: g < GROUPS && group[g].armed ->
        lock_or(group[g], 1);
        if
        :: got -> unlock(group[g])
        :: else -> break
        fi;
        g++
    :: g < GROUPS && !group[g].armed -> g++
    :: g == GROUPS -> got = 1; break
    od;
    g = 0
}

#define LOOK_FOR_SLOT(from)                                                                        \
    d_step {                                                                                       \
        slot = from;                                                                               \
        do                                                                                         \
        :: slot < SLOTS && M(slot, GROUP) -> slot++                                                \
        :: else -> break                                                                           \
        od;                                                                                        \
        g = 0                                                                                      \
    }

/* free_slot: a slot that looks free is, once what may be armed about it is finished. */
inline free_slot()
{
#ifdef BROKEN_armed_logs_finished_before_a_slot_is_chosen
    finish_armed();
    LOOK_FOR_SLOT(0)
#else
    LOOK_FOR_SLOT(0);
    do
    :: finish_armed();
        if
        :: !got || slot == SLOTS || !M(slot, GROUP) -> break
        :: else -> LOOK_FOR_SLOT(slot + 1)
        fi
    od;
    skip
#endif
}

/* mr_group_make, all but the start position */
inline make()
{
    d_step {
        do
        :: G(seat_group, SERIAL) -> seat_group++
        :: else -> break
        od
    }
    if
    :: d_step {
#if defined(BROKEN_unplaced_partition_pins) || defined(BROKEN_limit_of_the_making_is_remembered)
           G(seat_group, COMMITTED) = 0;
#else
           G(seat_group, COMMITTED) = NONE; /* holds nothing back before its position is set */
#endif
           placed[seat_group] = log.armed && log.word[0] == G_WORD(seat_group, NEXT)
       }
    :: DYING
    fi;
    if
    :: d_step {
           SET(topic, G_WORD(seat_group, FLAGS), (op & PRIVATE) | MAKING);
           SET(topic, TOPIC_SERIAL_WORD, TOPIC_SERIAL + 1);
           SET(topic, G_WORD(seat_group, SERIAL), TOPIC_SERIAL + 1);
           ARM(topic)
       }
    :: DYING
    fi;
    apply(topic);
    disarm(topic)
}

/* place */
inline place()
{
    lock_or(log, 1);
    if
    :: got ->
        if
#ifndef BROKEN_limit_of_the_making_is_remembered
        :: pos = tail
#endif
        :: pos = head
        fi;
        if
        :: d_step {
               SET(log, G_WORD(seat_group, NEXT), pos);
               SET(log, G_WORD(seat_group, COMMITTED), pos);
               if
               :: pos < LIMIT -> SET(log, LIMIT_WORD, pos)
               :: else
               fi;
               placed[seat_group] = 1;
               ARM(log)
           }
        :: DYING
        fi;
        acked_by[seat_group] = (1 << pos) - 1;
        pos = 0;
        apply(log);
        disarm(log);
        unlock(log)
    :: else
    fi
}

#ifdef BROKEN_first_member_armed_in_the_groups_log
#define FIRST_LOG group[seat_group]
#else
#define FIRST_LOG topic
#endif

/* The transaction that makes a group live with its first member, and what it replaces over. In the topic's log, because it
 * changes words of two groups. */
inline first_member()
{
#ifdef BROKEN_live_before_its_first_member
    STORE(G(seat_group, FLAGS), G(seat_group, FLAGS) & ~MAKING);
#endif
    if
    :: d_step {
           if
           :: old != NONE ->
               SET(FIRST_LOG, G_WORD(old, FLAGS), G(old, FLAGS) | OVER);
               told = (G(old, COMMITTED) > told -> G(old, COMMITTED) : told)
           :: else
           fi;
           SET(FIRST_LOG, M_WORD(slot, CURSOR), 0);
           SET(FIRST_LOG, M_WORD(slot, END), 0);
           SET(FIRST_LOG, M_WORD(slot, OWNER), CLIENT);
           SET(FIRST_LOG, M_WORD(slot, GROUP), seat_group + 1);
           SET(FIRST_LOG, G_WORD(seat_group, FLAGS), G(seat_group, FLAGS) & ~MAKING);
           ARM(FIRST_LOG)
       }
    :: DYING
    fi;
    apply(FIRST_LOG);
    disarm(FIRST_LOG)
}

/* A member more: in a free slot, or one that takes an orphan over as it is. In the group's log. */
inline next_member()
{
    if
    :: d_step {
           if
           :: slot < SLOTS ->
               SET(group[seat_group], M_WORD(slot, CURSOR), 0);
               SET(group[seat_group], M_WORD(slot, END), 0);
               SET(group[seat_group], M_WORD(slot, OWNER), CLIENT);
               SET(group[seat_group], M_WORD(slot, GROUP), seat_group + 1)
           :: else ->
               slot = 0;
               do
               :: slot < SLOTS && !(MEMBER_OF(slot, seat_group) && M(slot, OWNER) == 0) -> slot++
               :: else -> break
               od;
               if
               :: slot < SLOTS -> SET(group[seat_group], M_WORD(slot, OWNER), CLIENT)
               :: else -> slot = NONE /* -EUSERS */
               fi
           fi;
           ARM(group[seat_group])
       }
    :: DYING
    fi;
    apply(group[seat_group]);
    disarm(group[seat_group])
}

#ifdef BROKEN_orphans_freed_before_the_move
#define BEFORE_THE_MOVE() drop_orphans()
#else
#define BEFORE_THE_MOVE() skip
#endif
inline drop_orphans()
{
    do
    :: m < SLOTS && MEMBER_OF(m, old) -> STORE(M(m, GROUP), 0)
    :: m < SLOTS && !MEMBER_OF(m, old) -> m++
    :: m == SLOTS -> break
    od;
    m = 0
}

/* mr_group_join, with the topic's lock */
inline join()
{
    d_step {
        old = NONE;
        g = 0;
        do
        :: g < GROUPS && op != PRIVATE && THERE(g) && !(G(g, FLAGS) & PRIVATE) -> old = g; break
        :: g < GROUPS && !(op != PRIVATE && THERE(g) && !(G(g, FLAGS) & PRIVATE)) -> g++
        :: g == GROUPS -> break
        od;
        g = 0;
        got = 1
    }
    if
    :: op == STORED && old != NONE -> d_step { seat_group = old; old = NONE; making = 0 }
    :: op == MOVE && old != NONE && (MEMBER_OF(0, old) && M(0, OWNER) || MEMBER_OF(1, old) && M(1, OWNER)) -> got = 0 /* -EBUSY */
    :: else ->
        if
        :: old != NONE ->
            lock_or(group[old], 1); /* what a dead one had armed in its log is finished */
            if
            :: got ->
                BEFORE_THE_MOVE();
                unlock(group[old])
            :: else
            fi
        :: else
        fi;
        if
        :: got && FREE_GROUPS < (old == NONE -> 2 : 1) -> got = 0 /* -EUSERS */
        :: got && FREE_GROUPS >= (old == NONE -> 2 : 1) -> making = 1; make(); place()
        :: else
        fi
    fi;
    if
    :: got -> free_slot()
    :: else
    fi;
    if
    :: got && making && slot == SLOTS -> /* none free: an orphan's, which goes with the old positions */
        d_step {
            slot = 0;
            do
            :: slot < SLOTS && !(old != NONE && MEMBER_OF(slot, old) && M(slot, OWNER) == 0) -> slot++
            :: else -> break
            od;
            got = slot < SLOTS /* else -EUSERS */
        }
    :: else
    fi;
    if
    :: got ->
        lock_or(group[seat_group], 1);
        if
        :: got ->
            if
            :: making -> first_member()
            :: else -> next_member()
            fi;
            unlock(group[seat_group])
        :: else
        fi
    :: else
    fi;
    if
    :: !got || slot == NONE -> d_step { slot = NONE; seat_group = 0 } /* what is left of it is swept below */
    :: else ->
        assert(THERE(seat_group) && MEMBER_OF(slot, seat_group) && M(slot, OWNER) == CLIENT); /* I5: who has joined is in a group that holds */
        assert(tail <= G(seat_group, COMMITTED))                                            /* I1 */
    fi;
    d_step { got = 0; old = 0; making = 0 }
}

/* ---- taking, acknowledging, appending ---- */

/* mr_group_claim: an orphan first, else the next record */
inline claim()
{
    lock(group[seat_group]);
    assert(THERE(seat_group) && MEMBER_OF(slot, seat_group) && M(slot, OWNER) == CLIENT); /* I5: a member that lives keeps its slot and its group */
    if
    :: d_step {
           m = 0;
           do
           :: m < SLOTS && !(MEMBER_OF(m, seat_group) && M(m, OWNER) == 0) -> m++
           :: else -> break
           od;
           if
           :: m < SLOTS ->
               SET(group[seat_group], M_WORD(m, OWNER), CLIENT);
               SET(group[seat_group], M_WORD(slot, GROUP), 0);
               pos = m
           :: m == SLOTS && G(seat_group, NEXT) < head ->
               SET(group[seat_group], M_WORD(slot, CURSOR), G(seat_group, NEXT));
               SET(group[seat_group], M_WORD(slot, END), G(seat_group, NEXT) + 1);
               SET(group[seat_group], G_WORD(seat_group, NEXT), G(seat_group, NEXT) + 1);
               pos = slot
           :: else -> pos = slot
           fi;
           m = 0;
           ARM(group[seat_group])
       }
    :: DYING
    fi;
    apply(group[seat_group]);
    disarm(group[seat_group]);
    d_step { slot = pos; pos = 0 }
    commit(seat_group);
    unlock(group[seat_group])
}

inline acknowledge()
{
    if
    :: d_step {
           assert(M(slot, OWNER) == CLIENT && tail <= M(slot, CURSOR));                   /* I1: it was there until now, */
           assert((acked_by[seat_group] >> M(slot, CURSOR) & 1) == 0);                /* I6: and is acknowledged once */
           acked_by[seat_group] = acked_by[seat_group] | (1 << M(slot, CURSOR));
           M(slot, CURSOR) = M(slot, CURSOR) + 1
       }
    :: DYING
    fi
}

/* For all who look: nothing that a group waits for is overwritten. */
inline check_tail()
{
    d_step {
        g = 0;
        do
        :: g < GROUPS ->
            assert(!THERE(g) || tail <= G(g, COMMITTED) && G(g, COMMITTED) <= G(g, NEXT) && G(g, NEXT) <= head); /* I1 */
            g++
        :: else -> break
        od;
        assert(ANY_THERE || tail <= told); /* I6: without a group, what none has acknowledged stays */
        g = 0;
        m = 0;
        do
        :: m < SLOTS ->
            assert(!M(m, GROUP) || !THERE(M(m, GROUP) - 1) || M(m, CURSOR) >= M(m, END) || tail <= M(m, CURSOR)); /* I1 */
            m++
        :: else -> break
        od;
        m = 0
    }
}

/* mr_groups_settle */
inline settle()
{
    do
    :: g < GROUPS && THERE(g) ->
        lock(group[g]);
        if
        :: THERE(g) -> commit(g)
        :: else
        fi;
        unlock(group[g]);
        g++
    :: g < GROUPS && !THERE(g) -> g++
    :: g == GROUPS -> break
    od;
    g = 0
}

/* mr_producer_append of one record; without room mr_groups_settle: got says whether there was some */
inline append()
{
    lock(log);
    pos = head + 1 - RING; /* to where the tail has to go */
    if
    :: pos > LIMIT -> limit(); STORE(LIMIT, low); low = 0
    :: else
    fi;
    got = pos <= LIMIT;
    if
    :: got ->
        if
        :: pos > tail -> STORE(tail, pos); check_tail()
        :: else
        fi;
        STORE(head, head + 1)
    :: else
    fi;
    pos = 0;
    unlock(log);
    if
    :: !got -> settle()
    :: else
    fi
}

/* ---- the end ---- */

/* What must be so once a survivor has looked around; all consumers have left or died. */
inline check_end()
{
    d_step {
        assert(!UNSETTLED); /* I10: nothing in the making outlives its maker, and nothing that is over stays */
        found = 0;
        g = 0;
        do
        :: g < GROUPS ->
            assert(!THERE(g) || !(G(g, FLAGS) & PRIVATE)); /* I10: no private group outlives its member */
            found = found + (THERE(g) -> 1 : 0);
            g++
        :: else -> break
        od;
        assert(found == (START == NAMED) || START != NAMED && found <= 1); /* I4: a group with a name is there, once, moved or not */
        m = 0;
        do
        :: m < SLOTS ->
            assert(!M(m, GROUP) || THERE(M(m, GROUP) - 1) && !M(m, OWNER)); /* I5: no slot is lost, with a group or with a member */
            m++
        :: else -> break
        od;
        g = 0;
        do
        :: g < GROUPS ->
            pos = 0;
            do
            :: THERE(g) && pos < G(g, NEXT) ->
                found = acked_by[g] >> pos & 1;
                m = 0;
                do
                :: m < SLOTS -> found = found + (MEMBER_OF(m, g) && M(m, CURSOR) <= pos && pos < M(m, END) -> 1 : 0); m++
                :: else -> break
                od;
                assert(found == 1); /* I4, I5: acknowledged, or in one claim */
                pos++
            :: else -> break
            od;
            g++
        :: else -> break
        od;
        found = 0;
        pos = 0;
        m = 0;
        g = 0
    }
}

/* What a producer may count on: the groups that are there, or what those that are not have acknowledged. */
inline expected()
{
    d_step {
        low = NONE;
        g = 0;
        do
        :: g < GROUPS ->
            if
            :: THERE(g) ->
                low = (G(g, NEXT) < low -> G(g, NEXT) : low);
                m = 0;
                do
                :: m < SLOTS ->
                    low = (MEMBER_OF(m, g) && M(m, CURSOR) < M(m, END) && M(m, CURSOR) < low -> M(m, CURSOR) : low);
                    m++
                :: else -> break
                od
            :: else
            fi;
            g++
        :: else -> break
        od;
        low = (low == NONE -> told : low);
        tries = low >= head + 1 - RING;
        low = 0;
        m = 0;
        g = 0
    }
}

inline all_acknowledge()
{
    d_step {
        g = 0;
        do
        :: g < GROUPS ->
            if
            :: THERE(g) -> G(g, NEXT) = head; tries = 1
            :: else
            fi;
            g++
        :: else -> break
        od;
        m = 0;
        do
        :: m < SLOTS -> M(m, CURSOR) = M(m, END); m++
        :: else -> break
        od;
        m = 0;
        g = 0
    }
}

#ifdef BROKEN_only_what_the_dead_hold_is_looked_for
#define TO_REAP (HAS(GONE) || HAS_DEAD(1) || HAS_DEAD(2))
#else
#define TO_REAP (UNSETTLED || HAS(GONE) || HAS_DEAD(1) || HAS_DEAD(2))
#endif
#define LOCKABLE (topic.owner == FREE || topic.owner == OWNERDEAD)

/* The topic's lock: a process decides what to do with it when it gets it, which makes fewer states. */
inline lock_topic()
{
    assert(topic.owner == OWNERDEAD || topic.armed == 0); /* I7 */
    topic.inconsistent = topic.owner == OWNERDEAD;
    topic.owner = ME
}

proctype process() /* CONSUMERS, a producer, the survivor */
{
    byte at, op, client, g, m, slot = NONE, seat_group, old;
    byte pos, low, pin, otherwise, found, flags, serial;
    byte acts = ACTS, tries = TRIES, lives = 1;
    bool got, wait, making;
    if
    :: SURVIVOR ->
        timeout;
        assert(ended == CONSUMERS + 1); /* I8: no process waits for ever */
        d_step { crashes = 0; give_ups = 0; lives = 6; tries = 0 }
    :: PRODUCER -> lives = 0
    :: else -> tries = 0
    fi;
again:
    do
    :: d_step { /* mr_topic_reap_dead: by all who wait or join */
           (!SURVIVOR || lives > 0) && LOCKABLE && TO_REAP ->
           lock_topic();
           op = REAP;
           if
           :: HAS_DEAD(1) -> client = 1
           :: !HAS_DEAD(1) && HAS_DEAD(2) -> client = 2
           :: !HAS_DEAD(1) && !HAS_DEAD(2) && HAS(GONE) -> client = GONE
           :: else -> client = NONE
           fi;
           lives = (SURVIVOR -> lives - 1 : lives);
           got = 1
       }
       break
    :: atomic { CONSUMER && slot == NONE && lives > 0 && LOCKABLE ->
           lock_topic();
           lives = 0;
           got = 1;
           if
           :: KINDS & STORED -> op = STORED
           :: KINDS & MOVE -> op = MOVE
           :: KINDS & PRIVATE -> op = PRIVATE
           fi
       }
       break
    :: d_step { slot != NONE && LOCKABLE -> lock_topic(); op = LEAVE; got = 1 }
       break
    :: d_step { slot != NONE && !LOCKABLE && give_ups > 0 -> give_ups--; op = LEAVE }
       break
    :: slot != NONE && acts > 0 && M(slot, CURSOR) >= M(slot, END) -> acts--; claim()
    :: slot != NONE && M(slot, CURSOR) < M(slot, END) -> acknowledge()
    :: d_step { slot != NONE && crashes > 0 -> crashes-- }; goto died
    :: PRODUCER && tries > 0 -> tries--; append(); got = 0
    :: SURVIVOR && (lives == 0 || !TO_REAP) ->
        check_end();
        expected();
        if
        :: tries ->
            append(); /* brings committed up to date if there is no room */
            if
            :: !got -> append()
            :: else
            fi;
            assert(got) /* I10: nothing but a group that is there holds a producer back, */
        :: else
        fi;
        tries = 0;
        all_acknowledge();
        if
        :: tries ->
            append();
            if
            :: !got -> append()
            :: else
            fi;
            assert(got) /* I10: nor that, once it has acknowledged */
        :: else
        fi;
        goto end
    :: !SURVIVOR && slot == NONE && lives == 0 && tries == 0 -> goto end
    od;
    if
    :: got ->
        if
        :: topic.inconsistent -> repair(topic)
        :: else
        fi;
        /* mr_topic_lock sweeps, and what the operation itself leaves is swept after it. */
        wait = (op & (STORED | MOVE | PRIVATE)) && FREE_GROUPS < (op == MOVE -> 1 : 2);
        sweep();
        got = 1;
        if
        :: op == REAP && client != NONE -> bury()
        :: op == LEAVE -> leave()
        :: op & (STORED | MOVE | PRIVATE) -> join()
        :: else
        fi;
        sweep();
        unlock(topic)
    :: else -> leave()
    fi;
    skip;
    d_step { op = 0; client = 0; got = 0 }
    goto again;
died: skip;
    d_step {
        died_holding(topic);
        died_holding(log);
        died_holding(group[0]);
        died_holding(group[1]);
        died_holding(group[2]);
        dead = dead | (1 << CLIENT)
    }
end:
    ended++
}

init
{
    byte at;
    atomic {
        TOPIC_SERIAL = 1;
#if START != FRESH
        G(0, SERIAL) = 1;
#endif
#if START == NAMED
        G(0, NEXT) = 1;
        M(0, GROUP) = 1;
        M(0, END) = 1;
#elif START == ENDED
        G(0, FLAGS) = PRIVATE | OVER;
        G(0, NEXT) = head;
        G(0, COMMITTED) = head;
        told = head;
#endif
        do
        :: at < CONSUMERS + 2 -> run process(); at++
        :: else -> break
        od
    }
}
