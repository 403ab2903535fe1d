/* fuzz_broker_control.c - any bytes as datagrams on the control socket, through all that the
 * serving broker does with them.
 * Settings are tried for real, in files that a limit keeps small. */
#include "broker/serve.c" /* NOLINT(bugprone-suspicious-include): its insides are what is tried */

#include "core/segment.h"
#include "fuzz.h"
#include <stdlib.h>

static struct server server;
static struct serve_options options = {
    .defaults =
        {.size_bytes = 8192, .partitions = 1, .full = MR_FULL_BLOCK, .tries = 3, .mode = 0600},
    .group = (gid_t)-1,
    .automatic = 1,
    .ready_fds = {-1, -1},
};
static char prefix[MR_PATH_MAX];

/* Takes away what was created. Returns how many there were. */
static size_t remove_topics(void)
{
    char **names, path[2 * MR_PATH_MAX];
    ssize_t n = mr_segment_list(prefix + 1, &names);
    for (ssize_t i = 0; i < n; i++) {
        MUST(mr_name_check(MR_NAME_TOPIC, names[i]) == NULL);
        snprintf(path, sizeof path, "/dev/shm%s%s", prefix, names[i]);
        unlink(path);
    }
    free(names);
    return (size_t)n;
}

static void remove_bus(void)
{
    remove_topics();
    mr_bus_remove(options.bus);
}

static int begin(void)
{
    static char name[MR_BUS_NAME_MAX + 1];
    struct rlimit limit = {.rlim_cur = 4 << 20, .rlim_max = 4 << 20};
    program_quiet = 1;
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    snprintf(name, sizeof name, "test-%d-fuzz", (int)getpid());
    options.bus = name;
    server = (struct server){.options = &options, .signals = -1, .listener = -1};
    MUST(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &server.bus) == 0);
    atexit(remove_bus);
    mr_segment_name(prefix, geteuid(), name, "");
    MUST((server.epoll = epoll_create1(EPOLL_CLOEXEC)) >= 0);
    MUST(supervise_open(server.bus, server.epoll, ABOUT(ABOUT_CLIENT, 0), 0, &server.held_up,
                        &server.keep) == 0);
    return 1;
}

/* One datagram on a connection of its own, as a client would send it. */
static void deliver(const void *bytes, size_t len)
{
    int pair[2];
    struct mr_control_msg answer;
    const struct mr_control_msg *request = bytes;
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    MUST(send(pair[1], bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
    for (unsigned idx = 0; idx < CONNECTIONS_MAX; idx++)
        server.connections[idx].fd = -1;
    server.connections[3].fd = pair[0];
    server.connection_cnt = 1;
    answer_request(&server, 3);
    MUST(server.connections[3].fd == -1 && server.connection_cnt == 0);
    ssize_t n = recv(pair[1], &answer, sizeof answer, MSG_TRUNC);
    if (n > 0) {
        MUST((size_t)n == sizeof answer && mr_control_check(&answer, (size_t)n) == 0 &&
             len == sizeof answer);
        MUST(answer.op == request->op && answer.pid == (int32_t)getpid() && answer.status <= 0);
    }
    close(pair[1]);
    server.ending = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int begun;
    begun = begun || begin();
    struct fuzz_input in = {data, size};
    uint8_t how = (uint8_t)fuzz_take(&in, 1);
    struct mr_control_msg msg = {.magic = MR_CONTROL_MAGIC};
    if (how & 1) { /* as it is */
        char *bytes = malloc(in.left ? in.left : 1);
        MUST(bytes);
        memcpy(bytes, in.at, in.left);
        deliver(bytes, in.left);
        free(bytes);
        return 0;
    }
    /* Fields of the right size, so that more than the length is wrong. */
    while (in.left) {
        msg.op = (uint32_t)fuzz_take(&in, 1) % 6;
        msg.slot = (uint32_t)fuzz_take(&in, 4);
        msg.automatic = (uint32_t)fuzz_take(&in, 1);
        msg.settings = (struct mr_settings_shm){.size_bytes = fuzz_take(&in, 6),
                                                .records_max = fuzz_take(&in, 8)};
        msg.settings.record_max_bytes = fuzz_take(&in, 8);
        msg.settings.partitions = (uint32_t)fuzz_take(&in, 2);
        msg.settings.full = (uint32_t)fuzz_take(&in, 1);
        msg.settings.tries = (uint32_t)fuzz_take(&in, 2);
        msg.settings.mode = (uint32_t)fuzz_take(&in, 2);
        size_t len = (size_t)fuzz_take(&in, 1);
        memset(msg.topic, 0, sizeof msg.topic);
        for (size_t i = 0; i < len && i < sizeof msg.topic; i++)
            msg.topic[i] = (char)fuzz_take(&in, 1);
        deliver(&msg, sizeof msg);
    }
    if (remove_topics())
        supervise_topics(server.keep);
    return 0;
}
