/* move.pml - a record goes to another topic and is acknowledged here as one step, whichever
 * process dies in between (common/core/move.c: dead letters and mr_consumer_ack_with): noted in
 * the member's slot, appended there, acknowledged here; the next to have the slot looks whether it
 * has arrived. "Letter" is said here for both. And the identities that the note names
 * (producer_slot.c, asked.c, mend in log.c): a producer's slot there is used again by others, who
 * die, too, and then no producer may be credited another's records.
 *
 * All RECORDS of one claim are to be moved, each by a producer of its own as dead letters are, or
 * with ONE_PRODUCER by the one that each consumer keeps. CONSUMERS take the claim over from each
 * other when they die (group.pml has that in pieces). USERS are producers of the other topic,
 * which has PRODUCER_SLOTS: any that is done or died may be the one that is used again. */

#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef USERS
#define USERS 1
#endif
#ifndef RECORDS
#define RECORDS 1
#endif
#ifndef PRODUCER_SLOTS
#define PRODUCER_SLOTS 2
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 0 /* appends that fail and waits for the log's lock that end so, in one run */
#endif
#define NONE 255

/* A producer's slot there: words that the transactions under that topic's lock change. */
#define S(i, field) w[(i) * 5 + (field)]
#define COUNT 0  /* records */
#define ASKED 1  /* a topic with a member that may ask about it; there is one here */
#define OWNER 2
#define SERIAL 3 /* never used again; 0 none */
#define STATE 4  /* 0 never used, */
#define ATTACHED 1
#define GONE 2   /* done, or died: not told apart here */
#define NEWEST w[PRODUCER_SLOTS * 5]
#define S_WORD(i, field) ((i) * 5 + (field))
#define NEWEST_WORD (PRODUCER_SLOTS * 5)
#define WORDS (NEWEST_WORD + 1)
#define REDO_MAX 6
#define L_SET(number, new_value) topic.word[at] = number; topic.value[at] = new_value; at++
#define TOGETHER(word_) ((word_) == NEWEST_WORD || (word_) % 5 == OWNER || (word_) % 5 == ASKED)

#define wake_all() skip
#include "robust.pml"

/* The member's slot in the topic */
byte owner, cursor;
byte moving = NONE, moving_producer, moving_serial, moving_count;

/* The other topic */
robust topic, log;
byte head = 1; /* an earlier producer has published; its slot is free */
typedef tip_t { byte head, slot, serial, count }
tip_t tips[2];

byte dead; /* clients that the kernel knows to be gone: a bit each */
byte give_ups = GIVE_UPS;

/* Ghosts */
#define SERIALS (2 + USERS + CONSUMERS * RECORDS + CRASHES)
byte letters[RECORDS], published[SERIALS];

/* mend, by who takes the log's lock from a dead one */
inline mend()
{
    do
    :: at < 2 && tips[at].head == head ->
#ifndef BROKEN_count_credited_without_serial
        if
        :: S(tips[at].slot, SERIAL) == tips[at].serial ->
#endif
            if
            :: S(tips[at].slot, COUNT) < tips[at].count -> STORE(S(tips[at].slot, COUNT), tips[at].count)
            :: else
            fi;
#ifndef BROKEN_count_credited_without_serial
        :: else
        fi;
#endif
        at++
    :: at < 2 && tips[at].head != head -> at++
    :: at == 2 -> break
    od;
    at = 0
}

inline lock_log()
{
    if
    :: atomic { log.owner == FREE -> log.owner = ME }
    :: atomic { log.owner == OWNERDEAD -> log.owner = ME } -> mend()
    :: d_step { crashes > 0 && (log.owner == FREE || log.owner == OWNERDEAD) -> crashes-- }; goto died
    fi
}

/* mr_asked: is the producer in this slot noted by a member? Without a lock. */
inline look_who_asks()
{
    found = moving != NONE;
    if
    :: found -> d_step { found = moving_producer == mine && moving_serial == S(mine, SERIAL); }
    :: else
    fi
}

