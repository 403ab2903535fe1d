/* wait.h - notices about what a program waits for. */
#ifndef COMMON_CLI_WAIT_H
#define COMMON_CLI_WAIT_H

#include "millrace.h"

/* program_wait_notice is the on_wait of all three: says once a wait exceeds half a second, then
 * when the answer changes or every 10 s, what is waited for and who holds it ("orders: full; group
 * default: pid 123 (slow) has held it for 1.2 s"). Returns 0. */
int program_wait_notice(const struct mr_wait *wait, void *arg);

#endif
