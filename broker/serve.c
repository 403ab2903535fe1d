/* serve.c - the loop of the serving broker.
 *
 *   listening socket --> connections: one request each --> HELLO, CREATE, PING, STOP
 *   pidfds of clients -> supervise_client: a death, at once
 *   tick, 1 s ---------> supervise_tick: changes that were not reported
 *   signalfd ----------> the end: up to 5 s for attached consumers to finish, then supervise_finish
 *
 * It waits only in epoll_wait: sockets are nonblocking, and after half a second it gives up a lock
 * whose holder is stopped. */
#include "serve.h"
#include "cli/program.h"
#include "core/control.h"
#include "core/lifecycle.h"
#include "supervise.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64u
#define SPARE_FDS       (CONNECTIONS_MAX + 16u) /* for requests, and for opening topics meanwhile */
#define SECOND_NS       1000000000u
/* A connected client has this long to send its request, even if it hardly gets a processor; less
 * when no connection is free, since others wait for one. */
#define REQUEST_NS      (10 * (uint64_t)SECOND_NS)
#define REQUEST_FULL_NS (2 * (uint64_t)SECOND_NS)
#define ENDING_NS       (5u * SECOND_NS)
#define ENDING_STEP_NS  50000000u /* how often ending checks whether the consumers have finished */

/* data of an epoll event: its kind and index. */
enum { ABOUT_LISTENER, ABOUT_SIGNALS, ABOUT_CONNECTION, ABOUT_CLIENT };
#define ABOUT(what, idx) ((uint64_t)(what) << 32 | (idx))

struct server {
    const struct serve_options *options;
    struct mr_bus *bus;
    struct supervision *keep;
    int epoll, signals, listener;
    int accepting; /* the listener is in the epoll set */
    int held_up;   /* a lock was not taken since its holder is stopped */
    unsigned connection_cnt;
    struct {
        int fd; /* -1 free */
        uint64_t since_ns;
    } connections[CONNECTIONS_MAX];
    uint64_t tick_ns;   /* when the next is due */
    int ending;         /* how many requests to end have arrived */
    uint64_t ending_ns; /* when the first of them arrived */
};

/* ---- connections ---- */

static void accept_more(struct server *server, int yes)
{
    if (server->listener < 0 || server->accepting == yes)
        return;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = ABOUT(ABOUT_LISTENER, 0)};
    if (epoll_ctl(server->epoll, yes ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, server->listener, &event) ==
        0)
        server->accepting = yes;
}

static void hang_up(struct server *server, unsigned idx)
{
    close(server->connections[idx].fd);
    server->connections[idx].fd = -1;
    server->connection_cnt--;
    accept_more(server, 1);
}

/* 1 if the peer has this supplementary group. */
static int in_group(int fd, gid_t group)
{
    gid_t few[64], *groups = few;
    socklen_t len = sizeof few;
    int error = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len), found = 0;
    if (error < 0 && errno == ERANGE && (groups = malloc(len))) /* len says how many there are */
        error = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);
    for (size_t i = 0; !error && !found && i < len / sizeof *groups; i++)
        found = groups[i] == group;
    if (groups != few)
        free(groups);
    return found;
}

static int welcome(const struct server *server, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return 0;
    if (peer.uid == mr_bus_owner(server->bus) || peer.uid == 0)
        return 1;
    gid_t group = server->options->group == (gid_t)-1 ? getegid() : server->options->group;
    return (server->options->defaults.mode & 0060) == 0060 &&
           (peer.gid == group || in_group(fd, group));
}

static void take_connections(struct server *server)
{
    while (server->connection_cnt < CONNECTIONS_MAX) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno != EAGAIN)
                /* no descriptor or memory: listening would only spin; the tick tries again */
                accept_more(server, 0);
            return;
        }
        if (!welcome(server, fd)) {
            close(fd);
            continue;
        }
        unsigned idx = 0;
        while (server->connections[idx].fd >= 0)
            idx++;
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = ABOUT(ABOUT_CONNECTION, idx)};
        if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
            close(fd);
            continue;
        }
        server->connections[idx].fd = fd;
        server->connections[idx].since_ns = mr_now_ns();
        server->connection_cnt++;
    }
    accept_more(server, 0);
}

