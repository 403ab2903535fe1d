/* check_append.c - the producer's side: where records go, in which order, what happens when there
 * is no room, and when the topic ends. */
#include "core/group.h"
#include "tests/clock/clock.h"
#include "tests/shared/topic.h"

#include <pthread.h>

/* n messages of one 32-byte value: 64 bytes in the log each. */
static void messages(struct mr_message *msgs, size_t n, int32_t partition)
{
    for (size_t i = 0; i < n; i++)
        msgs[i] = (struct mr_message){.value = "0123456789abcdef0123456789abcdef",
                                      .value_len = 32,
                                      .partition = to(partition)};
}

/* ---- where records go ---- */

START_TEST(batch_into_many_partitions_keeps_the_order_within_each)
{
    enum { N = 400, PARTITIONS = 5 };
    use((struct mr_settings){.partitions = PARTITIONS, .size_bytes = 65536});
    struct mr_message msgs[N];
    char values[N][8];
    uint64_t expected[PARTITIONS] = {0};
    for (unsigned i = 0; i < N; i++) {
        int len = snprintf(values[i], sizeof values[i], "%u", i);
        msgs[i] = (struct mr_message){.value = values[i],
                                      .value_len = (uint32_t)len,
                                      .partition = MR_PARTITION(i * i % 7 % PARTITIONS)};
    }
    ck_assert_int_eq(mr_producer_append(producer, msgs, N, 0), N);
    for (unsigned i = 0; i < N; i++)
        ck_assert_uint_eq(msgs[i].offset, expected[msgs[i].placed]++);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    struct mr_record r;
    int last[PARTITIONS] = {-1, -1, -1, -1, -1};
    while (mr_consumer_claim(consumer, 0, 0) > 0) {
        while (mr_consumer_next(consumer, &r) > 0) {
            char text[8] = {0};
            memcpy(text, r.value, r.value_len);
            int i = atoi(text);
            ck_assert_uint_eq(msgs[i].placed, r.partition);
            ck_assert_int_gt(i, last[r.partition]);
            last[r.partition] = i;
        }
        ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    }
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(keys_go_where_their_hash_says)
{
    use((struct mr_settings){.partitions = 7, .size_bytes = 65536});
    char key[16];
    for (unsigned i = 0; i < 200; i++) {
        size_t len = (size_t)snprintf(key, sizeof key, "key-%u", i);
        struct mr_message msg = {
            .value = "v", .value_len = 1, .key = key, .key_len = (uint32_t)len};
        ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
        ck_assert_uint_eq(msg.placed, mr_partition_for(key, len, 7));
    }
    /* an empty key is a key */
    struct mr_message empty = {.value = "v", .value_len = 1, .key = ""};
    ck_assert_int_eq(mr_producer_append(producer, &empty, 1, 0), 1);
    ck_assert_uint_eq(empty.placed, mr_partition_for("", 0, 7));
}
END_TEST

START_TEST(empty_key_and_no_key_come_back_as_they_were)
{
    use((struct mr_settings){0});
    struct mr_message msgs[2] = {{.value = "a", .value_len = 1, .key = ""},
                                 {.value = "b", .value_len = 1}};
    struct mr_record r;
    ck_assert_int_eq(mr_producer_append(producer, msgs, 2, 0), 2);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 2);
    ck_assert_int_eq(mr_consumer_next(consumer, &r), 1);
    ck_assert_ptr_nonnull(r.key);
    ck_assert_uint_eq(r.key_len, 0);
    ck_assert_int_eq(mr_consumer_next(consumer, &r), 1);
    ck_assert_ptr_null(r.key);
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(records_without_key_go_in_runs_through_all_partitions)
{
    enum { PARTITIONS = 4, N = 2000 };
    use((struct mr_settings){.partitions = PARTITIONS, .size_bytes = 1048576});
    uint32_t last = UINT32_MAX;
    unsigned runs = 0, seen[PARTITIONS] = {0};
    for (unsigned i = 0; i < N; i++) {
        struct mr_message msg = {.value = "0123456789abcdef0123456789abcdef", .value_len = 32};
        ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
        runs += msg.placed != last;
        last = msg.placed;
        seen[last]++;
    }
    ck_assert_uint_le(runs, N * 64 / 16384 + 1);
    for (int p = 0; p < PARTITIONS; p++)
        ck_assert_uint_ge(seen[p], N / PARTITIONS / 2);
}
END_TEST

START_TEST(partition_that_does_not_exist_is_refused)
{
    struct mr_message msgs[2];
    use((struct mr_settings){.partitions = 2});
    messages(msgs, 2, 2);
    ck_assert_int_eq(mr_producer_append(producer, msgs, 2, 0), -EINVAL);
    messages(msgs, 2, 0);
    msgs[1].partition = MR_PARTITION(-1);
    ck_assert_int_eq(mr_producer_append(producer, msgs, 2, 0), -EINVAL);
    for (uint32_t number = 1; number <= 3; number++) { /* without MR_PARTITION: what was meant? */
        msgs[1].partition = number;
        ck_assert_int_eq(mr_producer_append(producer, msgs, 2, 0), -EINVAL);
    }
    ck_assert_int_eq(mr_producer_append(producer, msgs, 0, 0), -EINVAL);
    ck_assert_uint_eq(mr_log_tip(topic, 0).head + mr_log_tip(topic, 1).head, 0);
}
END_TEST

START_TEST(bad_partition_in_a_batch_leaves_the_batch_as_it_was)
{
    struct mr_message msgs[3];
    use((struct mr_settings){.partitions = 2});
    messages(msgs, 3, -1);
    msgs[2].partition = MR_PARTITION(2);
    ck_assert_int_eq(mr_producer_append(producer, msgs, 3, 0), -EINVAL);
    ck_assert_uint_eq(msgs[0].partition, MR_ANY);
    ck_assert_uint_eq(msgs[1].partition, MR_ANY);
}
END_TEST

START_TEST(zeroed_message_goes_anywhere_and_stays_as_it_was)
{
    use((struct mr_settings){.partitions = 3, .size_bytes = 3 * 65536});
    static char value[8192];
    struct mr_message msg = {0};
    uint32_t seen = 0;
    msg.value = value;
    msg.value_len = sizeof value;
    for (int i = 0; i < 9; i++) { /* the same one again and again: it is spread */
        ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
        ck_assert_uint_lt(msg.placed, 3);
        ck_assert_uint_eq(msg.partition, MR_ANY);
        seen |= 1u << msg.placed;
    }
    ck_assert_uint_eq(seen, 7);
    for (uint32_t p = 0; p < 3; p++) {
        msg.partition = MR_PARTITION(p);
        ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
        ck_assert_uint_eq(msg.placed, p);
        ck_assert_uint_eq(msg.partition, MR_PARTITION(p));
    }
}
END_TEST

START_TEST(record_larger_than_topic_is_refused_with_its_whole_batch)
{
    char *large = calloc(1, 5000);
    struct mr_message msgs[2];
    use((struct mr_settings){0});
    messages(msgs, 2, 0);
    msgs[1].value = large;
    msgs[1].value_len = 4096 - MR_RECORD_OVERHEAD + 1;
    ck_assert_int_eq(mr_producer_append(producer, msgs, 2, -1), -EMSGSIZE);
    ck_assert_uint_eq(mr_log_tip(topic, 0).head, 0);
    msgs[1].value_len = UINT32_MAX;
    ck_assert_int_eq(mr_producer_append(producer, msgs, 2, -1), -EMSGSIZE);
    free(large);
}
END_TEST

START_TEST(headers_come_back_in_order)
{
    use((struct mr_settings){0});
    unsigned char buf[300];
    char name[257];
    ssize_t used = mr_header_add(buf, 0, sizeof buf, "type", "order", 5);
    ck_assert_int_eq(used, 5 + 4 + 5);
    used = mr_header_add(buf, (size_t)used, sizeof buf, "empty", NULL, 0);
    ck_assert_int_gt(used, 0);
    ck_assert_int_eq(mr_header_add(buf, (size_t)used, (size_t)used + 7, "a", "bc", 2), -ENOSPC);
    ck_assert_int_eq(mr_header_add(buf, 0, sizeof buf, "", "x", 1), -EINVAL);
    memset(name, 'n', 256);
    name[256] = '\0';
    ck_assert_int_eq(mr_header_add(buf, 0, sizeof buf, name, "x", 1), -EINVAL);
    struct mr_message msg = {.headers = buf, .headers_len = (uint16_t)used};
    struct mr_record r;
    ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(consumer, &r), 1);
    size_t at = 0;
    struct mr_header header;
    ck_assert_int_eq(mr_header_next(r.headers, r.headers_len, &at, &header), 1);
    ck_assert(header.name_len == 4 && memcmp(header.name, "type", 4) == 0 &&
              header.value_len == 5 && memcmp(header.value, "order", 5) == 0);
    ck_assert_int_eq(mr_header_next(r.headers, r.headers_len, &at, &header), 1);
    ck_assert(header.name_len == 5 && memcmp(header.name, "empty", 5) == 0 &&
              header.value_len == 0);
    ck_assert_int_eq(mr_header_next(r.headers, r.headers_len, &at, &header), 0);
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(malformed_headers_are_refused_at_any_length)
{
    use((struct mr_settings){0});
    unsigned char buf[64];
    struct mr_header header;
    size_t used = (size_t)mr_header_add(buf, 0, sizeof buf, "name", "value", 5);
    for (size_t len = 1; len < used; len++) {
        size_t at = 0;
        /* its own allocation: a sanitizer sees what is read beyond */
        unsigned char *cut = malloc(len);
        memcpy(cut, buf, len);
        ck_assert_int_eq(mr_header_next(cut, len, &at, &header), -EBADMSG);
        free(cut);
    }
    memset(buf, 0xff, sizeof buf);
    size_t at = 0;
    ck_assert_int_eq(mr_header_next(buf, sizeof buf, &at, &header), -EBADMSG);
    memset(buf, 0, sizeof buf);
    ck_assert_int_eq(mr_header_next(buf, sizeof buf, &at, &header), -EBADMSG);
}
END_TEST

/* ---- no room ---- */

START_TEST(full_topic_is_eagain_at_once)
{
    use((struct mr_settings){.full = (uint32_t)_i});
    struct mr_message msgs[65];
    messages(msgs, 65, 0);
    ck_assert_int_eq(mr_producer_append(producer, msgs, 64, 0), 64);
    ck_assert_int_eq(mr_producer_append(producer, msgs + 64, 1, 0), -EAGAIN);
    ck_assert_uint_eq(msgs[64].offset, MR_OFFSET_NONE);
    if (_i == MR_FULL_FAIL)
        /* whatever the time */
        ck_assert_int_eq(mr_producer_append(producer, msgs + 64, 1, -1), -EAGAIN);
}
END_TEST

START_TEST(what_fits_is_accepted_and_the_rest_says_so)
{
    use((struct mr_settings){0});
    struct mr_message msgs[100];
    struct mr_producer_stats stats = {0};
    messages(msgs, 100, 0);
    clock_begin(CLOCK_ALONE);
    ck_assert_int_eq(mr_producer_append(producer, msgs, 100, 1000000), 64);
    for (uint64_t i = 0; i < 100; i++)
        ck_assert_uint_eq(msgs[i].offset, i < 64 ? i : MR_OFFSET_NONE);
    ck_assert_int_eq(clock_now_ns(), 1000000);
    ck_assert_int_eq(mr_producer_append(producer, msgs + 64, 36, 20000000), -ETIMEDOUT);
    ck_assert_int_eq(clock_now_ns(), 21000000);
    mr_producer_stats(producer, &stats);
    ck_assert_uint_eq(stats.records, 64);
    ck_assert_uint_eq(stats.bytes, 64 * 32);
    ck_assert_uint_eq(stats.waits, 2);
    ck_assert_uint_eq(stats.blocked_ns, 21000000);
}
END_TEST

START_TEST(what_fits_into_some_partitions_has_offsets_there)
{
    use((struct mr_settings){.partitions = 2, .size_bytes = 8192});
    struct mr_message msgs[140];
    messages(msgs, 140, 0);
    for (int i = 1; i < 140; i += 2)
        msgs[i].partition = MR_PARTITION(1);
    /* partition 0 is full, then it is no use to go on */
    ck_assert_int_eq(mr_producer_append(producer, msgs, 140, 0), 64);
    for (uint64_t i = 0; i < 140; i++)
        ck_assert_uint_eq(msgs[i].offset, i % 2 == 0 && i / 2 < 64 ? i / 2 : MR_OFFSET_NONE);
}
END_TEST

START_TEST(acknowledged_room_is_found_without_waiting)
{
    use((struct mr_settings){.full = MR_FULL_FAIL});
    struct mr_message msgs[64];
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    messages(msgs, 64, 0);
    ck_assert_int_eq(mr_producer_append(producer, msgs, 64, 0), 64);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 64);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(mr_consumer_next(consumer, &(struct mr_record){0}), 1);
    ck_assert_int_eq(mr_producer_append(producer, msgs, 1, 0), -EAGAIN);
    /* a part of the claim; only the producer recomputes committed */
    ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    ck_assert_int_eq(mr_producer_append(producer, msgs, 11, 0), 10);
    mr_consumer_close(consumer);
}
END_TEST

