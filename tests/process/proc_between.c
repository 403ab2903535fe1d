/* proc_between.c - what is decided is decided in one step: a command of the broker is stopped at
 * each of its system calls in turn, another process attaches, appends or makes a topic there, and
 * the command goes on. What that process was promised holds afterwards. not under SAN=thread: one
 * program stops the other; there are no threads */
#include "tests/shared/support.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static char name[MR_BUS_NAME_MAX + 1];

/* Who holds what we wait for is stopped by us: every wait is given up. */
static const volatile sig_atomic_t stop = 1;
static const struct mr_connect_options options = {.name = "other", .stop = &stop};

/* ---- a program that stops at its system calls ---- */

static int status_of_last; /* as waitpid says */

/* Goes on to where the next system call begins: all that was done since the one before is done.
 * Returns 0 once it has ended. */
static int go_on(pid_t pid)
{
    struct __ptrace_syscall_info info;
    int pass = 0;
    for (;;) {
        ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)pass), 0);
        ck_assert_int_eq(waitpid(pid, &status_of_last, 0), pid);
        if (WIFEXITED(status_of_last) || WIFSIGNALED(status_of_last))
            return 0;
        int at_call = WSTOPSIG(status_of_last) == (SIGTRAP | 0x80);
        if (at_call && ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) > 0 &&
            info.op == PTRACE_SYSCALL_INFO_ENTRY)
            return 1;
        pass = at_call ? 0 : WSTOPSIG(status_of_last) == SIGTRAP ? 0 : WSTOPSIG(status_of_last);
    }
}

/* Is the system call that is about to begin an open of a file of our bus? */
static int opens_bus(pid_t pid)
{
    struct __ptrace_syscall_info info;
    char path[256] = {0};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) <= 0 ||
        info.entry.nr != SYS_openat)
        return 0;
    struct iovec here = {path, sizeof path - 1},
                 there = {(void *)(uintptr_t)info.entry.args[1], sizeof path - 1};
    while (here.iov_len && process_vm_readv(pid, &here, 1, &there, 1, 0) < 0)
        here.iov_len = there.iov_len =
            there.iov_len / 2; /* it may lie before the end of what is mapped */
    return strstr(path, name) != NULL;
}

/* Starts broker with these words, and lets it come to its stop number `stops` after it has first
 * opened the bus: what comes before depends on the machine. Returns its pid; 0 it ended before. */
static pid_t start(const char *const *words, int stops)
{
    const char *bin = getenv("MILLRACE_BIN");
    char path[4096];
    const char *argv[8] = {path, "-b", name};
    snprintf(path, sizeof path, "%s/broker", bin ? bin : "bin");
    for (int i = 0; words[i]; i++)
        argv[3 + i] = words[i];
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(98);
        /* a traced process cannot be searched for leaks */
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(99);
    }
    ck_assert_int_eq(waitpid(pid, &status_of_last, 0), pid);
    ck_assert(WIFSTOPPED(status_of_last));
    ck_assert_int_eq(ptrace(PTRACE_SETOPTIONS, pid, NULL,
                            (void *)(intptr_t)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)),
                     0);
    do
        if (!go_on(pid))
            return 0;
    while (!opens_bus(pid));
    for (int i = 0; i < stops; i++)
        if (!go_on(pid))
            return 0;
    return pid;
}

/* Lets it run to its end: its exit status. */
static int finish(pid_t pid)
{
    ck_assert_int_eq(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
    ck_assert_int_eq(waitpid(pid, &status_of_last, 0), pid);
    ck_assert(WIFEXITED(status_of_last));
    return WEXITSTATUS(status_of_last);
}

/* ---- a bus that a broker has left, with one empty topic ---- */

static void leave_bus(void)
{
    struct mr_bus *left;
    struct mr_settings settings = {
        .size_bytes = 4096, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    strcpy(name, bus_new_name());
    ck_assert_int_eq(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &left), 0);
    ck_assert_int_eq(mr_topic_create_segment(left, "t", &settings), 0);
    mr_bus_disconnect(left);
}

struct other {
    struct mr_bus *bus;
    struct mr_topic *topic;
    struct mr_producer *producer;
};

static void detach(struct other *other)
{
    mr_producer_close(other->producer);
    mr_topic_close(other->topic);
    mr_bus_disconnect(other->bus);
    *other = (struct other){0};
}

/* Attaches a producer. Returns 1; 0 there was nothing to attach to any more, or it is locked. */
static int attach(struct other *other)
{
    int error = mr_bus_connect(name, &options, &other->bus);
    if (!error)
        error = mr_topic_open(other->bus, "t", &other->topic);
    if (!error &&
        pthread_mutex_trylock(&other->topic->shm->lock.mutex)) /* sooner told than by a wait */
        error = -EINTR;
    else if (!error)
        mr_unlock(&other->topic->shm->lock);
    if (!error)
        error = mr_producer_open(other->topic, NULL, &other->producer);
    ck_assert_msg(!error || error == -ENOENT || error == -EIDRM || error == -EINTR, "attach: %d",
                  error);
    if (error)
        detach(other);
    return !error;
}

/* Is the record there, and nothing else? Afterwards nothing is left of the bus. */
static void must_have(const char *value)
{
    struct mr_bus *next;
    struct mr_topic *topic;
    struct mr_consumer *consumer;
    ck_assert_int_eq(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &next), 0);
    if (value) {
        ck_assert_int_eq(mr_topic_open(next, "t", &topic), 0);
        ck_assert_int_eq(mr_consumer_open(topic,
                                          &(struct mr_consumer_options){.flags = MR_UNTIL_END},
                                          &consumer),
                         0);
        ck_assert_int_eq(mr_consumer_claim(consumer, 0, 0), 1);
        next_is(consumer, value);
        mr_consumer_close(consumer);
        mr_topic_close(topic);
    }
    mr_topic_unlink(name, "t");
    ck_assert_int_eq(mr_bus_withdraw(next, 0), 0);
    mr_bus_disconnect(next);
}

