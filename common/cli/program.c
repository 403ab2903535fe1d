#include "program.h"
#include "core/client.h"
#include "core/control.h"
#include "core/segment.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t program_stop;
int program_quiet;
int program_verbose;

const char *program_name = "millrace";
/* a line of progress stands on the terminal: the next message has to clear it */
static _Atomic int progress_shown;

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
#define STOP_SIGNALS (sizeof stop_signals / sizeof stop_signals[0])

static const int64_t second_ns = 1000000000;

/* ---- standard output ---- */

int program_write(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len) {
        ssize_t n = write(fd, at, len);
        if (n >= 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static ssize_t write_out(void *cookie, const char *data, size_t len)
{
    int error = program_write(STDOUT_FILENO, data, len);

    (void)cookie;
    errno = -error;
    return error ? 0 : (ssize_t)len; /* 0 is what a cookie's error is */
}

/* The stream of the C library drops its buffer at EAGAIN, and part of it after a signal. */
static void replace_stdout(void)
{
    FILE *out = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_out});

    if (!out)
        return;
    setvbuf(out, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
    stdout = out;
}

/* ---- signals and time ---- */

/* Other threads read the flag; a word that is only ever set needs no more than that. */
__attribute__((no_sanitize("thread"))) static void on_stop(int number)
{
    program_stop = number;
    /* Whichever of them comes next kills, also when the first was another one. */
    for (size_t i = 0; i < STOP_SIGNALS; i++)
        signal(stop_signals[i], SIG_DFL);
}

/* A segment that was opened as descriptor 1 would be written over by what is printed: where nothing
 * can be put in the place of a descriptor that is closed, nothing else is done. */
static void occupy(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        /* The lowest free number is fd itself. */
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) {
            program_error(
                "descriptor %d is closed, and /dev/null cannot be opened in its place: %s", fd,
                strerror(errno));
            _exit(EXIT_FAILED);
        }
    }
}

