/* main.c - the consumer: options, run, exit status. */
#include "options.h"
#include "cli/program.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static struct mr_taken taken;
    struct options options;
    struct mr_bus *bus;
    int stats_fd = -1;

    mr_program_start("consumer");
    int done = options_parse(argc, argv, &options);
    if (done)
        return done - 1;
    if (!options.command.into && mr_program_output() != MR_EXIT_OK) {
        options_free(&options);
        return MR_EXIT_FAILED;
    }
    /* Before anything is taken: a file that cannot be written is no reason to lose a run's figures. */
    if (options.stats_path) {
        stats_fd = mr_program_create(options.stats_path);
        if (stats_fd == -EINTR) {
            options_free(&options);
            return mr_program_exit_for(stats_fd);
        }
        if (stats_fd < 0) {
            mr_program_error("--stats %s: %s", options.stats_path, strerror(-stats_fd));
            options_free(&options);
            return MR_EXIT_FAILED;
        }
    }

    int status = mr_program_connect(options.bus, options.name ? options.name : "consumer", options.wait_ns, &bus);
    if (status == MR_EXIT_OK) {
        status = mr_take_run(bus, &options.take, &taken);
        mr_disconnect(bus);
        if (status != MR_EXIT_SIGPIPE && status != MR_EXIT_NO_TOPIC) /* as if killed, without a word; or nothing was begun */
            mr_report_summary(&taken);
    }
    if (stats_fd >= 0) {
        int error = mr_report_stats(stats_fd, &taken, status);
        if (close(stats_fd) < 0 && error == 0)
            error = -errno;
        if (error < 0) {
            mr_program_error("--stats %s: %s", options.stats_path, strerror(-error));
            status = status == MR_EXIT_OK ? MR_EXIT_FAILED : status;
        }
    }
    options_free(&options);
    return status;
}
