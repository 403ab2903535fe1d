/* check_info.c - what anyone may look at: the numbers agree with what was done, an observer sees
 * them too, and damage is survived. */
#include "core/group.h"
#include "tests/shared/topic.h"

static struct mr_record record;

static struct mr_topic_info about(const struct mr_topic *t)
{
    struct mr_topic_info info = {0};
    memset(&info, 0, sizeof info); /* some compare it whole, gaps included */
    ck_assert_int_eq(mr_topic_info(t, &info), 0);
    return info;
}

static struct mr_group_info group_of(const struct mr_topic *t, uint32_t g)
{
    struct mr_group_info info = {0};
    ck_assert_int_eq(mr_group_info(t, g, &info), 1);
    return info;
}

START_TEST(new_topic_is_empty)
{
    uint64_t before = mr_wall_ns();
    use((struct mr_settings){.partitions = 3, .size_bytes = 30000});
    mr_producer_close(producer);
    producer = NULL;
    struct mr_topic_info info = about(topic);
    ck_assert_uint_ge(info.created_ns, before);
    ck_assert_uint_le(info.created_ns, mr_wall_ns());
    ck_assert_uint_eq(info.records_in + info.bytes_in + info.records_kept + info.bytes_waiting +
                          info.records_waiting,
                      0);
    ck_assert_uint_eq(info.bytes_room, 3 * 12288);
    ck_assert_uint_eq(info.partitions, 3);
    ck_assert_uint_eq(info.groups + info.members + info.producers + info.producers_died, 0);
    ck_assert_uint_eq(info.producers_done, 1);
    ck_assert_int_eq(info.sealed + info.deleted + info.damaged, 0);
    ck_assert_int_eq(mr_topic_seal(topic), 0);
    ck_assert_int_eq(about(topic).sealed, 1);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_ANYWAY), 0);
    ck_assert_int_eq(about(topic).deleted, 1);
}
END_TEST

START_TEST(topic_counts_what_came_in_and_what_waits)
{
    use((struct mr_settings){.partitions = 2});
    put_numbers(producer, 0, 0, 6); /* 40 bytes each */
    put_numbers(producer, 1, 0, 4);
    struct mr_topic_info info = about(topic);
    ck_assert_uint_eq(info.records_in, 10);
    ck_assert_uint_eq(info.bytes_in, 400);
    ck_assert_uint_eq(info.records_kept, 10);
    ck_assert_uint_eq(info.records_waiting, 10); /* no group: all that is unread */
    ck_assert_uint_eq(info.bytes_waiting, 400);
    ck_assert_uint_eq(info.producers, 1);
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){.group = "a"});
    struct mr_consumer *b = consumer_with(topic, (struct mr_consumer_options){.group = "b"});
    ck_assert_uint_eq(take_all(a), 10);
    info = about(topic);
    ck_assert_uint_eq(info.groups, 2);
    ck_assert_uint_eq(info.members, 2);
    ck_assert_uint_eq(info.records_waiting, 10); /* for the slower one */
    ck_assert_int_eq(mr_consumer_claim(b, 2, 0), 2);
    next_is(b, "0");
    ck_assert_int_eq(mr_consumer_ack(b), 0);
    ck_assert_uint_eq(about(topic).records_waiting, 9);
    mr_consumer_close(a);
    mr_consumer_close(b);
    ck_assert_uint_eq(about(topic).members, 0);
    ck_assert_uint_eq(about(topic).records_waiting, 9);
}
END_TEST

