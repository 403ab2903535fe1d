/* check_midway.c - a process is stopped or killed between two stores of a transaction, or with a
 * lock, while another one is at work: what random kills and newcomers do not show. Linked such that
 * a transaction can be stopped (the Makefile says how).
 * not under SAN=thread: its locks cannot be given up */
#include "core/append.h"
#include "core/producer.h"
#include "tests/shared/topic.h"

/* ---- a transaction that stops ---- */

enum where { BEFORE_THE_WORD, ALL_APPLIED, NOTHING_APPLIED }; /* always: armed */

static struct {
    int fd; /* told, then the process stands still; 0: off */
    enum where where;
    _Atomic uint64_t *word; /* of a transaction that names it */
} halt;

void __real_mr_tx_apply(const struct mr_tx *tx);
void __wrap_mr_tx_apply(const struct mr_tx *tx);

static void stand_still(int fd)
{
    (void)!write(fd, "!", 1);
    for (;;)
        pause();
}

static _Atomic uint64_t *word_of(const struct mr_tx *tx, uint64_t i)
{
    return (_Atomic uint64_t *)(void *)(tx->topic->base + word(&tx->redo->entries[i].word));
}

void __wrap_mr_tx_apply(const struct mr_tx *tx)
{
    int named = 0;
    for (uint64_t i = 0; halt.fd && i < tx->n; i++)
        named |= word_of(tx, i) == halt.word;
    if (!named) {
        __real_mr_tx_apply(tx);
        return;
    }
    atomic_store(&tx->redo->armed, tx->n);
    for (uint64_t i = 0; i < tx->n && halt.where != NOTHING_APPLIED; i++) {
        if (halt.where == BEFORE_THE_WORD && word_of(tx, i) == halt.word)
            break;
        atomic_store(word_of(tx, i), word(&tx->redo->entries[i].value));
    }
    stand_still(halt.fd);
}

/* ---- who takes part ---- */

/* pipes: from the first process, from the second, to the second */
static int first[2], second[2], go[2];

static void setup(void)
{
    bus_setup();
    ck_assert_int_eq(pipe(first) | pipe(second) | pipe(go), 0);
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++) {
        close(first[i]);
        close(second[i]);
        close(go[i]);
    }
    bus_teardown();
}

/* Starts a process that stands still somewhere. */
static pid_t standing(int (*run)(void *), void *arg)
{
    pid_t pid = child(run, arg);
    ck_assert_int_eq(said(first[0]), '!');
    return pid;
}

static unsigned groups_named(const char *name)
{
    unsigned n = 0;
    for (uint32_t g = 0; g < topic->group_cnt; g++) {
        char text[MR_GROUP_NAME_MAX + 1];
        mr_words_load(topic->groups[g].name, sizeof text / 8, text);
        n += word(&topic->groups[g].serial) && strcmp(text, name) == 0;
    }
    return n;
}

static int tells(const struct mr_wait *wait, void *arg)
{
    (void)arg;
    static int once;
    if (wait->what == MR_WAIT_LOCK && !once++)
        (void)!write(second[1], "w", 1);
    return 0;
}

/* ---- a group is moved ---- */

static int moves_g(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    halt.fd = first[1];
    halt.where = *(enum where *)arg;
    halt.word = &t->groups[0].flags; /* g is in slot 0: it is going to be over */
    mr_consumer_open(t, &(struct mr_consumer_options){.group = "g", .start = MR_START_BEGINNING},
                     &c);
    return 1;
}

struct joiner {
    const char *name;
    enum mr_start start;
};

/* Joins while the mover has the topic's lock; later, when others have taken that too, takes what
 * there is. */
static int joins(void *arg)
{
    const struct joiner *joiner = arg;
    struct mr_connect_options options = {.name = "joiner", .on_wait = tells};
    struct mr_consumer_options how = {.group = joiner->name, .start = joiner->start};
    struct mr_bus *own;
    struct mr_topic *t;
    struct mr_consumer *c;
    char byte;
    if (mr_bus_connect(mr_bus_name(bus), &options, &own) || mr_topic_open(own, "t", &t))
        return 99;
    int error;
    /* the kernel hands the lock on before the one that died is gone, and with it a member of the
     * group */
    do
        error = mr_consumer_open(t, &how, &c);
    while (error == -EBUSY);
    if (error || write(second[1], "j", 1) != 1 || read(go[0], &byte, 1) != 1)
        return 98;
    size_t n = take_all(c);
    if (mr_consumer_claim(c, 0, 0) != -ETIMEDOUT)
        return 97;
    mr_consumer_close(c);
    return (int)n;
}

