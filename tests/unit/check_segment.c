/* check_segment.c - shared memory files: whole or not at all, and opened with suspicion. */
#include "tests/shared/support.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char name[MR_PATH_MAX], path[MR_PATH_MAX + 16];

static void setup(void)
{
    mr_segment_name(name, geteuid(), bus_new_name(), "seg");
    snprintf(path, sizeof path, "/dev/shm%s", name);
}

static void teardown(void)
{
    unlink(path);
}

/* Makes and publishes a segment of this size. */
static void make(uint64_t bytes)
{
    int fd = mr_segment_create(bytes, bytes, 0600, (gid_t)-1);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(mr_segment_publish(fd, name), 0);
    close(fd);
}

START_TEST(names_carry_owner_bus_and_topic)
{
    char out[MR_PATH_MAX];
    mr_segment_name(out, 1000, "billing", NULL);
    ck_assert_str_eq(out, "/millrace.1000.billing");
    mr_segment_name(out, 4294967294u, "billing", "orders.v2");
    ck_assert_str_eq(out, "/millrace.4294967294.billing.orders.v2");
}
END_TEST

START_TEST(longest_names_fit_into_a_file_name)
{
    char long_bus[MR_BUS_NAME_MAX + 1], topic[MR_TOPIC_NAME_MAX + 1], out[MR_PATH_MAX];
    memset(long_bus, 'b', MR_BUS_NAME_MAX);
    memset(topic, 't', MR_TOPIC_NAME_MAX);
    long_bus[MR_BUS_NAME_MAX] = topic[MR_TOPIC_NAME_MAX] = '\0';
    mr_segment_name(out, 4294967294u, long_bus, topic);
    ck_assert_str_eq(out + strlen(out) - 3, "ttt");
    ck_assert_uint_le(strlen(out), 255);
}
END_TEST

START_TEST(bad_names_are_refused_with_a_reason)
{
    char text[256];
    static const char *const bad[] = {"",    "../x", "a/b",      ".hidden", "-x",
                                      "a b", "a\n",  "\xc3\xa4", "a*"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_ptr_nonnull(mr_name_check(MR_NAME_TOPIC, bad[i]));
        ck_assert_ptr_nonnull(mr_name_check(MR_NAME_BUS, bad[i]));
        ck_assert_ptr_nonnull(mr_name_check(MR_NAME_GROUP, bad[i]));
    }
    ck_assert_ptr_null(mr_name_check(MR_NAME_TOPIC, "orders.v2_A-z"));
    ck_assert_ptr_null(mr_name_check(MR_NAME_GROUP, "a.b"));
    ck_assert_ptr_nonnull(mr_name_check(MR_NAME_BUS, "a.b")); /* the dot ends the bus's name */
    memset(text, 'x', sizeof text);
    static const struct {
        enum mr_name_kind kind;
        size_t max;
    } limits[] = {{MR_NAME_BUS, MR_BUS_NAME_MAX},
                  {MR_NAME_TOPIC, MR_TOPIC_NAME_MAX - 5},
                  {MR_NAME_GROUP, MR_GROUP_NAME_MAX}};
    for (size_t i = 0; i < 3; i++) {
        text[limits[i].max] = '\0';
        ck_assert_ptr_null(mr_name_check(limits[i].kind, text));
        text[limits[i].max] = 'x';
        text[limits[i].max + 1] = '\0';
        ck_assert_ptr_nonnull(mr_name_check(limits[i].kind, text));
        text[limits[i].max + 1] = 'x';
    }
    strcpy(text + MR_TOPIC_NAME_MAX - 5, ".dead"); /* a dead-letter topic's may be longer by that */
    ck_assert_ptr_null(mr_name_check(MR_NAME_TOPIC, text));
    strcpy(text + MR_TOPIC_NAME_MAX - 4, ".dead");
    ck_assert_ptr_nonnull(mr_name_check(MR_NAME_TOPIC, text));
}
END_TEST

START_TEST(created_segment_is_invisible_until_published)
{
    struct stat st;
    int fd = mr_segment_create(8192, 8192, 0600, (gid_t)-1);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(mr_segment_open(name, geteuid(), 0, 0, &st), -ENOENT);
    ck_assert_int_eq(mr_segment_publish(fd, name), 0);
    close(fd);
    fd = mr_segment_open(name, geteuid(), 1, 8192, &st);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(st.st_size, 8192);
    close(fd);
}
END_TEST

