/* messages.h - what a program says on standard error. */
#ifndef COMMON_CLI_MESSAGES_H
#define COMMON_CLI_MESSAGES_H

extern const char *program_name; /* as program_start has set it */
extern int program_quiet;        /* -q: no notices (errors are always printed) */
extern int program_verbose;      /* -v */

/* "NAME: text\n" on standard error in one write, so that lines of several processes do not mix.
 * Errors always; notices unless -q.
 * The text is escaped as text_printable does it (text.h), whatever it quotes. A line break of the
 * message's own is followed by two blanks: the only one that stays. */
void program_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void program_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with the text of a negative errno in Millrace's own words ("the topic is sealed") after
 * what was done: "orders: append: ...". */
void program_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* program_usage prints "NAME: text" and "Try 'NAME --help'." Returns EXIT_USAGE. */
int program_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* program_progress shows line as the one line of progress on standard error, in place of the one
 * before; messages clear it first. NULL clears it. The caller sees to it that standard error is
 * meant for that, and that it happens at most 5 times a second. */
void program_progress(const char *line);

#endif
