#include "output.h"
#include "cli/program.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

int mr_output_init(struct mr_output *output, int fd)
{
    *output = (struct mr_output){.fd = fd};
    mr_json_init(&output->text, NULL, 0);
    return mr_json_room(&output->text, 2 * MR_OUTPUT_FLUSH_AT) ? 0 : -ENOMEM;
}

void mr_output_free(struct mr_output *output)
{
    mr_json_free(&output->text);
}

int mr_output_write(struct mr_output *output, const char *text, size_t len)
{
    int error = mr_program_write(output->fd, text, len);
    if (!error)
        output->written += len;
    return error;
}

int mr_output_flush(struct mr_output *output)
{
    struct mr_json *text = &output->text;
    if (text->failed)
        return -ENOMEM;
    int error = mr_output_write(output, text->text, text->len);
    if (error == 0)
        text->len = 0;
    return error;
}

int mr_output_reader_gone(const struct mr_output *output)
{
    struct pollfd fd = {.fd = output->fd};
    return poll(&fd, 1, 0) == 1 && (fd.revents & (POLLERR | POLLHUP | POLLNVAL));
}
