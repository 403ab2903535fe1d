/* main.c - the broker: serves a bus, in the foreground or detached, or runs a command. */
#include "arguments.h"
#include "cli/program.h"
#include "command_table.h"
#include "core/client.h"
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int help(void)
{
    command_table_help();
    return EXIT_OK;
}

static int run_command(struct arguments *args)
{
    const char *word = args->line.operands[0], *near = NULL;
    const struct command *command = command_table_find(word, &near);
    if (!command && strcmp(word, "help") == 0)
        return help();
    if (!command)
        return program_usage("%s: no such command%s%s%s", word, near ? " (did you mean \"" : "",
                             near ? near : "", near ? "\"?)" : "");
    if (args->help) {
        command_table_help_of(command);
        return EXIT_OK;
    }
    int status = arguments_check(args, command->accepts, command->name);
    if (status)
        return status;
    args->line.operands++;
    args->line.operand_cnt--;
    if (args->line.operand_cnt < command->operands_min)
        return program_usage("%s: an argument is missing (broker %s %s)", command->name,
                             command->name, command->operands);
    if (args->line.operand_cnt > command->operands_max)
        return program_usage("%s: unexpected argument %s (broker %s%s%s)", command->name,
                             args->line.operands[command->operands_max], command->name,
                             *command->operands ? " " : "", command->operands);
    return command->run(&args->line);
}

/* Continues in a child with a session of its own. Returns 0 in the child, with the write end of
 * a pipe that the parent waits on; in the parent 1 + its exit status, once the child is ready or
 * has failed (and printed why). */
static int detach(int *ready_fd)
{
    int ends[2], status;
    char byte;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        program_fail(-errno, "detach");
        return EXIT_FAILED + 1;
    }
    pid_t pid = fork();
    if (pid < 0) {
        program_fail(-errno, "detach");
        return EXIT_FAILED + 1;
    }
    if (pid > 0) {
        close(ends[1]);
        ssize_t n;
        while ((n = read(ends[0], &byte, 1)) < 0 && errno == EINTR)
            if (program_stop)
                kill(pid, program_stop); /* in its own session it did not get the signal */
        if (n == 1)
            return EXIT_OK + 1;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        return (WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED) + 1;
    }
    close(ends[0]);
    setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        close(null);
    }
    if (chdir("/") < 0)
        program_error("/: %s", strerror(errno)); /* the library's texts do not fit a folder */
    *ready_fd = ends[1];
    return 0;
}

static int run_serve(struct arguments *args)
{
    struct serve_options *serve = &args->serve;
    int status = arguments_check(args, SERVE, "serving (which command did you mean?)");
    if (status)
        return status;
    uid_t owner;
    if (mr_bus_address(args->line.bus, &owner, &serve->bus) || owner != geteuid())
        return program_usage("-b %s: a broker serves only buses of its own user", args->line.bus);
    if (args->line.settings.size_bytes)
        serve->defaults.size_bytes = args->line.settings.size_bytes;
    if (args->line.settings.full)
        serve->defaults.full = args->line.settings.full;
    if (args->line.settings.tries)
        serve->defaults.tries = args->line.settings.tries;
    if (serve->ready_fds[0] >= 0)
        fcntl(serve->ready_fds[0], F_SETFD, FD_CLOEXEC);
    serve->detached = args->detach;
    if (args->detach) {
        status = detach(&serve->ready_fds[1]);
        if (status)
            return status - 1;
    }
    return broker_serve(serve);
}

int main(int argc, char **argv)
{
    struct arguments args;
    program_start("broker");
    int status, end = arguments_parse(&args, argc, argv);
    if (end)
        status = end - 1;
    else if (args.line.operand_cnt)
        status = run_command(&args);
    else if (args.help)
        status = help();
    else
        status = run_serve(&args);
    int unwritten = program_flush();
    arguments_free(&args);
    return unwritten ? unwritten : status;
}
