/* check_log.c - one partition's ring: every size, every alignment, wrap, tail, index, search,
 * dropping. */
#include "core/group.h"
#include "core/log.h"
#include "tests/shared/topic.h"

/* Contents that depend on where they belong, so that a byte from elsewhere shows. */
static void fill(unsigned char *at, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (unsigned char)(seed * 31 + i * 7);
}

/* Appends one record of value, key and headers with these lengths; offset and contents follow
 * `seed`. */
static ssize_t append(size_t value_len, size_t key_len, size_t headers_len, uint64_t seed,
                      uint64_t ts_ns)
{
    static unsigned char value[70000], key[300], headers[300];
    fill(value, value_len, seed);
    fill(key, key_len, seed + 1);
    fill(headers, headers_len, seed + 2);
    struct mr_message msg = {.value = value,
                             .value_len = (uint32_t)value_len,
                             .key = key_len ? key : NULL,
                             .key_len = (uint32_t)key_len,
                             .headers = headers,
                             .headers_len = (uint16_t)headers_len,
                             .flags = (uint16_t)(seed & MR_EOL_MASK),
                             .ts_ns = ts_ns};
    return mr_producer_append(producer, &msg, 1, 0);
}

/* The next record is the one that append made with the same numbers. */
static void read_back(struct mr_consumer *consumer, size_t value_len, size_t key_len,
                      size_t headers_len, uint64_t seed)
{
    static unsigned char expected[70000];
    struct mr_record r;
    ck_assert_int_eq(mr_consumer_next(consumer, &r), 1);
    ck_assert_uint_eq(r.offset, seed);
    ck_assert_uint_eq(r.flags, seed & MR_EOL_MASK);
    ck_assert_uint_eq(r.value_len, value_len);
    ck_assert_uint_eq(r.key_len, key_len);
    ck_assert_int_eq(r.key == NULL, key_len == 0);
    ck_assert_uint_eq(r.headers_len, headers_len);
    fill(expected, value_len, seed);
    ck_assert_int_eq(memcmp(r.value, expected, value_len), 0);
    fill(expected, key_len, seed + 1);
    ck_assert(key_len == 0 || memcmp(r.key, expected, key_len) == 0);
    fill(expected, headers_len, seed + 2);
    ck_assert_int_eq(memcmp(r.headers, expected, headers_len), 0);
}

START_TEST(every_size_comes_back_at_every_alignment_and_across_the_end)
{
    use((struct mr_settings){0});
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    uint64_t seed = 0;
    for (size_t round = 0; round < 3; round++)
        for (size_t len = 0; len <= 300; len++, seed++) {
            size_t key_len = round == 1 ? len % 13 : 0, headers_len = round == 2 ? len % 17 : 0;
            ck_assert_int_eq(append(len, key_len, headers_len, seed, 0), 1);
            ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 1);
            read_back(consumer, len, key_len, headers_len, seed);
            ck_assert_int_eq(mr_consumer_ack(consumer), 0);
        }
    check_invariants(topic);
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(wrap_is_right_for_every_multiple_of_eight)
{
    use((struct mr_settings){0});
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    uint64_t seed = 0;
    /* 4096 = 512 * 8: a record of 40 + 8 k bytes, k + 5 prime to 512 or not, comes to lie on every
     * boundary of the ring in turn.
     */
    for (size_t k = 0; k < 20; k++)
        for (size_t n = 0; n < 4096 / 8; n++, seed++) {
            ck_assert_int_eq(append(8 + 8 * k, 0, 0, seed, 0), 1);
            ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 1);
            read_back(consumer, 8 + 8 * k, 0, 0, seed);
            ck_assert_int_eq(mr_consumer_ack(consumer), 0);
        }
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(ring_is_filled_to_the_last_byte_and_not_further)
{
    use((struct mr_settings){0});
    for (uint64_t i = 0; i < 64; i++)
        ck_assert_int_eq(append(32, 0, 0, i, 0), 1); /* 64 bytes each */
    ck_assert_int_eq(append(0, 0, 0, 64, 0), -EAGAIN);
    check_invariants(topic);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(consumer, 1, 0), 1);
    read_back(consumer, 32, 0, 0, 0);
    ck_assert_int_eq(append(0, 0, 0, 64, 0), -EAGAIN); /* read is not acknowledged */
    ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    ck_assert_int_eq(append(40, 0, 0, 64, 0), -EAGAIN); /* one word too many */
    ck_assert_int_eq(append(32, 0, 0, 64, 0), 1);
    ck_assert_int_eq(append(0, 0, 0, 65, 0), -EAGAIN);
    check_invariants(topic);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 64);
    for (uint64_t i = 1; i <= 64; i++)
        read_back(consumer, 32, 0, 0, i);
    ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(record_of_the_maximum_size_fits_again_and_again)
{
    use((struct mr_settings){0});
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    size_t max = mr_topic_record_max(topic);
    ck_assert_uint_eq(max, 4096 - MR_RECORD_OVERHEAD);
    ck_assert_int_eq(append(max + 1, 0, 0, 0, 0), -EMSGSIZE);
    ck_assert_int_eq(append(max, 1, 0, 0, 0), -EMSGSIZE);
    ck_assert_int_eq(append(max, 0, 1, 0, 0), -EMSGSIZE);
    for (uint64_t seed = 0; seed < 20; seed += 2) {
        ck_assert_int_eq(append(max, 0, 0, seed, 0), 1);
        ck_assert_int_eq(append(0, 0, 0, seed, 0), -EAGAIN);
        ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 1);
        read_back(consumer, max, 0, 0, seed);
        ck_assert_int_eq(mr_consumer_ack(consumer), 0);
        ck_assert_int_eq(append(seed * 4, 0, 0, seed + 1, 0), 1); /* then it wraps somewhere else */
        ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 1);
        read_back(consumer, seed * 4, 0, 0, seed + 1);
        ck_assert_int_eq(mr_consumer_ack(consumer), 0);
        check_invariants(topic);
    }
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(smaller_maximum_of_a_record_is_kept)
{
    use((struct mr_settings){.size_bytes = 8192, .record_max_bytes = 100});
    ck_assert_uint_eq(mr_topic_record_max(topic), 104 - MR_RECORD_OVERHEAD);
    ck_assert_int_eq(append(72, 0, 0, 0, 0), 1);
    ck_assert_int_eq(append(73, 0, 0, 0, 0), -EMSGSIZE);
    ck_assert_int_eq(append(60, 13, 0, 0, 0), -EMSGSIZE);
}
END_TEST

