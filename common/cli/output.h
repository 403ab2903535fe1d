/* output.h - standard output and files to write to. */
#ifndef COMMON_CLI_OUTPUT_H
#define COMMON_CLI_OUTPUT_H

#include <stddef.h>

/* program_write writes all of it to a descriptor that may be in non-blocking mode (any process
 * that shares the pipe or terminal can set that, at any time): then it waits until more can be
 * written. A signal that asks to stop does not end it, for a half-written line is of no use; a
 * second one kills.
 * Returns 0, or the negative errno of write(2). */
int program_write(int fd, const void *data, size_t len);

/* program_replace_stdout makes stdout write by program_write: the stream of the C library drops its
 * buffer at EAGAIN, and part of it after a signal. */
void program_replace_stdout(void);

/* program_create opens a file to write to, made or emptied, as creat(2) does. A named pipe is
 * waited for until it has a reader, and after half a second that is said. Returns a descriptor; a
 * negative errno; -EINTR once program_stop is set: no signal is slept through, as in a blocked
 * open(2). */
int program_create(const char *path);

/* program_output asks, before anything is done, whether standard output can be written to: one
 * that is closed cannot. Returns EXIT_OK; else says so, EXIT_FAILED. */
int program_output(void);

/* program_flush writes out what was printed. Returns EXIT_OK; else says why (not of a reader that
 * is gone: EXIT_SIGPIPE), EXIT_FAILED. */
int program_flush(void);

#endif
