/* check_control.c - the messages between clients and broker: what is refused, and that a bad or
 * absent server never hangs a client. */
#include "core/control.h"
#include "tests/clock/clock.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char bus[MR_BUS_NAME_MAX + 1];
static uid_t self;

static void setup(void)
{
    snprintf(bus, sizeof bus, "check-control-%d", (int)getpid());
    self = getuid();
}

static struct mr_control_msg message(uint32_t op)
{
    struct mr_control_msg msg = {.magic = MR_CONTROL_MAGIC, .op = op};
    strcpy(msg.topic, "orders");
    return msg;
}

static int listener(uid_t owner)
{
    struct sockaddr_un address;
    socklen_t len = mr_control_address(owner, bus, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    return fd;
}

enum behaviour { ANSWERS, CLOSES, CUTS_SHORT, TOO_LONG, OTHER_OP, OTHER_MAGIC };

/* A server in a child that serves one connection and exits 0 if the request arrived whole. */
static pid_t server(int fd, enum behaviour how)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int peer = accept(fd, NULL, NULL);
    struct mr_control_msg msg;
    if (how == CLOSES)
        _exit(0);
    ssize_t n = recv(peer, &msg, sizeof msg, 0);
    if (n < 0 || mr_control_check(&msg, (size_t)n) != 0 || strcmp(msg.topic, "orders") != 0)
        _exit(1);
    msg.pid = getpid();
    msg.status = -EEXIST;
    char longer[sizeof msg + 8] = {0};
    memcpy(longer, &msg, sizeof msg);
    if (how == OTHER_OP)
        msg.op = msg.op == MR_CONTROL_PING ? MR_CONTROL_STOP : MR_CONTROL_PING;
    if (how == OTHER_MAGIC)
        msg.magic++;
    if (how == TOO_LONG)
        send(peer, longer, sizeof longer, MSG_NOSIGNAL);
    else
        send(peer, &msg, how == CUTS_SHORT ? sizeof msg - 1 : sizeof msg, MSG_NOSIGNAL);
    _exit(0);
}

