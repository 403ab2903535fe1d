/* output.h - standard output and files to write to. */
#ifndef COMMON_CLI_OUTPUT_H
#define COMMON_CLI_OUTPUT_H

#include <stddef.h>

/* program_write writes all of it. If the descriptor is in non-blocking mode (any process that
 * shares the pipe or terminal can set that at any time), it waits until more can be written. The
 * first stop signal does not interrupt it, so that no line is half written; the second kills.
 * Returns 0, or the negative errno of write(2). */
int program_write(int fd, const void *data, size_t len);

/* program_replace_stdout makes stdout write by program_write: the stream of the C library loses its
 * buffer at EAGAIN, and part of it after a signal. */
void program_replace_stdout(void);

/* program_create opens a file to write to, made or emptied, as creat(2) does. It waits for a named
 * pipe to have a reader, with a notice after half a second. Returns a descriptor; a negative errno;
 * -EINTR once program_stop is set (a blocked open(2) could miss the signal). */
int program_create(const char *path);

/* program_output checks that standard output is open for writing. Returns EXIT_OK; else
 * EXIT_FAILED, with a message. */
int program_output(void);

/* program_flush flushes stdout. Returns EXIT_OK; EXIT_SIGPIPE the reader is gone; else EXIT_FAILED,
 * with a message. */
int program_flush(void);

#endif
