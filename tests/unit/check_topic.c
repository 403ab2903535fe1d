/* check_topic.c - the life of a topic: settings, names, making, attaching with suspicion, columns,
 * sealing, purging, deleting. */
#include "tests/shared/support.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct mr_settings plain(void)
{
    return (struct mr_settings){
        .size_bytes = 4096, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
}

static const char *path_of(const char *topic)
{
    static char path[MR_PATH_MAX + 16];
    char name[MR_PATH_MAX];
    mr_segment_name(name, geteuid(), mr_bus_name(bus), topic);
    snprintf(path, sizeof path, "/dev/shm%s", name);
    return path;
}

static int opens(const char *name)
{
    struct mr_topic *topic;
    int error = mr_topic_open(bus, name, &topic);
    if (!error)
        mr_topic_close(topic);
    return error;
}

/* ---- making ---- */

START_TEST(settings_out_of_range_are_refused)
{
    static const struct mr_settings good = {
        .size_bytes = 4096, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    struct mr_settings bad[14];
    for (int i = 0; i < 14; i++)
        bad[i] = good;
    bad[0].size_bytes = MR_SIZE_MIN - 1;
    bad[1].size_bytes = MR_SIZE_MAX + 1;
    bad[2].partitions = 0;
    bad[3].partitions = MR_PARTITIONS_MAX + 1;
    bad[4].full = MR_FULL_DEFAULT;
    bad[5].full = MR_FULL_FAIL + 1;
    bad[6].tries = 0;
    bad[7].tries = 1001;
    bad[8].mode = 01600;
    bad[9].mode = 0400;
    bad[10].records_max = UINT64_MAX;
    bad[11].mode = 0;
    /* would leave less than nothing for the value */
    bad[12].record_max_bytes = MR_RECORD_OVERHEAD - 1;
    bad[13].record_max_bytes = UINT64_MAX;
    for (int i = 0; i < 13; i++)
        ck_assert_msg(mr_topic_create_segment(bus, "t", &bad[i]) == -EINVAL,
                      "settings %d were accepted", i);
    ck_assert_int_eq(mr_topic_create_segment(bus, "t", &bad[13]),
                     0); /* more than fits is what fits */
    ck_assert_int_eq(mr_topic_create_segment(bus, "../t", &good), -EINVAL);
    ck_assert_int_eq(mr_topic_create_segment(bus, "", &good), -EINVAL);
}
END_TEST

START_TEST(settings_are_shown_as_they_took_effect)
{
    struct mr_settings out = {0};
    struct mr_topic *topic = topic_make(
        "t",
        (struct mr_settings){.size_bytes = 10000, .records_max = 7, .partitions = 3, .tries = 5});
    mr_topic_settings(topic, &out);
    ck_assert_uint_eq(out.size_bytes, 10000);
    ck_assert_uint_eq(out.records_max, 7);
    ck_assert_uint_eq(out.record_max_bytes, 4096); /* a third of it, rounded up to a page */
    ck_assert_uint_eq(out.partitions, 3);
    ck_assert_uint_eq(out.full, MR_FULL_BLOCK);
    ck_assert_uint_eq(out.tries, 5);
    ck_assert_uint_eq(mr_topic_record_max(topic), 4096 - MR_RECORD_OVERHEAD);
    ck_assert_uint_eq(mr_log_records_max(topic, 0), 3);
    ck_assert_uint_eq(mr_log_records_max(topic, 1), 2);
    ck_assert_uint_eq(mr_log_records_max(topic, 2), 2);
    ck_assert_str_eq(mr_topic_name(topic), "t");
    mr_topic_close(topic);
}
END_TEST

START_TEST(topic_is_made_once)
{
    struct mr_settings settings = plain();
    ck_assert_int_eq(mr_topic_create_segment(bus, "t", &settings), 0);
    ck_assert_int_eq(mr_topic_create_segment(bus, "t", &settings), -EEXIST);
}
END_TEST

static int makes(void *arg)
{
    struct mr_bus *own;
    struct mr_settings settings = plain();
    (void)arg;
    if (mr_bus_connect(mr_bus_name(bus), NULL, &own))
        return 2;
    int error = mr_topic_create_segment(own, "t", &settings);
    return error == 0 ? 0 : error == -EEXIST ? 1 : 3;
}

START_TEST(of_many_who_make_a_topic_exactly_one_does)
{
    pid_t pids[8];
    int made = 0;
    for (int i = 0; i < 8; i++)
        pids[i] = child(makes, NULL);
    for (int i = 0; i < 8; i++) {
        int status = ended(pids[i]);
        ck_assert_int_le(status, 1);
        made += status == 0;
    }
    ck_assert_int_eq(made, 1);
}
END_TEST

START_TEST(more_than_there_is_room_for_is_enospc_and_leaves_nothing)
{
    struct mr_settings settings = plain();
    settings.size_bytes = MR_SIZE_MAX;
    ck_assert_int_eq(mr_topic_create_segment(bus, "t", &settings), -ENOSPC);
    ck_assert_int_eq(opens("t"), -ENOENT);
}
END_TEST

START_TEST(mode_is_that_of_the_settings)
{
    struct stat st;
    mr_topic_close(topic_make("t", (struct mr_settings){.mode = 0660}));
    ck_assert_int_eq(stat(path_of("t"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0660);
}
END_TEST

START_TEST(without_a_broker_to_ask_creation_is_refused)
{
    struct mr_settings settings = plain();
    /* this process serves, but does not listen */
    ck_assert_int_eq(mr_topic_create(bus, "t", &settings, 0), -ECONNREFUSED);
    ck_assert_int_eq(mr_topic_create(bus, "a/b", &settings, 0), -EINVAL);
}
END_TEST

START_TEST(topic_that_is_there_is_ensured_as_it_is)
{
    struct mr_topic *made = topic_make("t", (struct mr_settings){.partitions = 3}), *topic = NULL;
    struct mr_settings wanted = {.partitions = 5}, settings = {0};
    ck_assert_int_eq(mr_topic_ensure(bus, "t", &wanted, &topic), 0);
    mr_topic_settings(topic, &settings);
    ck_assert_uint_eq(settings.partitions, 3);
    mr_topic_close(topic);
    mr_topic_close(made);
    topic = NULL;
    ck_assert_int_eq(mr_topic_ensure(bus, "none", &wanted, &topic), -ECONNREFUSED);
    ck_assert_int_eq(mr_topic_ensure(bus, "a/b", &wanted, &topic), -EINVAL);
    ck_assert_ptr_null(topic);
}
END_TEST

START_TEST(largest_number_of_partitions_works)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){.partitions = MR_PARTITIONS_MAX});
    struct mr_producer *producer = producer_on(topic);
    for (int32_t p = 0; p < (int32_t)MR_PARTITIONS_MAX; p++)
        ck_assert_int_eq(put(producer, p, "x"), 1);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_uint_eq(take_all(consumer), MR_PARTITIONS_MAX);
    check_invariants(topic);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    mr_topic_close(topic);
}
END_TEST

/* ---- attaching ---- */

START_TEST(opening_twice_gives_the_same_mapping)
{
    struct mr_topic *first = topic_make("t", (struct mr_settings){0}), *second;
    ck_assert_int_eq(mr_topic_open(bus, "t", &second), 0);
    ck_assert_ptr_eq(first, second);
    mr_topic_close(second);
    ck_assert_int_eq(mr_topic_seal(first), 0); /* still mapped */
    mr_topic_close(first);
    mr_topic_close(NULL);
}
END_TEST

START_TEST(topic_that_nobody_made_is_enoent)
{
    ck_assert_int_eq(opens("t"), -ENOENT);
    ck_assert_int_eq(opens("../t"), -EINVAL);
}
END_TEST

START_TEST(damaged_geometry_is_refused)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){.partitions = 2});
    struct mr_topic_shm *shm = topic->shm;
    uint64_t *words[] = {&shm->total_bytes, &shm->control_bytes, &shm->ring_bytes,
                         &shm->page_bytes};
    uint32_t *counts[] = {&shm->partition_cnt, &shm->producer_cnt,  &shm->member_cnt,
                          &shm->group_cnt,     &shm->settings.full, &shm->settings.tries};
    static const uint64_t values[] = {0, 1, 4095, 1u << 20, UINT64_MAX, (uint64_t)1 << 63};
    struct mr_bus *other; /* another handle, which maps anew */
    struct mr_topic *seen;
    ck_assert_int_eq(mr_bus_connect(mr_bus_name(bus), NULL, &other), 0);
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            uint64_t before = *words[i];
            *words[i] = values[v];
            ck_assert_int_eq(mr_topic_open(other, "t", &seen), -EBADMSG);
            *words[i] = before;
        }
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            uint32_t before = *counts[i];
            if ((i == 4 || i == 5) && (values[v] == 1 || (uint32_t)values[v] == before))
                continue; /* a good value there */
            *counts[i] = (uint32_t)values[v];
            ck_assert_int_eq(mr_topic_open(other, "t", &seen), -EBADMSG);
            *counts[i] = before;
        }
    }
    shm->pid_namespace++;
    ck_assert_int_eq(mr_topic_open(other, "t", &seen), -EREMOTE);
    shm->pid_namespace--;
    shm->magic++;
    ck_assert_int_eq(mr_topic_open(other, "t", &seen), -EPROTO);
    shm->magic = 0;
    ck_assert_int_eq(mr_topic_open(other, "t", &seen), -EBADMSG);
    shm->magic = MR_TOPIC_MAGIC;
    ck_assert_int_eq(mr_topic_open(other, "t", &seen), 0);
    mr_topic_close(seen);
    mr_bus_disconnect(other);
    mr_topic_close(topic);
}
END_TEST

