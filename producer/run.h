/* run.h - all FILEs, from the first row to the last: header, rows, bad rows, pace, counts. */
#ifndef PRODUCER_RUN_H
#define PRODUCER_RUN_H

#include "run_state.h"

/* run_check checks every FILE before anything is sent: it exists, is readable and not a
 * directory, and all headers are the same. Returns 0 or an exit status with the message printed.
 * Pipes are not read. */
int run_check(struct run *run);

/* run_files sends them; run->topic, sender, bad and report must be ready. Returns 0 or an exit
 * status with the message printed. */
int run_files(struct run *run);

void run_figures(const struct run *run, struct figures *out); /* except exit_status */
void run_free(struct run *run);

#endif