START_TEST(acknowledged_records_stay_readable_until_their_room_is_needed)
{
    use((struct mr_settings){0});
    struct mr_partition_info info = {0};
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    for (uint64_t i = 0; i < 64; i++)
        ck_assert_int_eq(append(32, 0, 0, i, 0), 1);
    ck_assert_uint_eq(take_all(consumer), 64);
    ck_assert_int_eq(mr_partition_info(topic, 0, &info), 0);
    ck_assert_uint_eq(info.first_offset, 0);
    ck_assert_int_eq(append(32, 0, 0, 64, 0), 1); /* needs one record's room and takes no more */
    ck_assert_int_eq(mr_partition_info(topic, 0, &info), 0);
    ck_assert_uint_eq(info.first_offset, 1);
    ck_assert_uint_eq(info.next_offset, 65);
    ck_assert_int_eq(append(96, 0, 0, 65, 0), 1);
    ck_assert_int_eq(mr_partition_info(topic, 0, &info), 0);
    ck_assert_uint_eq(info.first_offset, 3);
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(number_of_waiting_records_is_bounded)
{
    use((struct mr_settings){.records_max = (uint64_t)_i});
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    uint64_t in = 0, out = 0;
    for (int round = 0; round < 300; round++) {
        while (append((size_t)round % 50, 0, 0, in, 0) == 1)
            in++;
        ck_assert_uint_eq(in - out, (uint64_t)_i);
        ck_assert_int_eq(mr_consumer_claim(consumer, 1, 0), 1);
        ck_assert_int_eq(mr_consumer_next(consumer, &(struct mr_record){0}), 1);
        ck_assert_int_eq(mr_consumer_ack(consumer), 0);
        out++;
    }
    check_invariants(topic);
    mr_consumer_close(consumer);
}
END_TEST

/* ---- drop-oldest ---- */

START_TEST(drop_oldest_keeps_as_many_as_there_is_room_for)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST});
    struct mr_partition_info info = {0};
    for (uint64_t i = 0; i < 5000; i++) { /* 320,000 bytes: past several index steps */
        ck_assert_int_eq(append(32, 0, 0, i, 0), 1);
        ck_assert_int_eq(mr_partition_info(topic, 0, &info), 0);
        ck_assert_uint_eq(info.next_offset, i + 1);
        ck_assert_uint_ge(info.first_offset, i < 64 ? 0 : i - 63);
        ck_assert_uint_le(info.first_offset,
                          /* the index may save the search and take a sixteenth more */
                          i < 64 ? 0 : i - 63 + 4);
    }
    check_invariants(topic);
}
END_TEST