START_TEST(truncated_topic_is_refused)
{
    struct stat st;
    mr_topic_close(topic_make("t", (struct mr_settings){0}));
    ck_assert_int_eq(stat(path_of("t"), &st), 0);
    ck_assert_int_eq(truncate(path_of("t"), st.st_size - 1), 0);
    ck_assert_int_eq(opens("t"), -EBADMSG);
    ck_assert_int_eq(truncate(path_of("t"), 100), 0);
    ck_assert_int_eq(opens("t"), -EBADMSG);
}
END_TEST

START_TEST(topic_with_a_hole_is_refused)
{
    mr_topic_close(topic_make("t", (struct mr_settings){.size_bytes = 65536}));
    int fd = open(path_of("t"), O_RDWR);
    ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 4096), 0);
    close(fd);
    ck_assert_int_eq(opens("t"), -EBADMSG);
}
END_TEST

/* ---- columns ---- */

static const char *columns(struct mr_topic *topic, uint32_t *flags)
{
    static char line[256];
    ssize_t len = mr_topic_columns(topic, line, sizeof line - 1, flags);
    ck_assert_int_ge(len, 0);
    line[len] = '\0';
    return line;
}

START_TEST(columns_are_kept_with_line_end_and_separator)
{
    uint32_t flags = 99;
    char line[8] = "unused";
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    ck_assert_int_eq(mr_topic_columns(topic, line, sizeof line, &flags), -ENODATA);
    ck_assert_str_eq(line, "unused");
    ck_assert_int_eq(mr_topic_set_columns(topic, "id;name", 7, MR_EOL_CRLF | MR_SEPARATOR(';')), 0);
    ck_assert_str_eq(columns(topic, &flags), "id;name");
    ck_assert_uint_eq(flags & MR_EOL_MASK, MR_EOL_CRLF);
    ck_assert_int_eq(MR_SEPARATOR_OF(flags), ';');
    /* copies three bytes, tells the whole length */
    ck_assert_int_eq(mr_topic_columns(topic, line, 3, NULL), 7);
    ck_assert_str_eq(line, "id;sed");
    mr_topic_close(topic);
}
END_TEST

