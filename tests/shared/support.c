/* support.c - see support.h. */
#include "support.h"

#include <poll.h>
#include <sys/select.h>

struct mr_bus *bus;

/* what all buses of this test begin with: given by run.sh, or made up */
static char base[MR_BUS_NAME_MAX + 1];
/* Check's own limit for one test, by default 4 s: run.sh sets it too. */
__attribute__((constructor)) static void be_patient(void)
{
    setenv("CK_DEFAULT_TIMEOUT", "120", 0);
}

static char last_name[MR_BUS_NAME_MAX + 1];

static void remove_all(const char *prefix)
{
    char start[MR_PATH_MAX], path[2 * MR_PATH_MAX];
    char **names;
    mr_segment_name(start, geteuid(), prefix, NULL);
    if (mr_segment_list(start + 1, &names) < 0)
        return;
    for (char **name = names; *name; name++) {
        snprintf(path, sizeof path, "/dev/shm%s%s", start, *name);
        unlink(path);
    }
    free(names);
}

static void set_base(void)
{
    const char *given = getenv("MILLRACE_BUS");
    if (*base)
        return;
    if (given && strncmp(given, "test-", 5) == 0)
        snprintf(base, sizeof base, "%.16s", given);
    else
        snprintf(base, sizeof base, "test-%d", (int)getpid());
}

const char *bus_new_name(void)
{
    static unsigned n;
    set_base();
    snprintf(last_name, sizeof last_name, "%.16s-%d-%u", base, (int)getpid(), n++);
    return last_name;
}

void bus_setup(void)
{
    struct mr_connect_options options = {.name = "test"};
    ck_assert_int_eq(mr_bus_serve(bus_new_name(), 0600, (gid_t)-1, &options, &bus), 0);
}

void bus_teardown(void)
{
    char prefix[MR_BUS_NAME_MAX + 1];
    snprintf(prefix, sizeof prefix, "%.16s-%d-", base, (int)getpid());
    mr_bus_disconnect(bus);
    bus = NULL;
    remove_all(prefix);
}

TCase *test_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, bus_setup, bus_teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int test_main(Suite *suite)
{
    char prefix[MR_BUS_NAME_MAX + 1];
    set_base();
    SRunner *srunner = srunner_create(suite);
    srunner_run_all(srunner, CK_ENV);
    int failed = srunner_ntests_failed(srunner);
    srunner_free(srunner);
    snprintf(prefix, sizeof prefix, "%.16s-", base);
    remove_all(prefix);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

struct mr_topic *topic_make(const char *name, struct mr_settings settings)
{
    struct mr_topic *topic;
    settings.size_bytes = settings.size_bytes ? settings.size_bytes : MR_SIZE_MIN;
    settings.partitions = settings.partitions ? settings.partitions : 1;
    settings.full = settings.full ? settings.full : MR_FULL_BLOCK;
    settings.tries = settings.tries ? settings.tries : 3;
    settings.mode = settings.mode ? settings.mode : 0600;
    ck_assert_int_eq(mr_topic_create_segment(bus, name, &settings), 0);
    ck_assert_int_eq(mr_topic_open(bus, name, &topic), 0);
    return topic;
}

struct mr_producer *producer_on(struct mr_topic *topic)
{
    struct mr_producer *producer;
    ck_assert_int_eq(mr_producer_open(topic, NULL, &producer), 0);
    return producer;
}

struct mr_consumer *consumer_with(struct mr_topic *topic, struct mr_consumer_options options)
{
    struct mr_consumer *consumer;
    ck_assert_int_eq(mr_consumer_open(topic, &options, &consumer), 0);
    return consumer;
}

uint32_t to(int32_t partition)
{
    return partition < 0 ? MR_ANY : MR_PARTITION(partition);
}

ssize_t put(struct mr_producer *producer, int32_t partition, const char *value)
{
    struct mr_message msg = {
        .value = value, .value_len = (uint32_t)strlen(value), .partition = to(partition)};
    return mr_producer_append(producer, &msg, 1, 0);
}

struct mr_message message_of(const char *value)
{
    return (struct mr_message){.value = value, .value_len = (uint32_t)strlen(value)};
}

void put_numbers(struct mr_producer *producer, int32_t partition, unsigned first, unsigned n)
{
    char value[16];
    for (unsigned i = first; i < first + n; i++) {
        snprintf(value, sizeof value, "%u", i);
        ck_assert_int_eq(put(producer, partition, value), 1);
    }
}

void next_is(struct mr_consumer *consumer, const char *value)
{
    struct mr_record r;
    ck_assert_int_eq(mr_consumer_next(consumer, &r), 1);
    ck_assert_uint_eq(r.value_len, strlen(value));
    ck_assert_mem_eq(r.value, value, r.value_len);
}

size_t take_all(struct mr_consumer *consumer)
{
    struct mr_record r;
    size_t n = 0;
    while (mr_consumer_claim(consumer, 0, 0) > 0) {
        while (mr_consumer_next(consumer, &r) > 0)
            n++;
        ck_assert_int_eq(mr_consumer_ack(consumer), 0);
    }
    return n;
}

pid_t child(int (*run)(void *arg), void *arg)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(run(arg));
    return pid;
}

struct mr_topic *topic_of_child(const char *name)
{
    struct mr_bus *own;
    struct mr_topic *topic;
    if (mr_bus_connect(mr_bus_name(bus), &(struct mr_connect_options){.name = "child"}, &own) ||
        mr_topic_open(own, name, &topic))
        _exit(99);
    return topic;
}

