/* log.pml - one partition (common/core/log.c): producers append batches of records of one or two cells under the log's lock; a
 * member of a group reads in place and acknowledges; an observer reads without any lock what may be overwritten under it
 * (mr_log_tip, copy_out). Each cell of the ring, each word of a tip but those that lie between its two stores of `head`, and
 * each word of the log is a store of its own.
 *
 * With DROP the log is drop-oldest: the tail does not wait, and there are only observers. The index is not here. */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef BATCHES
#define BATCHES 1 /* that each producer appends */
#endif
#ifndef BATCH
#define BATCH 2   /* records in a batch */
#endif
#ifndef RING
#define RING 3
#endif
#define POSITIONS (PRODUCERS * BATCHES * BATCH * 2 + 1)
#define NONE 255

#define wake_all() skip
#define after_repair() mend()
#include "robust.pml"

typedef tip_t { byte head, next_offset, slot, count }

robust log;
byte ring[RING];  /* a cell holds twice the position of its record, plus 1 if it is not the header */
byte offset_of[RING], length_of[RING]; /* what a header cell also holds */
byte head, tail, limit;
tip_t tips[2];
byte records[PRODUCERS]; /* in the producers' slots */
byte committed;          /* of the group; without one it would not hold the tail */

/* Ghosts: what was published, written when a cell is, believed below head. */
byte was[POSITIONS], offset_at[POSITIONS], published[PRODUCERS];

/* I1, I2, I3 and the counts, for the holder of the repaired lock. */
inline check()
{
    d_step {
        assert(head - tail <= RING);  /* I2 */
#ifndef DROP
        assert(tail <= committed && committed <= head); /* I1 */
#endif
        walk = tail;
        left = 0;
        do
        :: walk < head ->
            assert(ring[walk % RING] == was[walk]);                        /* I3: what was published is there, whole, */
            assert(left > 0 || ring[walk % RING] == 2 * walk);             /* I3: from one record's start to the next, */
            assert(offset_of[walk % RING] == offset_at[walk] || left > 0); /* I3: the offsets in a row, */
            left = (left > 0 -> left - 1 : length_of[walk % RING] - 1);
            walk++
        :: else -> break
        od;
        assert(left == 0);                                                 /* I3: and head is a record's end */
        assert(tips[0].head == head || tips[1].head == head);              /* I3: what belongs to head is known */
        walk = 0;
        do
        :: walk < PRODUCERS -> assert(records[walk] == published[walk]); walk++ /* I9: its count is what it has published */
        :: else -> break
        od;
        walk = 0
    }
}

/* mr_log_lock after a death: a count that its owner could not store any more. A death in here leaves the same to the next. */
inline mend()
{
#ifndef BROKEN_count_not_mended
    at = 0;
    do
    :: at < 2 ->
        if
        :: head && tips[at].head == head && records[tips[at].slot] < tips[at].count ->
            STORE(records[tips[at].slot], tips[at].count)
        :: else
        fi;
        at++
    :: else -> break
    od;
    at = 0
#else
    skip
#endif
}

inline write_cell(what)
{
    if
    :: d_step {
           ring[pos % RING] = what;
           offset_of[pos % RING] = offset;
           length_of[pos % RING] = length;
           was[pos] = what;
           offset_at[pos] = offset
       }
    :: DYING
    fi;
    pos++
}