START_TEST(same_columns_again_are_fine_and_others_are_refused)
{
    uint32_t flags;
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    ck_assert_int_eq(mr_topic_set_columns(topic, "id,name", 7, MR_EOL_LF), 0);
    ck_assert_int_eq(mr_topic_set_columns(topic, "id,name", 7, MR_EOL_CRLF), 0);
    ck_assert_int_eq(mr_topic_set_columns(topic, "\xef\xbb\xbfid,name", 10, MR_EOL_LF), 0);
    ck_assert_int_eq(mr_topic_set_columns(topic, "id,nam", 6, MR_EOL_LF), -EEXIST);
    ck_assert_int_eq(mr_topic_set_columns(topic, "id,name2", 8, MR_EOL_LF), -EEXIST);
    ck_assert_int_eq(mr_topic_set_columns(topic, "ID,name", 7, MR_EOL_LF), -EEXIST);
    ck_assert_int_eq(mr_topic_set_columns(topic, "", 0, MR_EOL_LF), -EEXIST);
    /* The same line, of other fields. */
    ck_assert_int_eq(mr_topic_set_columns(topic, "id,name", 7, MR_SEPARATOR(';')), -EEXIST);
    ck_assert_int_eq(mr_topic_set_columns(topic, "id,name", 7, MR_UNQUOTED), -EEXIST);
    ck_assert_int_eq(mr_topic_set_columns(topic, "id,name", 7, MR_SEPARATOR(',')), 0);
    ck_assert_str_eq(columns(topic, &flags), "id,name");
    ck_assert_uint_eq(flags, MR_EOL_LF); /* those of the first */
    mr_topic_close(topic);
}
END_TEST