START_TEST(segment_of_a_creator_that_ended_is_gone)
{
    struct stat st;
    int fd = mr_segment_create(8192, 8192, 0600, (gid_t)-1);
    close(fd);
    ck_assert_int_eq(mr_segment_open(name, geteuid(), 0, 0, &st), -ENOENT);
}
END_TEST

START_TEST(existing_name_is_not_replaced)
{
    struct stat before, after;
    make(4096);
    ck_assert_int_eq(stat(path, &before), 0);
    int fd = mr_segment_create(8192, 8192, 0600, (gid_t)-1);
    ck_assert_int_eq(mr_segment_publish(fd, name), -EEXIST);
    close(fd);
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
}
END_TEST

START_TEST(mode_is_as_asked_whatever_the_umask)
{
    struct stat st;
    umask(0777);
    int fd = mr_segment_create(4096, 4096, 0660, (gid_t)-1);
    umask(022);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0660);
    close(fd);
}
END_TEST

START_TEST(reserved_bytes_are_allocated_and_the_rest_is_a_hole)
{
    struct stat st;
    int fd = mr_segment_create((uint64_t)1 << 30, 65536, 0600, (gid_t)-1);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_size, (off_t)1 << 30);
    ck_assert_int_ge(st.st_blocks * 512, 65536);
    ck_assert_int_lt(st.st_blocks * 512, 1 << 20);
    close(fd);
}
END_TEST

START_TEST(more_than_shared_memory_has_is_enospc)
{
    ck_assert_int_eq(mr_segment_create((uint64_t)1 << 50, (uint64_t)1 << 50, 0600, (gid_t)-1),
                     -ENOSPC);
}
END_TEST

/* In a child, whose limit is its own: 0, or which of the steps was not as it should be. SIGXFSZ has
 * its default action here: it kills. */
static int makes_large_files(void *arg)
{
    (void)arg;
    struct rlimit limit = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY};
    sigset_t set;
    if (signal(SIGXFSZ, SIG_DFL) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) < 0)
        return 1;
    if (mr_segment_create(1 << 20, 1 << 20, 0600, (gid_t)-1) != -EFBIG)
        return 2;
    int fd = mr_segment_create(65536, 65536, 0600, (gid_t)-1);
    if (fd < 0 || mr_segment_write(fd, "abcd", 4, 65532) != 0 ||
        mr_segment_write(fd, "abcd", 4, 65534) != -EFBIG)
        return 3;
    if (sigpending(&set) < 0 || sigismember(&set, SIGXFSZ))
        return 4;
    if (sigprocmask(SIG_BLOCK, NULL, &set) < 0 || sigismember(&set, SIGXFSZ))
        return 5;
    /* A program that has blocked it, and has one pending, keeps both. */
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || raise(SIGXFSZ) != 0)
        return 6;
    if (mr_segment_create(1 << 20, 1 << 20, 0600, (gid_t)-1) != -EFBIG || sigpending(&set) < 0 ||
        !sigismember(&set, SIGXFSZ))
        return 7;
    return sigprocmask(SIG_BLOCK, NULL, &set) < 0 || !sigismember(&set, SIGXFSZ) ? 8 : 0;
}

START_TEST(file_beyond_the_limit_of_the_process_is_efbig_and_no_signal)
{
    ck_assert_int_eq(ended(child(makes_large_files, NULL)), 0);
}
END_TEST

START_TEST(symlink_is_not_followed)
{
    struct stat st;
    char target[sizeof path + 8];
    snprintf(target, sizeof target, "%s.real", path);
    int fd = open(target, O_RDWR | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, 4096), 0);
    close(fd);
    int linked = symlink(target, path);
    int result = mr_segment_open(name, geteuid(), 1, 4096, &st);
    unlink(target);
    ck_assert_int_eq(linked, 0);
    ck_assert_int_eq(result, -EPERM);
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused_without_waiting)
{
    struct stat st;
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(mr_segment_open(name, geteuid(), 0, 0, &st), -EPERM);
    ck_assert_int_eq(mr_segment_open(name, geteuid(), 1, 0, &st), -EPERM);
    unlink(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    int result = mr_segment_open(name, geteuid(), 0, 0, &st);
    rmdir(path);
    ck_assert_int_lt(result, 0);
}
END_TEST

START_TEST(file_of_another_owner_is_refused)
{
    struct stat st;
    make(4096);
    ck_assert_int_eq(mr_segment_open(name, geteuid() + 1, 0, 4096, &st), -EPERM);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, 65534, 65534), 0);
        ck_assert_int_eq(mr_segment_open(name, 0, 0, 4096, &st), -EPERM);
    }
}
END_TEST

