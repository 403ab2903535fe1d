/* proc_broker_flood.c - the control socket under attack: half-open and slow clients, datagrams of
 * any size and content, floods, and other users. Whatever comes, the broker answers, keeps its
 * descriptors, and lets no process in that has no right. (Messages by themselves: check_control.c,
 * tests/fuzz/fuzz_broker_control.c.) */
#include "broker/commands.h"
#include "broker/serve.h"
#include "cli/program.h"
#include "core/client.h"
#include "core/control.h"
#include "tests/clock/clock.h"
#include "tests/shared/support.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>

static char name[MR_BUS_NAME_MAX + 1];
static pid_t broker;

static int serves(void *arg)
{
    struct serve_options options = {.bus = name,
                                    .defaults = {.size_bytes = 8192,
                                                 .partitions = 1,
                                                 .full = MR_FULL_BLOCK,
                                                 .tries = 3,
                                                 .mode = 0600},
                                    .group = (gid_t)-1,
                                    .automatic = 1,
                                    .ready_fds = {*(int *)arg, -1}};
    program_quiet = 1;
    return broker_serve(&options);
}

static int ping(int64_t timeout_ns)
{
    struct mr_control_msg request = {.op = MR_CONTROL_PING}, reply;
    int error = mr_control_request(geteuid(), name, &request, &reply, timeout_ns);
    return error ? error : reply.pid == broker ? 0 : -EBADMSG;
}

static void setup(void)
{
    int ready[2];
    snprintf(name, sizeof name, "%s", bus_new_name());
    ck_assert_int_eq(pipe(ready), 0);
    clock_begin(CLOCK_TURNED);
    broker = child(serves, &ready[1]);
    clock_go(CLOCK_REAL); /* for ourselves */
    close(ready[1]);
    ck_assert_int_eq(said(ready[0]), 'R');
    close(ready[0]);
    ck_assert_int_eq(ping(HUNG_NS), 0);
}

static void teardown(void)
{
    ck_assert_int_eq(kill(broker, SIGTERM), 0);
    ck_assert_int_eq(ended(broker), 0);
}

/* A connection, or a negative errno; it never waits. */
static int reach(void)
{
    struct sockaddr_un address;
    socklen_t len = mr_control_address(geteuid(), name, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, len) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static int descriptors(void)
{
    char path[64];
    int n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)broker);
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* Lets time pass for the broker; when this returns, it has dealt with all that has come. */
static void pass(int64_t ns)
{
    ck_assert_int_eq(clock_pass(ns, &broker, 1), 0);
}

static int kept_descriptors(void)
{
    pass(0);
    return descriptors();
}