/* ---- clean ---- */

static const char *const clean_words[][4] = {{"clean"}, {"clean", "--all"}, {"delete", "t"}};

/* What is appended at any moment is kept, unless the command is one that takes unread records; and
 * then it was not accepted, or it was there when the command looked. */
START_TEST(what_is_appended_between_is_kept)
{
    int stops = 0, sent = 0;
    for (pid_t pid; leave_bus(), (pid = start(clean_words[0], stops)) != 0; stops++) {
        struct other other = {0};
        int accepted = attach(&other) && put(other.producer, 0, "x") == 1;
        detach(&other);
        ck_assert_int_eq(finish(pid), 0);
        must_have(accepted ? "x" : NULL);
        sent += accepted;
    }
    must_have(NULL);
    ck_assert_int_gt(sent, 10); /* it did attach while clean was looking */
    ck_assert_int_lt(sent, stops);
}
END_TEST

/* A topic in use stays, whatever the command. */
START_TEST(who_attaches_between_is_not_deprived)
{
    int stops = 0, sent = 0;
    for (pid_t pid; leave_bus(), (pid = start(clean_words[_i], stops)) != 0; stops++) {
        struct other other = {0};
        int attached = attach(&other), status = finish(pid);
        ck_assert_int_eq(status, _i == 2 && attached);
        if (attached) {
            ck_assert_int_eq(put(other.producer, 0, "x"), 1);
            ck_assert(mr_bus_named(other.bus));
        }
        detach(&other);
        must_have(attached ? "x" : NULL);
        sent += attached;
    }
    must_have(NULL);
    ck_assert_int_gt(sent, 10);
    ck_assert_int_lt(sent, stops);
}
END_TEST

/* A client that is attached to the bus, and to no topic yet, keeps its bus: the next broker's
 * topics are to be its. */
START_TEST(who_connects_between_keeps_the_bus)
{
    int stops = 0, came = 0;
    for (pid_t pid; leave_bus(), (pid = start(clean_words[_i], stops)) != 0; stops++) {
        struct other other = {0};
        int error = mr_bus_connect(name, &options, &other.bus);
        ck_assert_msg(!error || error == -ENOENT, "connect: %d", error);
        ck_assert_int_eq(finish(pid), 0);
        ck_assert(error || mr_bus_named(other.bus));
        detach(&other);
        must_have(NULL);
        came += !error;
    }
    must_have(NULL);
    ck_assert_int_gt(came, 10);
    ck_assert_int_lt(came, stops);
}
END_TEST

/* A topic that is made under a name that has just become free is not what is deleted. */
START_TEST(topic_made_between_is_not_deleted_for_the_old_one)
{
    struct mr_settings settings = {
        .size_bytes = 4096, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600};
    const char *const words[] = {"delete", "--force", "t", NULL};
    int stops = 0, made = 0;
    for (pid_t pid; leave_bus(), (pid = start(words, stops)) != 0; stops++) {
        struct other other = {0};
        struct mr_topic *old;
        int sent = 0;
        ck_assert_int_eq(mr_bus_connect(name, &options, &other.bus), 0);
        /* Opening what is marked deleted takes its name away. */
        if (mr_topic_open(other.bus, "t", &old) == 0)
            mr_topic_close(old);
        else if (mr_topic_create_segment(other.bus, "t", &settings) == 0) {
            ck_assert_int_eq(mr_topic_open(other.bus, "t", &other.topic), 0);
            ck_assert_int_eq(mr_producer_open(other.topic, NULL, &other.producer), 0);
            ck_assert_int_eq(put(other.producer, 0, "x"), 1);
            sent = 1;
        }
        detach(&other);
        finish(pid);
        must_have(sent ? "x" : NULL);
        made += sent;
    }
    must_have(NULL);
    ck_assert_int_gt(made, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("between");
    TCase *tcase = tcase_create("between");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 25);
    tcase_add_test(tcase, what_is_appended_between_is_kept);
    tcase_add_loop_test(tcase, who_attaches_between_is_not_deprived, 0, 3);
    tcase_add_loop_test(tcase, who_connects_between_keeps_the_bus, 0, 2);
    tcase_add_test(tcase, topic_made_between_is_not_deleted_for_the_old_one);
    return test_main(suite);
}
