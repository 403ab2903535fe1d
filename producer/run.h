/* run.h - all FILEs, from the first row to the last: header, rows, bad rows, pace, counts. */
#ifndef PRODUCER_RUN_H
#define PRODUCER_RUN_H

#include "run_state.h"

/* run_check looks at every FILE before anything is sent: there, readable, no directory, and all
 * headers alike.
 * Returns 0 or an exit status (everything is said). Pipes are not touched. */
int run_check(struct run *run);

/* run_files sends them. run->topic, sender, bad, report must be ready. Returns 0 or an exit status
 * (everything is said). */
int run_files(struct run *run);

void run_figures(const struct run *run, struct figures *out); /* but exit_status */
void run_free(struct run *run);

#endif
