/* check_dead.c - dead letters: there once, with the reason, and acknowledged in their topic,
 * whichever process is killed in between. */
#include "core/append.h"
#include "core/dead.h"
#include "core/producer.h"
#include "tests/shared/support.h"

static struct mr_topic *topic, *dead;
static struct mr_producer *producer;
static struct mr_record record;

static void use(struct mr_settings settings)
{
    topic = topic_make("t", settings);
    producer = producer_on(topic);
    dead = NULL;
}

static void teardown(void)
{
    mr_producer_close(producer);
    mr_topic_close(dead);
    mr_topic_close(topic);
    bus_teardown();
}

static struct mr_consumer *letters(void)
{
    ck_assert_int_eq(mr_topic_open(bus, "t.dead", &dead), 0);
    return consumer_with(dead, (struct mr_consumer_options){.flags = MR_PEEK});
}

static size_t letter_cnt(void)
{
    if (!dead && mr_topic_open(bus, "t.dead", &dead))
        return 0;
    return mr_log_tip(dead, 0).next_offset;
}

/* The value of a header of the last record read, as text. */
static const char *header(const char *wanted)
{
    static char text[512];
    size_t at = 0;
    struct mr_header found;
    while (mr_header_next(record.headers, record.headers_len, &at, &found) == 1)
        if (found.name_len == strlen(wanted) && memcmp(found.name, wanted, found.name_len) == 0) {
            ck_assert_uint_lt(found.value_len, sizeof text);
            memcpy(text, found.value, found.value_len);
            text[found.value_len] = '\0';
            return text;
        }
    return "(none)";
}

START_TEST(record_that_failed_as_often_as_allowed_is_a_letter_once_and_acknowledged)
{
    use((struct mr_settings){.partitions = 2, .tries = 3});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    unsigned char own[32];
    size_t own_len = (size_t)mr_header_add(own, 0, sizeof own, "source", "test", 4);
    struct mr_message msgs[3] = {{.value = "first", .value_len = 5, .partition = MR_PARTITION(1)},
                                 {.value = "poison",
                                  .value_len = 6,
                                  .partition = MR_PARTITION(1),
                                  .key = "k",
                                  .key_len = 1,
                                  .headers = own,
                                  .headers_len = (uint16_t)own_len,
                                  .flags = MR_EOL_CRLF,
                                  .ts_ns = 777},
                                 {.value = "last", .value_len = 4, .partition = MR_PARTITION(1)}};
    ck_assert_int_eq(mr_producer_append(producer, msgs, 3, 0), 3);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 3);
    next_is(c, "first");
    for (int i = 1; i <= 3; i++) {
        next_is(c, "poison");
        ck_assert_uint_eq(letter_cnt(), 0);
        ck_assert_int_eq(mr_consumer_fail(c, "it is poison"), i == 3);
        /* the same again, and after the last try the one behind it */
        ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    }
    next_is(c, "last");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_lag(c), 0);
    ck_assert_uint_eq(letter_cnt(), 1);
    struct mr_consumer *l = letters();
    ck_assert_int_eq(mr_consumer_claim(l, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(l, &record), 1);
    ck_assert_uint_eq(record.value_len, 6);
    ck_assert_mem_eq(record.value, "poison", 6);
    ck_assert_uint_eq(record.key_len, 1);
    ck_assert_mem_eq(record.key, "k", 1);
    ck_assert_uint_eq(record.flags, MR_EOL_CRLF);
    ck_assert_uint_eq(record.ts_ns, 777);
    ck_assert_str_eq(header("source"), "test");
    ck_assert_str_eq(header("mr-reason"), "it is poison");
    ck_assert_str_eq(header("mr-topic"), "t");
    ck_assert_str_eq(header("mr-partition"), "1");
    ck_assert_str_eq(header("mr-offset"), "1");
    ck_assert_str_eq(header("mr-tries"), "3");
    ck_assert_int_eq(atoi(header("mr-pid")), getpid());
    ck_assert_uint_gt(strtoull(header("mr-time"), NULL, 10), 1000000000000000000u);
    struct mr_consumer_stats stats = {0};
    struct mr_group_info info = {0};
    mr_consumer_stats(c, &stats);
    ck_assert_uint_eq(stats.dead_lettered, 1);
    ck_assert_int_eq(mr_group_info(topic, 0, &info), 1);
    ck_assert_uint_eq(info.dead_lettered, 1);
    ck_assert_uint_eq(info.acked, 3);
    check_invariants(topic);
    check_invariants(dead);
    mr_consumer_close(l);
    mr_consumer_close(c);
}
END_TEST

