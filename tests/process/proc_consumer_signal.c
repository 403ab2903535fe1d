/* proc_consumer_signal.c - a signal ends every wait of the consumer with the status of that signal,
 * and without a word about what it was in: here waits for a lock whose holder is stopped.
 * not under SAN=thread: its locks do not tell whom they wait for */
#include "tests/shared/support.h"

#include <sys/mman.h>

static struct mr_topic *topic, *target;
static int said_fd; /* a file without a name, for what the consumer says */

static void setup(void)
{
    topic = topic_make("t", (struct mr_settings){0});
    target = topic_make("target", (struct mr_settings){0});
    said_fd = memfd_create("said", MFD_CLOEXEC);
    ck_assert_int_ge(said_fd, 0);
}

/* ---- who stops inside a lock ---- */

enum held { TOPIC, GROUP, LOG, TARGET };

static int stops_inside(void *arg)
{
    enum held held = *(const enum held *)arg;
    struct mr_topic *t = topic_of_child(held == TARGET ? "target" : "t");
    struct mr_lock_shm *lock = held == GROUP ? &t->groups[0].lock
                               : held == LOG ? &t->logs[0].lock
                                             : &t->shm->lock;
    if (mr_lock(t, lock))
        return 1;
    raise(SIGSTOP);
    mr_unlock(lock);
    topic_leave(t);
    return 0;
}

static pid_t holder_of(enum held held)
{
    int status;
    pid_t pid = child(stops_inside, &held);
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert_msg(WIFSTOPPED(status), "the holder ended with status %x", (unsigned)status);
    return pid;
}

/* ---- the program ---- */

/* Starts "consumer WORDS". */
static pid_t start(const char *words)
{
    const char *bin = getenv("MILLRACE_BIN");
    char line[512];
    snprintf(line, sizeof line, "exec '%s/consumer' -b '%s' %s >/dev/null", bin ? bin : "bin",
             mr_bus_name(bus), words);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (dup2(said_fd, STDERR_FILENO) == STDERR_FILENO)
            execl("/bin/sh", "sh", "-c", line, NULL);
        _exit(99);
    }
    return pid;
}

static const char *what_it_said(void)
{
    static char text[4096];
    ssize_t n = pread(said_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static int waits_for(pid_t holder)
{
    char words[64];
    snprintf(words, sizeof words, "waiting for a lock that pid %d holds", (int)holder);
    return strstr(what_it_said(), words) != NULL;
}

static void lines_are_notices(void)
{
    for (const char *line = what_it_said(); *line;) {
        size_t len = strcspn(line, "\n");
        ck_assert_msg(memmem(line, len, "waiting for", 11) ||
                          memmem(line, len, " records/s,", 11) ||
                          memmem(line, len, " 0 records,", 11),
                      "it says: %s", what_it_said());
        line += len + (line[len] == '\n');
    }
}

/* ---- waits ---- */

static const struct {
    const char *words;
    enum held held;
    int joined; /* the lock is held from when it waits for records on; else from before it starts */
} waits[] = {
    {"-e t", TOPIC, 0},            /* join */
    {"-e -o beginning t", LOG, 0}, /* make a group */
    {"t", GROUP, 1},               /* claim */
    {"t -- cat", GROUP, 1},        /* the same, for a worker */
    {"-j 2 t -- cat", TOPIC, 1},   /* one more handle for the workers */
    {"-j 2 -f json t -- cat", TOPIC, 1},
    {"--into target t -- cat", TARGET, 0},   /* attach to where the output goes */
    {"--on-fail dead t -- false", TOPIC, 1}, /* one more handle, and a dead letter */
};

START_TEST(signal_ends_a_wait_for_a_lock_with_its_own_status)
{
    const char *words = waits[_i / 2].words;
    enum held held = waits[_i / 2].held;
    int number = _i % 2 ? SIGINT : SIGTERM, joined = waits[_i / 2].joined, status;
    struct mr_producer *producer = producer_on(topic);
    pid_t holder = joined ? 0 : holder_of(held);
    pid_t pid = start(words);
    if (joined) {
        wait_until(strstr(what_it_said(), "t: waiting for records"));
        holder = holder_of(held);
        ck_assert_int_eq(put(producer, 0, "one"), 1);
    }
    wait_until(waits_for(holder));
    ck_assert_int_eq(kill(pid, number), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 128 + number,
                  "\"%s\" ended with %x: %s", words, (unsigned)status, what_it_said());
    lines_are_notices();
    ck_assert_int_eq(kill(holder, SIGCONT), 0);
    ck_assert_int_eq(ended(holder), 0);

    /* What it had is given back, and nothing is blamed for it. */
    struct mr_consumer *consumer = consumer_with(topic, (struct mr_consumer_options){0});
    struct mr_record record;
    while (mr_consumer_claim(consumer, 0, 0) > 0)
        while (mr_consumer_next(consumer, &record) > 0)
            ck_assert_uint_eq(record.try_number, 1);
    mr_consumer_close(consumer);
    mr_producer_close(producer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consumer_signal");
    TCase *tc = test_case(suite, "waits");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_loop_test(tc, signal_ends_a_wait_for_a_lock_with_its_own_status, 0,
                        2 * sizeof waits / sizeof waits[0]);
    return test_main(suite);
}