/* retire in producer_slot.c: from the first store on no repair begins to credit the slot a record,
 * and one that had begun holds the log's lock. The wait for that may be given up. */
inline retire()
{
    if
    :: S(mine, STATE) == GONE ->
#ifndef BROKEN_slot_used_again_while_its_serial_stands
        STORE(S(mine, SERIAL), 0);
#endif
#ifndef BROKEN_slot_used_again_without_waiting_for_a_repair
        if
        :: lock_log(); unlock(log)
        :: d_step { give_ups > 0 && log.owner && log.owner != OWNERDEAD -> give_ups--; mine = NONE }
        fi
#endif
    :: else
    fi
}

/* mr_producer_open. A slot about which a member asks is left alone; mine stays NONE if there is no other. */
inline open_producer()
{
    lock(topic);
    if
    :: d_step { S(0, STATE) != ATTACHED -> mine = 0 }
#if PRODUCER_SLOTS > 1
    :: d_step { S(1, STATE) != ATTACHED -> mine = 1 }
#endif
#if PRODUCER_SLOTS > 2
    :: d_step { S(2, STATE) != ATTACHED -> mine = 2 }
#endif
    :: else
    fi;
#ifndef BROKEN_slot_used_again_while_asked
    if
    :: mine != NONE && S(mine, ASKED) -> /* the code lets the lock go meanwhile, and looks at the serial again */
        look_who_asks();
        if
        :: found -> mine = NONE
        :: else
        fi;
        found = 0
    :: else
    fi;
#endif
    if
    :: mine != NONE ->
        retire();
    :: else
    fi;
    if
    :: mine != NONE ->
        if
        :: d_step {
               L_SET(S_WORD(mine, COUNT), 0);
               L_SET(S_WORD(mine, ASKED), 0);
               L_SET(S_WORD(mine, OWNER), _pid);
               L_SET(NEWEST_WORD, NEWEST + 1);
               L_SET(S_WORD(mine, SERIAL), NEWEST + 1);
               L_SET(S_WORD(mine, STATE), ATTACHED);
               topic.armed = at;
               at = 0
           }
        :: DYING
        fi;
        apply(topic);
        disarm(topic);
    :: else
    fi;
    unlock(topic)
}

/* What a producer's slot says of itself is true, for who holds the mended log's lock. */
inline check_counts()
{
    d_step {
        do
        :: at < PRODUCER_SLOTS ->
            assert(S(at, STATE) != ATTACHED || topic.armed || S(at, COUNT) == published[S(at, SERIAL)]); /* I9, I11 */
            at++
        :: else -> break
        od;
        at = 0
    }
}

/* mr_producer_append of one record; log.pml has the same */
inline append(is_letter)
{
    lock_log();
    check_counts();
    other = (tips[0].head == head -> 1 : 0);
    STORE(tips[other].head, NONE);
    if
    :: d_step { tips[other].slot = mine; tips[other].serial = S(mine, SERIAL); tips[other].count = S(mine, COUNT) + 1 }
    :: DYING
    fi;
    STORE(tips[other].head, head + 1);
    if
    :: d_step {
           head++;
           published[S(mine, SERIAL)] = published[S(mine, SERIAL)] + 1;
           if
           :: is_letter -> assert(letters[pos] == 0) /* I6: no second letter */; letters[pos] = 1
           :: else
           fi
       }
    :: DYING
    fi;
    STORE(S(mine, COUNT), S(mine, COUNT) + 1);
    unlock(log);
    other = 0
}

inline acknowledge()
{
    if
    :: d_step {
#ifndef BROKEN_acknowledged_before_letter
           assert(letters[cursor] == 1); /* I6, I9, I11: acknowledged only once the letter is there */
#endif
           cursor++
       }
    :: DYING
    fi
}

/* mr_move_finish */
inline settle()
{
    if
    :: moving != NONE && moving > cursor && moving <= RECORDS ->
#ifdef BROKEN_count_looked_up_without_lock
        MAY_DIE;
#else
        lock_log();
#endif
        found = S(moving_producer, SERIAL) == moving_serial && S(moving_producer, COUNT) >= moving_count;
#ifndef BROKEN_count_looked_up_without_lock
        unlock(log);
#endif
        if
        :: found -> acknowledge()
        :: else
        fi;
        found = 0
    :: else
    fi;
    if
    :: moving != NONE -> STORE(moving, NONE)
    :: else
    fi
}

