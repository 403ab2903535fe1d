/* check_member.c - who is in a group: joining, leaving, start positions, orphans and blame. Who has
 * what: check_group.c. */
#include "core/group.h"
#include "tests/shared/seats.h"

/* ---- joining and leaving ---- */

START_TEST(first_to_join_makes_the_group_and_the_others_find_it)
{
    use((struct mr_settings){0});
    struct mr_seat a = seat_join("one", 0), b = seat_join("one", 0), c = seat_join("two", 0);
    ck_assert_uint_eq(a.group, b.group);
    ck_assert_uint_eq(a.serial, b.serial);
    ck_assert_uint_ne(a.member, b.member);
    ck_assert_uint_ne(a.group, c.group);
    ck_assert_uint_ne(a.serial, c.serial);
    mr_group_leave(topic, &a);
    mr_group_leave(topic, &b);
    struct mr_seat d = seat_join("one", 0); /* a named group outlives its members */
    ck_assert_uint_eq(d.serial, a.serial);
    mr_group_leave(topic, &c);
    mr_group_leave(topic, &d);
    check_invariants(topic);
}
END_TEST

START_TEST(private_group_goes_with_its_member)
{
    use((struct mr_settings){0});
    struct mr_seat a = seat_join(NULL, MR_PRIVATE), b = seat_join(NULL, MR_PRIVATE);
    ck_assert_uint_ne(a.group, b.group);
    put_numbers(producer, 0, 0, 3);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 10), 1);
    mr_group_leave(topic, &a); /* holding something */
    ck_assert_uint_eq(word(&topic->groups[a.group].serial), 0);
    ck_assert_uint_eq(word(&seat_slot(&a)->group), 0);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 10), -ESTALE);
    mr_group_leave(topic, &b);
    /* may use the slot of the private one, and is another */
    struct mr_seat c = seat_join("named", 0);
    ck_assert_uint_gt(c.serial, b.serial);
    mr_group_leave(topic, &c);
}
END_TEST

START_TEST(what_a_removed_group_had_acknowledged_stays_acknowledged)
{
    use((struct mr_settings){.records_max = 4});
    struct mr_seat a = seat_join(NULL, MR_PRIVATE);
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 2), 1);
    seat_finish(&a);
    mr_group_leave(topic, &a);
    put_numbers(producer, 0, 4, 2);
    ck_assert_int_eq(put(producer, 0, "x"), -EAGAIN);
    check_invariants(topic);
}
END_TEST

START_TEST(group_slots_can_run_out_and_come_back)
{
    use((struct mr_settings){0});
    struct mr_seat seats[MR_GROUPS], more;
    char name[16];
    for (unsigned g = 0; g < MR_GROUPS; g++) {
        snprintf(name, sizeof name, "g%u", g);
        seats[g] = seat_join(g ? name : NULL, g ? 0 : MR_PRIVATE);
    }
    ck_assert_int_eq(mr_group_join(topic, "one-more", 0, MR_START_STORED, 0, &more), -EUSERS);
    ck_assert_int_eq(mr_group_join(topic, "g1", 0, MR_START_STORED, 0, &more), 0);
    mr_group_leave(topic, &more);
    mr_group_leave(topic, &seats[0]);
    ck_assert_int_eq(mr_group_join(topic, "one-more", 0, MR_START_STORED, 0, &more), 0);
    ck_assert_uint_eq(more.group, seats[0].group);
    mr_group_leave(topic, &more);
    for (unsigned g = 1; g < MR_GROUPS; g++)
        mr_group_leave(topic, &seats[g]);
}
END_TEST

START_TEST(newcomer_inherits_an_orphan_when_all_slots_are_taken)
{
    use((struct mr_settings){0});
    static struct mr_seat seats[MR_MEMBERS];
    struct mr_seat more;
    for (unsigned i = 0; i < MR_MEMBERS; i++)
        seats[i] = seat_join("g", 0);
    ck_assert_int_eq(mr_group_join(topic, "g", 0, MR_START_STORED, 0, &more), -EUSERS);
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(mr_group_claim(topic, &seats[7], NULL, 10), 1);
    /* its slot stays, an orphan */
    mr_group_leave(topic, &seats[7]);
    /* of another group */
    ck_assert_int_eq(mr_group_join(topic, "other", 0, MR_START_STORED, 0, &more), -EUSERS);
    more = seat_join("g", 0);
    ck_assert_uint_eq(more.member, seats[7].member);
    ck_assert_uint_eq(more.begin, 0);
    ck_assert_uint_eq(more.end, seats[7].end);
    check_invariants(topic);
    seat_finish(&more);
    mr_group_leave(topic, &more);
    for (unsigned i = 0; i < MR_MEMBERS; i++)
        if (i != 7)
            mr_group_leave(topic, &seats[i]);
    ck_assert_uint_eq(word(&mr_group_part(topic, more.group, 0)->committed), more.end);
    for (unsigned i = 0; i < MR_MEMBERS; i++)
        ck_assert_uint_eq(word(&topic->members[i].group), 0);
}
END_TEST

