/* Groups made, moved and ended, when a process dies or gives up in the middle of it: only those who
 * were there before look, as a newcomer would mend what they must be able to live with.
 * not under SAN=thread: its locks cannot be given up */
#include "core/append.h"
#include "core/producer.h"
#include "tests/shared/support.h"

static struct mr_topic *topic;
static struct mr_producer *producer;
static struct mr_consumer *keeper; /* of group "g": keeps up */

static void use(struct mr_settings settings)
{
    topic = topic_make("t", settings);
    producer = producer_on(topic);
    keeper = consumer_with(topic, (struct mr_consumer_options){.group = "g"});
}

static void teardown(void)
{
    mr_consumer_close(keeper);
    mr_producer_close(producer);
    mr_topic_close(topic);
    keeper = NULL;
    producer = NULL;
    topic = NULL;
    bus_teardown();
}

/* The topic takes more than it has room for, without anybody waiting, as the only group there keeps
 * up. */
static void goes_on(void)
{
    for (unsigned i = 0; i < 20; i++) {
        put_numbers(producer, 0, i, 1);
        ck_assert_uint_eq(take_all(keeper), 1);
    }
}

static unsigned groups_used(void)
{
    unsigned n = 0;
    for (uint32_t g = 0; g < topic->group_cnt; g++)
        n += word(&topic->groups[g].serial) != 0;
    return n;
}

static int makes_half_a_group(void *arg)
{
    const struct mr_new_group *making = arg;
    struct mr_topic *t = topic_of_child("t");
    uint32_t group;
    if (mr_topic_lock(t) || mr_group_make(t, making, &group))
        return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(group_whose_maker_died_holds_no_producer_back)
{
    static const struct mr_new_group makings[] = {{"h", 0, MR_START_STORED, 0, 0},
                                                  {"p", MR_PRIVATE, MR_START_STORED, 0, 0},
                                                  {"g", 0, MR_START_BEGINNING, 0, 1}};
    struct mr_new_group making = makings[_i];
    use((struct mr_settings){.records_max = 2});
    put_numbers(producer, 0, 0, 2);
    ck_assert_uint_eq(take_all(keeper), 2);
    ck_assert_int_eq(ended(child(makes_half_a_group, &making)), -SIGKILL);
    goes_on();
    ck_assert_uint_eq(groups_used(), 1);
    check_invariants(topic);
}
END_TEST

/* The only group that there was has acknowledged all and is gone; the next one dies while it is
 * made, at the beginning. */
START_TEST(what_a_group_in_the_making_held_back_is_free_again)
{
    use((struct mr_settings){.records_max = 2});
    mr_consumer_close(keeper);
    struct mr_consumer *p = consumer_with(topic, (struct mr_consumer_options){.flags = MR_PRIVATE});
    struct mr_new_group making = {"h", 0, MR_START_BEGINNING, 0, 0};
    put_numbers(producer, 0, 0, 2);
    ck_assert_uint_eq(take_all(p), 2);
    mr_consumer_close(p);
    keeper =
        consumer_with(topic, (struct mr_consumer_options){.group = "g", .start = MR_START_END});
    goes_on();
    mr_consumer_close(keeper);
    keeper = NULL;
    /* waits for group "g", which has no member: nothing more goes in */
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(put(producer, 0, "x"), -EAGAIN);
    ck_assert_int_eq(ended(child(makes_half_a_group, &making)), -SIGKILL);
    ck_assert_int_eq(put(producer, 0, "x"), -EAGAIN);
    keeper = consumer_with(topic, (struct mr_consumer_options){.group = "g"});
    ck_assert_uint_eq(take_all(keeper), 2);
    goes_on();
    ck_assert_uint_eq(groups_used(), 1);
}
END_TEST

START_TEST(limit_is_as_before_when_the_first_group_dies_in_the_making)
{
    use((struct mr_settings){.records_max = 2});
    mr_consumer_close(keeper);
    keeper = NULL;
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_ANYWAY), 0);
    mr_producer_close(producer);
    mr_topic_close(topic);
    topic = topic_make("t", (struct mr_settings){.records_max = 2});
    producer = producer_on(topic);
    struct mr_consumer *p = consumer_with(topic, (struct mr_consumer_options){.flags = MR_PRIVATE});
    struct mr_new_group making = {"h", 0, MR_START_BEGINNING, 0, 0};
    put_numbers(producer, 0, 0, 2);
    ck_assert_uint_eq(take_all(p), 2);
    mr_consumer_close(p);
    ck_assert_int_eq(ended(child(makes_half_a_group, &making)), -SIGKILL);
    put_numbers(producer, 0, 2, 2); /* what the private group had acknowledged stays acknowledged */
    ck_assert_uint_eq(groups_used(), 0);
}
END_TEST