START_TEST(group_whose_mover_died_midway_is_not_confused_with_another)
{
    static const struct {
        enum where where;
        struct joiner joiner;
    } cases[] = {{ALL_APPLIED, {"x", MR_START_STORED}},
                 {ALL_APPLIED, {"g", MR_START_STORED}},
                 {BEFORE_THE_WORD, {"g", MR_START_STORED}},
                 {BEFORE_THE_WORD, {"g", MR_START_BEGINNING}},
                 {NOTHING_APPLIED, {"g", MR_START_BEGINNING}}};
    enum where where = cases[_i].where;
    struct joiner joiner = cases[_i].joiner;
    use((struct mr_settings){0});
    mr_consumer_close(consumer_with(topic, (struct mr_consumer_options){.group = "g"}));
    put_numbers(producer, 0, 0, 5);
    pid_t mover = standing(moves_g, &where);
    pid_t b = child(joins, &joiner);
    ck_assert_int_eq(said(second[0]), 'w'); /* it waits for the topic's lock */
    killed(mover);
    ck_assert_int_eq(said(second[0]), 'j');
    mr_topic_reap_dead(topic);
    ck_assert_int_eq(mr_topic_lock(topic), 0);
    mr_unlock(&topic->shm->lock);
    ck_assert_uint_eq(groups_named("g"), 1);
    ck_assert_int_eq(write(go[1], "g", 1), 1);
    ck_assert_int_eq(ended(b), 5); /* what it joined is there, and is given to it once */
    struct mr_consumer *c =
        consumer_with(topic, (struct mr_consumer_options){.group = joiner.name});
    ck_assert_uint_eq(take_all(c), 0);
    ck_assert_uint_eq(groups_named(joiner.name), 1);
    mr_consumer_close(c);
    check_invariants(topic);
}
END_TEST

/* ---- a private group ends ---- */

static int leaves_privately(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    if (mr_consumer_open(t, &(struct mr_consumer_options){.flags = MR_PRIVATE}, &c))
        return 1;
    halt.fd = first[1];
    halt.where = BEFORE_THE_WORD;
    halt.word = *(int *)arg ? &t->groups[c->seat.group].flags : &t->members[c->seat.member].group;
    mr_consumer_close(c);
    return 1;
}

START_TEST(private_group_whose_member_died_leaving_takes_no_slot)
{
    int word_first = _i;
    char name[16];
    struct mr_consumer *c[MR_GROUPS];
    use((struct mr_settings){0});
    for (unsigned i = 0; i + 1 < MR_GROUPS; i++) {
        snprintf(name, sizeof name, "n%u", i);
        c[i] = consumer_with(topic, (struct mr_consumer_options){.group = name});
    }
    killed(standing(leaves_privately, &word_first));
    c[MR_GROUPS - 1] = consumer_with(topic, (struct mr_consumer_options){.group = "more"});
    for (unsigned i = 0; i < MR_GROUPS; i++)
        mr_consumer_close(c[i]);
    check_invariants(topic);
}
END_TEST

static int joins_privately(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    halt.fd = first[1];
    halt.where = NOTHING_APPLIED;
    halt.word = &t->members[1].owner;
    mr_consumer_open(t, &(struct mr_consumer_options){.flags = MR_PRIVATE}, &c);
    return 1;
}

START_TEST(producer_that_does_not_wait_is_not_refused_for_a_dead_joiner)
{
    use((struct mr_settings){.records_max = 2, .full = MR_FULL_FAIL});
    struct mr_consumer *keeper = consumer_with(topic, (struct mr_consumer_options){.group = "g"});
    put_numbers(producer, 0, 0, 2);
    killed(standing(joins_privately, NULL));
    ck_assert_uint_eq(take_all(keeper), 2);
    put_numbers(producer, 0, 2, 2);
    mr_consumer_close(keeper);
}
END_TEST

/* ---- a group is made ---- */

static int makes_h_at_the_end(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    uint32_t g;
    if (mr_topic_lock(t) ||
        mr_group_make(t, &(struct mr_new_group){.name = "h", .start = MR_START_END}, &g))
        return 1;
    stand_still(first[1]);
    return 1;
}

START_TEST(group_made_at_the_end_lets_nothing_go_that_no_group_has_seen)
{
    use((struct mr_settings){.records_max = 3});
    put_numbers(producer, 0, 0, 3);
    pid_t maker = standing(makes_h_at_the_end, NULL);
    ck_assert_int_eq(put(producer, 0, "x"), -EAGAIN);
    killed(maker);
    ck_assert_int_eq(put(producer, 0, "x"), -EAGAIN);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){.group = "first"});
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 3);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    mr_consumer_close(c);
}
END_TEST

