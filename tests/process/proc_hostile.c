/* proc_hostile.c - segments that are cut short, punched and scribbled over while others use them:
 * who has asked for mr_guard gets an error and lives, observers survive anything, and nothing in a
 * shared directory leads elsewhere. Damage at rest: check_client.c, check_topic.c, tests/fuzz. */
#include "tests/shared/support.h"

#include <fcntl.h>
#include <sys/mman.h>

#define STORM_LOOKS 12000u

static struct mr_topic *topic;
static struct mr_producer *producer;
static char topic_path[2 * MR_PATH_MAX], bus_path[2 * MR_PATH_MAX];

static void path_of(char *out, const char *name)
{
    char segment[MR_PATH_MAX];
    mr_segment_name(segment, geteuid(), mr_bus_name(bus), name);
    snprintf(out, 2 * MR_PATH_MAX, "/dev/shm%s", segment);
}

static void setup(void)
{
    topic = topic_make("t", (struct mr_settings){.size_bytes = 2 * 65536, .partitions = 2});
    producer = producer_on(topic);
    for (int32_t p = 0; p < 2; p++)
        put_numbers(producer, p, 0, 500);
    path_of(topic_path, "t");
    path_of(bus_path, NULL);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* A child with a connection of its own; flags: enum mr_connect_flags. */
static struct mr_topic *attach(uint32_t flags)
{
    struct mr_bus *mine;
    struct mr_topic *found;
    CHECK(mr_guard() == 0 && mr_guard() == 0);
    CHECK(mr_bus_connect(mr_bus_name(bus),
                         &(struct mr_connect_options){.name = "child", .flags = flags},
                         &mine) == 0);
    CHECK(mr_topic_open(mine, "t", &found) == 0);
    return found;
}

/* ---- cut short ---- */

/* Where it is cut: nothing left, the header, in the middle of the control words, all of them, half
 * of a ring, in the second one.
 */
static uint64_t cut_at(int i)
{
    const uint64_t at[] = {0,
                           4096,
                           topic->control_bytes / 2,
                           topic->control_bytes,
                           topic->control_bytes + 32768,
                           topic->control_bytes + 65536 + 4096};
    return at[i];
}
#define CUTS 6

static void all_say_eio(struct mr_topic *t)
{
    struct mr_topic_info info = {0};
    struct mr_partition_info partition = {0};
    struct mr_group_info group = {0};
    struct mr_group_partition_info part = {0};
    struct mr_member_info member = {0};
    struct mr_producer_info who = {0};
    struct mr_consumer *consumer;
    struct mr_topic *again;
    uint32_t flags;
    char line[8];
    CHECK(mr_topic_intact(t) == -EIO);
    CHECK(mr_topic_info(t, &info) == -EIO && mr_partition_info(t, 0, &partition) == -EIO);
    CHECK(mr_group_info(t, 0, &group) == -EIO && mr_group_partition_info(t, 0, 0, &part) == -EIO);
    CHECK(mr_member_info(t, 0, &member) == -EIO && mr_producer_info(t, 0, &who) == -EIO);
    CHECK(mr_topic_columns(t, line, sizeof line, &flags) == -EIO);
    CHECK(mr_consumer_open(t, &(struct mr_consumer_options){.flags = MR_PEEK}, &consumer) == -EIO);
    CHECK(mr_topic_open(t->bus, "t", &again) == -EBADMSG); /* afresh: its size is wrong */
}

static int peek_while_it_is_cut(void *arg)
{
    struct mr_topic *t = attach(MR_OBSERVER);
    struct mr_consumer_options options = {.flags = MR_PEEK, .window = 10};
    struct mr_consumer *peek;
    struct mr_record record;
    struct mr_topic_info info = {0};
    CHECK(mr_consumer_open(t, &options, &peek) == 0);
    CHECK(mr_consumer_claim(peek, 0, 0) == 10 && mr_consumer_next(peek, &record) == 1);
    CHECK(truncate(topic_path, (off_t)cut_at(*(int *)arg)) == 0);
    /* what it has copied is still good */
    for (int i = 0; i < 200 && mr_topic_intact(t) == 0; i++) {
        ssize_t n = mr_consumer_claim(peek, 0, 0);
        while (n > 0 && mr_consumer_next(peek, &record) > 0)
            ;
        CHECK(n > 0 || n == -EIO || n == -ETIMEDOUT);
        mr_topic_info(t, &info);
    }
    CHECK(mr_consumer_claim(peek, 0, -1) == -EIO && mr_consumer_next(peek, &record) == -EIO &&
          mr_consumer_ack(peek) == -EIO);
    all_say_eio(t);
    mr_consumer_close(peek);
    mr_topic_close(t);
    return 0;
}

START_TEST(observer_of_a_segment_cut_short_gets_eio)
{
    ck_assert_int_eq(ended(child(peek_while_it_is_cut, &_i)), 0);
}
END_TEST

static int work_while_it_is_cut(void *arg)
{
    struct mr_topic *t = attach(0), *other;
    struct mr_producer *p, *q;
    struct mr_consumer *c, *d;
    struct mr_record record;
    struct mr_consumer_options elsewhere = {.group = "elsewhere", .flags = MR_UNTIL_END};
    CHECK(mr_producer_open(t, NULL, &p) == 0 && mr_consumer_open(t, NULL, &c) == 0);
    CHECK(mr_topic_open(t->bus, "other", &other) == 0 && mr_producer_open(other, NULL, &q) == 0);
    CHECK(mr_consumer_claim(c, 10, 0) == 10 && mr_consumer_next(c, &record) == 1);
    CHECK(truncate(topic_path, (off_t)cut_at(*(int *)arg)) == 0);
    for (int i = 0; i < 5000 && mr_topic_intact(t) == 0; i++) {
        int got;
        while ((got = mr_consumer_next(c, &record)) > 0)
            ;
        CHECK(got == 0 || got == -EIO);
        CHECK(got < 0 || mr_consumer_ack(c) == (mr_topic_intact(t) ? -EIO : 0));
        ssize_t n = mr_consumer_claim(c, 10, 0);
        CHECK(n > 0 || n == -EIO || n == -ETIMEDOUT);
        n = put(p, i % 2, "more");
        CHECK(n == 1 || n == -EIO || n == -EAGAIN);
    }
    CHECK(put(p, 0, "x") == -EIO && mr_consumer_claim(c, 0, -1) == -EIO &&
          mr_consumer_next(c, &record) == -EIO && mr_consumer_ack(c) == -EIO);
    CHECK(mr_consumer_give_back(c) == -EIO && mr_consumer_drained(c) == -EIO &&
          mr_topic_seal(t) == -EIO && mr_topic_purge(t) == -EIO);
    all_say_eio(t);
    mr_consumer_close(c);
    mr_producer_close(p);
    mr_topic_close(t);
    /* The others are none the worse for it, and the locks of this thread neither. */
    CHECK(put(q, 0, "a") == 1 && mr_consumer_open(other, &elsewhere, &d) == 0 && take_all(d) == 1);
    mr_consumer_close(d);
    CHECK(put(q, 0, "b") == 1);
    mr_producer_close(q);
    mr_topic_close(other);
    mr_bus_disconnect(t->bus);
    return 0;
}

START_TEST(members_of_a_segment_cut_short_get_eio_and_other_topics_go_on)
{
    struct mr_topic *other = topic_make("other", (struct mr_settings){0});
    struct mr_consumer *c = consumer_with(other, (struct mr_consumer_options){0});
    ck_assert_int_eq(ended(child(work_while_it_is_cut, &_i)), 0);
    ck_assert_uint_eq(take_all(c), 2); /* no lock went with the child */
    check_invariants(other);
    mr_consumer_close(c);
    mr_topic_close(other);
}
END_TEST

static int holds_a_bus_that_is_cut(void *arg)
{
    uint64_t parent = *(uint64_t *)arg;
    struct mr_bus *mine, *again;
    struct mr_client_info info = {0};
    uint32_t seen = 0;
    struct mr_topic *t = attach(0);
    mine = t->bus;
    CHECK(mr_client_alive(mine, parent) == 1 && mr_bus_wait_change(mine, &seen, 0) == 0);
    CHECK(truncate(bus_path, 0) == 0);
    CHECK(mr_client_info(mine, 0, &info) == -EIO && mr_bus_wait_change(mine, &seen, -1) == -EIO);
    CHECK(mr_client_alive(mine, parent) == 1); /* a damaged table makes no client dead */
    mr_topic_reap_dead(t);
    CHECK(mr_bus_usable(mine) == -EIO &&
          mr_bus_connect(mr_bus_name(mine), NULL, &again) == -EBADMSG);
    mr_topic_close(t);
    mr_bus_disconnect(mine);
    return 0;
}

START_TEST(bus_cut_short_is_eio_and_declares_nobody_dead)
{
    uint64_t self = mr_bus_self(bus);
    mr_guard(); /* for the teardown */
    ck_assert_int_eq(ended(child(holds_a_bus_that_is_cut, &self)), 0);
}
END_TEST

/* ---- the handler ---- */

static char *page_without_file(void)
{
    int fd = memfd_create("short", 0);
    char *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static void ends_with_7(int number)
{
    (void)number;
    _exit(7);
}

static void ends_with_8(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    _exit(info->si_addr ? 8 : 9);
}

/* 0 without mr_guard; 1 elsewhere, default; 2 elsewhere, handler; 3 elsewhere, handler with
 * information; 4 sent; 5 sent, ignored.
 */
static int has_a_bus_error(void *arg)
{
    struct sigaction informed = {.sa_sigaction = ends_with_8, .sa_flags = SA_SIGINFO};
    int how = *(int *)arg;
    volatile char *page = page_without_file();
    /* as outside of a sanitizer */
    signal(SIGBUS, how == 2 || how == 4 ? ends_with_7 : how == 5 ? SIG_IGN : SIG_DFL);
    if (how == 3)
        sigaction(SIGBUS, &informed, NULL);
    if (how == 0) {
        struct sigaction there;
        struct mr_bus *mine;
        CHECK(mr_bus_connect(mr_bus_name(bus), NULL, &mine) == 0);
        /* the library takes no signal by itself */
        CHECK(sigaction(SIGBUS, NULL, &there) == 0 && there.sa_handler == SIG_DFL);
    } else {
        CHECK(mr_guard() == 0);
    }
    if (how >= 4)
        raise(SIGBUS);
    else
        (void)*page;
    return 0;
}

START_TEST(bus_errors_that_are_not_ours_go_where_they_went_before)
{
    static const int ends[] = {-SIGBUS, -SIGBUS, 7, 8, 7, 0};
    ck_assert_int_eq(ended(child(has_a_bus_error, &_i)), ends[_i]);
}
END_TEST

/* ---- observers under a live mutator ---- */

enum { SCRIBBLES = 1, CUTS_AND_PUNCHES = 2 };

static uint32_t random_state;
static uint32_t random_word(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Values that mean something there: small steps, other words, huge ones. */
static uint64_t random_value(const uint64_t *words, size_t word_cnt, size_t at)
{
    switch (random_word() % 6) {
    case 0:
        return words[at] + random_word() % 128 - 64;
    case 1:
        return words[random_word() % word_cnt];
    case 2:
        return UINT64_MAX - random_word() % 2;
    case 3:
        return words[at] + 8 * (uint64_t)random_word();
    case 4:
        return random_word() % 1000;
    default:
        return (uint64_t)random_word() << 32 | random_word();
    }
}

static _Atomic int *observing; /* so many processes look, or will */

/* Ruins the topic again and again, and makes it whole in between, so that it can be attached; as
 * long as another process looks. */
static int ruins(void *arg)
{
    pid_t parent = getppid();
    int how = *(int *)arg, fd = open(topic_path, O_RDWR);
    size_t len = topic->total_bytes - MR_COLUMNS_MAX, word_cnt = len / 8;
    uint64_t *sound = malloc(len),
             *words = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    size_t logs = (size_t)((unsigned char *)topic->logs - topic->base) / 8;
    CHECK(fd >= 0 && words != MAP_FAILED && sound && pread(fd, sound, len, 0) == (ssize_t)len);
    random_state = (uint32_t)getpid() | 1;
    while (atomic_load(observing) && getppid() == parent) {
        unsigned bursts = random_word() % 50;
        for (unsigned i = 0; (how & SCRIBBLES) && i < bursts * 20; i++) {
            /* A third each: the logs' words, the whole control area but its header, anywhere. */
            size_t header = sizeof(struct mr_topic_shm) / 8, controls = topic->control_bytes / 8;
            size_t at = i % 3 == 0   ? logs + random_word() % (2 * sizeof(struct mr_log_shm) / 8)
                        : i % 3 == 1 ? header + random_word() % (controls - header)
                                     : random_word() % word_cnt;
            __atomic_store_n(&words[at], random_value(words, word_cnt, at), __ATOMIC_RELAXED);
        }
        usleep(random_word() % 300);
        if (how & CUTS_AND_PUNCHES) {
            off_t at = (off_t)(random_word() % len / 4096 * 4096);
            if (random_word() % 2)
                CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, 65536) == 0);
            else
                CHECK(ftruncate(fd, at) == 0);
            usleep(random_word() % 300);
        }
        CHECK(ftruncate(fd, (off_t)topic->total_bytes) == 0 &&
              pwrite(fd, sound, len, 0) == (ssize_t)len);
        usleep(random_word() % 500);
    }
    return 0;
}

static void look_at_all(struct mr_topic *t)
{
    struct mr_topic_info info = {0};
    struct mr_group_info group = {0};
    struct mr_group_partition_info part = {0};
    struct mr_member_info member = {0};
    struct mr_producer_info who = {0};
    int error = mr_topic_info(t, &info);
    CHECK(error == 0 || error == -EIO);
    for (uint32_t i = 0; mr_group_info(t, i, &group) >= 0; i++)
        for (uint32_t p = 0; mr_group_partition_info(t, i, p, &part) >= 0; p++)
            CHECK(p < 2);
    for (uint32_t i = 0; mr_member_info(t, i, &member) >= 0; i++)
        CHECK(i < MR_MEMBERS);
    for (uint32_t i = 0; mr_producer_info(t, i, &who) >= 0; i++)
        CHECK(i < MR_PRODUCERS);
}

static volatile unsigned char sink;

static void peek_at_all(struct mr_topic *t, unsigned start)
{
    struct mr_consumer_options options = {.flags = MR_PEEK | (start % 2 ? MR_UNTIL_END : 0),
                                          .start = (enum mr_start)(start % (MR_START_TIME + 1)),
                                          .start_arg = 20,
                                          .window = 100};
    struct mr_consumer *peek;
    struct mr_record record;
    uint64_t records = 0;
    if (mr_consumer_open(t, &options, &peek) != 0)
        return;
    for (int i = 0; i < 100 && mr_consumer_claim(peek, 0, 0) > 0; i++)
        while (mr_consumer_next(peek, &record) > 0) {
            CHECK(++records <= 100 * 100 && record.value_len <= 65536);
            for (uint32_t b = 0; b < record.value_len; b++)
                sink ^= ((const unsigned char *)record.value)[b];
        }
    mr_consumer_lag(peek);
    mr_consumer_close(peek);
}

/* Attaches, looks a few times, and lets go, again and again. */
static int observes(void *arg)
{
    unsigned looks = 0, refused = 0, short_ones = 0;
    struct mr_topic *t;
    struct mr_bus *mine;
    (void)arg;
    CHECK(mr_guard() == 0);
    CHECK(mr_bus_connect(mr_bus_name(bus), &(struct mr_connect_options){.flags = MR_OBSERVER},
                         &mine) == 0);
    while (looks < STORM_LOOKS) {
        int error = mr_topic_open(mine, "t", &t);
        CHECK(error == 0 || error == -EBADMSG || error == -EIO || error == -EPROTO ||
              error == -EREMOTE || error == -ENOENT);
        refused += error != 0;
        for (int i = 0; !error && i < 8; i++) {
            look_at_all(t);
            peek_at_all(t, looks++);
        }
        if (!error) {
            short_ones += mr_topic_intact(t) < 0;
            mr_topic_close(t);
        }
    }
    mr_bus_disconnect(mine);
    atomic_fetch_sub(observing, 1);
    printf("%u looks, %u topics cut short meanwhile, %u refused\n", looks, short_ones, refused);
    fflush(stdout);
    return 0;
}

START_TEST(observers_survive_a_live_mutator)
{
    int how = _i + 1;
    observing =
        mmap(NULL, sizeof *observing, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne((void *)observing, MAP_FAILED);
    atomic_store(observing, 2);
    pid_t mutator = child(ruins, &how), first = child(observes, NULL),
          second = child(observes, NULL);
    ck_assert_int_eq(ended(first), 0);
    ck_assert_int_eq(ended(second), 0);
    ck_assert_int_eq(ended(mutator), 0);
}
END_TEST

/* ---- a directory that others write to ---- */

START_TEST(files_that_cannot_be_topics_are_not_listed)
{
    static const char *const names[] = {"a\033[31mred", "a b", "-x", "\xff", "a\n"};
    char **listed, path[2 * MR_PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        path_of(path, names[i]);
        ck_assert_int_ge(open(path, O_CREAT | O_CLOEXEC, 0600), 0);
    }
    ck_assert_int_eq(mr_bus_topics(bus, &listed), 1);
    ck_assert_str_eq(listed[0], "t");
    ck_assert_ptr_null(listed[1]);
    free(listed);
}
END_TEST

START_TEST(symlinks_are_not_followed_by_bus_or_topic)
{
    char target[] = "/dev/shm/symlink-test-XXXXXX", path[2 * MR_PATH_MAX], segment[MR_PATH_MAX];
    const struct mr_settings settings = {.size_bytes = MR_SIZE_MIN,
                                         .partitions = 1,
                                         .full = MR_FULL_BLOCK,
                                         .tries = 3,
                                         .mode = 0600};
    struct mr_topic *t;
    struct mr_bus *other;
    struct stat st;
    int fd = mkstemp(target);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "not a segment", 13), 13);
    ck_assert_int_eq(fchmod(fd, 0640), 0);

    path_of(path, "link");
    ck_assert_int_eq(symlink(target, path), 0);
    int opened = mr_topic_open(bus, "link", &t),
        made = mr_topic_create_segment(bus, "link", &settings);
    const char *name = bus_new_name();
    mr_segment_name(segment, geteuid(), name, NULL);
    snprintf(path, sizeof path, "/dev/shm%s", segment);
    ck_assert_int_eq(symlink(target, path), 0);
    int served = mr_bus_serve(name, 0666, (gid_t)-1, NULL, &other),
        connected = mr_bus_connect(name, NULL, &other);
    int there = fstat(fd, &st) == 0 && st.st_nlink == 1;
    unlink(target);

    ck_assert_int_eq(opened, -EPERM);
    ck_assert_int_lt(made, 0);
    ck_assert_int_eq(served, -EPERM);
    ck_assert_int_eq(connected, -EPERM);
    ck_assert(there && st.st_size == 13 && (st.st_mode & 0777) == 0640);
    close(fd);
}
END_TEST

