/* scenes_produce.c - the producer, with a file. */
#include "scenes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_rows(struct world *w, const char *path, const char *mode, uint32_t first,
                      uint32_t cnt)
{
    char text[64];
    FILE *f = fopen(path, mode);
    if (!f)
        return bad(w, "%s: %s", path, strerror(errno));
    for (uint32_t i = 0; i < cnt; i++) {
        id_text(first + i, text);
        fprintf(f, "%s\n", text);
    }
    return fclose(f) ? bad(w, "%s: %s", path, strerror(errno)) : 0;
}

static int producer(struct act *act, const char *topic)
{
    struct world *w = act->w;
    char path[300];
    act->id_first = w->ids + 1;
    act->id_cnt = 1 + dice(w, w->recording || chance(w, 70) ? 40 : 400);
    w->ids += act->id_cnt;
    act->mine[0] = calloc(act->id_cnt, 1);
    snprintf(path, sizeof path, "%s/rows", w->dir);
    if (write_rows(w, path, "we", act->id_first, act->id_cnt) < 0)
        return -1;
    act_arg(act, "%s/producer", w->bin);
    act_arg(act, "-q");
    act_arg(act, "-T"); /* says which rows were accepted */
    act_arg(act, "-b");
    act_arg(act, "%s", w->bus_name);
    act_arg(act, "%s", path);
    act_arg(act, "%s", topic);
    return 0;
}

int prepare_producer(struct act *act)
{
    return producer(act, "t");
}

int prepare_producer_o(struct act *act)
{
    return producer(act, "o");
}

int line_of_producer(struct act *act, const char *line, size_t len)
{
    uint32_t id = id_of(line, len);
    if (id < act->id_first || id >= act->id_first + act->id_cnt)
        return bad(act->w, "producer -T: \"%s\"", line);
    act->mine[0][id - act->id_first] = 1; /* it has to be there */
    return 0;
}

int after_producer(struct act *act)
{
    const struct book *book = act->scene->into_o ? &act->w->o : &act->w->t;
    uint32_t there = 0;
    if (act_must_end_well(act) < 0)
        return -1;
    for (uint32_t i = 0; i < act->id_cnt; i++) {
        there += book->seen[act->id_first + i] != 0;
        if (act->mine[0][i] && !book->seen[act->id_first + i])
            return bad(act->w, "row %u was accepted, and is not there", act->id_first + i);
    }
    if (act->end == ALONE && there < act->id_cnt)
        return bad(act->w, "of %u rows %u are there", act->id_cnt, there);
    for (uint32_t i = 0; act->w->parts == 1 && i < there; i++)
        if (!book->seen[act->id_first + i])
            return bad(act->w, "row %u is not there, a later one is", act->id_first + i);
    return 0;
}

/* ---- --resume: a file that grows, as a log does ---- */

static void resume_args(struct act *act)
{
    act_arg(act, "%s/producer", act->w->bin);
    act_arg(act, "-q");
    act_arg(act, "--resume");
    act_arg(act, "-b");
    act_arg(act, "%s", act->w->bus_name);
    act_arg(act, "%s", act->w->file);
    act_arg(act, "t");
}

int prepare_resume(struct act *act)
{
    struct world *w = act->w;
    if (!*w->file || w->file_rows > 1000) {
        snprintf(w->file, sizeof w->file, "%s/grows-%u", w->dir, w->files++);
        w->file_rows = 0;
    }
    act->id_first = w->ids + 1;
    act->id_cnt = 1 + dice(w, 60);
    w->ids += act->id_cnt;
    if (write_rows(w, w->file, "ae", act->id_first, act->id_cnt) < 0)
        return -1;
    w->file_rows += act->id_cnt;
    resume_args(act);
    return 0;
}

int after_resume(struct act *act)
{
    struct world *w = act->w;
    if (act_must_end_well(act) < 0)
        return -1;
    int status = act->end == ALONE ? 0 : act_again(act);
    if (status)
        return status < 0 ? -1 : bad(w, "run again: exit status %d", status);
    if (fill(w) < 0)
        return -1;
    for (uint32_t i = 0; i < act->id_cnt; i++)
        if (w->t.seen[act->id_first + i] != 1)
            return bad(w, "producer --resume: row %u of the new ones is there %u times", i,
                       (unsigned)w->t.seen[act->id_first + i]);
    return 0;
}