/* A thread appends one message, waiting for ever; what came of it is in result. */
static struct {
    pthread_t thread;
    struct mr_message msg;
    ssize_t result;
    _Atomic int done;
    uint32_t ticket;
} waiting;

static void *append_one(void *arg)
{
    (void)arg;
    waiting.result = mr_producer_append(producer, &waiting.msg, 1, -1);
    waiting.done = 1;
    return NULL;
}

static void start_waiting(void)
{
    ck_assert_uint_eq(word(&topic->logs[0].want), MR_NONE);
    waiting.done = 0;
    messages(&waiting.msg, 1, 0);
    ck_assert_int_eq(pthread_create(&waiting.thread, NULL, append_one, NULL), 0);
    wait_until(word(&topic->logs[0].want) != MR_NONE);
    waiting.ticket = atomic_load(&topic->shm->space.word);
    ck_assert_int_eq(waiting.done, 0);
}

static ssize_t stop_waiting(void)
{
    ck_assert(told(&topic->shm->space, waiting.ticket)); /* by what has just happened */
    wait_until(waiting.done);
    ck_assert_int_eq(pthread_join(waiting.thread, NULL), 0);
    return waiting.result;
}

START_TEST(waiting_producer_goes_on_when_room_is_made)
{
    use((struct mr_settings){.records_max = 4});
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 4);
    start_waiting();
    ck_assert_int_eq(mr_consumer_claim(consumer, 1, 0), 1);
    next_is(consumer, "0");
    ck_assert_int_eq(waiting.done, 0);
    ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    ck_assert_int_eq(stop_waiting(), 1);
    ck_assert_uint_eq(waiting.msg.offset, 4);
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(waiting_producer_learns_that_the_topic_was_sealed)
{
    use((struct mr_settings){.records_max = 4});
    put_numbers(producer, 0, 0, 4);
    start_waiting();
    ck_assert_int_eq(mr_topic_seal(topic), 0);
    ck_assert_int_eq(stop_waiting(), -EPIPE);
}
END_TEST

