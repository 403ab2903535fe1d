#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* If a segment were opened as descriptor 1, output would overwrite it. So closed descriptors are
 * occupied first, and a program that cannot do that ends. */
static void occupy(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        /* The lowest free number is fd itself. */
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) {
            program_error(
                "descriptor %d is closed, and /dev/null cannot be opened in its place: %s", fd,
                strerror(errno));
            _exit(EXIT_FAILED);
        }
    }
}

void program_start(const char *name)
{
    program_name = name;
    occupy();
    program_catch_stops();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file beyond ulimit -f is an error, with a name */
    program_replace_stdout();
    mr_guard();
}
