/* check_group.c - who has what: claims and shares, ordered groups, what is committed. Who is in a
 * group: check_member.c. */
#include "core/group.h"
#include "tests/shared/seats.h"

/* ---- claims ---- */

/* What is done faster than another member could be woken is not shared. */
START_TEST(share_is_not_less_than_the_seat_wants)
{
    use((struct mr_settings){0});
    struct mr_seat seats[2] = {seat_join("g", 0), seat_join("g", 0)};
    put_numbers(producer, 0, 0, 10);
    seats[0].least = 8;
    ck_assert_int_eq(mr_group_claim(topic, &seats[0], NULL, 100), 1);
    ck_assert_uint_eq(seats[0].members, 2);
    ck_assert_uint_eq(seats[0].end_offset - seats[0].begin_offset, 8);
    seats[1].least = 8;
    /* but never more than is asked for */
    ck_assert_int_eq(mr_group_claim(topic, &seats[1], NULL, 1), 1);
    ck_assert_uint_eq(seats[1].end_offset - seats[1].begin_offset, 1);
}
END_TEST

START_TEST(claims_are_disjoint_and_shares_are_guided)
{
    enum { N = 96, WORKERS = 4 };
    use((struct mr_settings){0});
    struct mr_seat seats[WORKERS];
    unsigned taken[N] = {0};
    for (int i = 0; i < WORKERS; i++)
        seats[i] = seat_join("g", 0);
    put_numbers(producer, 0, 0, N);
    uint64_t left = N;
    for (int turn = 0; left; turn = (turn + 1) % WORKERS) {
        struct mr_seat *seat = &seats[turn];
        ck_assert_int_eq(mr_group_claim(topic, seat, NULL, 1000), 1);
        uint64_t share = (left + WORKERS - 1) / WORKERS; /* of what is left, not all of it */
        ck_assert_uint_eq(seat->end_offset - seat->begin_offset, share);
        for (uint64_t o = seat->begin_offset; o < seat->end_offset; o++)
            ck_assert_uint_eq(taken[o]++, 0);
        left -= share;
        check_invariants(topic);
        seat_finish(seat);
    }
    for (int i = 0; i < N; i++)
        ck_assert_uint_eq(taken[i], 1);
    ck_assert_int_eq(mr_group_claim(topic, &seats[0], NULL, 1000), 0);
    ck_assert_uint_eq(committed_in(seats[0].group, 0), head_of(0));
    for (int i = 0; i < WORKERS; i++)
        mr_group_leave(topic, &seats[i]);
}
END_TEST

/* A producer wakes one; who does not take all wakes the next. */
START_TEST(who_leaves_something_tells_another_member)
{
    use((struct mr_settings){0});
    struct mr_seat a = seat_join("g", 0), b = seat_join("g", 0);
    struct mr_cond *data = &topic->groups[a.group].data;
    put_numbers(producer, 0, 0, 2);
    uint32_t ticket = mr_cond_prepare(data);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 100), 1);
    ck_assert(told(data, ticket));
    ticket = mr_cond_prepare(data);
    ck_assert_int_eq(mr_group_claim(topic, &b, NULL, 100), 1); /* the rest */
    ck_assert(!told(data, ticket));
    mr_group_leave(topic, &a);
    mr_group_leave(topic, &b);
}
END_TEST

START_TEST(claim_is_no_larger_than_asked)
{
    use((struct mr_settings){0});
    struct mr_seat seat = seat_join("g", 0);
    put_numbers(producer, 0, 0, 10);
    ck_assert_int_eq(mr_group_claim(topic, &seat, NULL, 3), 1);
    ck_assert_uint_eq(seat.end_offset - seat.begin_offset, 3);
    seat_finish(&seat);
    ck_assert_int_eq(mr_group_claim(topic, &seat, NULL, 100), 1);
    ck_assert_uint_eq(seat.end_offset - seat.begin_offset, 7);
    seat_finish(&seat);
    mr_group_leave(topic, &seat);
}
END_TEST

START_TEST(claims_take_partitions_in_turn)
{
    use((struct mr_settings){.partitions = 3});
    struct mr_seat seat = seat_join("g", 0);
    for (int32_t p = 0; p < 3; p++)
        put_numbers(producer, p, 0, 4);
    uint32_t last = seat.partition;
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(mr_group_claim(topic, &seat, NULL, 2), 1);
        ck_assert_uint_eq(seat.partition, (last + 1) % 3);
        last = seat.partition;
        seat_finish(&seat);
    }
    ck_assert_int_eq(mr_group_claim(topic, &seat, NULL, 2), 0);
    mr_group_leave(topic, &seat);
}
END_TEST

START_TEST(claim_ends_at_the_pinned_end)
{
    use((struct mr_settings){0});
    struct mr_seat seat = seat_join("g", 0);
    put_numbers(producer, 0, 0, 3);
    uint64_t until = head_of(0);
    put_numbers(producer, 0, 3, 3);
    ck_assert_int_eq(mr_group_claim(topic, &seat, &until, 100), 1);
    ck_assert_uint_eq(seat.end, until);
    ck_assert_uint_eq(seat.end_offset, 3);
    seat_finish(&seat);
    ck_assert_int_eq(mr_group_claim(topic, &seat, &until, 100), 0);
    ck_assert_int_eq(mr_group_claim(topic, &seat, NULL, 100), 1);
    ck_assert_uint_eq(seat.begin_offset, 3);
    seat_finish(&seat);
    mr_group_leave(topic, &seat);
}
END_TEST

