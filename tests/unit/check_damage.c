/* check_damage.c - a topic whose words contradict each other: everyone who looks at them says so,
 * in bounded time, and nothing is read or written outside of the mapping. (At random: tests/fuzz.
 * Wrong sizes, holes, other versions: check_topic.c.) */
#include "tests/shared/support.h"

#include <pthread.h>
#include <sys/mman.h>

static struct mr_topic *topic, *seen; /* the same topic: ours, and an observer's */
static struct mr_bus *observer;
static struct mr_producer *producer;

static void use(struct mr_settings settings)
{
    settings.size_bytes = 8192;
    topic = topic_make("t", settings);
    producer = producer_on(topic);
    put_numbers(producer, 0, 0, 100); /* 40 bytes each: half of the ring */
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus),
                                    &(struct mr_connect_options){.flags = MR_OBSERVER}, &observer),
                     0);
    ck_assert_int_eq(mr_topic_open(observer, "t", &seen), 0);
}

static void teardown(void)
{
    mr_topic_close(seen);
    mr_bus_disconnect(observer);
    bus_teardown();
}

static struct mr_record_shm *record_at(uint64_t pos)
{
    return (struct mr_record_shm *)(void *)(mr_topic_ring(topic, 0) + pos % topic->ring_bytes);
}

/* A header that is believed, whatever it says. */
static void believe(uint64_t pos)
{
    record_at(pos)->check = mr_record_check(pos, record_at(pos));
}

static int is_damaged(void)
{
    struct mr_topic_info info = {0};
    ck_assert_int_eq(mr_topic_info(seen, &info), 0);
    return info.damaged;
}

/* Peeks from here to what is the end now. Returns 0 reached it, or the error. */
static ssize_t peek_from(enum mr_start start)
{
    struct mr_consumer_options options = {
        .flags = MR_PEEK | MR_UNTIL_END, .start = start, .start_arg = 50};
    struct mr_consumer *peek;
    struct mr_record r;
    ssize_t n = mr_consumer_open(seen, &options, &peek);
    if (n)
        return n;
    for (int i = 0; i < 1000 && n >= 0; i++) {
        n = mr_consumer_claim(peek, 0, HUNG_NS);
        for (int got = 1; n > 0 && got > 0;)
            if ((got = mr_consumer_next(peek, &r)) < 0)
                n = got;
    }
    mr_consumer_close(peek);
    return n == -ENODATA ? 0 : n;
}

/* Takes all there is in a group. Returns 0, or the error. */
static ssize_t take_as(const char *group)
{
    struct mr_consumer_options options = {.group = group, .flags = MR_UNTIL_END};
    struct mr_consumer *c;
    struct mr_record r;
    ssize_t n = mr_consumer_open(topic, &options, &c);
    if (n)
        return n;
    for (int i = 0; i < 1000 && n >= 0; i++) {
        n = mr_consumer_claim(c, 0, HUNG_NS);
        for (int got = 1; n > 0 && got > 0;)
            if ((got = mr_consumer_next(c, &r)) < 0)
                n = got;
        if (n > 0)
            ck_assert_int_eq(mr_consumer_ack(c), 0);
    }
    mr_consumer_close(c);
    return n == -ENODATA ? 0 : n;
}

START_TEST(sound_topic_is_not_called_damaged)
{
    use((struct mr_settings){0});
    ck_assert(!is_damaged());
    ck_assert_int_eq(peek_from(MR_START_BEGINNING), 0);
    ck_assert_int_eq(take_as("g"), 0);
    put_numbers(producer, 0, 100, 50);
    ck_assert(!is_damaged());
    struct mr_topic *empty = topic_make("empty", (struct mr_settings){0});
    struct mr_topic_info info = {0};
    ck_assert_int_eq(mr_topic_info(empty, &info), 0);
    ck_assert(!info.damaged);
    mr_topic_close(empty);
}
END_TEST

START_TEST(tail_that_is_no_record_is_named)
{
    use((struct mr_settings){.full = _i ? MR_FULL_DROP_OLDEST : MR_FULL_BLOCK});
    atomic_store(&topic->logs[0].tail, 41);
    ck_assert(is_damaged());
    ck_assert_int_eq(peek_from(MR_START_BEGINNING), -EBADMSG);
    ck_assert_int_eq(take_as("g"), -EBADMSG);
}
END_TEST