/* ---- start positions ---- */

static uint64_t starts_at(const char *name, enum mr_start start, int64_t arg)
{
    struct mr_seat seat;
    ck_assert_int_eq(mr_group_join(topic, name, 0, start, arg, &seat), 0);
    uint64_t offset = word(&mr_group_part(topic, seat.group, 0)->next_offset);
    ck_assert_uint_eq(mr_log_offset(topic, 0, word(&mr_group_part(topic, seat.group, 0)->next)),
                      offset);
    ck_assert_uint_eq(word(&mr_group_part(topic, seat.group, 0)->committed),
                      word(&mr_group_part(topic, seat.group, 0)->next));
    mr_group_leave(topic, &seat);
    return offset;
}

START_TEST(group_starts_where_it_is_told)
{
    use((struct mr_settings){0});
    char value[8] = "v";
    for (uint64_t i = 0; i < 10; i++) {
        struct mr_message msg = {.value = value, .value_len = 1, .ts_ns = 1000 + i};
        ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
    }
    ck_assert_uint_eq(starts_at("a", MR_START_STORED, 0), 0);
    ck_assert_uint_eq(starts_at("b", MR_START_BEGINNING, 0), 0);
    ck_assert_uint_eq(starts_at("c", MR_START_END, 0), 10);
    ck_assert_uint_eq(starts_at("d", MR_START_OFFSET, 4), 4);
    ck_assert_uint_eq(starts_at("e", MR_START_OFFSET, 99), 10);
    ck_assert_uint_eq(starts_at("f", MR_START_LAST, 3), 7);
    ck_assert_uint_eq(starts_at("g", MR_START_LAST, 99), 0);
    ck_assert_uint_eq(starts_at("h", MR_START_TIME, 1006), 6);
    ck_assert_uint_eq(starts_at("c", MR_START_STORED, 0), 10); /* known: where it stopped */
    ck_assert_uint_eq(starts_at("c", MR_START_OFFSET, 2), 2);  /* unless told otherwise */
    ck_assert_uint_eq(starts_at("c", MR_START_BEGINNING, 0), 0);
    check_invariants(topic);
}
END_TEST

START_TEST(group_with_members_is_not_moved)
{
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 4);
    struct mr_seat a = seat_join("g", 0), b;
    ck_assert_int_eq(mr_group_join(topic, "g", 0, MR_START_END, 0, &b), -EBUSY);
    ck_assert_uint_eq(word(&mr_group_part(topic, a.group, 0)->next_offset), 0);
    mr_group_leave(topic, &a);
    ck_assert_int_eq(mr_group_join(topic, "g", 0, MR_START_END, 0, &b), 0);
    mr_group_leave(topic, &b);
}
END_TEST

START_TEST(moving_a_group_forgets_what_its_dead_members_held)
{
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 4);
    struct mr_seat a = seat_join("g", 0);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 2), 1);
    mr_group_leave(topic, &a);
    ck_assert_uint_eq(word(&topic->groups[a.group].orphans), 1);
    ck_assert_uint_eq(starts_at("g", MR_START_BEGINNING, 0), 0);
    ck_assert_uint_eq(word(&topic->groups[a.group].serial), 0); /* it has another slot now */
    check_invariants(topic);
    a = seat_join("g", 0);
    ck_assert_uint_eq(word(&topic->groups[a.group].orphans), 0);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 10), 1);
    ck_assert_uint_eq(a.end - a.begin, head_of(0));
    mr_group_leave(topic, &a);
}
END_TEST

START_TEST(moved_back_group_holds_producers_again)
{
    use((struct mr_settings){.records_max = 4});
    struct mr_seat a = seat_join("g", 0);
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 10), 1);
    seat_finish(&a);
    mr_group_leave(topic, &a);
    put_numbers(producer, 0, 4, 1);
    ck_assert_uint_eq(starts_at("g", MR_START_OFFSET, 2), 2);
    check_invariants(topic);
    put_numbers(producer, 0, 5, 1); /* 2 to 5 wait: four */
    ck_assert_int_eq(put(producer, 0, "x"), -EAGAIN);
    check_invariants(topic);
}
END_TEST

