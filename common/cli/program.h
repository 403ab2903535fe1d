/* program.h - what the three programs share: messages, signals, exit statuses, connecting. Not part
 * of libmillrace: only cli/ writes to standard error. */
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
 * If descriptor 0, 1 or 2 is closed, /dev/null takes its number, opened so that using it fails: no
 * segment may get that number. If that fails, the program ends with EXIT_FAILED. */
void program_start(const char *name);

#endif