static int holds_log_0(void *arg)
{
    (void)arg;
    if (mr_log_lock(topic_of_child("t"), 0) == 0)
        stand_still(first[1]);
    return 1;
}

static int makes_h(void *arg)
{
    struct mr_consumer *c;
    (void)arg;
    mr_consumer_open(topic_of_child("t"), &(struct mr_consumer_options){.group = "h"}, &c);
    return 1;
}

static int in_the_making(void)
{
    for (uint32_t g = 0; g < topic->group_cnt; g++)
        if (word(&topic->groups[g].serial) && (word(&topic->groups[g].flags) & MR_GROUP_MAKING))
            return 1;
    return 0;
}

static const struct mr_settings two_partitions = {
    .records_max = 8, .partitions = 2, .size_bytes = 8192};

START_TEST(group_that_waits_for_one_log_holds_no_other_back)
{
    use(two_partitions);
    struct mr_consumer *keeper = consumer_with(topic, (struct mr_consumer_options){.group = "g"});
    pid_t holder = standing(holds_log_0, NULL), maker = child(makes_h, NULL);
    wait_until(in_the_making());
    for (unsigned i = 0; i < 20; i++) {
        put_numbers(producer, 1, i, 1);
        ck_assert_uint_eq(take_all(keeper), 1);
    }
    killed(maker);
    killed(holder);
    mr_consumer_close(keeper);
}
END_TEST

START_TEST(what_the_last_group_had_acknowledged_outlives_one_that_never_came_to_be)
{
    struct mr_message three[3];
    use(two_partitions);
    struct mr_consumer *p = consumer_with(topic, (struct mr_consumer_options){.flags = MR_PRIVATE});
    put_numbers(producer, 1, 0, 4);
    ck_assert_uint_eq(take_all(p), 4);
    mr_consumer_close(p);
    put_numbers(producer, 1, 4, 2);
    pid_t holder = standing(holds_log_0, NULL), maker = child(makes_h, NULL);
    wait_until(in_the_making());
    for (int i = 0; i < 3; i++)
        three[i] = (struct mr_message){.value = "x", .value_len = 1, .partition = MR_PARTITION(1)};
    ck_assert_int_eq(mr_append_assign(producer, three, 3), 0);
    /* it has the limit looked up */
    ck_assert_int_eq(mr_producer_append_whole(producer, three, 3, 0), -EAGAIN);
    killed(maker);
    killed(holder);
    put_numbers(producer, 1, 6, 2); /* there is room for two */
    ck_assert_int_eq(put(producer, 1, "x"), -EAGAIN);
}
END_TEST

/* The furthest that any of them had acknowledged, in whatever order they leave. */
START_TEST(what_a_group_has_acknowledged_is_known_when_a_slower_one_leaves_after_it)
{
    use((struct mr_settings){.records_max = 4});
    struct mr_consumer *fast =
                           consumer_with(topic, (struct mr_consumer_options){.flags = MR_PRIVATE}),
                       *slow =
                           consumer_with(topic, (struct mr_consumer_options){.flags = MR_PRIVATE});
    put_numbers(producer, 0, 0, 4);
    ck_assert_uint_eq(take_all(fast), 4);
    mr_consumer_close(_i ? slow : fast);
    mr_consumer_close(_i ? fast : slow);
    put_numbers(producer, 0, 4, 4);
}
END_TEST

/* ---- a stopped process holds a lock, and another one dies ---- */

static int holds_the_topic(void *arg)
{
    (void)arg;
    if (mr_topic_lock(topic_of_child("t")) == 0)
        stand_still(first[1]);
    return 1;
}

static int produces(void *arg)
{
    struct mr_producer *p;
    (void)arg;
    if (mr_producer_open(topic_of_child("t"), NULL, &p) == 0)
        stand_still(first[1]);
    return 1;
}

/* Waits for one record, and says so when it has it. */
static int waits_for_one(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    static struct mr_consumer *c; /* closing it would wait for the lock */
    (void)arg;
    if (mr_consumer_open(t, &(struct mr_consumer_options){.group = "g"}, &c))
        return 1;
    (void)!write(second[1], "j", 1);
    ssize_t n = mr_consumer_claim(c, 0, -1);
    (void)!write(second[1], n == 1 ? "1" : "?", 1);
    return 0;
}

START_TEST(who_waits_for_records_sees_them_whatever_lock_a_stopped_process_has)
{
    use((struct mr_settings){0});
    pid_t dies = standing(produces, NULL), waiter = child(waits_for_one, NULL);
    ck_assert_int_eq(said(second[0]), 'j');
    pid_t holder = standing(holds_the_topic, NULL);
    killed(dies);
    /* It has found the dead one when it sleeps again after a wait that was over. */
    struct mr_cond *data = &topic->groups[0].data;
    for (int i = 0; i < 2; i++) {
        atomic_fetch_and(&data->word, ~1u);
        wait_until(atomic_load(&data->word) & 1u);
    }
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(said(second[0]), '1');
    ck_assert_int_eq(ended(waiter), 0);
    killed(holder);
}
END_TEST