static uint64_t silence_ns(const struct server *server)
{
    return server->connection_cnt < CONNECTIONS_MAX ? REQUEST_NS : REQUEST_FULL_NS;
}

static void drop_silent(struct server *server, uint64_t now_ns)
{
    uint64_t most_ns = silence_ns(server);

    for (unsigned idx = 0; idx < CONNECTIONS_MAX && server->connection_cnt; idx++)
        if (server->connections[idx].fd >= 0 &&
            server->connections[idx].since_ns + most_ns <= now_ns)
            hang_up(server, idx);
}

/* ---- requests ---- */

static int create(struct server *server, const char *name, const struct mr_settings *wanted)
{
    const struct mr_settings *defaults = &server->options->defaults;
    struct mr_settings s = *wanted;
    if (mr_name_check(MR_NAME_TOPIC, name))
        return -EINVAL;
    if (!s.size_bytes)
        s.size_bytes = defaults->size_bytes;
    if (!s.partitions)
        s.partitions = defaults->partitions;
    if (s.full == MR_FULL_DEFAULT)
        s.full = defaults->full;
    if (!s.tries)
        s.tries = defaults->tries;
    if (!s.mode)
        s.mode = defaults->mode;
    int error = mr_topic_create_segment(server->bus, name, &s);
    if (error == -EEXIST) {
        /* A deleted topic may still have its name: only its owner, this process, can remove it. */
        supervise_topics(server->keep);
        error = mr_topic_create_segment(server->bus, name, &s);
    }
    if (error)
        return error;
    supervise_topic(server->keep, name);
    char size[32];
    program_notice("%s: created, %s in %" PRIu32 " partition%s", name,
                   text_bytes(size, s.size_bytes), s.partitions, s.partitions == 1 ? "" : "s");
    return 0;
}

static void told_to_end(struct server *server);

static void answer_request(struct server *server, unsigned idx)
{
    int fd = server->connections[idx].fd;
    struct mr_control_msg msg;
    struct mr_settings wanted;
    ssize_t n = recv(fd, &msg, sizeof msg, MSG_TRUNC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || mr_control_check(&msg, (size_t)n) < 0) {
        hang_up(server, idx);
        return;
    }
    msg.status = 0;
    msg.pid = (int32_t)getpid();
    switch (msg.op) {
    case MR_CONTROL_HELLO:
        if (msg.slot < mr_bus_slots(server->bus))
            supervise_client(server->keep, msg.slot, 0);
        break;
    case MR_CONTROL_CREATE:
        wanted = mr_settings_unpack(&msg.settings);
        msg.status = msg.automatic && !server->options->automatic
                         ? -EACCES
                         : create(server, msg.topic, &wanted);
        break;
    case MR_CONTROL_STOP:
        told_to_end(server);
        break;
    default: /* PING */
        break;
    }
    if (msg.op != MR_CONTROL_HELLO)
        /* a failure is the client's: it is gone or does not read */
        send(fd, &msg, sizeof msg, MSG_NOSIGNAL);
    hang_up(server, idx);
}

/* ---- the end ---- */

static void told_to_end(struct server *server)
{
    if (server->ending++)
        return;
    server->ending_ns = mr_now_ns();
    /* Later requests are to fail with "no broker" at once, not to get a topic that is about to
     * be removed. */
    close(server->listener);
    server->listener = -1;
    server->accepting = 0;
    uint64_t records;
    if (supervise_waited_for(server->keep, &records))
        program_notice("ending: waiting up to 5 s for consumers to acknowledge %" PRIu64
                       " records (a second signal ends the wait)",
                       records);
}

static int may_end(const struct server *server, uint64_t now_ns)
{
    uint64_t records;
    return server->ending > 1 ||
           (server->ending && (now_ns - server->ending_ns >= ENDING_NS ||
                               !supervise_waited_for(server->keep, &records)));
}

/* ---- the loop ---- */

static void handle(struct server *server, uint64_t about)
{
    uint32_t idx = (uint32_t)about;
    struct signalfd_siginfo info;
    switch (about >> 32) {
    case ABOUT_LISTENER:
        if (server->listener >= 0)
            take_connections(server);
        break;
    case ABOUT_SIGNALS:
        while (read(server->signals, &info, sizeof info) == sizeof info)
            told_to_end(server);
        break;
    case ABOUT_CONNECTION:
        if (server->connections[idx].fd >= 0)
            answer_request(server, idx);
        break;
    default:
        supervise_client(server->keep, idx, 1);
        break;
    }
}