START_TEST(tail_that_moves_past_a_reader_to_no_record_does_not_turn_it_for_ever)
{
    struct mr_consumer *peek, *c;
    use((struct mr_settings){.full = _i ? MR_FULL_DROP_OLDEST : MR_FULL_BLOCK});
    ck_assert_int_eq(mr_consumer_open(seen, &(struct mr_consumer_options){.flags = MR_PEEK}, &peek),
                     0);
    c = consumer_with(topic, (struct mr_consumer_options){0});
    atomic_store(&topic->logs[0].tail, 41);
    ck_assert_int_eq(mr_consumer_claim(peek, 0, HUNG_NS), -EBADMSG);
    ck_assert_int_eq(mr_consumer_claim(c, 0, HUNG_NS), -EBADMSG);
    mr_consumer_close(peek);
    mr_consumer_close(c);
}
END_TEST

START_TEST(head_that_is_further_than_the_ring_is_long_is_named)
{
    use((struct mr_settings){0});
    uint64_t head = atomic_load(&topic->logs[0].head) + 10 * topic->ring_bytes;
    for (int i = 0; i < 2; i++)
        atomic_store(&topic->logs[0].tips[i].head, head);
    atomic_store(&topic->logs[0].head, head);
    ck_assert(is_damaged());
    ck_assert_int_eq(put(producer, 0, "x"), -EBADMSG);
    ck_assert_int_eq(peek_from(MR_START_BEGINNING), -EBADMSG);
    ck_assert_int_eq(peek_from(MR_START_TIME), -EBADMSG);
    ck_assert_int_eq(take_as("g"), -EBADMSG);
}
END_TEST

START_TEST(head_between_two_boundaries_is_named)
{
    use((struct mr_settings){0});
    uint64_t head = atomic_load(&topic->logs[0].head) + 4; /* records begin at multiples of 8 */
    for (int i = 0; i < 2; i++)
        atomic_store(&topic->logs[0].tips[i].head, head);
    atomic_store(&topic->logs[0].head, head);
    ck_assert_int_eq(put(producer, 0, "x"), -EBADMSG);
    ck_assert_uint_eq(atomic_load(&topic->logs[0].head), head);
    ck_assert_int_eq(take_as("g"), -EBADMSG);
}
END_TEST

START_TEST(tail_beyond_the_head_is_named)
{
    use((struct mr_settings){0});
    uint64_t head = atomic_load(&topic->logs[0].head);
    atomic_store(&topic->logs[0].tail, head + 8);
    ck_assert_int_eq(put(producer, 0, "x"), -EBADMSG);
    ck_assert_uint_eq(atomic_load(&topic->logs[0].head), head);
    ck_assert_int_eq(take_as("g"), -EBADMSG);
}
END_TEST

START_TEST(head_that_no_tip_knows_is_named)
{
    use((struct mr_settings){0});
    atomic_fetch_sub(&topic->logs[0].head, 8);
    ck_assert(is_damaged());
    ck_assert_int_eq(put(producer, 0, "x"), -EBADMSG);
    ck_assert_int_eq(peek_from(MR_START_END), -EBADMSG);
    ck_assert_int_eq(take_as("g"), -EBADMSG);
    ck_assert_int_eq(mr_topic_purge(topic), -EBADMSG);
}
END_TEST

START_TEST(length_beyond_the_published_bytes_is_not_believed)
{
    use((struct mr_settings){0});
    record_at(0)->value_len = (uint32_t)(atomic_load(&topic->logs[0].head));
    believe(0);
    ck_assert_int_eq(peek_from(MR_START_BEGINNING), -EBADMSG);
    ck_assert_int_eq(take_as("g"), -EBADMSG);
}
END_TEST

