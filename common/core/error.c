/* error.c - which library this is, and what its errors and states are in words. */
#include "millrace.h"

#include <errno.h>
#include <string.h>

const char *mr_version(void)
{
    return MR_VERSION;
}

const char *mr_strerror(int error)
{
    switch (-error) {
    case ENOENT:
        return "no such bus or topic";
    case EPROTO:
        return "made by another version of Millrace; end the programs that use it and run: "
               "broker clean --all";
    case EBADMSG:
        return "the shared segment is damaged";
    case EIO:
        return "the shared segment was cut short while in use";
    case EPIPE:
        return "the topic is sealed";
    case EIDRM:
        return "the topic was deleted";
    case ESTALE:
        return "this process is no longer attached (its bus was removed from /dev/shm, or it "
               "forked); start it again";
    case EINTR:
        return "interrupted";
    case ECANCELED:
        return "the wait was cancelled";
    case EREMOTE:
        return "the bus belongs to another pid namespace (container), across which its locks do "
               "not work; run this there, or use another bus (-b NAME)";
    case EPERM:
    case EACCES:
        return "it belongs to another user, or you lack the rights";
    case ETIMEDOUT:
        return "timed out";
    case EUSERS:
        return "no free slot: too many are attached (broker status -v shows them)";
    case EBUSY:
        return "in use";
    case EEXIST:
        return "exists already";
    case ENOTEMPTY:
        return "records are not acknowledged";
    case ENODATA:
        return "nothing there";
    case ERANGE:
        return "out of range";
    case EAGAIN:
        return "no room or no answer now; try again";
    case ENOLCK:
        return "the system has no room for another file lock; end some programs, then try again";
    case ECONNREFUSED:
        return "no broker runs on this bus; start one with: broker";
    case EADDRINUSE:
        return "another process holds the bus's socket; use another bus (-b NAME)";
    case ENOSPC:
        return "no room left in /dev/shm; choose a smaller --size, or free some (df -h /dev/shm; "
               "broker clean)";
    case EINVAL:
        return "invalid argument";
    case EMSGSIZE:
        return "too large";
    case ENOMEM:
        return "out of memory; raise the limit (ulimit -v)";
    case EMFILE:
        return "too many open files; raise the limit (ulimit -n)";
    case ENFILE:
        return "too many open files in the whole system; raise the limit (sysctl fs.file-max)";
    case EFBIG:
        return "larger than the limit for files; raise it (ulimit -f), also for the broker";
    default:
        return strerror(error < 0 ? -error : error);
    }
}

const char *mr_wait_name(enum mr_wait_for what)
{
    switch (what) {
    case MR_WAIT_ROOM:
        return "room";
    case MR_WAIT_LOCK:
        return "lock";
    case MR_WAIT_RECORDS:
        return "records";
    case MR_WAIT_ACKNOWLEDGED:
        return "acknowledged";
    case MR_WAIT_BROKER:
        return "broker";
    case MR_WAIT_DEAD:
        return "dead";
    }
    return "unknown";
}

const char *mr_producer_state_name(enum mr_producer_state state)
{
    switch (state) {
    case MR_PRODUCER_ATTACHED:
        return "attached";
    case MR_PRODUCER_DONE:
        return "done";
    case MR_PRODUCER_DIED:
        return "died";
    }
    return "unknown";
}