START_TEST(full_is_that_of_the_fullest_partition_in_bytes_or_records)
{
    use((struct mr_settings){.partitions = 3, .size_bytes = 3 * 4096, .records_max = 15});
    ck_assert_uint_eq(about(topic).full_percent, 0);
    put_numbers(producer, 2, 0, 3);
    ck_assert_uint_eq(about(topic).full_percent, 60);
    put_numbers(producer, 2, 3, 2);
    put_numbers(producer, 0, 0, 1);
    ck_assert_uint_eq(about(topic).full_percent, 100);
    ck_assert_int_eq(put(producer, 2, "x"), -EAGAIN);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_uint_eq(take_all(c), 6);
    ck_assert_uint_eq(about(topic).full_percent, 0);
    static char large[2048 - MR_RECORD_OVERHEAD];
    struct mr_message msg = {
        .value = large, .value_len = sizeof large, .partition = MR_PARTITION(1)};
    ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
    ck_assert_uint_eq(about(topic).full_percent, 50); /* of the bytes; it is 20 of the records */
    mr_consumer_close(c);
}
END_TEST

START_TEST(free_is_what_can_be_appended_before_the_slowest_group_holds_producers_up)
{
    use((struct mr_settings){.partitions = 2, .size_bytes = 2 * 4096, .records_max = 10});
    ck_assert_uint_eq(about(topic).bytes_free, 2 * 4096);
    ck_assert_uint_eq(about(topic).records_free, 10);
    put_numbers(producer, 0, 0, 5); /* 40 bytes each */
    put_numbers(producer, 1, 0, 2);
    ck_assert_uint_eq(about(topic).bytes_free, 2 * 4096 - 7 * 40);
    ck_assert_uint_eq(about(topic).records_free, 3);
    ck_assert_int_eq(put(producer, 0, "x"), -EAGAIN);
    ck_assert_int_eq(put(producer, 1, "x"), 1);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_uint_eq(take_all(c), 8);
    ck_assert_uint_eq(about(topic).bytes_free, 2 * 4096);
    ck_assert_uint_eq(about(topic).records_free, 10);
    struct mr_topic *other = topic_make("other", (struct mr_settings){0});
    ck_assert_uint_eq(about(other).records_free, MR_OFFSET_NONE);
    mr_topic_close(other);
    mr_consumer_close(c);
}
END_TEST

START_TEST(group_is_found_by_its_name)
{
    use((struct mr_settings){0});
    ck_assert_int_eq(mr_group_find(topic, "a"), -ENOENT);
    ck_assert_int_eq(mr_group_find(topic, "no/name"), -EINVAL);
    struct mr_consumer *own =
        consumer_with(topic, (struct mr_consumer_options){.flags = MR_PRIVATE});
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){.group = "a"});
    struct mr_consumer *b = consumer_with(topic, (struct mr_consumer_options){.group = "ab"});
    int first = mr_group_find(topic, "a"), second = mr_group_find(topic, "ab");
    ck_assert_int_ge(first, 0);
    ck_assert_int_ge(second, 0);
    ck_assert_str_eq(group_of(topic, (uint32_t)first).name, "a");
    ck_assert_str_eq(group_of(topic, (uint32_t)second).name, "ab");
    ck_assert_int_eq(mr_group_find(topic, "default"), -ENOENT);
    mr_consumer_close(a);
    ck_assert_int_eq(mr_group_find(topic, "a"), first); /* without members, it remembers */
    mr_consumer_close(b);
    mr_consumer_close(own);
}
END_TEST

START_TEST(partition_shows_what_is_kept)
{
    struct mr_partition_info info = {0};
    use((struct mr_settings){.partitions = 2, .full = MR_FULL_DROP_OLDEST, .records_max = 8});
    for (uint64_t i = 0; i < 10; i++) {
        struct mr_message msg = {
            .value = "v", .value_len = 1, .partition = MR_PARTITION(1), .ts_ns = 100 + i};
        ck_assert_int_eq(mr_producer_append(producer, &msg, 1, 0), 1);
    }
    ck_assert_int_eq(mr_partition_info(topic, 1, &info), 0);
    ck_assert_uint_eq(info.first_offset, 6);
    ck_assert_uint_eq(info.next_offset, 10);
    ck_assert_uint_eq(info.bytes_kept, 160);
    ck_assert_uint_eq(info.bytes_room, 4096);
    ck_assert_uint_eq(info.first_ts_ns, 106);
    ck_assert_uint_eq(info.last_ts_ns, 109);
    ck_assert_int_eq(mr_partition_info(topic, 0, &info), 0);
    ck_assert_uint_eq(info.first_offset + info.next_offset + info.bytes_kept + info.first_ts_ns +
                          info.last_ts_ns,
                      0);
    ck_assert_int_eq(mr_partition_info(topic, 2, &info), -ERANGE);
}
END_TEST

