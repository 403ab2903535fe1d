/* cond.pml - sleepers and wakers (common/core/cond.c), as members of a group and producers use them (mr_consumer_claim, mr_group_claim,
 * mr_groups_tell).
 *
 * Each of PRODUCERS publishes BATCH records at once and wakes one member; each of CONSUMERS takes one record and then keeps it
 * for ever, so that only a sleeper can take what is left. No wait is bounded here: the bound in the code must not be
 * needed while a broker hears of the dead (mr_topic_reap): it makes orphans of what they held, and wakes all.
 *
 * I8: when nothing moves any more, no one sleeps while there is a record or an orphan to take. */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 3
#endif
#ifndef BATCH
#define BATCH 1
#endif

#define wake_all() broadcast()
#include "robust.pml"

robust group;
byte head, claimed, orphans;
byte word;           /* mr_cond: bit 0 one may sleep, the rest counts signals (modulo 128 here, more than there are) */
byte sleepers;       /* the kernel's queue: one bit a consumer */
byte deaths, held_by_dead; /* not noticed yet */
byte waiting = CONSUMERS;  /* ghost: consumers that live and have nothing */

#define WORK (head != claimed || orphans > 0)

/* FUTEX_WAKE of one: the kernel takes the first, which may be any. */
inline futex_wake_one()
{
    atomic {
        if
        :: sleepers & 1 -> sleepers = sleepers & ~1; woken = 1
        :: sleepers & 2 -> sleepers = sleepers & ~2; woken = 1
        :: sleepers & 4 -> sleepers = sleepers & ~4; woken = 1
        :: sleepers & 8 -> sleepers = sleepers & ~8; woken = 1
        :: else -> woken = 0
        fi
    }
}

/* mr_cond_signal(c, 1) */
inline signal()
{
    if
    :: (word & 1) == 0
    :: else ->
        STORE(word, word + 1);
        MAY_DIE;
        futex_wake_one();
#ifdef BROKEN_waker_sets_the_flag_again
        if
        :: woken -> STORE(word, word | 1)
        :: else
        fi
#endif
    fi
}

/* mr_topic_wake, for a death: whatever the flag says, for the dead may have been a waker. */
inline broadcast()
{
#ifdef BROKEN_flag_believed_after_a_death
    if
    :: (word & 1) == 0
    :: else ->
        STORE(word, word + 1);
        STORE(sleepers, 0)
    fi
#else
    STORE(word, word + 2);
    STORE(sleepers, 0) /* FUTEX_WAKE of all */
#endif
}

/* mr_group_claim: an orphan first. One that finds more than it takes wakes the next. */
inline claim()
{
    lock(group);
    if
    :: orphans > 0 -> if :: d_step { orphans--; got = 1; waiting-- } :: DYING fi
    :: orphans == 0 && head != claimed -> if :: d_step { claimed++; got = 1; waiting-- } :: DYING fi
    :: else -> got = 0
    fi;
#ifndef BROKEN_no_wake_for_what_is_left
    more = got && WORK;
#endif
    unlock(group);
    if
    :: more -> signal()
    :: else
    fi;
    more = 0
}

active [CONSUMERS] proctype consumer()
{
    byte ticket, at;
    bit got, more, woken;
    do
    :: if
       :: WORK -> claim(); if :: got -> break :: else fi /* spin() may see it, or not */
       :: skip
       fi;
#ifdef BROKEN_look_before_flag
       claim();
       if :: got -> break :: else fi;
       if :: d_step { word = word | 1; ticket = word } :: DYING fi;
#else
       if :: d_step { word = word | 1; ticket = word } :: DYING fi; /* mr_cond_prepare */
       claim();
       if :: got -> break :: else fi;
#endif
       MAY_DIE;
       if /* FUTEX_WAIT */
       :: atomic { word == ticket -> sleepers = sleepers | (1 << _pid) }
end_asleep:
          if
          :: (sleepers & (1 << _pid)) == 0
#ifdef BOUNDED
          :: d_step { /* -ETIMEDOUT: mr_topic_reap_dead; the group's lock is repaired by the next claim */
                 sleepers & (1 << _pid) ->
                 sleepers = sleepers & ~(1 << _pid);
                 orphans = orphans + held_by_dead;
                 held_by_dead = 0;
                 deaths = 0
             }
#endif
          fi;
#ifndef BROKEN_waker_sets_the_flag_again
          STORE(word, word | 1) /* there may be more sleepers */
#else
          MAY_DIE
#endif
       :: word != ticket
       fi;
       MAY_DIE
    od;
    if
    :: skip
    :: d_step { crashes > 0 -> crashes-- }; goto died
    fi;
end_holding:
    false;
died: skip;
    d_step { held_by_dead = held_by_dead + got; waiting = waiting - (got -> 0 : 1); deaths++; got = 0 }
    died_holding(group)
}

active [PRODUCERS] proctype producer()
{
    byte at;
    bit woken;
    STORE(head, head + BATCH); /* under the log's lock: log.pml */
    signal();
    goto end;
died: skip;
    deaths++;
end:
    skip
}

#if CRASHES && !defined(BOUNDED)
/* The broker is not killed here: without it the waits are bounded. */
active proctype broker()
{
end:
    do
    :: atomic { /* under the group's lock, repaired if need be */
           deaths > 0 && (group.owner == FREE || group.owner == OWNERDEAD) ->
           group.owner = FREE;
           deaths--;
           orphans = orphans + held_by_dead;
           held_by_dead = 0
       }
#ifdef BROKEN_flag_believed_after_a_death
       if
       :: (word & 1) == 0
       :: else -> word++; sleepers = 0
       fi
#else
       word = word + 2;
       sleepers = 0
#endif
    od
}
#endif

#ifdef BOUNDED
/* I8, under weak fairness: what is there is taken while anybody lives who could. */
ltl i8 { [] (WORK && waiting > 0 -> <> !(WORK && waiting > 0)) }
#else
active proctype monitor()
{
    timeout -> assert(!(WORK && sleepers)) /* I8 */
}
#endif
