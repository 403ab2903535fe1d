/* program.h - what the three programs share towards their user: messages, signals, exit statuses,
 * connecting with patience.
 * Not part of libmillrace: cli/ is the one place under common/ that writes to standard error. */
#ifndef COMMON_CLI_PROGRAM_H
#define COMMON_CLI_PROGRAM_H

#include "cli/connect.h"
#include "cli/exit.h"
#include "cli/file_id.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/topics.h"
#include "cli/wait.h"
#include "millrace.h"

/* program_start sets the name that messages carry, the handlers (no SA_RESTART), and ignores
 * SIGPIPE and SIGXFSZ so that EPIPE and EFBIG are seen.
 * A segment's file that is cut short becomes -EIO (mr_guard).
 * From then on stdout writes by program_write.
 * Descriptors 0, 1 and 2 that are closed are opened on /dev/null such that using them fails: no
 * segment may end up there. If that is not possible the program ends at once, with EXIT_FAILED.
 */
void program_start(const char *name);

#endif
