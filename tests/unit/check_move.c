/* check_move.c - records are acknowledged with records in another topic, in one step; a producer
 * waits until all is acknowledged. */
#include "core/append.h"
#include "core/move.h"
#include "core/producer.h"
#include "tests/shared/support.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <pthread.h>

static struct mr_topic *topic, *other;
static struct mr_producer *producer, *out;

static void use(struct mr_settings settings, struct mr_settings of_other)
{
    topic = topic_make("t", settings);
    other = topic_make("o", of_other);
    producer = producer_on(topic);
    out = producer_on(other);
}

static void teardown(void)
{
    mr_producer_close(out);
    mr_producer_close(producer);
    mr_topic_close(other);
    mr_topic_close(topic);
    bus_teardown();
}

static uint64_t other_cnt(void)
{
    uint64_t n = 0;
    for (uint32_t p = 0; p < other->partition_cnt; p++)
        n += mr_log_tip(other, p).next_offset;
    return n;
}

/* ---- mr_consumer_ack_with ---- */

START_TEST(acknowledged_with_records_both_happen)
{
    use((struct mr_settings){0}, (struct mr_settings){.partitions = 4, .size_bytes = 4 * 4096});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 3);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 3);
    next_is(c, "0");
    next_is(c, "1");
    struct mr_message msgs[3] = {message_of("a"), message_of("b"), message_of("c")};
    msgs[0].key = msgs[1].key = msgs[2].key = "k";
    msgs[0].key_len = 1; /* the others' keys would lead elsewhere: the first decides */
    ck_assert_int_eq(mr_consumer_ack_with(c, out, msgs, 3, -1), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(msgs[i].placed, mr_partition_for("k", 1, 4));
        ck_assert_uint_eq(msgs[i].offset, (unsigned)i);
    }
    ck_assert_int_eq(mr_consumer_lag(c), 1);
    next_is(c, "2");
    /* nothing to append: an acknowledgement */
    ck_assert_int_eq(mr_consumer_ack_with(c, out, NULL, 0, -1), 0);
    ck_assert_int_eq(mr_consumer_lag(c), 0);
    ck_assert_uint_eq(other_cnt(), 3);
    check_invariants(topic);
    check_invariants(other);
    mr_consumer_close(c);
}
END_TEST

START_TEST(what_cannot_be_appended_is_not_acknowledged)
{
    use((struct mr_settings){0}, (struct mr_settings){.full = MR_FULL_FAIL, .records_max = 4});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 2);
    struct mr_message msgs[5] = {message_of("a"), message_of("b"), message_of("c"), message_of("d"),
                                 message_of("e")};
    ck_assert_int_eq(mr_consumer_ack_with(c, out, msgs, 1, 0), -EINVAL); /* nothing was given */
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    next_is(c, "0");
    /* never room for so many at once */
    ck_assert_int_eq(mr_consumer_ack_with(c, out, msgs, 5, 0), -EMSGSIZE);
    /* into the topic they come from */
    ck_assert_int_eq(mr_consumer_ack_with(c, producer, msgs, 1, 0), -EINVAL);
    put(out, 0, "x");
    put(out, 0, "y");
    ck_assert_int_eq(mr_consumer_ack_with(c, out, msgs, 3, 0), -EAGAIN); /* room for two */
    ck_assert_uint_eq(other_cnt(), 2);
    ck_assert_int_eq(mr_consumer_lag(c), 2);
    ck_assert_int_eq(mr_consumer_ack_with(c, out, msgs, 2, 0), 0);
    ck_assert_int_eq(mr_consumer_lag(c), 1);
    ck_assert_int_eq(mr_topic_seal(other), 0);
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack_with(c, out, msgs, 1, 0), -EPIPE);
    ck_assert_int_eq(mr_consumer_lag(c), 1);
    check_invariants(topic);
    check_invariants(other);
    mr_consumer_close(c);
}
END_TEST

/* Whole batches of many sizes into a ring that is nearly full: all or none, over index steps and
 * the ring's end. */
