/* csv_reference.c - see csv_reference.h. */
#include "csv_reference.h"
#include "millrace.h"

static size_t line_end(const char *buf, size_t len, size_t at)
{
    while (at < len && buf[at] != '\n')
        at++;
    return at;
}

void csv_reference_row(const char *buf, size_t len, size_t at, char sep, struct csv_row *row)
{
    enum { START, PLAIN, QUOTED, CLOSED } state = START;
    size_t i, quote = at;

    *row = (struct csv_row){.start = at};
    for (i = at; i < len && !row->fault; i++) {
        char c = buf[i];

        if (state == QUOTED) {
            if (c == '"' && i + 1 < len && buf[i + 1] == '"')
                i++;
            else if (c == '"')
                state = CLOSED;
            else if (c == '\n')
                row->lines++;
            continue;
        }
        if (c == '\n')
            break;
        if (c == sep) {
            state = START;
        } else if (state == CLOSED) {
            if (c == '\r' && i + 1 < len && buf[i + 1] == '\n')
                continue;
            row->fault = CSV_TEXT_AFTER_QUOTE;
            row->fault_at = i;
        } else if (c == '"' && state == START) {
            state = QUOTED;
            quote = i;
        } else if (c == '"') {
            row->fault = CSV_QUOTE_IN_FIELD;
            row->fault_at = i;
        } else {
            state = PLAIN;
        }
    }
    if (state == QUOTED) {
        row->fault = CSV_OPEN_QUOTE;
        row->fault_at = quote;
    }
    if (row->fault) {
        i = line_end(buf, len, at);
        row->lines = 0;
    }
    row->next = i < len ? i + 1 : len;
    row->eol = i < len ? MR_EOL_LF : MR_EOL_NONE;
    if (i < len && i > at && buf[i - 1] == '\r') {
        i--;
        row->eol = MR_EOL_CRLF;
    }
    row->len = i - at;
}