START_TEST(group_and_partition_show_the_position)
{
    struct mr_group_partition_info part = {0};
    use((struct mr_settings){.partitions = 2});
    struct mr_consumer *c =
        consumer_with(topic, (struct mr_consumer_options){.group = "readers", .flags = MR_ORDERED});
    put_numbers(producer, 1, 0, 10);
    ck_assert_int_eq(mr_consumer_claim(c, 6, 0), 6);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(mr_consumer_next(c, &record), 1);
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    struct mr_group_info group = group_of(topic, 0);
    ck_assert_str_eq(group.name, "readers");
    ck_assert_int_eq(group.is_private, 0);
    ck_assert_int_eq(group.is_ordered, 1);
    ck_assert_uint_eq(group.members, 1);
    ck_assert_uint_eq(group.orphans, 0);
    ck_assert_uint_eq(group.lag, 7);
    ck_assert_uint_eq(group.in_hand, 3);
    ck_assert_uint_eq(group.acked, 3);
    ck_assert_int_eq(mr_consumer_lag(c), 7);
    ck_assert_int_eq(mr_group_partition_info(topic, 0, 1, &part), 1);
    ck_assert_uint_eq(part.committed_offset, 3);
    ck_assert_uint_eq(part.next_offset, 6);
    ck_assert_uint_eq(part.end_offset, 10);
    ck_assert_uint_eq(part.lag, 7);
    mr_consumer_close(c);
    group = group_of(topic, 0);
    ck_assert_uint_eq(group.members, 0);
    ck_assert_uint_eq(group.orphans, 1);
    ck_assert_uint_eq(group.lag, 7);
    ck_assert_uint_eq(group.acked, 3);
    ck_assert_int_eq(mr_group_info(topic, 1, &group), 0);
    ck_assert_int_eq(mr_group_info(topic, topic->group_cnt, &group), -ERANGE);
    ck_assert_int_eq(mr_group_partition_info(topic, 1, 0, &part), 0);
    ck_assert_int_eq(mr_group_partition_info(topic, 0, 2, &part), -ERANGE);
}
END_TEST

START_TEST(member_shows_its_claim_and_what_it_has_in_hand)
{
    struct mr_member_info info = {0};
    use((struct mr_settings){.partitions = 2});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_member_info(topic, 0, &info), 1);
    ck_assert_uint_eq(info.in_hand_offset, MR_OFFSET_NONE);
    put_numbers(producer, 1, 0, 5);
    ck_assert_int_eq(mr_consumer_claim(c, 0, 0), 5);
    next_is(c, "0");
    ck_assert_int_eq(mr_consumer_ack(c), 0);
    next_is(c, "1");
    ck_assert_int_eq(mr_member_info(topic, 0, &info), 1);
    ck_assert_uint_eq(info.group_idx, 0);
    ck_assert_int_eq(info.pid, getpid());
    ck_assert_str_eq(info.name, "test");
    ck_assert_uint_eq(info.partition, 1);
    ck_assert_uint_eq(info.first_offset, 1);
    ck_assert_uint_eq(info.end_offset, 5);
    ck_assert_uint_eq(info.in_hand_offset, 1);
    ck_assert_uint_eq(info.tries, 0);
    ck_assert_uint_eq(info.acked, 1);
    ck_assert_uint_gt(info.held_ns, 0);
    ck_assert_int_eq(mr_consumer_fail(c, "x"), 0);
    ck_assert_int_eq(mr_member_info(topic, 0, &info), 1);
    ck_assert_uint_eq(info.tries, 1);
    ck_assert_uint_eq(info.in_hand_offset, MR_OFFSET_NONE);
    mr_consumer_close(c);
    ck_assert_int_eq(mr_member_info(topic, 0, &info), 1);
    ck_assert_int_eq(info.pid, 0); /* an orphan */
    ck_assert_int_eq(mr_member_info(topic, 1, &info), 0);
    ck_assert_int_eq(mr_member_info(topic, topic->member_cnt, &info), -ERANGE);
}
END_TEST