/* ---- orphans ---- */

START_TEST(orphan_is_taken_over_before_anything_new_and_as_it_is)
{
    use((struct mr_settings){0});
    struct mr_seat a = seat_join("g", 0), b = seat_join("g", 0);
    put_numbers(producer, 0, 0, 8);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 3), 1);
    uint64_t begin = a.begin, end = a.end;
    uint32_t slot = a.member, own = b.member;
    mr_group_leave(topic, &a);
    ck_assert_uint_eq(word(&topic->groups[b.group].orphans), 1);
    /* what it holds is not acknowledged */
    ck_assert_uint_eq(committed_in(b.group, 0), begin);
    ck_assert_int_eq(mr_group_claim(topic, &b, NULL, 1), 2); /* all of it, whatever was asked */
    ck_assert_uint_eq(b.member, slot);
    ck_assert_uint_eq(b.begin, begin);
    ck_assert_uint_eq(b.end, end);
    ck_assert_uint_eq(word(&topic->members[own].group), 0);
    ck_assert_uint_eq(word(&topic->groups[b.group].orphans), 0);
    check_invariants(topic);
    mr_group_leave(topic, &b);
}
END_TEST

START_TEST(giving_back_leaves_an_orphan_without_blame_and_keeps_the_seat)
{
    use((struct mr_settings){0});
    struct mr_seat a = seat_join("g", 0);
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_group_give_back(topic, &a), 0); /* nothing held: nothing to do */
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 2), 1);
    struct mr_member_shm *held = seat_slot(&a);
    atomic_store(&held->in_hand, a.begin);
    ck_assert_int_eq(mr_group_give_back(topic, &a), 0);
    ck_assert_ptr_ne(seat_slot(&a), held);
    ck_assert_uint_eq(word(&held->owner), 0);
    ck_assert_uint_eq(word(&held->blamed), MR_NONE);
    check_invariants(topic);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 2), 2);
    ck_assert_ptr_eq(seat_slot(&a), held);
    seat_finish(&a);
    mr_group_leave(topic, &a);
}
END_TEST

START_TEST(what_is_given_back_or_left_is_told_to_the_others)
{
    use((struct mr_settings){0});
    struct mr_seat a = seat_join("g", 0), b = seat_join("g", 0);
    struct mr_cond *data = &topic->groups[a.group].data, *space = &topic->shm->space;
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 1), 1);
    uint32_t ticket = mr_cond_prepare(data);
    ck_assert_int_eq(mr_group_give_back(topic, &a), 0);
    ck_assert(told(data, ticket));
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 1), 2);
    ticket = mr_cond_prepare(data);
    uint32_t wants = mr_cond_prepare(space);
    mr_group_leave(topic, &a);
    ck_assert(told(data, ticket));
    ck_assert(told(space, wants)); /* what it had acknowledged may have been all that was wanted */
    mr_group_leave(topic, &b);
}
END_TEST

static int claims_and_dies(void *arg)
{
    uint64_t acknowledged = *(uint64_t *)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_seat seat;
    if (mr_group_join(t, "g", 0, MR_START_STORED, 0, &seat) ||
        mr_group_claim(t, &seat, NULL, 4) != 1)
        return 1;
    /* Records of 40 bytes each: acknowledged some, the next one in hand. */
    atomic_store(&t->members[seat.member].cursor, seat.begin + 40 * acknowledged);
    atomic_store(&t->members[seat.member].in_hand, seat.begin + 40 * acknowledged);
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(record_in_hand_of_a_dead_member_is_blamed)
{
    use((struct mr_settings){0});
    uint64_t acknowledged = 1;
    struct mr_seat keeper = seat_join("g", 0); /* so that the group is there, with a start */
    mr_group_leave(topic, &keeper);
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(ended(child(claims_and_dies, &acknowledged)), -SIGKILL);
    mr_topic_reap_dead(topic);
    mr_topic_reap_dead(topic); /* idempotent */
    struct mr_seat a = seat_join("g", 0);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 10), 2);
    ck_assert_uint_eq(a.begin, 40);
    ck_assert_uint_eq(word(&seat_slot(&a)->blamed), 40);
    ck_assert_uint_eq(word(&seat_slot(&a)->tries), 1);
    check_invariants(topic);
    mr_group_leave(topic, &a);
}
END_TEST

