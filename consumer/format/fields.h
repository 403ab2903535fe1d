/* fields.h - some fields of a row, in any order, in one pass over it. */
#ifndef CONSUMER_PICK_H
#define CONSUMER_PICK_H

#include <stddef.h>

struct mr_field {
    const char *text; /* in the row, still quoted as mr_csv_field gives it; NULL: the row has no such field */
    size_t len;
    int quoted;
};

struct mr_pick {
    size_t cnt;
    size_t *column;         /* which ones, by index; one may be there more than once */
    struct mr_field *field; /* field[i] is that of column[i] */
    size_t *order;          /* the indices of both by column */
    int sep; /* as mr_csv_field takes it */
};

/* mr_pick_init makes room for cnt fields of rows with that separator (see mr_csv_field); the caller fills in column[0 .. cnt) and calls mr_pick_ready. Returns 0; -ENOMEM.
 * mr_pick_free takes one that is zeroed, too. */
int mr_pick_init(struct mr_pick *pick, size_t cnt, int sep);
void mr_pick_ready(struct mr_pick *pick);
void mr_pick_free(struct mr_pick *pick);

/* mr_pick_take fills in field[0 .. cnt); they point into the row. */
void mr_pick_take(struct mr_pick *pick, const char *row, size_t len);

#endif