static int produces(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_producer *p;
    struct mr_producer_options options = {.name = "short-lived"};
    if (mr_producer_open(t, &options, &p) || put(p, 0, "x") != 1)
        return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(producer_shows_what_it_sent_and_how_it_ended)
{
    struct mr_producer_info info = {0};
    use((struct mr_settings){0});
    put_numbers(producer, 0, 0, 3);
    ck_assert_int_eq(mr_producer_info(topic, 0, &info), 1);
    ck_assert_int_eq(info.state, MR_PRODUCER_ATTACHED);
    ck_assert_int_eq(info.pid, getpid());
    ck_assert_str_eq(info.name, "test");
    ck_assert_uint_eq(info.records, 3);
    ck_assert_uint_eq(info.bytes, 120);
    pid_t pid = child(produces, NULL);
    ck_assert_int_eq(ended(pid), -SIGKILL);
    for (int reaped = 0; reaped < 2; reaped++) { /* also before anyone has noticed the death */
        ck_assert_int_eq(mr_producer_info(topic, 1, &info), 1);
        ck_assert_int_eq(info.state, MR_PRODUCER_DIED);
        ck_assert_int_eq(info.pid, pid);
        ck_assert_str_eq(info.name, "short-lived");
        ck_assert_uint_eq(info.records, 1);
        ck_assert_uint_eq(about(topic).producers_died, 1);
        ck_assert_uint_eq(about(topic).producers, 1);
        mr_topic_reap_dead(topic);
    }
    mr_producer_close(producer);
    producer = NULL;
    ck_assert_int_eq(mr_producer_info(topic, 0, &info), 1);
    ck_assert_int_eq(info.state, MR_PRODUCER_DONE);
    ck_assert_uint_eq(info.records, 3);
    ck_assert_uint_eq(about(topic).producers_done, 1);
    ck_assert_int_eq(mr_producer_info(topic, 2, &info), 0);
    ck_assert_int_eq(mr_producer_info(topic, topic->producer_cnt, &info), -ERANGE);
}
END_TEST

static int is_blocked(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_producer *p;
    struct mr_message msg = {.value = "x", .value_len = 1};
    if (mr_producer_open(t, NULL, &p) || mr_producer_append(p, &msg, 1, -1) != 1)
        return 1;
    mr_producer_close(p);
    topic_leave(t);
    return 0;
}

START_TEST(blocked_grows_while_the_producer_waits)
{
    struct mr_producer_info info = {0};
    use((struct mr_settings){.records_max = 1});
    put_numbers(producer, 0, 0, 1);
    pid_t pid = child(is_blocked, NULL);
    wait_until(mr_producer_info(topic, 1, &info) == 1 && info.blocked_ns > 0);
    uint64_t blocked = info.blocked_ns;
    ck_assert_uint_eq(about(topic).producers_waiting, 1);
    ck_assert_int_eq(kill(pid, SIGSTOP), 0); /* it stores nothing any more */
    wait_until(mr_producer_info(topic, 1, &info) == 1 && info.blocked_ns > blocked + 1000000);
    ck_assert_int_eq(kill(pid, SIGCONT), 0);
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_uint_ge(take_all(c), 1); /* its own may have come already */
    blocked = info.blocked_ns;
    ck_assert_int_eq(ended(pid), 0);
    ck_assert_int_eq(mr_producer_info(topic, 1, &info), 1);
    ck_assert_uint_ge(info.blocked_ns, blocked);
    uint64_t at_end = info.blocked_ns;
    ck_assert_int_eq(mr_producer_info(topic, 1, &info), 1);
    ck_assert_uint_eq(info.blocked_ns, at_end);
    ck_assert_uint_eq(about(topic).producers_waiting, 0);
    mr_consumer_close(c);
}
END_TEST

START_TEST(dropped_records_are_counted)
{
    use((struct mr_settings){.full = MR_FULL_DROP_OLDEST, .records_max = 4});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 10);
    ck_assert_uint_eq(group_of(topic, 0).lag, 4); /* not more than there is */
    ck_assert_uint_eq(take_all(c), 4);
    ck_assert_uint_eq(about(topic).records_dropped, 6);
    ck_assert_uint_eq(group_of(topic, 0).lost, 6);
    ck_assert_uint_eq(group_of(topic, 0).acked, 4);
    mr_consumer_close(c);
}
END_TEST

