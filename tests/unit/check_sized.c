/* check_sized.c - structs that may grow: programs that were compiled with another version of them
 * get no more than they have room for, and what they ask for is not overlooked. */
#include "core/sized.h"
#include "tests/shared/support.h"

static struct mr_topic *topic;
static struct mr_producer *producer;

static void setup(void)
{
    bus_setup();
    topic = topic_make("t", (struct mr_settings){.partitions = 2, .size_bytes = 8192});
    producer = producer_on(topic);
    put_numbers(producer, 0, 0, 3);
}

static void teardown(void)
{
    mr_producer_close(producer);
    mr_topic_close(topic);
    bus_teardown();
}

/* Layouts of a struct as it may become: 0.2, and with one more member. */
struct early {
    size_t size;
    uint64_t a;
};
struct late {
    size_t size;
    uint64_t a, b;
};

START_TEST(program_of_another_version_gives_and_gets_what_both_know)
{
    const size_t first = sizeof(struct early);
    struct late new_library, new_program = {.size = sizeof new_program, .a = 1, .b = 2};
    struct early old_library, old_program[2] = {{.a = 3}, {.size = 99, .a = 99}};
    ck_assert_int_eq(mr_sized_read(&new_library, sizeof new_library, &old_program[0], first), 0);
    ck_assert_uint_eq(new_library.a, 3);
    ck_assert_uint_eq(new_library.b, 0);
    ck_assert_int_eq(mr_sized_read(&old_library, sizeof old_library, &new_program, first), -EINVAL);
    new_program.b = 0; /* it does not ask for what the library lacks */
    ck_assert_int_eq(mr_sized_read(&old_library, sizeof old_library, &new_program, first), 0);
    ck_assert_uint_eq(old_library.a, 1);
    ck_assert_int_eq(mr_sized_read(&new_library, sizeof new_library, NULL, first), 0);
    ck_assert_uint_eq(new_library.a, 0);
    new_library = (struct late){.size = sizeof new_library, .a = 5, .b = 6};
    mr_sized_write(&old_program[0], &new_library, sizeof new_library, first);
    ck_assert_uint_eq(old_program[0].size, 0); /* it stays */
    ck_assert_uint_eq(old_program[0].a, 5);
    ck_assert_uint_eq(old_program[1].size, 99); /* nothing beyond it */
    old_library = (struct early){.a = 7};
    new_program.b = 77;
    mr_sized_write(&new_program, &old_library, sizeof old_library, first);
    ck_assert_uint_eq(new_program.size, sizeof new_program);
    ck_assert_uint_eq(new_program.a, 7);
    ck_assert_uint_eq(new_program.b, 0); /* not known is 0 */
}
END_TEST

/* Asks for an answer of `size` bytes into a zeroed place with 64 bytes of a pattern behind: they
 * are not touched. Returns what the call returns. */
#define ANSWER(type, size_, call)                                                                  \
    do {                                                                                           \
        struct {                                                                                   \
            struct type out;                                                                       \
            unsigned char more[64];                                                                \
        } at = {0};                                                                                \
        struct type *out = &at.out;                                                                \
        memset(at.more, 0xa5, sizeof at.more);                                                     \
        out->size = (size_);                                                                       \
        int wanted = !out->size || out->size >= sizeof *out, got = (int)(call);                    \
        ck_assert_msg(wanted ? got >= 0 : got == -EINVAL, #type " of %zu: %d", (size_t)(size_),    \
                      got);                                                                        \
        size_t cleared = out->size > sizeof *out ? out->size - sizeof *out : 0;                    \
        for (size_t k = 0; k < sizeof at.more; k++)                                                \
            ck_assert_uint_eq(at.more[k], k < cleared ? 0 : 0xa5);                                 \
        ck_assert_uint_eq(out->size, (size_));                                                     \
    } while (0)

