/* bench_csv.c - a CSV file through the real programs to /dev/null: group "csv", at = rows, medians
 * of interleaved rounds.
 *
 *   wall_s      from the start of the first program to the end of the last; the file is in the page
 *               cache, the broker and an empty topic of 16 MiB are there
 *   cpu_s       user and system time of both
 *   rows_per_s  rows by wall_s
 *   peak_mib    in a run of its own, looking every millisecond: the most that both have of their
 *               own (what they share is halved: Pss without shared memory), and the whole segment
 *               of the topic, touched or not
 *
 * Two programs are pinned apart; one that has threads is left to the scheduler. Before that, what
 * comes out is compared with the file. */
#include "bench.h"
#include "broker.h"
#include "millrace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROWS 1000000
/* for whom all of them would take too long: rows a second can be compared all the same */
#define ROWS_SLOW   200000
#define ROUNDS      7
#define TOPIC_BYTES (16 << 20)
#define ARGS_MAX    12

static char bus_name[MR_BUS_NAME_MAX + 1], file[600], small[600], producer[600], consumer[600];
static struct mr_bus *bus;

/* A way from the file to /dev/null: one program, or two, with a pipe between them or a topic. */
static const struct way {
    const char *series;
    const char *first[ARGS_MAX], *second[ARGS_MAX];
    int rows;
    uint32_t partitions; /* of its topic; 0: it has none */
} ways[] = {
    {"cat | wc -l", {"cat", file}, {"wc", "-l"}, ROWS, 0},
    {"millrace raw", {producer, "-q", file, "t"}, {consumer, "-q", "--drain", "t"}, ROWS, 1},
    {"millrace json",
     {producer, "-q", file, "t"},
     {consumer, "-q", "--drain", "-f", "json", "t"},
     ROWS,
     1},
    {"millrace keyed",
     {producer, "-q", "--key-col", "user_id", file, "t"},
     {consumer, "-q", "--drain", "t"},
     ROWS,
     4},
    {"millrace keyed json",
     {producer, "-q", "--key-col", "user_id", file, "t"},
     {consumer, "-q", "--drain", "-f", "json", "t"},
     ROWS,
     4},
    {"miller", {"mlr", "--icsv", "--ojson", "cat", small}, {NULL}, ROWS_SLOW, 0},
    {"python", {"python3", "tests/bench/csv_queue.py", small}, {NULL}, ROWS_SLOW, 0},
};
#define WAYS (sizeof ways / sizeof *ways)

static void must(int ok, const char *what)
{
    if (!ok)
        bench_fail(what);
}

static void wrong(const char *series, const char *what)
{
    fprintf(stderr, "bench_csv: %s: %s\n", series, what);
    exit(1);
}

static pid_t spawn(const char *const *args, int cpu, int in, int out)
{
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        if (cpu >= 0)
            bench_pin(cpu);
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        execvp(args[0], (char *const *)(uintptr_t)args);
        _exit(127);
    }
    return pid;
}

static int succeeds(const char *const *args)
{
    int status;
    pid_t pid = spawn(args, -1, STDIN_FILENO, STDERR_FILENO);
    must(waitpid(pid, &status, 0) > 0, "wait");
    return status == 0;
}

static int installed(const char *name)
{
    const char *const look[] = {"sh", "-c", "command -v \"$1\" >/dev/null", "sh", name, NULL};
    return succeeds(look);
}

/* ---- the file ---- */

static const char *rows; /* all of it but the header */
static size_t rows_bytes;

/* make_file puts the path of a file of n rows into path[600], and makes it unless an earlier run
 * has. Returns its bytes. */
static size_t make_file(char *path, int n)
{
    char number[16];
    const char *const make[] = {
        "sh",
        "-c",
        "mkdir -p \"${1%/*}\" && scripts/big-csv.sh \"$2\" >\"$1.new\" && mv \"$1.new\" \"$1\"",
        "sh",
        path,
        number,
        NULL};
    struct stat st;
    const char *bin = getenv("MILLRACE_BIN");
    snprintf(path, 600, "%s/bench/orders-%d.csv", bin ? bin : "bin", n);
    if (stat(path, &st) < 0) {
        snprintf(number, sizeof number, "%d", n);
        must(succeeds(make) && stat(path, &st) == 0, path);
    }
    return (size_t)st.st_size;
}