START_TEST(sent_is_acknowledged_and_waiting_and_in_hand)
{
    use((struct mr_settings){.partitions = 3, .tries = 2});
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){0});
    struct mr_consumer *b = consumer_with(topic, (struct mr_consumer_options){0});
    uint64_t sent = 0;
    for (unsigned i = 0; i < 500; i++) {
        if (put(producer, (int32_t)(i % 3), "v") == 1)
            sent++;
        struct mr_consumer *c = i % 5 < 3 ? a : b;
        if (mr_consumer_claim(c, 1 + i % 4, 0) > 0 && mr_consumer_next(c, &record) == 1) {
            if (i % 17 == 0)
                ck_assert_int_ge(mr_consumer_fail(c, "x"), 0);
            else if (i % 13 == 0)
                ck_assert_int_eq(mr_consumer_give_back(c), 0);
            else
                ck_assert_int_eq(mr_consumer_ack(c), 0);
        }
        struct mr_group_info group = group_of(topic, 0);
        /* I9; a dead letter counts as acknowledged here */
        ck_assert_uint_eq(group.acked + group.lag, sent);
        ck_assert_uint_eq(about(topic).records_in, sent);
        check_invariants(topic);
    }
    ck_assert_uint_gt(group_of(topic, 0).acked, 100);
    mr_consumer_close(a);
    mr_consumer_close(b);
}
END_TEST

/* A claim as its process leaves it that is stopped or killed after `applied` of its words are
 * stored: seen whole, as its redo log has it. */
START_TEST(claim_in_the_making_is_counted_once)
{
    use((struct mr_settings){.records_max = 5});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 5);
    ck_assert_uint_eq(take_all(c), 5); /* kept, so that there are more records than may wait */
    put_numbers(producer, 0, 5, 5);
    struct mr_member_shm *member = &topic->members[0];
    struct mr_group_part_shm *part = mr_group_part(topic, 0, 0);
    struct {
        _Atomic uint64_t *word;
        uint64_t before, after;
    } words[] = {{&member->partition, 0, 0}, {&member->cursor, 200, 200},
                 {&member->end, 200, 320},   {&member->claimed_ns, 1, 1},
                 {&part->next, 200, 320},    {&part->next_offset, 5, 8}};
    enum { WORDS = sizeof words / sizeof *words };
    for (int applied = 0; applied <= WORDS; applied++) {
        struct mr_tx tx = mr_tx_begin(topic, &topic->groups[0].lock);
        for (int i = 0; i < WORDS; i++) {
            mr_tx_set(&tx, words[i].word, words[i].after);
            atomic_store(words[i].word, i < applied ? words[i].after : words[i].before);
        }
        atomic_store(&tx.redo->armed, WORDS);
        struct mr_group_info group = group_of(topic, 0);
        struct mr_group_partition_info share = {0};
        struct mr_member_info info = {0};
        ck_assert_uint_eq(group.lag, 5);
        ck_assert_uint_eq(group.in_hand, 3);
        ck_assert_uint_eq(about(topic).records_waiting, 5);
        ck_assert_int_eq(mr_consumer_lag(c), 5);
        ck_assert_int_eq(mr_group_partition_info(topic, 0, 0, &share), 1);
        ck_assert_uint_eq(share.lag, 5);
        ck_assert_uint_eq(share.committed_offset, 5);
        ck_assert_uint_eq(share.next_offset, 8);
        ck_assert_int_eq(mr_member_info(topic, 0, &info), 1);
        ck_assert_uint_eq(info.first_offset, 5);
        ck_assert_uint_eq(info.end_offset, 8);
        atomic_store(&tx.redo->armed, 0);
    }
    atomic_store(&member->end, 200);
    atomic_store(&part->next, 200);
    atomic_store(&part->next_offset, 5);
    mr_consumer_close(c);
}
END_TEST

