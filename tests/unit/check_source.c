/* check_source.c - each partition remembers how far each source of a producer came. */
#include "core/append.h"
#include "core/producer.h"
#include "tests/shared/topic.h"

static struct mr_producer *from(struct mr_topic *t, uint64_t source)
{
    struct mr_producer *p;
    ck_assert_int_eq(mr_producer_open(t, &(struct mr_producer_options){.source = source}, &p), 0);
    return p;
}

static void put_from(struct mr_producer *p, int32_t partition, uint64_t position, uint64_t check)
{
    struct mr_message msg = message_of("x");
    msg.partition = to(partition);
    ck_assert_int_eq(mr_producer_append_from(p, &msg, &(struct mr_progress){position, check}, 1, 0),
                     1);
}

static void came_to(struct mr_producer *p, uint32_t partition, uint64_t position, uint64_t check)
{
    struct mr_progress progress = {0};
    ck_assert_int_eq(mr_producer_progress(p, partition, &progress), position > 0);
    ck_assert_uint_eq(progress.position, position);
    ck_assert_uint_eq(progress.check, check);
}

START_TEST(each_partition_remembers_how_far_each_source_came)
{
    use((struct mr_settings){.partitions = 2, .size_bytes = 8192});
    struct mr_producer *a = from(topic, 1), *b = from(topic, 2);
    came_to(a, 0, 0, 0);
    put_from(a, 0, 10, 100);
    put_from(a, 1, 11, 110);
    put_from(b, 1, 7, 70);
    put(producer, 0, "of no source");
    came_to(a, 0, 10, 100);
    came_to(a, 1, 11, 110);
    came_to(b, 0, 0, 0);
    came_to(b, 1, 7, 70);
    struct mr_message msgs[4] = {message_of("1"), message_of("2"), message_of("3"),
                                 message_of("4")};
    struct mr_progress progress[4] = {{20, 1}, {21, 2}, {22, 3}, {23, 4}};
    msgs[0].partition = msgs[2].partition = MR_PARTITION(0);
    msgs[1].partition = msgs[3].partition = MR_PARTITION(1);
    ck_assert_int_eq(mr_producer_append_from(a, msgs, progress, 4, 0), 4);
    came_to(a, 0, 22, 3);
    came_to(a, 1, 23, 4);
    mr_producer_close(a);
    a = from(topic, 1); /* another producer of the same source finds it */
    came_to(a, 1, 23, 4);
    struct mr_progress none;
    ck_assert_int_eq(mr_producer_progress(producer, 0, &none), -EINVAL);
    ck_assert_int_eq(mr_producer_progress(a, 2, &none), -ERANGE);
    ck_assert_int_eq(mr_producer_append_from(producer, msgs, progress, 1, 0), -EINVAL);
    progress[1].position = 0;
    ck_assert_int_eq(mr_producer_append_from(a, msgs, progress, 2, 0), -EINVAL);
    mr_producer_close(b);
    mr_producer_close(a);
}
END_TEST

START_TEST(progress_is_that_of_what_was_accepted)
{
    use((struct mr_settings){.records_max = 3, .full = MR_FULL_FAIL});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    struct mr_producer *a = from(topic, 1);
    struct mr_message msgs[5] = {message_of("1"), message_of("2"), message_of("3"), message_of("4"),
                                 message_of("5")};
    struct mr_progress progress[5] = {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}};
    ck_assert_int_eq(mr_producer_append_from(a, msgs, progress, 5, 0), 3);
    came_to(a, 0, 3, 3);
    ck_assert_int_eq(mr_producer_append_from(a, msgs + 3, progress + 3, 2, 0), -EAGAIN);
    came_to(a, 0, 3, 3);
    take_all(c);
    ck_assert_int_eq(mr_producer_append_from(a, msgs + 3, progress + 3, 2, 0), 2);
    came_to(a, 0, 5, 5);
    mr_producer_close(a);
    mr_consumer_close(c);
}
END_TEST

/* For each source in [from_id, until): opens a producer, sends a record to the partition, closes
 * it. */
static void put_of_each(uint64_t from_id, uint64_t until, int32_t partition)
{
    for (uint64_t id = from_id; id < until; id++) {
        struct mr_producer *p = from(topic, id);
        put_from(p, partition, id, id);
        mr_producer_close(p);
    }
}