static void ended_well(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(address_is_abstract_and_names_owner_and_bus)
{
    struct sockaddr_un address;
    socklen_t len = mr_control_address(1000, "default", &address);
    static const char name[] = "\0millrace.1000.default";
    ck_assert_uint_eq(len, offsetof(struct sockaddr_un, sun_path) + sizeof name - 1);
    ck_assert_mem_eq(address.sun_path, name, sizeof name - 1);
    ck_assert_int_eq(address.sun_family, AF_UNIX);
}
END_TEST

START_TEST(address_of_the_longest_name_fits)
{
    struct sockaddr_un address;
    char name[MR_BUS_NAME_MAX + 1] = {0};
    memset(name, 'x', MR_BUS_NAME_MAX);
    ck_assert_uint_le(mr_control_address((uid_t)-1, name, &address), sizeof address);
}
END_TEST

START_TEST(well_formed_requests_pass)
{
    for (uint32_t op = MR_CONTROL_HELLO; op <= MR_CONTROL_STOP; op++) {
        struct mr_control_msg msg = message(op);
        ck_assert_int_eq(mr_control_check(&msg, sizeof msg), 0);
    }
}
END_TEST

START_TEST(malformed_requests_are_refused)
{
    struct mr_control_msg msg = message(MR_CONTROL_PING);
    ck_assert_int_eq(mr_control_check(&msg, 0), -EBADMSG);
    ck_assert_int_eq(mr_control_check(&msg, sizeof msg - 1), -EBADMSG);
    ck_assert_int_eq(mr_control_check(&msg, sizeof msg + 1), -EBADMSG);
    msg.op = 0;
    ck_assert_int_eq(mr_control_check(&msg, sizeof msg), -EBADMSG);
    msg.op = MR_CONTROL_STOP + 1;
    ck_assert_int_eq(mr_control_check(&msg, sizeof msg), -EBADMSG);
    msg = message(MR_CONTROL_PING);
    msg.magic ^= 0x01000000; /* another version */
    ck_assert_int_eq(mr_control_check(&msg, sizeof msg), -EBADMSG);
    msg = message(MR_CONTROL_CREATE);
    memset(msg.topic, 'x', sizeof msg.topic);
    ck_assert_int_eq(mr_control_check(&msg, sizeof msg), -EBADMSG);
}
END_TEST

START_TEST(request_without_a_server_is_refused_at_once)
{
    struct mr_control_msg msg = message(MR_CONTROL_PING), reply;
    clock_begin(CLOCK_ALONE);
    ck_assert_int_eq(mr_control_request(self, bus, &msg, &reply, 5000000000), -ECONNREFUSED);
    ck_assert_int_eq(mr_control_request(self, bus, &msg, NULL, 0), -ECONNREFUSED);
    ck_assert_int_eq(clock_now_ns(), 0);
}
END_TEST

START_TEST(request_and_answer_arrive_whole)
{
    int fd = listener(self);
    struct mr_control_msg msg = message(MR_CONTROL_CREATE), reply;
    msg.magic = 0; /* filled in by the request */
    pid_t pid = server(fd, ANSWERS);
    ck_assert_int_eq(mr_control_request(self, bus, &msg, &reply, -1), 0);
    ck_assert_int_eq(reply.status, -EEXIST);
    ck_assert_int_eq(reply.pid, pid);
    ck_assert_int_eq(reply.op, MR_CONTROL_CREATE);
    ended_well(pid);
    close(fd);
}
END_TEST

START_TEST(hello_waits_for_no_answer_and_still_arrives)
{
    int fd = listener(self);
    struct mr_control_msg msg = message(MR_CONTROL_HELLO);
    ck_assert_int_eq(mr_control_request(self, bus, &msg, NULL, 0), 0);
    ended_well(server(fd, ANSWERS)); /* accepts only after the client has closed */
    close(fd);
}
END_TEST

START_TEST(server_that_closes_without_an_answer_is_no_server)
{
    int fd = listener(self);
    struct mr_control_msg msg = message(MR_CONTROL_PING), reply;
    pid_t pid = server(fd, CLOSES);
    ck_assert_int_eq(mr_control_request(self, bus, &msg, &reply, 5000000000), -ECONNREFUSED);
    ended_well(pid);
    close(fd);
}
END_TEST

START_TEST(malformed_answer_is_an_error_and_leaves_the_reply_alone)
{
    static const enum behaviour wrong[] = {CUTS_SHORT, TOO_LONG, OTHER_OP, OTHER_MAGIC};
    int fd = listener(self);
    struct mr_control_msg msg = message(MR_CONTROL_PING), reply = {.pid = -7};
    pid_t pid = server(fd, wrong[_i]);
    ck_assert_int_eq(mr_control_request(self, bus, &msg, &reply, 5000000000), -EBADMSG);
    ck_assert_int_eq(reply.pid, -7);
    ended_well(pid);
    close(fd);
}
END_TEST

START_TEST(stopped_server_costs_no_more_than_the_timeout)
{
    int fd = listener(self); /* listens, and never accepts */
    struct mr_control_msg msg = message(MR_CONTROL_PING), reply;
    clock_begin(CLOCK_ALONE);
    ck_assert_int_eq(mr_control_request(self, bus, &msg, &reply, 100000000), -ETIMEDOUT);
    ck_assert_int_eq(clock_now_ns(), 100000000);
    close(fd);
}
END_TEST

/* Here it is the kernel that ends the wait. */
START_TEST(full_backlog_ends_with_the_timeout)
{
    int fd = listener(self);
    struct mr_control_msg msg = message(MR_CONTROL_HELLO);
    int rc = 0;
    for (int i = 0; i < 100 && rc == 0; i++)
        rc = mr_control_request(self, bus, &msg, NULL, 50000000);
    ck_assert_int_eq(rc, -ETIMEDOUT);
    close(fd);
}
END_TEST

START_TEST(server_of_another_user_is_not_trusted)
{
    if (self != 0)
        return; /* only root can play another user */
    pid_t pid = fork();
    if (pid == 0) {
        if (setuid(65534) != 0)
            _exit(1);
        int fd = listener(4242); /* squats on the name of user 4242 */
        int peer = accept(fd, NULL, NULL);
        char byte;
        _exit(recv(peer, &byte, 1, 0) == 0 ? 0 : 2); /* nothing may have been sent */
    }
    struct mr_control_msg msg = message(MR_CONTROL_PING), reply;
    int rc = -ECONNREFUSED;
    for (int i = 0; i < 500 && rc == -ECONNREFUSED; i++) {
        usleep(10000); /* sleep:ok between two tries, until the other one listens */
        rc = mr_control_request(4242, bus, &msg, &reply, 1000000000);
    }
    ck_assert_int_eq(rc, -EPERM);
    ended_well(pid);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *tcase = tcase_create("control");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, address_is_abstract_and_names_owner_and_bus);
    tcase_add_test(tcase, address_of_the_longest_name_fits);
    tcase_add_test(tcase, well_formed_requests_pass);
    tcase_add_test(tcase, malformed_requests_are_refused);
    tcase_add_test(tcase, request_without_a_server_is_refused_at_once);
    tcase_add_test(tcase, request_and_answer_arrive_whole);
    tcase_add_test(tcase, hello_waits_for_no_answer_and_still_arrives);
    tcase_add_test(tcase, server_that_closes_without_an_answer_is_no_server);
    tcase_add_loop_test(tcase, malformed_answer_is_an_error_and_leaves_the_reply_alone, 0, 4);
    tcase_add_test(tcase, stopped_server_costs_no_more_than_the_timeout);
    tcase_add_test(tcase, full_backlog_ends_with_the_timeout);
    tcase_add_test(tcase, server_of_another_user_is_not_trusted);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