START_TEST(byte_order_mark_of_the_first_is_kept_and_not_compared)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    ck_assert_int_eq(mr_topic_set_columns(topic, "\xef\xbb\xbfid", 5, 0), 0);
    ck_assert_int_eq(mr_topic_set_columns(topic, "id", 2, 0), 0);
    ck_assert_str_eq(columns(topic, NULL), "\xef\xbb\xbfid");
    mr_topic_close(topic);
}
END_TEST

START_TEST(empty_columns_are_columns)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    ck_assert_int_eq(mr_topic_set_columns(topic, "", 0, 0), 0);
    ck_assert_int_eq(mr_topic_columns(topic, NULL, 0, NULL), 0);
    ck_assert_int_eq(mr_topic_set_columns(topic, "a", 1, 0), -EEXIST);
    mr_topic_close(topic);
}
END_TEST

START_TEST(columns_of_one_mebibyte_are_kept_and_more_are_refused)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    char *line = malloc(MR_COLUMNS_MAX + 1), *back = malloc(MR_COLUMNS_MAX);
    for (size_t i = 0; i <= MR_COLUMNS_MAX; i++)
        line[i] = (char)('a' + i % 26);
    ck_assert_int_eq(mr_topic_set_columns(topic, line, MR_COLUMNS_MAX + 1, 0), -EMSGSIZE);
    ck_assert_int_eq(mr_topic_set_columns(topic, line, MR_COLUMNS_MAX, 0), 0);
    ck_assert_int_eq(mr_topic_columns(topic, back, MR_COLUMNS_MAX, NULL), MR_COLUMNS_MAX);
    ck_assert_mem_eq(line, back, MR_COLUMNS_MAX);
    line[MR_COLUMNS_MAX - 1] = '!';
    ck_assert_int_eq(mr_topic_set_columns(topic, line, MR_COLUMNS_MAX, 0), -EEXIST);
    free(line);
    free(back);
    mr_topic_close(topic);
}
END_TEST

/* ---- sealing, purging, deleting ---- */

START_TEST(sealed_topic_takes_nothing_more_and_sealing_again_is_fine)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    struct mr_producer *producer = producer_on(topic), *late;
    put_numbers(producer, 0, 0, 2);
    ck_assert_int_eq(mr_topic_seal(topic), 0);
    ck_assert_int_eq(mr_topic_seal(topic), 0);
    ck_assert_int_eq(put(producer, 0, "x"), -EPIPE);
    ck_assert_int_eq(mr_producer_open(topic, NULL, &late), -EPIPE);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_uint_eq(take_all(consumer), 2);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), -ENODATA);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    mr_topic_close(topic);
}
END_TEST

START_TEST(purge_skips_what_nobody_has_claimed)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){.partitions = 2});
    struct mr_producer *producer = producer_on(topic);
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){.group = "a"});
    struct mr_consumer *b = consumer_with(topic, (struct mr_consumer_options){.group = "b"});
    put_numbers(producer, 0, 0, 5);
    put_numbers(producer, 1, 0, 4);
    ck_assert_int_gt(mr_consumer_claim(a, 2, 0), 0);
    ck_assert_int_eq(mr_topic_purge(topic), 9); /* of the group that had most */
    check_invariants(topic);
    ck_assert_uint_eq(take_all(a), 2); /* its claim stays */
    ck_assert_uint_eq(take_all(b), 0);
    put_numbers(producer, 0, 9, 1);
    ck_assert_int_eq(mr_consumer_claim(b, 0, 0), 1);
    next_is(b, "9");
    ck_assert_int_eq(mr_topic_purge(topic), 1);
    mr_consumer_close(a);
    mr_consumer_close(b);
    mr_producer_close(producer);
    mr_topic_close(topic);
}
END_TEST

START_TEST(purge_without_a_group_empties_the_logs)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){.records_max = 5});
    struct mr_producer *producer = producer_on(topic);
    put_numbers(producer, 0, 0, 5);
    ck_assert_int_eq(put(producer, 0, "x"), -EAGAIN);
    ck_assert_int_eq(mr_topic_purge(topic), 5);
    ck_assert_int_eq(mr_topic_purge(topic), 0);
    put_numbers(producer, 0, 5, 5);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 5);
    next_is(consumer, "5");
    check_invariants(topic);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
    mr_topic_close(topic);
}
END_TEST

