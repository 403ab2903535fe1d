/* seats.c - see seats.h. */
#include "seats.h"

struct mr_seat seat_join(const char *name, uint32_t flags)
{
    struct mr_seat seat;
    ck_assert_int_eq(mr_group_join(topic, name, flags, MR_START_STORED, 0, &seat), 0);
    return seat;
}

struct mr_member_shm *seat_slot(const struct mr_seat *seat)
{
    return &topic->members[seat->member];
}

/* Acknowledges all that a seat holds, as its owner does. */
void seat_finish(const struct mr_seat *seat)
{
    atomic_store(&seat_slot(seat)->cursor, word(&seat_slot(seat)->end));
}

uint64_t committed_in(uint32_t g, uint32_t p)
{
    ck_assert_int_eq(mr_group_settle(topic, g, p), 0);
    return word(&mr_group_part(topic, g, p)->committed);
}

uint64_t head_of(uint32_t p)
{
    return mr_log_tip(topic, p).head;
}