static int wait_ms(const struct server *server, uint64_t now_ns)
{
    uint64_t until_ns = server->tick_ns, most_ns = silence_ns(server);
    if (supervise_due_ns(server->keep) < until_ns)
        until_ns = supervise_due_ns(server->keep);
    if (server->ending && now_ns + ENDING_STEP_NS < until_ns)
        until_ns = now_ns + ENDING_STEP_NS;
    for (unsigned idx = 0; idx < CONNECTIONS_MAX && server->connection_cnt; idx++)
        if (server->connections[idx].fd >= 0 &&
            server->connections[idx].since_ns + most_ns < until_ns)
            until_ns = server->connections[idx].since_ns + most_ns;
    return until_ns <= now_ns ? 0 : (int)((until_ns - now_ns + 999999) / 1000000);
}

static int loop(struct server *server)
{
    for (;;) {
        uint64_t now_ns = mr_now_ns();
        if (now_ns >= server->tick_ns) {
            server->tick_ns = now_ns + SECOND_NS;
            supervise_tick(server->keep);
            if (!mr_bus_named(server->bus))
                return -EIDRM;
            accept_more(server, server->connection_cnt < CONNECTIONS_MAX);
        }
        if (now_ns >= supervise_due_ns(server->keep))
            supervise_linger(server->keep);
        drop_silent(server, now_ns);
        int error = mr_bus_usable(server->bus);
        if (error)
            return error;
        if (may_end(server, now_ns))
            return 0;
        struct epoll_event events[32];
        int n = epoll_wait(server->epoll, events, sizeof events / sizeof *events,
                           wait_ms(server, now_ns));
        if (n < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < n; i++)
            handle(server, events[i].data.u64);
    }
}

/* ---- the beginning ---- */

static int give_up_on_stopped(const struct mr_wait *wait, void *arg)
{
    program_wait_notice(wait, NULL);
    *(int *)arg = 1;
    return 1;
}

static int listen_on_bus(struct server *server)
{
    struct sockaddr_un address;
    socklen_t len = mr_control_address(mr_bus_owner(server->bus), server->options->bus, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* A killed broker may keep the name a moment longer than the serving lock. */
    int rc = -1;
    for (int i = 0;
         i < 100 && (rc = bind(fd, (struct sockaddr *)&address, len)) < 0 && errno == EADDRINUSE;
         i++)
        usleep(10000);
    if (rc < 0 || listen(fd, (int)CONNECTIONS_MAX) < 0) {
        rc = -errno;
        close(fd);
        return rc;
    }
    server->listener = fd;
    accept_more(server, 1);
    return server->accepting ? 0 : -ENOMEM;
}

static int watch_signals(struct server *server, const sigset_t *set)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = ABOUT(ABOUT_SIGNALS, 0)};
    server->signals = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (server->signals < 0 || epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->signals, &event) < 0)
        return -errno;
    return 0;
}

/* Each client takes a descriptor, and the usual limit of 1,024 is below the 2,047 slots. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void unmake_topic(struct server *server, const char *name)
{
    struct mr_topic *topic;
    if (mr_topic_open(server->bus, name, &topic) == 0) {
        int error = mr_topic_delete(topic, MR_DELETE_IDLE);
        if (error)
            program_notice("%s: kept: %s", name,
                           error == -EBUSY ? "it is now in use" : mr_strerror(error));
        mr_topic_close(topic);
    }
}

/* All of them or none, except those that clients already use. */
static int make_topics(struct server *server)
{
    struct topic_spec *specs = server->options->specs;
    for (size_t i = 0; i < server->options->spec_cnt; i++) {
        int error = create(server, specs[i].name, &specs[i].settings);
        specs[i].made = !error;
        struct mr_topic *there = NULL;
        int exists = error == -EEXIST;
        if (exists) /* the existing one may be unusable */
            error = mr_topic_open(server->bus, specs[i].name, &there);
        mr_topic_close(there);
        if (exists && !error) {
            program_notice("%s: already exists; left as it is", specs[i].name);
        } else if (error) {
            if (exists)
                program_topic_fail(error, server->bus, specs[i].name);
            else
                program_fail(error, "%s: create", specs[i].name);
            while (i-- > 0)
                if (specs[i].made)
                    unmake_topic(server, specs[i].name);
            supervise_topics(server->keep);
            return error;
        }
    }
    return 0;
}

