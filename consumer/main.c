/* main.c - the consumer: options, run, exit status. */
#include "cli/program.h"
#include "options.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static struct taken taken;
    struct options options;
    struct mr_bus *bus;
    int stats_fd = -1;

    program_start("consumer");
    int done = options_parse(argc, argv, &options);
    if (done)
        return done - 1;
    if (!options.command.into && program_output() != EXIT_OK) {
        options_free(&options);
        return EXIT_FAILED;
    }
    /* Opened before any record is taken, so that an error does not lose the figures of a run. */
    if (options.stats_path) {
        stats_fd = program_create(options.stats_path);
        if (stats_fd == -EINTR) {
            options_free(&options);
            return program_exit_for(stats_fd);
        }
        if (stats_fd < 0) {
            program_error("--stats %s: %s", options.stats_path, strerror(-stats_fd));
            options_free(&options);
            return EXIT_FAILED;
        }
    }

    int status = program_connect(options.bus, options.name ? options.name : "consumer",
                                 options.wait_ns, &bus);
    if (status == EXIT_OK) {
        const struct sink sink = {workers_run, workers_take, &options.command};
        status = take_run(bus, &options.take, options.command.argv ? &sink : NULL, &taken);
        mr_bus_disconnect(bus);
        /* no summary if it ends as if killed, or took nothing */
        if (status != EXIT_SIGPIPE && status != EXIT_NO_TOPIC)
            report_summary(&taken);
    }
    if (stats_fd >= 0) {
        int error = report_stats(stats_fd, &taken, status);
        if (close(stats_fd) < 0 && error == 0)
            error = -errno;
        if (error < 0) {
            program_error("--stats %s: %s", options.stats_path, strerror(-error));
            status = status == EXIT_OK ? EXIT_FAILED : status;
        }
    }
    options_free(&options);
    return status;
}