/* Maps the rows, and so has read the file once before anyone is measured. */
static void read_rows(size_t bytes)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    must(fd >= 0, file);
    const char *all = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    must(all != MAP_FAILED, file);
    close(fd);
    rows = (const char *)memchr(all, '\n', bytes) + 1;
    rows_bytes = (size_t)(all + bytes - rows);
}

/* ---- one run ---- */

struct run {
    pid_t pids[2];
    int n;
    uint64_t since;
};

/* out: where the last of them writes to; all descriptors but 0 to 2 are closed by exec. */
static struct run start(const struct way *way, int out)
{
    struct run run = {.n = way->second[0] ? 2 : 1};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), between[2] = {-1, -1};
    must(null >= 0, "/dev/null");
    if (run.n == 2 && !way->partitions)
        must(pipe2(between, O_CLOEXEC) == 0, "pipe");
    run.since = bench_now_ns();
    run.pids[0] = spawn(way->first, run.n == 2 ? 0 : -1, null,
                        run.n == 1        ? out
                        : between[1] >= 0 ? between[1]
                                          : null);
    if (run.n == 2)
        run.pids[1] = spawn(way->second, 1, between[0] >= 0 ? between[0] : null, out);
    close(null);
    if (between[0] >= 0) {
        close(between[0]);
        close(between[1]);
    }
    return run;
}

static double seconds(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static void finish(const struct way *way, struct run *run, double *wall, double *cpu)
{
    *cpu = 0;
    for (int i = 0; i < run->n; i++) {
        struct rusage used;
        int status;
        must(wait4(run->pids[i], &status, 0, &used) > 0, "wait");
        if (status)
            wrong(way->series, "a program failed");
        *cpu += seconds(used.ru_utime) + seconds(used.ru_stime);
    }
    *wall = (double)(bench_now_ns() - run->since) / 1e9;
}

static void begin_topic(const struct way *way)
{
    const struct mr_settings settings = {.size_bytes = TOPIC_BYTES, .partitions = way->partitions};
    int error = way->partitions ? mr_topic_create(bus, "t", &settings, 0) : 0;
    if (error)
        wrong(way->series, strerror(-error));
}

static void end_topic(const struct way *way)
{
    struct mr_topic *topic;
    if (!way->partitions)
        return;
    if (mr_topic_open(bus, "t", &topic) < 0 || mr_topic_delete(topic, MR_DELETE_ANYWAY) < 0)
        wrong(way->series, "cannot delete its topic");
    mr_topic_close(topic);
}

static void measure(const struct way *way, double *wall, double *cpu)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    begin_topic(way);
    struct run run = start(way, null);
    finish(way, &run, wall, cpu);
    end_topic(way);
    close(null);
}

/* ---- memory ---- */

/* Bytes of one process that are not shared memory, what it shares with others in parts; 0 once it
 * is a zombie. */
static double own_bytes(pid_t pid)
{
    char path[64], line[256];
    double kib = 0, value;
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
    FILE *in = fopen(path, "re");
    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "Pss_Anon: %lf", &value) == 1 ||
            sscanf(line, "Pss_File: %lf", &value) == 1)
            kib += value;
    if (in)
        fclose(in);
    return kib * 1024;
}

static double segment_bytes(const struct way *way)
{
    char path[400];
    struct stat st;
    snprintf(path, sizeof path, "/dev/shm/millrace.%lu.%s.t", (unsigned long)geteuid(), bus_name);
    if (way->partitions)
        must(stat(path, &st) == 0, path);
    return way->partitions ? (double)st.st_size : 0;
}