START_TEST(drop_oldest_keeps_the_asked_number)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST, .records_max = (uint64_t)_i});
    struct mr_partition_info info = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        ck_assert_int_eq(append(i % 100, 0, 0, i, 0), 1);
        ck_assert_int_eq(mr_partition_info(topic, 0, &info), 0);
        ck_assert_uint_eq(info.next_offset - info.first_offset,
                          i + 1 < (uint64_t)_i ? i + 1 : (uint64_t)_i);
    }
    check_invariants(topic);
}
END_TEST

START_TEST(drop_oldest_takes_a_batch_larger_than_the_ring)
{
    enum { N = 500 };
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST, .records_max = (uint64_t)_i});
    struct mr_message msgs[N];
    struct mr_partition_info info = {0};
    for (int i = 0; i < N; i++)
        msgs[i] = (struct mr_message){.value = "0123456789012345678901234567890", .value_len = 32};
    ck_assert_int_eq(mr_producer_append(producer, msgs, N, 0), N);
    for (uint64_t i = 0; i < N; i++)
        ck_assert_uint_eq(msgs[i].offset, i);
    ck_assert_int_eq(mr_partition_info(topic, 0, &info), 0);
    ck_assert_uint_eq(info.next_offset, N);
    ck_assert_uint_eq(info.next_offset - info.first_offset, _i ? (uint64_t)_i : 64);
    check_invariants(topic);
}
END_TEST

/* ---- search ---- */

/* find says where a start lies; the position must be that offset's. */
static uint64_t find(enum mr_start start, int64_t arg)
{
    uint64_t pos, offset;
    ck_assert_int_eq(mr_log_find(topic, 0, start, arg, &pos, &offset), 0);
    ck_assert_uint_eq(mr_log_offset(topic, 0, pos), offset);
    return offset;
}

START_TEST(empty_log_is_found_from_everywhere)
{
    use((struct mr_settings){0});
    ck_assert_uint_eq(find(MR_START_STORED, 0), 0);
    ck_assert_uint_eq(find(MR_START_BEGINNING, 0), 0);
    ck_assert_uint_eq(find(MR_START_END, 0), 0);
    ck_assert_uint_eq(find(MR_START_OFFSET, 5), 0);
    ck_assert_uint_eq(find(MR_START_LAST, 5), 0);
    ck_assert_uint_eq(find(MR_START_TIME, 5), 0);
}
END_TEST

START_TEST(every_offset_is_found_in_a_ring_that_has_wrapped)
{
    /* Records of 4 KiB and less over 256 KiB: four index steps in the ring, several laps. */
    use((struct mr_settings){.size_bytes = 262144, .full = MR_FULL_DROP_OLDEST});
    struct mr_partition_info info = {0};
    for (uint64_t i = 0; i < 700; i++)
        ck_assert_int_eq(append(i * 37 % 4000, 0, 0, i, 1000 + 10 * i), 1);
    ck_assert_int_eq(mr_partition_info(topic, 0, &info), 0);
    ck_assert_uint_gt(info.first_offset, 400);
    for (int64_t i = -3; i < 710; i++) {
        uint64_t at = i < (int64_t)info.first_offset ? info.first_offset
                      : i > 700                      ? 700
                                                     : (uint64_t)i;
        ck_assert_uint_eq(find(MR_START_OFFSET, i), at);
        ck_assert_uint_eq(find(MR_START_LAST, 700 - (i < 0 ? 0 : i > 700 ? 700 : i)), at);
        ck_assert_uint_eq(find(MR_START_TIME, 1000 + 10 * i), at);
        ck_assert_uint_eq(find(MR_START_TIME, 1000 + 10 * i - 9), at);
    }
    ck_assert_uint_eq(find(MR_START_LAST, INT64_MAX), info.first_offset);
    ck_assert_uint_eq(find(MR_START_TIME, INT64_MAX), 700);
    ck_assert_uint_eq(find(MR_START_BEGINNING, 0), info.first_offset);
    ck_assert_uint_eq(find(MR_START_END, 0), 700);
    check_invariants(topic);
}
END_TEST

START_TEST(time_is_found_also_when_times_go_backwards)
{
    use((struct mr_settings){.size_bytes = 1048576});
    static uint64_t ts[1000];
    for (uint64_t i = 0; i < 1000; i++) {
        ts[i] = 100000 + i * 100 - (i % 7 == 3 ? i % 50 * 100 : 0); /* every seventh comes late */
        ck_assert_int_eq(append(900, 0, 0, i, ts[i]), 1);
    }
    for (uint64_t wanted = 99900; wanted < 200200; wanted += 50) {
        uint64_t first = 0;
        while (first < 1000 && ts[first] < wanted)
            first++;
        ck_assert_uint_eq(find(MR_START_TIME, (int64_t)wanted), first);
    }
}
END_TEST

