/* guess.h - the format of a FILE that no option and no suffix tells, and files that are in no
 * supported format. */
#ifndef PRODUCER_GUESS_H
#define PRODUCER_GUESS_H

#include "run_state.h"

/* guess_format: the format to read a FILE in, as options_format; but if that falls back to lines
 * and the topic has columns, the format of the topic's rows, with *guessed set to 1. */
enum input_format guess_format(const struct run *run, const char *file, int *guessed);

/* guess_begin reports how the FILE, just opened, is read if that may be unexpected, or refuses
 * it. Returns 0 or an exit status with the message printed. */
int guess_begin(struct run *run, const struct input *in);

/* guess_row checks a row, well-formed or not. The first row may show an unsupported file:
 * UTF-16, or lines that end in CR alone; that is refused, or only reported where every byte is
 * allowed. It also reports if the first two lines look like CSV. Returns 0 or an exit status. */
int guess_row(struct run *run, const struct input *in, const struct input_row *row);

#endif
