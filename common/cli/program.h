/* program.h - what the three programs share towards their user: messages, signals, exit statuses,
 * connecting with patience.
 * Not part of libmillrace: this is the one place under common/ that writes to standard error. */
#ifndef COMMON_CLI_PROGRAM_H
#define COMMON_CLI_PROGRAM_H

#include "millrace.h"

enum exit_status {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NO_BROKER = 3,
    EXIT_NO_TOPIC = 4,
    EXIT_TIMEOUT = 5,       /* producer: or full with --fail-if-full */
    EXIT_SEALED = 6,        /* producer: sealed or deleted */
    EXIT_LOST = 6,          /* consumer: lapped */
    EXIT_SKIPPED = 7,       /* producer: bad rows were skipped */
    EXIT_DEAD = 7,          /* consumer: some records were dead-lettered */
    EXIT_PRODUCER_DIED = 8, /* consumer --drain */
    EXIT_NOT_RUN = 126,     /* consumer -- COMMAND: it cannot be executed */
    EXIT_NOT_FOUND = 127,   /* there is no such command */
    EXIT_SIGPIPE = 141,     /* killed by a signal: 128 + its number, so SIGINT 130, SIGTERM 143 */
};

/* The first SIGINT, SIGTERM or SIGHUP stores its number here; the second kills as if there were no
 * handler. */
extern volatile sig_atomic_t program_stop;
extern const char *program_name; /* as program_start has set it */
extern int program_quiet;        /* -q: no notices (errors are always printed) */
extern int program_verbose;      /* -v */

/* program_start sets the name that messages carry, the handlers (no SA_RESTART), and ignores
 * SIGPIPE and SIGXFSZ so that EPIPE and EFBIG are seen.
 * A segment's file that is cut short becomes -EIO (mr_guard).
 * From then on stdout writes by program_write.
 * Descriptors 0, 1 and 2 that are closed are opened on /dev/null such that using them fails: no
 * segment may end up there. If that is not possible the program ends at once, with EXIT_FAILED.
 */
void program_start(const char *name);

/* program_sleep sleeps for ns nanoseconds (<= 0: not at all). Returns 0; -EINTR once program_stop
 * is set, or if it is already. */
int program_sleep(int64_t ns);

/* program_stopped: 1 if that process is stopped (SIGSTOP, Ctrl-Z, a debugger), to be shown to
 * people; else 0, also if it cannot be told. */
int program_stopped(int32_t pid);

/* program_now: nanoseconds of CLOCK_MONOTONIC. */
int64_t program_now(void);

/* "NAME: text\n" on standard error in one write, so that lines of several processes do not mix.
 * Errors always; notices unless -q.
 * The text is escaped as text_printable does it (text.h), whatever it quotes. A line break of the
 * message's own is followed by two blanks: the only one that stays. */
void program_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void program_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with the text of a negative errno in Millrace's own words ("the topic is sealed") after
 * what was done: "orders: append: ...". */
void program_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* program_usage prints "NAME: text" and "Try 'NAME --help'." Returns EXIT_USAGE. */
int program_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* program_write writes all of it to a descriptor that may be in non-blocking mode (any process
 * that shares the pipe or terminal can set that, at any time): then it waits until more can be
 * written. A signal that asks to stop does not end it, for a half-written line is of no use; a
 * second one kills.
 * Returns 0, or the negative errno of write(2). */
int program_write(int fd, const void *data, size_t len);

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

/* program_progress shows line as the one line of progress on standard error, in place of the one
 * before; messages clear it first. NULL clears it. The caller sees to it that standard error is
 * meant for that, and that it happens at most 5 times a second. */
void program_progress(const char *line);

/* program_exit_for maps a negative errno of the library to the exit status (-EINTR: 128 + signal;
 * -EPIPE, -EIDRM: 6; -ETIMEDOUT: 5; ...). */
int program_exit_for(int error);

/* program_connect connects to a bus, waiting up to wait_ns for a broker (saying so after half a
 * second).
 * Returns 0, else an exit status after having printed what to do (EXIT_NO_BROKER names the command
 * that starts one). */
int program_connect(const char *bus, const char *client_name, int64_t wait_ns, struct mr_bus **out);

/* What mr_bus_connect (bus: as it was named), mr_topic_open and mr_topic_create have answered: of
 * another user's segment, whose it is, with which rights, and what its owner can do; of a broker
 * that does not answer, its pid. */
void program_bus_fail(int error, const char *bus);
void program_topic_fail(int error, const struct mr_bus *bus, const char *topic);
void program_create_fail(int error, const struct mr_bus *bus, const char *topic);
/* program_socket_fail: the bus's socket is another process's: which, and what can be done. */
void program_socket_fail(const char *bus, const char *what);

/* program_open_topic opens a topic to write to. create: if there is none the broker is asked to
 * make it, and for wait_ns a broker is waited for that could. Returns 0, else an exit status after
 * having printed why. */
int program_open_topic(struct mr_bus *bus, const char *topic, int create, int64_t wait_ns,
                       struct mr_topic **out);

/* program_file_id: by what producer --resume knows a file, a hash of its real path; of one that
 * is gone, of the path that it would have. A source of mr_producer_append_from is FILE_SOURCE(id,
 * how), how a hash of the options that change its rows; SOURCE_FILE(source) is the id again: a path
 * can be forgotten without knowing how it was read. Returns 0; a negative errno. */
int program_file_id(const char *file, uint64_t *id);
#define FILE_SOURCE(id, how) ((id) << 24 | ((how)&0xffffff))
#define SOURCE_FILE(source)  ((source) >> 24)

/* program_wait_notice is the on_wait of all three: says once a wait exceeds half a second, then
 * when the answer changes or every 10 s, what is waited for and who holds it ("orders: full; group
 * default: pid 123 (slow) holds it since 1.2 s"). Returns 0. */
int program_wait_notice(const struct mr_wait *wait, void *arg);

/* program_no_topic prints the error "orders: no such topic (did you mean "order"?; topics: a, b)".
 * program_await_topic prints the notice "orders: no such topic yet, waiting for it (...)". */
void program_no_topic(const struct mr_bus *bus, const char *topic);
void program_await_topic(const struct mr_bus *bus, const char *topic);

#endif