START_TEST(consumer_may_allow_fewer_tries_than_the_topic)
{
    use((struct mr_settings){.tries = 100});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){.tries = 1});
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 2);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_fail(c, "once is enough"), 1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_uint_eq(letter_cnt(), 1);
    mr_consumer_close(c);
}
END_TEST

START_TEST(largest_record_still_fits_with_its_reasons)
{
    use((struct mr_settings){.tries = 1});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    char *value = calloc(1, mr_topic_record_max(topic)), reason[1000];
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    struct mr_message msg = {.value = value, .value_len = (uint32_t)mr_topic_record_max(topic)};
    ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_int_eq(mr_consumer_fail(c, reason), 1);
    struct mr_consumer *l = letters();
    ck_assert_int_eq(mr_consumer_claim(l, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(l, &record), 1);
    ck_assert_uint_eq(record.value_len, msg.value_len);
    ck_assert_uint_eq(strlen(header("mr-reason")), 400); /* a long one is cut */
    ck_assert_str_eq(header("mr-offset"), "0");
    mr_consumer_close(l);
    mr_consumer_close(c);
    free(value);
}
END_TEST

/* The one parked record's time to be tried again has come (`over`); or it is checked that it was
 * parked anew. */
static void wait_is_over(int over)
{
    unsigned parked = 0;
    for (uint32_t i = 0; i < topic->member_cnt; i++) {
        struct mr_member_shm *slot = &topic->members[i];
        if (!word(&slot->group) || word(&slot->in_hand) != MR_PARKED)
            continue;
        parked++;
        if (over)
            atomic_store(&slot->claimed_ns, 1);
        else
            ck_assert_uint_gt(word(&slot->claimed_ns), 1);
    }
    ck_assert_uint_eq(parked, 1);
}

START_TEST(record_that_cannot_be_moved_waits_alone)
{
    struct mr_settings settings = {
        .size_bytes = 4096, .partitions = 1, .full = MR_FULL_FAIL, .tries = 3, .mode = 0600};
    use((struct mr_settings){.tries = 1});
    ck_assert_int_eq(mr_topic_create_segment(bus, "t.dead", &settings), 0); /* made so before */
    ck_assert_int_eq(mr_topic_open(bus, "t.dead", &dead), 0);
    ck_assert_int_eq(mr_topic_seal(dead), 0);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 3);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 3);
    next_is(c, "0");
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_fail(c, "no way"), 2);
    ck_assert_int_eq(mr_consumer_next(c, &record), 0);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_lag(c), 2);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1); /* the rest goes on */
    next_is(c, "2");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    /* it waits, and is not given once more: its tries are used up */
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT);
    ck_assert_int_eq(mr_consumer_lag(c), 1);
    check_invariants(topic);
    for (int i = 0; i < 2; i++) { /* its time has come, but the letter still cannot be sent */
        wait_is_over(1);
        ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT);
        ck_assert_int_eq(mr_consumer_lag(c), 1);
        wait_is_over(0);
    }
    atomic_store(&dead->shm->sealed, 0);
    wait_is_over(1);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT);
    ck_assert_uint_eq(letter_cnt(), 1);
    ck_assert_int_eq(mr_consumer_lag(c), 0);
    check_invariants(topic);
    mr_consumer_close(c);
}
END_TEST

