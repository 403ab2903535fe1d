#include "fields.h"
#include "text/csv.h"

#include <errno.h>
#include <stdlib.h>

int field_picker_init(struct field_picker *pick, size_t cnt, int sep)
{
    *pick = (struct field_picker){.cnt = cnt, .sep = sep};
    pick->column = calloc(cnt + 1, sizeof *pick->column);
    pick->field = calloc(cnt + 1, sizeof *pick->field);
    pick->order = calloc(cnt + 1, sizeof *pick->order);
    if (pick->column && pick->field && pick->order)
        return 0;
    field_picker_free(pick);
    return -ENOMEM;
}

void field_picker_ready(struct field_picker *pick)
{
    for (size_t i = 0; i < pick->cnt; i++) { /* few, and once a topic */
        size_t at = i;
        for (; at > 0 && pick->column[pick->order[at - 1]] > pick->column[i]; at--)
            pick->order[at] = pick->order[at - 1];
        pick->order[at] = i;
    }
}

void field_picker_free(struct field_picker *pick)
{
    free(pick->column);
    free(pick->field);
    free(pick->order);
    *pick = (struct field_picker){0};
}

void field_picker_take(struct field_picker *pick, const char *row, size_t len)
{
    struct csv_field field;
    size_t at = 0, done = 0;
    for (size_t i = 0; done < pick->cnt && csv_field(row, len, pick->sep, &at, &field); i++)
        while (done < pick->cnt && pick->column[pick->order[done]] == i)
            pick->field[pick->order[done++]] = field;
    while (done < pick->cnt)
        pick->field[pick->order[done++]] = (struct csv_field){0};
}
