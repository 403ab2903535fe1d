/* check_find.c - on a full topic of 64 MiB an offset, a time, or "the last N" is found through the
 * index: all of the ring but what lies one step of the index before the place is taken away, so a
 * walk over the records would end in SIGSEGV. */
#include "core/log.h"
#include "tests/shared/support.h"

#include <sys/mman.h>

#define RING      ((uint64_t)64 << 20)
#define VALUE     1000u
#define TIME_STEP 1000u /* ns between records */
#define NEAR      (MR_INDEX_STEP + (uint64_t)8192)

static struct mr_topic *topic;
static uint64_t first, end; /* offsets */

/* One lap and a quarter, so that the index has begun anew as well. */
static void setup(void)
{
    static char value[VALUE];
    struct mr_message msgs[64];
    struct mr_partition_info info = {0};
    bus_setup();
    topic =
        topic_make("full", (struct mr_settings){.size_bytes = RING, .full = MR_FULL_DROP_OLDEST});
    struct mr_producer *producer = producer_on(topic);
    for (end = 0; end * mr_record_bytes(VALUE, 0, 0) < RING + RING / 4;) {
        for (uint64_t i = 0; i < 64; i++)
            msgs[i] = (struct mr_message){
                .value = value, .value_len = VALUE, .ts_ns = (end + i + 1) * TIME_STEP};
        ck_assert_int_eq(mr_producer_append(producer, msgs, 64, -1), 64);
        end += 64;
    }
    mr_producer_close(producer);
    ck_assert_int_eq(mr_partition_info(topic, 0, &info), 0);
    first = info.first_offset;
    ck_assert_uint_gt(first, 0);
    ck_assert_uint_eq(info.next_offset, end);
}

static void teardown(void)
{
    mr_topic_close(topic);
    bus_teardown();
}

static uint64_t position_of(uint64_t offset)
{
    return offset * mr_record_bytes(VALUE, 0, 0);
}

/* What of the ring is within reach: pages from `from` on, `len` bytes, wherever both lie in the two
 * mappings. */
static void reach(uint64_t from, uint64_t len, int rights)
{
    unsigned char *ring = mr_topic_ring(topic, 0);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    for (uint64_t at = from / page * page; at < from + len; at += page)
        for (int lap = 0; lap < 2; lap++)
            ck_assert_int_eq(mprotect(ring + at % RING + (lap ? RING : 0), page, rights), 0);
}

static void only_near(uint64_t offset)
{
    uint64_t pos = position_of(offset), from = pos > NEAR ? pos - NEAR : 0;
    ck_assert_ptr_nonnull(mr_topic_ring(topic, 0));
    ck_assert_int_eq(mprotect(mr_topic_ring(topic, 0), 2 * RING, PROT_NONE), 0);
    reach(from, pos - from + 8192, PROT_READ);
}

static void finds(enum mr_start start, int64_t arg, uint64_t wanted)
{
    uint64_t pos = 0, offset = 0;
    only_near(wanted);
    ck_assert_int_eq(mr_log_find(topic, 0, start, arg, &pos, &offset), 0);
    ck_assert_uint_eq(offset, wanted);
    ck_assert_uint_eq(pos, position_of(wanted));
}

static int touch_middle(void *arg)
{
    (void)arg;
    volatile unsigned char *ring = mr_topic_ring(topic, 0);
    return ring[position_of((first + end) / 2) % RING];
}

START_TEST(what_is_out_of_reach_is_deadly)
{
    only_near(end - 10);
    /* SIGSEGV, or a sanitizer's report of it */
    ck_assert_int_ne(ended(child(touch_middle, NULL)), 0);
}
END_TEST

START_TEST(an_offset_is_found_through_the_index)
{
    for (uint64_t part = 0; part <= 8; part++) {
        uint64_t offset = first + (end - 1 - first) * part / 8;
        finds(MR_START_OFFSET, (int64_t)offset, offset);
    }
    finds(MR_START_OFFSET, 0, first); /* gone: the oldest there is */
    finds(MR_START_OFFSET, (int64_t)end + 5, end);
}
END_TEST

START_TEST(a_time_is_found_through_the_index)
{
    for (uint64_t part = 0; part <= 8; part++) {
        uint64_t offset = first + (end - 1 - first) * part / 8;
        finds(MR_START_TIME, (int64_t)((offset + 1) * TIME_STEP), offset);
        finds(MR_START_TIME, (int64_t)((offset + 1) * TIME_STEP - 1), offset);
    }
    finds(MR_START_TIME, 1, first);
    finds(MR_START_TIME, (int64_t)((end + 1) * TIME_STEP), end);
}
END_TEST

START_TEST(the_last_ones_are_found_through_the_index)
{
    finds(MR_START_LAST, 1, end - 1);
    finds(MR_START_LAST, 1000, end - 1000);
    finds(MR_START_LAST, (int64_t)(end - first), first);
    finds(MR_START_LAST, 0, end);
}
END_TEST

START_TEST(both_ends_need_no_search)
{
    finds(MR_START_BEGINNING, 0, first);
    finds(MR_START_END, 0, end);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("find");
    TCase *tcase = tcase_create("find");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_is_out_of_reach_is_deadly);
    tcase_add_test(tcase, an_offset_is_found_through_the_index);
    tcase_add_test(tcase, a_time_is_found_through_the_index);
    tcase_add_test(tcase, the_last_ones_are_found_through_the_index);
    tcase_add_test(tcase, both_ends_need_no_search);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