START_TEST(length_beyond_the_ring_is_not_believed_whatever_head_says)
{
    struct mr_record_shm r;
    use((struct mr_settings){0});
    record_at(0)->value_len = (uint32_t)(4 * topic->ring_bytes);
    believe(0);
    ck_assert_uint_eq(mr_log_header(topic, mr_topic_ring(topic, 0), 0, 100 * topic->ring_bytes, &r),
                      0);
    record_at(0)->value_len = (uint32_t)(topic->ring_bytes - sizeof r);
    believe(0);
    ck_assert_uint_eq(mr_log_header(topic, mr_topic_ring(topic, 0), 0, 100 * topic->ring_bytes, &r),
                      topic->ring_bytes);
}
END_TEST

START_TEST(record_is_believed_only_where_one_can_be)
{
    struct mr_record_shm r, lies = {.value_len = 8, .key_len = MR_KEY_NONE};
    alignas(8) unsigned char at[40] = {0};
    for (uint64_t pos = 4096; pos < 4096 + 64; pos++) {
        lies.check = mr_record_check(pos, &lies);
        memcpy(at, &lies, sizeof lies);
        ck_assert_uint_eq(mr_record_read(at, pos, pos + 40, &r), pos % 8 ? 0 : 40);
        /* the end is not the record's */
        ck_assert_uint_eq(mr_record_read(at, pos, pos + 39, &r), 0);
        ck_assert_uint_eq(mr_record_read(at, pos, pos, &r), 0);
        ck_assert_uint_eq(mr_record_read(at, pos, pos - 8, &r), 0); /* nor does it come before it */
    }
}
END_TEST

/* A look at the last bytes of a mapping gets no answer, rather than a signal. */
START_TEST(header_that_does_not_fit_is_not_even_read)
{
    struct mr_record_shm r;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *pages =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(pages, MAP_FAILED);
    ck_assert_int_eq(mprotect(pages + page, page, PROT_NONE), 0);
    /* volatile: a compiler that sees the answer reads nothing */
    for (volatile size_t len = 0; len < sizeof r; len += 8)
        ck_assert_uint_eq(mr_record_read(pages + page - len, 4096, 4096 + len, &r), 0);
    munmap(pages, 2 * page);
}
END_TEST

/* A batch that fails at its third message has written two: nothing of it is published, so nothing
 * of it has an offset. */
START_TEST(batch_that_meets_damage_half_way_has_no_offsets)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST});
    uint64_t bytes = mr_record_bytes(1, 0, 0);
    while (atomic_load(&topic->logs[0].head) + bytes <= topic->ring_bytes)
        put_numbers(producer, 0, 0, 1);
    record_at(2 * bytes)->check ^= 1;
    uint64_t head = atomic_load(&topic->logs[0].head);
    struct mr_message msgs[4];
    for (int i = 0; i < 4; i++)
        msgs[i] = (struct mr_message){.value = "v", .value_len = 1};
    ck_assert_int_eq(mr_producer_append(producer, msgs, 4, 0), -EBADMSG);
    ck_assert_uint_gt(atomic_load(&topic->logs[0].tail), 0); /* it had begun */
    ck_assert_uint_eq(atomic_load(&topic->logs[0].head), head);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(msgs[i].offset, MR_OFFSET_NONE);
}
END_TEST

/* Offsets that skip or repeat promise another number of records than there are. What comes before
 * them is given out as ever. */
START_TEST(offsets_that_are_not_consecutive_end_in_an_error)
{
    struct mr_record r;
    use((struct mr_settings){0});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){.window = 10});
    /* where the first claim ends, or inside it */
    uint64_t pos = (_i & 1 ? 10 : 5) * mr_record_bytes(1, 0, 0);
    record_at(pos)->offset += _i & 2 ? 1000 : (uint64_t)-3;
    believe(pos);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 10);
    for (int i = 0; i < (_i & 1 ? 10 : 5); i++)
        ck_assert_int_eq(mr_consumer_next(c, &r), 1);
    if (_i & 1) {
        ck_assert_int_eq(mr_consumer_ack(c), 0);
        ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -EBADMSG);
    } else {
        ck_assert_int_eq(mr_consumer_next(c, &r), -EBADMSG);
    }
    mr_consumer_close(c);
}
END_TEST

static struct mr_member_shm *member_of(const struct mr_consumer *c)
{
    return &topic->members[c->seat.member];
}

