/* guess.h - what a FILE is that nothing tells the format of, and what no format of ours is. */
#ifndef PRODUCER_GUESS_H
#define PRODUCER_GUESS_H

#include "run_state.h"

/* guess_format says how a FILE is read: as options_format does; but where that is lines for want of
 * anything better, and the topic has columns, as the rows that the topic is made of. *guessed is
 * then 1. */
enum input_format guess_format(const struct run *run, const char *file, int *guessed);

/* guess_begin says how the FILE, just opened, is read if that may be a surprise, or refuses it.
 * Returns 0 or an exit status (everything is said). */
int guess_begin(struct run *run, const struct input *in);

/* guess_row looks at a row that is well-formed or not. Its first one may show that the file is none
 * that we read: UTF-16, or lines that end in CR alone; that is refused, or, where every byte is
 * allowed, said. The first two lines may look like CSV, which is said. Returns 0 or an exit
 * status. */
int guess_row(struct run *run, const struct input *in, const struct input_row *row);

#endif