START_TEST(whole_batch_is_there_as_a_whole_or_not_at_all)
{
    struct mr_settings nearly_full = {.size_bytes = 131072, .full = MR_FULL_FAIL};
    use((struct mr_settings){.size_bytes = 65536}, nearly_full);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){.window = 1}),
                       *o = consumer_with(other, (struct mr_consumer_options){0});
    static char value[9000];
    unsigned seed = 7, refused = 0, done = 0;
    for (int turn = 0; turn < 2000; turn++) {
        struct mr_message msgs[16];
        size_t n = 1 + (seed = seed * 1103515245u + 12345u) / 65536 % 16;
        for (size_t i = 0; i < n; i++)
            msgs[i] = (struct mr_message){.value = value, .value_len = (seed >> 8) % sizeof value};
        put(producer, 0, "x");
        ck_assert_int_eq(mr_consumer_claim(c, 1, 0), 1);
        next_is(c, "x");
        uint64_t before = other_cnt();
        int error = mr_consumer_ack_with(c, out, msgs, n, 0);
        ck_assert_uint_eq(other_cnt() - before, error ? 0 : n);
        if (error == -EAGAIN) {
            refused++;
            take_all(o);
            mr_consumer_ack(c);
        } else {
            ck_assert(error == 0 || error == -EMSGSIZE);
            done++;
            if (error)
                mr_consumer_ack(c);
        }
        check_invariants(other);
    }
    ck_assert_uint_gt(refused, 10);
    ck_assert_uint_gt(done, 100);
    mr_consumer_close(o);
    mr_consumer_close(c);
}
END_TEST

/* Takes a record that is there alone, and dies after it has arrived, without an acknowledgement. */
static int passes_one_on_and_dies(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t"), *o;
    struct mr_consumer *c;
    struct mr_producer *p;
    struct mr_record r;
    if (mr_topic_open(t->bus, "o", &o) || mr_consumer_open(t, NULL, &c) ||
        mr_producer_open(o, NULL, &p) || mr_consumer_claim(c, 0, 0) != 1 ||
        mr_consumer_next(c, &r) != 1)
        return 1;
    struct mr_member_shm *slot = mr_consumer_slot(c);
    uint64_t cursor = word(&slot->cursor);
    struct mr_message msg = message_of("a");
    if (mr_consumer_ack_with(c, p, &msg, 1, 0))
        return 2;
    atomic_store(&o->producers[mr_producer_slot(p)].asked, t->shm->created_ns);
    atomic_store(&slot->moving, word(&slot->cursor));
    atomic_store(&slot->cursor, cursor); /* as it was before */
    atomic_store(&slot->acked, 0);
    kill(getpid(), SIGKILL);
    return 3;
}

START_TEST(claim_whose_records_have_all_arrived_leaves_its_heir_free_to_claim)
{
    use((struct mr_settings){0}, (struct mr_settings){0});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 1);
    ck_assert_uint_eq(take_all(c), 1);
    put_numbers(producer, 0, 1, 1);
    ck_assert_int_eq(ended(child(passes_one_on_and_dies, NULL)), -SIGKILL);
    mr_topic_reap_dead(topic);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT); /* it has arrived: nothing is left */
    ck_assert_int_eq(mr_consumer_lag(c), 0);
    put_numbers(producer, 0, 2, 1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    next_is(c, "2");
    mr_consumer_close(c);
}
END_TEST

/* Dies after its records have arrived (arg 1) or before (0), without an acknowledgement. */
static int passes_on_and_dies(void *arg)
{
    struct mr_topic *t = topic_of_child("t"), *o;
    struct mr_consumer *c;
    struct mr_producer *p;
    struct mr_record r;
    if (mr_topic_open(t->bus, "o", &o) || mr_consumer_open(t, NULL, &c) ||
        mr_producer_open(o, NULL, &p) || mr_consumer_claim(c, 3, 0) != 3)
        return 1;
    struct mr_member_shm *slot = mr_consumer_slot(c);
    uint64_t cursor = word(&slot->cursor);
    mr_consumer_next(c, &r);
    mr_consumer_next(c, &r);
    struct mr_message msgs[2] = {message_of("a"), message_of("b")};
    if (mr_consumer_ack_with(c, p, msgs, 2, 0))
        return 2;
    atomic_store(&o->producers[mr_producer_slot(p)].asked, t->shm->created_ns);
    atomic_store(&slot->moving, word(&slot->cursor));
    atomic_store(&slot->cursor, cursor); /* as it was before */
    atomic_store(&slot->acked, 0);
    if (!*(int *)arg)
        atomic_store(&slot->moving_count, word(&slot->moving_count) + 1);
    kill(getpid(), SIGKILL);
    return 3;
}

START_TEST(who_takes_the_claim_over_knows_whether_the_records_arrived)
{
    int arrived = _i;
    use((struct mr_settings){0}, (struct mr_settings){0});
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(ended(child(passes_on_and_dies, &arrived)), -SIGKILL);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_uint_eq(take_all(c), arrived ? 2 : 4);
    struct mr_group_info info = {0};
    ck_assert_int_eq(mr_group_info(topic, 0, &info), 1);
    ck_assert_uint_eq(info.acked, 4);
    ck_assert_uint_eq(info.dead_lettered, 0);
    check_invariants(topic);
    mr_consumer_close(c);
}
END_TEST