START_TEST(index_names_a_record_at_each_step)
{
    use((struct mr_settings){.size_bytes = 4 * MR_INDEX_STEP});
    for (uint64_t i = 0; i < 1000; i++)
        ck_assert_int_eq(append(200, 0, 0, i, 0), 1);
    uint64_t head = mr_log_tip(topic, 0).head, offset, steps = 0;
    for (uint64_t step = 0; step * MR_INDEX_STEP < head; step++, steps++) {
        uint64_t pos = mr_log_index_at(topic, 0, step * MR_INDEX_STEP, head, &offset);
        ck_assert_uint_ne(pos, MR_NONE);
        ck_assert_uint_ge(pos, step * MR_INDEX_STEP);
        ck_assert_uint_lt(pos, step * MR_INDEX_STEP + 232);
        ck_assert_uint_eq(mr_log_offset(topic, 0, pos), offset);
    }
    ck_assert_uint_eq(steps, 4);
    ck_assert_uint_eq(
        mr_log_index_at(topic, 0, head + MR_INDEX_STEP, head + MR_INDEX_STEP, &offset), MR_NONE);
}
END_TEST

/* Each remembers where the ring begins and what is indexed, and is lapped by the other
 * meanwhile. */
START_TEST(producers_that_take_turns_write_one_log_and_one_index)
{
    use((struct mr_settings){.size_bytes = 3 * MR_INDEX_STEP + 4096, .full = MR_FULL_DROP_OLDEST});
    struct mr_producer *other = producer_on(topic);
    uint64_t random = 1, pos = 0, first = 0, first_offset = 0, offset;
    for (uint64_t i = 0; i < 10000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (random >> 57 == 0) {
            struct mr_producer *next = other;
            other = producer;
            producer = next;
        }
        /* some fill a step of the index */
        size_t len = (random >> 32) % (random >> 58 ? 2000 : 66000);
        ck_assert_int_eq(append(len, 0, 0, i, 0), 1);
        ck_assert_uint_eq(mr_log_offset(topic, 0, pos), i);
        uint64_t step = pos / MR_INDEX_STEP * MR_INDEX_STEP;
        if (first < step) {
            first = pos;
            first_offset = i;
        }
        ck_assert_uint_eq(mr_log_index_at(topic, 0, step, pos, &offset), first);
        ck_assert_uint_eq(offset, first_offset);
        pos += mr_record_bytes(len, 0, 0);
    }
    check_invariants(topic);
    mr_producer_close(other);
}
END_TEST

/* ---- what cannot be believed ---- */

START_TEST(header_that_was_changed_is_not_believed)
{
    use((struct mr_settings){0});
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_int_eq(append(20, 4, 4, i, 0), 1);
    unsigned char *ring = mr_topic_ring(topic, 0);
    uint64_t head = mr_log_tip(topic, 0).head;
    struct mr_record_shm r;
    ck_assert_uint_eq(mr_log_header(topic, ring, 0, head, &r), 64);
    for (size_t i = 0; i < sizeof r; i++)
        for (int bit = 0; bit < 8; bit++) {
            ring[i] ^= (unsigned char)(1 << bit);
            ck_assert_msg(mr_log_header(topic, ring, 0, head, &r) == 0,
                          "byte %zu, bit %d changed and believed", i, bit);
            ring[i] ^= (unsigned char)(1 << bit);
        }
    ck_assert_uint_eq(mr_log_header(topic, ring, 8, head, &r), 0);    /* no record starts there */
    ck_assert_uint_eq(mr_log_header(topic, ring, head, head, &r), 0); /* nothing is there yet */
    /* longer than what is there */
    ck_assert_uint_eq(mr_log_header(topic, ring, 0, 56, &r), 0);
    /* the same bytes a lap later */
    ck_assert_uint_eq(mr_log_header(topic, ring, 4096, 8192, &r), 0);
    ck_assert_uint_eq(mr_log_offset(topic, 0, 8), MR_NONE);
    ck_assert_uint_eq(mr_log_offset(topic, 0, head), 3);
}
END_TEST

START_TEST(damaged_record_is_an_error_and_the_other_partitions_go_on)
{
    use((struct mr_settings){.partitions = 2});
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 2);
    put_numbers(producer, 1, 0, 2);
    mr_topic_ring(topic, 0)[0] ^= 1;
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 2); /* partition 1 */
    next_is(consumer, "0");
    next_is(consumer, "1");
    ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), -EBADMSG);
    /* and it stays one: nothing is skipped in silence */
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), -EBADMSG);
    put_numbers(producer, 0, 2, 1);
    put_numbers(producer, 1, 2, 1);
    mr_consumer_close(consumer);
}
END_TEST

