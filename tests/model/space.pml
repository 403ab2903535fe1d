/* space.pml - producers that wait for room, and those whose acknowledgements make it (append_to and store_want in
 * common/core/append.c, mr_group_commit, mr_consumer_ack_to). The condition variable is that of cond.pml; a record is one unit long.
 *
 * Members take what there is, acknowledge one by one without a lock, and may keep what they hold for ever: then nobody else
 * will wake a producer. No wait is bounded here. The log's append is one step (log.pml has it in pieces).
 *
 * I8: when nothing moves any more, no producer sleeps while there is room for its record. */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef RECORDS
#define RECORDS 2 /* that each producer appends */
#endif
#ifndef MEMBERS
#define MEMBERS 1
#endif
#ifndef RING
#define RING 2
#endif
#ifndef SHARE
#define SHARE RING /* records in a claim, at most */
#endif
#define NONE 255

#define wake_all() broadcast()
#include "robust.pml"

robust group;
byte head = RING, next, committed, limit; /* the ring is full at first */
byte want = NONE;
byte cursor[MEMBERS], stop[MEMBERS];
byte word;      /* the topic's mr_cond `space` */
byte sleepers;
byte deaths;    /* that the broker has not heard of */

inline broadcast() /* space is only ever broadcast */
{
#ifdef BROKEN_flag_believed_after_a_death
    if
    :: (word & 1) == 0
    :: else -> STORE(word, word + 1); STORE(sleepers, 0)
    fi
#else
    STORE(word, word + 2);
    STORE(sleepers, 0)
#endif
}

/* mr_cond_broadcast, where no one died */
inline tell()
{
    if
    :: (word & 1) == 0
    :: else -> STORE(word, word + 1); STORE(sleepers, 0)
    fi
}

inline lowest(low)
{
    d_step {
        low = next;
        at = 0;
        do
        :: at < MEMBERS -> low = (cursor[at] < stop[at] && cursor[at] < low -> cursor[at] : low); at++
        :: else -> break
        od;
        at = 0
    }
}

/* mr_group_commit, with the group's lock held */
inline commit()
{
    lowest(low);
    if
    :: low > committed ->
        STORE(committed, low);
        assert(committed <= next && next <= head); /* I1 */
        if
        :: want <= low -> STORE(want, NONE); tell()
        :: else
        fi
    :: else
    fi;
    low = 0
}

active [MEMBERS] proctype member() /* process numbers from 0: also their slots */
{
    byte at, low, wanted;
    bit done;
end:
    do
    :: head != next ->
        lock(group);
        if
        :: d_step { /* one transaction */
               head != next ->
               cursor[_pid] = next;
               next = (head - next < SHARE -> head : next + SHARE);
               stop[_pid] = next
           }
        :: head == next
        :: DYING
        fi;
        commit();
        unlock(group);
        do
        :: cursor[_pid] < stop[_pid] ->
            STORE(cursor[_pid], cursor[_pid] + 1); /* mr_consumer_ack_to */
            done = cursor[_pid] == stop[_pid];
            wanted = want;
            if
#ifndef BROKEN_no_wake_by_acknowledging
            :: wanted != NONE && (cursor[_pid] >= wanted || done) -> STORE(want, NONE); tell()
#endif
            :: else
            fi;
            d_step { wanted = 0; done = 0 }
        :: cursor[_pid] < stop[_pid] ->
end_keeps:
            false
        :: cursor[_pid] == stop[_pid] -> break
        od
    od;
died: skip;
    deaths++;
    died_holding(group)
}

/* mr_log_append of one record: 1 appended */
inline append()
{
    d_step {
        limit = (head + 1 - RING > limit -> committed : limit);
        got = head + 1 - RING <= limit;
        head = head + got
    }
}

active [PRODUCERS] proctype producer()
{
    byte at, low, ticket, sent, seen, there;
    bit got;
    do
    :: sent == RECORDS -> break
    :: sent < RECORDS ->
        MAY_DIE;
        append();
        if
        :: got -> sent++
        :: else ->
            if :: d_step { word = word | 1; ticket = word } :: DYING fi; /* mr_cond_prepare */
            seen = head + 1 - RING; /* store_want */
            seen = (seen <= limit -> limit + 1 : seen);
            there = want;
            do
            :: seen < there ->
                if
                :: atomic { want == there -> want = seen }; break
                :: atomic { want != there -> there = want }
                fi
            :: else -> break
            od;
            seen = 0;
            there = 0;
#ifndef BROKEN_no_settling
            lock(group); /* mr_groups_settle */
            commit();
            unlock(group);
#endif
#ifdef BROKEN_limit_compared_before_sleep
            if
            :: committed > limit -> goto again
            :: else
            fi;
#else
            append(); /* once more, now that we are flagged */
            if
            :: got -> sent++; goto again
            :: else
            fi;
#endif
            MAY_DIE;
            if
            :: atomic { word == ticket -> sleepers = sleepers | (1 << (_pid - MEMBERS)) }
end_asleep:
                (sleepers & (1 << (_pid - MEMBERS))) == 0
            :: word != ticket
            fi;
again:
            ticket = 0
        fi
    od;
    goto end;
died: skip;
    deaths++;
    died_holding(group);
end:
    skip
}

#if CRASHES
active proctype broker() /* not killed here: without it the waits are bounded */
{
end:
    do
    :: atomic { /* mr_topic_reap, the group's lock repaired if need be; here no one takes over what the dead held */
           deaths > 0 && (group.owner == FREE || group.owner == OWNERDEAD) ->
           group.owner = FREE;
           deaths--
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

active proctype monitor()
{
    byte at, low;
    timeout ->
    lowest(low);
    assert(!(sleepers && head + 1 - RING <= low)) /* I8 */
}
