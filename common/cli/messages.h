/* messages.h - what a program says on standard error. */
#ifndef COMMON_CLI_MESSAGES_H
#define COMMON_CLI_MESSAGES_H

extern const char *program_name; /* as program_start has set it */
extern int program_quiet;        /* -q: no notices (errors are always printed) */
extern int program_verbose;      /* -v */

/* "NAME: text\n" on standard error in one write, so that lines of several processes do not mix.
 * Notices are left out with -q. The text is escaped by text_printable (text.h). Only a line break
 * that is followed by two blanks stays: it is the message's own. */
void program_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void program_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, followed by a negative errno in Millrace's words ("the topic is sealed"): "orders:
 * append: ...". */
void program_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* program_usage prints "NAME: text" and "Try 'NAME --help'." Returns EXIT_USAGE. */
int program_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* program_progress shows line as the one line of progress on standard error, in place of the one
 * before; messages clear it first. NULL clears it. The caller decides whether standard error is for
 * that, and calls at most 5 times a second. */
void program_progress(const char *line);

#endif
