/* select.h - the columns of --select: names, in an order. */
#ifndef CONSUMER_SELECT_H
#define CONSUMER_SELECT_H

#include "columns.h"

struct mr_select {
    char *store;
    const char **name; /* each ends in NUL */
    size_t cnt;        /* 0: everything */
};

/* mr_select_parse reads names as a row of CSV: separated by commas, in quotes where they hold one.
 * Returns  0; -EINVAL with a description in wrong; -ENOMEM. mr_select_free takes one that is zeroed, too. */
int mr_select_parse(const char *text, struct mr_select *out, char wrong[static 160]);
/* mr_select_twice: 1 one of them is there twice, *name; 0 none is; -ENOMEM. */
int mr_select_twice(const struct mr_select *select, const char **name);
void mr_select_free(struct mr_select *select);

/* mr_select_bind makes columns->selected of it. Returns 0; -ENOENT, *missing being the first name that is no column; -ENOMEM. */
int mr_select_bind(const struct mr_select *select, struct mr_columns *columns, const char **missing);

#endif