START_TEST(letter_of_a_dropping_topic_is_sent_though_the_record_was_overwritten)
{
    use((struct mr_settings){.tries = 1, .full = MR_FULL_DROP_OLDEST, .records_max = 4});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 4);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 4);
    next_is(c, "0");
    next_is(c, "1");
    put_numbers(producer, 0, 4, 200); /* over all of the ring */
    ck_assert_int_eq(mr_consumer_fail(c, "late"), 1);
    struct mr_consumer *l = letters();
    ck_assert_int_eq(mr_consumer_claim(l, 0, 0), 1);
    next_is(l, "1");
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 4);
    next_is(c, "200");
    mr_consumer_close(l);
    mr_consumer_close(c);
}
END_TEST

/* ---- death ---- */

static int reads_and_dies(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    if (mr_consumer_open(t, NULL, &c) || mr_consumer_claim(c, 0, 0) < 1 ||
        mr_consumer_next(c, &record) != 1)
        return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(record_that_kills_its_consumers_becomes_a_letter)
{
    use((struct mr_settings){.tries = 3});
    put_numbers(producer, 0, 0, 2);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ended(child(reads_and_dies, NULL)), -SIGKILL);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    struct mr_consumer *l = letters();
    ck_assert_int_eq(mr_consumer_claim(l, 0, 0), 1);
    ck_assert_int_eq(mr_consumer_next(l, &record), 1);
    ck_assert_uint_eq(record.offset, 0);
    ck_assert_str_eq(header("mr-tries"), "3");
    ck_assert_str_eq(header("mr-reason"), "the consumer died while it had the record in hand");
    mr_consumer_close(l);
    mr_consumer_close(c);
}
END_TEST

enum moment { BEFORE_THE_TOPIC, BEFORE_THE_LETTER, AFTER_THE_LETTER, AFTER_IT_UNDER_THE_LOCK };

/* Claims two records and dies while it moves the first, at a certain moment: the words are as
 * mr_dead_letter had left them. */
static int moves_and_dies(void *arg)
{
    enum moment moment = *(enum moment *)arg;
    struct mr_topic *t = topic_of_child("t"), *d;
    struct mr_consumer *c;
    struct mr_producer *p;
    struct mr_settings settings = {
        .size_bytes = 16384, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    if (mr_consumer_open(t, NULL, &c) || mr_consumer_claim(c, 0, 0) < 1 ||
        mr_consumer_next(c, &record) != 1)
        return 1;
    struct mr_member_shm *slot = &t->members[c->seat.member];
    atomic_store(&slot->tries, 3);
    atomic_store(&slot->blamed, c->hand);
    atomic_store(&slot->in_hand, MR_NONE);
    if (moment == BEFORE_THE_TOPIC) {
        atomic_store(&slot->moving_serial, 1);
        atomic_store(&slot->moving_producer, 0);
        atomic_store(&slot->moving_count, 1);
        atomic_store(&slot->moving_topic, 1);
        atomic_store(&slot->moving, c->pos);
        kill(getpid(), SIGKILL);
    }
    if (mr_topic_create_segment(t->bus, "t.dead", &settings) ||
        mr_topic_open(t->bus, "t.dead", &d) || mr_producer_open(d, NULL, &p))
        return 2;
    atomic_store(&slot->moving_serial, mr_producer_serial(p));
    atomic_store(&slot->moving_producer, mr_producer_slot(p));
    atomic_store(&slot->moving_count, 1);
    atomic_store(&slot->moving_topic, d->shm->created_ns);
    atomic_store(&slot->moving, c->pos);
    if (moment >= AFTER_THE_LETTER && put(p, 0, "0") != 1)
        return 3;
    if (moment == AFTER_IT_UNDER_THE_LOCK) {
        if (mr_log_lock(d, 0))
            return 4;
        /* killed right after head, before its own counter */
        atomic_store(&d->producers[mr_producer_slot(p)].records, 0);
    }
    kill(getpid(), SIGKILL);
    return 5;
}

START_TEST(letter_is_there_once_whenever_its_sender_was_killed)
{
    enum moment moment = (enum moment)_i;
    use((struct mr_settings){.full = MR_FULL_BLOCK});
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(ended(child(moves_and_dies, &moment)), -SIGKILL);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT);
    ck_assert_uint_eq(letter_cnt(), 1);
    struct mr_group_info info = {0};
    ck_assert_int_eq(mr_group_info(topic, 0, &info), 1);
    ck_assert_uint_eq(info.lag, 0);
    ck_assert_uint_eq(info.dead_lettered, 1);
    check_invariants(topic);
    mr_consumer_close(c);
}
END_TEST

