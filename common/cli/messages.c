#include "messages.h"
#include "exit.h"
#include "millrace.h"
#include "text/text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *program_name = "millrace";
int program_quiet;
int program_verbose;

/* the terminal shows a line of progress, which the next message must clear */
static _Atomic int progress_shown;

#define CLEAR_LINE "\r\033[K"

/* Appends text as text_printable writes it. A message quotes names, headers and files, whose
 * control characters must not reach the terminal. A line break followed by two blanks is the
 * message's own. */
static size_t put_shown(char *line, size_t used, size_t room, const char *text, size_t len)
{
    const char *end = text + len, *next;

    for (; text < end && used + 1 < room; text = next) {
        int breaks = end - text >= 3 && memcmp(text, "\n  ", 3) == 0;
        if (breaks)
            line[used++] = *text++;
        next = memmem(text, (size_t)(end - text), "\n  ", 3);
        if (!next)
            next = end;
        used += text_printable(line + used, room - used, text, (size_t)(next - text));
    }
    return used;
}

/* Writes "NAME: text[: reason]\n" with one write; a text that is too long is cut. */
__attribute__((format(printf, 2, 0))) static void say(const char *reason, const char *format,
                                                      va_list args)
{
    char line[4096], text[4096];
    size_t room = sizeof line - 1; /* the last byte is the newline's */
    int len = snprintf(line, room, "%s%s: ", progress_shown ? CLEAR_LINE : "", program_name);
    size_t used = len < 0 ? 0 : (size_t)len, text_len;
    progress_shown = 0;
    len = vsnprintf(text, sizeof text, format, args);
    text_len = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    used = put_shown(line, used, room, text, text_len);
    if (reason && used + 2 < room) {
        used = put_shown(line, used, room, ": ", 2);
        used = put_shown(line, used, room, reason, strlen(reason));
    }
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0 && errno == EAGAIN) {
        /* Non-blocking: wait for a second, not for ever. */
        poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, 1000);
        (void)!write(STDERR_FILENO, line, used);
    }
}

void program_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(NULL, format, args);
    va_end(args);
}

void program_notice(const char *format, ...)
{
    if (program_quiet)
        return;
    va_list args;
    va_start(args, format);
    say(NULL, format, args);
    va_end(args);
}

void program_fail(int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(mr_strerror(error), format, args);
    va_end(args);
}

int program_usage(const char *format, ...)
{
    char hint[128];
    va_list args;
    va_start(args, format);
    say(NULL, format, args);
    va_end(args);
    int len = snprintf(hint, sizeof hint, "Try '%s --help'.\n", program_name);
    if (len > 0)
        (void)!write(STDERR_FILENO, hint, (size_t)len);
    return EXIT_USAGE;
}

void program_progress(const char *line)
{
    char text[512] = CLEAR_LINE;
    size_t used = strlen(CLEAR_LINE);
    if (!line && !progress_shown)
        return;
    if (line)
        used += text_printable(text + used, sizeof text - used, line, strlen(line));
    (void)!write(STDERR_FILENO, text, used);
    progress_shown = line != NULL;
}