inline note()
{
#ifndef BROKEN_asked_once_it_is_appended
    STORE(S(mine, ASKED), 1); /* before anything can depend on the answer */
#endif
    STORE(moving_producer, mine);
    STORE(moving_serial, S(mine, SERIAL));
#ifdef BROKEN_count_of_a_fresh_producer
    STORE(moving_count, 1);
#else
    STORE(moving_count, S(mine, COUNT) + 1);
#endif
    STORE(moving, pos + 1)
}

/* mr_move */
inline letter()
{
    do
    :: mine == NONE -> open_producer()
    :: mine != NONE -> break
    od;
    pos = cursor;
#ifdef BROKEN_acknowledged_before_letter
    acknowledge();
#endif
#if !defined(BROKEN_letter_not_noted) && !defined(BROKEN_noted_after_letter)
    note();
#endif
#ifdef BROKEN_asked_until_it_is_appended
    append(1);
    STORE(S(mine, ASKED), 0);
    acknowledge();
    STORE(moving, NONE);
#else
    if
    :: append(1);
#ifdef BROKEN_asked_once_it_is_appended
        STORE(S(mine, ASKED), 1);
#endif
#ifdef BROKEN_noted_after_letter
        note();
#endif
#ifndef BROKEN_acknowledged_before_letter
        acknowledge()
#endif
    :: d_step { give_ups > 0 -> give_ups-- } /* it could not be appended: the note is taken back */
    fi;
    STORE(moving, NONE);
    STORE(S(mine, ASKED), 0);
#endif
#ifndef ONE_PRODUCER
    STORE(S(mine, STATE), GONE); /* mr_producer_close */
    mine = NONE;
#endif
    pos = 0
}

proctype consumer()
{
    byte at, mine = NONE, pos;
    bool other, found;
    do
    :: cursor == RECORDS -> assert(letters[0] == 1 && letters[RECORDS - 1] == 1); break /* I6, I9: none is lost */
    :: atomic { cursor < RECORDS && owner == 0 -> owner = _pid } /* takes the claim over: mr_group_claim */
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
        died_holding(topic);
        dead = dead | (1 << _pid)
    }
end:
    skip
}

/* Another producer there: opened, one record, and gone. Without a slot it does without. */
proctype user()
{
    byte at, mine = NONE, pos;
    bool other, found;
    open_producer();
    if
    :: mine != NONE -> append(0); STORE(S(mine, STATE), GONE)
    :: else
    fi;
    goto end;
died: skip;
    atomic {
        died_holding(log);
        died_holding(topic);
        dead = dead | (1 << _pid)
    }
end:
    skip
}

/* Who notices a death (mr_topic_reap), in both topics, sooner or later. */
proctype reaper()
{
    byte at;
end:
    do
    :: d_step { dead && owner != 0 && (dead & (1 << owner)) -> owner = 0 }
    :: d_step { topic.owner == FREE && S(0, STATE) == ATTACHED && (dead & (1 << S(0, OWNER))) -> S(0, STATE) = GONE }
#if PRODUCER_SLOTS > 1
    :: d_step { topic.owner == FREE && S(1, STATE) == ATTACHED && (dead & (1 << S(1, OWNER))) -> S(1, STATE) = GONE }
#endif
    od
}

init
{
    byte at;
    atomic {
        S(0, STATE) = GONE;
        S(0, SERIAL) = 1;
        S(0, COUNT) = 1;
        NEWEST = 1;
        published[1] = 1;
        tips[0].head = 1;
        tips[0].serial = 1;
        tips[0].count = 1;
        do
        :: at < CONSUMERS -> run consumer(); at++
        :: else -> break
        od;
        at = 0;
        do
        :: at < USERS -> run user(); at++
        :: else -> break
        od;
        run reaper()
    }
}