START_TEST(truncated_file_is_damaged)
{
    struct stat st;
    make(4096);
    ck_assert_int_eq(truncate(path, 4095), 0);
    ck_assert_int_eq(mr_segment_open(name, geteuid(), 1, 4096, &st), -EBADMSG);
}
END_TEST

START_TEST(ring_mapped_twice_goes_on_at_its_start)
{
    unsigned char *ring;
    int fd = mr_segment_create(4 * 4096, 4 * 4096, 0600, (gid_t)-1);
    ck_assert_int_eq(mr_segment_map_twice(fd, 4096, 2 * 4096, 1, &ring), 0);
    memcpy(ring + 2 * 4096 - 3, "across", 6);
    ck_assert_mem_eq(ring, "oss", 3);
    ring[4096] = 'm';
    ck_assert_uint_eq(ring[3 * 4096], 'm');
    char byte;
    ck_assert_int_eq(pread(fd, &byte, 1, 2 * 4096), 1); /* the right part of the file */
    ck_assert_int_eq(byte, 'm');
    munmap(ring, 4 * 4096);
    close(fd);
}
END_TEST

static int stores_into_read_only(void *arg)
{
    void *at;
    if (mr_segment_map(*(int *)arg, 0, 4096, 0, &at) != 0)
        return 1;
    *(volatile char *)at = 1;
    return 0;
}

START_TEST(read_only_mapping_cannot_be_written)
{
    signal(SIGSEGV, SIG_DFL); /* as outside of a sanitizer */
    int fd = mr_segment_create(4096, 4096, 0600, (gid_t)-1);
    ck_assert_int_eq(ended(child(stores_into_read_only, &fd)), -SIGSEGV);
    close(fd);
}
END_TEST

START_TEST(list_is_sorted_and_cuts_the_prefix_off)
{
    static const char *const made[] = {"b", "a", "c", "aa"};
    static const char *const sorted[] = {"a", "aa", "b", "c"};
    char prefix[MR_PATH_MAX], full[2 * MR_PATH_MAX];
    char **names;
    snprintf(prefix, sizeof prefix, "%.200s.", name + 1);
    for (size_t i = 0; i < 4; i++) {
        int fd = mr_segment_create(4096, 4096, 0600, (gid_t)-1);
        snprintf(full, sizeof full, "/%s%s", prefix, made[i]);
        ck_assert_int_eq(mr_segment_publish(fd, full), 0);
        close(fd);
    }
    make(4096); /* the prefix without its dot is no member of the list */
    ssize_t n = mr_segment_list(prefix, &names);
    for (size_t i = 0; i < 4; i++) {
        snprintf(full, sizeof full, "/dev/shm/%s%s", prefix, made[i]);
        unlink(full);
    }
    ck_assert_int_eq(n, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(names[i], sorted[i]);
    ck_assert_ptr_null(names[4]);
    free(names);
}
END_TEST

START_TEST(empty_list_is_a_list)
{
    char **names;
    ck_assert_int_eq(mr_segment_list("millrace.no-such-prefix-", &names), 0);
    ck_assert_ptr_null(names[0]);
    free(names);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("segment");
    TCase *tcase = tcase_create("segment");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, names_carry_owner_bus_and_topic);
    tcase_add_test(tcase, longest_names_fit_into_a_file_name);
    tcase_add_test(tcase, bad_names_are_refused_with_a_reason);
    tcase_add_test(tcase, created_segment_is_invisible_until_published);
    tcase_add_test(tcase, segment_of_a_creator_that_ended_is_gone);
    tcase_add_test(tcase, existing_name_is_not_replaced);
    tcase_add_test(tcase, mode_is_as_asked_whatever_the_umask);
    tcase_add_test(tcase, reserved_bytes_are_allocated_and_the_rest_is_a_hole);
    tcase_add_test(tcase, more_than_shared_memory_has_is_enospc);
    tcase_add_test(tcase, file_beyond_the_limit_of_the_process_is_efbig_and_no_signal);
    tcase_add_test(tcase, symlink_is_not_followed);
    tcase_add_test(tcase, what_is_no_regular_file_is_refused_without_waiting);
    tcase_add_test(tcase, file_of_another_owner_is_refused);
    tcase_add_test(tcase, truncated_file_is_damaged);
    tcase_add_test(tcase, ring_mapped_twice_goes_on_at_its_start);
    tcase_add_test(tcase, read_only_mapping_cannot_be_written);
    tcase_add_test(tcase, list_is_sorted_and_cuts_the_prefix_off);
    tcase_add_test(tcase, empty_list_is_a_list);
    return test_main(suite);
}