START_TEST(letter_of_the_last_record_of_a_claim_leaves_the_claim_empty)
{
    enum moment moment = AFTER_THE_LETTER;
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(ended(child(moves_and_dies, &moment)), -SIGKILL);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT);
    ck_assert_uint_eq(letter_cnt(), 1);
    put_numbers(producer, 0, 1, 1);
    ck_assert_uint_eq(take_all(c), 1);
    mr_consumer_close(c);
}
END_TEST

START_TEST(another_producer_in_the_senders_slot_is_no_proof_of_a_letter)
{
    enum moment moment = BEFORE_THE_LETTER;
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 1);
    ck_assert_int_eq(ended(child(moves_and_dies, &moment)), -SIGKILL);
    ck_assert_int_eq(mr_topic_open(bus, "t.dead", &dead), 0);
    mr_topic_reap_dead(dead);
    dead->producers[0].state = 0; /* so that the next takes this very slot */
    struct mr_producer *other = producer_on(dead);
    ck_assert_uint_eq(mr_producer_slot(other), 0);
    put_numbers(other, 0, 9, 1);
    mr_producer_close(other);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -ETIMEDOUT);
    ck_assert_uint_eq(letter_cnt(), 2);
    mr_consumer_close(c);
}
END_TEST

START_TEST(claim_taken_over_is_not_lost_when_its_letter_cannot_be_looked_up)
{
    enum moment moment = AFTER_THE_LETTER;
    struct mr_bus *other;
    struct mr_topic *t;
    struct mr_consumer *c;
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(ended(child(moves_and_dies, &moment)), -SIGKILL);
    put_numbers(producer, 0, 2, 1);
    ck_assert_int_eq(mr_topic_open(bus, "t.dead", &dead), 0);
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), NULL, &other), 0);
    ck_assert_int_eq(mr_topic_open(other, "t", &t), 0);
    ck_assert_int_eq(mr_consumer_open(t, NULL, &c), 0);
    atomic_store(&dead->shm->magic, 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(mr_consumer_claim(c, 0, 0), -EBADMSG);
    atomic_store(&dead->shm->magic, MR_TOPIC_MAGIC);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    next_is(c, "1");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 1);
    next_is(c, "2");
    ck_assert_uint_eq(letter_cnt(), 1);
    check_invariants(topic);
    mr_consumer_close(c);
    mr_topic_close(t);
    mr_bus_disconnect(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dead");
    TCase *tcase = tcase_create("dead");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, teardown);
    tcase_add_test(tcase, record_that_failed_as_often_as_allowed_is_a_letter_once_and_acknowledged);
    tcase_add_test(tcase, consumer_may_allow_fewer_tries_than_the_topic);
    tcase_add_test(tcase, largest_record_still_fits_with_its_reasons);
    tcase_add_test(tcase, record_that_cannot_be_moved_waits_alone);
    tcase_add_test(tcase, letter_of_a_dropping_topic_is_sent_though_the_record_was_overwritten);
    tcase_add_test(tcase, record_that_kills_its_consumers_becomes_a_letter);
    tcase_add_loop_test(tcase, letter_is_there_once_whenever_its_sender_was_killed,
                        BEFORE_THE_TOPIC, AFTER_IT_UNDER_THE_LOCK + 1);
    tcase_add_test(tcase, letter_of_the_last_record_of_a_claim_leaves_the_claim_empty);
    tcase_add_test(tcase, another_producer_in_the_senders_slot_is_no_proof_of_a_letter);
    tcase_add_test(tcase, claim_taken_over_is_not_lost_when_its_letter_cannot_be_looked_up);
    return test_main(suite);
}
