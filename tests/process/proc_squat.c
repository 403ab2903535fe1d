/* proc_squat.c - the name of a bus's socket is held by a process that is no broker of it: the
 * message says by which, and what helps. (Names in /dev/shm: e2e_users.) */
#include "core/control.h"
#include "tests/shared/support.h"

static char name[MR_BUS_NAME_MAX + 1], text[4096];

static void setup(void)
{
    bus_setup();
    strcpy(name, mr_bus_name(bus));
    mr_bus_disconnect(bus); /* a bus whose broker is gone */
    bus = NULL;
}

static void teardown(void)
{
    mr_bus_remove(name);
}

struct squatter {
    int listens, other_user, ready;
};

static int squats(void *arg)
{
    const struct squatter *how = arg;
    struct sockaddr_un address;
    socklen_t len = mr_control_address(geteuid(), name, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (how->other_user && setuid(65534) < 0)
        return 1;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
        (how->listens && listen(fd, 64) < 0))
        return 2;
    if (write(how->ready, "x", 1) != 1)
        return 3;
    for (;;)
        pause();
}

/* What a program says, with "-b NAME" behind its words, and its exit status. */
static int answer(const char *words)
{
    const char *bin = getenv("MILLRACE_BIN");
    char command[4096];
    snprintf(command, sizeof command, "timeout 60 %s/%s -b %s 2>&1 </dev/null", bin ? bin : "bin",
             words, name);
    FILE *out = popen(command, "r"); /* NOLINT(cert-env33-c) */
    ck_assert_ptr_nonnull(out);
    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    int status = pclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static pid_t squat(int listens, int other_user)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = child(squats, &(struct squatter){listens, other_user, fds[1]});
    ck_assert_int_eq(said(fds[0]), 'x');
    close(fds[0]);
    close(fds[1]);
    return pid;
}

#define SAYS(...)                                                                                  \
    do {                                                                                           \
        char wanted[512];                                                                          \
        snprintf(wanted, sizeof wanted, __VA_ARGS__);                                              \
        ck_assert_msg(strstr(text, wanted), "not \"%s\" but: %s", wanted, text);                   \
    } while (0)

START_TEST(socket_of_another_user_is_named)
{
    static const char *const commands[] = {"broker create x", "broker ping", "broker stop",
                                           "producer x",
                                           "broker"}; /* last: it removes the bus again */
    if (geteuid() != 0)
        return; /* cannot be another user */
    pid_t pid = squat(1, 1);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        ck_assert_int_ne(answer(commands[i]), 0);
        SAYS("pid %d of user nobody holds the socket of bus \"%s\"; end it, or use another bus (-b "
             "NAME)",
             (int)pid, name);
    }
    killed(pid);
    ck_assert_int_eq(answer("broker ping"), 3);
    SAYS("start one with: broker -b %s", name);
}
END_TEST

START_TEST(socket_of_ones_own_is_named)
{
    pid_t pid = squat(1, 0);
    ck_assert_int_eq(answer("broker"), 1);
    SAYS("pid %d holds the socket of bus \"%s\", but not the bus in this /dev/shm", (int)pid, name);
    killed(pid);
}
END_TEST

START_TEST(socket_that_nobody_listens_on_is_said_to_be_that)
{
    pid_t pid = squat(0, 0);
    ck_assert_int_eq(answer("broker"), 1);
    SAYS("another process holds the socket of bus \"%s\" and does not listen on it; end it", name);
    killed(pid);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("squat");
    TCase *tcase = tcase_create("squat");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, socket_of_another_user_is_named);
    tcase_add_test(tcase, socket_of_ones_own_is_named);
    tcase_add_test(tcase, socket_that_nobody_listens_on_is_said_to_be_that);
    return test_main(suite);
}
