/* check_api.c - what millrace.h promises of the calls that belong to no one object, and of all
 * objects alike: version, errors in words. */
#include "tests/shared/topic.h"

#include <pthread.h>

START_TEST(version_of_the_library_is_that_of_its_header)
{
    ck_assert_str_eq(mr_version(), MR_VERSION);
}
END_TEST

/* The errors that millrace.h lists, and those of its functions. */
START_TEST(error_has_a_meaning_in_words)
{
    static const int errors[] = {ENOENT, EPROTO,  EBADMSG,   EPIPE,     EIDRM,        ESTALE,
                                 EINTR,  EREMOTE, ETIMEDOUT, EPERM,     EINVAL,       EIO,
                                 EUSERS, EBUSY,   EEXIST,    ENOTEMPTY, ENODATA,      ERANGE,
                                 EAGAIN, ENOSPC,  EMSGSIZE,  EACCES,    ECONNREFUSED, EADDRINUSE,
                                 ENOLCK, EFBIG,   ENOMEM,    EMFILE,    ECANCELED};
    ck_assert_str_eq(mr_strerror(-EPIPE), "the topic is sealed");
    ck_assert_str_eq(mr_strerror(-EIDRM), "the topic was deleted");
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        const char *text = mr_strerror(-errors[i]);
        ck_assert_msg(text && *text && strcmp(text, strerror(errors[i])) != 0,
                      "errno %d has no meaning of its own: %s", errors[i], text);
    }
}
END_TEST

START_TEST(error_without_a_meaning_has_the_c_librarys_text)
{
    ck_assert_str_eq(mr_strerror(-ELOOP), strerror(ELOOP));
    ck_assert_ptr_nonnull(mr_strerror(0));
    ck_assert_ptr_nonnull(mr_strerror(-123456));
}
END_TEST

START_TEST(waits_and_states_have_names)
{
    static const char *const waits[] = {"room",         "lock",   "records",
                                        "acknowledged", "broker", "dead"};
    for (int what = MR_WAIT_ROOM; what <= MR_WAIT_DEAD; what++)
        ck_assert_str_eq(mr_wait_name((enum mr_wait_for)what), waits[what]);
    ck_assert_str_eq(mr_wait_name((enum mr_wait_for)(MR_WAIT_DEAD + 1)), "unknown");
    ck_assert_str_eq(mr_producer_state_name(MR_PRODUCER_ATTACHED), "attached");
    ck_assert_str_eq(mr_producer_state_name(MR_PRODUCER_DONE), "done");
    ck_assert_str_eq(mr_producer_state_name(MR_PRODUCER_DIED), "died");
    ck_assert_str_eq(mr_producer_state_name((enum mr_producer_state)0), "unknown");
}
END_TEST

/* ---- mr_topic_join ---- */

START_TEST(join_of_a_topic_ends_when_every_group_has_acknowledged_what_was_there)
{
    use((struct mr_settings){.partitions = 2, .size_bytes = 8192});
    ck_assert_int_eq(mr_topic_join(topic, 0), 0); /* nothing is there */
    put_numbers(producer, 0, 0, 2);
    put_numbers(producer, 1, 2, 2);
    ck_assert_int_eq(mr_topic_join(topic, 0), -ETIMEDOUT); /* no group yet */
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){.group = "a"}),
                       *b = consumer_with(topic, (struct mr_consumer_options){.group = "b"});
    ck_assert_uint_eq(take_all(a), 4);
    ck_assert_int_eq(mr_topic_join(topic, 1000000), -ETIMEDOUT);
    ck_assert_uint_eq(take_all(b), 4);
    ck_assert_int_eq(mr_topic_join(topic, 0), 0);
    put_numbers(producer, 0, 4, 1);
    ck_assert_int_eq(mr_topic_join(topic, 0), -ETIMEDOUT); /* also of another handle's records */
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_ANYWAY), 0);
    ck_assert_int_eq(mr_topic_join(topic, -1), -EIDRM);
    mr_consumer_close(b);
    mr_consumer_close(a);
}
END_TEST

static void *joins(void *arg)
{
    static int result;
    result = mr_topic_join(arg, -1);
    return &result;
}

START_TEST(join_of_a_topic_is_woken_and_does_not_wait_for_what_comes_later)
{
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 2);
    pthread_t thread;
    void *result;
    ck_assert_int_eq(pthread_create(&thread, NULL, joins, topic), 0);
    wait_until(word(&topic->logs[0].want) != MR_NONE); /* it has seen the two */
    put_numbers(producer, 0, 2, 1);
    ck_assert_int_eq(mr_consumer_claim(c, 2, 0), 2);
    next_is(c, "0");
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_int_eq(*(int *)result, 0);
    mr_consumer_close(c);
}
END_TEST

START_TEST(observer_cannot_join_a_topic)
{
    use((struct mr_settings){0});
    struct mr_connect_options options = {.flags = MR_OBSERVER};
    struct mr_bus *own;
    struct mr_topic *t;
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &options, &own), 0);
    ck_assert_int_eq(mr_topic_open(own, "t", &t), 0);
    ck_assert_int_eq(mr_topic_join(t, 0), -EPERM);
    mr_topic_close(t);
    mr_bus_disconnect(own);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api");
    TCase *tcase = tcase_create("words");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, version_of_the_library_is_that_of_its_header);
    tcase_add_test(tcase, error_has_a_meaning_in_words);
    tcase_add_test(tcase, error_without_a_meaning_has_the_c_librarys_text);
    tcase_add_test(tcase, waits_and_states_have_names);
    tcase = tcase_create("join");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    tcase_add_test(tcase, join_of_a_topic_ends_when_every_group_has_acknowledged_what_was_there);
    tcase_add_test(tcase, join_of_a_topic_is_woken_and_does_not_wait_for_what_comes_later);
    tcase_add_test(tcase, observer_cannot_join_a_topic);
    return test_main(suite);
}
