#include "exit.h"
#include "signals.h"

#include <errno.h>

int program_exit_for(int error)
{
    switch (-error) {
    case 0:
        return EXIT_OK;
    case EINTR:
        return program_stop ? 128 + (int)program_stop : EXIT_FAILED;
    case EINVAL:
        return EXIT_USAGE;
    case ECONNREFUSED:
        return EXIT_NO_BROKER;
    case ENOENT:
        return EXIT_NO_TOPIC;
    case ETIMEDOUT:
    case EAGAIN:
        return EXIT_TIMEOUT;
    case EPIPE:
    case EIDRM:
        return EXIT_SEALED;
    default:
        return EXIT_FAILED;
    }
}
