/* scenes.c - see scenes.h: the table of all scenes. */
#include "scenes.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const struct scene scenes[] = {
    {.name = "consumer --all -e",
     .topic = "t",
     .weight = 4,
     .told = 1,
     .patience = 3,
     .prepare = prepare_all,
     .line = line_of_private,
     .dead = dead_private},
    {.name = "consumer --all --max-seconds",
     .topic = "t",
     .weight = 3,
     .told = 1,
     .patience = 12,
     .prepare = prepare_all_for_a_time,
     .line = line_of_private,
     .dead = dead_private},
    {.name = "consumer -g",
     .topic = "t",
     .weight = 3,
     .told = 1,
     .patience = 3,
     .prepare = prepare_shared,
     .line = line_of_member,
     .still = still_member,
     .dead = dead_member},
    {.name = "consumer --ordered",
     .topic = "t",
     .weight = 1,
     .told = 1,
     .patience = 30,
     .prepare = prepare_ordered,
     .line = line_of_member,
     .still = still_member,
     .dead = dead_member},
    {.name = "consumer -- COMMAND",
     .topic = "t",
     .weight = 1,
     .told = 1,
     .patience = 40,
     .prepare = prepare_command,
     .line = line_of_member,
     .still = still_member,
     .dead = dead_member},
    {.name = "consumer -j, its first thread",
     .topic = "",
     .weight = 1,
     .patience = 40,
     .prepare = prepare_workers,
     .line = line_of_member,
     .dead = dead_member},
    {.name = "consumer -j, another thread",
     .topic = "",
     .weight = 1,
     .patience = 40,
     .thread = 1,
     .prepare = prepare_workers,
     .line = line_of_member,
     .dead = dead_member},
    {.name = "consumer -o",
     .topic = "t",
     .weight = 3,
     .told = 1,
     .patience = 3,
     .prepare = prepare_moved,
     .line = line_of_moved,
     .dead = dead_moved},
    {.name = "consumer --into",
     .topic = "t",
     .weight = 4,
     .told = 1,
     .patience = 40,
     .into_o = 1,
     .prepare = prepare_into,
     .line = no_line,
     .still = still_into,
     .dead = dead_into},
    {.name = "consumer, a new group",
     .topic = "f",
     .weight = 3,
     .told = 1,
     .patience = 3,
     .prepare = prepare_fresh,
     .line = line_of_fresh,
     .dead = dead_fresh},
    {.name = "producer",
     .topic = "t",
     .weight = 3,
     .told = 1,
     .patience = 3,
     .prepare = prepare_producer,
     .line = line_of_producer,
     .after = after_producer},
    {.name = "producer into the same",
     .topic = "o",
     .weight = 4,
     .told = 1,
     .patience = 3,
     .into_o = 1,
     .prepare = prepare_producer_o,
     .line = line_of_producer,
     .after = after_producer},
    {.name = "producer --resume",
     .topic = "t",
     .weight = 2,
     .told = 1,
     .patience = 3,
     .prepare = prepare_resume,
     .line = no_line,
     .after = after_resume},
    {.name = "consumer --on-fail dead",
     .topic = "f",
     .weight = 2,
     .told = 1,
     .patience = 40,
     .prepare = prepare_letters,
     .line = no_line,
     .dead = dead_letters},
    {.name = "broker redrive",
     .topic = "f",
     .weight = 2,
     .patience = 3,
     .prepare = prepare_redrive,
     .line = no_line,
     .dead = dead_redrive},
    {.name = "broker seal",
     .topic = "f",
     .weight = 1,
     .patience = 3,
     .prepare = prepare_seal,
     .line = no_line,
     .dead = dead_seal},
    {.name = "broker purge",
     .topic = "f",
     .weight = 1,
     .patience = 3,
     .prepare = prepare_purge,
     .line = no_line,
     .dead = dead_purge},
    {.name = "broker delete",
     .topic = "f",
     .weight = 1,
     .patience = 3,
     .prepare = prepare_delete,
     .line = no_line,
     .dead = dead_delete},
    {.name = "broker, that serves",
     .topic = "t",
     .weight = 2,
     .patience = 3,
     .prepare = prepare_serving,
     .line = no_line,
     .dead = dead_serving,
     .asleep = asleep_serving},
    {.name = "broker, from start to stop",
     .topic = "",
     .weight = 2,
     .patience = 3,
     .prepare = prepare_life,
     .line = no_line,
     .dead = dead_life,
     .asleep = asleep_life},
    {.name = "broker clean",
     .topic = "x",
     .weight = 1,
     .patience = 3,
     .prepare = prepare_clean,
     .line = line_of_clean,
     .dead = dead_clean},
};
const unsigned scene_cnt = sizeof scenes / sizeof scenes[0];

void act_arg(struct act *act, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(act->text[act->argc], sizeof act->text[0], format, args);
    va_end(args);
    act->argv[act->argc] = act->text[act->argc];
    act->argv[++act->argc] = NULL;
}

int act_read(struct act *act)
{
    char *end;
    ssize_t n;
    while (act->out_len < OUTPUT_MAX - 1 &&
           (n = read(act->pipe[0], act->out + act->out_len, OUTPUT_MAX - 1 - act->out_len)) > 0)
        act->out_len += (size_t)n;
    act->out[act->out_len] = '\0';
    while ((end = memchr(act->out + act->out_read, '\n', act->out_len - act->out_read))) {
        char *line = act->out + act->out_read;
        *end = '\0';
        act->out_read += (size_t)(end - line) + 1;
        if (act->scene->line(act, line, (size_t)(end - line)) < 0)
            return -1;
    }
    return 0;
}

int act_again(struct act *act)
{
    struct world *w = act->w;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(act->pipe[1], 1);
        dup2(act->err, 2);
        execv(act->argv[0], act->argv);
        _exit(127);
    }
    for (unsigned i = 0; i < BOUND_S * 1000; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (take_all(w, 0) < 0)
            break;
        usleep(1000); /* sleep:ok it may wait for room, or work */
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return bad(w, "run again, it does not end");
}

int act_status(const struct act *act)
{
    int status = act->run.status;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL ? -1 : 128 + WTERMSIG(status);
    return WEXITSTATUS(status);
}

int act_must_end_well(struct act *act)
{
    int status = act_status(act);
    if (act->end == KILLED && status != -1)
        act->end = ALONE; /* it was faster */
    if (act->end == KILLED ? status == -1 : status == 0)
        return 0;
    if (act->end == TOLD && status == 143)
        return 0;
    for (int i = 0; i < act->argc; i++) /* the time was over before the count */
        if (status == 5 && strcmp(act->argv[i], "--max-seconds") == 0)
            return 0;
    return bad(act->w, "exit status %d", status);
}