static double peak_mib(const struct way *way)
{
    double peak = 0, wall, cpu;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    begin_topic(way);
    double shared = segment_bytes(way);
    struct run run = start(way, null);
    for (int running = run.n; running;) {
        double now = 0;
        for (int i = 0; i < run.n; i++)
            now += own_bytes(run.pids[i]);
        if (now > peak)
            peak = now;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        running = 0;
        for (int i = 0; i < run.n; i++) {
            siginfo_t ended = {0};
            waitid(P_PID, (id_t)run.pids[i], &ended, WEXITED | WNOHANG | WNOWAIT);
            running += ended.si_pid == 0;
        }
    }
    finish(way, &run, &wall, &cpu);
    end_topic(way);
    close(null);
    return (peak + shared) / (1 << 20);
}

/* ---- what comes out ---- */

/* Rows in the file's order are compared byte by byte; several partitions are read in any order, so
 * only what they add up to; of JSON, its lines. */
static void check(const struct way *way)
{
    static char buf[1 << 18];
    int in_order = way->partitions == 1, json = strstr(way->series, "json") != NULL, out[2];
    uint64_t lines = 0, sum = 0, expected = 0;
    size_t bytes = 0;
    ssize_t n;
    double wall, cpu;
    must(pipe2(out, O_CLOEXEC) == 0, "pipe");
    begin_topic(way);
    struct run run = start(way, out[1]);
    close(out[1]);
    while ((n = read(out[0], buf, sizeof buf)) > 0) {
        if (!json && (bytes + (size_t)n > rows_bytes ||
                      (in_order && memcmp(buf, rows + bytes, (size_t)n) != 0)))
            wrong(way->series, "other rows come out than went in");
        for (ssize_t i = 0; i < n; i++) {
            lines += buf[i] == '\n';
            sum += (unsigned char)buf[i];
        }
        bytes += (size_t)n;
    }
    close(out[0]);
    finish(way, &run, &wall, &cpu);
    end_topic(way);
    for (size_t i = 0; i < rows_bytes; i++)
        expected += (unsigned char)rows[i];
    if (json ? lines != ROWS : bytes != rows_bytes || sum != expected)
        wrong(way->series, "something else comes out than went in");
}

int main(void)
{
    static double wall[WAYS][ROUNDS], cpu[WAYS][ROUNDS];
    int there[WAYS];
    snprintf(bus_name, sizeof bus_name, "bench-csv-%ld", (long)getpid());
    setenv("MILLRACE_BUS", bus_name, 1);
    snprintf(producer, sizeof producer, "%s", bench_program("producer"));
    snprintf(consumer, sizeof consumer, "%s", bench_program("consumer"));
    read_rows(make_file(file, ROWS));
    make_file(small, ROWS_SLOW);
    bench_broker_start(bus_name);
    must(mr_bus_connect(bus_name, NULL, &bus) == 0, "connect");
    for (size_t w = 0; w < WAYS; w++) {
        there[w] = installed(ways[w].first[0]);
        if (!there[w])
            fprintf(stderr, "bench_csv: %s: not measured, it is not installed\n", ways[w].series);
        if (ways[w].partitions)
            check(&ways[w]);
    }
    for (int round = 0; round < ROUNDS; round++)
        for (size_t w = 0; w < WAYS; w++)
            if (there[w])
                measure(&ways[w], &wall[w][round], &cpu[w][round]);
    for (size_t w = 0; w < WAYS; w++) {
        if (!there[w])
            continue;
        double median = bench_median(wall[w], ROUNDS);
        bench_emit("csv", ways[w].series, ways[w].rows, "wall_s", median);
        bench_emit("csv", ways[w].series, ways[w].rows, "cpu_s", bench_median(cpu[w], ROUNDS));
        bench_emit("csv", ways[w].series, ways[w].rows, "rows_per_s", ways[w].rows / median);
        bench_emit("csv", ways[w].series, ways[w].rows, "peak_mib", peak_mib(&ways[w]));
    }
    mr_bus_disconnect(bus);
    bench_broker_stop();
    return 0;
}