/* Producers come until there is no slot for one more, and go. */
static void use_all_slots(void)
{
    static struct mr_producer *many[MR_PRODUCERS];
    unsigned n = 0;
    int error;
    while ((error = mr_producer_open(other, NULL, &many[n])) == 0)
        n++;
    ck_assert_int_eq(error, -EUSERS);
    while (n)
        mr_producer_close(many[--n]);
}

START_TEST(slot_of_a_mover_that_died_is_kept_while_somebody_may_ask)
{
    int arrived = _i;
    uint64_t serial = 0;
    uint32_t slot = 0;
    use((struct mr_settings){0}, (struct mr_settings){0});
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(ended(child(passes_on_and_dies, &arrived)), -SIGKILL);
    while (!word(&other->producers[slot].asked))
        slot++;
    serial = word(&other->producers[slot].serial);
    use_all_slots();
    ck_assert_uint_eq(word(&other->producers[slot].serial), serial);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_uint_eq(take_all(c), arrived ? 2 : 4);
    mr_consumer_close(c);
    use_all_slots();
    ck_assert_uint_ne(word(&other->producers[slot].serial), serial); /* and comes back then */
    for (uint32_t i = 0; i < other->producer_cnt; i++)
        ck_assert_uint_eq(word(&other->producers[i].asked), 0);
}
END_TEST

START_TEST(slot_comes_back_when_the_topic_that_may_ask_is_deleted)
{
    int arrived = 1;
    use((struct mr_settings){0}, (struct mr_settings){0});
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(ended(child(passes_on_and_dies, &arrived)), -SIGKILL);
    mr_producer_close(producer);
    producer = NULL;
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_ANYWAY), 0);
    use_all_slots();
    for (uint32_t i = 0; i < other->producer_cnt; i++)
        ck_assert_uint_eq(word(&other->producers[i].asked), 0);
}
END_TEST

static int locks_the_log_and_dies(void *arg)
{
    (void)arg;
    struct mr_topic *o = topic_of_child("o");
    if (mr_log_lock(o, 0))
        return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(producer_in_a_used_slot_is_not_credited_with_what_another_appended)
{
    use((struct mr_settings){0}, (struct mr_settings){0});
    put_numbers(out, 0, 0, 5);
    uint32_t slot = mr_producer_slot(out);
    mr_producer_close(out);
    atomic_store(&other->producers[slot].state, 0); /* so that the next takes this very slot */
    out = producer_on(other);
    ck_assert_uint_eq(mr_producer_slot(out), slot);
    ck_assert_int_eq(ended(child(locks_the_log_and_dies, NULL)), -SIGKILL);
    ck_assert_int_eq(mr_log_lock(other, 0), 0);
    mr_unlock(&other->logs[0].lock);
    ck_assert_uint_eq(word(&other->producers[slot].records), 0);
}
END_TEST

/* A file among the topics' that is no topic, while a topic is looked for that is gone. */
START_TEST(file_that_is_no_topic_keeps_no_claim_from_being_taken_over)
{
    int arrived = 1;
    char path[MR_PATH_MAX];
    use((struct mr_settings){0}, (struct mr_settings){0});
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(ended(child(passes_on_and_dies, &arrived)), -SIGKILL);
    mr_producer_close(out);
    out = NULL;
    ck_assert_int_eq(mr_topic_delete(other, MR_DELETE_ANYWAY), 0);
    mr_segment_name(path, geteuid(), mr_bus_name(bus), "x");
    int fd = shm_open(path, O_CREAT | O_RDWR, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "x", 1), 1);
    if (geteuid() == 0 && _i) /* another user's */
        ck_assert_int_eq(fchown(fd, 65534, (gid_t)-1), 0);
    close(fd);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_uint_eq(take_all(c), 4);
    mr_consumer_close(c);
}
END_TEST

START_TEST(records_whose_topic_is_gone_come_again)
{
    int arrived = 1;
    use((struct mr_settings){0}, (struct mr_settings){0});
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(ended(child(passes_on_and_dies, &arrived)), -SIGKILL);
    mr_producer_close(out);
    out = NULL;
    ck_assert_int_eq(mr_topic_delete(other, MR_DELETE_ANYWAY), 0);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_uint_eq(take_all(c), 4);
    mr_consumer_close(c);
}
END_TEST

START_TEST(record_that_no_try_will_help_is_a_letter_at_once)
{
    use((struct mr_settings){.tries = 100}, (struct mr_settings){0});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_fail_now(c, "hopeless"), 1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    next_is(c, "1");
    struct mr_topic *dead;
    ck_assert_int_eq(mr_topic_open(bus, "t.dead", &dead), 0);
    ck_assert_uint_eq(mr_log_tip(dead, 0).next_offset, 1);
    mr_topic_close(dead);
    mr_consumer_close(c);
}
END_TEST