/* 1 once the other side has hung up (0 bytes, or a reset). */
static int hangs_up(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char byte;
    return poll(&wait, 1, timeout_ms) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

static int hung_up(int fd)
{
    return hangs_up(fd, (int)(HUNG_NS / 1000000));
}

#define PLACES  64                     /* connections at a time */
#define MOST    (2 * (int64_t)SECOND)  /* the time for a request while all places are taken */
#define PATIENT (10 * (int64_t)SECOND) /* and while one is free */

static int pings(void *arg)
{
    (void)arg;
    return ping(HUNG_NS);
}

START_TEST(half_open_clients_are_hung_up_and_keep_nobody_out_for_long)
{
    int fds[300], n = 0, before = kept_descriptors();
    while (n < 300 && (fds[n] = reach()) >= 0)
        n++;
    ck_assert_int_ge(n, PLACES); /* all places, and what the kernel queues */
    pid_t waits = child(pings, NULL);
    pass(MOST - 1000000);
    for (int i = 0; i < n; i++)
        ck_assert(!hangs_up(fds[i], 0));
    pass(1000000);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(hangs_up(fds[i], 0), i < PLACES);
    pass((n - 1) / PLACES * MOST); /* as many at a time */
    pass(PATIENT);                 /* the last of them leave a place free */
    for (int i = 0; i < n; i++) {
        ck_assert(hangs_up(fds[i], 0));
        close(fds[i]);
    }
    ck_assert_int_eq(ended(waits), 0);
    wait_until(descriptors() == before);
    ck_assert_int_eq(ping(HUNG_NS), 0);
}
END_TEST

/* What hardly gets a processor may be long between its connect and its send. */
START_TEST(who_is_slow_to_ask_is_answered_while_there_is_a_place)
{
    struct mr_control_msg request = {.magic = MR_CONTROL_MAGIC, .op = MR_CONTROL_PING}, reply;
    int slow = reach(), silent = reach();
    ck_assert_int_ge(slow, 0);
    ck_assert_int_ge(silent, 0);
    pass(PATIENT - 1000000);
    ck_assert_int_eq(send(slow, &request, sizeof request, MSG_NOSIGNAL), sizeof request);
    ck_assert_int_eq(mr_control_answer(slow, MR_CONTROL_PING, &reply, HUNG_NS), 0);
    ck_assert_int_eq(reply.pid, broker);
    pass(1000000);
    ck_assert(hangs_up(silent, 0));
    close(slow);
    close(silent);
}
END_TEST

static int pings_by_command(void *arg)
{
    clock_go(CLOCK_TURNED);
    program_quiet = 1;
    return command_ping(&(struct command_line){.bus = arg});
}

/* We play the broker: it runs, but answers as late as one that hardly gets a processor. */
START_TEST(broker_that_answers_late_is_not_taken_for_stopped)
{
    const char *late = bus_new_name();
    struct mr_control_msg msg;
    struct sockaddr_un address;
    struct mr_bus *ours;
    ck_assert_int_eq(mr_bus_serve(late, 0600, (gid_t)-1, NULL, &ours), 0);
    socklen_t len = mr_control_address(geteuid(), late, &address);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    pid_t asks = child(pings_by_command, (void *)late);
    int fd = accept(listener, NULL, NULL);
    ck_assert_int_eq(recv(fd, &msg, sizeof msg, 0), sizeof msg);
    ck_assert_int_eq(clock_pass(9 * (int64_t)SECOND, &asks, 1), 0);
    ck_assert_int_eq(send(fd, &msg, sizeof msg, MSG_NOSIGNAL), sizeof msg);
    ck_assert_int_eq(ended(asks), 0);
    close(fd);
    close(listener);
    mr_bus_disconnect(ours);
}
END_TEST

START_TEST(datagrams_of_any_size_are_refused_and_harm_nobody)
{
    static char bytes[100000];
    static const size_t sizes[] = {0,
                                   1,
                                   4,
                                   sizeof(struct mr_control_msg) - 1,
                                   sizeof(struct mr_control_msg),
                                   sizeof(struct mr_control_msg) + 1,
                                   4096,
                                   65536,
                                   sizeof bytes};
    int before = kept_descriptors();
    for (int fill = 0; fill < 3; fill++) {
        memset(bytes, fill == 1 ? 0xff : 0, sizeof bytes);
        if (fill == 2) /* the right beginning */
            memcpy(bytes, &(struct mr_control_msg){.magic = MR_CONTROL_MAGIC, .op = 77},
                   sizeof(struct mr_control_msg));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            int fd = reach();
            ck_assert_int_ge(fd, 0);
            ck_assert_int_eq(send(fd, bytes, sizes[i], MSG_NOSIGNAL), (ssize_t)sizes[i]);
            ck_assert(hung_up(fd));
            close(fd);
        }
    }
    ck_assert_int_eq(ping(HUNG_NS), 0);
    wait_until(descriptors() == before);
}
END_TEST

START_TEST(clients_that_ask_and_do_not_read_the_answer_are_in_nobodys_way)
{
    struct mr_control_msg request = {.magic = MR_CONTROL_MAGIC, .op = MR_CONTROL_PING};
    int fds[40], before = kept_descriptors();
    for (int i = 0; i < 40; i++) {
        fds[i] = reach();
        ck_assert_int_ge(fds[i], 0);
        for (int k = 0; k < 3; k++) /* one request a connection: the others stay unused */
            if (send(fds[i], &request, sizeof request, MSG_NOSIGNAL) < 0)
                ck_assert(errno == EPIPE || errno == ECONNRESET);
    }
    ck_assert_int_eq(ping(HUNG_NS), 0);
    wait_until(descriptors() == before);
    for (int i = 0; i < 40; i++)
        close(fds[i]);
}
END_TEST

