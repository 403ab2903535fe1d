#include "fields.h"
#include "text/csv.h"

#include <errno.h>
#include <stdlib.h>

int mr_pick_init(struct mr_pick *pick, size_t cnt, int sep)
{
    *pick = (struct mr_pick){.cnt = cnt, .sep = sep};
    pick->column = calloc(cnt + 1, sizeof *pick->column);
    pick->field = calloc(cnt + 1, sizeof *pick->field);
    pick->order = calloc(cnt + 1, sizeof *pick->order);
    if (pick->column && pick->field && pick->order)
        return 0;
    mr_pick_free(pick);
    return -ENOMEM;
}

void mr_pick_ready(struct mr_pick *pick)
{
    for (size_t i = 0; i < pick->cnt; i++) { /* few, and once a topic */
        size_t at = i;
        for (; at > 0 && pick->column[pick->order[at - 1]] > pick->column[i]; at--)
            pick->order[at] = pick->order[at - 1];
        pick->order[at] = i;
    }
}

void mr_pick_free(struct mr_pick *pick)
{
    free(pick->column);
    free(pick->field);
    free(pick->order);
    *pick = (struct mr_pick){0};
}

void mr_pick_take(struct mr_pick *pick, const char *row, size_t len)
{
    struct mr_field field;
    size_t at = 0, done = 0;
    for (size_t i = 0; done < pick->cnt && mr_csv_field(row, len, pick->sep, &at, &field.text, &field.len, &field.quoted); i++)
        while (done < pick->cnt && pick->column[pick->order[done]] == i)
            pick->field[pick->order[done++]] = field;
    while (done < pick->cnt)
        pick->field[pick->order[done++]] = (struct mr_field){0};
}