/* What a member that left or died has left behind is damaged. */
START_TEST(orphan_that_makes_no_sense_is_refused)
{
    use((struct mr_settings){.full = _i % 2 ? MR_FULL_DROP_OLDEST : MR_FULL_BLOCK});
    struct mr_consumer *leaver = consumer_with(topic, (struct mr_consumer_options){.window = 10}),
                       *c = consumer_with(topic, (struct mr_consumer_options){.window = 10});
    ck_assert_int_eq(mr_consumer_claim(leaver, 0, 0), 10);
    struct mr_member_shm *slot = member_of(leaver);
    mr_consumer_close(leaver);
    switch (_i / 2) {
    case 0:
        atomic_store(&slot->end, atomic_load(&slot->cursor) + 5 * topic->ring_bytes);
        break;
    case 1:
        atomic_store(&slot->cursor, 3);
        break;
    default:
        /* then it belongs to no group, as far as a partition goes */
        atomic_store(&slot->partition, 1u << 31);
        break;
    }
    ssize_t n = mr_consumer_claim(c, 0, 0);
    if (_i / 2 < 2)
        ck_assert_int_eq(n, -EBADMSG);
    else
        ck_assert_int_gt(n, 0);
    mr_consumer_close(c);
}
END_TEST

START_TEST(newcomer_does_not_inherit_a_partition_that_does_not_exist)
{
    struct mr_consumer *c, *all[MR_MEMBERS];
    use((struct mr_settings){0});
    for (uint32_t i = 0; i < MR_MEMBERS; i++)
        all[i] = consumer_with(topic, (struct mr_consumer_options){.window = 1});
    struct mr_member_shm *slot = member_of(all[0]);
    ck_assert_int_eq(mr_consumer_claim(all[0], 0, 0), 1);
    mr_consumer_close(all[0]); /* its slot is an orphan, and the only one to be had */
    atomic_store(&slot->partition, 7);
    ck_assert_int_eq(mr_consumer_open(topic, NULL, &c), -EBADMSG);
    atomic_store(&slot->partition, 0);
    ck_assert_int_eq(mr_consumer_open(topic, NULL, &all[0]), 0);
    for (uint32_t i = 0; i < MR_MEMBERS; i++)
        mr_consumer_close(all[i]);
}
END_TEST

struct scribble {
    _Atomic uint64_t *word;
    atomic_int done;
};

static void *scribbles(void *arg)
{
    struct scribble *s = arg;
    while (!atomic_load(&s->done))
        for (uint64_t i = 0; i < 1000; i++)
            atomic_store_explicit(s->word, i % 2 * 7, memory_order_relaxed);
    return NULL;
}

