/* exit.h - the exit statuses of the three programs. */
#ifndef COMMON_CLI_EXIT_H
#define COMMON_CLI_EXIT_H

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

/* program_exit_for maps a negative errno of the library to the exit status (-EINTR: 128 + signal;
 * -EPIPE, -EIDRM: 6; -ETIMEDOUT: 5; ...). */
int program_exit_for(int error);

#endif