START_TEST(topic_in_use_is_not_deleted_unless_anyway)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    struct mr_producer *producer = producer_on(topic);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_UNUSED), -EBUSY);
    mr_producer_close(producer);
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_UNUSED), -EBUSY);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_ANYWAY), 0);
    ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), -EIDRM);
    ck_assert_int_eq(mr_topic_seal(topic), -EIDRM);
    mr_consumer_close(consumer);
    mr_topic_close(topic);
    ck_assert_int_eq(opens("t"), -ENOENT);
}
END_TEST

START_TEST(unused_topic_is_deleted_also_when_it_is_not_read)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    struct mr_producer *producer = producer_on(topic);
    put_numbers(producer, 0, 0, 2);
    mr_producer_close(producer);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_UNUSED), 0);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_UNUSED), -EIDRM);
    mr_topic_close(topic);
}
END_TEST

START_TEST(topic_that_owes_records_is_not_finished)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){.partitions = 2});
    struct mr_producer *producer = producer_on(topic);
    put_numbers(producer, 1, 0, 2);
    /* no group yet: unread */
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_FINISHED), -ENOTEMPTY);
    struct mr_consumer *a = consumer_with(topic, (struct mr_consumer_options){.group = "a"});
    struct mr_consumer *b = consumer_with(topic, (struct mr_consumer_options){.group = "b"});
    ck_assert_uint_eq(take_all(a), 2);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_FINISHED), -ENOTEMPTY);
    ck_assert_int_eq(mr_consumer_claim(b, 0, 0), 2);
    next_is(b, "0");
    next_is(b, "1");
    /* claimed is not acknowledged */
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_FINISHED), -ENOTEMPTY);
    ck_assert_int_eq(mr_consumer_ack(b), 0);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_FINISHED), 0);
    mr_consumer_close(a);
    mr_consumer_close(b);
    mr_producer_close(producer);
    mr_topic_close(topic);
}
END_TEST

START_TEST(idle_is_unused_and_finished)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){.partitions = 2});
    struct mr_producer *producer = producer_on(topic);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_IDLE), -EBUSY); /* finished, but not unused */
    put_numbers(producer, 1, 0, 2);
    mr_producer_close(producer);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_IDLE),
                     -ENOTEMPTY); /* unused, but not finished */
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_IDLE), -EBUSY);
    ck_assert_uint_eq(take_all(consumer), 2);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_IDLE), -EBUSY);
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_FINISHED), 0); /* in use, but finished */
    mr_consumer_close(consumer);
    mr_topic_close(topic);
    topic = topic_make("t", (struct mr_settings){0});
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_IDLE), 0);
    mr_topic_close(topic);
    ck_assert_int_eq(opens("t"), -ENOENT);
}
END_TEST

START_TEST(name_is_free_again_while_old_handles_see_the_deletion)
{
    struct mr_topic *old = topic_make("t", (struct mr_settings){0});
    struct mr_producer *producer = producer_on(old);
    ck_assert_int_eq(mr_topic_delete(old, MR_DELETE_ANYWAY), 0);
    struct mr_topic *fresh = topic_make("t", (struct mr_settings){0});
    ck_assert_ptr_ne(old, fresh);
    ck_assert_int_eq(put(producer, 0, "x"), -EIDRM);
    ck_assert_int_eq(mr_topic_delete(old, MR_DELETE_ANYWAY), -EIDRM);
    ck_assert_int_eq(opens("t"), 0); /* the new one is not touched */
    mr_producer_close(producer);
    mr_topic_close(old);
    mr_topic_close(fresh);
}
END_TEST

START_TEST(deletion_whose_process_was_killed_is_finished_by_who_opens)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    struct mr_settings settings = plain();
    topic->shm->deleted = 1; /* and the name still there: a kill in between */
    mr_topic_close(topic);
    ck_assert_int_eq(opens("t"), -ENOENT);
    ck_assert_int_eq(access(path_of("t"), F_OK), -1);
    ck_assert_int_eq(mr_topic_create_segment(bus, "t", &settings), 0);
}
END_TEST

