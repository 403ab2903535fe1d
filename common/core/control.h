/* control.h - the messages between clients and the serving broker: one fixed-size datagram each way
 * on an abstract SOCK_SEQPACKET socket "\0millrace.<uid>.<bus>". Both sides check the peer's uid
 * (SO_PEERCRED). Data never goes this way.
 *
 *   HELLO   client -> broker, no answer: "slot `slot` is mine", so that the broker watches the
 *           process at once
 *   CREATE  topic, settings, automatic -> status (0, -EEXIST, -EINVAL, -ENOSPC, -EACCES)
 *   PING    -> status 0, pid
 *   STOP    -> status 0, pid; the broker then ends as on SIGTERM */
#ifndef COMMON_CORE_CONTROL_H
#define COMMON_CORE_CONTROL_H

#include "settings.h"
#include <sys/socket.h>
#include <sys/un.h>

#define MR_CONTROL_MAGIC 0x314c434d /* "MCL1": the last byte is the protocol's version */

enum mr_control_op { MR_CONTROL_HELLO = 1, MR_CONTROL_CREATE, MR_CONTROL_PING, MR_CONTROL_STOP };

struct mr_control_msg {
    uint32_t magic;
    uint32_t op;    /* enum mr_control_op; the answer repeats it */
    int32_t status; /* answers: 0 or a negative errno */
    uint32_t slot;  /* HELLO: client slot index */
    int32_t pid;    /* answers: the broker's */
    uint32_t automatic;
    struct mr_settings_shm settings;
    char topic[MR_TOPIC_NAME_MAX + 12]; /* NUL-terminated; room for padding to a multiple of 8 */
};

/* mr_control_address fills in the address of a bus's socket. Returns its length. */
socklen_t mr_control_address(uid_t owner, const char *bus, struct sockaddr_un *address);

/* mr_control_check says whether n received bytes are a well-formed request (magic, length, known
 * op, terminated topic). 0 or -EBADMSG. */
int mr_control_check(const struct mr_control_msg *msg, size_t n);

/* mr_control_request sends a request, whose magic is filled in, to the process that serves the bus,
 * and waits for the answer. The server must run as `owner` or root.
 *   reply       NULL: no answer is waited for
 *   timeout_ns  how long to wait at most; 0: not
 * Returns  0, the answer's status is in reply; -ECONNREFUSED no process listens, or the server went
 *          away or refused this user without an answer; -EPERM another user's process has the
 *          socket; -ETIMEDOUT the broker is stopped, or busy; -EBADMSG. Signals do not end the
 *          wait. Never raises SIGPIPE. */
int mr_control_request(uid_t owner, const char *bus, const struct mr_control_msg *request,
                       struct mr_control_msg *reply, int64_t timeout_ns);

/* mr_control_holder finds the process that listens on a bus's socket, of any user; pid 0 if it is
 * in another pid namespace. Returns 0; -ECONNREFUSED none listens (one may hold the name, though);
 * -ETIMEDOUT it takes no connections. */
int mr_control_holder(uid_t owner, const char *bus, struct ucred *out);

/* mr_control_send and mr_control_answer are mr_control_request in two steps, for a caller that has
 * something to say while it waits. mr_control_send returns a descriptor, to be closed;
 * mr_control_answer waits on it for the answer to a request `op`, and may be called again after
 * -ETIMEDOUT. */
int mr_control_send(uid_t owner, const char *bus, const struct mr_control_msg *request,
                    int64_t timeout_ns);
int mr_control_answer(int fd, uint32_t op, struct mr_control_msg *reply, int64_t timeout_ns);

#endif