void topic_leave(struct mr_topic *topic)
{
    struct mr_bus *its = topic->bus;
    mr_topic_close(topic);
    mr_bus_disconnect(its);
}

int ended(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void killed(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(ended(pid), -SIGKILL);
}

int said(int fd)
{
    unsigned char byte;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int ready;
    do
        ready = poll(&wait, 1, (int)(HUNG_NS / 1000000));
    while (ready < 0 && errno == EINTR);
    return ready > 0 && read(fd, &byte, 1) == 1 ? byte : -1;
}

void look_pause(void)
{
    /* The one sleep that clock/clock.h leaves to the machine. */
    struct timeval pause = {.tv_usec = 200};
    select(0, NULL, NULL, NULL, &pause);
}

int told(struct mr_cond *cond, uint32_t ticket)
{
    return atomic_load(&cond->word) != ticket;
}

uint64_t word(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_acquire);
}

/* ---- invariants ---- */

/* I2 and I3; says where each record of partition p starts: starts[i] for offset first + i. Returns
 * their number. */
static size_t check_log(struct mr_topic *topic, uint32_t p, uint64_t *starts, size_t cap)
{
    struct mr_tip tip = mr_log_tip(topic, p);
    const struct mr_log_shm *log = &topic->logs[p];
    const unsigned char *ring = mr_topic_ring(topic, p);
    uint64_t tail = word(&log->tail), offset = 0;
    struct mr_record_shm r;
    size_t n = 0;
    ck_assert_uint_eq(tip.head, word(&log->head));
    ck_assert_uint_le(tail, tip.head);
    ck_assert_uint_le(tip.head - tail, topic->ring_bytes);
    for (uint64_t pos = tail, bytes; pos < tip.head; pos += bytes, offset++) {
        bytes = mr_log_header(topic, ring, pos, tip.head, &r);
        ck_assert_uint_ne(bytes, 0);
        ck_assert_uint_eq(r.offset, n ? offset : r.offset);
        offset = r.offset;
        ck_assert_uint_lt(n, cap - 1);
        starts[n++] = pos;
    }
    ck_assert_uint_eq(n ? offset : tip.next_offset, tip.next_offset);
    starts[n] = tip.head;
    return n;
}

static int is_start(const uint64_t *starts, size_t n, uint64_t pos)
{
    for (size_t i = 0; i <= n; i++)
        if (starts[i] == pos)
            return 1;
    return 0;
}

/* I1, I4, I5 of one group in one partition. */
static void check_group(struct mr_topic *topic, uint32_t g, uint32_t p, const uint64_t *starts,
                        size_t n)
{
    const struct mr_group_part_shm *part = mr_group_part(topic, g, p);
    uint64_t tail = starts[0], head = starts[n], next = word(&part->next),
             committed = word(&part->committed);
    int drops = topic->full == MR_FULL_DROP_OLDEST;
    ck_assert_uint_le(committed, next);
    ck_assert_uint_le(next, head);
    if (!drops) {
        ck_assert_uint_le(tail, committed);
        ck_assert(is_start(starts, n, next));
        ck_assert_uint_eq(word(&part->next_offset), mr_log_offset(topic, p, next));
    }
    for (uint32_t i = 0; i < topic->member_cnt; i++) {
        const struct mr_member_shm *a = &topic->members[i];
        uint64_t cursor = word(&a->cursor), end = word(&a->end);
        if (word(&a->group) != g + 1 || word(&a->partition) != p || cursor >= end)
            continue;
        /* I4: unacknowledged means claimed, and nothing above committed is forgotten */
        ck_assert_uint_le(committed, cursor);
        ck_assert_uint_le(end, next);
        if (!drops) {
            ck_assert(is_start(starts, n, cursor));
            ck_assert(is_start(starts, n, end));
        }
        for (uint32_t k = i + 1; k < topic->member_cnt; k++) {
            const struct mr_member_shm *b = &topic->members[k];
            uint64_t other = word(&b->cursor), other_end = word(&b->end);
            if (word(&b->group) != g + 1 || word(&b->partition) != p || other >= other_end)
                continue;
            ck_assert_msg(end <= other || other_end <= cursor, "claims of slots %u and %u overlap",
                          i, k);
        }
    }
}

static void check_orphans(const struct mr_topic *topic, uint32_t g)
{
    uint64_t orphans = 0;
    for (uint32_t i = 0; i < topic->member_cnt; i++) {
        const struct mr_member_shm *member = &topic->members[i];
        if (word(&member->group) == g + 1 && !word(&member->owner)) {
            orphans++;
            /* one that holds nothing would be a leaked slot */
            ck_assert_uint_lt(word(&member->cursor), word(&member->end));
        }
    }
    ck_assert_uint_eq(word(&topic->groups[g].orphans), orphans);
}

void check_invariants(struct mr_topic *topic)
{
    size_t cap = topic->ring_bytes / sizeof(struct mr_record_shm) + 2;
    uint64_t *starts = malloc(cap * sizeof *starts);
    ck_assert_uint_eq(word(&topic->shm->lock.redo.armed), 0);
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        size_t n = check_log(topic, p, starts, cap);
        ck_assert_uint_eq(word(&topic->logs[p].lock.redo.armed), 0);
        for (uint32_t g = 0; g < topic->group_cnt; g++)
            if (word(&topic->groups[g].serial))
                check_group(topic, g, p, starts, n);
    }
    for (uint32_t g = 0; g < topic->group_cnt; g++)
        if (word(&topic->groups[g].serial)) {
            ck_assert_uint_eq(word(&topic->groups[g].lock.redo.armed), 0);
            check_orphans(topic, g);
        }
    free(starts);
}