START_TEST(answer_is_no_larger_than_its_size_says)
{
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    for (int i = 0; i < 4; i++) {
#define SIZE(type) ((size_t[]){0, sizeof(struct type), sizeof(struct type) + 16, 8}[i])
        ANSWER(mr_topic_info, SIZE(mr_topic_info), mr_topic_info(topic, out));
        ANSWER(mr_partition_info, SIZE(mr_partition_info), mr_partition_info(topic, 0, out));
        ANSWER(mr_group_info, SIZE(mr_group_info), mr_group_info(topic, 0, out));
        ANSWER(mr_group_partition_info, SIZE(mr_group_partition_info),
               mr_group_partition_info(topic, 0, 0, out));
        ANSWER(mr_member_info, SIZE(mr_member_info), mr_member_info(topic, 0, out));
        ANSWER(mr_producer_info, SIZE(mr_producer_info), mr_producer_info(topic, 0, out));
        ANSWER(mr_client_info, SIZE(mr_client_info), mr_client_info(bus, 0, out));
        ANSWER(mr_settings, SIZE(mr_settings), mr_topic_settings(topic, out));
        ANSWER(mr_producer_stats, SIZE(mr_producer_stats), mr_producer_stats(producer, out));
        ANSWER(mr_consumer_stats, SIZE(mr_consumer_stats), mr_consumer_stats(c, out));
    }
    mr_consumer_close(c);
}
END_TEST

START_TEST(struct_that_was_not_zeroed_is_refused)
{
    struct mr_topic_info info = {0};
    struct mr_bus *client;
    struct mr_consumer *c;
    memset(&info, 0x7f, sizeof info);
    ck_assert_int_eq(mr_topic_info(topic, &info), -EINVAL);
    struct mr_connect_options connect = {.size = 3};
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &connect, &client), -EINVAL);
    struct mr_consumer_options consume = {.size = 1};
    ck_assert_int_eq(mr_consumer_open(topic, &consume, &c), -EINVAL);
    struct mr_producer_options produce = {.size = (size_t)-1};
    struct mr_producer *p;
    ck_assert_int_eq(mr_producer_open(topic, &produce, &p), -EINVAL);
    struct mr_settings settings = {.size = 17};
    ck_assert_int_eq(mr_topic_create(bus, "new", &settings, 0), -EINVAL);
    struct mr_broker_options start = {.size = 9};
    ck_assert_int_eq(mr_broker_start(bus_new_name(), &start, 0), -EINVAL);
}
END_TEST

START_TEST(what_a_later_version_asks_for_is_not_overlooked)
{
    struct {
        struct mr_consumer_options options;
        uint64_t later;
    } ask = {.options = {.size = sizeof ask}, .later = 1};
    struct mr_consumer *c;
    ck_assert_int_eq(mr_consumer_open(topic, &ask.options, &c), -EINVAL);
    ask.later = 0;
    ck_assert_int_eq(mr_consumer_open(topic, &ask.options, &c), 0);
    mr_consumer_close(c);
}
END_TEST

static size_t wait_size;

static int note_size(const struct mr_wait *wait, void *arg)
{
    (void)arg;
    wait_size = wait->size;
    return 1;
}

START_TEST(wait_says_how_much_of_it_is_filled_in)
{
    struct mr_connect_options options = {.on_wait = note_size};
    struct mr_bus *client;
    struct mr_topic *t;
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &options, &client), 0);
    ck_assert_int_eq(mr_topic_open(client, "t", &t), 0);
    ck_assert_int_eq(mr_topic_join(t, -1), -EINTR);
    ck_assert_uint_eq(wait_size, sizeof(struct mr_wait));
    mr_topic_close(t);
    mr_bus_disconnect(client);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sized");
    TCase *tcase = tcase_create("sized");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, program_of_another_version_gives_and_gets_what_both_know);
    tcase_add_test(tcase, answer_is_no_larger_than_its_size_says);
    tcase_add_test(tcase, struct_that_was_not_zeroed_is_refused);
    tcase_add_test(tcase, what_a_later_version_asks_for_is_not_overlooked);
    tcase_add_test(tcase, wait_says_how_much_of_it_is_filled_in);
    return test_main(suite);
}