START_TEST(unlink_needs_no_valid_contents)
{
    mr_topic_close(topic_make("t", (struct mr_settings){0}));
    ck_assert_int_eq(truncate(path_of("t"), 3), 0);
    ck_assert_int_eq(mr_topic_unlink(mr_bus_name(bus), "t"), 0);
    ck_assert_int_eq(mr_topic_unlink(mr_bus_name(bus), "t"), -ENOENT);
}
END_TEST

/* ---- deaths ---- */

static int attaches_and_dies(void *arg)
{
    (void)arg;
    struct mr_topic *topic = topic_of_child("t");
    struct mr_producer *producer;
    struct mr_consumer *consumer;
    if (mr_producer_open(topic, NULL, &producer) || mr_consumer_open(topic, NULL, &consumer) ||
        put(producer, 0, "x") != 1)
        return 1;
    kill(getpid(), SIGKILL);
    return 1;
}

START_TEST(reaping_the_dead_frees_their_slots_once)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    struct mr_topic_info info = {0};
    ck_assert_int_eq(ended(child(attaches_and_dies, NULL)), -SIGKILL);
    for (int i = 0; i < 3; i++) {
        mr_topic_reap_dead(topic);
        ck_assert_int_eq(mr_topic_info(topic, &info), 0);
        ck_assert_uint_eq(info.producers, 0);
        ck_assert_uint_eq(info.producers_died, 1);
        ck_assert_uint_eq(info.members, 0);
        ck_assert_uint_eq(word(&topic->members[0].group), 0);
    }
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_UNUSED), 0);
    mr_topic_close(topic);
}
END_TEST

START_TEST(dead_clients_do_not_count_as_attached)
{
    struct mr_topic *topic = topic_make("t", (struct mr_settings){0});
    ck_assert_int_eq(ended(child(attaches_and_dies, NULL)), -SIGKILL);
    /* though they are not reaped */
    ck_assert_int_eq(mr_topic_delete(topic, MR_DELETE_UNUSED), 0);
    mr_topic_close(topic);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("topic");
    TCase *tcase = test_case(suite, "topic");
    tcase_add_test(tcase, settings_out_of_range_are_refused);
    tcase_add_test(tcase, settings_are_shown_as_they_took_effect);
    tcase_add_test(tcase, topic_is_made_once);
    tcase_add_test(tcase, of_many_who_make_a_topic_exactly_one_does);
    tcase_add_test(tcase, more_than_there_is_room_for_is_enospc_and_leaves_nothing);
    tcase_add_test(tcase, mode_is_that_of_the_settings);
    tcase_add_test(tcase, without_a_broker_to_ask_creation_is_refused);
    tcase_add_test(tcase, topic_that_is_there_is_ensured_as_it_is);
    tcase_add_test(tcase, largest_number_of_partitions_works);
    tcase_add_test(tcase, opening_twice_gives_the_same_mapping);
    tcase_add_test(tcase, topic_that_nobody_made_is_enoent);
    tcase_add_test(tcase, damaged_geometry_is_refused);
    tcase_add_test(tcase, truncated_topic_is_refused);
    tcase_add_test(tcase, topic_with_a_hole_is_refused);
    tcase_add_test(tcase, columns_are_kept_with_line_end_and_separator);
    tcase_add_test(tcase, same_columns_again_are_fine_and_others_are_refused);
    tcase_add_test(tcase, byte_order_mark_of_the_first_is_kept_and_not_compared);
    tcase_add_test(tcase, empty_columns_are_columns);
    tcase_add_test(tcase, columns_of_one_mebibyte_are_kept_and_more_are_refused);
    tcase_add_test(tcase, sealed_topic_takes_nothing_more_and_sealing_again_is_fine);
    tcase_add_test(tcase, purge_skips_what_nobody_has_claimed);
    tcase_add_test(tcase, purge_without_a_group_empties_the_logs);
    tcase_add_test(tcase, topic_in_use_is_not_deleted_unless_anyway);
    tcase_add_test(tcase, unused_topic_is_deleted_also_when_it_is_not_read);
    tcase_add_test(tcase, topic_that_owes_records_is_not_finished);
    tcase_add_test(tcase, idle_is_unused_and_finished);
    tcase_add_test(tcase, name_is_free_again_while_old_handles_see_the_deletion);
    tcase_add_test(tcase, deletion_whose_process_was_killed_is_finished_by_who_opens);
    tcase_add_test(tcase, unlink_needs_no_valid_contents);
    tcase_add_test(tcase, reaping_the_dead_frees_their_slots_once);
    tcase_add_test(tcase, dead_clients_do_not_count_as_attached);
    return test_main(suite);
}
