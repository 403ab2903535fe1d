/* open.h - a FILE opened as the options say, and the messages about one that cannot be read. */
#ifndef PRODUCER_INPUT_OPEN_H
#define PRODUCER_INPUT_OPEN_H

#include "producer/run_state.h"

/* run_has_header: whether the first row of such a FILE is a header. */
int run_has_header(const struct options *options, enum input_format format);

/* run_open_input opens a FILE; call input_close if it returns 0. run_read_failed reports what
 * input_fill has returned, run_file_failed prints "NAME: strerror". All three return 0 or an exit
 * status, with the message printed. */
int run_open_input(struct input *in, const struct run *run, const char *file, uint64_t record_max);
int run_read_failed(const struct input *in, int error);
int run_file_failed(const char *name, int error);

#endif