START_TEST(no_source_is_forgotten_for_another)
{
    use((struct mr_settings){.size_bytes = 65536});
    struct mr_producer *known = from(topic, 1), *open = from(topic, 2), *none;
    put_from(known, 0, 5, 5);
    put_of_each(100, 100 + MR_SOURCES - 1, 0);
    struct mr_topic_info before = {0}, after = {0};
    struct mr_message msg = message_of("x");
    ck_assert_int_eq(mr_topic_info(topic, &before), 0);
    ck_assert_int_eq(mr_producer_append_from(open, &msg, &(struct mr_progress){6, 6}, 1, 0),
                     -EUSERS);
    ck_assert_uint_eq(msg.offset, MR_OFFSET_NONE);
    ck_assert_int_eq(mr_topic_info(topic, &after), 0);
    ck_assert_uint_eq(after.records_in, before.records_in);
    ck_assert_int_eq(mr_producer_open(topic, &(struct mr_producer_options){.source = 3}, &none),
                     -EUSERS);
    ck_assert_uint_eq(atomic_load(&topic->producers[0].state),
                      'a');   /* and no lock or slot is kept */
    put_from(known, 0, 7, 7); /* those known go on, */
    came_to(known, 0, 7, 7);
    came_to(open, 0, 0, 0);
    put(producer, 0, "of no source"); /* and who has no source */
    mr_producer_close(open);
    mr_producer_close(known);
    for (uint64_t id = 100; id < 100 + MR_SOURCES - 1; id++) {
        struct mr_producer *p = from(topic, id);
        came_to(p, 0, id, id);
        mr_producer_close(p);
    }
}
END_TEST

START_TEST(partition_full_of_sources_refuses_while_others_have_room)
{
    use((struct mr_settings){.partitions = 2, .size_bytes = 131072});
    struct mr_producer *p = from(topic, 1), *none;
    put_of_each(100, 100 + MR_SOURCES, 1);
    struct mr_message msgs[2] = {message_of("1"), message_of("2")};
    msgs[0].partition = MR_PARTITION(0);
    msgs[1].partition = MR_PARTITION(1);
    struct mr_progress progress[2] = {{1, 1}, {2, 2}};
    ck_assert_int_eq(mr_producer_append_from(p, msgs, progress, 2, 0), 1);
    ck_assert_uint_eq(msgs[1].offset, MR_OFFSET_NONE);
    ck_assert_int_eq(mr_producer_append_from(p, msgs + 1, progress + 1, 1, 0), -EUSERS);
    came_to(p, 0, 1, 1);
    came_to(p, 1, 0, 0);
    ck_assert_int_eq(mr_producer_open(topic, &(struct mr_producer_options){.source = 1}, &none),
                     -EUSERS);
    mr_producer_close(p);
}
END_TEST

