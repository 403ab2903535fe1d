/* child.h - one command, run without a shell: its input, output and end. */
#ifndef CONSUMER_COMMAND_CHILD_H
#define CONSUMER_COMMAND_CHILD_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* bytes of output that are held in memory; more goes to a file without a name */
#define CHILD_MEMORY ((size_t)1 << 20)

enum child_task {
    CHILD_START,   /* pipes, a new process */
    CHILD_EXECUTE, /* execve */
    CHILD_READ,    /* a script that we may not read, and so its interpreter neither */
    CHILD_FEED,    /* its standard input */
    CHILD_LISTEN,  /* its standard output, its end */
    CHILD_KEEP,    /* what it writes */
};

/* What a command has written to standard output: its own, whole, and only after it has ended. */
struct child_output {
    char *text; /* in memory, or a mapping of the file */
    size_t len;
    char *held;           /* CHILD_MEMORY bytes, or NULL: none yet */
    int fd;               /* the file, or -1 */
    int error;            /* a negative errno: a failure of ours, not of the command; else 0 */
    enum child_task task; /* what that was */
};

void child_output_init(struct child_output *output);
void child_output_free(struct child_output *output);

struct child {
    const char *path; /* as child_find found it */
    char *const *argv;
    char *const *env;
    const char *in; /* for its standard input */
    size_t in_len;
    const sigset_t *mask; /* the signals that it is to start with blocked */
};

/* child_find looks for a program as execvp does, in PATH unless its name has a slash. Returns 0
 * with *path to be freed; -ENOENT; -ENOMEM; another negative errno: it cannot be executed. */
int child_find(const char *name, char **path);

/* child_run runs a command to its end. Its standard error is ours, its group of processes too; if
 * this thread dies it is killed. The command need not read its input. Output that its children
 * write after its end is not waited for.
 *   status   as waitpid has it
 * Returns  0; else output->error: it could not be started or get all its input, or its output could
 *          not be kept, so its status means nothing.
 * Blocks   until it ends; a signal to this process does not end it, but is answered with a notice
 *          of what is waited for.
 * Safe     several threads at a time; SIGCHLD must not be ignored, and SIGPIPE must. */
int child_run(const struct child *child, struct child_output *output, int *status);

/* child_folder: where the files for output are made. */
const char *child_folder(void);

#endif