/* Connects, sends anything or nothing, goes away: as fast as it can. */
static int floods(void *arg)
{
    unsigned state = (unsigned)getpid() | 1, n = 0;
    (void)arg;
    for (; n < 20000; n++) {
        struct mr_control_msg msg = {
            .magic = MR_CONTROL_MAGIC, .op = 1 + n % 3, .slot = state, .automatic = n & 1};
        int fd = reach();
        if (fd < 0)
            continue;
        state = state * 1103515245 + 12345;
        for (size_t i = 0; i < 20; i++)
            msg.topic[i] = (char)(state >> i % 24);
        if (n % 4)
            send(fd, &msg, n % 3 ? sizeof msg : state % sizeof msg, MSG_NOSIGNAL);
        close(fd);
    }
    return 0;
}

START_TEST(flood_slows_nobody_down_for_long)
{
    int before = kept_descriptors();
    pid_t flooders[3];
    for (int i = 0; i < 3; i++)
        flooders[i] = child(floods, NULL);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(ping(HUNG_NS), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ended(flooders[i]), 0);
    ck_assert_int_eq(ping(HUNG_NS), 0);
    wait_until(descriptors() == before);
}
END_TEST

static int asks_as_another(void *arg)
{
    struct mr_control_msg request = {
        .magic = MR_CONTROL_MAGIC, .op = *(uint32_t *)arg, .topic = "stolen"};
    uid_t owner = geteuid();
    struct sockaddr_un address;
    socklen_t len = mr_control_address(owner, name, &address);
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 1;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, len) < 0)
        return 2;
    send(fd, &request, sizeof request, MSG_NOSIGNAL);
    return hung_up(fd) ? 0 : 3;
}

START_TEST(another_user_is_hung_up_without_an_answer)
{
    if (geteuid() != 0)
        return; /* only root can play another user */
    uint32_t op = MR_CONTROL_CREATE + (uint32_t)_i;
    ck_assert_int_eq(ended(child(asks_as_another, &op)), 0);
    ck_assert_int_eq(ping(HUNG_NS), 0);
    char path[2 * MR_PATH_MAX], segment[MR_PATH_MAX];
    mr_segment_name(segment, geteuid(), name, "stolen");
    snprintf(path, sizeof path, "/dev/shm%s", segment);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(names_and_settings_from_the_socket_are_checked_by_the_broker)
{
    static const char *const names[] = {"../x", "a/b", "", ".x", "a\nb", "-x"};
    struct mr_control_msg request = {.op = MR_CONTROL_CREATE}, reply;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        memset(request.topic, 0, sizeof request.topic);
        strcpy(request.topic, names[i]);
        ck_assert_int_eq(mr_control_request(geteuid(), name, &request, &reply, HUNG_NS), 0);
        ck_assert_int_eq(reply.status, -EINVAL);
    }
    strcpy(request.topic, "wrong");
    request.settings.mode = 04755;
    ck_assert_int_eq(mr_control_request(geteuid(), name, &request, &reply, HUNG_NS), 0);
    ck_assert_int_eq(reply.status, -EINVAL);
    request.settings = (struct mr_settings_shm){.partitions = MR_PARTITIONS_MAX + 1};
    ck_assert_int_eq(mr_control_request(geteuid(), name, &request, &reply, HUNG_NS), 0);
    ck_assert_int_eq(reply.status, -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flood");
    TCase *tcase = tcase_create("control socket");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, half_open_clients_are_hung_up_and_keep_nobody_out_for_long);
    tcase_add_test(tcase, who_is_slow_to_ask_is_answered_while_there_is_a_place);
    tcase_add_test(tcase, broker_that_answers_late_is_not_taken_for_stopped);
    tcase_add_test(tcase, datagrams_of_any_size_are_refused_and_harm_nobody);
    tcase_add_test(tcase, clients_that_ask_and_do_not_read_the_answer_are_in_nobodys_way);
    tcase_add_test(tcase, flood_slows_nobody_down_for_long);
    /* CREATE, PING, STOP */
    tcase_add_loop_test(tcase, another_user_is_hung_up_without_an_answer, 0, 3);
    tcase_add_test(tcase, names_and_settings_from_the_socket_are_checked_by_the_broker);
    return test_main(suite);
}