START_TEST(tip_that_names_no_head_is_an_error_and_no_hang)
{
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 2);
    topic->logs[0].tips[0].head = topic->logs[0].tips[1].head = 7;
    ck_assert_uint_eq(mr_log_tip(topic, 0).head, topic->logs[0].head);
    ck_assert_int_eq(put(producer, 0, "x"), -EBADMSG);
}
END_TEST

/* ---- a producer that dies under the lock ---- */

static int dies_before_publishing(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    if (mr_log_lock(t, 0))
        return 1;
    /* Written, indexed, the other tip half changed; head not stored. */
    uint64_t head = word(&t->logs[0].head);
    struct mr_tip_shm *tip = &t->logs[0].tips[word(&t->logs[0].tips[0].head) == head];
    memset(mr_topic_ring(t, 0) + head % t->ring_bytes, 0x77, 64);
    atomic_store(&mr_topic_index(t, 0)[1].pos, head + MR_INDEX_STEP);
    atomic_store(&tip->next_offset, 1000);
    atomic_store(&tip->head, head + 64);
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(what_a_dead_producer_had_not_published_never_happened)
{
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(ended(child(dies_before_publishing, NULL)), -SIGKILL);
    ck_assert_uint_eq(mr_log_tip(topic, 0).next_offset, 2);
    put_numbers(producer, 0, 2, 1);
    uint64_t offset;
    ck_assert_uint_eq(mr_log_index_at(topic, 0, MR_INDEX_STEP, UINT64_MAX / 2, &offset), MR_NONE);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 3);
    next_is(consumer, "0");
    next_is(consumer, "1");
    next_is(consumer, "2");
    check_invariants(topic);
    mr_consumer_close(consumer);
}
END_TEST

static int dies_after_publishing(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_producer *p;
    if (mr_producer_open(t, NULL, &p) || put(p, 0, "a") != 1 || put(p, 0, "b") != 1 ||
        mr_log_lock(t, 0))
        return 1;
    atomic_store(&t->producers[1].records, 1); /* as if killed between head and its own counter */
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(count_of_a_producer_killed_right_after_publishing_is_mended)
{
    use((struct mr_settings){0});
    ck_assert_int_eq(ended(child(dies_after_publishing, NULL)), -SIGKILL);
    ck_assert_uint_eq(topic->producers[1].records, 1);
    ck_assert_int_eq(mr_log_lock(topic, 0), 0);
    mr_unlock(&topic->logs[0].lock);
    ck_assert_uint_eq(topic->producers[1].records, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    tcase_add_test(tcase, every_size_comes_back_at_every_alignment_and_across_the_end);
    tcase_add_test(tcase, wrap_is_right_for_every_multiple_of_eight);
    tcase_add_test(tcase, ring_is_filled_to_the_last_byte_and_not_further);
    tcase_add_test(tcase, record_of_the_maximum_size_fits_again_and_again);
    tcase_add_test(tcase, smaller_maximum_of_a_record_is_kept);
    tcase_add_test(tcase, acknowledged_records_stay_readable_until_their_room_is_needed);
    tcase_add_loop_test(tcase, number_of_waiting_records_is_bounded, 1, 8);
    tcase_add_test(tcase, drop_oldest_keeps_as_many_as_there_is_room_for);
    tcase_add_loop_test(tcase, drop_oldest_keeps_the_asked_number, 1, 8);
    tcase_add_loop_test(tcase, drop_oldest_takes_a_batch_larger_than_the_ring, 0, 4);
    tcase_add_test(tcase, empty_log_is_found_from_everywhere);
    tcase_add_test(tcase, every_offset_is_found_in_a_ring_that_has_wrapped);
    tcase_add_test(tcase, time_is_found_also_when_times_go_backwards);
    tcase_add_test(tcase, index_names_a_record_at_each_step);
    tcase_add_test(tcase, producers_that_take_turns_write_one_log_and_one_index);
    tcase_add_test(tcase, header_that_was_changed_is_not_believed);
    tcase_add_test(tcase, damaged_record_is_an_error_and_the_other_partitions_go_on);
    tcase_add_test(tcase, tip_that_names_no_head_is_an_error_and_no_hang);
    tcase_add_test(tcase, what_a_dead_producer_had_not_published_never_happened);
    tcase_add_test(tcase, count_of_a_producer_killed_right_after_publishing_is_mended);
    return test_main(suite);
}
