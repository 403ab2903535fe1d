/* select.h - the columns of --select: names, in an order. */
#ifndef CONSUMER_FORMAT_SELECT_H
#define CONSUMER_FORMAT_SELECT_H

#include "columns.h"

struct select_list {
    char *store;
    const char **name; /* each ends in NUL */
    size_t cnt;        /* 0: everything */
};

/* select_parse reads names as a row of CSV: separated by commas, in quotes where they hold one.
 * Returns  0; -EINVAL with a description in wrong; -ENOMEM. select_free takes one that is zeroed,
 *          too. */
int select_parse(const char *text, struct select_list *out, char wrong[static 160]);
/* select_twice: 1 one of them is there twice, *name; 0 none is; -ENOMEM. */
int select_twice(const struct select_list *select, const char **name);
void select_free(struct select_list *select);

/* select_bind makes columns->selected of it. Returns 0; -ENOENT, *missing being the first name that
 * is no column; -ENOMEM. */
int select_bind(const struct select_list *select, struct columns *columns, const char **missing);

#endif
