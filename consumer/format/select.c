#include "select.h"
#include "text/csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int select_parse(const char *text, struct select_list *out, char wrong[static 160])
{
    struct csv_row row = {0};
    struct select_list new = {0};
    size_t len = strlen(text), at = 0;
    struct csv_field field;
    if (len == 0 || !csv_row(text, len, 0, ',', 1, &row) || row.fault != CSV_OK || row.next < len) {
        snprintf(wrong, 160, "not a list of columns; separate them by commas%s%s",
                 row.fault ? "; " : "", row.fault ? csv_fault_text((enum csv_fault)row.fault) : "");
        return -EINVAL;
    }
    /* a name and its NUL take at most two bytes for each byte of text, and an empty one takes
     * one */
    new.store = malloc(2 * len + 2);
    new.name = calloc(len + 1, sizeof *new.name);
    char *to = new.store;
    if (!new.store || !new.name) {
        select_free(&new);
        return -ENOMEM;
    }
    while (csv_field(text, len, ',', &at, &field)) {
        new.name[new.cnt++] = to;
        if (field.quoted)
            field.len = csv_unquote(field.text, field.len, to);
        else
            memcpy(to, field.text, field.len);
        to[field.len] = '\0';
        to += field.len + 1;
    }
    *out = new;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

int select_twice(const struct select_list *select, const char **name)
{
    const char **sorted = select->cnt ? calloc(select->cnt, sizeof *sorted) : NULL;
    int twice = 0;
    if (!sorted)
        return select->cnt ? -ENOMEM : 0;
    memcpy((void *)sorted, (const void *)select->name, select->cnt * sizeof *sorted);
    qsort((void *)sorted, select->cnt, sizeof *sorted, by_name);
    for (size_t i = 1; i < select->cnt && !twice; i++)
        if ((twice = strcmp(sorted[i - 1], sorted[i]) == 0))
            *name = sorted[i];
    free((void *)sorted);
    return twice;
}

void select_free(struct select_list *select)
{
    free(select->store);
    free((void *)select->name);
    *select = (struct select_list){0};
}

int select_bind(const struct select_list *select, struct columns *columns, const char **missing)
{
    struct field_picker pick;
    if (field_picker_init(&pick, select->cnt, csv_sep(columns->flags)) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < select->cnt; i++) {
        ssize_t column = columns_find(columns, select->name[i], strlen(select->name[i]));
        if (column < 0) {
            *missing = select->name[i];
            field_picker_free(&pick);
            return -ENOENT;
        }
        pick.column[i] = (size_t)column;
    }
    field_picker_ready(&pick);
    field_picker_free(&columns->selected);
    columns->selected = pick;
    return 0;
}
