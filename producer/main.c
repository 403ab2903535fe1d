/* main.c - producer: sends every row of FILE to TOPIC. Options, run, exit status. */
#include "attach.h"
#include "cli/program.h"
#include "header.h"
#include "option_rules.h"
#include "options.h"
#include "run.h"
#include <stdlib.h>

static int send_all(struct run *run)
{
    const struct options *o = run->options;
    struct attachment at = {0};
    int status = o->dry_run ? 0 : attach_open(&at, o);

    if (!status) {
        run->topic = at.topic;
        /* close the producer before sealing: a process that waits for the seal then finds no
         * producer */
        status = sender_close(&run->sender, run_files(run));
    }
    if (!status && o->seal) {
        int error = mr_topic_seal(at.topic);

        if (error) {
            program_fail(error, "%s: seal", o->topic);
            status = program_exit_for(error);
        }
    }
    attach_close(&at);
    return status;
}

static int run_all(struct run *run)
{
    struct figures figures;
    int status = run_check(run), failed;

    if (!status)
        status = report_open(&run->report, run->options);
    if (!status)
        status = bad_rows_open(&run->bad, run->options);
    if (status)
        return status;
    status = send_all(run);
    failed = bad_rows_close(&run->bad);
    if (!status)
        status = failed ? failed : run->bad.cnt ? EXIT_SKIPPED : EXIT_OK;
    header_report(run);
    run_figures(run, &figures);
    figures.exit_status = status;
    failed = report_end(&run->report, &figures);
    return status ? status : failed;
}

int main(int argc, char **argv)
{
    struct options options;
    struct options_seen seen;
    struct run *run;
    int status;

    program_start("producer");
    status = options_parse(argc, argv, &options, &seen);
    if (!status)
        status = option_rules_check(&options, &seen);
    if (status) {
        options_free(&options);
        return status - 1;
    }
    /* Before anything is sent. */
    if ((options.tee || options.ids) && (status = program_output())) {
        options_free(&options);
        return status;
    }
    run = calloc(1, sizeof(*run)); /* its batch is too large for a small stack */
    if (!run) {
        program_error("out of memory");
        options_free(&options);
        return EXIT_FAILED;
    }
    run->options = &options;
    run->sender.options = &options;
    run->sender.topic = options.topic;
    status = run_all(run);
    run_free(run);
    free(run);
    options_free(&options);
    return status;
}