static void say_ready(const struct server *server)
{
    for (int i = 0; i < 2; i++) {
        int fd = server->options->ready_fds[i];
        if (fd < 0)
            continue;
        int error = program_write(fd, "READY\n", 6);
        if (error)
            program_error("ready-fd %d: %s", fd, strerror(-error)); /* not the library's */
        close(fd);
    }
    int null = server->options->detached ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (null >= 0) {
        dup2(null, STDERR_FILENO);
        close(null);
    }
}

static int start(struct server *server, const sigset_t *set)
{
    const struct serve_options *o = server->options;
    struct mr_connect_options connect = {
        .name = "broker", .on_wait = give_up_on_stopped, .on_wait_arg = &server->held_up};
    int error = mr_bus_serve(o->bus, o->defaults.mode, o->group, &connect, &server->bus);
    if (error == -EBUSY) {
        int pid = mr_bus_holder(o->bus);
        if (pid > 0)
            program_error("%s: pid %d already serves this bus", o->bus, pid);
        else
            program_error("%s: another broker already serves this bus", o->bus);
        return error;
    }
    if (error == -EPERM)
        program_bus_fail(error, o->bus);
    else if (error)
        program_fail(error, "%s: serve", o->bus);
    if (error)
        return error;
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    error = server->epoll < 0 ? -errno : watch_signals(server, set);
    if (!error)
        error = supervise_open(server->bus, server->epoll, ABOUT(ABOUT_CLIENT, 0), (int)SPARE_FDS,
                               &server->held_up, &server->keep);
    if (!error)
        error = listen_on_bus(server);
    if (error == -EADDRINUSE)
        program_socket_fail(o->bus, o->bus);
    else if (error)
        program_fail(error, "%s: serve", o->bus);
    return error ? error : make_topics(server);
}

int broker_serve(const struct serve_options *options)
{
    struct server server = {.options = options, .epoll = -1, .signals = -1, .listener = -1};
    for (unsigned idx = 0; idx < CONNECTIONS_MAX; idx++)
        server.connections[idx].fd = -1;
    raise_descriptor_limit();
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    struct sigaction hup;
    if (sigaction(SIGHUP, NULL, &hup) < 0 || hup.sa_handler != SIG_IGN) /* nohup stays nohup */
        sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &before);

    int error = start(&server, &set);
    if (!error) {
        program_notice("serving bus %s, pid %d", options->bus, (int)getpid());
        say_ready(&server);
        error = loop(&server);
        if (error == -EIDRM) {
            mr_bus_disown(server.bus);
            program_error("%s: its segment was removed from /dev/shm; ending. A new broker "
                          "continues with the topics that are left; restart the attached processes",
                          options->bus);
        } else if (error)
            program_fail(error, "%s: serve", options->bus);
    }
    for (unsigned idx = 0; idx < CONNECTIONS_MAX; idx++)
        if (server.connections[idx].fd >= 0)
            close(server.connections[idx].fd);
    if (server.listener >= 0)
        close(server.listener);
    /* After a failure adopted topics stay for the next broker; a bus that is empty is removed,
     * if it is still this broker's. */
    if (server.keep && error != -EIDRM &&
        (error ? supervise_empty(server.keep) : supervise_finish(server.keep) == 0)) {
        int gone = mr_bus_withdraw(
            server.bus,
            error != 0); /* those attached to a bus that ends are told to look for the next */
        if (gone && gone != -ENOENT && gone != -EBUSY)
            program_fail(gone, "%s: remove", options->bus);
    }
    supervise_close(server.keep);
    if (server.signals >= 0)
        close(server.signals);
    if (server.epoll >= 0)
        close(server.epoll);
    mr_bus_disconnect(server.bus);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return error ? EXIT_FAILED : EXIT_OK;
}
