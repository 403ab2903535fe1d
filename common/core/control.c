/* control.c - see control.h. One connection carries one request; the kernel keeps datagrams whole,
 * so there is no framing. */
#include "control.h"
#include "segment.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* how long mr_control_holder waits for a process that takes no connections */
#define HOLDER_NS 100000000

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

socklen_t mr_control_address(uid_t owner, const char *bus, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    /* sun_path[0] stays 0: an abstract name, which the kernel forgets with its last socket, so that
     * kill -9 leaves nothing behind. */
    int len = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "millrace.%u.%.*s",
                       (unsigned)owner, (int)MR_BUS_NAME_MAX, bus);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

int mr_control_check(const struct mr_control_msg *msg, size_t n)
{
    if (n != sizeof *msg || msg->magic != MR_CONTROL_MAGIC || msg->op < MR_CONTROL_HELLO ||
        msg->op > MR_CONTROL_STOP)
        return -EBADMSG;
    return memchr(msg->topic, '\0', sizeof msg->topic) ? 0 : -EBADMSG;
}

/* A connect that the kernel bounds: a Unix socket whose server's backlog is full makes connect wait
 * for as long as SO_SNDTIMEO says. */
static int connect_bounded(int fd, uid_t owner, const char *bus, int64_t timeout_ns,
                           struct ucred *holder)
{
    struct sockaddr_un address;
    socklen_t len = mr_control_address(owner, bus, &address);
    if (timeout_ns >= 0) {
        int64_t us = timeout_ns / 1000 > 0 ? timeout_ns / 1000 : 1; /* 0 would mean for ever */
        struct timeval limit = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
            return -errno;
    }
    while (connect(fd, (struct sockaddr *)&address, len) < 0) {
        if (errno != EINTR)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
    }
    /* Any process may bind an abstract name, so the name alone proves nothing. */
    socklen_t len_there = sizeof *holder;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, holder, &len_there) < 0)
        return -errno;
    return holder->uid == owner || holder->uid == 0 ? 0 : -EPERM;
}

int mr_control_holder(uid_t owner, const char *bus, struct ucred *out)
{
    int fd = mr_segment_fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (fd < 0)
        return fd;
    int error = connect_bounded(fd, owner, bus, HOLDER_NS, out);
    close(fd);
    return error == -EPERM ? 0 : error;
}

int mr_control_send(uid_t owner, const char *bus, const struct mr_control_msg *request,
                    int64_t timeout_ns)
{
    struct mr_control_msg msg = *request;
    msg.magic = MR_CONTROL_MAGIC;
    int fd = mr_segment_fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (fd < 0)
        return fd;
    struct ucred holder;
    int rc = connect_bounded(fd, owner, bus, timeout_ns, &holder);
    /* The send buffer of a fresh socket is empty: a message of this size never waits. */
    if (rc == 0 && send(fd, &msg, sizeof msg, MSG_NOSIGNAL) < 0)
        rc = errno == EPIPE || errno == ECONNRESET ? -ECONNREFUSED : -errno;
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

int mr_control_answer(int fd, uint32_t op, struct mr_control_msg *reply, int64_t timeout_ns)
{
    int64_t deadline_ns = timeout_ns < 0 ? -1 : now_ns() + timeout_ns;
    struct mr_control_msg answer;
    for (;;) {
        ssize_t n = recv(fd, &answer, sizeof answer, MSG_DONTWAIT | MSG_TRUNC);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return -ECONNREFUSED;
        if (n > 0) {
            if (mr_control_check(&answer, (size_t)n) < 0 || answer.op != op)
                return -EBADMSG;
            *reply = answer;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        int wait_ms = -1;
        if (deadline_ns >= 0) {
            int64_t left_ms = (deadline_ns - now_ns() + 999999) / 1000000;
            if (left_ms <= 0)
                return -ETIMEDOUT;
            wait_ms = left_ms > 1000000 ? 1000000 : (int)left_ms;
        }
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        if (poll(&readable, 1, wait_ms) < 0 && errno != EINTR)
            return -errno;
    }
}

int mr_control_request(uid_t owner, const char *bus, const struct mr_control_msg *request,
                       struct mr_control_msg *reply, int64_t timeout_ns)
{
    int64_t since_ns = now_ns();
    int fd = mr_control_send(owner, bus, request, timeout_ns), rc = 0;
    if (fd < 0)
        return fd;
    if (reply) {
        int64_t left_ns = timeout_ns - (now_ns() - since_ns);
        rc = mr_control_answer(fd, request->op, reply,
                               timeout_ns < 0 ? -1
                               : left_ns > 0  ? left_ns
                                              : 0);
    }
    close(fd);
    return rc;
}