START_TEST(waiting_producer_learns_that_the_topic_was_deleted)
{
    use((struct mr_settings){.records_max = 4});
    put_numbers(producer, 0, 0, 4);
    start_waiting();
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_ANYWAY), 0);
    ck_assert_int_eq(stop_waiting(), -EIDRM);
}
END_TEST

START_TEST(purge_lets_a_waiting_producer_go_on)
{
    use((struct mr_settings){.records_max = 4});
    struct mr_consumer *consumer = NULL;
    if (_i)
        consumer = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 4);
    start_waiting();
    ck_assert_int_eq(mr_topic_purge(topic), 4);
    ck_assert_int_eq(stop_waiting(), 1);
    mr_consumer_close(consumer);
}
END_TEST

static int joins_and_dies(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    struct mr_consumer_options options = {.flags = MR_PRIVATE};
    if (mr_consumer_open(t, &options, &c))
        return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(waiting_producer_goes_on_when_who_held_it_has_died)
{
    use((struct mr_settings){.records_max = 4});
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    /* no one tells it: the producer finds out by itself */
    ck_assert_int_eq(ended(child(joins_and_dies, NULL)), -SIGKILL);
    put_numbers(producer, 0, 0, 4);
    ck_assert_uint_eq(take_all(consumer), 4);
    messages(&waiting.msg, 1, 0);
    ck_assert_int_eq(mr_producer_append(producer, &waiting.msg, 1, HUNG_NS), 1);
    mr_consumer_close(consumer);
}
END_TEST

static struct mr_wait last_wait;
static char last_group[MR_GROUP_NAME_MAX + 1], last_client[MR_CLIENT_NAME_MAX + 1];

static int note_wait(const struct mr_wait *wait, void *arg)
{
    last_wait = *wait;
    strcpy(last_group, wait->group);
    strcpy(last_client, wait->name);
    return ++*(int *)arg == 1;
}

START_TEST(waiting_producer_names_who_holds_it_and_can_give_up)
{
    int calls = 0;
    struct mr_connect_options options = {.on_wait = note_wait, .on_wait_arg = &calls};
    struct mr_bus *other;
    struct mr_topic *t;
    struct mr_producer *p;
    struct mr_message msg;
    clock_begin(CLOCK_ALONE);
    use((struct mr_settings){.records_max = 4});
    struct mr_consumer *consumer =
        consumer_with(topic, (struct mr_consumer_options){.group = "slow"});
    struct mr_consumer *fast = consumer_with(topic, (struct mr_consumer_options){.group = "fast"});
    put_numbers(producer, 0, 0, 4);
    ck_assert_uint_eq(take_all(fast), 4);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 4);
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &options, &other), 0);
    ck_assert_int_eq(mr_topic_open(other, "t", &t), 0);
    ck_assert_int_eq(mr_producer_open(t, NULL, &p), 0);
    messages(&msg, 1, 0);
    ck_assert_int_eq(mr_producer_append(p, &msg, 1, -1), -EINTR);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(last_wait.what, MR_WAIT_ROOM);
    ck_assert_int_eq(last_wait.pid, getpid());
    ck_assert_str_eq(last_group, "slow");
    ck_assert_str_eq(last_client, "test");
    ck_assert_uint_eq(last_wait.waited_ns, SECOND / 2);
    ck_assert_uint_eq(last_wait.held_ns, SECOND / 2);
    mr_producer_close(p);
    mr_topic_close(t);
    mr_bus_disconnect(other);
    mr_consumer_close(consumer);
    mr_consumer_close(fast);
}
END_TEST