START_TEST(modes_are_as_asked_whatever_the_umask)
{
    struct mr_settings settings = {.size_bytes = MR_SIZE_MIN,
                                   .partitions = 1,
                                   .full = MR_FULL_BLOCK,
                                   .tries = 3,
                                   .mode = 0640};
    struct mr_bus *other;
    struct stat st;
    char path[2 * MR_PATH_MAX], segment[MR_PATH_MAX];
    const char *name = bus_new_name();
    mr_segment_name(segment, geteuid(), name, NULL);
    umask(0777);
    int served = mr_bus_serve(name, 0664, (gid_t)-1, NULL, &other),
        made = mr_topic_create_segment(bus, "private", &settings);
    umask(022);
    ck_assert_int_eq(served, 0);
    ck_assert_int_eq(made, 0);
    snprintf(path, sizeof path, "/dev/shm%s", segment);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0664);
    path_of(path, "private");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    mr_bus_disconnect(other);
}
END_TEST

START_TEST(names_do_not_lead_out_of_the_namespace)
{
    static const char *const names[] = {"../t", "x/../../t", "/etc/passwd", "t/", ".",        "..",
                                        "-t",   "a b",       "t\n",         "",   "t\xc3\xa4"};
    const struct mr_settings settings = {.size_bytes = MR_SIZE_MIN,
                                         .partitions = 1,
                                         .full = MR_FULL_BLOCK,
                                         .tries = 3,
                                         .mode = 0600};
    struct mr_consumer_options options = {0};
    struct mr_consumer *c;
    struct mr_topic *t;
    struct mr_bus *b;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ck_assert_int_eq(mr_topic_create_segment(bus, names[i], &settings), -EINVAL);
        ck_assert_int_eq(mr_topic_create(bus, names[i], NULL, 0), -EINVAL);
        ck_assert_int_eq(mr_topic_open(bus, names[i], &t), -EINVAL);
        options.group = names[i];
        ck_assert_int_eq(mr_consumer_open(topic, &options, &c), -EINVAL);
        if (!*names[i])
            continue; /* the empty name means the default bus */
        ck_assert_int_lt(mr_bus_connect(names[i], NULL, &b), 0);
        ck_assert_int_eq(mr_bus_serve(names[i], 0600, (gid_t)-1, NULL, &b), -EINVAL);
    }
    /* would be topic b of bus a */
    ck_assert_int_eq(mr_bus_serve("a.b", 0600, (gid_t)-1, NULL, &b), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hostile");
    TCase *tcase = test_case(suite, "cut short");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, observer_of_a_segment_cut_short_gets_eio, 0, CUTS);
    tcase_add_loop_test(tcase, members_of_a_segment_cut_short_get_eio_and_other_topics_go_on, 0,
                        CUTS);
    tcase_add_test(tcase, bus_cut_short_is_eio_and_declares_nobody_dead);
    tcase_add_loop_test(tcase, bus_errors_that_are_not_ours_go_where_they_went_before, 0, 6);
    tcase = test_case(suite, "observers");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, observers_survive_a_live_mutator, 0, 3);
    tcase = test_case(suite, "directory");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, files_that_cannot_be_topics_are_not_listed);
    tcase_add_test(tcase, symlinks_are_not_followed_by_bus_or_topic);
    tcase_add_test(tcase, modes_are_as_asked_whatever_the_umask);
    tcase_add_test(tcase, names_do_not_lead_out_of_the_namespace);
    return test_main(suite);
}