/* ---- mr_producer_join ---- */

START_TEST(join_ends_when_every_group_has_acknowledged)
{
    use((struct mr_settings){.partitions = 2, .size_bytes = 8192}, (struct mr_settings){0});
    ck_assert_int_eq(mr_producer_join(producer, 0), 0); /* nothing was sent */
    put_numbers(producer, 0, 0, 2);
    put_numbers(producer, 1, 2, 2);
    ck_assert_int_eq(mr_producer_join(producer, 0), -ETIMEDOUT); /* no group yet */
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){.group = "a"}),
                       *b = consumer_with(topic, (struct mr_consumer_options){.group = "b"});
    ck_assert_uint_eq(take_all(a), 4);
    ck_assert_int_eq(mr_producer_join(producer, 1000000), -ETIMEDOUT);
    ck_assert_int_gt(mr_consumer_claim(b, 0, 0), 0);
    struct mr_record r;
    while (mr_consumer_next(b, &r) == 1)
        ;
    ck_assert_int_eq(mr_producer_join(producer, 0), -ETIMEDOUT); /* taken is not acknowledged */
    ck_assert_int_eq(mr_consumer_ack(b), 0);
    take_all(b);
    ck_assert_int_eq(mr_producer_join(producer, 0), 0);
    struct mr_producer *later = producer_on(topic);
    put_numbers(later, 0, 9, 1);
    ck_assert_int_eq(mr_producer_join(producer, 0), 0); /* what others send is not its own */
    ck_assert_int_eq(mr_producer_join(later, 0), -ETIMEDOUT);
    mr_producer_close(later);
    mr_consumer_close(b);
    mr_consumer_close(a);
}
END_TEST

static _Atomic int wait_said;
static int note_wait(const struct mr_wait *wait, void *arg)
{
    (void)arg;
    wait_said |= wait->what == MR_WAIT_ACKNOWLEDGED && strcmp(wait->group, "default") == 0 &&
                 wait->pid == getpid();
    return 0;
}

static void *joins(void *arg)
{
    static int result;
    result = mr_producer_join(arg, -1);
    return &result;
}

START_TEST(join_is_woken_by_the_last_acknowledgement_and_names_who_holds_it_up)
{
    use((struct mr_settings){0}, (struct mr_settings){0});
    struct mr_bus *own;
    struct mr_topic *t;
    struct mr_producer *p;
    ck_assert_int_eq(
        mr_bus_connect(mr_bus_name(bus), &(struct mr_connect_options){.on_wait = note_wait}, &own),
        0);
    ck_assert_int_eq(mr_topic_open(own, "t", &t), 0);
    ck_assert_int_eq(mr_producer_open(t, NULL, &p), 0);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(p, 0, 0, 2);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, joins, p), 0);
    wait_until(wait_said);
    next_is(c, "0");
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    void *result;
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_int_eq(*(int *)result, 0);
    mr_consumer_close(c);
    mr_producer_close(p);
    mr_topic_close(t);
    mr_bus_disconnect(own);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("move");
    TCase *tcase = tcase_create("move");
    tcase_add_checked_fixture(tcase, bus_setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, acknowledged_with_records_both_happen);
    tcase_add_test(tcase, what_cannot_be_appended_is_not_acknowledged);
    tcase_add_test(tcase, whole_batch_is_there_as_a_whole_or_not_at_all);
    tcase_add_loop_test(tcase, who_takes_the_claim_over_knows_whether_the_records_arrived, 0, 2);
    tcase_add_test(tcase, claim_whose_records_have_all_arrived_leaves_its_heir_free_to_claim);
    tcase_add_test(tcase, records_whose_topic_is_gone_come_again);
    tcase_add_loop_test(tcase, slot_of_a_mover_that_died_is_kept_while_somebody_may_ask, 0, 2);
    tcase_add_test(tcase, slot_comes_back_when_the_topic_that_may_ask_is_deleted);
    tcase_add_test(tcase, producer_in_a_used_slot_is_not_credited_with_what_another_appended);
    tcase_add_loop_test(tcase, file_that_is_no_topic_keeps_no_claim_from_being_taken_over, 0, 2);
    tcase_add_test(tcase, record_that_no_try_will_help_is_a_letter_at_once);
    tcase_add_test(tcase, join_ends_when_every_group_has_acknowledged);
    tcase_add_test(tcase, join_is_woken_by_the_last_acknowledgement_and_names_who_holds_it_up);
    return test_main(suite);
}