static int dies_before_its_source_knows(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_producer *p = from(t, 1);
    put_from(p, 0, 10, 100);
    put_from(p, 0, 20, 200);
    struct mr_source_shm *source = mr_topic_sources(t, 0);
    if (mr_log_lock(t, 0) || word(&source->id) != 1)
        return 1;
    atomic_store(&source->position, 10); /* as if killed between head and the source's slot */
    atomic_store(&source->check, 100);
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(progress_of_a_producer_killed_right_after_publishing_is_mended)
{
    use((struct mr_settings){0});
    ck_assert_int_eq(ended(child(dies_before_its_source_knows, NULL)), -SIGKILL);
    struct mr_producer *next = from(topic, 1);
    came_to(next, 0, 20, 200);
    mr_producer_close(next);
}
END_TEST

START_TEST(forgotten_source_makes_room_and_starts_anew)
{
    use((struct mr_settings){.partitions = 2, .size_bytes = 131072});
    uint64_t ids[MR_SOURCES];
    ck_assert_int_eq(mr_topic_sources_known(topic, 0, ids, 1), 0);
    ck_assert_int_eq(mr_topic_sources_known(topic, 2, ids, 1), -ERANGE);
    ck_assert_int_eq(mr_topic_forget_source(topic, 7), -ENOENT);
    ck_assert_int_eq(mr_topic_forget_source(topic, 0), -EINVAL);
    put_of_each(100, 100 + MR_SOURCES, 0);
    put_of_each(100, 101, 1);
    ck_assert_int_eq(mr_topic_sources_known(topic, 0, ids, 1), MR_SOURCES);
    ck_assert_int_eq(mr_topic_sources_known(topic, 1, ids, MR_SOURCES), 1);
    ck_assert_uint_eq(ids[0], 100);
    ck_assert_int_eq(mr_topic_forget_source(topic, 100), 0);
    ck_assert_int_eq(mr_topic_forget_source(topic, 100), -ENOENT);
    ck_assert_int_eq(mr_topic_sources_known(topic, 1, ids, MR_SOURCES), 0);
    struct mr_producer *new = from(topic, 1), *second = from(topic, 101);
    put_from(new, 0, 5, 5);
    came_to(new, 0, 5, 5);
    came_to(second, 0, 101, 101);
    /* An attached one is forgotten, too; it goes on where it is. */
    ck_assert_int_eq(mr_topic_forget_source(topic, 1), 0);
    came_to(new, 0, 0, 0);
    put_from(new, 0, 6, 6);
    came_to(new, 0, 6, 6);
    mr_producer_close(second);
    mr_producer_close(new);
}
END_TEST

/* Killed when source 1, forgotten after it came to 10, has a slot again, nothing published. */
static int dies_with_a_new_slot(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_producer *p = from(t, 1);
    put_from(p, 0, 10, 100);
    if (mr_topic_forget_source(t, 1) || mr_log_lock(t, 0))
        return 1;
    atomic_store(&mr_topic_sources(t, 0)->id, 1);
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(forgotten_source_is_never_told_what_it_had_reached)
{
    use((struct mr_settings){0});
    ck_assert_int_eq(ended(child(dies_with_a_new_slot, NULL)), -SIGKILL);
    struct mr_producer *next = from(topic, 1);
    came_to(next, 0, 0, 0);
    put_from(next, 0, 1, 1);
    came_to(next, 0, 1, 1);
    mr_producer_close(next);
}
END_TEST

static int sends_one_and_dies(void *arg)
{
    struct mr_topic *t = topic_of_child("t");
    struct mr_producer *p = from(t, *(const uint64_t *)arg);
    put_from(p, 0, 10, 100);
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(completed_source_has_no_dead_producers)
{
    use((struct mr_settings){0});
    uint64_t ids[] = {1, 1, 2};
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    struct mr_topic_info info = {0};
    struct mr_producer_info producers[4] = {0};
    ck_assert_int_eq(mr_topic_complete_source(topic, 0), -EINVAL);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ended(child(sends_one_and_dies, &ids[i])), -SIGKILL);
    ck_assert_int_eq(mr_topic_complete_source(topic, 1),
                     2); /* also before the deaths are noticed */
    ck_assert_int_eq(mr_topic_complete_source(topic, 1), 0);
    ck_assert_int_eq(mr_topic_info(topic, &info), 0);
    ck_assert_uint_eq(info.producers_died, 1);
    ck_assert_uint_eq(info.producers_done, 2);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_int_eq(mr_producer_info(topic, i, &producers[i]), 1);
    ck_assert_int_eq(producers[1].state, MR_PRODUCER_DONE);
    ck_assert_int_eq(producers[2].state, MR_PRODUCER_DONE);
    ck_assert_int_eq(producers[3].state, MR_PRODUCER_DIED);
    take_all(c);
    mr_producer_close(producer);
    producer = NULL;
    ck_assert_int_eq(mr_consumer_drained(c), 2);
    ck_assert_int_eq(mr_topic_complete_source(topic, 2), 1);
    ck_assert_int_eq(mr_consumer_drained(c), 1);
    /* Its next producer can die, too. */
    ck_assert_int_eq(ended(child(sends_one_and_dies, &ids[0])), -SIGKILL);
    take_all(c);
    ck_assert_int_eq(mr_consumer_drained(c), 2);
    mr_consumer_close(c);
}
END_TEST

/* More producers have died than there are slots: of those whose source may be completed, none is
 * forgotten while there are others. */
START_TEST(dead_producer_of_a_source_keeps_its_slot_longest)
{
    uint64_t id = 1;
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(ended(child(sends_one_and_dies, &id)), -SIGKILL);
    take_all(c);
    mr_topic_reap_dead(topic);
    for (uint32_t i = 0; i < 2 * topic->producer_cnt; i++) {
        struct mr_producer *p = producer_on(topic);
        _Atomic uint64_t *state = &topic->producers[mr_producer_slot(p)].state;
        mr_producer_close(p);
        mr_topic_reap_dead(topic);
        atomic_store(state, 'x'); /* as if it had died */
    }
    ck_assert_int_eq(mr_topic_complete_source(topic, id), 1);
    mr_consumer_close(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("source");
    TCase *tcase = tcase_create("source");
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, each_partition_remembers_how_far_each_source_came);
    tcase_add_test(tcase, progress_is_that_of_what_was_accepted);
    tcase_add_test(tcase, no_source_is_forgotten_for_another);
    tcase_add_test(tcase, forgotten_source_makes_room_and_starts_anew);
    tcase_add_test(tcase, forgotten_source_is_never_told_what_it_had_reached);
    tcase_add_test(tcase, completed_source_has_no_dead_producers);
    tcase_add_test(tcase, dead_producer_of_a_source_keeps_its_slot_longest);
    tcase_add_test(tcase, partition_full_of_sources_refuses_while_others_have_room);
    tcase_add_test(tcase, progress_of_a_producer_killed_right_after_publishing_is_mended);
    return test_main(suite);
}