START_TEST(ordered_group_has_one_claim_a_partition)
{
    use((struct mr_settings){.partitions = 2});
    struct mr_seat a = seat_join("g", MR_ORDERED), b = seat_join("g", 0), c = seat_join("g", 0);
    put_numbers(producer, 0, 0, 10);
    put_numbers(producer, 1, 0, 10);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 2), 1);
    ck_assert_int_eq(mr_group_claim(topic, &b, NULL, 2), 1);
    ck_assert_uint_ne(a.partition, b.partition);
    ck_assert_int_eq(mr_group_claim(topic, &c, NULL, 2), 0);
    ck_assert_int_eq(c.in_turn, 1);
    seat_finish(&a);
    ck_assert_int_eq(mr_group_claim(topic, &c, NULL, 2), 1);
    ck_assert_uint_eq(c.partition, a.partition);
    ck_assert_uint_eq(c.begin_offset, a.end_offset);
    mr_group_leave(topic, &b); /* holding: its orphan keeps the partition */
    seat_finish(&c);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 2), 2);
    ck_assert_uint_eq(a.partition, b.partition);
    check_invariants(topic);
    mr_group_leave(topic, &a);
    mr_group_leave(topic, &c);
}
END_TEST

/* ---- committed and the producers' limit ---- */

START_TEST(committed_is_the_lowest_that_somebody_holds)
{
    use((struct mr_settings){0});
    struct mr_seat a = seat_join("g", 0), b = seat_join("g", 0);
    put_numbers(producer, 0, 0, 8);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 2), 1);
    ck_assert_int_eq(mr_group_claim(topic, &b, NULL, 2), 1);
    seat_finish(&b);
    ck_assert_uint_eq(committed_in(a.group, 0), a.begin);
    ck_assert_uint_eq(mr_group_behind(topic, a.group, 0), a.member);
    seat_finish(&a);
    ck_assert_uint_eq(committed_in(a.group, 0), b.end);
    ck_assert_uint_eq(mr_group_behind(topic, a.group, 0), topic->member_cnt);
    mr_group_leave(topic, &a);
    mr_group_leave(topic, &b);
}
END_TEST

START_TEST(limit_is_that_of_the_slowest_group)
{
    use((struct mr_settings){0});
    atomic_store(&topic->logs[0].acked, 77);
    /* no group: what those that are gone have acknowledged */
    ck_assert_uint_eq(mr_groups_limit(topic, 0), 77);
    atomic_store(&topic->logs[0].acked, 0);
    struct mr_seat a = seat_join("a", 0), b = seat_join("b", 0);
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 100), 1);
    seat_finish(&a);
    ck_assert_int_eq(mr_groups_settle(topic, 0), 0);
    ck_assert_uint_eq(mr_groups_limit(topic, 0), 0);
    ck_assert_int_eq(mr_group_claim(topic, &b, NULL, 1), 1);
    seat_finish(&b);
    ck_assert_int_eq(mr_groups_settle(topic, 0), 0);
    ck_assert_uint_eq(mr_groups_limit(topic, 0), b.end);
    mr_group_leave(topic, &a);
    mr_group_leave(topic, &b);
}
END_TEST

START_TEST(waiting_producer_is_told_when_its_want_is_met)
{
    use((struct mr_settings){0});
    struct mr_seat a = seat_join("g", 0);
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 2), 1);
    atomic_store(&topic->logs[0].want, a.end);
    uint32_t ticket = mr_cond_prepare(&topic->shm->space);
    ck_assert_int_eq(mr_group_settle(topic, a.group, 0), 0);
    ck_assert(!told(&topic->shm->space, ticket));
    seat_finish(&a);
    ck_assert_int_eq(mr_group_settle(topic, a.group, 0), 0);
    ck_assert(told(&topic->shm->space, ticket));
    ck_assert_uint_eq(word(&topic->logs[0].want), MR_NONE);
    mr_group_leave(topic, &a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("group");
    TCase *tcase = tcase_create("group");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    tcase_add_test(tcase, share_is_not_less_than_the_seat_wants);
    tcase_add_test(tcase, claims_are_disjoint_and_shares_are_guided);
    tcase_add_test(tcase, who_leaves_something_tells_another_member);
    tcase_add_test(tcase, claim_is_no_larger_than_asked);
    tcase_add_test(tcase, claims_take_partitions_in_turn);
    tcase_add_test(tcase, claim_ends_at_the_pinned_end);
    tcase_add_test(tcase, ordered_group_has_one_claim_a_partition);
    tcase_add_test(tcase, committed_is_the_lowest_that_somebody_holds);
    tcase_add_test(tcase, limit_is_that_of_the_slowest_group);
    tcase_add_test(tcase, waiting_producer_is_told_when_its_want_is_met);
    return test_main(suite);
}