/* Claims and gives back, or takes, one at a time, until it is killed. */
static int claims_for_ever(void *arg)
{
    (void)arg;
    struct mr_topic *t = topic_of_child("t");
    struct mr_consumer *c;
    struct mr_producer *p;
    struct mr_record r;
    if (mr_consumer_open(t, NULL, &c) || mr_producer_open(t, NULL, &p))
        return 1;
    for (;;) {
        put(p, -1, "x");
        if (mr_consumer_claim(c, 2, 0) > 0 && mr_consumer_next(c, &r) == 1)
            mr_consumer_ack(c);
    }
}

START_TEST(lag_is_never_above_what_may_wait)
{
    use((struct mr_settings){.records_max = 5});
    pid_t pids[3];
    for (int i = 0; i < 3; i++)
        pids[i] = child(claims_for_ever, NULL);
    wait_until(about(topic).members == 3);
    uint64_t acked = 0, most = 0;
    struct mr_group_info group = {0};
    for (int i = 0; i < 20000 || group.acked < acked + 10000; i++) {
        group = group_of(topic, 0);
        acked = acked ? acked : group.acked + 1;
        most = group.lag > most ? group.lag : most;
        ck_assert_uint_le(group.lag, 5);
        ck_assert_uint_le(group.in_hand, group.lag);
        ck_assert_int_eq(about(topic).damaged, 0);
    }
    ck_assert_uint_gt(most, 0);
    for (int i = 0; i < 3; i++)
        killed(pids[i]);
}
END_TEST

START_TEST(observer_sees_the_same)
{
    struct mr_connect_options options = {.flags = MR_OBSERVER};
    struct mr_bus *observer;
    struct mr_topic *seen;
    use((struct mr_settings){.partitions = 2});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 5);
    ck_assert_int_eq(mr_consumer_claim(c, 3, 0), 3);
    next_is(c, "0");
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), &options, &observer), 0);
    ck_assert_int_eq(mr_topic_open(observer, "t", &seen), 0);
    struct mr_topic_info theirs = about(seen), ours = about(topic);
    ck_assert_mem_eq(&theirs, &ours, sizeof ours);
    struct mr_group_info their_group = {0}, our_group = {0};
    memset(&their_group, 0, sizeof their_group);
    memset(&our_group, 0, sizeof our_group);
    ck_assert_int_eq(mr_group_info(seen, 0, &their_group), 1);
    ck_assert_int_eq(mr_group_info(topic, 0, &our_group), 1);
    ck_assert_uint_eq(their_group.lag, our_group.lag);
    ck_assert_uint_eq(their_group.in_hand, our_group.in_hand);
    struct mr_member_info member = {0};
    ck_assert_int_eq(mr_member_info(seen, 0, &member), 1);
    ck_assert_int_eq(member.pid, getpid());
    ck_assert_uint_eq(member.in_hand_offset, 0);
    struct mr_producer_info who = {0};
    ck_assert_int_eq(mr_producer_info(seen, 0, &who), 1);
    ck_assert_uint_eq(who.records, 5);
    mr_topic_close(seen);
    mr_bus_disconnect(observer);
    mr_consumer_close(c);
}
END_TEST