static int claims_and_dies(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    if (mr_consumer_open(t, &(struct mr_consumer_options){.group = "g"}, &c) ||
        mr_consumer_claim(c, 3, 0) != 3)
        return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(what_the_dead_held_is_not_lost_with_one_who_died_moving_the_group)
{
    struct mr_new_group making = {"g", 0, MR_START_END, 0, 1};
    use((struct mr_settings){0});
    mr_consumer_close(keeper);
    put_numbers(producer, 0, 0, 5);
    ck_assert_int_eq(ended(child(claims_and_dies, NULL)), -SIGKILL);
    ck_assert_int_eq(ended(child(makes_half_a_group, &making)), -SIGKILL);
    keeper = consumer_with(topic, (struct mr_consumer_options){.group = "g"});
    ck_assert_uint_eq(take_all(keeper), 5);
    check_invariants(topic);
}
END_TEST

START_TEST(moved_group_keeps_its_counts_and_forgets_what_the_dead_held)
{
    struct mr_group_info info = {0};
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 5);
    ck_assert_uint_eq(take_all(keeper), 5);
    mr_consumer_close(keeper);
    put_numbers(producer, 0, 5, 5);
    ck_assert_int_eq(ended(child(claims_and_dies, NULL)), -SIGKILL);
    keeper = consumer_with(
        topic, (struct mr_consumer_options){.group = "g", .start = MR_START_LAST, .start_arg = 1});
    ck_assert_uint_eq(take_all(keeper), 1);
    ck_assert_uint_eq(groups_used(), 1);
    ck_assert_int_eq(mr_group_info(topic, keeper->seat.group, &info), 1);
    ck_assert_str_eq(info.name, "g");
    ck_assert_uint_eq(info.acked, 6);
    ck_assert_uint_eq(info.orphans, 0);
    check_invariants(topic);
}
END_TEST

START_TEST(group_is_moved_also_when_all_slots_are_taken)
{
    use((struct mr_settings){0});
    char name[16];
    struct mr_consumer *c[MR_GROUPS], *more;
    c[0] = keeper;
    for (unsigned g = 1; g < MR_GROUPS; g++) {
        snprintf(name, sizeof name, "g%u", g);
        c[g] = consumer_with(topic, (struct mr_consumer_options){.group = name});
    }
    ck_assert_int_eq(mr_consumer_open(topic, &(struct mr_consumer_options){.group = "more"}, &more),
                     -EUSERS);
    put_numbers(producer, 0, 0, 3);
    for (int turn = 0; turn < 3; turn++) {
        mr_consumer_close(c[7]);
        c[7] = consumer_with(
            topic, (struct mr_consumer_options){.group = "g7", .start = MR_START_BEGINNING});
        ck_assert_uint_eq(take_all(c[7]), 3);
    }
    ck_assert_int_eq(mr_consumer_open(topic, &(struct mr_consumer_options){.group = "more"}, &more),
                     -EUSERS);
    for (unsigned g = 1; g < MR_GROUPS; g++)
        mr_consumer_close(c[g]);
    check_invariants(topic);
}
END_TEST

START_TEST(private_group_cannot_be_joined_by_its_name)
{
    use((struct mr_settings){0});
    struct mr_consumer *p = consumer_with(topic, (struct mr_consumer_options){.flags = MR_PRIVATE}),
                       *c;
    struct mr_group_info info = {0};
    ck_assert_int_eq(mr_group_info(topic, p->seat.group, &info), 1);
    ck_assert_int_eq(info.is_private, 1);
    ck_assert_int_eq(mr_consumer_open(topic, &(struct mr_consumer_options){.group = info.name}, &c),
                     -EINVAL);
    struct mr_seat seat; /* nor by those who do not ask whether the name is one */
    ck_assert_int_eq(mr_group_join(topic, info.name, 0, MR_START_STORED, 0, &seat), 0);
    ck_assert_uint_ne(seat.group, p->seat.group);
    mr_group_leave(topic, &seat);
    mr_consumer_close(p);
}
END_TEST

/* ---- calls that are given up because a stopped process holds a lock ---- */

static int holds_a_lock(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    if (mr_topic_lock(t))
        return 1;
    (void)!write(*(int *)arg, "!", 1);
    for (;;)
        pause();
}

static pid_t lock_holder(void)
{
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    pid_t pid = child(holds_a_lock, &pipes[1]);
    ck_assert_int_eq(said(pipes[0]), '!');
    close(pipes[0]);
    close(pipes[1]);
    return pid;
}

static volatile sig_atomic_t stop;

/* A bus and topic of our own, whose waits end at once when `stop` is set. */
static struct mr_topic *topic_that_stops(void)
{
    struct mr_bus *own;
    struct mr_topic *t;
    stop = 0;
    ck_assert_int_eq(
        mr_bus_connect(mr_bus_name(bus), &(struct mr_connect_options){.stop = &stop}, &own), 0);
    ck_assert_int_eq(mr_topic_open(own, "t", &t), 0);
    return t;
}

