/* consumer.h - a consumer's handle from inside. */
#ifndef COMMON_CORE_CONSUMER_H
#define COMMON_CORE_CONSUMER_H

#include "cancel.h"
#include "group.h"

struct mr_consumer {
    struct mr_topic *topic;
    struct mr_seat seat;
    uint32_t flags, window, tries;
    int joined;  /* has a seat; 0: peeks */
    int copying; /* reads a copy, because producers do not wait for it */
    /* the seat holds a claim that was not given out yet (taken over when joining, or given back to
     * itself) */
    int inherited;

    /* The claim: [acked, pos) given out but not acknowledged, [pos, stop) to be given out now,
     * [stop, end) later. */
    uint32_t partition;
    uint64_t acked, pos, stop, end;
    uint64_t hand;                 /* position of the record given last; MR_NONE: none */
    const unsigned char *hand_at;  /* where it lies */
    int again;                     /* the claim was another's before */
    uint64_t left;                 /* records in [pos, stop) */
    uint64_t next_offset;          /* of the record at pos */
    uint64_t given;                /* records in [acked, pos) */
    uint32_t tries_so_far;         /* of the record that stands alone in [pos, stop) */
    const unsigned char *at;       /* where pos lies: in the ring, or in the copy */
    const unsigned char *ring_end; /* of the ring; NULL: in a copy */

    uint64_t *until;      /* per partition, or NULL: where the consumer ends */
    uint32_t sealed_seen; /* logs whose lock was taken since the topic was sealed */
    unsigned char *copy;
    uint64_t copy_cap;
    uint64_t *peek_pos, *peek_offset;
    uint32_t peek_turn;
    int64_t peek_step_ns;
    struct mr_cond peek_cond; /* a peeking consumer sleeps here; only mr_consumer_cancel wakes it */
    _Atomic int cancelled;    /* by mr_consumer_cancel, until a wait has ended by it */
    uint64_t spin_ns;
    uint64_t coalesce_pauses; /* see mr_wait_coalesce */
    uint32_t coalesce_turn;
    /* when something was given out last, in a group with others; 0: not known */
    uint64_t claimed_ns;
    uint64_t claimed;   /* so many records */
    uint64_t record_ns; /* what our user takes for one, about; 0: not known */
    struct mr_consumer_stats stats;
};

static inline struct mr_member_shm *mr_consumer_slot(const struct mr_consumer *consumer)
{
    return &consumer->topic->members[consumer->seat.member];
}

#endif