/* Everything that an observer may ask, whatever the answer. */
static void ask_everything(const struct mr_topic *t)
{
    union {
        struct mr_topic_info topic;
        struct mr_partition_info partition;
        struct mr_group_info group;
        struct mr_group_partition_info group_partition;
        struct mr_member_info member;
        struct mr_producer_info producer;
    } out = {0};
    mr_topic_info(t, &out.topic);
    for (uint32_t p = 0; p < t->partition_cnt; p++)
        mr_partition_info(t, p, &out.partition);
    for (uint32_t g = 0; g < t->group_cnt; g++) {
        mr_group_info(t, g, &out.group);
        for (uint32_t p = 0; p < t->partition_cnt; p++)
            mr_group_partition_info(t, g, p, &out.group_partition);
    }
    for (uint32_t i = 0; i < t->member_cnt; i++)
        mr_member_info(t, i, &out.member);
    for (uint32_t i = 0; i < t->producer_cnt; i++)
        mr_producer_info(t, i, &out.producer);
}

START_TEST(any_word_of_the_segment_may_be_wrong)
{
    static const uint64_t values[] = {
        0, 1, 7, 8, 4096, 1 << 20, (uint64_t)1 << 60, UINT64_MAX - 7, UINT64_MAX};
    uint64_t random = 88172645463325252u;
    use((struct mr_settings){.partitions = 2});
    struct mr_consumer *c = consumer_with(topic, (struct mr_consumer_options){0});
    put_numbers(producer, 0, 0, 5);
    put_numbers(producer, 1, 0, 5);
    ck_assert_int_eq(mr_consumer_claim(c, 3, 0), 3);
    next_is(c, "0");
    /* What is in use: logs, groups, parts, and the first members and producers; one word wrong at a
     * time, then many. */
    uint64_t *words = (uint64_t *)(void *)topic->base;
    unsigned char *before = malloc(topic->control_bytes);
    memcpy(before, topic->base, topic->control_bytes);
    uint64_t first = (uint64_t)((unsigned char *)topic->logs - topic->base) / 8,
             end = topic->control_bytes / 8;
    for (uint64_t i = first; i < end; i += 1 + (i - first) / 200) {
        uint64_t was = words[i];
        words[i] = values[i % (sizeof values / sizeof *values)];
        ask_everything(topic);
        words[i] = was;
    }
    for (int round = 0; round < 300; round++) {
        for (int n = 0; n < 40; n++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            uint64_t at = random % 4 ? first + random / 4 % 200
                                     : sizeof(struct mr_topic_shm) / 8 + random / 4 % 1000;
            words[at] = values[random / 1024 % (sizeof values / sizeof *values)];
        }
        ask_everything(topic);
    }
    memcpy(topic->base, before, topic->control_bytes);
    free(before);
    ck_assert_uint_eq(about(topic).records_in, 10);
    mr_consumer_close(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("info");
    TCase *tcase = tcase_create("info");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, bus_setup, topic_teardown);
    tcase_add_test(tcase, new_topic_is_empty);
    tcase_add_test(tcase, topic_counts_what_came_in_and_what_waits);
    tcase_add_test(tcase, full_is_that_of_the_fullest_partition_in_bytes_or_records);
    tcase_add_test(tcase, free_is_what_can_be_appended_before_the_slowest_group_holds_producers_up);
    tcase_add_test(tcase, group_is_found_by_its_name);
    tcase_add_test(tcase, partition_shows_what_is_kept);
    tcase_add_test(tcase, group_and_partition_show_the_position);
    tcase_add_test(tcase, member_shows_its_claim_and_what_it_has_in_hand);
    tcase_add_test(tcase, producer_shows_what_it_sent_and_how_it_ended);
    tcase_add_test(tcase, blocked_grows_while_the_producer_waits);
    tcase_add_test(tcase, dropped_records_are_counted);
    tcase_add_test(tcase, sent_is_acknowledged_and_waiting_and_in_hand);
    tcase_add_test(tcase, claim_in_the_making_is_counted_once);
    tcase_add_test(tcase, lag_is_never_above_what_may_wait);
    tcase_add_test(tcase, observer_sees_the_same);
    tcase_add_test(tcase, any_word_of_the_segment_may_be_wrong);
    return test_main(suite);
}