active [PRODUCERS] proctype producer() /* process numbers from 0: also their slots */
{
    byte at, walk, left, sent, pos, offset, length, bound, need, new, done;
    bit other;
    do
    :: sent == BATCHES -> break
    :: sent < BATCHES ->
        lock(log);
        check();
        other = (tips[0].head == head -> 1 : 0); /* the tip to write; the other one stays, for it is head's */
#ifdef BROKEN_one_tip
        other = 1 - other;
#endif
        offset = tips[(tips[0].head == head -> 0 : 1)].next_offset;
        pos = head;
#if defined(DROP) || defined(BROKEN_tail_past_unacknowledged)
        bound = head;
#else
        bound = limit;
#endif
        do
        :: done == BATCH -> break
        :: done < BATCH ->
            if
            :: length = 1
            :: length = 2
            fi;
            need = (pos + length > RING -> pos + length - RING : 0);
#if !defined(DROP) && !defined(BROKEN_tail_past_unacknowledged)
            if
            :: need > bound ->
                bound = committed; /* mr_groups_limit */
                STORE(limit, bound)
            :: else
            fi;
#endif
            if
            :: need > bound -> break
            :: else
            fi;
            new = tail;
            do
            :: new < need -> new = new + length_of[new % RING]
            :: else -> break
            od;
#ifdef BROKEN_tail_after_bytes
            write_cell(2 * pos);
            if
            :: length == 2 -> write_cell(2 * (pos - 1) + 1)
            :: else
            fi;
            STORE(tail, new);
#else
            if
            :: new != tail -> STORE(tail, new) /* before its bytes are used again */
            :: else
            fi;
#ifdef BROKEN_head_before_bytes
            STORE(head, pos + length);
#endif
            write_cell(2 * pos);
            if
            :: length == 2 -> write_cell(2 * (pos - 1) + 1)
            :: else
            fi;
#endif
            offset++;
            done++
        od;
        if
        :: done > 0 ->
#ifdef BROKEN_head_before_tip
            if :: d_step { head = pos; published[_pid] = published[_pid] + done } :: DYING fi;
#endif
#ifndef BROKEN_tip_stays_valid
            STORE(tips[other].head, NONE);
#endif
            STORE(tips[other].next_offset, offset);
            if :: d_step { tips[other].slot = _pid; tips[other].count = records[_pid] + done } :: DYING fi;
            STORE(tips[other].head, pos);
#ifndef BROKEN_head_before_tip
            if :: d_step { head = pos; published[_pid] = published[_pid] + done } :: DYING fi; /* the moment of publication */
#endif
            STORE(records[_pid], records[_pid] + done)
        :: else
        fi;
        unlock(log);
        if
        :: done > 0 -> sent++
        :: else -> /* no room: space.pml says how it waits */
            MAY_DIE;
            need = bound;
#ifndef DROP
end_full:
            committed > need
#endif
        fi;
        d_step { offset = 0; pos = 0; bound = 0; need = 0; new = 0; done = 0; length = 0; other = 0 }
    od;
    goto end;
died: skip;
    died_holding(log);
end:
    skip
}

#ifndef DROP
/* A member whose claims are all there is. It takes a while to read, and reads in place. */
active proctype member()
{
    byte next, expected;
end:
    do
    :: next < head ->
        assert(ring[next % RING] == 2 * next);           /* I3, I6: it is all there, until it is acknowledged, */
        assert(offset_of[next % RING] == expected);      /* I3, I6: in a row, nothing twice */
        if
        :: length_of[next % RING] == 2 ->
            assert(ring[(next + 1) % RING] == 2 * next + 1 && next + 2 <= head); /* I3: whole */
            next = next + 2
        :: else -> next++
        fi;
        expected++;
        committed = next
    od
}
#endif

#ifdef OBSERVER
/* mr_log_tip, then a copy of all that is kept, and a look at the tail: not overwritten meanwhile, or not used. */
active proctype observer()
{
    byte begin, stop, next_offset, pos;
    bit i, good;
    do
    :: begin = tail; stop = head;
        if
        :: tips[i].head == stop
        :: else -> i = 1 - i; if :: tips[i].head == stop :: else -> goto again fi
        fi;
        next_offset = tips[i].next_offset;
        if
        :: tips[i].head == stop -> break
        :: else
        fi;
again:
        skip
    od;
    assert(stop == 0 || next_offset == offset_at[stop - 1] + 1); /* I3: what belongs to this head */
    pos = begin;
    good = 1;
    do
    :: pos < stop ->
        good = good && ring[pos % RING] == was[pos] && offset_of[pos % RING] == offset_at[pos];
        pos++
    :: else -> break
    od;
    if
    :: tail <= begin -> assert(good) /* I3 */
    :: else                          /* lapped: it knows */
    fi
}
#endif