/* ---- handles ---- */

START_TEST(producer_slots_can_run_out_and_the_done_ones_are_used_again)
{
    static struct mr_producer *all[MR_PRODUCERS];
    struct mr_producer *more;
    use((struct mr_settings){0});
    for (unsigned i = 1; i < MR_PRODUCERS; i++)
        all[i] = producer_on(topic);
    ck_assert_int_eq(mr_producer_open(topic, NULL, &more), -EUSERS);
    mr_producer_close(all[9]);
    all[9] = producer_on(topic);
    put_numbers(all[9], 0, 0, 1);
    for (unsigned i = 1; i < MR_PRODUCERS; i++)
        mr_producer_close(all[i]);
}
END_TEST

START_TEST(fenced_producer_is_estale)
{
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 1);
    topic->producers[0].state = 'x'; /* as if it had been taken for dead */
    ck_assert_int_eq(put(producer, 0, "x"), -ESTALE);
    ck_assert_uint_eq(mr_log_tip(topic, 0).next_offset, 1);
}
END_TEST

START_TEST(given_time_is_kept_and_else_it_is_now)
{
    use((struct mr_settings){0});
    struct mr_message msgs[2];
    struct mr_record r;
    messages(msgs, 2, 0);
    msgs[0].ts_ns = 12345;
    uint64_t before = mr_wall_ns();
    ck_assert_int_eq(mr_producer_append(producer, msgs, 2, 0), 2);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 2);
    ck_assert_int_eq(mr_consumer_next(consumer, &r), 1);
    ck_assert_uint_eq(r.ts_ns, 12345);
    ck_assert_int_eq(mr_consumer_next(consumer, &r), 1);
    ck_assert_uint_ge(r.ts_ns, before);
    ck_assert_uint_le(r.ts_ns, mr_wall_ns());
    mr_consumer_close(consumer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("append");
    TCase *tcase = tcase_create("append");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    tcase_add_test(tcase, batch_into_many_partitions_keeps_the_order_within_each);
    tcase_add_test(tcase, keys_go_where_their_hash_says);
    tcase_add_test(tcase, empty_key_and_no_key_come_back_as_they_were);
    tcase_add_test(tcase, records_without_key_go_in_runs_through_all_partitions);
    tcase_add_test(tcase, partition_that_does_not_exist_is_refused);
    tcase_add_test(tcase, bad_partition_in_a_batch_leaves_the_batch_as_it_was);
    tcase_add_test(tcase, zeroed_message_goes_anywhere_and_stays_as_it_was);
    tcase_add_test(tcase, record_larger_than_topic_is_refused_with_its_whole_batch);
    tcase_add_test(tcase, headers_come_back_in_order);
    tcase_add_test(tcase, malformed_headers_are_refused_at_any_length);
    tcase_add_loop_test(tcase, full_topic_is_eagain_at_once, MR_FULL_BLOCK, MR_FULL_BLOCK + 1);
    tcase_add_loop_test(tcase, full_topic_is_eagain_at_once, MR_FULL_FAIL, MR_FULL_FAIL + 1);
    tcase_add_test(tcase, what_fits_is_accepted_and_the_rest_says_so);
    tcase_add_test(tcase, what_fits_into_some_partitions_has_offsets_there);
    tcase_add_test(tcase, acknowledged_room_is_found_without_waiting);
    tcase_add_test(tcase, waiting_producer_goes_on_when_room_is_made);
    tcase_add_test(tcase, waiting_producer_learns_that_the_topic_was_sealed);
    tcase_add_test(tcase, waiting_producer_learns_that_the_topic_was_deleted);
    tcase_add_loop_test(tcase, purge_lets_a_waiting_producer_go_on, 0, 2);
    tcase_add_test(tcase, waiting_producer_goes_on_when_who_held_it_has_died);
    tcase_add_test(tcase, waiting_producer_names_who_holds_it_and_can_give_up);
    tcase_add_test(tcase, producer_slots_can_run_out_and_the_done_ones_are_used_again);
    tcase_add_test(tcase, fenced_producer_is_estale);
    tcase_add_test(tcase, given_time_is_kept_and_else_it_is_now);
    return test_main(suite);
}