/* What is checked is what is used, also when a broken process stores between the two. */
START_TEST(partition_that_changes_while_it_is_inherited_is_never_used_unchecked)
{
    struct mr_consumer *all[MR_MEMBERS];
    struct scribble s = {0};
    pthread_t thread;
    const char *san = getenv("MILLRACE_SAN");
    if (san && strcmp(san, "valgrind") == 0)
        return; /* it runs one thread at a time: nothing changes in between */
    use((struct mr_settings){0});
    for (uint32_t i = 0; i < MR_MEMBERS; i++)
        all[i] = consumer_with(topic, (struct mr_consumer_options){.window = 1});
    s.word = &member_of(all[0])->partition;
    ck_assert_int_eq(mr_consumer_claim(all[0], 0, 0), 1);
    mr_consumer_close(all[0]);
    ck_assert_int_eq(pthread_create(&thread, NULL, scribbles, &s), 0);
    for (int joined = 0, turn = 0; joined < 1000 || turn < 300000; turn++) {
        struct mr_seat seat;
        int error = mr_group_join(topic, "default", 0, MR_START_STORED, 0, &seat);
        ck_assert_int_eq(error, error ? -EBADMSG : 0);
        if (error)
            continue;
        ck_assert_uint_lt(seat.partition, topic->partition_cnt);
        joined++;
        struct mr_member_shm *slot = &topic->members[seat.member]; /* as if its owner had died */
        atomic_store(&topic->groups[seat.group].orphans, 1);
        atomic_store(&slot->owner, 0);
    }
    atomic_store(&s.done, 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    for (uint32_t i = 1; i < MR_MEMBERS; i++)
        mr_consumer_close(all[i]);
}
END_TEST

START_TEST(header_that_contradicts_its_settings_is_refused)
{
    struct mr_topic *t;
    use((struct mr_settings){.records_max = 100});
    topic->shm->part_records_max = 3;
    mr_topic_close(seen);
    ck_assert_int_eq(mr_topic_open(observer, "t", &t), -EBADMSG);
    topic->shm->part_records_max = 100;
    ck_assert_int_eq(mr_topic_open(observer, "t", &seen), 0);
    /* Once attached, nothing there is asked again. */
    struct mr_settings settings = {0};
    topic->shm->settings =
        (struct mr_settings_shm){.full = 99, .partitions = 12345, .mode = 0xffff};
    mr_topic_settings(seen, &settings);
    ck_assert_uint_eq(settings.full, MR_FULL_BLOCK);
    ck_assert_uint_eq(settings.partitions, 1);
    ck_assert_uint_eq(settings.records_max, 100);
}
END_TEST

START_TEST(observer_takes_no_name_away)
{
    struct mr_topic *t;
    use((struct mr_settings){0});
    mr_topic_close(seen);
    atomic_store(&topic->shm->deleted, 7); /* no such state */
    ck_assert_int_eq(mr_topic_open(observer, "t", &t), -EBADMSG);
    /* by one who was killed before it could take the name away */
    atomic_store(&topic->shm->deleted, 1);
    ck_assert_int_eq(mr_topic_open(observer, "t", &t), -ENOENT);
    atomic_store(&topic->shm->deleted, 0);
    ck_assert_int_eq(mr_topic_open(observer, "t", &seen), 0);
}
END_TEST

START_TEST(topic_with_a_damaged_lock_can_be_deleted_anyway)
{
    struct mr_topic *t;
    use((struct mr_settings){0});
    atomic_store(&topic->shm->lock.redo.armed, _i ? 1 : UINT64_MAX); /* no one holds it */
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_UNUSED), -EBADMSG);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_IDLE), -EBADMSG);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_ANYWAY), 0);
    ck_assert_int_eq(mr_topic_open(bus, "t", &t), -ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("damage");
    TCase *tcase = tcase_create("damage");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, teardown);
    tcase_add_test(tcase, sound_topic_is_not_called_damaged);
    tcase_add_loop_test(tcase, tail_that_is_no_record_is_named, 0, 2);
    tcase_add_loop_test(tcase, tail_that_moves_past_a_reader_to_no_record_does_not_turn_it_for_ever,
                        0, 2);
    tcase_add_test(tcase, head_that_is_further_than_the_ring_is_long_is_named);
    tcase_add_test(tcase, head_between_two_boundaries_is_named);
    tcase_add_test(tcase, tail_beyond_the_head_is_named);
    tcase_add_test(tcase, head_that_no_tip_knows_is_named);
    tcase_add_test(tcase, length_beyond_the_published_bytes_is_not_believed);
    tcase_add_test(tcase, length_beyond_the_ring_is_not_believed_whatever_head_says);
    tcase_add_test(tcase, record_is_believed_only_where_one_can_be);
    tcase_add_test(tcase, header_that_does_not_fit_is_not_even_read);
    tcase_add_test(tcase, batch_that_meets_damage_half_way_has_no_offsets);
    tcase_add_loop_test(tcase, offsets_that_are_not_consecutive_end_in_an_error, 0, 4);
    tcase_add_loop_test(tcase, orphan_that_makes_no_sense_is_refused, 0, 6);
    tcase_add_test(tcase, newcomer_does_not_inherit_a_partition_that_does_not_exist);
    tcase_add_test(tcase, partition_that_changes_while_it_is_inherited_is_never_used_unchecked);
    tcase_add_test(tcase, header_that_contradicts_its_settings_is_refused);
    tcase_add_test(tcase, observer_takes_no_name_away);
    tcase_add_loop_test(tcase, topic_with_a_damaged_lock_can_be_deleted_anyway, 0, 2);
    return test_main(suite);
}