void program_start(const char *name)
{
    program_name = name;
    occupy();
    struct sigaction action = {.sa_handler = on_stop}, old;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < STOP_SIGNALS; i++)
        sigaddset(&action.sa_mask, stop_signals[i]);
    for (size_t i = 0; i < STOP_SIGNALS; i++) {
        /* nohup stays nohup. An ignored SIGINT is only what shells without job control give to
         * "program &": scripts that send it mean it. */
        if (stop_signals[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0 &&
            old.sa_handler == SIG_IGN)
            continue;
        sigaction(stop_signals[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file beyond ulimit -f is an error, with a name */
    replace_stdout();
    mr_guard();
}

int program_stopped(int32_t pid)
{
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%" PRId32 "/stat", pid);
    int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *end = strrchr(text, ')'); /* of its name, which may have any character */
    return end && end[1] == ' ' && (end[2] == 'T' || end[2] == 't');
}

int64_t program_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * second_ns + now.tv_nsec;
}

int program_sleep(int64_t ns)
{
    /* Blocked until ppoll: a signal between the look at program_stop and the sleep would be slept
     * through. */
    sigset_t block, old;
    sigemptyset(&block);
    for (size_t i = 0; i < STOP_SIGNALS; i++)
        sigaddset(&block, stop_signals[i]);
    pthread_sigmask(SIG_BLOCK, &block, &old);
    int64_t until = program_now() + (ns > 0 ? ns : 0);
    while (!program_stop) {
        int64_t left = until - program_now();
        if (left <= 0)
            break;
        struct timespec wait = {.tv_sec = left / second_ns, .tv_nsec = left % second_ns};
        ppoll(NULL, 0, &wait, &old);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return program_stop ? -EINTR : 0;
}

/* ---- messages ---- */

#define CLEAR_LINE "\r\033[K"

/* Appends text as text_printable writes it. What a message quotes (a name, a header, a reason from
 * a file) must not reach the terminal as it is; a line break followed by two blanks is the
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
        /* Non-blocking: worth a while, not for ever. */
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

int program_output(void)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
        return EXIT_OK;
    program_error("standard output: %s", strerror(EBADF));
    return EXIT_FAILED;
}

int program_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_OK;
    if (errno == EPIPE)
        return EXIT_SIGPIPE;
    /* a file's errors are not the library's */
    program_error("standard output: %s", strerror(errno ? errno : EIO));
    return EXIT_FAILED;
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

int program_exit_for(int error)
{
    switch (-error) {
    case 0:
        return EXIT_OK;
    case EINTR:
        return program_stop ? 128 + (int)program_stop : EXIT_FAILED;
    case EINVAL:
        return EXIT_USAGE;
    case ECONNREFUSED:
        return EXIT_NO_BROKER;
    case ENOENT:
        return EXIT_NO_TOPIC;
    case ETIMEDOUT:
    case EAGAIN:
        return EXIT_TIMEOUT;
    case EPIPE:
    case EIDRM:
        return EXIT_SEALED;
    default:
        return EXIT_FAILED;
    }
}

/* ---- connecting ---- */

#define NAME_MAX_SHOWN 64

/* The name of a user or a group, else its number; copied, for the next look-up overwrites it. */
static const char *user_name(uid_t uid, char buf[static NAME_MAX_SHOWN])
{
    const struct passwd *user = getpwuid(uid);
    if (user)
        snprintf(buf, NAME_MAX_SHOWN, "%s", user->pw_name);
    else
        snprintf(buf, NAME_MAX_SHOWN, "%u", (unsigned)uid);
    return buf;
}

static const char *group_name(gid_t gid, char buf[static NAME_MAX_SHOWN])
{
    const struct group *group = getgrgid(gid);
    if (group)
        snprintf(buf, NAME_MAX_SHOWN, "%s", group->gr_name);
    else
        snprintf(buf, NAME_MAX_SHOWN, "%u", (unsigned)gid);
    return buf;
}

/* -EPERM, in full: whose file it is, with which rights, and what its owner can do. */
static void no_rights(const char *bus, const char *topic)
{
    char path[MR_PATH_MAX], file[MR_PATH_MAX + 16], what[MR_TOPIC_NAME_MAX + 64];
    char owner_buf[NAME_MAX_SHOWN], group_buf[NAME_MAX_SHOWN], wanted_buf[NAME_MAX_SHOWN];
    const char *name;
    uid_t owner;
    struct stat st;
    if (topic)
        snprintf(what, sizeof what, "%s", topic);
    else
        snprintf(what, sizeof what, "bus \"%s\"", bus);
    if (mr_bus_address(bus, &owner, &name)) {
        program_fail(-EPERM, "%s", what);
        return;
    }
    mr_segment_name(path, owner, name, topic);
    snprintf(file, sizeof file, "/dev/shm%s", path);
    if (lstat(file, &st) < 0) {
        program_fail(-EPERM, "%s", what);
        return;
    }
    const char *has = user_name(st.st_uid, owner_buf), *group = group_name(st.st_gid, group_buf);
    if (st.st_uid != owner || !S_ISREG(st.st_mode))
        program_error("%s: %s is no segment of %s: it belongs to %s, who can remove it (or root)",
                      what, file, user_name(owner, wanted_buf), has);
    else if (topic)
        program_error("%s: %s belongs to %s, group %s, mode %04o: you lack the rights; %s can "
                      "share it: chgrp GROUP and chmod 0660",
                      what, file, has, group, (unsigned)(st.st_mode & 07777), has);
    else
        program_error(
            "%s: %s belongs to %s, group %s, mode %04o: you lack the rights; %s can share it: "
            "broker -b %s --mode 0660 --owner-group GROUP",
            what, file, has, group, (unsigned)(st.st_mode & 07777), has, name);
}

void program_bus_fail(int error, const char *bus)
{
    const char *slash = strchr(bus, '/');
    if (error == -EINTR) /* the user's own doing */
        return;
    if (error == -EPERM)
        no_rights(bus, NULL);
    else if (error == -ENOENT && slash)
        program_error("no broker on bus \"%s\"; %.*s starts one with: broker -b %s --mode 0660 "
                      "--owner-group GROUP",
                      bus, (int)(slash - bus), bus, slash + 1);
    else if (error == -ENOENT)
        program_error("no broker on bus \"%s\"; start one with: ./broker%s%s", bus,
                      strcmp(bus, "default") == 0 ? "" : " -b ",
                      strcmp(bus, "default") == 0 ? "" : bus);
    else
        program_fail(error, "bus \"%s\"", bus);
}

void program_topic_fail(int error, const struct mr_bus *bus, const char *topic)
{
    char text[MR_BUS_NAME_MAX + 16];
    snprintf(text, sizeof text, "%u/%s", (unsigned)mr_bus_owner(bus), mr_bus_name(bus));
    if (error == -EINTR)
        return;
    if (error == -EPERM)
        no_rights(text, topic);
    else
        program_fail(error, "%s: open", topic);
}

int program_connect(const char *bus, const char *client_name, int64_t wait_ns, struct mr_bus **out)
{
    const struct mr_connect_options options = {
        .name = client_name, .on_wait = program_wait_notice, .stop = &program_stop};
    const char *name = bus ? bus : getenv("MILLRACE_BUS");
    if (!name || !*name)
        name = "default";
    const char *wrong = mr_name_check('b', name);
    if (wrong)
        return program_usage("bad name of a bus \"%s\": %s", name, wrong);

    int64_t start = program_now();
    int said = 0;
    for (;;) {
        int error = mr_bus_connect(name, &options, out);
        if (error == 0)
            return EXIT_OK;
        if (error != -ENOENT) {
            program_bus_fail(error, name);
            return program_exit_for(error);
        }
        int64_t waited = program_now() - start;
        if (waited >= wait_ns) {
            program_bus_fail(error, name);
            return EXIT_NO_BROKER;
        }
        if (!said && waited >= second_ns / 2) {
            const char *flag = strcmp(name, "default") == 0 ? "" : " -b ";
            if (strchr(name, '/'))
                program_notice("no broker on bus \"%s\" yet, waiting for one", name);
            else
                program_notice(
                    "no broker on bus \"%s\" yet, waiting for one (start it with: ./broker%s%s)",
                    name, flag, *flag ? name : "");
            said = 1;
        }
        int64_t nap = waited < second_ns ? second_ns / 50 : second_ns / 10;
        if (program_sleep(nap < wait_ns - waited ? nap : wait_ns - waited) < 0)
            return program_exit_for(-EINTR);
    }
}

/* ---- waiting ---- */

static void describe_holder(const struct mr_wait *wait, const char *topic)
{
    const char *why = wait->what == MR_WAIT_ROOM ? "full" : "not all acknowledged";
    const char *group = wait->group ? wait->group : "", *name = wait->name ? wait->name : "";
    char held[32];
    int private_pid = 0; /* "private:PID:..." is a name that none can ask for */
    (void)sscanf(group, "private:%d:", &private_pid);
    if (!*group)
        program_notice("%s: %s, and no consumer has come yet; waiting for one (./consumer %s)",
                       topic, why, topic);
    else if (wait->pid == 0 && private_pid)
        program_notice(
            "%s: %s; the private group of pid %d does not take the next records%s; waiting", topic,
            why, private_pid,
            program_stopped(private_pid) ? ", as that is stopped (kill -CONT lets it go on)" : "");
    else if (wait->pid == 0)
        program_notice("%s: %s; group %s has no consumer that takes the next records; waiting "
                       "(./consumer -g %s %s)",
                       topic, why, group, group, topic);
    else
        program_notice(
            "%s: %s; group %s: pid %" PRId32 "%s%s%s holds it since %s%s", topic, why, group,
            wait->pid, *name ? " (" : "", name, *name ? ")" : "", text_ns(held, wait->held_ns),
            program_stopped(wait->pid) ? ", and is stopped (kill -CONT lets it go on)" : "");
}

/* No wait but a failure, which comes back about every second and for each record: once for each
 * cause is enough. */
static int say_dead(const struct mr_wait *wait)
{
    enum { CAUSES = 16 };
    static struct {
        char topic[MR_TOPIC_NAME_MAX + 16]; /* it may be too long by the suffix */
        int error;
    } said[CAUSES];
    static size_t said_cnt;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int unfit = wait->error == -EPIPE || wait->error == -EMSGSIZE, again = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < said_cnt; i++)
        again |= said[i].error == wait->error && strcmp(said[i].topic, wait->topic) == 0;
    if (!again && said_cnt < CAUSES) {
        snprintf(said[said_cnt].topic, sizeof said[said_cnt].topic, "%s", wait->topic);
        said[said_cnt++].error = wait->error;
    }
    pthread_mutex_unlock(&lock);
    if (!again)
        program_error(
            "%s: does not take record %" PRIu64 " of partition %" PRIu32
            ": %s; it is kept, and tried again later%s%s",
            wait->topic, wait->offset, wait->partition,
            wait->error == -EINVAL ? "no topic can have so long a name (--on-fail skip needs none)"
                                   : mr_strerror(wait->error),
            unfit ? "; read that topic, then let a new one be made: ./broker delete " : "",
            unfit ? wait->topic : "");
    return 0;
}

int program_wait_notice(const struct mr_wait *wait, void *arg)
{
    if (wait->what == MR_WAIT_DEAD)
        return say_dead(wait);
    /* The last answer: a notice is due when it changes, and every 10 s while it does not. */
    static struct {
        char topic[MR_TOPIC_NAME_MAX + 1], group[MR_GROUP_NAME_MAX + 1];
        enum mr_wait_for what;
        int32_t pid;
        int stopped;
        int64_t said_ns; /* 0: never */
    } last;
    /* several threads may wait at a time */
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const char *topic = wait->topic ? wait->topic : "", *group = wait->group ? wait->group : "";
    int64_t now = program_now();
    int stopped = program_stopped(wait->pid);
    pthread_mutex_lock(&lock);
    int same = last.said_ns && last.what == wait->what && last.pid == wait->pid &&
               last.stopped == stopped && strcmp(last.topic, topic) == 0 &&
               strcmp(last.group, group) == 0;
    (void)arg;
    /* An idle consumer is nothing to worry about: once is enough. */
    if (same && (wait->what == MR_WAIT_RECORDS || now - last.said_ns < 10 * second_ns)) {
        pthread_mutex_unlock(&lock);
        return 0;
    }
    last.what = wait->what;
    last.pid = wait->pid;
    last.stopped = stopped;
    last.said_ns = now;
    snprintf(last.topic, sizeof last.topic, "%s", topic);
    snprintf(last.group, sizeof last.group, "%s", group);
    pthread_mutex_unlock(&lock);

    switch (wait->what) {
    case MR_WAIT_ROOM:
    case MR_WAIT_ACKNOWLEDGED:
        describe_holder(wait, topic);
        break;
    case MR_WAIT_LOCK:
        program_notice("%s%swaiting for a lock that pid %" PRId32
                       " holds; if that process is stopped: kill -CONT %" PRId32,
                       topic, *topic ? ": " : "", wait->pid, wait->pid);
        break;
    case MR_WAIT_BROKER:
        program_notice("%s: waiting for the broker, pid %" PRId32
                       ", to create it; if that process is stopped: kill -CONT %" PRId32,
                       topic, wait->pid, wait->pid);
        break;
    case MR_WAIT_DEAD: /* see above */
        break;
    case MR_WAIT_RECORDS:
        program_notice("%s%swaiting for records", topic, *topic ? ": " : "");
        break;
    }
    return 0;
}

void program_socket_fail(const char *bus, const char *what)
{
    const char *name;
    char user[NAME_MAX_SHOWN];
    uid_t owner;
    struct ucred holder;
    if (mr_bus_address(bus, &owner, &name)) {
        program_fail(-EADDRINUSE, "%s", what);
        return;
    }
    int error = mr_control_holder(owner, name, &holder);
    if (error)
        program_error("%s: another process holds the socket of bus \"%s\" and does not listen "
                      "on it; end it (ss -xap shows "
                      "which: @millrace.%u.%s), or use another bus (-b NAME)",
                      what, bus, (unsigned)owner, name);
    else if (holder.uid != owner && holder.uid != 0)
        program_error("%s: pid %d of user %s holds the socket of bus \"%s\"; end it, or use "
                      "another bus (-b NAME)",
                      what, (int)holder.pid, user_name(holder.uid, user), bus);
    else if (holder.pid == 0)
        program_error("%s: a broker in another pid namespace (container) serves a bus \"%s\"; "
                      "use another bus (-b NAME)",
                      what, bus);
    else
        program_error("%s: pid %d holds the socket of bus \"%s\", but not the bus in this /dev/shm "
                      "(is it in a container?); end it, or use another bus (-b NAME)",
                      what, (int)holder.pid, bus);
}

void program_create_fail(int error, const struct mr_bus *bus, const char *topic)
{
    char what[MR_TOPIC_NAME_MAX + 16], address[MR_BUS_NAME_MAX + 16];
    if (error == -EPERM) { /* what answered is no broker of this bus */
        snprintf(what, sizeof what, "%s: create", topic);
        snprintf(address, sizeof address, "%u/%s", (unsigned)mr_bus_owner(bus), mr_bus_name(bus));
        program_socket_fail(mr_bus_owner(bus) == geteuid() ? mr_bus_name(bus) : address, what);
        return;
    }
    int pid = error == -ETIMEDOUT ? mr_broker_pid(bus) : 0;
    if (pid > 0)
        program_error(
            "%s: create: the broker, pid %d, does not answer; if it is stopped: kill -CONT %d",
            topic, pid, pid);
    else
        program_fail(error, "%s: create", topic);
}

/* ---- topics to write to ---- */

/* A bus outlives its broker, but only a broker creates topics: one that comes back within the time
 * will do. */
static int create_topic(struct mr_bus *bus, const char *topic, int64_t wait_ns)
{
    int64_t end = program_now() + wait_ns;
    const struct mr_settings defaults = {0};
    int error, told = 0;

    for (;;) {
        error = mr_topic_create(bus, topic, &defaults, 1);
        if (error != -ECONNREFUSED || program_stop || program_now() >= end)
            break;
        if (!told && program_now() >= end - wait_ns + second_ns / 2) {
            program_notice(
                "%s: no such topic, and no broker runs that could create it; waiting for one",
                topic);
            told = 1;
        }
        program_sleep(second_ns / 20);
    }
    return program_stop ? -EINTR : error;
}

int program_open_topic(struct mr_bus *bus, const char *topic, int create, int64_t wait_ns,
                       struct mr_topic **out)
{
    int error = mr_topic_open(bus, topic, out);

    if (error == -ENOENT && !create) {
        program_no_topic(bus, topic);
        return EXIT_NO_TOPIC;
    }
    if (error == -ENOENT) {
        error = create_topic(bus, topic, wait_ns);
        if (error == -ECONNREFUSED) {
            program_error("%s: no such topic, and no broker runs that could create it (start one: "
                          "./broker -b %s)",
                          topic, mr_bus_name(bus));
            return EXIT_NO_BROKER;
        }
        if (error == -EACCES) {
            program_no_topic(bus, topic);
            program_error("the broker creates no topics by itself (./broker create %s)", topic);
            return EXIT_NO_TOPIC;
        }
        if (error == 0)
            program_notice("created topic %s", topic);
        if (error && error != -EEXIST) { /* another one was first: as good */
            if (error != -EINTR)
                program_create_fail(error, bus, topic);
            return program_exit_for(error);
        }
        error = mr_topic_open(bus, topic, out);
    }
    if (!error)
        return 0;
    program_topic_fail(error, bus, topic);
    return program_exit_for(error);
}

/* ---- named pipes ---- */

int program_create(const char *path)
{
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int64_t start = program_now();
    int told = 0;

    for (;;) {
        struct stat st;
        int fd = open(path, flags, 0666), error = errno;

        if (fd >= 0) {
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
            return fd;
        }
        if (error != ENXIO || stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
            return -error;
        if (!told && program_now() - start >= second_ns / 2) {
            program_notice("%s: a named pipe that has no reader yet, waiting for one", path);
            told = 1;
        }
        if (program_sleep(second_ns / 100))
            return -EINTR;
    }
}

/* ---- files ---- */

/* The real path of a file that need not be there: its folder has to. malloc'ed; NULL with errno
 * set. */
static char *real_path(const char *file)
{
    char *path = realpath(file, NULL), *folder, *joined = NULL;
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;

    if (path || errno != ENOENT || !*name)
        return path;
    folder = slash ? strndup(file, slash == file ? 1 : (size_t)(slash - file)) : strdup(".");
    path = folder ? realpath(folder, NULL) : NULL;
    if (path && asprintf(&joined, "%s/%s", strcmp(path, "/") == 0 ? "" : path, name) < 0)
        joined = NULL;
    free(folder);
    free(path);
    return joined;
}

int program_file_id(const char *file, uint64_t *id)
{
    char *path = real_path(file);

    if (!path)
        return errno ? -errno : -ENOMEM;
    *id = text_hash(0, path, strlen(path)) >> 24;
    *id += *id == 0; /* so that no source is 0 */
    free(path);
    return 0;
}

/* ---- no such topic ---- */

/* Writes " (did you mean "order"?; topics: a, b)" into text: what a user who mistyped a topic wants
 * to know. */
static void topic_hints(const struct mr_bus *bus, const char *topic, char *text, size_t cap)
{
    char **names = NULL;
    ssize_t cnt = mr_bus_topics(bus, &names);
    text[0] = '\0';
    if (cnt < 0)
        return;
    if (cnt == 0) {
        snprintf(text, cap, " (bus \"%s\" has no topics)", mr_bus_name(bus));
        free(names);
        return;
    }
    const char *near = text_suggest(topic, (const char *const *)names);
    int len = near ? snprintf(text, cap, " (did you mean \"%s\"?; topics:", near)
                   : snprintf(text, cap, " (topics:");
    size_t used = len < 0 ? 0 : (size_t)len;
    for (ssize_t i = 0; i < cnt && used < cap; i++) {
        if (i == 20) { /* enough for a message */
            len = snprintf(text + used, cap - used, ", and %zd more", cnt - i);
            used += len < 0 ? 0 : (size_t)len;
            break;
        }
        len = snprintf(text + used, cap - used, "%s %s", i ? "," : "", names[i]);
        used += len < 0 ? 0 : (size_t)len;
    }
    if (used < cap)
        snprintf(text + used, cap - used, ")");
    free(names);
}

void program_no_topic(const struct mr_bus *bus, const char *topic)
{
    char hints[2048];
    topic_hints(bus, topic, hints, sizeof hints);
    program_error("%s: no such topic%s", topic, hints);
}

void program_await_topic(const struct mr_bus *bus, const char *topic)
{
    char hints[2048];
    topic_hints(bus, topic, hints, sizeof hints);
    program_notice("%s: no such topic yet, waiting for it%s", topic, hints);
}