START_TEST(leaving_that_was_given_up_leaves_nobody_behind)
{
    int is_private = _i;
    use((struct mr_settings){.records_max = 4});
    struct mr_topic *t = topic_that_stops();
    struct mr_consumer_options options = {.group = "h", .flags = is_private ? MR_PRIVATE : 0};
    struct mr_consumer *c;
    struct mr_member_info info = {0};
    ck_assert_int_eq(mr_consumer_open(t, &options, &c), 0);
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    next_is(c, "1");
    uint32_t member = c->seat.member;
    pid_t holder = lock_holder();
    stop = 1;
    mr_consumer_close(c); /* while its client lives on */
    killed(holder);
    ck_assert_uint_eq(take_all(keeper), 2);
    if (is_private) {
        goes_on();
        ck_assert_uint_eq(groups_used(), 1);
    } else {
        mr_topic_reap_dead(topic);
        ck_assert_uint_eq(word(&topic->members[member].owner), 0);
        ck_assert_int_eq(mr_member_info(topic, member, &info), 1);
        ck_assert_uint_eq(info.tries, 0); /* no try of the record in hand is counted */
        struct mr_consumer *heir = consumer_with(topic, (struct mr_consumer_options){.group = "h"});
        ck_assert_uint_eq(take_all(heir), 1);
        mr_consumer_close(heir);
    }
    check_invariants(topic);
    topic_leave(t);
}
END_TEST

START_TEST(joining_that_was_given_up_leaves_no_group)
{
    use((struct mr_settings){.records_max = 2});
    struct mr_topic *t = topic_that_stops();
    struct mr_consumer *c;
    pid_t holder = lock_holder();
    stop = 1;
    ck_assert_int_eq(mr_consumer_open(t, &(struct mr_consumer_options){.group = "h"}, &c), -EINTR);
    killed(holder);
    goes_on();
    ck_assert_uint_eq(groups_used(), 1);
    topic_leave(t);
}
END_TEST

static int holds_the_log(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    if (mr_log_lock(t, 0))
        return 1;
    (void)!write(*(int *)arg, "!", 1);
    for (;;)
        pause();
}

/* A producer stands still with the log's lock: nothing that needs no log waits for it, and what
 * needs one is taken back. */
START_TEST(stopped_producer_keeps_no_group_from_ending)
{
    int pipes[2];
    use((struct mr_settings){.records_max = 2});
    struct mr_topic *t = topic_that_stops();
    struct mr_consumer *p, *c;
    ck_assert_int_eq(mr_consumer_open(t, &(struct mr_consumer_options){.flags = MR_PRIVATE}, &p),
                     0);
    ck_assert_int_eq(pipe(pipes), 0);
    pid_t holder = child(holds_the_log, &pipes[1]);
    ck_assert_int_eq(said(pipes[0]), '!');
    stop = 1;
    mr_consumer_close(p);
    ck_assert_int_eq(mr_consumer_open(t, &(struct mr_consumer_options){.group = "h"}, &c), -EINTR);
    killed(holder);
    goes_on();
    mr_topic_reap_dead(topic); /* as all do who wait */
    ck_assert_uint_eq(groups_used(), 1);
    topic_leave(t);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

START_TEST(producer_that_gives_up_on_closing_is_done_and_did_not_die)
{
    struct mr_topic_info info = {0};
    use((struct mr_settings){0});
    struct mr_topic *t = topic_that_stops();
    struct mr_producer *p = producer_on(t);
    mr_producer_close(producer);
    producer = NULL;
    put_numbers(p, 0, 0, 1);
    pid_t holder = lock_holder();
    stop = 1;
    mr_producer_close(p);
    killed(holder);
    ck_assert_int_eq(mr_consumer_drained(keeper), 0);
    ck_assert_uint_eq(take_all(keeper), 1);
    ck_assert_int_eq(mr_consumer_drained(keeper), 1);
    ck_assert_int_eq(mr_topic_info(topic, &info), 0);
    ck_assert_uint_eq(info.producers_done, 2);
    ck_assert_uint_eq(info.producers_died, 0);
    topic_leave(t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("group_life");
    TCase *tcase = tcase_create("group_life");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, teardown);
    tcase_add_loop_test(tcase, group_whose_maker_died_holds_no_producer_back, 0, 3);
    tcase_add_test(tcase, what_a_group_in_the_making_held_back_is_free_again);
    tcase_add_test(tcase, limit_is_as_before_when_the_first_group_dies_in_the_making);
    tcase_add_test(tcase, what_the_dead_held_is_not_lost_with_one_who_died_moving_the_group);
    tcase_add_test(tcase, moved_group_keeps_its_counts_and_forgets_what_the_dead_held);
    tcase_add_test(tcase, group_is_moved_also_when_all_slots_are_taken);
    tcase_add_test(tcase, private_group_cannot_be_joined_by_its_name);
    tcase_add_loop_test(tcase, leaving_that_was_given_up_leaves_nobody_behind, 0, 2);
    tcase_add_test(tcase, joining_that_was_given_up_leaves_no_group);
    tcase_add_test(tcase, stopped_producer_keeps_no_group_from_ending);
    tcase_add_test(tcase, producer_that_gives_up_on_closing_is_done_and_did_not_die);
    return test_main(suite);
}