static int holds_group_x(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    (void)arg;
    if (mr_consumer_open(t, &(struct mr_consumer_options){.group = "x"}, &c) ||
        mr_group_lock(t, c->seat.group))
        return 1;
    stand_still(first[1]);
    return 1;
}

static int claims_in_y(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    (void)arg;
    if (mr_consumer_open(t, &(struct mr_consumer_options){.group = "y"}, &c) ||
        mr_consumer_claim(c, 3, 0) < 1)
        return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(burying_waits_for_no_group_that_the_dead_had_no_part_in)
{
    int broker = _i;
    use((struct mr_settings){0});
    static struct mr_consumer *heir; /* children have it, too */
    heir = consumer_with(topic, (struct mr_consumer_options){.group = "y"});
    pid_t holder = standing(holds_group_x, NULL);
    put_numbers(producer, 0, 0, 3);
    pid_t dead = child(claims_in_y, NULL);
    ck_assert_int_eq(ended(dead), -SIGKILL);
    uint64_t client = 0;
    for (uint32_t i = 0; i < topic->member_cnt; i++)
        if (word(&topic->members[i].cursor) < word(&topic->members[i].end))
            client = word(&topic->members[i].owner);
    if (broker)
        mr_topic_reap(topic, client);
    else
        mr_topic_reap_dead(topic);
    ck_assert_uint_eq(take_all(heir), 3);
    killed(holder);
    mr_consumer_close(heir);
}
END_TEST

/* ---- a repair is stopped, and the slot that it is about is used again ---- */

/* What repair() does in log.c, in two parts: O's batch is published and not counted yet. Our stop
 * between them is simulated by holding the log's lock, as a repair does. */
static int opens_a_producer(void *arg)
{
    static struct mr_producer *p;
    (void)arg;
    if (mr_producer_open(topic_of_child("t"), NULL, &p))
        return 1;
    (void)!write(second[1], "o", 1);
    return 0;
}

START_TEST(slot_is_not_used_again_while_a_repair_may_still_count_for_its_old_producer)
{
    struct mr_producer *last, *all[MR_PRODUCERS];
    use((struct mr_settings){0});
    unsigned n = 0;
    while (mr_producer_open(topic, NULL, &all[n]) == 0)
        n++;
    last = all[n - 1];
    uint32_t slot = mr_producer_slot(last);
    uint64_t serial = word(&topic->producers[slot].serial);
    mr_producer_close(last);
    pid_t repairer = standing(holds_log_0, NULL);
    pid_t opener = child(opens_a_producer, NULL);
    /* from here on a repair does not credit the slot ... */
    wait_until(word(&topic->producers[slot].serial) != serial);
    ck_assert_uint_eq(word(&topic->producers[slot].serial), 0);
    /* ... and who has compared already is waited for */
    ck_assert_uint_eq(word(&topic->producers[slot].state), 'd');
    killed(repairer);
    ck_assert_int_eq(said(second[0]), 'o');
    ck_assert_int_eq(ended(opener), 0);
    ck_assert_uint_gt(word(&topic->producers[slot].serial), serial);
    while (--n > 0)
        mr_producer_close(all[n - 1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("midway");
    TCase *tcase = tcase_create("midway");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 15);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, group_whose_mover_died_midway_is_not_confused_with_another, 0, 5);
    tcase_add_loop_test(tcase, private_group_whose_member_died_leaving_takes_no_slot, 0, 2);
    tcase_add_test(tcase, producer_that_does_not_wait_is_not_refused_for_a_dead_joiner);
    tcase_add_test(tcase, group_made_at_the_end_lets_nothing_go_that_no_group_has_seen);
    tcase_add_test(tcase, group_that_waits_for_one_log_holds_no_other_back);
    tcase_add_test(tcase, what_the_last_group_had_acknowledged_outlives_one_that_never_came_to_be);
    tcase_add_loop_test(
        tcase, what_a_group_has_acknowledged_is_known_when_a_slower_one_leaves_after_it, 0, 2);
    tcase_add_test(tcase, who_waits_for_records_sees_them_whatever_lock_a_stopped_process_has);
    tcase_add_loop_test(tcase, burying_waits_for_no_group_that_the_dead_had_no_part_in, 0, 2);
    tcase_add_test(tcase,
                   slot_is_not_used_again_while_a_repair_may_still_count_for_its_old_producer);
    return test_main(suite);
}
