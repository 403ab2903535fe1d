/* signals.h - stop signals, and sleeping until one comes. */
#ifndef COMMON_CLI_SIGNALS_H
#define COMMON_CLI_SIGNALS_H

#include <signal.h>
#include <stdint.h>

/* The first SIGINT, SIGTERM or SIGHUP stores its number here; the second kills as if there were no
 * handler. */
extern volatile sig_atomic_t program_stop;

/* program_catch_stops installs that handler; without SA_RESTART, so that a signal ends what
 * waits. */
void program_catch_stops(void);

/* program_sleep sleeps for ns nanoseconds (<= 0: not at all). Returns 0; -EINTR once program_stop
 * is set, or if it is already. */
int program_sleep(int64_t ns);

/* program_stopped: 1 if that process is stopped (SIGSTOP, Ctrl-Z, a debugger), only for messages; 0
 * if not, or if that is unknown. */
int program_stopped(int32_t pid);

/* program_now: nanoseconds of CLOCK_MONOTONIC. */
int64_t program_now(void);

#endif
