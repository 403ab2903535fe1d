#include "output.h"
#include "cli/program.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

int output_init(struct output *output, int fd)
{
    *output = (struct output){.fd = fd};
    js_init(&output->text, NULL, 0);
    return js_room(&output->text, 2 * OUTPUT_FLUSH_AT) ? 0 : -ENOMEM;
}

void output_free(struct output *output)
{
    js_free(&output->text);
}

int output_write(struct output *output, const char *text, size_t len)
{
    int error = program_write(output->fd, text, len);
    if (!error)
        output->written += len;
    return error;
}

int output_flush(struct output *output)
{
    struct js_writer *text = &output->text;
    if (text->failed)
        return -ENOMEM;
    int error = output_write(output, text->text, text->len);
    if (error == 0)
        text->len = 0;
    return error;
}

int output_reader_gone(const struct output *output)
{
    struct pollfd fd = {.fd = output->fd};
    return poll(&fd, 1, 0) == 1 && (fd.revents & (POLLERR | POLLHUP | POLLNVAL));
}