START_TEST(death_after_everything_was_acknowledged_leaves_no_orphan)
{
    use((struct mr_settings){0});
    uint64_t acknowledged = 4;
    struct mr_seat keeper = seat_join("g", 0);
    mr_group_leave(topic, &keeper);
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(ended(child(claims_and_dies, &acknowledged)), -SIGKILL);
    mr_topic_reap_dead(topic);
    ck_assert_uint_eq(word(&topic->groups[keeper.group].orphans), 0);
    ck_assert_uint_eq(committed_in(keeper.group, 0), head_of(0));
    check_invariants(topic);
}
END_TEST

static int joins_privately_and_dies(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_seat seat;
    if (mr_group_join(t, NULL, MR_PRIVATE, MR_START_STORED, 0, &seat) ||
        mr_group_claim(t, &seat, NULL, 4) != 1)
        return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(private_group_of_a_dead_member_holds_nobody_back)
{
    use((struct mr_settings){.records_max = 2});
    struct mr_seat a = seat_join("g", 0);
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(ended(child(joins_privately_and_dies, NULL)), -SIGKILL);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 4), 1);
    seat_finish(&a);
    put_numbers(producer, 0, 2, 2); /* a producer that finds no room, and does not wait, mends it */
    check_invariants(topic);
    mr_group_leave(topic, &a);
}
END_TEST

START_TEST(seat_that_was_given_to_another_is_stale)
{
    use((struct mr_settings){0});
    struct mr_seat a = seat_join("g", 0);
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 2), 1);
    /* as after a fence: another client has it */
    atomic_store(&seat_slot(&a)->owner, mr_bus_self(bus) + 0x10000);
    ck_assert_int_eq(mr_group_claim(topic, &a, NULL, 2), -ESTALE);
    ck_assert_int_eq(mr_group_give_back(topic, &a), -ESTALE);
    mr_group_leave(topic, &a);
    /* leaving has not touched the other's slot */
    ck_assert_uint_ne(word(&seat_slot(&a)->owner), 0);
}
END_TEST

static int makes_half_a_group(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    if (mr_topic_lock(t))
        return 1;
    atomic_store(&t->groups[0].flags, MR_GROUP_MAKING);
    atomic_store(&t->shm->group_high, 1);
    atomic_store(&t->groups[0].serial, 1);
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(half_made_group_is_not_shown_and_goes_with_the_repair)
{
    use((struct mr_settings){.records_max = 2});
    struct mr_group_info info = {0};
    ck_assert_int_eq(ended(child(makes_half_a_group, NULL)), -SIGKILL);
    ck_assert_int_eq(mr_group_info(topic, 0, &info), 0);
    ck_assert_int_eq(mr_topic_lock(topic), 0);
    mr_unlock(&topic->shm->lock);
    ck_assert_uint_eq(word(&topic->groups[0].serial), 0);
    struct mr_seat a = seat_join("g", 0);
    ck_assert_int_eq(mr_group_info(topic, a.group, &info), 1);
    mr_group_leave(topic, &a);
    check_invariants(topic);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("member");
    TCase *tcase = tcase_create("member");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    tcase_add_test(tcase, first_to_join_makes_the_group_and_the_others_find_it);
    tcase_add_test(tcase, private_group_goes_with_its_member);
    tcase_add_test(tcase, what_a_removed_group_had_acknowledged_stays_acknowledged);
    tcase_add_test(tcase, group_slots_can_run_out_and_come_back);
    tcase_add_test(tcase, newcomer_inherits_an_orphan_when_all_slots_are_taken);
    tcase_add_test(tcase, group_starts_where_it_is_told);
    tcase_add_test(tcase, group_with_members_is_not_moved);
    tcase_add_test(tcase, moving_a_group_forgets_what_its_dead_members_held);
    tcase_add_test(tcase, moved_back_group_holds_producers_again);
    tcase_add_test(tcase, orphan_is_taken_over_before_anything_new_and_as_it_is);
    tcase_add_test(tcase, giving_back_leaves_an_orphan_without_blame_and_keeps_the_seat);
    tcase_add_test(tcase, what_is_given_back_or_left_is_told_to_the_others);
    tcase_add_test(tcase, record_in_hand_of_a_dead_member_is_blamed);
    tcase_add_test(tcase, death_after_everything_was_acknowledged_leaves_no_orphan);
    tcase_add_test(tcase, private_group_of_a_dead_member_holds_nobody_back);
    tcase_add_test(tcase, seat_that_was_given_to_another_is_stale);
    tcase_add_test(tcase, half_made_group_is_not_shown_and_goes_with_the_repair);
    return test_main(suite);
}
