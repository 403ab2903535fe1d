#include "output.h"
#include "exit.h"
#include "messages.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t second_ns = 1000000000;

int program_write(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len) {
        ssize_t n = write(fd, at, len);
        if (n >= 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static ssize_t write_out(void *cookie, const char *data, size_t len)
{
    int error = program_write(STDOUT_FILENO, data, len);

    (void)cookie;
    errno = -error;
    return error ? 0 : (ssize_t)len; /* 0 is what a cookie's error is */
}

void program_replace_stdout(void)
{
    FILE *out = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_out});

    if (!out)
        return;
    setvbuf(out, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
    stdout = out;
}

int program_output(void)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
        return EXIT_OK;
    program_error("standard output: %s", strerror(EBADF));
    return EXIT_FAILED;
}

int program_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_OK;
    if (errno == EPIPE)
        return EXIT_SIGPIPE;
    /* a file's errors are not the library's */
    program_error("standard output: %s", strerror(errno ? errno : EIO));
    return EXIT_FAILED;
}

int program_create(const char *path)
{
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int64_t start = program_now();
    int told = 0;

    for (;;) {
        struct stat st;
        int fd = open(path, flags, 0666), error = errno;

        if (fd >= 0) {
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
            return fd;
        }
        if (error != ENXIO || stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
            return -error;
        if (!told && program_now() - start >= second_ns / 2) {
            program_notice("%s: a named pipe that has no reader yet, waiting for one", path);
            told = 1;
        }
        if (program_sleep(second_ns / 100))
            return -EINTR;
    }
}
